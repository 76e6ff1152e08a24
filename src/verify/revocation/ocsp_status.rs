//! Status by OCSP (RFC 6960): an answer for this certificate, by its CA or by who the CA delegated it to.

use std::sync::Arc;

use crl::ReasonCode;

use super::super::budget::{BudgetExhausted, Resource};
use super::super::certificate::{Certificate, oid};
use super::super::name::CanonicalName;
use super::super::path::{Fault, Inputs, Judge, Signed, is_acceptable, validate};
use super::super::signature::{SignatureAlgorithm, VerificationKey};
use super::crl_status::{Subject, check_existence, check_window, status_of};
use super::ocsp_response::{ResponderId, Single};
use super::{
    CertificateStatus, HeldOcspResponse, NotUsed, OcspCertStatus, Revocation, Source, SourceKind, SourceSigner,
    WhyNotUsed, minimal,
};
use crate::crypto::DigestAlgorithm;

/// certificateHold (RFC 5280 §5.3.1).
const ON_HOLD: u8 = 6;

/// The status by what is held; `None` where no answer may be used, and `not_used` says why.
pub(super) fn by_ocsp<'a>(
    judge: &mut Judge<'a>,
    subject: &Subject<'a, '_>,
    not_used: &mut Vec<NotUsed>,
) -> Result<Option<CertificateStatus>, BudgetExhausted> {
    let evidence = judge.evidence;
    let mut answers: Vec<(&'a HeldOcspResponse, &'a Single)> = Vec::new();
    for response in evidence.ocsp_responses_for(minimal(subject.certificate.serial())) {
        let items = u32::try_from(response.singles.len()).unwrap_or(u32::MAX);
        judge.budget.spend(Resource::RevocationItems, items)?;
        let before = answers.len();
        let speaking = response.singles.iter().filter(|single| speaks_of(response, single, subject));
        answers.extend(speaking.map(|single| (response, single)));
        if answers.len() == before {
            let why = WhyNotUsed::OtherCertId;
            not_used.push(NotUsed { kind: SourceKind::OcspResponse, sha256: *response.sha256(), why });
        }
    }
    if judge.any_age {
        let is_for_good = |status: &OcspCertStatus| match status {
            OcspCertStatus::Revoked { reason_number, .. } => *reason_number != Some(ON_HOLD),
            OcspCertStatus::Good | OcspCertStatus::Unknown => false,
        };
        answers.retain(|(_, single)| is_for_good(&single.status));
    }
    // The newest answer is the one that counts.
    answers.sort_by_key(|(_, single)| std::cmp::Reverse(single.this_update_s));
    for (response, single) in answers {
        let usable = match check_answer(judge, response, single, subject.certificate) {
            Ok(()) => check_signer(judge, response, subject)?,
            // It counts against the certificate only if its signer may say so.
            Err(WhyNotUsed::ObstacleAndListed) => {
                check_signer(judge, response, subject)?.and(Err(WhyNotUsed::ObstacleAndListed))
            }
            Err(why) => Err(why),
        };
        let source = |signer| Source {
            kind: SourceKind::OcspResponse,
            origin: response.origin(),
            sha256: *response.sha256(),
            this_update_s: single.this_update_s,
            next_update_s: single.next_update_s,
            signer,
        };
        let why = match (usable, single.status) {
            (Ok(signer), OcspCertStatus::Good) => return Ok(Some(CertificateStatus::Good(vec![source(signer)]))),
            (Ok(signer), OcspCertStatus::Revoked { revocation_time_s, reason_number }) => {
                return Ok(Some(CertificateStatus::Revoked(Revocation {
                    revocation_date_s: revocation_time_s,
                    reason: reason_number.and_then(|number| ReasonCode::try_from(number).ok()),
                    reason_number,
                    invalidity_date_s: None,
                    source: source(signer),
                })));
            }
            (Ok(_), OcspCertStatus::Unknown) => WhyNotUsed::UnknownToResponder,
            (Err(why), _) => why,
        };
        not_used.push(NotUsed { kind: SourceKind::OcspResponse, sha256: *response.sha256(), why });
    }
    Ok(None)
}

fn speaks_of(response: &HeldOcspResponse, single: &Single, subject: &Subject<'_, '_>) -> bool {
    let issuer =
        subject.above.last().map(|issuer| &**issuer.certificate).or(subject.anchor.certificate().map(|own| &**own));
    is_about(response, single, subject.certificate, subject.issuer_key.key(), issuer)
}

/// Whether a CertID is the certificate's: by its issuer's name and key, whatever the digest.
pub(super) fn is_about(
    response: &HeldOcspResponse,
    single: &Single,
    certificate: &Certificate,
    issuer_key: &VerificationKey,
    issuer: Option<&Certificate>,
) -> bool {
    let oid = response.part(&single.hash_oid);
    let Some(digest) = DigestAlgorithm::ALL.into_iter().find(|digest| digest.oid().as_bytes() == oid) else {
        return false;
    };
    let is_of = |hash: &std::ops::Range<usize>, octets: &[u8]| response.part(hash) == digest.digest(octets).as_ref();
    minimal(response.part(&single.serial)) == minimal(certificate.serial())
        && is_of(&single.issuer_key_hash, issuer_key.bits())
        // A CA that writes its name in two ways may have hashed either.
        && (is_of(&single.issuer_name_hash, certificate.issuer_der())
            || issuer.is_some_and(|issuer| is_of(&single.issuer_name_hash, issuer.subject_der())))
}

fn check_answer(
    judge: &Judge<'_>,
    response: &HeldOcspResponse,
    single: &Single,
    certificate: &Certificate,
) -> Result<(), WhyNotUsed> {
    check_existence(judge.settings, response.sha256())?;
    check_window(&judge.rule(), single.this_update_s, single.next_update_s)?;
    let says_revoked = matches!(single.status, OcspCertStatus::Revoked { .. });
    if response.unknown_critical || single.unknown_critical {
        return Err(if says_revoked { WhyNotUsed::ObstacleAndListed } else { WhyNotUsed::Obstacle });
    }
    // RFC 6960 §4.4.4: what is said of a certificate after its end holds only where the archive reaches back to it.
    let keeps_expired = single.archive_cutoff_s.is_some_and(|cutoff_s| cutoff_s <= certificate.not_after_s());
    let is_good = single.status == OcspCertStatus::Good;
    if is_good && single.this_update_s > certificate.not_after_s() && !keeps_expired {
        return Err(WhyNotUsed::CertificateExpiredBefore);
    }
    Ok(())
}

/// RFC 6960 §4.2.2.2: the CA that issued the certificate, or a responder that this CA issued a certificate for it.
fn check_signer<'a>(
    judge: &mut Judge<'a>,
    response: &'a HeldOcspResponse,
    subject: &Subject<'a, '_>,
) -> Result<Result<SourceSigner, WhyNotUsed>, BudgetExhausted> {
    let algorithm = match SignatureAlgorithm::from_identifier_der(response.signature_algorithm_der()) {
        Ok(algorithm) => algorithm,
        Err(error) => return Ok(Err(WhyNotUsed::Algorithm(error))),
    };
    let issuer_name = subject.certificate.issuer_name();
    let is_named = |subject: &CanonicalName, bits: &[u8]| response.responder_id.is(subject, bits);
    let mut why = WhyNotUsed::NoSigner;
    let verify = |judge: &mut Judge<'a>, key: &VerificationKey| {
        if !judge.settings.algorithms.permits(algorithm, key.algorithm()) {
            return Ok(Err(WhyNotUsed::AlgorithmNotPermitted));
        }
        let signed = Signed {
            owner: std::ptr::from_ref(response).addr(),
            message: response.tbs_der(),
            algorithm,
            signature: response.signature(),
            verified_under: response.verified_under(),
        };
        let verified = judge.memory.verify_signed(&signed, key, &mut judge.budget)?;
        Ok(verified.map_err(WhyNotUsed::Signature))
    };
    let signed_by = |certificate: Option<&Arc<Certificate>>, key: &VerificationKey| SourceSigner {
        certificate: certificate.map(Arc::clone),
        algorithm,
        key: key.algorithm(),
    };
    if is_named(issuer_name, subject.issuer_key.key().bits()) {
        let key = subject.issuer_key.key();
        match verify(judge, key)? {
            Ok(()) => {
                let issuer = subject.above.last().map(|above| above.certificate).or(subject.anchor.certificate());
                return Ok(Ok(signed_by(issuer, key)));
            }
            Err(not) => why = not,
        }
    }
    let evidence = judge.evidence;
    // Documents carry responders' certificates beside the answers as often as in them.
    let held = evidence.certificates().iter().filter(|held| match &response.responder_id {
        ResponderId::ByName(named) => held.certificate.subject_name() == named,
        ResponderId::ByKey(hash) => held.key_identifier.as_ref().is_none_or(|own| own == hash),
    });
    let held = held.filter(|held| held.certificate.issuer_name() == issuer_name).map(|held| &held.certificate);
    let delegates: Vec<&'a Arc<Certificate>> = response.certificates.iter().chain(held).collect();
    for delegate in delegates {
        let Ok(key) = delegate.key() else { continue };
        if !is_named(delegate.subject_name(), key.bits()) || delegate.issuer_name() != issuer_name {
            continue;
        }
        match verify(judge, key)? {
            Ok(()) => {}
            Err(not) => {
                why = not;
                continue;
            }
        }
        match check_delegate(judge, response, delegate, subject)? {
            Ok(()) => return Ok(Ok(signed_by(Some(delegate), key))),
            Err(not) => why = not,
        }
    }
    Ok(Err(why))
}

/// The time that a responder's certificate is judged for.
fn time_of_delegate_s(judge: &Judge<'_>, response: &HeldOcspResponse) -> i64 {
    let settings = judge.settings;
    if let Some(demand) = settings.existed_by {
        // The answer existed while its responder's certificate was good: else whoever has an ended responder's key answers
        // for any time (EN 319 102-1 §5.1.3: REVOCATION_OUT_OF_BOUNDS_NO_POE).
        return demand.proofs.earliest_s(response.sha256());
    }
    if settings.target_time_s.is_some() {
        // What is judged happened in the past: responders' certificates live for weeks, and who answered then has ended since.
        return response.produced_at_s;
    }
    // An answer that came after the time judged for is signed by a responder of its own time.
    settings.time_s.max(response.produced_at_s)
}

/// Whether a certificate is for signing answers (§4.2.2.2), and its keyUsage, if it has one, allows to sign.
pub(super) fn may_sign_answers(delegate: &Certificate) -> bool {
    let purposes = delegate.extended_key_usage();
    let is_responder = matches!(purposes, Ok(Some(purposes)) if purposes.contains(&oid::OCSP_SIGNING));
    let signs = match delegate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation()),
        Err(_) => false,
    };
    is_responder && signs
}

/// "This certificate MUST be issued directly by the CA that is identified in the request", with id-kp-OCSPSigning, under the
/// key that issued the certificate asked about.
fn check_delegate<'a>(
    judge: &mut Judge<'a>,
    response: &HeldOcspResponse,
    delegate: &'a Arc<Certificate>,
    subject: &Subject<'a, '_>,
) -> Result<Result<(), WhyNotUsed>, BudgetExhausted> {
    if !may_sign_answers(delegate) {
        return Ok(Err(WhyNotUsed::SignerNotAllowed));
    }
    let mut path: Vec<&'a Certificate> = subject.above.iter().map(|above| &**above.certificate).collect();
    path.push(delegate);
    let inputs = Inputs {
        settings: judge.settings,
        purpose: Some(oid::OCSP_SIGNING),
        last_time_s: time_of_delegate_s(judge, response),
        policies: false,
    };
    let valid = match validate(subject.anchor, &path, &inputs, &mut judge.memory, &mut judge.budget)? {
        Ok(valid) => valid,
        Err((_, Fault::Expired { .. } | Fault::NotYetValid { .. })) => return Ok(Err(WhyNotUsed::SignerOutOfBounds)),
        Err(_) => return Ok(Err(WhyNotUsed::SignerNotTrusted)),
    };
    // §4.2.2.2.1
    if delegate.extension(oid::OCSP_NO_CHECK).is_some() {
        return Ok(Ok(()));
    }
    let issuer_key = valid.issuer_keys.last().cloned().unwrap_or_else(|| subject.issuer_key.clone());
    let own = Subject { certificate: delegate, issuer_key, anchor: subject.anchor, above: subject.above };
    let status = status_of(judge, &own)?;
    Ok(match status {
        status if is_acceptable(&status, judge.settings, judge.settings.time_s) => Ok(()),
        CertificateStatus::Revoked(_) => Err(WhyNotUsed::SignerRevoked),
        _ => Err(WhyNotUsed::SignerNotTrusted),
    })
}

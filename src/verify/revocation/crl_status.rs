//! Status by CRLs (RFC 5280 §6.3.3), and by OCSP beside them.

use std::sync::Arc;

use crl::scope::{CertificateFacts, CertificateKind, CrlFacts, DistributionPoint, GeneralName, ReasonFlags};
use crl::{IndexedEntry, ReasonCode, check_delta};

use super::super::anchor::TrustAnchor;
use super::super::budget::{BudgetExhausted, Resource};
use super::super::certificate::Certificate;
use super::super::judgement::Failure;
use super::super::name::CanonicalName;
use super::super::path::{Fault, Judge, PathCertificate, Request, Signed, WorkingKey};
use super::super::settings::{Conformance, RevocationRule, Settings};
use super::super::signature::{SignatureAlgorithm, VerificationKey};
use super::held_crl::canonical_points;
use super::ocsp_status::by_ocsp;
use super::{CertificateStatus, HeldCrl, NotUsed, Revocation, Source, SourceKind, SourceSigner, WhyNotUsed, minimal};

/// id-ce-cRLNumber.
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];

/// A certificate whose status is asked, in its validated path.
pub(crate) struct Subject<'a, 'p> {
    pub(crate) certificate: &'a Arc<Certificate>,
    /// The key that signed it.
    pub(crate) issuer_key: WorkingKey<'a>,
    pub(crate) anchor: &'a Arc<TrustAnchor>,
    /// The certificates above it, the anchor's side first; the last is its issuer's, and where there is none the anchor is.
    pub(crate) above: &'p [PathCertificate<'a>],
}

impl<'a> Subject<'a, '_> {
    /// What its status depends on besides the evidence: anchor and certificates above, by address. A signer of CRLs is trusted
    /// without more where it stands on the path, so that a status found in one path is none of another's.
    fn path(&self) -> Vec<usize> {
        let above = self.above.iter().map(|above| address(above.certificate));
        let anchor = std::ptr::from_ref::<TrustAnchor>(self.anchor).addr();
        std::iter::once(anchor).chain(above).chain([address(self.certificate)]).collect()
    }

    /// The issuer's certificate; `None` where the anchor issued it and only its name and key count.
    fn issuer(&self) -> Option<&'a Certificate> {
        match self.above.last() {
            Some(issuer) => Some(issuer.certificate),
            None => self.anchor.whole_certificate(),
        }
    }
}

fn address(certificate: &Certificate) -> usize {
    std::ptr::from_ref(certificate).addr()
}

/// Whether evidence is proven to have existed, where that is asked.
pub(super) fn check_existence(settings: &Settings<'_>, sha256: &[u8; 32]) -> Result<(), WhyNotUsed> {
    match settings.existed_by {
        Some(demand) if demand.proofs.earliest_s(sha256) > demand.time_s => Err(WhyNotUsed::NoProofOfExistence),
        _ => Ok(()),
    }
}

/// Whether evidence is current by the rule.
pub(super) fn check_window(
    rule: &RevocationRule,
    this_update_s: i64,
    next_update_s: Option<i64>,
) -> Result<(), WhyNotUsed> {
    if this_update_s > rule.latest_this_update_s {
        return Err(WhyNotUsed::NotYetCurrent);
    }
    if this_update_s < rule.earliest_this_update_s {
        return Err(WhyNotUsed::Stale);
    }
    if rule.earliest_next_update_s == i64::MIN {
        return Ok(());
    }
    let next_update_s = match (next_update_s, rule.without_next_update_s) {
        (Some(next_update_s), _) => next_update_s,
        (None, Some(holds_s)) => this_update_s.saturating_add(holds_s),
        (None, None) => return Err(WhyNotUsed::NoNextUpdate),
    };
    if next_update_s < rule.earliest_next_update_s { Err(WhyNotUsed::Stale) } else { Ok(()) }
}

/// The status of a certificate, from everything that is held. Where OCSP and CRLs differ, revoked is the answer.
pub(crate) fn status_of<'a>(
    judge: &mut Judge<'a>,
    subject: &Subject<'a, '_>,
) -> Result<CertificateStatus, BudgetExhausted> {
    let address = address(subject.certificate);
    let path = subject.path();
    if let Some(status) = judge.statuses.get(&path) {
        return Ok(status.clone());
    }
    if judge.in_progress.contains(&address) {
        let circular = |sha256| NotUsed { kind: SourceKind::Crl, sha256, why: WhyNotUsed::Circular };
        return Ok(CertificateStatus::Unknown(vec![circular(*subject.certificate.sha256())]));
    }
    judge.in_progress.push(address);
    let status = find_status(judge, subject);
    judge.in_progress.pop();
    let status = status?;
    // What is not known may be known once a status that is being found is.
    let is_settled = judge.in_progress.is_empty() || !matches!(status, CertificateStatus::Unknown(_));
    if is_settled && !judge.any_age {
        judge.statuses.insert(path, status.clone());
    }
    Ok(status)
}

fn find_status<'a>(judge: &mut Judge<'a>, subject: &Subject<'a, '_>) -> Result<CertificateStatus, BudgetExhausted> {
    let (status, is_some_stale) = find_current(judge, subject)?;
    if judge.any_age || !is_some_stale || matches!(status, CertificateStatus::Revoked(_)) {
        return Ok(status);
    }
    // What is revoked stays so, however old the data is that tells of it: freshness is asked of what says the contrary (EN
    // 319 102-1 §5.2.6.4, which asks for it after the path's validation). But not of a hold, which may have ended since.
    judge.any_age = true;
    let of_any_age = find_current(judge, subject);
    judge.any_age = false;
    let settings = judge.settings;
    let earlier_s = settings.time_s.min(settings.time_of_target_s());
    match of_any_age? {
        // One that lies ahead settles nothing about the time before it.
        (CertificateStatus::Revoked(revocation), _)
            if revocation.holds_at(earlier_s) || matches!(status, CertificateStatus::Good(_)) =>
        {
            Ok(CertificateStatus::Revoked(revocation))
        }
        _ => Ok(status),
    }
}

/// The status by current data, and whether some was left aside because it is stale.
fn find_current<'a>(
    judge: &mut Judge<'a>,
    subject: &Subject<'a, '_>,
) -> Result<(CertificateStatus, bool), BudgetExhausted> {
    let mut not_used = Vec::new();
    let by_ocsp = by_ocsp(judge, subject, &mut not_used)?;
    if let Some(revoked @ CertificateStatus::Revoked(_)) = by_ocsp {
        return Ok((revoked, false));
    }
    let by_crls = by_crls(judge, subject, &mut not_used)?;
    let is_stale = |one: &NotUsed| matches!(one.why, WhyNotUsed::Stale | WhyNotUsed::NoNextUpdate);
    let is_some_stale = not_used.iter().any(is_stale);
    let status = match (by_ocsp, by_crls) {
        (_, Some(revoked @ CertificateStatus::Revoked(_))) => revoked,
        (Some(CertificateStatus::Good(mut sources)), Some(CertificateStatus::Good(more))) => {
            sources.extend(more);
            CertificateStatus::Good(sources)
        }
        (Some(status), _) | (None, Some(status)) => status,
        (None, None) => CertificateStatus::Unknown(not_used),
    };
    Ok((status, is_some_stale))
}

/// What has been found over the CRLs looked at so far.
struct Found {
    /// reasons_mask.
    reasons: ReasonFlags,
    sources: Vec<Source>,
}

fn by_crls<'a>(
    judge: &mut Judge<'a>,
    subject: &Subject<'a, '_>,
    not_used: &mut Vec<NotUsed>,
) -> Result<Option<CertificateStatus>, BudgetExhausted> {
    let certificate = subject.certificate;
    let points = certificate.crl_distribution_points().map_err(Into::into).and_then(canonical_points);
    let Ok(points) = points else {
        not_used.push(NotUsed {
            kind: SourceKind::Crl,
            sha256: *certificate.sha256(),
            why: WhyNotUsed::DistributionPoints,
        });
        return Ok(None);
    };
    let mut found = Found { reasons: ReasonFlags::NONE, sources: Vec::new() };
    // §6.3.3, last paragraph: what the points leave open, a CRL at the issuer's own name may settle.
    let passes: &[&[DistributionPoint]] = if points.is_empty() { &[&[]] } else { &[&points, &[]] };
    for (pass, points) in passes.iter().enumerate() {
        for crl in candidates(judge, certificate, points) {
            // Whatever lists nothing is not even verified.
            if judge.any_age && !lists_for_good(crl, certificate) {
                continue;
            }
            judge.budget.spend(Resource::RevocationItems, 1)?;
            let answer = match usable(judge, crl, subject, points, found.reasons) {
                Ok(Some(reasons)) => ask(judge, crl, subject, points, reasons, &mut found)?,
                Ok(None) => continue,
                Err(why) => Err(why),
            };
            match answer {
                Ok(Some(revocation)) => return Ok(Some(CertificateStatus::Revoked(revocation))),
                Ok(None) => {}
                // The second pass finds again what the first did not use.
                Err(_) if pass > 0 => {}
                Err(why) => not_used.push(NotUsed { kind: SourceKind::Crl, sha256: *crl.sha256(), why }),
            }
            if found.reasons == ReasonFlags::ALL {
                return Ok(Some(CertificateStatus::Good(found.sources)));
            }
        }
    }
    for crl in judge.evidence.crls_of(certificate.issuer_name()).filter(|crl| crl.crl().is_delta()) {
        if !found.sources.iter().any(|source| source.sha256 == *crl.sha256()) {
            let why = WhyNotUsed::DeltaWithoutBase;
            not_used.push(NotUsed { kind: SourceKind::DeltaCrl, sha256: *crl.sha256(), why });
        }
    }
    Ok(None)
}

/// Whether a CRL has the certificate among those that are revoked, and not on hold.
fn lists_for_good(crl: &HeldCrl, certificate: &Certificate) -> bool {
    let entry = crl.find(certificate.issuer_name(), minimal(certificate.serial()));
    entry.is_some_and(|entry| entry.reason() != Ok(Some(ReasonCode::CertificateHold)))
}

/// The complete CRLs of the issuers that a certificate's points name, the newest first.
fn candidates<'a>(judge: &Judge<'a>, certificate: &Certificate, points: &[DistributionPoint]) -> Vec<&'a HeldCrl> {
    let mut issuers = vec![certificate.issuer_name().clone()];
    let named = points.iter().filter_map(|point| point.crl_issuer.as_ref()).flatten().filter_map(GeneralName::name);
    for name in named.filter_map(|name| CanonicalName::from_der(name).ok()) {
        if !issuers.contains(&name) {
            issuers.push(name);
        }
    }
    let evidence = judge.evidence;
    let mut crls: Vec<&HeldCrl> =
        issuers.iter().flat_map(|issuer| evidence.crls_of(issuer)).filter(|crl| !crl.crl().is_delta()).collect();
    crls.sort_by_key(|crl| std::cmp::Reverse(crl.crl().header.this_update.seconds));
    crls
}

/// Whether a CRL may be used for the certificate, its signature aside, and for which reasons; `None` where for none that is
/// not settled already (§6.3.3 (e)).
fn usable(
    judge: &Judge<'_>,
    crl: &HeldCrl,
    subject: &Subject<'_, '_>,
    points: &[DistributionPoint],
    settled: ReasonFlags,
) -> Result<Option<ReasonFlags>, WhyNotUsed> {
    let certificate = subject.certificate;
    let header = &crl.crl().header;
    // (a), (b), (d)
    let facts = CertificateFacts {
        kind: if certificate.is_ca() { CertificateKind::Ca } else { CertificateKind::User },
        issuer: &certificate.issuer_name().to_der(),
        distribution_points: points,
    };
    let of_crl = CrlFacts { issuer: crl.issuer_der(), issuing_distribution_point: crl.scope() };
    let reasons = crl::scope::covered_reasons(of_crl, facts).map_err(WhyNotUsed::OutOfScope)?;
    // (e)
    if reasons.without(settled).is_empty() {
        return Ok(None);
    }
    check_usable(judge, crl)?;
    let expired_before = header.this_update.seconds > certificate.not_after_s();
    let keeps_expired =
        crl.crl().extensions.expired_certs_on_crl.is_some_and(|since| since.seconds <= certificate.not_after_s());
    if expired_before && !keeps_expired && crl.find(certificate.issuer_name(), minimal(certificate.serial())).is_none()
    {
        // §3.3: an entry stays until one CRL after the certificate's end, so that its absence from a later one says nothing.
        return Err(WhyNotUsed::CertificateExpiredBefore);
    }
    Ok(Some(reasons))
}

/// What a CRL is held against whatever the certificate, obstacles aside: what it lists counts all the same.
fn check_usable(judge: &Judge<'_>, crl: &HeldCrl) -> Result<(), WhyNotUsed> {
    let header = &crl.crl().header;
    let next_update_s = header.next_update.map(|time| time.seconds);
    check_existence(judge.settings, crl.sha256())?;
    check_window(&judge.rule(), header.this_update.seconds, next_update_s)?;
    if judge.settings.conformance == Conformance::Required {
        let number = crl.crl().extensions.iter().find(|extension| extension.oid == CRL_NUMBER);
        if number.is_none_or(|number| number.critical) {
            return Err(WhyNotUsed::CrlNumber);
        }
    }
    Ok(())
}

/// Verifies a CRL, and its newest delta, and looks the certificate up. `Ok(None)`: not listed; `found` knows the reasons.
fn ask<'a>(
    judge: &mut Judge<'a>,
    crl: &'a HeldCrl,
    subject: &Subject<'a, '_>,
    points: &[DistributionPoint],
    reasons: ReasonFlags,
    found: &mut Found,
) -> Result<Result<Option<Revocation>, WhyNotUsed>, BudgetExhausted> {
    // (f), (g)
    let signer = match check_signer(judge, crl, subject, points)? {
        Ok(signer) => signer,
        Err(why) => return Ok(Err(why)),
    };
    // (c), (h)
    let delta = newest_delta(judge, crl, subject, points)?;
    let (issuer, serial) = (subject.certificate.issuer_name(), minimal(subject.certificate.serial()));
    // §5.2, §5.3: what can't be understood determines no status.
    let obstructed = !crl.obstacles().is_empty();
    let source = source_of(crl, SourceKind::Crl, signer);
    let delta = delta.map(|(delta, signer)| (delta, source_of(delta, SourceKind::DeltaCrl, signer)));
    // (i), (j)
    let in_delta = delta.as_ref().and_then(|(delta, source)| Some((delta.find(issuer, serial)?, source.clone())));
    let entry = match in_delta {
        Some((entry, _)) if entry.reason() == Ok(Some(ReasonCode::RemoveFromCrl)) => None,
        Some(listed) => Some(listed),
        None => crl.find(issuer, serial).map(|entry| (entry, source.clone())),
    };
    let obstructed = obstructed || delta.as_ref().is_some_and(|(delta, _)| !delta.obstacles().is_empty());
    match entry {
        Some(_) if obstructed => return Ok(Err(WhyNotUsed::ObstacleAndListed)),
        None if obstructed => return Ok(Err(WhyNotUsed::Obstacle)),
        Some((entry, source)) => return Ok(Ok(Some(revocation(entry, source)))),
        None => {}
    }
    // (l)
    found.reasons = found.reasons.union(reasons);
    found.sources.push(source);
    found.sources.extend(delta.map(|(_, source)| source));
    Ok(Ok(None))
}

fn source_of(crl: &HeldCrl, kind: SourceKind, signer: SourceSigner) -> Source {
    let header = &crl.crl().header;
    Source {
        kind,
        origin: crl.origin(),
        sha256: *crl.sha256(),
        this_update_s: header.this_update.seconds,
        next_update_s: header.next_update.map(|time| time.seconds),
        signer,
    }
}

fn revocation(entry: IndexedEntry, source: Source) -> Revocation {
    Revocation {
        revocation_date_s: entry.revocation_date_s,
        reason: entry.reason().ok().flatten(),
        reason_number: entry.reason_number,
        invalidity_date_s: entry.invalidity_date_s,
        source,
    }
}

/// The newest delta that goes with a complete CRL and may be used.
fn newest_delta<'a>(
    judge: &mut Judge<'a>,
    base: &'a HeldCrl,
    subject: &Subject<'a, '_>,
    points: &[DistributionPoint],
) -> Result<Option<(&'a HeldCrl, SourceSigner)>, BudgetExhausted> {
    let evidence = judge.evidence;
    let mut deltas: Vec<&'a HeldCrl> = evidence
        .crls_of(base.issuer_name())
        .filter(|delta| check_delta(base.crl(), delta.crl()).is_ok() && check_usable(judge, delta).is_ok())
        .collect();
    deltas.sort_by_key(|delta| std::cmp::Reverse(delta.crl().header.this_update.seconds));
    let (issuer, serial) = (subject.certificate.issuer_name(), minimal(subject.certificate.serial()));
    for delta in deltas {
        // One that can't be understood counts only where it lists the certificate: it takes nothing off the list.
        let adds = || {
            let entry = delta.find(issuer, serial);
            entry.is_some_and(|entry| entry.reason() != Ok(Some(ReasonCode::RemoveFromCrl)))
        };
        if !delta.obstacles().is_empty() && !adds() {
            continue;
        }
        if let Ok(signer) = check_signer(judge, delta, subject, points)? {
            return Ok(Some((delta, signer)));
        }
    }
    Ok(None)
}

/// Whether a certificate's keyUsage, if it has one, allows to sign CRLs (§6.3.3 (f)).
fn may_sign_crls(certificate: Option<&Certificate>) -> bool {
    certificate.is_none_or(|certificate| match certificate.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.crl_sign()),
        Err(_) => false,
    })
}

/// §6.3.3 (f), (g): the CRL is signed by whom the certificate's issuer, or its distribution point, leaves it to.
fn check_signer<'a>(
    judge: &mut Judge<'a>,
    crl: &'a HeldCrl,
    subject: &Subject<'a, '_>,
    points: &[DistributionPoint],
) -> Result<Result<SourceSigner, WhyNotUsed>, BudgetExhausted> {
    let algorithm = match SignatureAlgorithm::from_identifier_der(&crl.crl().header.signature_algorithm) {
        Ok(algorithm) => algorithm,
        Err(error) => return Ok(Err(WhyNotUsed::Algorithm(error))),
    };
    let signed_by = |certificate: Option<&Arc<Certificate>>, key: &VerificationKey| SourceSigner {
        certificate: certificate.map(Arc::clone),
        algorithm,
        key: key.algorithm(),
    };
    let mut why = WhyNotUsed::NoSigner;
    // The key that signed the certificate itself.
    if crl.issuer_name() == subject.certificate.issuer_name() {
        let key = subject.issuer_key.key();
        match verify(judge, crl, key, algorithm)? {
            Ok(()) if may_sign_crls(subject.issuer()) => {
                let issuer = subject.above.last().map(|above| above.certificate).or(subject.anchor.certificate());
                return Ok(Ok(signed_by(issuer, key)));
            }
            Ok(()) => why = WhyNotUsed::SignerNotAllowed,
            Err(not) => why = not,
        }
    }
    // The anchor's.
    if crl.issuer_name() == subject.anchor.name()
        && !subject.above.is_empty()
        && let Some(key) = subject.anchor.key()
    {
        match verify(judge, crl, key, algorithm)? {
            Ok(()) if may_sign_crls(subject.anchor.whole_certificate()) => {
                return Ok(Ok(signed_by(subject.anchor.certificate(), key)));
            }
            Ok(()) => why = WhyNotUsed::SignerNotAllowed,
            Err(not) => why = not,
        }
    }
    // Another of that name: a key for CRLs, an older or newer key, an indirect CRL's issuer.
    let evidence = judge.evidence;
    let named = crl.crl().extensions.authority_key_identifier.as_deref();
    let mut places: Vec<usize> = evidence.by_subject(crl.issuer_name()).to_vec();
    places.sort_by_key(|place| {
        let own = evidence.certificates().get(*place).and_then(|held| held.key_identifier.as_deref());
        (named.is_some() && own != named, *place)
    });
    for place in places {
        let Some(held) = evidence.certificates().get(place) else { continue };
        let signer = &held.certificate;
        let Ok(key) = signer.key() else { continue };
        // The signature first: a certificate whose key did not sign the CRL has no say in it.
        if let Err(not) = verify(judge, crl, key, algorithm)? {
            if why == WhyNotUsed::NoSigner {
                why = not;
            }
            continue;
        }
        if !may_sign_crls(Some(signer)) {
            why = WhyNotUsed::SignerNotAllowed;
            continue;
        }
        match check_trust(judge, PathCertificate { certificate: signer, origin: Some(held.origin) }, subject, points)? {
            Ok(()) => return Ok(Ok(signed_by(Some(signer), key))),
            Err(not) => why = not,
        }
    }
    Ok(Err(why))
}

fn verify(
    judge: &mut Judge<'_>,
    crl: &HeldCrl,
    key: &VerificationKey,
    algorithm: SignatureAlgorithm,
) -> Result<Result<(), WhyNotUsed>, BudgetExhausted> {
    if !judge.settings.algorithms.permits(algorithm, key.algorithm()) {
        return Ok(Err(WhyNotUsed::AlgorithmNotPermitted));
    }
    let signed = Signed {
        owner: std::ptr::from_ref(crl).addr(),
        message: crl.tbs_der(),
        algorithm,
        signature: crl.crl().signature.as_slice(),
        verified_under: crl.verified_under(),
    };
    let verified = judge.memory.verify_signed(&signed, key, &mut judge.budget)?;
    Ok(verified.map_err(WhyNotUsed::Signature))
}

/// §6.3.3 (f): "The trust anchor for the certification path MUST be the same as the trust anchor used to validate the target
/// certificate."
fn check_trust<'a>(
    judge: &mut Judge<'a>,
    signer: PathCertificate<'a>,
    subject: &Subject<'a, '_>,
    points: &[DistributionPoint],
) -> Result<Result<(), WhyNotUsed>, BudgetExhausted> {
    // On the path that is judged: it holds, and its own status is asked there.
    if subject.above.iter().any(|above| above.certificate == signer.certificate) {
        return Ok(Ok(()));
    }
    if signer.certificate == subject.certificate {
        // A certificate that vouches for itself is believed only where its issuer wrote that it should be: by naming it as
        // cRLIssuer. Its path is the one that is judged.
        let own = signer.certificate.subject_name();
        let named = points.iter().filter_map(|point| point.crl_issuer.as_ref()).flatten().filter_map(GeneralName::name);
        let is_named = named.filter_map(|name| CanonicalName::from_der(name).ok()).any(|name| name == *own);
        return Ok(if is_named { Ok(()) } else { Err(WhyNotUsed::Circular) });
    }
    let last_time_s = judge.settings.time_s;
    let request = Request { anchors: vec![subject.anchor], purpose: None, policies: false, last_time_s };
    Ok(judge.search(signer, &request)?.map(|_| ()).map_err(|furthest| match furthest.failure {
        Failure::Revoked { .. } => WhyNotUsed::SignerRevoked,
        Failure::Certificate { fault: Fault::Expired { .. } | Fault::NotYetValid { .. }, .. } => {
            WhyNotUsed::SignerOutOfBounds
        }
        _ => WhyNotUsed::SignerNotTrusted,
    }))
}

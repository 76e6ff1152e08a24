//! From validations to the report.

use super::super::blocks::{
    CertificateValidation, Checks, Conclusion, CounterSignatureValidation, SignatureValidation, TimestampValidation,
};
use super::super::certificate::Certificate;
use super::super::evidence::Origin;
use super::super::existence::{Proof, ProvenBy};
use super::super::judgement::{Chain, Failure, Judgement, Link};
use super::super::revocation::{CertificateStatus, Revocation, Source, SourceKind};
use super::super::wording;
use super::{
    CertificateReport, CheckReport, CounterSignatureReport, LinkReport, NotUsedReport, ProofReport, RevocationReport,
    SignatureReport, SourceReport, StatusReport, TimestampReport,
};
use crate::ca::reason_name;
use crate::clock::rfc3339;

/// A signature's report.
#[must_use]
pub fn signature_report(validation: &SignatureValidation) -> SignatureReport {
    let conclusion = &validation.conclusion;
    SignatureReport {
        indication: conclusion.indication.name_of_total().to_owned(),
        sub_indication: sub_indication(conclusion),
        reason: reason(conclusion),
        level: validation.level.name().to_owned(),
        best_signature_time: proof(validation.best_signature_time),
        claimed_signing_time: validation.claimed_signing_time_s.map(rfc3339),
        signature_policy: validation.signature_policy.clone(),
        signer: validation.signer.as_deref().map(subject),
        digest: validation.digest.map(|digest| digest.name().to_owned()),
        algorithm: validation.algorithm.map(|algorithm| algorithm.to_string()),
        key: validation.key.map(|key| key.to_string()),
        signature_sha256: hex::encode(validation.signature_sha256),
        chain: chain_of(validation.certificate.as_deref(), validation.origin),
        timestamps: validation.timestamps.iter().map(timestamp_report).collect(),
        counter_signatures: validation.counter_signatures.iter().map(counter_signature).collect(),
        checks: checks(&validation.checks),
    }
}

/// A timestamp's report.
#[must_use]
pub fn timestamp_report(validation: &TimestampValidation) -> TimestampReport {
    let verification = &validation.verification;
    TimestampReport {
        indication: validation.conclusion.indication.name().to_owned(),
        sub_indication: sub_indication(&validation.conclusion),
        reason: reason(&validation.conclusion),
        kind: validation.kind.name().to_owned(),
        compared: validation.is_compared,
        time: rfc3339(validation.gen_time_s),
        serial: hex::encode(&validation.serial),
        tsa_policy: validation.tsa_policy.clone(),
        digest: validation.imprint_digest.to_owned(),
        imprint: hex::encode(&validation.imprint),
        signer: verification.certificate.as_deref().map(subject),
        algorithm: verification.algorithm.map(|algorithm| algorithm.to_string()),
        sha256: hex::encode(validation.sha256),
        chain: chain_of(validation.certificate.as_deref(), verification.origin),
        checks: checks(&validation.checks),
    }
}

/// A certificate's report.
#[must_use]
pub fn certificate_report(certificate: &Certificate, validation: &CertificateValidation) -> CertificateReport {
    CertificateReport {
        indication: validation.conclusion.indication.name().to_owned(),
        sub_indication: sub_indication(&validation.conclusion),
        reason: reason(&validation.conclusion),
        subject: subject(certificate),
        chain: chain(&validation.judgement, None),
    }
}

fn counter_signature(validation: &CounterSignatureValidation) -> CounterSignatureReport {
    CounterSignatureReport {
        indication: validation.conclusion.indication.name().to_owned(),
        sub_indication: sub_indication(&validation.conclusion),
        reason: reason(&validation.conclusion),
        depth: validation.depth,
        signer: validation.signer.as_deref().map(subject),
        algorithm: validation.algorithm.map(|algorithm| algorithm.to_string()),
        chain: chain_of(validation.certificate.as_deref(), validation.origin),
        checks: checks(&validation.checks),
    }
}

fn subject(certificate: &Certificate) -> String {
    wording::subject(certificate).to_owned()
}

fn sub_indication(conclusion: &Conclusion) -> Option<String> {
    conclusion.sub_indication.map(|sub| sub.name().to_owned())
}

fn reason(conclusion: &Conclusion) -> Option<String> {
    (!conclusion.is_passed()).then(|| conclusion.reason.clone())
}

fn proof(proof: Proof) -> ProofReport {
    let (proven_by, timestamp_sha256) = match proof.by {
        ProvenBy::Presence => ("presence", None),
        ProvenBy::Timestamp(sha256) => ("timestamp", Some(hex::encode(sha256))),
    };
    ProofReport { time: rfc3339(proof.time_s), proven_by: proven_by.to_owned(), timestamp_sha256 }
}

fn checks(checks: &Checks) -> Vec<CheckReport> {
    let report = |one: &super::super::blocks::Checked| CheckReport {
        name: one.name.to_owned(),
        outcome: one.outcome.name().to_owned(),
        sentence: one.sentence.clone(),
    };
    checks.list().iter().map(report).collect()
}

/// The chain of what was concluded of a certificate, if it came to that.
fn chain_of(validation: Option<&CertificateValidation>, origin: Option<Origin>) -> Vec<LinkReport> {
    validation.map(|one| chain(&one.judgement, origin)).unwrap_or_default()
}

/// The chain of a judgement, the target first, which came from `origin`, the anchor last. Where no path reached an anchor,
/// what is known of the target.
fn chain(judgement: &Judgement, origin: Option<Origin>) -> Vec<LinkReport> {
    let source = origin.map_or("document", Origin::name);
    let mut found = match (&judgement.chain, &judgement.failure) {
        (Some(chain), _) => links(chain),
        (None, Some(Failure::NoIssuer { certificate } | Failure::Certificate { certificate, .. })) => {
            vec![of_certificate(certificate, source, status("not-asked"))]
        }
        (None, _) => Vec::new(),
    };
    if let Some(target) = found.first_mut().filter(|link| !link.is_anchor) {
        source.clone_into(&mut target.source);
    }
    found
}

fn links(chain: &Chain) -> Vec<LinkReport> {
    let mut links: Vec<LinkReport> = chain.links.iter().rev().map(link).collect();
    links.push(match chain.anchor.certificate() {
        Some(certificate) => LinkReport { is_anchor: true, ..of_certificate(certificate, "anchor", status("trusted")) },
        None => LinkReport {
            subject: wording::anchor(&chain.anchor),
            issuer: None,
            serial: None,
            not_before: None,
            not_after: None,
            sha256: None,
            source: "anchor".to_owned(),
            algorithm: None,
            is_anchor: true,
            status: status("trusted"),
            findings: Vec::new(),
        },
    });
    links
}

fn link(link: &Link) -> LinkReport {
    let source = link.origin.map_or("document", Origin::name);
    of_certificate(&link.certificate, source, status_of(&link.status))
}

fn of_certificate(certificate: &Certificate, source: &str, status: StatusReport) -> LinkReport {
    LinkReport {
        subject: subject(certificate),
        issuer: Some(wording::issuer(certificate).to_owned()),
        serial: Some(hex::encode(certificate.serial())),
        not_before: Some(rfc3339(certificate.not_before_s())),
        not_after: Some(rfc3339(certificate.not_after_s())),
        sha256: Some(hex::encode(certificate.sha256())),
        source: source.to_owned(),
        algorithm: certificate.signature_algorithm().ok().map(|algorithm| algorithm.to_string()),
        is_anchor: false,
        status,
        findings: certificate.findings().iter().map(|finding| format!("{finding:?}")).collect(),
    }
}

fn status(name: &str) -> StatusReport {
    StatusReport { status: name.to_owned(), sources: Vec::new(), revocation: None, not_used: Vec::new() }
}

fn status_of(of: &CertificateStatus) -> StatusReport {
    match of {
        CertificateStatus::NotAsked => status("not-asked"),
        CertificateStatus::NoCheck => status("no-check"),
        CertificateStatus::Good(sources) => {
            StatusReport { sources: sources.iter().map(source).collect(), ..status("good") }
        }
        CertificateStatus::Revoked(by) => {
            StatusReport { sources: vec![source(&by.source)], revocation: Some(revocation(by)), ..status("revoked") }
        }
        CertificateStatus::Unknown(not_used) => {
            let report = |one: &super::super::revocation::NotUsed| NotUsedReport {
                kind: kind(one.kind).to_owned(),
                sha256: hex::encode(one.sha256),
                reason: wording::why_not_used(&one.why),
            };
            StatusReport { not_used: not_used.iter().map(report).collect(), ..status("unknown") }
        }
    }
}

fn revocation(revocation: &Revocation) -> RevocationReport {
    RevocationReport {
        time: rfc3339(revocation.revocation_date_s),
        reason: revocation.reason_number.and_then(reason_name).map(str::to_owned),
        invalidity_date: revocation.invalidity_date_s.map(rfc3339),
    }
}

fn source(source: &Source) -> SourceReport {
    SourceReport {
        kind: kind(source.kind).to_owned(),
        source: source.origin.name().to_owned(),
        sha256: hex::encode(source.sha256),
        this_update: rfc3339(source.this_update_s),
        next_update: source.next_update_s.map(rfc3339),
        signer: source.signer.certificate.as_deref().map(subject),
        algorithm: source.signer.algorithm.to_string(),
    }
}

const fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Crl => "crl",
        SourceKind::DeltaCrl => "delta-crl",
        SourceKind::OcspResponse => "ocsp-response",
    }
}

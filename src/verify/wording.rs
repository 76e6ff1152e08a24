//! Sentences for people: what a judgement found, with names and dates instead of octets and seconds.

use std::sync::Arc;

use der::Decode as _;
use x509_cert::name::RdnSequence;

use super::certificate::Certificate;
use super::judgement::Failure;
use super::path::Fault;
use super::revocation::{NotUsed, Revocation, SourceKind, WhyNotUsed};
use crate::ca::reason_name;
use crate::clock::rfc3339 as time;

/// Characters of a name in a sentence: a screen's line, and no more of what a stranger wrote.
const MAX_NAME_CHARS: usize = 120;

/// A Name's DER by RFC 4514; in hexadecimal where it can't be read.
#[must_use]
pub fn name(name_der: &[u8]) -> String {
    match RdnSequence::from_der(name_der) {
        Ok(name) if name.is_empty() => "(no name)".to_owned(),
        Ok(name) => name.to_string(),
        Err(_) => format!("#{}", hex::encode(name_der)),
    }
}

/// A certificate's subject as [`name`] writes it; written once, since looking for the attributes' names takes long.
#[must_use]
pub fn subject(certificate: &Certificate) -> &str {
    certificate.subject_text.get_or_init(|| name(certificate.subject_der()))
}

/// A certificate's issuer, likewise.
#[must_use]
pub fn issuer(certificate: &Certificate) -> &str {
    certificate.issuer_text.get_or_init(|| name(certificate.issuer_der()))
}

/// A certificate in a sentence: its subject, cut short, without what a terminal would take for a command.
#[must_use]
pub fn certificate(certificate: &Certificate) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let full: String = subject(certificate).chars().map(clean).collect();
    match full.char_indices().nth(MAX_NAME_CHARS) {
        Some((at, _)) => format!("the certificate of {}…", full.get(..at).unwrap_or_default()),
        None => format!("the certificate of {full}"),
    }
}

/// Why a certificate is not good.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    match failure {
        Failure::NoIssuer { certificate: one } => {
            let issuer = issuer(one);
            format!(
                "{}: nobody who could have issued it is known or trusted (its issuer is {issuer})",
                certificate(one)
            )
        }
        Failure::Certificate { certificate: one, fault } => format!("{}: {}", certificate(one), self::fault(fault)),
        Failure::Anchor { fault, .. } => format!("the trust anchor: {}", self::fault(fault)),
        Failure::Revoked { certificate: one, revocation: by } => format!("{} is {}", certificate(one), revocation(by)),
        Failure::StatusUnknown { certificate: one, not_used } => {
            format!("{}: whether it is revoked can't be told: {}", certificate(one), unknown_status(not_used))
        }
        Failure::TooLong { .. } | Failure::Budget(_) => failure.to_string(),
    }
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::NotYetValid { time_s, not_before_s } => {
            format!("it is valid only from {} on, and {} is asked about", time(*not_before_s), time(*time_s))
        }
        Fault::Expired { time_s, not_after_s } => {
            format!("it was valid until {}, and {} is asked about", time(*not_after_s), time(*time_s))
        }
        other => other.to_string(),
    }
}

/// A revocation: since when, and why.
#[must_use]
pub fn revocation(revocation: &Revocation) -> String {
    let since = time(revocation.revocation_date_s);
    match revocation.reason_number.map(|number| (number, reason_name(number))) {
        Some((_, Some(name))) => format!("revoked since {since}, reason {name}"),
        Some((number, None)) => format!("revoked since {since}, reason {number}, which no standard has"),
        None => format!("revoked since {since}, no reason given"),
    }
}

fn unknown_status(not_used: &[NotUsed]) -> String {
    match not_used {
        [] => "no CRL and no OCSP response about it is at hand".to_owned(),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            format!("the {} {}{more}", kind(first.kind), why_not_used(&first.why))
        }
    }
}

/// A kind of evidence.
#[must_use]
pub const fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Crl => "CRL",
        SourceKind::DeltaCrl => "delta CRL",
        SourceKind::OcspResponse => "OCSP response",
    }
}

/// Why a piece of evidence was not used; the subject is the piece.
#[must_use]
pub fn why_not_used(why: &WhyNotUsed) -> String {
    let plain = match why {
        WhyNotUsed::NotYetCurrent => "was made after the time that is asked about",
        WhyNotUsed::Stale => "is too old",
        WhyNotUsed::NoNextUpdate => "does not say until when it holds",
        WhyNotUsed::NoProofOfExistence => "is not proven to have existed in time",
        WhyNotUsed::OutOfScope(_) => "does not speak for the certificate",
        WhyNotUsed::Obstacle => "has a critical part that is not understood",
        WhyNotUsed::ObstacleAndListed => "lists it as revoked, and has a critical part that is not understood",
        WhyNotUsed::CrlNumber => "lacks a CRL number, or has a critical one",
        WhyNotUsed::CertificateExpiredBefore => {
            "was made after the certificate's end, and does not say that it still tells of ended ones"
        }
        WhyNotUsed::DeltaWithoutBase => "goes with a complete CRL that is not at hand",
        WhyNotUsed::Algorithm(error) => return format!("can't be verified: {error}"),
        WhyNotUsed::AlgorithmNotPermitted => "is signed by an algorithm that the policy does not rely on",
        WhyNotUsed::NoSigner => "is signed by somebody whose certificate is not at hand",
        WhyNotUsed::Signature(error) => return format!("does not verify: {error}"),
        WhyNotUsed::SignerNotAllowed => "is signed by a certificate that may not sign it",
        WhyNotUsed::SignerNotTrusted => "is signed by a certificate that does not hold itself",
        WhyNotUsed::SignerOutOfBounds => "is signed by a certificate that was not valid at that time",
        WhyNotUsed::SignerRevoked => "is signed by a certificate that is revoked",
        WhyNotUsed::Circular => "rests on itself",
        WhyNotUsed::OtherCertId => "is about a certificate of another issuer",
        WhyNotUsed::UnknownToResponder => "says that the responder does not know the certificate",
        WhyNotUsed::DistributionPoints => "can't be chosen: the certificate's distribution points can't be read",
    };
    plain.to_owned()
}

/// The name of an anchor.
#[must_use]
pub fn anchor(anchor: &Arc<super::anchor::TrustAnchor>) -> String {
    match anchor.certificate() {
        Some(certificate) => subject(certificate).to_owned(),
        None => name(&anchor.name().to_der()),
    }
}

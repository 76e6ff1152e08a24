//! What is known of a certificate's revocation, and from what.

use std::sync::Arc;

use crl::ReasonCode;
use crl::scope::OutOfScope;

use super::super::certificate::Certificate;
use super::super::evidence::Origin;
use super::super::settings::RevocationMode;
use super::super::signature::{AlgorithmError, KeyAlgorithm, SignatureAlgorithm, SignatureError};

/// The kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A complete CRL.
    Crl,
    /// A delta CRL, over a complete one.
    DeltaCrl,
    /// An OCSP response.
    OcspResponse,
}

/// Who signed a piece of evidence, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSigner {
    /// Its certificate; `None` where the anchor signed.
    pub certificate: Option<Arc<Certificate>>,
    /// The signature's algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The key's.
    pub key: KeyAlgorithm,
}

/// A piece of evidence that a status rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its kind.
    pub kind: SourceKind,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// thisUpdate, seconds since 1970.
    pub this_update_s: i64,
    /// nextUpdate.
    pub next_update_s: Option<i64>,
    /// Who signed it.
    pub signer: SourceSigner,
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// revocationDate, seconds since 1970.
    pub revocation_date_s: i64,
    /// The reason, where one is written that the standard has.
    pub reason: Option<ReasonCode>,
    /// The reason's number as it is written.
    pub reason_number: Option<u8>,
    /// invalidityDate, seconds since 1970.
    pub invalidity_date_s: Option<i64>,
    /// Who says so.
    pub source: Source,
}

impl Revocation {
    /// Whether the certificate was already revoked at this time.
    #[must_use]
    pub fn holds_at(&self, time_s: i64) -> bool {
        self.revocation_date_s <= time_s
    }
}

/// Why a piece of evidence about a certificate was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNotUsed {
    /// thisUpdate is after the latest that is asked for.
    NotYetCurrent,
    /// nextUpdate is before the earliest that is asked for.
    Stale,
    /// It has no nextUpdate, and that is not accepted.
    NoNextUpdate,
    /// Nothing proves that it existed by the time that is asked for.
    NoProofOfExistence,
    /// It does not speak for the certificate (RFC 5280 §6.3.3 (b)).
    OutOfScope(OutOfScope),
    /// Critical extensions, or entries, that can't be understood (RFC 5280 §5.2, §5.3).
    Obstacle,
    /// The same, and it lists the certificate as revoked: that settles nothing, and no policy lets it pass.
    ObstacleAndListed,
    /// A CRL without a CRLNumber, or with a critical one, where conformance is required (RFC 5280 §5.2.3).
    CrlNumber,
    /// It was issued after the certificate's end and does not say that it still lists those.
    CertificateExpiredBefore,
    /// A delta without a complete CRL that it goes with.
    DeltaWithoutBase,
    /// The signature's algorithm is not known.
    Algorithm(AlgorithmError),
    /// The policy on algorithms does not permit to rely on its signature.
    AlgorithmNotPermitted,
    /// No certificate of the signer is held.
    NoSigner,
    /// The signature verifies under no key that it may be signed by.
    Signature(SignatureError),
    /// The signer's certificate does not allow it to sign this: keyUsage, extKeyUsage, or its critical extensions.
    SignerNotAllowed,
    /// The signer's certificate has no path to the anchor that holds.
    SignerNotTrusted,
    /// The signer's certificate, or one above it, was not valid at the time.
    SignerOutOfBounds,
    /// The signer's certificate, or one above it, is revoked.
    SignerRevoked,
    /// The signer's own status would rest on this very evidence.
    Circular,
    /// It answers for the same serial number of another issuer, by name or key.
    OtherCertId,
    /// The responder does not know the certificate.
    UnknownToResponder,
    /// The certificate's cRLDistributionPoints can't be read.
    DistributionPoints,
}

/// A piece of evidence that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUsed {
    /// Its kind.
    pub kind: SourceKind,
    /// SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// Why.
    pub why: WhyNotUsed,
}

/// A certificate's status at the time that is judged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Not asked for.
    NotAsked,
    /// Not revoked, for all reasons, by these sources.
    Good(Vec<Source>),
    /// The CA said that it need not be asked (RFC 6960 §4.2.2.2.1).
    NoCheck,
    /// Revoked; whether already at the time judged for is [`Revocation::holds_at`].
    Revoked(Revocation),
    /// Nothing that is held settles it.
    Unknown(Vec<NotUsed>),
}

impl CertificateStatus {
    /// Whether it is not known, and that is let pass: by no rule where something that can't be understood has it revoked.
    #[must_use]
    pub fn is_tolerated_unknown(&self, mode: RevocationMode) -> bool {
        let Self::Unknown(not_used) = self else { return false };
        mode != RevocationMode::Required && !not_used.iter().any(|one| one.why == WhyNotUsed::ObstacleAndListed)
    }
}

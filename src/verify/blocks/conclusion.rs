//! What a building block concludes (EN 319 102-1 §5.1.3): an indication, a sub-indication, and a sentence.

use std::fmt;

/// The indication. Of a signature as a whole it is written with "TOTAL-" but for INDETERMINATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Indication {
    /// It holds.
    Passed,
    /// It does not hold, whatever else becomes known.
    Failed,
    /// What is at hand does not settle it.
    Indeterminate,
}

impl Indication {
    /// As a building block's indication is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Indeterminate => "INDETERMINATE",
        }
    }

    /// As a signature's indication is written.
    #[must_use]
    pub const fn name_of_total(self) -> &'static str {
        match self {
            Self::Passed => "TOTAL-PASSED",
            Self::Failed => "TOTAL-FAILED",
            Self::Indeterminate => "INDETERMINATE",
        }
    }
}

/// Why it is not PASSED (EN 319 102-1 §5.1.3, tables 5 and 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubIndication {
    /// It does not conform to a format.
    FormatFailure,
    /// A hash does not match what is signed.
    HashFailure,
    /// The signature does not verify.
    SigCryptoFailure,
    /// The certificate was revoked, and the signature was provably made after that.
    Revoked,
    /// The certificate had ended, and the signature was provably made after that.
    Expired,
    /// The signature was provably made before the certificate's begin.
    NotYetValid,
    /// A constraint on the signature is not met.
    SigConstraintsFailure,
    /// A constraint on the chain is not met.
    ChainConstraintsFailure,
    /// The chain does not hold for another reason.
    CertificateChainGeneralFailure,
    /// An algorithm is not reliable, and the signature was made when it no longer was.
    CryptoConstraintsFailure,
    /// An algorithm is not reliable any more, and nothing proves that the signature is older.
    CryptoConstraintsFailureNoPoe,
    /// A policy could not be processed.
    PolicyProcessingError,
    /// The signature's policy is not at hand.
    SignaturePolicyNotAvailable,
    /// Timestamps contradict each other in their order.
    TimestampOrderFailure,
    /// The signing certificate can't be identified.
    NoSigningCertificateFound,
    /// There is no chain to a trust anchor.
    NoCertificateChainFound,
    /// There is one only to an anchor whose trust has ended, and nothing proves that the signature is older.
    NoCertificateChainFoundNoPoe,
    /// The signing certificate is revoked, and nothing proves that the signature is older.
    RevokedNoPoe,
    /// A CA's certificate is revoked, and nothing proves that the signature is older.
    RevokedCaNoPoe,
    /// A certificate is not valid at the time, and nothing proves that it was when the signature was made.
    OutOfBoundsNoPoe,
    /// The signing certificate is not valid at the time; it was not revoked while it was.
    OutOfBoundsNotRevoked,
    /// A certificate that signed revocation data is not valid at the time, and nothing proves that the data is older.
    RevocationOutOfBoundsNoPoe,
    /// A proof of existence is missing.
    NoPoe,
    /// What is missing may be there later: revocation data for instance.
    TryLater,
    /// What is signed is not at hand.
    SignedDataNotFound,
}

impl SubIndication {
    /// Every one.
    pub const ALL: [Self; 25] = [
        Self::FormatFailure,
        Self::HashFailure,
        Self::SigCryptoFailure,
        Self::Revoked,
        Self::Expired,
        Self::NotYetValid,
        Self::SigConstraintsFailure,
        Self::ChainConstraintsFailure,
        Self::CertificateChainGeneralFailure,
        Self::CryptoConstraintsFailure,
        Self::CryptoConstraintsFailureNoPoe,
        Self::PolicyProcessingError,
        Self::SignaturePolicyNotAvailable,
        Self::TimestampOrderFailure,
        Self::NoSigningCertificateFound,
        Self::NoCertificateChainFound,
        Self::NoCertificateChainFoundNoPoe,
        Self::RevokedNoPoe,
        Self::RevokedCaNoPoe,
        Self::OutOfBoundsNoPoe,
        Self::OutOfBoundsNotRevoked,
        Self::RevocationOutOfBoundsNoPoe,
        Self::NoPoe,
        Self::TryLater,
        Self::SignedDataNotFound,
    ];

    /// As the standard writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FormatFailure => "FORMAT_FAILURE",
            Self::HashFailure => "HASH_FAILURE",
            Self::SigCryptoFailure => "SIG_CRYPTO_FAILURE",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
            Self::NotYetValid => "NOT_YET_VALID",
            Self::SigConstraintsFailure => "SIG_CONSTRAINTS_FAILURE",
            Self::ChainConstraintsFailure => "CHAIN_CONSTRAINTS_FAILURE",
            Self::CertificateChainGeneralFailure => "CERTIFICATE_CHAIN_GENERAL_FAILURE",
            Self::CryptoConstraintsFailure => "CRYPTO_CONSTRAINTS_FAILURE",
            Self::CryptoConstraintsFailureNoPoe => "CRYPTO_CONSTRAINTS_FAILURE_NO_POE",
            Self::PolicyProcessingError => "POLICY_PROCESSING_ERROR",
            Self::SignaturePolicyNotAvailable => "SIGNATURE_POLICY_NOT_AVAILABLE",
            Self::TimestampOrderFailure => "TIMESTAMP_ORDER_FAILURE",
            Self::NoSigningCertificateFound => "NO_SIGNING_CERTIFICATE_FOUND",
            Self::NoCertificateChainFound => "NO_CERTIFICATE_CHAIN_FOUND",
            Self::NoCertificateChainFoundNoPoe => "NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
            Self::RevokedNoPoe => "REVOKED_NO_POE",
            Self::RevokedCaNoPoe => "REVOKED_CA_NO_POE",
            Self::OutOfBoundsNoPoe => "OUT_OF_BOUNDS_NO_POE",
            Self::OutOfBoundsNotRevoked => "OUT_OF_BOUNDS_NOT_REVOKED",
            Self::RevocationOutOfBoundsNoPoe => "REVOCATION_OUT_OF_BOUNDS_NO_POE",
            Self::NoPoe => "NO_POE",
            Self::TryLater => "TRY_LATER",
            Self::SignedDataNotFound => "SIGNED_DATA_NOT_FOUND",
        }
    }

    /// Whether a proof of an earlier existence may turn it into PASSED (§5.5.4, §5.6.3.4).
    #[must_use]
    pub const fn may_be_settled_by_time(self) -> bool {
        matches!(
            self,
            Self::CryptoConstraintsFailureNoPoe
                | Self::NoCertificateChainFoundNoPoe
                | Self::RevokedNoPoe
                | Self::RevokedCaNoPoe
                | Self::OutOfBoundsNoPoe
                | Self::OutOfBoundsNotRevoked
                | Self::RevocationOutOfBoundsNoPoe
                | Self::TryLater
        )
    }
}

/// What a block concludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// The indication.
    pub indication: Indication,
    /// Why it is not PASSED.
    pub sub_indication: Option<SubIndication>,
    /// The same for people: what does not hold; empty where it does.
    pub reason: String,
}

impl Conclusion {
    /// PASSED.
    #[must_use]
    pub const fn passed() -> Self {
        Self { indication: Indication::Passed, sub_indication: None, reason: String::new() }
    }

    /// FAILED.
    #[must_use]
    pub fn failed(sub: SubIndication, reason: impl fmt::Display) -> Self {
        Self { indication: Indication::Failed, sub_indication: Some(sub), reason: reason.to_string() }
    }

    /// INDETERMINATE.
    #[must_use]
    pub fn indeterminate(sub: SubIndication, reason: impl fmt::Display) -> Self {
        Self { indication: Indication::Indeterminate, sub_indication: Some(sub), reason: reason.to_string() }
    }

    /// Whether it is PASSED.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.indication == Indication::Passed
    }

    /// Whether it is INDETERMINATE for want of a proof of existence, or of fresh revocation data.
    #[must_use]
    pub fn may_be_settled_by_time(&self) -> bool {
        self.indication == Indication::Indeterminate
            && self.sub_indication.is_some_and(SubIndication::may_be_settled_by_time)
    }
}

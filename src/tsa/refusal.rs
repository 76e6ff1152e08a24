//! Why a timestamp is refused, and which failure bit says so: the one place that chooses.

use crate::asn1::{DerError, FailureBit, RequestError, pki_status};

/// A refusal: one of RFC 3161's failure bits and one line for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a TimeStampReq.
    #[error("the request is not a TimeStampReq in DER: {0}")]
    Malformed(DerError),
    /// A version other than 1.
    #[error("the request's version is not 1")]
    Version,
    /// The hash algorithm is unknown, switched off, or has parameters.
    #[error("the hash algorithm is not accepted here")]
    HashNotAccepted,
    /// The imprint's length is not the hash's (RFC 3161 §2.4.1: MUST).
    #[error("the imprint has {found} octets, the hash algorithm gives {expected}")]
    ImprintLength {
        /// What the algorithm gives.
        expected: usize,
        /// What stands in the request.
        found: usize,
    },
    /// The policy is not served.
    #[error("the requested policy is not served here")]
    PolicyNotServed,
    /// Extensions are not supported.
    #[error("no request extension is supported")]
    Extension,
    /// The clock can't be trusted just now.
    #[error("the time source is not trusted at the moment; try again later")]
    Clock,
    /// More requests wait than the service takes.
    #[error("the service is overloaded; try again later")]
    Overload,
    /// The signing key, its certificate or its token is not usable.
    #[error("the signing unit is not available; try again later")]
    Unit,
    /// The record could not be made durable.
    #[error("the timestamp could not be recorded; try again later")]
    Record,
    /// The caller may not use this profile, or not so often.
    #[error("the caller may not use this profile")]
    Caller,
}

impl Refusal {
    /// The failure bit that says so.
    #[must_use]
    pub const fn bit(self) -> FailureBit {
        match self {
            Self::Malformed(_) | Self::ImprintLength { .. } => FailureBit::BadDataFormat,
            Self::Version | Self::Caller => FailureBit::BadRequest,
            Self::HashNotAccepted => FailureBit::BadAlg,
            Self::PolicyNotServed => FailureBit::UnacceptedPolicy,
            Self::Extension => FailureBit::UnacceptedExtension,
            Self::Clock => FailureBit::TimeNotAvailable,
            Self::Overload | Self::Unit | Self::Record => FailureBit::SystemFailure,
        }
    }

    /// The TimeStampResp.
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        pki_status::rejection(self.bit(), &self.to_string())
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Malformed(error) => Self::Malformed(error),
            RequestError::Version => Self::Version,
        }
    }
}

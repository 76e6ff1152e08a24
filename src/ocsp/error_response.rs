//! Refusals: an OCSPResponse of a status alone, unsigned (RFC 6960 §4.2.1).

use crate::asn1::writer;

/// The tag ENUMERATED.
const ENUMERATED: u8 = 0x0a;

/// The responseStatus of a refusal. Which one a caller gets is chosen in one place, at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorResponse {
    /// malformedRequest(1): the request can't be read.
    MalformedRequest,
    /// internalError(2): the responder is broken; asking another one may help.
    InternalError,
    /// tryLater(3): it can't answer now.
    TryLater,
    /// sigRequired(5): only signed requests are answered.
    SigRequired,
    /// unauthorized(6): it does not speak for this certificate, or has no answer at hand (RFC 9919).
    Unauthorized,
}

impl ErrorResponse {
    /// Every refusal.
    pub const ALL: [Self; 5] =
        [Self::MalformedRequest, Self::InternalError, Self::TryLater, Self::SigRequired, Self::Unauthorized];

    /// The status' number; 4 is not used.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::SigRequired => 5,
            Self::Unauthorized => 6,
        }
    }

    /// The standard's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        }
    }

    /// The whole OCSPResponse.
    #[must_use]
    pub const fn der(self) -> [u8; 5] {
        [writer::SEQUENCE, 3, ENUMERATED, 1, self.number()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_status_and_nothing_else() {
        const UNAUTHORIZED: [u8; 5] = ErrorResponse::Unauthorized.der();
        assert_eq!(UNAUTHORIZED, [0x30, 3, 0x0a, 1, 6]);
        let numbers: Vec<u8> = ErrorResponse::ALL.iter().map(|error| error.der()[4]).collect();
        assert_eq!(numbers, [1, 2, 3, 5, 6]);
    }
}

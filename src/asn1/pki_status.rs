//! PKIStatusInfo and refusals (RFC 3161 §2.4.2).

use super::writer;

/// The failure bits of RFC 3161 §2.4.2, exactly one of which stands in a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureBit {
    /// badAlg(0): unrecognized or unsupported algorithm identifier.
    BadAlg,
    /// badRequest(2): transaction not permitted or supported.
    BadRequest,
    /// badDataFormat(5): the data submitted has the wrong format.
    BadDataFormat,
    /// timeNotAvailable(14): the time source is not available.
    TimeNotAvailable,
    /// unacceptedPolicy(15): the requested policy is not supported.
    UnacceptedPolicy,
    /// unacceptedExtension(16): the requested extension is not supported.
    UnacceptedExtension,
    /// addInfoNotAvailable(17): the additional information could not be understood or is not available.
    AddInfoNotAvailable,
    /// systemFailure(25): the request can't be handled due to system failure.
    SystemFailure,
}

impl FailureBit {
    /// Every bit.
    pub const ALL: [Self; 8] = [
        Self::BadAlg,
        Self::BadRequest,
        Self::BadDataFormat,
        Self::TimeNotAvailable,
        Self::UnacceptedPolicy,
        Self::UnacceptedExtension,
        Self::AddInfoNotAvailable,
        Self::SystemFailure,
    ];

    /// The bit's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::BadAlg => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::AddInfoNotAvailable => 17,
            Self::SystemFailure => 25,
        }
    }

    /// The standard's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadAlg => "badAlg",
            Self::BadRequest => "badRequest",
            Self::BadDataFormat => "badDataFormat",
            Self::TimeNotAvailable => "timeNotAvailable",
            Self::UnacceptedPolicy => "unacceptedPolicy",
            Self::UnacceptedExtension => "unacceptedExtension",
            Self::AddInfoNotAvailable => "addInfoNotAvailable",
            Self::SystemFailure => "systemFailure",
        }
    }

    /// The bit with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|bit| bit.number() == number)
    }

    /// PKIFailureInfo as a named BIT STRING: trailing zero bits removed (X.690 §11.2.2).
    fn to_der(self) -> Vec<u8> {
        let number = self.number();
        let mut octets = vec![0_u8; usize::from(number / 8)];
        octets.push(0x80 >> (number % 8));
        writer::tlv(writer::BIT_STRING, &[&[7 - number % 8], &octets])
    }
}

/// A TimeStampResp that refuses: status rejection(2), one line of text, one failure bit, no token.
#[must_use]
pub fn rejection(bit: FailureBit, text: &str) -> Vec<u8> {
    let text = writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::UTF8_STRING, &[text.as_bytes()])]);
    let status = writer::tlv(writer::SEQUENCE, &[&[writer::INTEGER, 1, 2], &text, &bit.to_der()]);
    writer::tlv(writer::SEQUENCE, &[&status])
}

/// PKIStatusInfo with status granted(0).
pub const GRANTED: [u8; 5] = [writer::SEQUENCE, 3, writer::INTEGER, 1, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_positions_not_masks() {
        assert_eq!(FailureBit::BadAlg.to_der(), [3, 2, 7, 0x80]);
        assert_eq!(FailureBit::BadDataFormat.to_der(), [3, 2, 2, 0x04]);
        assert_eq!(FailureBit::TimeNotAvailable.to_der(), [3, 3, 1, 0x00, 0x02]);
        assert_eq!(FailureBit::UnacceptedExtension.to_der(), [3, 4, 7, 0, 0, 0x80]);
        assert_eq!(FailureBit::SystemFailure.to_der(), [3, 5, 6, 0, 0, 0, 0x40]);
        for bit in FailureBit::ALL {
            assert_eq!(FailureBit::from_number(bit.number()), Some(bit));
        }
    }
}

//! Digests over strangers' messages: aws-lc-rs computes those in use, the system's OpenSSL the old ones.

use aws_lc_rs::digest;

use super::algorithm::dotted;
use super::{AlgorithmError, Digest, legacy};
use crate::asn1::{Reader, writer};

/// id-shake256-len, and its one parameter that is read here: 512 bits, as Ed448 in CMS demands them (RFC 8419).
const SHAKE256_LEN: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 18];
const BITS_512: &[u8] = &[writer::INTEGER, 2, 2, 0];

impl Digest {
    /// Reads a digest's AlgorithmIdentifier, its parameters NULL or absent (RFC 5754 §2: both are written); the length's of
    /// id-shake256-len.
    ///
    /// # Errors
    /// Not one, not known, or with other parameters.
    pub fn from_identifier_der(identifier: &[u8]) -> Result<Self, AlgorithmError> {
        let mut fields = Reader::only(identifier, writer::SEQUENCE)?;
        let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        let parameters = if fields.is_finished() { None } else { Some(fields.read()?) };
        fields.finish()?;
        if oid == SHAKE256_LEN && parameters.is_some_and(|parameters| parameters.whole == BITS_512) {
            return Ok(Self::Shake256);
        }
        if parameters.is_some_and(|parameters| parameters.whole != [writer::NULL, 0]) {
            return Err(AlgorithmError::Parameters { oid: dotted(oid) });
        }
        Self::from_oid_octets(oid).ok_or_else(|| AlgorithmError::Unknown { oid: dotted(oid) })
    }

    /// The output's length in octets.
    #[must_use]
    pub const fn output_octets(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 | Self::Ripemd160 => 20,
            Self::Sha224 | Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Shake256 => 64,
        }
    }

    /// The digest of a message; `None` where the system's OpenSSL has it switched off.
    #[must_use]
    pub fn of(self, message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
            Self::Sha3_256 => &digest::SHA3_256,
            Self::Sha3_384 => &digest::SHA3_384,
            Self::Sha3_512 => &digest::SHA3_512,
            Self::Md5 | Self::Ripemd160 | Self::Sha3_224 | Self::Shake256 => return legacy::hash(self, message),
        };
        Some(digest::digest(algorithm, message).as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digest_has_its_length_and_agrees_with_openssl() {
        use Digest as D;
        for known in [D::Md5, D::Sha1, D::Sha224, D::Sha256, D::Sha384, D::Sha512, D::Sha3_224, D::Sha3_256] {
            let ours = known.of(b"abc").unwrap();
            assert_eq!(ours.len(), known.output_octets());
            assert_eq!(Some(ours), legacy::hash(known, b"abc"), "{}", known.name());
        }
        assert_eq!(hex::encode(D::Md5.of(b"abc").unwrap()), "900150983cd24fb0d6963f7d28e17f72");
        // FIPS 202's SHAKE256 of nothing, its first eight octets.
        let shake256 = D::Shake256.of(b"").unwrap();
        assert_eq!((shake256.len(), hex::encode(&shake256[..8]).as_str()), (64, "46b9dd2b0ba88d13"));
        for known in [D::Ripemd160, D::Sha3_384, D::Sha3_512] {
            assert!(known.of(b"").is_none_or(|octets| octets.len() == known.output_octets()));
        }
    }

    #[test]
    fn identifiers_have_null_or_no_parameters() {
        let identifier = |parameters: &[u8]| {
            Digest::from_identifier_der(&writer::tlv(writer::SEQUENCE, &[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], parameters]))
        };
        assert_eq!(identifier(&[]), Ok(Digest::Sha1));
        assert_eq!(identifier(&[5, 0]), Ok(Digest::Sha1));
        assert_eq!(identifier(&[4, 0]), Err(AlgorithmError::Parameters { oid: "1.3.14.3.2.26".to_owned() }));
        let shake256 = |last: u8, parameters: &[u8]| {
            let oid = [&[6, 9][..], &SHAKE256_LEN[..8], &[last]].concat();
            Digest::from_identifier_der(&writer::tlv(writer::SEQUENCE, &[&oid, parameters]))
        };
        assert_eq!([shake256(12, &[]), shake256(18, BITS_512)], [Ok(Digest::Shake256), Ok(Digest::Shake256)]);
        for (last, parameters) in [(12, BITS_512), (18, &[]), (18, &[5, 0]), (18, &[2, 2, 1, 0])] {
            assert!(shake256(last, parameters).is_err(), "{last} {parameters:?}");
        }
        let unknown = Digest::from_identifier_der(&[0x30, 4, 6, 2, 0x2a, 3]);
        assert_eq!(unknown, Err(AlgorithmError::Unknown { oid: "1.2.3".to_owned() }));
    }
}

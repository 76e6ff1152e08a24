//! Signature algorithms as SignerInfo names them: with the digest, or by the key's algorithm alone.

use super::super::signature::{AlgorithmError, Digest, SignatureAlgorithm};
use super::oid;
use crate::asn1::{Reader, writer};

/// Reads signatureAlgorithm. rsaEncryption, id-dsa and id-ecPublicKey name the key's algorithm only (RFC 3370 §3.2); the
/// digest is then the signer's digestAlgorithm.
pub(super) fn signature_algorithm(identifier: &[u8], digest: Digest) -> Result<SignatureAlgorithm, AlgorithmError> {
    let mut fields = Reader::only(identifier, writer::SEQUENCE)?;
    let algorithm = match fields.expect(writer::OBJECT_IDENTIFIER)?.content {
        oid::RSA_ENCRYPTION => SignatureAlgorithm::RsaPkcs1(digest),
        oid::DSA => SignatureAlgorithm::Dsa(digest),
        oid::EC_PUBLIC_KEY => SignatureAlgorithm::Ecdsa(digest),
        _ => return SignatureAlgorithm::from_identifier_der(identifier),
    };
    let parameters = if fields.is_finished() { None } else { Some(fields.read()?) };
    fields.finish()?;
    match parameters {
        Some(parameters) if parameters.whole != [writer::NULL, 0] => {
            Err(AlgorithmError::Parameters { oid: algorithm.to_string() })
        }
        _ => Ok(algorithm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_algorithm_takes_the_signers_digest() {
        let read = |oid: &[u8], parameters: &[u8]| {
            let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[oid]);
            signature_algorithm(&writer::tlv(writer::SEQUENCE, &[&oid, parameters]), Digest::Sha384)
        };
        assert_eq!(read(oid::RSA_ENCRYPTION, &[5, 0]), Ok(SignatureAlgorithm::RsaPkcs1(Digest::Sha384)));
        assert_eq!(read(oid::RSA_ENCRYPTION, &[]), Ok(SignatureAlgorithm::RsaPkcs1(Digest::Sha384)));
        assert_eq!(read(oid::DSA, &[]), Ok(SignatureAlgorithm::Dsa(Digest::Sha384)));
        assert_eq!(read(oid::EC_PUBLIC_KEY, &[]), Ok(SignatureAlgorithm::Ecdsa(Digest::Sha384)));
        assert!(read(oid::RSA_ENCRYPTION, &[4, 0]).is_err());
        let sha256 = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        assert_eq!(read(sha256, &[]), Ok(SignatureAlgorithm::Ecdsa(Digest::Sha256)));
        assert!(matches!(read(&[0x2a], &[]), Err(AlgorithmError::Unknown { .. })));
    }
}

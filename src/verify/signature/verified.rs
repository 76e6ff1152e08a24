//! Under which key a signature was found to hold, kept beside the octets that it is over.

use std::sync::OnceLock;

use super::{SignatureAlgorithm, SignatureError, VerificationKey};

/// The SHA-256 of the SubjectPublicKeyInfo under which a signature holds. Belongs to what holds message, signature and
/// algorithm, which never change: what held once holds again, so that evidence that serves many documents is verified once.
/// That a signature does not hold is not kept: another key may be the one.
#[derive(Debug, Default)]
pub(crate) struct VerifiedUnder(OnceLock<[u8; 32]>);

impl VerifiedUnder {
    /// Verifies the signature, unless it is known to hold under this key.
    ///
    /// # Errors
    /// As [`VerificationKey::verify`].
    pub(crate) fn verify(
        &self,
        key: &VerificationKey,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if self.0.get() == Some(key.spki_sha256()) {
            return Ok(());
        }
        key.verify(algorithm, message, signature)?;
        // The first key stays: under two different ones hardly anything holds.
        self.0.get_or_init(|| *key.spki_sha256());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Digest;
    use super::*;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};

    fn key() -> (PKey<Private>, VerificationKey) {
        let key = PKey::generate_ed25519().unwrap();
        let public = VerificationKey::from_spki_der(&key.public_key_to_der().unwrap()).unwrap();
        (key, public)
    }

    #[test]
    fn what_holds_is_known_for_its_key_alone() {
        let ((private, key), (_, other)) = (key(), key());
        let mut signer = openssl::sign::Signer::new(MessageDigest::null(), &private).unwrap();
        let signature = signer.sign_oneshot_to_vec(b"message").unwrap();
        let known = VerifiedUnder::default();
        let verify =
            |key: &VerificationKey, message: &[u8]| known.verify(key, SignatureAlgorithm::Ed25519, message, &signature);
        assert_eq!(verify(&other, b"message"), Err(SignatureError::Bad));
        assert_eq!(verify(&key, b"other"), Err(SignatureError::Bad));
        assert_eq!(verify(&key, b"message"), Ok(()));
        // Nothing is verified any more; whoever asks so has other octets than it was asked of.
        assert_eq!(verify(&key, b"other"), Ok(()));
        assert_eq!(verify(&other, b"message"), Err(SignatureError::Bad));
        let mismatch = VerifiedUnder::default().verify(&key, SignatureAlgorithm::Ecdsa(Digest::Sha256), b"", b"");
        assert!(matches!(mismatch, Err(SignatureError::Mismatch { .. })));
    }
}

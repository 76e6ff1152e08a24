//! A key that signs.

use aws_lc_rs::digest::Digest;

use crate::crypto::{PublicKey, SignatureAlgorithm};

use super::error::SignError;

/// A key that signs, one message at a time, on the caller's thread.
pub trait Signer {
    /// The key's public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` and gives the value as X.509 and CMS carry it (ECDSA as DER, RFC 3279 §2.2.3).
    ///
    /// # Errors
    /// The token's refusal, or an algorithm that does not go with the key.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Signs a message that is too long to be kept, by the digest that was made while it streamed by; the digest is the
    /// algorithm's own ([`SignatureAlgorithm::digest`]).
    ///
    /// # Errors
    /// As [`Self::sign`], and Ed25519, which signs messages alone (RFC 8032 §5.1.6).
    fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &Digest) -> Result<Vec<u8>, SignError>;
}

/// How a challenge begins: no DER structure begins with this letter, so a challenge's signature is never one over
/// a certificate, a token or a response.
const CHALLENGE_PREFIX: &[u8] = b"Noonmark challenge: ";
/// Octets of chance in a challenge: an answer to another one never fits.
const CHALLENGE_RANDOM_BYTES: usize = 32;

/// A message to be signed for no other purpose than to prove the key.
pub(super) fn challenge_message() -> Result<Vec<u8>, SignError> {
    let mut random = [0; CHALLENGE_RANDOM_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| SignError::Library)?;
    Ok([CHALLENGE_PREFIX, &random].concat())
}

/// Lets `sign` sign a challenge and holds the result against `public_key`. The inner error says how it failed.
pub(super) fn challenge(
    public_key: &PublicKey,
    algorithm: SignatureAlgorithm,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, SignError>,
) -> Result<(), ChallengeError> {
    let message = challenge_message()?;
    let value = sign(&message)?;
    public_key.verify(algorithm, &message, &value).map_err(|_| ChallengeError::Mismatch)
}

/// How a challenge failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChallengeError {
    /// The token did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It signed with another key.
    #[error("its signature does not verify under the expected public key: the token holds another key at this place")]
    Mismatch,
}

//! Rules about the subject's key.

use der::asn1::UintRef;
use der::{Decode, Sequence};

use super::{Context, Rule, broken, demand, error};
use crate::asn1::{Reader, writer};
use crate::crypto::KeyAlgorithm;

pub(super) const RULES: [Rule; 3] = [
    error("key-form", "RFC 3279 §2.3, RFC 5480 §2, RFC 8410 §4", key_form),
    error("rsa-exponent", "TLS BR 6.1.6", rsa_exponent),
    error("key-in-profile", "profile", key_in_profile),
];

/// AlgorithmIdentifiers, whole (TLS BR 7.1.3.1: MUST be these octets).
const RSA: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const P256: [u8; 21] = [
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
const P384: [u8; 18] =
    [0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: [u8; 18] =
    [0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// The identifier is the standard's, octet for octet; EC points are uncompressed and of the curve's size.
fn key_form(context: &Context<'_>) -> Result<(), String> {
    let key = &context.tbs.key;
    let identifier = Reader::only(key.spki_der(), writer::SEQUENCE)
        .and_then(|mut fields| fields.expect(writer::SEQUENCE))
        .map_err(|error| format!("the SubjectPublicKeyInfo does not read: {error}"))?;
    let (expected, octets): (&[u8], Option<usize>) = match key.algorithm() {
        KeyAlgorithm::Rsa { .. } => (&RSA, None),
        KeyAlgorithm::EcP256 => (&P256, Some(65)),
        KeyAlgorithm::EcP384 => (&P384, Some(97)),
        KeyAlgorithm::EcP521 => (&P521, Some(133)),
        KeyAlgorithm::Ed25519 => (&ED25519, Some(32)),
    };
    demand(identifier.whole == expected, "the key's AlgorithmIdentifier has other octets than the standard's")?;
    let bits = key.key_bits();
    demand(octets.is_none_or(|octets| bits.len() == octets), "the key has another size than its algorithm says")?;
    let is_point = matches!(key.algorithm(), KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521);
    demand(!is_point || bits.first() == Some(&0x04), "the EC point is not uncompressed")
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Odd, and 65537 at least; an even modulus is no product of two primes.
fn rsa_exponent(context: &Context<'_>) -> Result<(), String> {
    if !matches!(context.tbs.key.algorithm(), KeyAlgorithm::Rsa { .. }) {
        return Ok(());
    }
    let Ok(key) = RsaPublicKey::from_der(context.tbs.key.key_bits()) else {
        return broken("the RSA key does not read");
    };
    let is_odd = |number: &UintRef<'_>| number.as_bytes().last().is_some_and(|last| last & 1 == 1);
    demand(is_odd(&key.modulus), "the RSA modulus is even")?;
    // Three octets hold what is below 2^24; 65537 is 01 00 01, and every longer number is greater.
    let exponent = key.public_exponent.as_bytes();
    let is_large = exponent.len() > 3 || (exponent.len() == 3 && exponent >= &[1, 0, 1][..]);
    demand(is_odd(&key.public_exponent) && is_large, "the RSA exponent is even or below 65537")
}

fn key_in_profile(context: &Context<'_>) -> Result<(), String> {
    let key = context.tbs.key.algorithm();
    if context.profile.takes_key(key) { Ok(()) } else { broken(format!("the profile takes no {key} keys")) }
}

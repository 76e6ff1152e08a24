//! Noonmark's own timestamps, by the parts that its server makes them of: judged as others' are.

use libtest_mimic::Failed;
use noonmark::asn1::tst_info::{TstInfoFields, TstInfoTemplate};
use noonmark::ca::Certificate;
use noonmark::crypto::{DigestAlgorithm, SignatureAlgorithm};
use noonmark::tsa::TokenTemplate;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::super::support::timestamp::Request;
use super::fixture::{CONTENT, pki};
use super::judged;

/// 2025-05-01 and 123,456 µs.
const GEN_TIME_US: i64 = 1_746_057_600_123_456;

/// A response and the token in it, of every digest that is served.
pub fn timestamp() -> Result<(), Failed> {
    let pki = pki();
    let certificate = |name: &str| Certificate::from_der(&pki.certificate(name));
    let chain = [certificate("tsu")?, certificate("intermediate")?];
    let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
    let template = TokenTemplate::new(&chain[0], &chain, algorithm)?;
    let key = PKey::private_key_from_pem(&pki.read("tsu.key"))?;
    for digest in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha384, DigestAlgorithm::Sha512] {
        let request = Request {
            hash_oid: digest.oid().as_bytes().to_vec(),
            imprint: digest.digest(CONTENT).as_ref().to_vec(),
            ..Request::over(CONTENT)
        };
        let request = request.to_der();
        let request = noonmark::asn1::TimeStampRequest::from_der(&request)?;
        let fields = TstInfoFields {
            policy: &[6, 6, 4, 0, 0x8f, 0x67, 1, 1],
            message_imprint: request.message_imprint,
            serial_number: &[1; 17],
            gen_time_us: GEN_TIME_US,
            nonce: request.nonce,
        };
        let info = TstInfoTemplate::new(6, 1_000_000, false, None, &[]).build(&fields)?;
        let prepared = template.prepare(info);
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        let signature = signer.sign_oneshot_to_vec(prepared.to_be_signed())?;
        let (response, token_at) = template.assemble(&prepared, &signature, true);
        let name = format!("noonmark, {digest:?}");
        judged::timestamp(&format!("{name}, response"), &pki.bench(), &response, CONTENT)?;
        judged::timestamp(&name, &pki.bench(), &response[token_at..], CONTENT)?;
    }
    Ok(())
}

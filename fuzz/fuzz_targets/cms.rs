//! A signed message, and a timestamp token, from anybody: the first octet says how the content is given.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noonmark::verify::cms::{Content, SignedData, SignerVerification, UnsignedAttribute, normalise};
use noonmark::verify::signature::{AnyAlgorithm, Digest};
use noonmark::verify::{
    ChainTime, Costs, Evidence, Settings, Stamped, TimestampToken, judge_timestamp, token_in_response,
};

fuzz_target!(|data: &[u8]| {
    let [how, message @ ..] = data else { return };
    let Ok(der) = normalise(message) else { return };
    // What is DER now stays as it is.
    assert_eq!(normalise(&der).as_deref(), Ok(&*der));
    let value = [0; 32];
    let content = match how % 3 {
        0 => Content::Attached,
        1 => Content::Detached(b"what is signed"),
        _ => Content::DetachedDigest { digest: Digest::Sha256, value: &value },
    };
    if let Ok(data) = SignedData::from_der(&der) {
        let mut evidence = Evidence::new();
        data.add_to(&mut evidence);
        let found = data.verify(content, &evidence, Costs::LIMITS);
        assert_eq!(found.len(), data.signers.len());
        // Nothing holds without a certificate and an algorithm.
        assert!(found.iter().all(|one| !one.holds() || (one.certificate.is_some() && one.algorithm.is_some())));
        for signer in &data.signers {
            let counters = data.counter_signatures(signer, &evidence, Costs::LIMITS);
            let certified = |one: &SignerVerification<'_, '_>| one.certificate.is_some();
            assert!(counters.iter().all(|one| !one.holds() || one.verification.as_ref().is_ok_and(certified)));
            for attribute in signer.unsigned() {
                let archive = match attribute {
                    UnsignedAttribute::ArchiveTimestampV3(token) => SignedData::from_der(token)
                        .is_ok_and(|token| data.archive_timestamp_v3(signer, content, &token, Digest::Sha256).is_ok()),
                    UnsignedAttribute::ArchiveTimestampV2(token) => SignedData::from_der(token)
                        .is_ok_and(|token| data.archive_timestamp_v2(signer, content, &token, Digest::Sha256).is_ok()),
                    _ => continue,
                };
                // Nothing is covered where there is no content.
                assert!(!archive || data.content.is_some() || content != Content::Attached);
            }
        }
    }
    if let Ok(token) = TimestampToken::from_der(token_in_response(&der).unwrap_or(&der)) {
        let mut evidence = Evidence::new();
        token.signed_data.add_to(&mut evidence);
        let settings = Settings::new(0, Vec::new(), &AnyAlgorithm);
        let judgement = judge_timestamp(&token, Stamped::NotAsked, ChainTime::GenTime, &evidence, &settings);
        assert!(!judgement.is_good(), "good without an anchor");
    }
});

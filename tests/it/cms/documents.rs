//! The corpus' tokens from the octets to the report: at the time that they tell, and today.

use std::sync::Arc;

use libtest_mimic::Failed;
use noonmark::verify::blocks::{Anchors, Context};
use noonmark::verify::cms::Content;
use noonmark::verify::policy::Policy;
use noonmark::verify::report::{Report, TimestampReport};
use noonmark::verify::{AnchorRule, Certificate, Document, Evidence, Origin, TimestampToken, TrustAnchor};

use super::check;

/// Certificates above a signer's: the corpus' chains have three.
const MAX_ABOVE: usize = 8;

/// What the manifest says of a file, as far as it is about the file alone.
pub fn run(octets: &[u8], expected: &str, held: Option<&[u8]>) -> Result<(), Failed> {
    let document = Document::read(octets)?;
    let token = TimestampToken::from_der(document.der())?;
    let (gen_time_s, now_s) = (token.gen_time_s(), jiff::Timestamp::now().as_second());
    let at = |time_s: i64, content: Content<'_>, held: Option<&[u8]>| judge(&document, time_s, content, held);
    let alone = at(gen_time_s, Content::Attached, None)?;
    let found = &alone.timestamps[0];
    let is = |found: &TimestampReport, indication: &str, sub_indication: Option<&str>| {
        check(found.indication == indication && found.sub_indication.as_deref() == sub_indication, found)
    };
    if expected.starts_with("INVALID") {
        return is(found, "FAILED", Some("SIG_CRYPTO_FAILURE"));
    }
    let lacks_certificate = token.signed_data.certificates.is_empty();
    // The token whose two signing-certificate attributes name another certificate: see `super::run`.
    if lacks_certificate || expected.contains("v1 and v2") {
        is(found, "INDETERMINATE", Some("NO_SIGNING_CERTIFICATE_FOUND"))?;
        let Some(held) = held else { return Ok(()) };
        let with = at(gen_time_s, Content::Attached, Some(held))?;
        return is(&with.timestamps[0], "PASSED", None);
    }
    is(found, "PASSED", None)?;
    if expected.contains("message \"hello\"") {
        is(&at(gen_time_s, Content::Detached(b"hello"), None)?.timestamps[0], "PASSED", None)?;
        is(&at(gen_time_s, Content::Detached(b"hullo"), None)?.timestamps[0], "FAILED", Some("HASH_FAILURE"))?;
    }
    // Today a certificate of the chain may have ended, and nothing else proves the token's time then.
    let today = at(now_s, Content::Attached, None)?;
    let now = today.time.as_str();
    let below_anchor = || found.chain.iter().filter(|link| !link.is_anchor);
    let has_ended = below_anchor().any(|link| link.not_after.as_deref().is_some_and(|end| end < now));
    match has_ended {
        false => is(&today.timestamps[0], "PASSED", None),
        true => {
            let found = &today.timestamps[0];
            let sub_indication = found.sub_indication.as_deref().unwrap_or_default();
            check(found.indication == "INDETERMINATE" && sub_indication.starts_with("OUT_OF_BOUNDS"), found)
        }
    }
}

fn judge(document: &Document, time_s: i64, content: Content<'_>, held: Option<&[u8]>) -> Result<Report, Failed> {
    let mut evidence = Evidence::new();
    if let Some(der) = held {
        evidence.add_certificate_der(der, Origin::Held)?;
    }
    let not_taken = document.add_to(&mut evidence)?;
    let target = document.targets(&evidence).into_iter().next();
    let anchor = target.map(|target| TrustAnchor::from_certificate(topmost(target, &evidence), AnchorRule::NameAndKey));
    let anchor = anchor.transpose()?.map(Arc::new);
    let anchors = Anchors::for_everything(anchor.into_iter().collect());
    let policy = Policy::built_in("without-revocation").ok_or("the policy")?;
    let context =
        Context { time_s, evidence_until_s: time_s, evidence: &evidence, policy, anchors: &anchors, kept: None };
    Ok(document.judge(content, context, &not_taken)?)
}

/// The last certificate above this one that is there: whom its root belongs to is no matter here.
fn topmost(mut certificate: Arc<Certificate>, evidence: &Evidence) -> Arc<Certificate> {
    for _ in 0..MAX_ABOVE {
        let issuer = {
            let mut above = evidence.certificates_of(certificate.issuer_name()).map(|held| &held.certificate);
            above.find(|issuer| **issuer != certificate).cloned()
        };
        match issuer {
            Some(issuer) => certificate = issuer,
            None => break,
        }
    }
    certificate
}

//! Judging what others made, and what must come of it as it was made and as it was not.

use std::fmt::Debug;

use libtest_mimic::Failed;
use noonmark::verify::blocks::{Anchors, Context};
use noonmark::verify::cms::Content;
use noonmark::verify::policy::Policy;
use noonmark::verify::report::{Report, Verdict};
use noonmark::verify::signature::Digest;
use noonmark::verify::{Document, DocumentError, Evidence};

use super::alteration;

/// What documents are judged with.
pub struct Bench {
    time_s: i64,
    pub held: Evidence,
    anchors: Anchors,
}

impl Bench {
    pub fn new(time_s: i64, held: Evidence, anchors: Anchors) -> Self {
        Self { time_s, held, anchors }
    }

    /// Reads a document, takes what it carries, and judges it by the default policy.
    pub fn judge(&self, octets: &[u8], content: Content<'_>) -> Result<Report, DocumentError> {
        let document = Document::read(octets)?;
        let mut evidence = self.held.clone();
        let not_taken = document.add_to(&mut evidence)?;
        let policy = Policy::default_policy();
        let context = Context {
            time_s: self.time_s,
            evidence_until_s: self.time_s,
            evidence: &evidence,
            policy,
            anchors: &self.anchors,
            kept: None,
        };
        document.judge(content, context, &not_taken)
    }
}

pub fn check(holds: bool, found: impl Debug) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("{found:#?}").into()) }
}

/// Every digest that what is made here is signed by.
const DIGESTS: [Digest; 5] = [Digest::Sha256, Digest::Sha384, Digest::Sha512, Digest::Sha3_256, Digest::Shake256];

fn digest(name: &str) -> Digest {
    DIGESTS.into_iter().find(|digest| digest.name() == name).unwrap_or_else(|| panic!("the digest {name}"))
}

/// A message passes with all that is in it; with another content, without its content and altered in any part it does not.
pub fn message(name: &str, bench: &Bench, octets: &[u8], detached: Option<&[u8]>) -> Result<Report, Failed> {
    let content = detached.map_or(Content::Attached, Content::Detached);
    let report = bench.judge(octets, content)?;
    check(report.verdict == Verdict::Passed && !report.signatures.is_empty(), &report)?;
    for signature in &report.signatures {
        let timestamps = signature.timestamps.iter().map(|one| (&one.indication, one.compared));
        let counter_signatures = signature.counter_signatures.iter().map(|one| (&one.indication, true));
        let below: Vec<_> = timestamps.chain(counter_signatures).collect();
        check(below.iter().all(|(indication, compared)| *indication == "PASSED" && *compared), signature)?;
    }
    if let Some(content) = detached {
        detached_message(bench, octets, content, &report)?;
    }
    alteration::never_passes(name, bench, octets, content, &report)?;
    Ok(report)
}

/// By the content's digest it passes as well; over no content or another, altered in any place, it does not.
fn detached_message(bench: &Bench, octets: &[u8], content: &[u8], report: &Report) -> Result<(), Failed> {
    for (at, signature) in report.signatures.iter().enumerate() {
        let digest = digest(signature.digest.as_deref().unwrap_or_default());
        let mut value = digest.of(content).ok_or("a digest that is not available")?;
        let found = bench.judge(octets, Content::DetachedDigest { digest, value: &value })?;
        check(found.signatures[at].indication == "TOTAL-PASSED", &found)?;
        value[0] ^= 1;
        let found = bench.judge(octets, Content::DetachedDigest { digest, value: &value })?;
        check(found.signatures[at].sub_indication.as_deref() == Some("HASH_FAILURE"), &found)?;
    }
    let found = bench.judge(octets, Content::Attached)?;
    let missing = |one: &Option<String>| one.as_deref() == Some("SIGNED_DATA_NOT_FOUND");
    check(found.signatures.iter().all(|one| missing(&one.sub_indication)), &found)?;
    let mut others: Vec<Vec<u8>> = vec![Vec::new(), content[1..].to_vec(), [content, &[0]].concat()];
    others.push(content[..content.len() - 1].to_vec());
    for at in 0..content.len() {
        let mut other = content.to_vec();
        other[at] ^= 1 << (at % 8);
        others.push(other);
    }
    for other in others {
        let found = bench.judge(octets, Content::Detached(&other))?;
        let differs = |one: &Option<String>| one.as_deref() == Some("HASH_FAILURE");
        check(found.signatures.iter().all(|one| differs(&one.sub_indication)), (&other, &found))?;
    }
    Ok(())
}

/// A token passes by itself, with the data and by its digest; with other data, and altered in any part, it does not.
pub fn timestamp(name: &str, bench: &Bench, octets: &[u8], data: &[u8]) -> Result<Report, Failed> {
    let passed = |content: Content<'_>, compared: bool| -> Result<Report, Failed> {
        let report = bench.judge(octets, content)?;
        let holds = report.timestamps.len() == 1 && report.verdict == Verdict::Passed;
        check(holds && report.timestamps[0].compared == compared, &report)?;
        Ok(report)
    };
    passed(Content::Attached, false)?;
    let report = passed(Content::Detached(data), true)?;
    let digest = digest(&report.timestamps[0].digest);
    let value = digest.of(data).ok_or("a digest that is not available")?;
    passed(Content::DetachedDigest { digest, value: &value }, true)?;

    let fails = |content: Content<'_>| -> Result<(), Failed> {
        let found = bench.judge(octets, content)?;
        let one = &found.timestamps[0];
        check(one.indication == "FAILED" && one.sub_indication.as_deref() == Some("HASH_FAILURE"), &found)
    };
    let other = digest.of(b"other").ok_or("a digest that is not available")?;
    fails(Content::DetachedDigest { digest, value: &other })?;
    fails(Content::Detached(b""))?;
    for at in 0..data.len() {
        let mut other = data.to_vec();
        other[at] ^= 1 << (at % 8);
        fails(Content::Detached(&other))?;
    }
    alteration::never_passes(name, bench, octets, Content::Detached(data), &report)?;
    Ok(report)
}

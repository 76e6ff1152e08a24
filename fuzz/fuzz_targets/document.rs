//! A document from anybody, with evidence beside it: settings in an octet, then pieces of a kind, a length and octets each.
//!
//! Kinds: 0 a certificate that is held, 1 a CRL, 2 an OCSP response, 3 an anchor; anything else is the document, to the end.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use noonmark::verify::blocks::{Anchors, Context};
use noonmark::verify::cms::Content;
use noonmark::verify::policy::Policy;
use noonmark::verify::report::Verdict;
use noonmark::verify::signature::Digest;
use noonmark::verify::{AnchorRule, Document, Evidence, Origin, TrustAnchor};

/// 2020-01-01, in the middle of PKITS' time.
const TIME_S: i64 = 1_577_836_800;

fuzz_target!(|data: &[u8]| {
    let [how, pieces @ ..] = data else { return };
    let mut evidence = Evidence::new();
    let mut anchors = Vec::new();
    let mut rest = pieces;
    while let [kind @ 0..=3, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (piece, after) = more.split_at(length);
        rest = after;
        match kind {
            0 => drop(evidence.add_certificate_der(piece, Origin::Held)),
            1 => drop(evidence.add_crl_der(piece, Origin::Held)),
            2 => drop(evidence.add_ocsp_response_der(piece, Origin::Held)),
            _ => anchors.extend(TrustAnchor::from_certificate_der(piece, AnchorRule::NameAndKey).ok().map(Arc::new)),
        }
    }
    let Ok(document) = Document::read(rest) else { return };
    // What was read is read from what it is kept as.
    let again = Document::read(document.der()).expect("a document that was read");
    assert_eq!((again.format(), again.der()), (document.format(), document.der()));
    let not_taken = document.add_to(&mut evidence).expect("a document that was read");
    let _ = document.targets(&evidence);
    let has_anchors = !anchors.is_empty();
    let anchors = Anchors::for_everything(anchors);
    let name = Policy::BUILT_IN[usize::from(how & 1)];
    let context = Context {
        time_s: TIME_S,
        evidence_until_s: TIME_S,
        evidence: &evidence,
        policy: Policy::built_in(name).expect("a policy that is built in"),
        anchors: &anchors,
        kept: None,
    };
    let value = [0; 32];
    let content = match how >> 1 & 3 {
        0 => Content::Attached,
        1 => Content::Detached(b"what is signed"),
        _ => Content::DetachedDigest { digest: Digest::Sha256, value: &value },
    };
    let report = document.judge(content, context, &not_taken).expect("a document that was read");
    assert!(report.verdict != Verdict::Passed || has_anchors, "passed without an anchor");
    // The same again says the same.
    assert_eq!(document.judge(content, context, &not_taken).expect("a document that was read"), report);
});

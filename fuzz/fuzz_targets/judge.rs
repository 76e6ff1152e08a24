//! A judgement over anything: settings in two octets, then pieces of a kind, a length and octets each.
//!
//! Kinds: 0 the certificate that is judged, 1 a further certificate, 2 a CRL, 3 an OCSP response, 4 an anchor's certificate.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use noonmark::verify::signature::AnyAlgorithm;
use noonmark::verify::{
    AnchorRule, Certificate, Conformance, Costs, Evidence, Origin, RevocationMode, RevocationRule, Settings,
    TrustAnchor, judge_certificate,
};

/// 2020-01-01, in the middle of PKITS' time.
const TIME_S: i64 = 1_577_836_800;

fuzz_target!(|data: &[u8]| {
    let [flags, path_length, pieces @ ..] = data else { return };
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let rule = if flag(0) { AnchorRule::WholeCertificate } else { AnchorRule::NameAndKey };
    let mut target = None;
    let mut evidence = Evidence::new();
    let mut anchors = Vec::new();
    let mut rest = pieces;
    while let [kind, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (piece, after) = more.split_at(length);
        rest = after;
        match kind {
            0 => target = Certificate::from_der(piece).ok().map(Arc::new),
            1 => drop(evidence.add_certificate_der(piece, Origin::Embedded)),
            2 => drop(evidence.add_crl_der(piece, Origin::Embedded)),
            3 => drop(evidence.add_ocsp_response_der(piece, Origin::Embedded)),
            _ => anchors.extend(TrustAnchor::from_certificate_der(piece, rule).ok().map(Arc::new)),
        }
    }
    let Some(target) = target else { return };
    let mode = match (flag(1), flag(2)) {
        (true, _) => RevocationMode::Required,
        (false, true) => RevocationMode::Told,
        (false, false) => RevocationMode::NotAsked,
    };
    let settings = Settings {
        explicit_policy: flag(3),
        inhibit_any_policy: flag(4),
        inhibit_policy_mapping: flag(5),
        conformance: if flag(6) { Conformance::Required } else { Conformance::Told },
        max_path_length: (*path_length < 16).then_some(u32::from(*path_length)),
        revocation: RevocationRule { mode, ..RevocationRule::required_at(TIME_S) },
        ..Settings::new(TIME_S, anchors, &AnyAlgorithm)
    };
    let judgement = judge_certificate(&target, &evidence, &settings);
    let (spent, limits) = (judgement.spent, Costs::LIMITS);
    assert!(spent.signatures <= limits.signatures && spent.path_steps <= limits.path_steps);
    assert!(spent.name_comparisons <= limits.name_comparisons && spent.policy_nodes <= limits.policy_nodes);
    if judgement.is_good() {
        // Nothing is good without a chain that ends in it and begins at an anchor.
        let chain = judgement.chain.as_ref().expect("a chain");
        assert!(settings.anchors.iter().any(|anchor| Arc::ptr_eq(anchor, &chain.anchor)));
        match chain.links.last() {
            Some(last) => assert_eq!(last.certificate, target),
            None => assert_eq!(chain.anchor.certificate(), Some(&target)),
        }
    }
    // The same again says the same.
    assert_eq!(judge_certificate(&target, &evidence, &settings).is_good(), judgement.is_good());
});

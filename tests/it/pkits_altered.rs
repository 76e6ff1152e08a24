//! PKITS with one octet of a certificate or CRL altered: nothing panics, and what was altered is never relied on.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use noonmark::verify::{
    AnchorRule, Certificate, CertificateStatus, Evidence, Judgement, Origin, Source, TrustAnchor, judge_certificate,
};
use serde_json::Value;

use super::pkits::{manifest, names, read, settings};

/// 2020-01-01.
const TIME_S: i64 = 1_577_836_800;
/// Alterations of each file of each case.
const ALTERATIONS: usize = 40;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("pkits_altered::what_was_altered_is_never_relied_on", run)]
}

/// Numbers that are the same on every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).expect("a size")).expect("below a size")
    }

    /// Alters one octet, or two, or takes one away, or adds one.
    fn alter(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut altered = octets.to_vec();
        let at = self.below(altered.len());
        let octet = u8::try_from(1 + self.below(255)).expect("an octet");
        match self.below(6) {
            0 => drop(altered.remove(at)),
            1 => altered.insert(at, octet),
            2 => {
                altered[at] ^= octet;
                let other = self.below(altered.len());
                altered[other] = altered[other].wrapping_add(octet);
            }
            _ => altered[at] ^= octet,
        }
        altered
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Target,
    Certificate,
    Crl,
}

fn run() -> Result<(), Failed> {
    let anchor =
        TrustAnchor::from_certificate_der(&read("certs/TrustAnchorRootCertificate.crt"), AnchorRule::NameAndKey);
    let anchor = Arc::new(anchor?);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut judged, mut refused) = (0_u32, 0_u32);
    for case in manifest()["cases"].as_array().expect("cases").iter().filter(|case| case["expected"] == "valid") {
        let mut files = vec![(Kind::Target, read(case["target"].as_str().expect("a target")))];
        for list in ["intermediates", "other_certs"] {
            files.extend(names(case, list).map(|name| (Kind::Certificate, read(name))));
        }
        files.extend(names(case, "crls").map(|name| (Kind::Crl, read(name))));
        for at in 0..files.len() {
            for _ in 0..ALTERATIONS {
                let altered = numbers.alter(&files[at].1);
                if altered == files[at].1 {
                    continue;
                }
                match judge(case, &anchor, &files, at, &altered) {
                    None => refused += 1,
                    Some(judgement) => {
                        judged += 1;
                        let relied_on = judgement.is_good() && rests_on(&judgement, files[at].0, &altered);
                        assert!(!relied_on, "{}: {}", case["id"], hex::encode(&altered));
                    }
                }
            }
        }
    }
    assert!(judged > 8_000 && refused > 2_000, "{judged} judged, {refused} unreadable");
    Ok(())
}

/// Judges with one file altered; `None` where it can't even be read.
fn judge(
    case: &Value,
    anchor: &Arc<TrustAnchor>,
    files: &[(Kind, Vec<u8>)],
    at: usize,
    altered: &[u8],
) -> Option<Judgement> {
    let mut evidence = Evidence::new();
    let mut target = None;
    for (number, (kind, octets)) in files.iter().enumerate() {
        let octets = if number == at { altered } else { octets };
        match kind {
            Kind::Target => target = Some(Arc::new(Certificate::from_der(octets).ok()?)),
            Kind::Certificate => evidence.add_certificate_der(octets, Origin::Embedded).ok()?,
            Kind::Crl => evidence.add_crl_der(octets, Origin::Embedded).ok()?,
        }
    }
    Some(judge_certificate(&target?, &evidence, &settings(case, TIME_S, anchor)))
}

/// Whether the altered octets stand in the chain or among the sources of a status.
fn rests_on(judgement: &Judgement, kind: Kind, altered: &[u8]) -> bool {
    let links = judgement.chain.iter().flat_map(|chain| &chain.links);
    let sha256 = noonmark::crypto::sha256(altered);
    links.clone().any(|link| link.certificate.sha256() == &sha256)
        || (kind == Kind::Crl
            && links.into_iter().any(|link| {
                let is_it = |source: &Source| source.sha256 == sha256;
                matches!(&link.status, CertificateStatus::Good(sources) if sources.iter().any(is_it))
            }))
}

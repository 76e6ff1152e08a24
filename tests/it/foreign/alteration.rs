//! A message altered in every part: each alteration is refused, or does not pass where it may not.
//!
//! Of every value a bit of the tag, of the length, and of the first, middle and last octet is flipped, and the value is left
//! out; identifiers of algorithms that are not signed are exchanged for each other one.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use noonmark::asn1::{Oid, writer};
use noonmark::verify::cms::Content;
use noonmark::verify::report::{CheckReport, Report};

use super::judged::Bench;
use super::structure::{DigestPair, Node, Rule, Structure, Target, Uncovered};

/// Identifiers that an attacker may write in another's place: each digest, and each signature with and without one.
const ALGORITHMS: [&str; 24] = [
    "1.3.14.3.2.26",
    "1.2.840.113549.2.5",
    "2.16.840.1.101.3.4.2.1",
    "2.16.840.1.101.3.4.2.2",
    "2.16.840.1.101.3.4.2.3",
    "2.16.840.1.101.3.4.2.8",
    "1.2.840.113549.1.1.1",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10040.4.1",
    "1.2.840.10040.4.3",
    "2.16.840.1.101.3.4.3.2",
    "1.2.840.10045.2.1",
    "1.2.840.10045.4.1",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
    "1.3.101.113",
    "2.16.840.1.101.3.4.3.18",
];

/// How many of [`ALGORITHMS`] are digests.
const DIGESTS: usize = 6;

/// Fewer alterations than this were refused of no message: a walk that finds nothing would pass everything.
const FEWEST: usize = 300;

/// What became of the alterations.
#[derive(Default)]
struct Tally {
    unread: usize,
    refused: usize,
    told: usize,
    same: usize,
    uncovered: BTreeMap<Uncovered, usize>,
}

/// Alters a message in every part, which as it was made has this report.
pub fn never_passes(
    name: &str,
    bench: &Bench,
    octets: &[u8],
    content: Content<'_>,
    report: &Report,
) -> Result<(), Failed> {
    let root = Node::read(octets);
    let structure = Structure::of(octets, &root, report);
    let mut run = Run { bench, content, before: report, tally: Tally::default(), passed: Vec::new() };
    for site in &structure.sites {
        let node = site.node;
        let mut places = vec![(node.whole.start, 0x01), (node.whole.start + 1, 0x01)];
        if node.children.is_empty() && !node.content.is_empty() {
            let (first, last) = (node.content.start, node.content.end - 1);
            let mut within = vec![first, (first + last) / 2, last];
            within.dedup();
            let alone = within.len() == 1;
            places.extend(within.into_iter().map(|at| (at, 1 << (at % 8))));
            // A number or a boolean: small changes too.
            places.extend([0x01, 0x02].into_iter().filter(|_| alone).map(|mask| (first, mask)));
        }
        for (at, mask) in places {
            let mut altered = octets.to_vec();
            altered[at] ^= mask;
            run.held_to(&site.rule, &altered, || format!("octet {at} changed by {mask:#04x}"));
        }
        if node.whole != root.whole {
            let altered = root.with(octets, &[(&node.whole, &[])]);
            run.held_to(&site.rule, &altered, || format!("without octets {:?}", node.whole));
        }
        if site.is_algorithm {
            for other in ALGORITHMS.iter().flat_map(|algorithm| identifiers(algorithm)) {
                let altered = root.with(octets, &[(&node.whole, &other)]);
                let words = || format!("octets {:?} are now {}", node.whole, hex::encode(&other));
                run.held_to(&site.rule, &altered, words);
            }
        }
    }
    for pair in &structure.digests {
        run.other_digests(octets, &root, pair);
    }
    run.tally.print(name);
    if !run.passed.is_empty() {
        return Err(run.passed.join("\n").into());
    }
    let Tally { unread, refused, .. } = run.tally;
    if unread + refused < FEWEST || refused == 0 {
        return Err(format!("{unread} can't be read and {refused} do not pass: too few").into());
    }
    Ok(())
}

/// An AlgorithmIdentifier without parameters, and with NULL.
fn identifiers(algorithm: &str) -> [Vec<u8>; 2] {
    let oid = algorithm.parse::<Oid>().expect("an object identifier").to_der();
    [&[][..], &[5, 0]].map(|parameters| writer::tlv(writer::SEQUENCE, &[&oid, parameters]))
}

struct Run<'r> {
    bench: &'r Bench,
    content: Content<'r>,
    before: &'r Report,
    tally: Tally,
    /// What passed and may not.
    passed: Vec<String>,
}

impl Run<'_> {
    /// A signer's digest, exchanged consistently.
    fn other_digests(&mut self, octets: &[u8], root: &Node, pair: &DigestPair<'_>) {
        let rule = match pair.is_signed {
            true => Rule::SameMeaning(pair.targets.clone()),
            false => Rule::ToldOrSame(pair.targets.clone()),
        };
        for other in ALGORITHMS[..DIGESTS].iter().flat_map(|algorithm| identifiers(algorithm)) {
            // As one more, so that other signers' digests stay.
            let listed = [pair.listed.octets(octets), &other[..]].concat();
            let altered = root.with(octets, &[(&pair.listed.whole, &listed), (&pair.own.whole, &other)]);
            self.held_to(&rule, &altered, || format!("the digest is now {}", hex::encode(&other)));
        }
    }

    fn held_to(&mut self, rule: &Rule, altered: &[u8], words: impl Fn() -> String) {
        let Ok(after) = self.bench.judge(altered, self.content) else {
            self.tally.unread += 1;
            return;
        };
        let targets = match rule {
            Rule::Covered(of) | Rule::Told(of) | Rule::ToldOrSame(of) | Rule::SameMeaning(of) => of,
            Rule::Uncovered(why) => {
                *self.tally.uncovered.entry(*why).or_default() += 1;
                return;
            }
        };
        let passed: Vec<Target> = targets.iter().copied().filter(|target| self.passes(&after, *target)).collect();
        let is_told = |target: &Target| self.is_told(&after, *target);
        let is_same = |target: &Target| algorithm(self.before, *target) == algorithm(&after, *target);
        let count = match rule {
            _ if passed.is_empty() => &mut self.tally.refused,
            Rule::Told(_) | Rule::ToldOrSame(_) if passed.iter().all(is_told) => &mut self.tally.told,
            Rule::SameMeaning(_) | Rule::ToldOrSame(_) if passed.iter().all(is_same) => &mut self.tally.same,
            _ => {
                self.passed.push(format!("{passed:?} passed with {}: {rule:?}", words()));
                return;
            }
        };
        *count += 1;
    }

    /// Whether a verdict still passes: that of the same signature or token, or of the one at its place.
    fn passes(&self, after: &Report, target: Target) -> bool {
        let before = self.before;
        match target {
            Target::Token => after.timestamps.iter().any(|one| one.indication == "PASSED"),
            Target::Signature(at) => {
                let (own, same_count) =
                    (&before.signatures[at].signature_sha256, before.signatures.len() == after.signatures.len());
                after.signatures.iter().enumerate().any(|(place, one)| {
                    one.indication == "TOTAL-PASSED" && (one.signature_sha256 == *own || (same_count && place == at))
                })
            }
            Target::Timestamp(at, which) => {
                let own = &before.signatures[at].timestamps;
                after.signatures.get(at).is_some_and(|signature| {
                    let same_count = signature.timestamps.len() == own.len();
                    signature.timestamps.iter().enumerate().any(|(place, one)| {
                        one.indication == "PASSED"
                            && (one.sha256 == own[which].sha256 || (same_count && place == which))
                    })
                })
            }
            Target::CounterSignature(at, which) => {
                let found = after.signatures.get(at).and_then(|one| one.counter_signatures.get(which));
                found.is_some_and(|one| one.indication == "PASSED")
            }
        }
    }

    /// Whether the report says of a verdict what it did not say before: that the structure is not as RFC 5652 has it.
    fn is_told(&self, after: &Report, target: Target) -> bool {
        let told = |report: &Report| {
            let of = checks(report, target);
            of.iter().any(|check| check.name == "message-structure" && check.outcome != "passed")
        };
        !told(self.before) && told(after)
    }
}

fn checks(report: &Report, target: Target) -> &[CheckReport] {
    match target {
        Target::Signature(at) => &report.signatures[at].checks,
        Target::Timestamp(at, which) => &report.signatures[at].timestamps[which].checks,
        Target::CounterSignature(at, which) => &report.signatures[at].counter_signatures[which].checks,
        Target::Token => &report.timestamps[0].checks,
    }
}

/// How a verdict's signature is signed.
fn algorithm(report: &Report, target: Target) -> (Option<&str>, Option<&str>) {
    match target {
        Target::Signature(at) => {
            let one = &report.signatures[at];
            (one.algorithm.as_deref(), one.digest.as_deref())
        }
        Target::Timestamp(at, which) => (report.signatures[at].timestamps[which].algorithm.as_deref(), None),
        Target::CounterSignature(at, which) => {
            (report.signatures[at].counter_signatures[which].algorithm.as_deref(), None)
        }
        Target::Token => (report.timestamps[0].algorithm.as_deref(), None),
    }
}

impl Tally {
    fn print(&self, name: &str) {
        let uncovered: usize = self.uncovered.values().sum();
        println!(
            "{name}: {} alterations: {} can't be read, {} do not pass, {} are told, {} mean the same, \
             {uncovered} are of what nothing covers {:?}",
            self.unread + self.refused + self.told + self.same + uncovered,
            self.unread,
            self.refused,
            self.told,
            self.same,
            self.uncovered
        );
    }
}

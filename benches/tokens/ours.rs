//! Noonmark's own judgement, from the octets on.

use std::hint::black_box;
use std::sync::Arc;

use noonmark::verify::blocks::{Anchors, ChainMemory, Context};
use noonmark::verify::cms::Content;
use noonmark::verify::policy::Policy;
use noonmark::verify::report::Verdict;
use noonmark::verify::{AnchorRule, Document, Evidence, Origin, TrustAnchor};

use crate::ROUND_S;
use crate::corpus::{Corpus, Stamp};
use crate::process::thread_cpu;
use crate::signing::NOW_S;

/// How it is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the default policy, nothing kept from one token to the next but what is held: the anchor, and a CRL whose signature
    /// is verified once.
    Alone,
    /// By the default policy, chains kept.
    Kept,
    /// By the policy without revocation, without a CRL, nothing kept.
    WithoutRevocation,
}

pub(crate) struct Ours<'c> {
    corpus: &'c Corpus,
    anchors: Anchors,
    with_crl: Evidence,
    nothing: Evidence,
    memory: ChainMemory,
}

impl<'c> Ours<'c> {
    pub(crate) fn new(corpus: &'c Corpus) -> Self {
        let anchor = TrustAnchor::from_certificate_der(&corpus.root, AnchorRule::NameAndKey).expect("an anchor");
        let mut with_crl = Evidence::new();
        with_crl.add_crl_der(&corpus.crl, Origin::Held).expect("a CRL");
        let anchors = Anchors::for_everything(vec![Arc::new(anchor)]);
        Self { corpus, anchors, with_crl, nothing: Evidence::new(), memory: ChainMemory::new(1024) }
    }

    fn judge(&self, way: Way, stamp: &Stamp) -> Verdict {
        let document = Document::read(black_box(&stamp.response)).expect("a token");
        let (policy, held) = match way {
            Way::Alone | Way::Kept => (Policy::default_policy(), &self.with_crl),
            Way::WithoutRevocation => (Policy::built_in("without-revocation").expect("a policy"), &self.nothing),
        };
        let mut evidence = held.clone();
        if way == Way::Kept {
            self.memory.share_with(&mut evidence);
        }
        let not_taken = document.add_to(&mut evidence).expect("a token");
        let context = Context {
            time_s: NOW_S,
            evidence_until_s: NOW_S,
            evidence: &evidence,
            policy,
            anchors: &self.anchors,
            kept: (way == Way::Kept).then_some(&self.memory),
        };
        document.judge(Content::Detached(&stamp.data), context, &not_taken).expect("a token").verdict
    }

    /// All tokens over and over; nanoseconds of CPU time a token.
    pub(crate) fn round(&self, way: Way) -> f64 {
        let all = || {
            for stamp in &self.corpus.stamps {
                assert_eq!(self.judge(way, stamp), Verdict::Passed);
            }
        };
        all();
        let start = thread_cpu();
        let mut tokens = 0_u32;
        loop {
            all();
            tokens += u32::try_from(self.corpus.stamps.len()).expect("a count");
            let taken_s = (thread_cpu() - start).as_secs_f64();
            if taken_s >= ROUND_S {
                return taken_s * 1e9 / f64::from(tokens);
            }
        }
    }
}

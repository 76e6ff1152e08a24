//! What is kept from one document to the next changes no judgement: only good chains' certificates are, by their octets.

use std::sync::Arc;

use super::message::{Message, Signer};
use super::pki::{CrlDraft, Key, NOW_S, anchor, extension, judge, root, settings};
use crate::asn1::writer::{self, tlv};
use crate::verify::blocks::{Anchors, ChainMemory, Context};
use crate::verify::certificate_memory::CertificateMemory;
use crate::verify::cms::{Content, oid};
use crate::verify::policy::Policy;
use crate::verify::report::{Report, Verdict};
use crate::verify::signature::Digest;
use crate::verify::{
    AnchorRule, Certificate, Document, Evidence, Origin, RevocationRule, Settings, TrustAnchor, oid as extension_oid,
};

/// A root with a CRL, and two tokens by one unit, over their number.
struct Case {
    key: Key,
    trusted: Arc<TrustAnchor>,
    held: Evidence,
    unit: Arc<Certificate>,
    tokens: [Vec<u8>; 2],
}

impl Case {
    fn new() -> Self {
        let key = Key::new();
        let trusted = anchor(&root("TSA root", &key, []), AnchorRule::NameAndKey);
        let mut held = Evidence::new();
        held.add_crl_der(&CrlDraft::new("TSA root", &key).sign(&[], &key), Origin::Held).unwrap();
        let purposes = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::TIME_STAMPING])]);
        let purposes = extension(extension_oid::EXTENDED_KEY_USAGE, true, &purposes);
        let mut signer = Signer::new("TSA root", &key, 7, vec![purposes]);
        let mut tokens = [Vec::new(), Vec::new()];
        for (number, token) in (0_u8..).zip(&mut tokens) {
            let info = tst_info(number);
            signer = signer.over(oid::TST_INFO, &info);
            *token = Message::new(oid::TST_INFO, Some(&info)).signed_by(&signer, &info).der();
        }
        Self { key, trusted, held, unit: signer.certificate, tokens }
    }

    /// Judges a token, what is kept given or not; the unit's certificate as the judgement had it.
    fn judge(
        &self,
        number: u8,
        trusted: &[&Arc<TrustAnchor>],
        kept: Option<&ChainMemory>,
    ) -> (Report, Arc<Certificate>) {
        let document = Document::read(&self.tokens[usize::from(number)]).unwrap();
        let mut evidence = self.held.clone();
        if let Some(kept) = kept {
            kept.share_with(&mut evidence);
        }
        let not_taken = document.add_to(&mut evidence).unwrap();
        let anchors = Anchors::for_everything(trusted.iter().map(|one| Arc::clone(one)).collect());
        let policy = Policy::default_policy();
        let context =
            Context { time_s: NOW_S, evidence_until_s: NOW_S, evidence: &evidence, policy, anchors: &anchors, kept };
        let report = document.judge(Content::Detached(&[number]), context, &not_taken).unwrap();
        (report, Arc::clone(&evidence.certificates()[0].certificate))
    }
}

fn tst_info(number: u8) -> Vec<u8> {
    let sha256 = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]])]);
    let imprint = tlv(writer::OCTET_STRING, &[&Digest::Sha256.of(&[number]).unwrap()]);
    let imprint = tlv(writer::SEQUENCE, &[&sha256, &imprint]);
    let time = tlv(writer::GENERALIZED_TIME, &[b"20250101000000Z"]);
    tlv(writer::SEQUENCE, &[&[2, 1, 1], &[6, 1, 0x2a], &imprint, &[2, 1, number], &time])
}

#[test]
fn a_report_is_the_same_whatever_is_kept() {
    let case = Case::new();
    let kept = ChainMemory::new(16);
    let (first, certificate) = case.judge(0, &[&case.trusted], Some(&kept));
    assert_eq!((first.verdict, kept.len()), (Verdict::Passed, 1));
    assert_eq!(case.judge(0, &[&case.trusted], None).0, first);
    let (second, same) = case.judge(1, &[&case.trusted], Some(&kept));
    assert_eq!(case.judge(1, &[&case.trusted], None).0, second);
    assert_ne!(first, second);
    // The second token's own certificate was not read: the first's serves.
    assert!(Arc::ptr_eq(&certificate, &same) && *same == *case.unit);
    // What is kept vouches for nobody: without the anchor the chain is not good.
    let (untrusted, _) = case.judge(1, &[], Some(&kept));
    assert_eq!(untrusted.verdict, Verdict::Indeterminate);
    assert_eq!(case.judge(1, &[], None).0, untrusted);
}

#[test]
fn certificates_of_chains_that_do_not_hold_are_not_kept() {
    let case = Case::new();
    let kept = ChainMemory::new(16);
    let (report, first) = case.judge(0, &[], Some(&kept));
    assert_eq!(report.verdict, Verdict::Indeterminate);
    let (_, second) = case.judge(1, &[], Some(&kept));
    assert!(!Arc::ptr_eq(&first, &second));
}

#[test]
fn a_signature_that_is_known_counts_like_any_other() {
    let case = Case::new();
    let settings = Settings { revocation: RevocationRule::required_at(NOW_S), ..settings(&[&case.trusted]) };
    let first = judge(&case.unit, &case.held, &settings);
    let second = judge(&case.unit, &case.held, &settings);
    assert!(first.is_good() && second.is_good());
    assert_eq!((first.spent, first.spent.signatures), (second.spent, 2));
    // A CRL under another key of the same name stays one that does not verify, however often it is asked.
    let other = anchor(&root("TSA root", &Key::new(), []), AnchorRule::NameAndKey);
    let settings = Settings { anchors: vec![other], ..settings };
    assert!(!judge(&case.unit, &case.held, &settings).is_good());
}

#[test]
fn certificates_are_kept_by_their_octets_and_long_ones_are_not() {
    let case = Case::new();
    let memory = CertificateMemory::new(8);
    assert!(memory.get(case.unit.sha256()).is_none());
    memory.keep(&case.unit);
    assert!(memory.get(case.unit.sha256()).is_some_and(|kept| Arc::ptr_eq(&kept, &case.unit)));
    let long = root("Long", &case.key, [extension(&[0x2a, 3], false, &[0; 8 * 1024])]);
    memory.keep(&long);
    assert!(memory.get(long.sha256()).is_none());
}

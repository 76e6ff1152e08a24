//! Documents as they are handed in: recognised, judged, and changed octet by octet.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::message::{Message, Signer};
use super::pki::{Key, NOW_S, root};
use super::timestamps::{DATA, stamped};
use crate::asn1::writer::{self, tlv};
use crate::verify::blocks::{Anchors, Context};
use crate::verify::cms::{Content, oid};
use crate::verify::policy::Policy;
use crate::verify::report::{Report, Verdict};
use crate::verify::{Document, DocumentError, Evidence, TrustAnchor};

fn judge(document: &Document, anchors: &Anchors) -> Report {
    let mut evidence = Evidence::new();
    let not_taken = document.add_to(&mut evidence).unwrap();
    let context = Context {
        time_s: NOW_S,
        evidence_until_s: NOW_S,
        evidence: &evidence,
        policy: Policy::built_in("without-revocation").unwrap(),
        anchors,
        kept: None,
    };
    document.judge(Content::Detached(DATA), context, &not_taken).unwrap()
}

fn anchors(trusted: &Arc<TrustAnchor>) -> Anchors {
    Anchors::for_everything(vec![Arc::clone(trusted)])
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der)).into_bytes()
}

#[test]
fn a_timestamp_is_read_in_each_of_its_forms() {
    let (trusted, token) = stamped();
    let granted = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&[2, 1, 0]]), &token]);
    let base64 = STANDARD.encode(&token).into_bytes();
    for octets in [token.clone(), granted.clone(), pem("PKCS7", &token), base64] {
        let document = Document::read(&octets).unwrap();
        assert_eq!((document.format(), document.der(), document.lacks_content()), ("timestamp", &token[..], true));
        assert_eq!(judge(&document, &anchors(&trusted)).verdict, Verdict::Passed);
    }
    let refused = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&[2, 1, 2]])]);
    assert!(matches!(Document::read(&refused), Err(DocumentError::Timestamp(_))), "{:?}", Document::read(&refused));
}

#[test]
fn a_message_over_a_pdf_is_a_message_and_a_pdf_is_none() {
    let key = Key::new();
    let content = b"%PDF-1.7 and so on";
    let signer = Signer::new("root", &key, 7, Vec::new()).over(oid::DATA, content);
    let message = Message::new(oid::DATA, Some(content)).signed_by(&signer, content).der();
    let document = Document::read(&message).unwrap();
    assert_eq!((document.format(), document.lacks_content()), ("cms", false));
    for pdf in [&b"%PDF-1.7\n"[..], b"\n\n%PDF-1.4", b"junk %PDF-2.0"] {
        assert_eq!(Document::read(pdf).unwrap_err(), DocumentError::Pdf);
    }
}

#[test]
fn what_is_no_document_is_told_apart() {
    let certificate = root("root", &Key::new(), []);
    assert_eq!(Document::read(certificate.der()).unwrap().format(), "certificate");
    assert_eq!(Document::read(&pem("CERTIFICATE", certificate.der())).unwrap().der(), certificate.der());
    assert_eq!(Document::read(b"").unwrap_err(), DocumentError::Empty);
    assert_eq!(Document::read(b"garbage").unwrap_err(), DocumentError::Unknown);
    assert_eq!(Document::read(&[0x30]).unwrap_err(), DocumentError::Unknown);
    let bundle = Message::new(oid::DATA, None).der();
    assert_eq!(Document::read(&bundle).unwrap_err(), DocumentError::NoSigner);
}

/// Each octet changed in three ways: what is still read is judged without a panic, and what still passes says the same.
#[test]
fn a_changed_timestamp_passes_only_if_it_says_the_same() {
    let (trusted, token) = stamped();
    let anchors = anchors(&trusted);
    let said = |report: &Report| {
        let one = &report.timestamps[0];
        (one.time.clone(), one.serial.clone(), one.imprint.clone(), one.signer.clone())
    };
    let whole = judge(&Document::read(&token).unwrap(), &anchors);
    assert_eq!(whole.verdict, Verdict::Passed);
    let (mut read, mut failed) = (0, 0);
    for at in 0..token.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = token.clone();
            changed[at] ^= change;
            let Ok(document) = Document::read(&changed) else { continue };
            read += 1;
            let report = judge(&document, &anchors);
            match report.verdict {
                Verdict::Passed => assert_eq!(said(&report), said(&whole), "octet {at} ^ {change:#x}"),
                _ => failed += 1,
            }
        }
    }
    assert!(read > 500 && failed > 300, "{read} are still read, {failed} of them don't pass");
    // Cut off anywhere it is none.
    for length in 0..token.len() {
        assert!(Document::read(&token[..length]).is_err(), "the first {length} octets");
    }
}

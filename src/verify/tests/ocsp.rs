//! OCSP answers: by the CA and by delegates, for both digests, fresh and not.

use std::sync::Arc;

use super::pki::{CrlDraft, DAY_S, Draft, Key, NOW_S, anchor, evidence, extension, judge, name, root, settings};
use crate::asn1::writer::{self, tlv};
use crate::crypto::DigestAlgorithm;
use crate::verify::{
    AnchorRule, Certificate, CertificateStatus, Evidence, Failure, HeldOcspResponse, Judgement, OcspResponseError,
    Origin, RevocationRule, Settings, SourceKind, WhyNotUsed, oid,
};

pub(super) const GOOD: &[u8] = &[0x80, 0];
pub(super) const UNKNOWN: &[u8] = &[0x82, 0];

fn time(time_s: i64) -> Vec<u8> {
    let text = jiff::Timestamp::from_second(time_s).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
    tlv(writer::GENERALIZED_TIME, &[text.as_bytes()])
}

/// revoked, with a reason.
pub(super) fn revoked(since_s: i64, reason: u8) -> Vec<u8> {
    tlv(0xa1, &[&time(since_s), &[0xa0, 3, 0x0a, 1, reason]])
}

/// A response to be, about the serial 5.
pub(super) struct Response {
    pub(super) digest: DigestAlgorithm,
    pub(super) by_key: bool,
    /// The CA's name and the serial that is asked about.
    pub(super) issuer: &'static str,
    pub(super) serial: u8,
    pub(super) status: Vec<u8>,
    pub(super) this_update_s: i64,
    pub(super) next_update_s: Option<i64>,
    pub(super) single_extensions: Vec<u8>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) responder: &'static str,
}

impl Response {
    pub(super) fn new(status: &[u8]) -> Self {
        Self {
            digest: DigestAlgorithm::Sha1,
            by_key: false,
            issuer: "Root",
            serial: 5,
            status: status.to_vec(),
            this_update_s: NOW_S - DAY_S,
            next_update_s: Some(NOW_S + DAY_S),
            single_extensions: Vec::new(),
            certificates: Vec::new(),
            responder: "Root",
        }
    }

    pub(super) fn sign(&self, issuer_key: &Key, signer: &Key) -> Vec<u8> {
        let hash = |octets: &[u8]| tlv(writer::OCTET_STRING, &[self.digest.digest(octets).as_ref()]);
        let oid = tlv(writer::OBJECT_IDENTIFIER, &[self.digest.oid().as_bytes()]);
        let id = tlv(
            writer::SEQUENCE,
            &[
                &tlv(writer::SEQUENCE, &[&oid]),
                &hash(&name(self.issuer)),
                &hash(issuer_key.bits()),
                &[2, 1, self.serial],
            ],
        );
        let next = self.next_update_s.map_or(Vec::new(), |next_s| tlv(writer::context(0), &[&time(next_s)]));
        let single =
            tlv(writer::SEQUENCE, &[&id, &self.status, &time(self.this_update_s), &next, &self.single_extensions]);
        let responder = match self.by_key {
            true => tlv(0xa2, &[&tlv(writer::OCTET_STRING, &[&signer.identifier()])]),
            false => tlv(0xa1, &[&name(self.responder)]),
        };
        let list = tlv(writer::SEQUENCE, &[&single]);
        let tbs = tlv(writer::SEQUENCE, &[&responder, &time(self.this_update_s), &list]);
        let certificates = match self.certificates.as_slice() {
            [] => Vec::new(),
            list => tlv(writer::context(0), &[&tlv(writer::SEQUENCE, &[&list.concat()])]),
        };
        let basic = signer.signed(&tbs, &certificates);
        let kind = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
        let bytes = tlv(writer::SEQUENCE, &[&kind, &tlv(writer::OCTET_STRING, &[&basic])]);
        tlv(writer::SEQUENCE, &[&[0x0a, 1, 0], &tlv(writer::context(0), &[&bytes])])
    }
}

struct World {
    key: Key,
    target: Arc<Certificate>,
    evidence: Evidence,
}

impl World {
    fn new() -> Self {
        let key = Key::new();
        let target = Draft::new("Root", "Target", &Key::new()).serial(&[5]).certificate(&key);
        Self { key, target, evidence: evidence([]) }
    }

    fn add(&mut self, response: &Response, signer: &Key) {
        let der = response.sign(&self.key, signer);
        self.evidence.add_ocsp_response_der(&der, Origin::Held).unwrap();
    }

    fn judge(&self) -> Judgement {
        let trusted = anchor(&root("Root", &self.key, []), AnchorRule::NameAndKey);
        let settings = Settings { revocation: RevocationRule::required_at(NOW_S), ..settings(&[&trusted]) };
        judge(&self.target, &self.evidence, &settings)
    }
}

/// Judges with one response, signed by the CA.
fn by_ca(change: impl FnOnce(&mut Response)) -> Judgement {
    let mut world = World::new();
    let mut response = Response::new(GOOD);
    change(&mut response);
    let der = response.sign(&world.key, &world.key);
    world.evidence.add_ocsp_response_der(&der, Origin::Embedded).unwrap();
    world.judge()
}

fn why(judgement: &Judgement) -> Vec<WhyNotUsed> {
    match &judgement.failure {
        Some(Failure::StatusUnknown { not_used, .. }) => not_used.iter().map(|one| one.why.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_ca_answers_by_name_and_key_for_both_digests() {
    for by_key in [false, true] {
        for digest in [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256] {
            let judgement = by_ca(|response| {
                response.by_key = by_key;
                response.digest = digest;
            });
            assert!(judgement.is_good(), "{:?}", judgement.failure);
            match &judgement.chain.unwrap().links[0].status {
                CertificateStatus::Good(sources) => {
                    assert_eq!((sources[0].kind, sources[0].origin), (SourceKind::OcspResponse, Origin::Embedded));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn revoked_and_unknown() {
    let judgement = by_ca(|response| response.status = revoked(NOW_S - DAY_S, 1));
    match judgement.failure {
        Some(Failure::Revoked { revocation, .. }) => {
            assert_eq!((revocation.reason_number, revocation.revocation_date_s), (Some(1), NOW_S - DAY_S));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(why(&by_ca(|response| response.status = UNKNOWN.to_vec())), [WhyNotUsed::UnknownToResponder]);
}

#[test]
fn freshness_and_critical_extensions() {
    let stale = by_ca(|response| response.next_update_s = Some(NOW_S - 1));
    assert_eq!(why(&stale), [WhyNotUsed::Stale]);
    assert_eq!(why(&by_ca(|response| response.this_update_s = NOW_S + 1)), [WhyNotUsed::NotYetCurrent]);
    assert_eq!(why(&by_ca(|response| response.next_update_s = None)), [WhyNotUsed::NoNextUpdate]);
    let unknown = extension(&[0x2a, 3], true, &[5, 0]);
    let unknown = tlv(writer::context(1), &[&tlv(writer::SEQUENCE, &[&unknown])]);
    assert_eq!(why(&by_ca(|response| response.single_extensions = unknown)), [WhyNotUsed::Obstacle]);
}

/// A world whose answer is signed by a delegate with these extensions, issued by the CA or by another key.
fn by_delegate(extensions: Vec<Vec<u8>>, issued_by_ca: bool, change: impl FnOnce(&mut Draft)) -> World {
    let mut world = World::new();
    let delegate = Key::new();
    let mut draft = Draft::new("Root", "Responder", &delegate).serial(&[8]).with(extensions);
    change(&mut draft);
    let certificate = draft.sign(if issued_by_ca { &world.key } else { &delegate });
    let response = Response { certificates: vec![certificate], responder: "Responder", ..Response::new(GOOD) };
    world.add(&response, &delegate);
    world
}

pub(super) fn ocsp_signing() -> Vec<u8> {
    let purpose = tlv(writer::OBJECT_IDENTIFIER, &[oid::OCSP_SIGNING]);
    extension(oid::EXTENDED_KEY_USAGE, false, &tlv(writer::SEQUENCE, &[&purpose]))
}

pub(super) fn no_check() -> Vec<u8> {
    extension(oid::OCSP_NO_CHECK, false, &[5, 0])
}

#[test]
fn a_delegate_answers_for_its_ca() {
    assert!(by_delegate(vec![ocsp_signing(), no_check()], true, |_| {}).judge().is_good());
    let forged = by_delegate(vec![ocsp_signing(), no_check()], false, |_| {});
    assert_eq!(why(&forged.judge()), [WhyNotUsed::SignerNotTrusted]);
    let no_purpose = by_delegate(vec![no_check()], true, |_| {});
    assert_eq!(why(&no_purpose.judge()), [WhyNotUsed::SignerNotAllowed]);
    let expired = by_delegate(vec![ocsp_signing(), no_check()], true, |draft| draft.until = b"240101000000Z");
    assert_eq!(why(&expired.judge()), [WhyNotUsed::SignerOutOfBounds]);
    let of_another = by_delegate(vec![ocsp_signing(), no_check()], true, |draft| draft.issuer = name("Other"));
    assert_eq!(why(&of_another.judge()), [WhyNotUsed::NoSigner]);
}

#[test]
fn a_delegates_certificate_may_be_held_beside_its_answer() {
    for by_key in [false, true] {
        let mut world = World::new();
        let delegate = Key::new();
        let draft = Draft::new("Root", "Responder", &delegate).serial(&[8]).with([ocsp_signing(), no_check()]);
        world.add(&Response { by_key, responder: "Responder", ..Response::new(GOOD) }, &delegate);
        assert_eq!(why(&world.judge()), [WhyNotUsed::NoSigner]);
        world.evidence.add_certificate(draft.certificate(&world.key), Origin::Embedded).unwrap();
        assert!(world.judge().is_good());
    }
}

#[test]
fn a_delegate_without_nocheck_has_a_status_of_its_own() {
    let mut world = by_delegate(vec![ocsp_signing()], true, |_| {});
    assert_eq!(why(&world.judge()), [WhyNotUsed::SignerNotTrusted]);
    // A CRL that lists only the responder: it settles both, so that the answer fails and the CRL does not.
    let listed = [crl::EntryFields::new(&[8], NOW_S - DAY_S)];
    let key = &world.key;
    world.evidence.add_crl_der(&CrlDraft::new("Root", key).sign(&listed, key), Origin::Held).unwrap();
    match &world.judge().chain.unwrap().links[0].status {
        CertificateStatus::Good(sources) => assert_eq!(sources.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_ocsp_and_crl_differ_the_certificate_is_revoked() {
    let mut world = World::new();
    let der = Response::new(GOOD).sign(&world.key, &world.key);
    world.evidence.add_ocsp_response_der(&der, Origin::Held).unwrap();
    let listed = [crl::EntryFields::new(&[5], NOW_S - DAY_S)];
    let crl = CrlDraft::new("Root", &world.key).sign(&listed, &world.key);
    world.evidence.add_crl_der(&crl, Origin::Held).unwrap();
    assert!(matches!(world.judge().failure, Some(Failure::Revoked { .. })));
}

#[test]
fn an_answer_of_another_ca_or_signed_by_nobody() {
    let mut world = World::new();
    let (other, key) = (Key::new(), Key::new());
    let der = Response::new(GOOD).sign(&other, &other);
    world.evidence.add_ocsp_response_der(&der, Origin::Held).unwrap();
    assert_eq!(why(&world.judge()), [WhyNotUsed::OtherCertId]);
    world.add(&Response::new(GOOD), &key);
    assert!(why(&world.judge()).iter().any(|why| matches!(why, WhyNotUsed::Signature(_))));
}

#[test]
fn what_is_no_answer_is_refused() {
    let read = |der: &[u8]| HeldOcspResponse::from_der(der, Origin::Held).map(|_| ());
    assert_eq!(read(&[0x30, 3, 0x0a, 1, 3]), Err(OcspResponseError::NotSuccessful { status: 3 }));
    assert!(matches!(read(&[0x30, 3, 0x0a, 1, 0]), Err(OcspResponseError::Malformed(_))));
    let key = Key::new();
    let der = Response::new(GOOD).sign(&key, &key);
    for end in 0..der.len() {
        assert!(read(&der[..end]).is_err());
    }
    // A BasicOCSPResponse as documents embed it.
    let at = der.windows(9).position(|window| window == [0x2b, 6, 1, 5, 5, 7, 48, 1, 1]).unwrap();
    let basic = crate::asn1::Reader::new(&der[at + 9..]).read().unwrap().content;
    assert_eq!(read(basic), Ok(()));
}

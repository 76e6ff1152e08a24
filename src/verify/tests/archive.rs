//! Archive timestamps: each imprint is computed a second time here, from the octets that the message was written of.

use std::collections::BTreeSet;
use std::ops::Range;

use super::message::{Message, SHA256, Signer, attribute};
use super::pki::{CrlDraft, DAY_S, Draft, Key, NOW_S, anchor, extension, root, settings};
use crate::asn1::writer::{self, tlv};
use crate::crypto::sha256;
use crate::verify::cms::{
    ArchiveFault, ArchiveImprint, CmsError, Content, Coverage, EmbeddedKind, NotTaken, SignedData, SignerFault, oid,
};
use crate::verify::signature::Digest;
use crate::verify::{
    AnchorRule, ChainTime, Evidence, EvidenceError, Stamped, TimestampToken, judge_timestamp, oid as extension_oid,
};

const CONTENT: &[u8] = b"what is kept";
const SHA512: &[u8] = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];

fn digest(octets: &[u8]) -> Vec<u8> {
    Digest::Sha256.of(octets).unwrap()
}

/// A timestamping authority that is its own root.
struct Authority {
    key: Key,
    certificate: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = Key::new();
        let purpose = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::TIME_STAMPING])]);
        let purpose = extension(extension_oid::EXTENDED_KEY_USAGE, true, &purpose);
        let certificate = root("TSA", &key, [purpose]).der().to_vec();
        Self { key, certificate }
    }

    /// A token of so many days after `NOW_S`, with these unsigned attributes.
    fn token(&self, imprint: &[u8], day: u8, unsigned: Vec<Vec<u8>>) -> Vec<u8> {
        let imprint = tlv(writer::SEQUENCE, &[SHA256, &tlv(writer::OCTET_STRING, &[imprint])]);
        let time = tlv(writer::GENERALIZED_TIME, &[format!("202501{:02}000000Z", day + 1).as_bytes()]);
        let info = tlv(writer::SEQUENCE, &[&[2, 1, 1], &[6, 1, 0x2a], &imprint, &[2, 1, 7], &time]);
        let purpose = tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::TIME_STAMPING])]);
        let purpose = extension(extension_oid::EXTENDED_KEY_USAGE, true, &purpose);
        let mut signer = Signer::new("TSA", &self.key, 7, vec![purpose]).over(oid::TST_INFO, &info);
        signer.unsigned = unsigned;
        let mut message = Message::new(oid::TST_INFO, Some(&info)).signed_by(&signer, &info);
        message.certificates.extend_from_slice(&self.certificate);
        message.der()
    }
}

/// An ats-hash-index of any version: its algorithm, or none, and the hashes.
fn index(kind: &[u8], algorithm: &[u8], lists: [&[Vec<u8>]; 3]) -> Vec<u8> {
    let list = |hashes: &[Vec<u8>]| {
        let items: Vec<u8> = hashes.iter().flat_map(|hash| tlv(writer::OCTET_STRING, &[hash])).collect();
        tlv(writer::SEQUENCE, &[&items])
    };
    let [certificates, revocations, attributes] = lists.map(list);
    attribute(kind, &[&tlv(writer::SEQUENCE, &[algorithm, &certificates, &revocations, &attributes])])
}

/// The parts of a message that is archived, as they were written.
struct Case {
    authority: Authority,
    content: Option<&'static [u8]>,
    certificates: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
    /// The signer's fields up to the signature.
    signed: Vec<u8>,
    unsigned: Vec<Vec<u8>>,
    signature_timestamp: Vec<u8>,
    held: Vec<u8>,
    crl: Vec<u8>,
    response: Vec<u8>,
}

impl Case {
    fn new(content: Option<&'static [u8]>) -> Self {
        let (ca, authority) = (Key::new(), Authority::new());
        let signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
        let info = signer.info(CONTENT);
        let signed = info[header_of(&info)..].to_vec();
        let held = Draft::new("Root", "CA", &ca).sign(&Key::new());
        let crl = CrlDraft::new("CA", &ca).sign(&[], &ca);
        let response = vec![0x30, 3, 4, 1, 7];
        let format = tlv(writer::OBJECT_IDENTIFIER, &[oid::OCSP_RESPONSE]);
        let other = tlv(writer::context(1), &[&format, &response]);
        let signature_timestamp = authority.token(&[1; 32], 1, Vec::new());
        let values = |octets: &[u8]| tlv(writer::SEQUENCE, &[octets]);
        let revocation_values = tlv(writer::SEQUENCE, &[&tlv(writer::context(0), &[&values(&crl)])]);
        let unsigned = vec![
            attribute(oid::SIGNATURE_TIMESTAMP, &[&signature_timestamp]),
            attribute(oid::CERTIFICATE_VALUES, &[&values(&held)]),
            attribute(oid::REVOCATION_VALUES, &[&revocation_values]),
        ];
        let certificates = vec![signer.certificate.der().to_vec()];
        let crls = vec![other];
        Self { authority, content, certificates, crls, signed, unsigned, signature_timestamp, held, crl, response }
    }

    fn unsigned_field(&self) -> Vec<u8> {
        tlv(writer::context(1), &[&self.unsigned.concat()])
    }

    fn message(&self) -> Vec<u8> {
        let mut message = Message::new(oid::DATA, self.content);
        message.certificates = self.certificates.concat();
        message.crls = self.crls.concat();
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { self.unsigned_field() };
        message.signers = vec![tlv(writer::SEQUENCE, &[&self.signed, &unsigned])];
        message.der()
    }

    /// The hashes of everything that is there, each attribute having one value.
    fn hashes(&self) -> [Vec<Vec<u8>>; 3] {
        let of = |list: &[Vec<u8>]| list.iter().map(|octets| digest(octets)).collect();
        // attrType and the value: the attribute without its own header and without the SET's.
        let single = |attribute: &Vec<u8>| {
            let content = &attribute[header_of(attribute)..];
            let kind = &content[..2 + usize::from(content[1])];
            let set = &content[kind.len()..];
            digest(&[kind, &set[header_of(set)..]].concat())
        };
        [of(&self.certificates), of(&self.crls), self.unsigned.iter().map(single).collect()]
    }

    /// The token's index and what its imprint must be, by EN 319 122-1 §5.5.3.
    fn v3(&self) -> (Vec<u8>, Vec<u8>) {
        let hashes = self.hashes();
        let index = index(oid::ATS_HASH_INDEX_V3, SHA256, [&hashes[0], &hashes[1], &hashes[2]]);
        let imprint = self.imprint_with(&index);
        (index, imprint)
    }

    fn imprint_with(&self, index: &[u8]) -> Vec<u8> {
        let content_type = [&[6, 9], oid::DATA].concat();
        let set = &index[header_of(index)..][2 + usize::from(index[header_of(index) + 1])..];
        digest(&[&content_type, &digest(CONTENT), &self.signed, &set[header_of(set)..]].concat())
    }
}

/// How many octets a value's tag and length take.
fn header_of(value: &[u8]) -> usize {
    match value[1] {
        long @ 0x81.. => 2 + usize::from(long & 0x7f),
        _ => 2,
    }
}

fn v3(message: &[u8], content: Content<'_>, token: &[u8]) -> Result<ArchiveImprint, ArchiveFault> {
    let data = SignedData::from_der(message).unwrap();
    let token = SignedData::from_der(token).unwrap();
    data.archive_timestamp_v3(&data.signers[0], content, &token, Digest::Sha256)
}

fn v2(message: &[u8], content: Content<'_>, token: &[u8]) -> Result<ArchiveImprint, ArchiveFault> {
    let data = SignedData::from_der(message).unwrap();
    let token = SignedData::from_der(token).unwrap();
    data.archive_timestamp_v2(&data.signers[0], content, &token, Digest::Sha256)
}

fn set(list: &[&[u8]]) -> BTreeSet<[u8; 32]> {
    list.iter().map(|octets| sha256(octets)).collect()
}

/// Everything that a case has.
fn everything(case: &Case) -> Coverage {
    let token = SignedData::from_der(&case.signature_timestamp).unwrap();
    let mut certificates = set(&[&case.certificates[0], &case.held]);
    certificates.extend(set(&token.certificates));
    assert_eq!(certificates.len(), 4);
    Coverage {
        content: true,
        signature: true,
        certificates,
        crls: set(&[&case.crl]),
        ocsp_responses: set(&[&case.response]),
        timestamps: set(&[&case.signature_timestamp]),
        counter_signatures: BTreeSet::new(),
    }
}

#[test]
fn a_token_of_version_3_is_over_what_its_index_lists() {
    let mut case = Case::new(Some(CONTENT));
    let (index, imprint) = case.v3();
    let token = case.authority.token(&imprint, 2, vec![index]);
    let expected = everything(&case);
    case.unsigned.push(attribute(oid::ARCHIVE_TIMESTAMP_V3, &[&token]));
    let later = Draft::new("Root", "Later", &Key::new()).sign(&Key::new());
    case.certificates.push(later.clone());
    let message = case.message();
    let found = v3(&message, Content::Attached, &token).unwrap();
    assert_eq!(found.imprints, [imprint]);
    assert_eq!(found.index_digest, Some(Digest::Sha256));
    assert_eq!(found.coverage, expected);
    assert!(!found.coverage.certificates.contains(&sha256(&later)));

    // The token itself holds over that imprint, and over no other.
    let parsed = TimestampToken::from_der(&token).unwrap();
    let mut evidence = Evidence::new();
    SignedData::from_der(&message).unwrap().add_to(&mut evidence);
    let authority = crate::verify::Certificate::from_der(&case.authority.certificate).unwrap();
    let trusted = anchor(&authority.into(), AnchorRule::NameAndKey);
    let judged = |value: &[u8]| {
        let stamped = Stamped::Digest { digest: Digest::Sha256, value };
        let settings = crate::verify::Settings { time_s: NOW_S + 9 * DAY_S, ..settings(&[&trusted]) };
        judge_timestamp(&parsed, stamped, ChainTime::GenTime, &evidence, &settings).is_good()
    };
    assert!(judged(&found.imprints[0]));
    assert!(!judged(&[0; 32]));
}

#[test]
fn a_token_of_version_3_does_not_outlive_a_change() {
    let case = Case::new(Some(CONTENT));
    let (index, imprint) = case.v3();
    let token = case.authority.token(&imprint, 2, vec![index]);
    let message = case.message();
    let span = |part: &[u8]| -> Range<usize> {
        let at = message.windows(part.len()).position(|window| window == part).unwrap();
        at..at + part.len()
    };
    let parts = [&case.certificates, &case.crls, &case.unsigned].into_iter().flatten();
    let mut covered: Vec<Range<usize>> = parts.map(|part| span(part)).collect();
    covered.extend([span(&case.signed), span(CONTENT), span(&[&[6, 9], oid::DATA].concat())]);
    let mut tried = 0;
    for at in covered.into_iter().flatten() {
        let mut altered = message.clone();
        altered[at] ^= 1;
        let Ok(data) = SignedData::from_der(&altered) else { continue };
        let Some(signer) = data.signers.first() else { continue };
        let stamp = SignedData::from_der(&token).unwrap();
        let found = data.archive_timestamp_v3(signer, Content::Attached, &stamp, Digest::Sha256);
        assert!(!found.is_ok_and(|found| found.imprints.contains(&imprint)), "octet {at}");
        tried += 1;
    }
    assert!(tried > 2000, "{tried}");
    let mut without = case;
    let gone = |what| Err(ArchiveFault::NotInMessage { what, count: 1 });
    let certificates = std::mem::take(&mut without.certificates);
    assert_eq!(v3(&without.message(), Content::Attached, &token), gone("certificates"));
    without.certificates = certificates;
    without.unsigned.remove(1);
    assert_eq!(v3(&without.message(), Content::Attached, &token), gone("unsigned attributes"));
}

#[test]
fn older_indexes_have_the_hashes_of_whole_attributes() {
    let case = Case::new(None);
    let [certificates, revocations, single] = case.hashes();
    let whole: Vec<Vec<u8>> = case.unsigned.iter().map(|one| digest(one)).collect();
    let by = |kind: &[u8], algorithm: &[u8], attributes: &[Vec<u8>]| {
        let index = index(kind, algorithm, [&certificates, &revocations, attributes]);
        let imprint = case.imprint_with(&index);
        let token = case.authority.token(&imprint, 2, vec![index]);
        let found = v3(&case.message(), Content::Detached(CONTENT), &token)?;
        assert_eq!(found.imprints, [imprint]);
        assert_eq!(found.coverage, everything(&case));
        let value = digest(CONTENT);
        let given = Content::DetachedDigest { digest: Digest::Sha256, value: &value };
        assert_eq!(v3(&case.message(), given, &token).as_ref(), Ok(&found));
        Ok(())
    };
    assert_eq!(by(oid::ATS_HASH_INDEX, SHA256, &whole), Ok(()));
    // SHA-256 is the first version's default.
    assert_eq!(by(oid::ATS_HASH_INDEX, &[], &whole), Ok(()));
    assert_eq!(by(oid::ATS_HASH_INDEX_V2, SHA256, &whole), Ok(()));
    let missing = Err(ArchiveFault::NotInMessage { what: "unsigned attributes", count: 3 });
    assert_eq!(by(oid::ATS_HASH_INDEX, SHA256, &single), missing);
    assert_eq!(by(oid::ATS_HASH_INDEX_V3, SHA256, &whole), missing);
    assert!(matches!(by(oid::ATS_HASH_INDEX_V2, &[], &whole), Err(ArchiveFault::IndexAlgorithm(_))));
}

#[test]
fn an_index_that_says_nothing_is_refused_by_name() {
    let case = Case::new(None);
    let fault = |unsigned: Vec<Vec<u8>>| {
        v3(&case.message(), Content::Detached(CONTENT), &case.authority.token(&[0; 32], 2, unsigned)).unwrap_err()
    };
    let empty = |algorithm: &[u8]| index(oid::ATS_HASH_INDEX_V3, algorithm, [&[], &[], &[]]);
    assert_eq!(fault(Vec::new()), ArchiveFault::NoIndex);
    assert_eq!(fault(vec![empty(SHA256), empty(SHA256)]), ArchiveFault::SeveralIndexes { count: 2 });
    let differs = ArchiveFault::IndexAlgorithmDiffers { index: Digest::Sha512, imprint: Digest::Sha256 };
    assert_eq!(fault(vec![empty(SHA512)]), differs);
    assert!(matches!(fault(vec![attribute(oid::ATS_HASH_INDEX_V3, &[&[5, 0]])]), ArchiveFault::Index(_)));
    let many: Vec<Vec<u8>> = (0..1025_u32).map(|number| number.to_be_bytes().to_vec()).collect();
    let many = index(oid::ATS_HASH_INDEX_V3, SHA256, [&many, &[], &[]]);
    assert!(matches!(fault(vec![many]), ArchiveFault::Index(_)));

    let token = case.authority.token(&[0; 32], 2, vec![empty(SHA256)]);
    let missing = v3(&case.message(), Content::Attached, &token);
    assert_eq!(missing, Err(ArchiveFault::Content(SignerFault::NoContent)));
    let given = Content::DetachedDigest { digest: Digest::Sha512, value: &[0; 64] };
    let other = SignerFault::DigestNotGiven { digest: Digest::Sha256 };
    assert_eq!(v3(&case.message(), given, &token), Err(ArchiveFault::Content(other)));
    // An index of nothing covers the content and the signature alone.
    let found = v3(&case.message(), Content::Detached(CONTENT), &token).unwrap();
    assert_eq!(found.coverage, Coverage { content: true, signature: true, ..Coverage::default() });
}

#[test]
fn a_signature_covers_the_timestamps_that_it_signs() {
    let authority = Authority::new();
    let token = authority.token(&digest(CONTENT), 0, Vec::new());
    let mut signer = Signer::new("CA", &Key::new(), 7, Vec::new()).over(oid::DATA, CONTENT);
    let crl = CrlDraft::new("CA", &Key::new()).sign(&[], &Key::new());
    signer.attributes.push(attribute(oid::CONTENT_TIMESTAMP, &[&token]));
    signer.attributes.sort();
    let mut message = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT);
    message.crls = crl.repeat(3);
    let der = message.der();
    let data = SignedData::from_der(&der).unwrap();
    let covered = Coverage::of_signature(&data.signers[0]);
    let certificates = set(&SignedData::from_der(&token).unwrap().certificates);
    let (timestamps, signature) = (set(&[&token]), true);
    assert_eq!(covered, Coverage { signature, timestamps, certificates, ..Coverage::default() });
    // They are evidence too, and the CRL that is there three times is one.
    let mut evidence = Evidence::new();
    assert_eq!(data.add_to(&mut evidence), []);
    assert_eq!((evidence.certificates().len(), evidence.crls().len()), (3, 1));
}

#[test]
fn a_token_of_version_2_is_over_all_that_was_there_before() {
    for attached in [true, false] {
        let mut case = Case::new(attached.then_some(CONTENT));
        let given = if attached { Content::Attached } else { Content::Detached(CONTENT) };
        let encapsulated = if attached {
            tlv(writer::SEQUENCE, &[&[6, 9], oid::DATA, &[0xa0, 14, 4, 12], CONTENT])
        } else {
            [&[0x30, 11, 6, 9], oid::DATA, CONTENT].concat()
        };
        let expected = |case: &Case, unsigned: &[u8]| {
            let certificates = tlv(0xa0, &[&case.certificates.concat()]);
            digest(&[&encapsulated, &certificates, &tlv(0xa1, &[&case.crls.concat()]), &case.signed, unsigned].concat())
        };
        let both = |case: &Case| [expected(case, &case.unsigned_field()), expected(case, &case.unsigned.concat())];
        let first = case.authority.token(&both(&case)[0], 2, Vec::new());
        let (wanted, covered) = (both(&case), everything(&case));
        assert_eq!(v2(&case.message(), given, &first).unwrap().imprints, wanted);

        // What came later is not in it: the token itself, and the next, which covers the first.
        case.unsigned.push(attribute(oid::ARCHIVE_TIMESTAMP_V2, &[&first]));
        let next_wanted = both(&case);
        let next = case.authority.token(&next_wanted[0], 3, Vec::new());
        case.unsigned[3] = attribute(oid::ARCHIVE_TIMESTAMP_V2, &[&first, &next]);
        let message = case.message();
        let found = v2(&message, given, &first).unwrap();
        assert_eq!((found.imprints, found.coverage, found.index_digest), (wanted.to_vec(), covered, None));
        let found = v2(&message, given, &next).unwrap();
        assert_eq!(found.imprints, next_wanted);
        assert!(found.coverage.timestamps.contains(&sha256(&first)));
        assert!(!found.coverage.timestamps.contains(&sha256(&next)));

        let plain = Case { unsigned: Vec::new(), ..case };
        assert_eq!(v2(&plain.message(), given, &first).unwrap().imprints, [expected(&plain, &[])]);
        let no_token = v2(&plain.message(), given, &plain.message());
        assert!(matches!(no_token, Err(ArchiveFault::TstInfo(_))), "{no_token:?}");
    }
    let case = Case::new(None);
    let token = case.authority.token(&[0; 32], 2, Vec::new());
    let value = digest(CONTENT);
    let given = Content::DetachedDigest { digest: Digest::Sha256, value: &value };
    let needed = Err(ArchiveFault::Content(SignerFault::ContentNeeded));
    assert_eq!(v2(&case.message(), given, &token), needed);
}

#[test]
fn what_tokens_and_counter_signatures_carry_becomes_evidence_three_deep() {
    let ca = Key::new();
    let mut signer = Signer::new("CA", &ca, 7, Vec::new()).over(oid::DATA, CONTENT);
    // Each has a certificate of its own beside the authority's.
    let authority = Authority::new();
    let mut inner = authority.token(&[0; 32], 0, Vec::new());
    for _ in 0..3 {
        inner = authority.token(&[0; 32], 0, vec![attribute(oid::ARCHIVE_TIMESTAMP_V3, &[&inner])]);
    }
    signer.unsigned = vec![attribute(oid::SIGNATURE_TIMESTAMP, &[&inner])];
    let der = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT).der();
    let mut evidence = Evidence::new();
    assert_eq!(SignedData::from_der(&der).unwrap().add_to(&mut evidence), []);
    // The signer's, the authority's root, and those of three tokens out of four.
    assert_eq!(evidence.certificates().len(), 5);

    let mut counter = Signer::new("CA", &ca, 8, Vec::new()).over(oid::DATA, b"");
    counter.unsigned = vec![attribute(oid::SIGNATURE_TIMESTAMP, &[&authority.token(&[0; 32], 0, Vec::new())])];
    signer.unsigned = vec![
        attribute(oid::COUNTER_SIGNATURE, &[&counter.info(b"")]),
        attribute(oid::SIGNATURE_TIMESTAMP, &[&[0x30, 0]]),
    ];
    let der = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT).der();
    let mut evidence = Evidence::new();
    let not_taken = SignedData::from_der(&der).unwrap().add_to(&mut evidence);
    assert_eq!(evidence.certificates().len(), 3);
    let broken = |one: &NotTaken| {
        one.kind == EmbeddedKind::Timestamp && matches!(one.error, EvidenceError::Cms(CmsError::Malformed(_)))
    };
    assert!(not_taken.len() == 1 && not_taken.iter().all(broken), "{not_taken:?}");
}

#[test]
fn attributes_full_of_pieces_are_read_up_to_a_limit() {
    let mut signer = Signer::new("CA", &Key::new(), 7, Vec::new()).over(oid::DATA, CONTENT);
    let values = tlv(writer::SEQUENCE, &[&[0x30, 0].repeat(4097)]);
    signer.unsigned = vec![attribute(oid::CERTIFICATE_VALUES, &[&values])];
    let der = Message::new(oid::DATA, Some(CONTENT)).signed_by(&signer, CONTENT).der();
    let mut evidence = Evidence::new();
    let not_taken = SignedData::from_der(&der).unwrap().add_to(&mut evidence);
    let certificate = |one: &NotTaken| one.kind == EmbeddedKind::Certificate;
    assert!(not_taken.len() == 2 && certificate(&not_taken[1]), "{not_taken:?}");
    let limit = EvidenceError::Cms(CmsError::TooMany { what: "embedded pieces", limit: 4096 });
    assert_eq!(not_taken[0], NotTaken { kind: EmbeddedKind::Values, error: limit });
}

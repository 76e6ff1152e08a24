//! A small world: a root, a CA and a signer, a TSA's CA and its unit; what they sign, and what is judged of it.

use std::sync::Arc;

use crl::{EntryFields, ReasonCode};

use crate::asn1::writer::{self, tlv};
use crate::asn1::{Oid, Reader};
use crate::clock::from_rfc3339;
use crate::verify::blocks::{Anchors, ChainMemory, Context};
use crate::verify::cms::{Content, SignerInfo, oid};
use crate::verify::policy::Policy;
use crate::verify::report::{CheckReport, Report, SignatureReport};
use crate::verify::signature::Digest;
use crate::verify::tests::archive::{digest, header_of, index};
use crate::verify::tests::message::{Message, SHA256, Signer, attribute, signing_certificate_v2};
use crate::verify::tests::pki::{CrlDraft, Draft, Key, anchor, ca, root};
use crate::verify::tests::timestamps::purposes;
use crate::verify::{AnchorRule, Certificate, Document, Evidence, Origin};

pub(super) const CONTENT: &[u8] = b"what is signed";
/// The serial numbers of those who are revoked in one scenario or another.
pub(super) const CA: &[u8] = &[2];
pub(super) const TSA_CA: &[u8] = &[3];
pub(super) const SIGNER: &[u8] = &[7];
pub(super) const UNIT: &[u8] = &[9];
const SHA1: &[u8] = &[0x30, 7, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a];
const ECDSA_SHA1: &[u8] = &[0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];

/// A day's begin, or a whole time, in seconds since 1970.
pub(super) fn at(time: &str) -> i64 {
    let whole = if time.contains('T') { time.to_owned() } else { format!("{time}T00:00:00Z") };
    from_rfc3339(&whole).unwrap_or_else(|| panic!("{time}"))
}

/// An entry of a CRL.
pub(super) fn revoked<'s>(serial: &'s [u8], reason: Option<ReasonCode>, date: &str) -> EntryFields<'s> {
    EntryFields { reason, ..EntryFields::new(serial, at(date)) }
}

/// The default policy with this changed.
pub(super) fn policy(text: &str) -> Policy {
    Policy::from_toml(text, "changed").unwrap_or_else(|error| panic!("{error}"))
}

/// A CA.
pub(super) struct Issuer {
    pub(super) name: &'static str,
    pub(super) key: Key,
    pub(super) certificate: Arc<Certificate>,
}

impl Issuer {
    pub(super) fn root(name: &'static str) -> Self {
        let key = Key::new();
        let certificate = root(name, &key, []);
        Self { name, key, certificate }
    }

    /// A CA below this one.
    pub(super) fn issuer(&self, name: &'static str, serial: &[u8], life: Life) -> Self {
        let key = Key::new();
        let certificate = self.issue(name, serial, &key, life, ca());
        Self { name, key, certificate }
    }

    pub(super) fn issue(
        &self,
        subject: &str,
        serial: &[u8],
        key: &Key,
        life: Life,
        extensions: Vec<Vec<u8>>,
    ) -> Arc<Certificate> {
        let draft = Draft::new(self.name, subject, key).serial(serial).with(extensions);
        Draft { from: life.0, until: life.1, ..draft }.certificate(&self.key)
    }

    /// A CRL from one day to another.
    pub(super) fn crl(&self, from: &str, until: &str, entries: &[EntryFields<'_>]) -> Vec<u8> {
        let mut draft = CrlDraft::new(self.name, &self.key);
        draft.fields.this_update_s = at(from);
        draft.fields.next_update_s = at(until);
        draft.sign(entries, &self.key)
    }
}

/// A certificate's begin and end, as UTCTime.
pub(super) type Life = (&'static [u8], &'static [u8]);

/// What is not as usual.
pub(super) struct Plan {
    pub(super) ca: Life,
    pub(super) signer: Life,
    pub(super) signer_extensions: Vec<Vec<u8>>,
    pub(super) tsa_ca: Life,
    pub(super) unit: Life,
}

impl Plan {
    /// CAs from 2000 to 2045, the signer from 2020 to 2030, the unit from 2008 to 2044.
    pub(super) fn new() -> Self {
        Self {
            ca: (b"000101000000Z", b"450101000000Z"),
            signer: (b"200101000000Z", b"300101000000Z"),
            signer_extensions: Vec::new(),
            tsa_ca: (b"000101000000Z", b"450101000000Z"),
            unit: (b"080101000000Z", b"440101000000Z"),
        }
    }
}

/// Who there is, and what the verifier holds.
pub(super) struct World {
    pub(super) root: Issuer,
    pub(super) ca: Issuer,
    pub(super) tsa_ca: Issuer,
    pub(super) unit: Unit,
    pub(super) signer_key: Key,
    pub(super) signer: Arc<Certificate>,
    pub(super) anchors: Anchors,
    pub(super) held: Evidence,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Plan::new())
    }

    pub(super) fn with(plan: Plan) -> Self {
        let root = Issuer::root("Root");
        let ca = root.issuer("CA", CA, plan.ca);
        let tsa_ca = root.issuer("TSA CA", TSA_CA, plan.tsa_ca);
        let signer_key = Key::new();
        let signer = ca.issue("Signer", SIGNER, &signer_key, plan.signer, plan.signer_extensions);
        let unit = Unit::new(&tsa_ca, "Unit", UNIT, plan.unit);
        let anchors = Anchors::for_everything(vec![anchor(&root.certificate, AnchorRule::NameAndKey)]);
        Self { root, ca, tsa_ca, unit, signer_key, signer, anchors, held: Evidence::new() }
    }

    /// Holds a CRL.
    pub(super) fn hold(&mut self, crl: &[u8]) -> &mut Self {
        self.held.add_crl_der(crl, Origin::Held).unwrap();
        self
    }

    /// The CRLs of root, CA and TSA CA, with nothing in them.
    pub(super) fn crls(&self, from: &str, until: &str) -> [Vec<u8>; 3] {
        [&self.root, &self.ca, &self.tsa_ca].map(|issuer| issuer.crl(from, until, &[]))
    }

    /// Holds these.
    pub(super) fn hold_crls(&mut self, from: &str, until: &str) -> &mut Self {
        for crl in self.crls(from, until) {
            self.hold(&crl);
        }
        self
    }

    /// Holds those of root and TSA CA, and of the CA one with an entry.
    pub(super) fn hold_revocation(&mut self, from: &str, until: &str, entry: &EntryFields<'_>) -> &mut Self {
        for (issuer, entries) in [(&self.root, &[][..]), (&self.tsa_ca, &[]), (&self.ca, std::slice::from_ref(entry))] {
            self.held.add_crl_der(&issuer.crl(from, until, entries), Origin::Held).unwrap();
        }
        self
    }

    pub(super) fn signing(&self) -> Signer {
        Signer {
            key: self.signer_key.clone(),
            certificate: Arc::clone(&self.signer),
            attributes: Vec::new(),
            signs_sorted: true,
            by_key_identifier: false,
            unsigned: Vec::new(),
        }
    }

    /// A message of level B.
    pub(super) fn sign(&self) -> Signed {
        self.sign_with(Vec::new())
    }

    /// With more signed attributes.
    pub(super) fn sign_with(&self, more: Vec<Vec<u8>>) -> Signed {
        let mut signer = self.signing().over(oid::DATA, CONTENT);
        signer.attributes.extend(more);
        signer.attributes.sort();
        Signed::of(&signer.info(CONTENT), SHA256, [&self.signer, &self.ca.certificate])
    }

    /// Whose content was stamped before it was signed.
    pub(super) fn sign_stamped(&self, unit: &Unit, time: &str) -> Signed {
        let token = unit.token(&digest(CONTENT), time, Vec::new());
        self.sign_with(vec![attribute(oid::CONTENT_TIMESTAMP, &[&token])])
    }

    /// Digest and signature by SHA-1.
    pub(super) fn sign_by_sha1(&self) -> Signed {
        self.sign_by_sha1_with(Vec::new())
    }

    /// The same, of content that was stamped before.
    pub(super) fn sign_stamped_by_sha1(&self, unit: &Unit, time: &str) -> Signed {
        let token = unit.token(&digest(CONTENT), time, Vec::new());
        self.sign_by_sha1_with(vec![attribute(oid::CONTENT_TIMESTAMP, &[&token])])
    }

    fn sign_by_sha1_with(&self, more: Vec<Vec<u8>>) -> Signed {
        let value = Digest::Sha1.of(CONTENT).unwrap();
        let mut attributes = vec![
            attribute(oid::CONTENT_TYPE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::DATA])]),
            attribute(oid::MESSAGE_DIGEST, &[&tlv(writer::OCTET_STRING, &[&value])]),
            signing_certificate_v2(&self.signer, &[]),
        ];
        attributes.extend(more);
        attributes.sort();
        let signature = self.signer_key.sign_by_sha1(&writer::set_of(writer::SET, attributes.clone()));
        let serial = tlv(writer::INTEGER, &[self.signer.serial()]);
        let info = tlv(
            writer::SEQUENCE,
            &[
                &[2, 1, 1],
                &tlv(writer::SEQUENCE, &[self.signer.issuer_der(), &serial]),
                SHA1,
                &tlv(writer::context(0), &[&attributes.concat()]),
                ECDSA_SHA1,
                &tlv(writer::OCTET_STRING, &[&signature]),
            ],
        );
        Signed::of(&info, SHA1, [&self.signer, &self.ca.certificate])
    }

    pub(super) fn judge(&self, signed: &Signed, now: &str) -> Found {
        self.judge_by(signed, now, Policy::default_policy())
    }

    pub(super) fn judge_by(&self, signed: &Signed, now: &str, policy: &Policy) -> Found {
        self.judge_der(&signed.der(), Content::Attached, now, policy)
    }

    pub(super) fn judge_der(&self, der: &[u8], content: Content<'_>, now: &str, policy: &Policy) -> Found {
        let mut report = self.report(der, content, now, policy, None);
        assert_eq!(report.signatures.len(), 1);
        Found(report.signatures.remove(0))
    }

    pub(super) fn report(
        &self,
        der: &[u8],
        content: Content<'_>,
        now: &str,
        policy: &Policy,
        kept: Option<&ChainMemory>,
    ) -> Report {
        let document = Document::read(der).unwrap();
        let mut evidence = self.held.clone();
        let not_taken = document.add_to(&mut evidence).unwrap();
        let context = Context {
            time_s: at(now),
            evidence_until_s: at(now),
            evidence: &evidence,
            policy,
            anchors: &self.anchors,
            kept,
        };
        let report = document.judge(content, context, &not_taken).unwrap();
        report.signatures.iter().for_each(check_report);
        report.timestamps.iter().for_each(|one| check(&one.indication, one.sub_indication.as_deref(), &one.checks));
        report
    }
}

/// A time-stamping unit.
pub(super) struct Unit {
    pub(super) key: Key,
    pub(super) certificate: Arc<Certificate>,
    /// Certificates in its tokens, beside its own.
    pub(super) above: Vec<Arc<Certificate>>,
    /// The TSA policy's content octets.
    pub(super) tsa_policy: Vec<u8>,
}

impl Unit {
    pub(super) fn new(issuer: &Issuer, name: &str, serial: &[u8], life: Life) -> Self {
        let key = Key::new();
        let certificate = issuer.issue(name, serial, &key, life, vec![purposes(true, &[oid::TIME_STAMPING])]);
        Self { key, certificate, above: vec![Arc::clone(&issuer.certificate)], tsa_policy: vec![0x2a] }
    }

    pub(super) fn token(&self, imprint: &[u8], time: &str, unsigned: Vec<Vec<u8>>) -> Vec<u8> {
        let imprint = tlv(writer::SEQUENCE, &[SHA256, &tlv(writer::OCTET_STRING, &[imprint])]);
        let time = jiff::Timestamp::from_second(at(time)).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
        let time = tlv(writer::GENERALIZED_TIME, &[time.as_bytes()]);
        let tsa_policy = tlv(writer::OBJECT_IDENTIFIER, &[&self.tsa_policy]);
        let info = tlv(writer::SEQUENCE, &[&[2, 1, 1], &tsa_policy, &imprint, &[2, 1, 7], &time]);
        let mut signer = Signer {
            key: self.key.clone(),
            certificate: Arc::clone(&self.certificate),
            attributes: Vec::new(),
            signs_sorted: true,
            by_key_identifier: false,
            unsigned: Vec::new(),
        }
        .over(oid::TST_INFO, &info);
        signer.unsigned = unsigned;
        let mut message = Message::new(oid::TST_INFO, Some(&info)).signed_by(&signer, &info);
        self.above.iter().for_each(|certificate| message.certificates.extend_from_slice(certificate.der()));
        message.der()
    }
}

/// A message in the making.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) crls: Vec<Vec<u8>>,
    /// The SignerInfo's fields up to the signature.
    pub(super) fields: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) unsigned: Vec<Vec<u8>>,
    pub(super) content: Option<&'static [u8]>,
    pub(super) digest_algorithm: &'static [u8],
}

impl Signed {
    pub(super) fn of(info: &[u8], digest_algorithm: &'static [u8], certificates: [&Arc<Certificate>; 2]) -> Self {
        Self {
            certificates: certificates.iter().map(|one| one.der().to_vec()).collect(),
            crls: Vec::new(),
            fields: info[header_of(info)..].to_vec(),
            signature: SignerInfo::from_der(info).unwrap().signature.to_vec(),
            unsigned: Vec::new(),
            content: Some(CONTENT),
            digest_algorithm,
        }
    }

    /// Carries CRLs.
    pub(super) fn carrying(mut self, crls: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.crls.extend(crls);
        self
    }

    /// Carries an OCSP response.
    pub(super) fn carrying_ocsp(mut self, response: &[u8]) -> Self {
        let format = tlv(writer::OBJECT_IDENTIFIER, &[oid::OCSP_RESPONSE]);
        self.crls.push(tlv(writer::context(1), &[&format, response]));
        self
    }

    /// A signature timestamp.
    pub(super) fn stamped(self, unit: &Unit, time: &str) -> Self {
        let token = unit.token(&digest(&self.signature), time, Vec::new());
        self.with(oid::SIGNATURE_TIMESTAMP, &token)
    }

    /// An unsigned attribute.
    pub(super) fn with(mut self, kind: &[u8], value: &[u8]) -> Self {
        self.unsigned.push(attribute(kind, &[value]));
        self
    }

    /// An archive timestamp over all that is there.
    pub(super) fn archived(self, unit: &Unit, time: &str) -> Self {
        let crls = self.crls.clone();
        self.archived_with(unit, time, &crls)
    }

    /// An archive timestamp whose index has these CRLs only.
    pub(super) fn archived_with(self, unit: &Unit, time: &str, crls: &[Vec<u8>]) -> Self {
        let of = |list: &[Vec<u8>]| -> Vec<Vec<u8>> { list.iter().map(|octets| digest(octets)).collect() };
        // attrType and the value: the attribute without its own header and without the SET's.
        let single = |attribute: &Vec<u8>| {
            let content = &attribute[header_of(attribute)..];
            let kind = &content[..2 + usize::from(content[1])];
            let set = &content[kind.len()..];
            digest(&[kind, &set[header_of(set)..]].concat())
        };
        let attributes: Vec<Vec<u8>> = self.unsigned.iter().map(single).collect();
        let index = index(oid::ATS_HASH_INDEX_V3, SHA256, [&of(&self.certificates), &of(crls), &attributes]);
        let mut attribute = Reader::new(&index).expect(writer::SEQUENCE).map(|all| Reader::new(all.content)).unwrap();
        attribute.expect(writer::OBJECT_IDENTIFIER).unwrap();
        let value = attribute.expect(writer::SET).unwrap().content;
        let content_type = tlv(writer::OBJECT_IDENTIFIER, &[oid::DATA]);
        let imprint = digest(&[&content_type, &digest(CONTENT), &self.fields, value].concat());
        let token = unit.token(&imprint, time, vec![index.clone()]);
        self.with(oid::ARCHIVE_TIMESTAMP_V3, &token)
    }

    pub(super) fn info(&self) -> Vec<u8> {
        let unsigned = match self.unsigned.as_slice() {
            [] => Vec::new(),
            list => tlv(writer::context(1), &[&list.concat()]),
        };
        tlv(writer::SEQUENCE, &[&self.fields, &unsigned])
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let mut message = Message::new(oid::DATA, self.content);
        message.version = if self.crls.iter().any(|one| one[0] == writer::context(1)) { 5 } else { 1 };
        message.digest_algorithms = self.digest_algorithm.to_vec();
        message.certificates = self.certificates.concat();
        message.crls = self.crls.concat();
        message.signers = vec![self.info()];
        message.der()
    }
}

/// What is concluded of a signature.
#[derive(Debug)]
pub(super) struct Found(pub(super) SignatureReport);

impl Found {
    /// Asserts indication, sub-indication (empty: none) and best signature time.
    #[track_caller]
    pub(super) fn is(&self, indication: &str, sub_indication: &str, best: &str) -> &Self {
        let report = &self.0;
        let found = (&*report.indication, report.sub_indication.as_deref().unwrap_or_default(), at_best(report));
        assert_eq!(found, (indication, sub_indication, at(best)), "{report:#?}");
        self
    }

    #[track_caller]
    pub(super) fn passed(&self, best: &str) -> &Self {
        self.is("TOTAL-PASSED", "", best)
    }

    #[track_caller]
    pub(super) fn indeterminate(&self, sub_indication: &str, best: &str) -> &Self {
        self.is("INDETERMINATE", sub_indication, best)
    }

    #[track_caller]
    pub(super) fn failed(&self, sub_indication: &str, best: &str) -> &Self {
        self.is("TOTAL-FAILED", sub_indication, best)
    }

    /// Asserts each timestamp's indication and sub-indication, in the message's order.
    #[track_caller]
    pub(super) fn timestamps(&self, expected: &[(&str, &str)]) -> &Self {
        let found: Vec<(&str, &str)> = self
            .0
            .timestamps
            .iter()
            .map(|one| (&*one.indication, one.sub_indication.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{:#?}", self.0);
        self
    }

    /// Whether a check has this outcome.
    pub(super) fn has(&self, name: &str, outcome: &str) -> bool {
        self.0.checks.iter().any(|check| check.name == name && check.outcome == outcome)
    }
}

fn at_best(report: &SignatureReport) -> i64 {
    at(&report.best_signature_time.time)
}

/// What holds of every report: a sub-indication goes with its indication (tables 5 and 6), and the checks say the same as the
/// conclusion, each once.
#[track_caller]
fn check_report(report: &SignatureReport) {
    check(&report.indication, report.sub_indication.as_deref(), &report.checks);
    for one in &report.timestamps {
        check(&one.indication, one.sub_indication.as_deref(), &one.checks);
    }
    for one in &report.counter_signatures {
        check(&one.indication, one.sub_indication.as_deref(), &one.checks);
    }
}

#[track_caller]
fn check(indication: &str, sub_indication: Option<&str>, checks: &[CheckReport]) {
    const FAILED: [&str; 6] =
        ["FORMAT_FAILURE", "HASH_FAILURE", "SIG_CRYPTO_FAILURE", "REVOKED", "EXPIRED", "NOT_YET_VALID"];
    let expected = match sub_indication {
        None => "PASSED",
        Some(sub) if FAILED.contains(&sub) => "FAILED",
        Some(_) => "INDETERMINATE",
    };
    assert_eq!(indication.trim_start_matches("TOTAL-"), expected, "{sub_indication:?}");
    let against = checks.iter().any(|one| ["failed", "indeterminate"].contains(&&*one.outcome));
    assert_eq!(against, expected != "PASSED", "{indication} {sub_indication:?} {checks:#?}");
    let mut names: Vec<&str> = checks.iter().filter(|one| one.outcome != "warning").map(|one| &*one.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{checks:#?}");
}

/// An OID's content octets.
pub(super) fn octets(dotted: &str) -> Vec<u8> {
    dotted.parse::<Oid>().unwrap().octets().to_vec()
}

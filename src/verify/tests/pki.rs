//! Keys, certificates, CRLs and OCSP responses for tests, written octet by octet so that wrong ones can be made too.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use crl::scope::IssuingDistributionPoint;
use crl::{CrlFields, CrlNumber, EntryFields, TbsCertList, walk};

use crate::asn1::writer::{self, tlv};
use crate::crypto::DigestAlgorithm;
use crate::verify::signature::AnyAlgorithm;
use crate::verify::{AnchorRule, Certificate, Evidence, Judgement, Settings, TrustAnchor, judge_certificate, oid};

/// 2025-01-01.
pub(super) const NOW_S: i64 = 1_735_689_600;
pub(super) const DAY_S: i64 = 86_400;
/// ecdsa-with-SHA256.
const ALGORITHM: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const UTC_TIME: u8 = 0x17;

/// A P-256 key.
#[derive(Clone)]
pub(super) struct Key(Arc<EcdsaKeyPair>);

impl Key {
    pub(super) fn new() -> Self {
        Self(Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()))
    }

    pub(super) fn bits(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        let identifier =
            [0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        tlv(writer::SEQUENCE, &[&identifier, &tlv(writer::BIT_STRING, &[&[0], self.bits()])])
    }

    pub(super) fn identifier(&self) -> Vec<u8> {
        DigestAlgorithm::Sha1.digest(self.bits()).as_ref().to_vec()
    }

    /// ECDSA with SHA-1, which aws-lc-rs does not make.
    pub(super) fn sign_by_sha1(&self, message: &[u8]) -> Vec<u8> {
        let pkcs8 = self.0.to_pkcs8v1().unwrap();
        let key = openssl::pkey::PKey::private_key_from_pkcs8(pkcs8.as_ref()).unwrap();
        let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha1(), &key).unwrap();
        signer.sign_oneshot_to_vec(message).unwrap()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// What is signed, the algorithm and the signature as one SEQUENCE.
    pub(super) fn signed(&self, tbs: &[u8], more: &[u8]) -> Vec<u8> {
        let signature = tlv(writer::BIT_STRING, &[&[0], &self.sign(tbs)]);
        tlv(writer::SEQUENCE, &[tbs, ALGORITHM, &signature, more])
    }
}

pub(super) fn name(common_name: &str) -> Vec<u8> {
    let pair = tlv(writer::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &tlv(writer::UTF8_STRING, &[common_name.as_bytes()])]);
    tlv(writer::SEQUENCE, &[&tlv(writer::SET, &[&pair])])
}

pub(super) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = tlv(writer::OBJECT_IDENTIFIER, &[oid]);
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(writer::SEQUENCE, &[&oid, critical, &tlv(writer::OCTET_STRING, &[value])])
}

pub(super) fn general_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|(tag, content)| tlv(*tag, &[content])).collect();
    tlv(writer::SEQUENCE, &[&names])
}

/// basicConstraints and keyUsage of a CA: keyCertSign and cRLSign.
pub(super) fn ca() -> Vec<Vec<u8>> {
    vec![
        extension(oid::BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]),
        extension(oid::KEY_USAGE, true, &[3, 2, 1, 0x06]),
    ]
}

/// A certificate to be.
pub(super) struct Draft {
    pub(super) serial: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) from: &'static [u8],
    pub(super) until: &'static [u8],
    pub(super) spki: Vec<u8>,
    pub(super) extensions: Vec<Vec<u8>>,
}

impl Draft {
    /// Valid from 2020 to 2030.
    pub(super) fn new(issuer: &str, subject: &str, key: &Key) -> Self {
        Self {
            serial: vec![1],
            issuer: name(issuer),
            subject: name(subject),
            from: b"200101000000Z",
            until: b"300101000000Z",
            spki: key.spki(),
            extensions: Vec::new(),
        }
    }

    pub(super) fn with(mut self, extensions: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.extensions.extend(extensions);
        self
    }

    pub(super) fn serial(mut self, serial: &[u8]) -> Self {
        self.serial = serial.to_vec();
        self
    }

    pub(super) fn sign(&self, key: &Key) -> Vec<u8> {
        let validity = tlv(writer::SEQUENCE, &[&tlv(UTC_TIME, &[self.from]), &tlv(UTC_TIME, &[self.until])]);
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            list => tlv(writer::context(3), &[&tlv(writer::SEQUENCE, &[&list.concat()])]),
        };
        let tbs = tlv(
            writer::SEQUENCE,
            &[
                &[0xa0, 3, 2, 1, 2],
                &tlv(writer::INTEGER, &[&self.serial]),
                ALGORITHM,
                &self.issuer,
                &validity,
                &self.subject,
                &self.spki,
                &extensions,
            ],
        );
        key.signed(&tbs, &[])
    }

    pub(super) fn certificate(&self, key: &Key) -> Arc<Certificate> {
        Arc::new(Certificate::from_der(&self.sign(key)).unwrap())
    }
}

/// An anchor's certificate, self-signed.
pub(super) fn root(common_name: &str, key: &Key, more: impl IntoIterator<Item = Vec<u8>>) -> Arc<Certificate> {
    Draft::new(common_name, common_name, key).with(ca()).with(more).certificate(key)
}

pub(super) fn anchor(certificate: &Arc<Certificate>, rule: AnchorRule) -> Arc<TrustAnchor> {
    Arc::new(TrustAnchor::from_certificate(Arc::clone(certificate), rule).unwrap())
}

pub(super) fn settings<'a>(anchors: &[&Arc<TrustAnchor>]) -> Settings<'a> {
    Settings::new(NOW_S, anchors.iter().map(|anchor| Arc::clone(anchor)).collect(), &AnyAlgorithm)
}

pub(super) fn evidence<'a>(certificates: impl IntoIterator<Item = &'a Arc<Certificate>>) -> Evidence {
    let mut evidence = Evidence::new();
    for certificate in certificates {
        evidence.add_certificate(Arc::clone(certificate), crate::verify::Origin::Held).unwrap();
    }
    evidence
}

pub(super) fn judge(certificate: &Arc<Certificate>, evidence: &Evidence, settings: &Settings<'_>) -> Judgement {
    judge_certificate(certificate, evidence, settings)
}

/// A CRL of a day before `NOW_S`, good until six days after.
pub(super) struct CrlDraft {
    pub(super) fields: CrlFields,
}

impl CrlDraft {
    pub(super) fn new(issuer: &str, key: &Key) -> Self {
        let fields = CrlFields {
            issuer: name(issuer),
            signature_algorithm: ALGORITHM.to_vec(),
            this_update_s: NOW_S - DAY_S,
            next_update_s: NOW_S + 6 * DAY_S,
            authority_key_identifier: key.identifier(),
            crl_number: CrlNumber::from(7),
            base_crl_number: None,
            issuing_distribution_point: None,
            freshest_crl: Vec::new(),
            expired_certs_on_crl_s: None,
        };
        Self { fields }
    }

    pub(super) fn scope(mut self, scope: IssuingDistributionPoint) -> Self {
        self.fields.issuing_distribution_point = Some(scope);
        self
    }

    pub(super) fn sign(&self, entries: &[EntryFields<'_>], key: &Key) -> Vec<u8> {
        let mut tbs = TbsCertList::new(&self.fields, walk(entries).unwrap()).unwrap();
        let mut to_be_signed = Vec::new();
        tbs.for_each_tbs_chunk(|octets| to_be_signed.extend_from_slice(octets)).unwrap();
        let mut octets = Vec::new();
        tbs.write_certificate_list(&key.sign(&to_be_signed), &mut octets).unwrap();
        octets
    }
}

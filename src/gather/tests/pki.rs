//! Certificates that say where more is found, and what is found there.

use std::sync::Arc;

use crl::scope::DistributionPoint;
use crl::{CrlFields, CrlNumber, EntryFields, TbsCertList, walk};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::{X509, X509Extension, X509Name};

use crate::asn1::OcspRequest;
use crate::asn1::writer::{self, tlv};
use crate::verify::signature::AnyAlgorithm;
use crate::verify::{
    AnchorRule, Certificate, Evidence, Judgement, RevocationRule, Settings, TrustAnchor, judge_certificate, oid,
};

/// 2025-01-01.
pub(super) const NOW_S: i64 = 1_735_689_600;
pub(super) const DAY_S: i64 = 86_400;
/// ecdsa-with-SHA256.
const ALGORITHM: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// An extension: dotted identifier and value.
pub(super) type Extension = (&'static str, Vec<u8>);

/// authorityInfoAccess with these URLs.
pub(super) fn access(issuers: &[&str], responders: &[&str]) -> Extension {
    let describe = |method: &[u8], url: &str| {
        tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[method]), &tlv(0x86, &[url.as_bytes()])])
    };
    let mut all: Vec<u8> = issuers.iter().flat_map(|url| describe(oid::ACCESS_CA_ISSUERS, url)).collect();
    all.extend(responders.iter().flat_map(|url| describe(oid::ACCESS_OCSP, url)));
    ("1.3.6.1.5.5.7.1.1", tlv(writer::SEQUENCE, &[&all]))
}

fn points(urls: &[&str]) -> Vec<DistributionPoint> {
    urls.iter().map(|url| DistributionPoint::from_uri(url).unwrap()).collect()
}

/// cRLDistributionPoints, a point a URL.
pub(super) fn crl_at(urls: &[&str]) -> Extension {
    ("2.5.29.31", DistributionPoint::write_all(&points(urls)))
}

/// freshestCRL.
pub(super) fn freshest_at(url: &str) -> Extension {
    ("2.5.29.46", DistributionPoint::write_all(&points(&[url])))
}

/// id-pkix-ocsp-nocheck.
pub(super) fn no_check() -> Extension {
    ("1.3.6.1.5.5.7.48.1.5", vec![5, 0])
}

/// Whoever signs: a name and a key.
pub(super) struct Party {
    name: String,
    key: PKey<Private>,
}

impl Party {
    pub(super) fn new(name: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        Self { name: name.to_owned(), key }
    }

    fn x509_name(&self) -> X509Name {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, &self.name).unwrap();
        name.build()
    }

    fn name_der(&self) -> Vec<u8> {
        self.x509_name().to_der().unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        Signer::new(MessageDigest::sha256(), &self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
    }

    /// A certificate for another, or oneself, from 2020 to 2030.
    pub(super) fn certify(&self, subject: &Self, serial: u32, is_ca: bool, more: &[Extension]) -> Arc<Certificate> {
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(serial).unwrap();
        builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
        builder.set_issuer_name(&self.x509_name()).unwrap();
        builder.set_subject_name(&subject.x509_name()).unwrap();
        builder.set_pubkey(&subject.key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(NOW_S - 1826 * DAY_S).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(NOW_S + 1826 * DAY_S).unwrap()).unwrap();
        let mut extensions = more.to_vec();
        if is_ca {
            extensions.push(("2.5.29.19", vec![0x30, 3, 1, 1, 0xff]));
            extensions.push(("2.5.29.15", vec![3, 2, 1, 6]));
        }
        for (oid, value) in extensions {
            let oid = Asn1Object::from_str(oid).unwrap();
            let value = Asn1OctetString::new_from_bytes(&value).unwrap();
            builder.append_extension(X509Extension::new_from_der(&oid, false, &value).unwrap()).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Arc::new(Certificate::from_der(&builder.build().to_der().unwrap()).unwrap())
    }

    /// An anchor: name and key.
    pub(super) fn anchor(&self) -> Arc<TrustAnchor> {
        let own = self.certify(self, 1, true, &[]);
        Arc::new(TrustAnchor::from_certificate(own, AnchorRule::NameAndKey).unwrap())
    }

    /// A CRL of a day before `NOW_S`, good until six days after, that lists these serials.
    pub(super) fn crl(&self, serials: &[&[u8]], change: impl FnOnce(&mut CrlFields)) -> Vec<u8> {
        let mut fields = CrlFields {
            issuer: self.name_der(),
            signature_algorithm: ALGORITHM.to_vec(),
            this_update_s: NOW_S - DAY_S,
            next_update_s: NOW_S + 6 * DAY_S,
            authority_key_identifier: vec![1; 20],
            crl_number: CrlNumber::from(7),
            base_crl_number: None,
            issuing_distribution_point: None,
            freshest_crl: Vec::new(),
            expired_certs_on_crl_s: None,
        };
        change(&mut fields);
        let entries: Vec<EntryFields<'_>> =
            serials.iter().map(|serial| EntryFields::new(serial, NOW_S - 2 * DAY_S)).collect();
        let mut tbs = TbsCertList::new(&fields, walk(entries.as_slice()).unwrap()).unwrap();
        let mut to_be_signed = Vec::new();
        tbs.for_each_tbs_chunk(|octets| to_be_signed.extend_from_slice(octets)).unwrap();
        let mut octets = Vec::new();
        tbs.write_certificate_list(&self.sign(&to_be_signed), &mut octets).unwrap();
        octets
    }

    /// An OCSP answer to a request, signed by this CA itself; the status is a CertStatus' DER.
    pub(super) fn answer(&self, request: &[u8], status: &[u8], this_update_s: i64) -> Vec<u8> {
        let time = |time_s: i64| {
            let text = jiff::Timestamp::from_second(time_s).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
            tlv(writer::GENERALIZED_TIME, &[text.as_bytes()])
        };
        let request = OcspRequest::from_der(request).unwrap();
        let next = tlv(writer::context(0), &[&time(this_update_s + 2 * DAY_S)]);
        let single = tlv(writer::SEQUENCE, &[request.cert_ids.first().whole, status, &time(this_update_s), &next]);
        let responder = tlv(0xa1, &[&self.name_der()]);
        let list = tlv(writer::SEQUENCE, &[&single]);
        let tbs = tlv(writer::SEQUENCE, &[&responder, &time(this_update_s), &list]);
        let signature = tlv(writer::BIT_STRING, &[&[0], &self.sign(&tbs)]);
        let basic = tlv(writer::SEQUENCE, &[&tbs, ALGORITHM, &signature]);
        let kind = [6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
        let bytes = tlv(writer::SEQUENCE, &[&kind, &tlv(writer::OCTET_STRING, &[&basic])]);
        tlv(writer::SEQUENCE, &[&[0x0a, 1, 0], &tlv(writer::context(0), &[&bytes])])
    }
}

/// good.
pub(super) const GOOD: &[u8] = &[0x80, 0];
/// unknown.
pub(super) const UNKNOWN: &[u8] = &[0x82, 0];

/// A message of certificates alone, its outermost lengths indefinite as some tools write them.
pub(super) fn bundle(certificates: &[&Certificate]) -> Vec<u8> {
    let list: Vec<u8> = certificates.iter().flat_map(|certificate| certificate.der().to_vec()).collect();
    let content = tlv(writer::SEQUENCE, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]]);
    let data = tlv(
        writer::SEQUENCE,
        &[&[2, 1, 1, writer::SET, 0], &content, &tlv(writer::context(0), &[&list]), &[writer::SET, 0]],
    );
    let kind = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    [&[writer::SEQUENCE, 0x80], &kind[..], &[0xa0, 0x80], &data, &[0; 4]].concat()
}

/// Judges at `NOW_S`; every status must be known.
pub(super) fn judge(certificate: &Arc<Certificate>, evidence: &Evidence, anchor: &Arc<TrustAnchor>) -> Judgement {
    let settings = Settings {
        revocation: RevocationRule::required_at(NOW_S),
        ..Settings::new(NOW_S, vec![Arc::clone(anchor)], &AnyAlgorithm)
    };
    judge_certificate(certificate, evidence, &settings)
}

/// Judges at `NOW_S`; no status is asked.
pub(super) fn judge_path(certificate: &Arc<Certificate>, evidence: &Evidence, anchor: &Arc<TrustAnchor>) -> Judgement {
    judge_certificate(certificate, evidence, &Settings::new(NOW_S, vec![Arc::clone(anchor)], &AnyAlgorithm))
}

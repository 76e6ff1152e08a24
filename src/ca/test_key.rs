//! Keys in this process, and an issuer with one, for tests.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::builder::{Draft, IssuerUrls, Unsigned};
use super::certificate::Certificate;
use super::name::SubjectName;
use super::profile::CertificateKind;
use crate::asn1::writer;
use crate::crypto::PublicKey;

/// A P-256 key with its public half.
pub(super) struct TestKey {
    pair: EcdsaKeyPair,
    pub(super) public: PublicKey,
}

impl TestKey {
    /// A fresh one.
    pub(super) fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let algorithm = hex::decode("301306072a8648ce3d020106082a8648ce3d030107").unwrap();
        let bits = writer::tlv(writer::BIT_STRING, &[&[0], pair.public_key().as_ref()]);
        let spki = writer::tlv(writer::SEQUENCE, &[&algorithm, &bits]);
        Self { public: PublicKey::from_spki_der(&spki).unwrap(), pair }
    }

    /// A signature, ECDSA with SHA-256, as X.509 carries it.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// 2026-11-24T00:00:00Z: when tests issue.
pub(super) const NOW_S: i64 = 1_795_478_400;

/// A root and the issuing CA below it, its certificate a day old.
pub(super) struct TestIssuer {
    pub(super) key: TestKey,
    pub(super) root: Certificate,
    pub(super) certificate: Certificate,
    pub(super) urls: IssuerUrls,
}

impl TestIssuer {
    pub(super) fn new() -> Self {
        let (root_key, key) = (TestKey::p256(), TestKey::p256());
        let urls = IssuerUrls::new("http://tsa.noonmark.example", "issuing");
        let make = |kind, name: &str, subject: &TestKey, issuer: Option<&Certificate>| {
            let unsigned = Draft {
                kind,
                subject_der: &SubjectName::new("DE", "Example", name).unwrap().to_der(),
                public_key: &subject.public,
                issuer: issuer.map(|issuer| (issuer, &urls)),
                algorithm: subject.public.algorithm().default_signature(),
                not_before_s: NOW_S - 86_400,
                policies: &[],
                days: None,
                private_key_usage_days: 395,
            }
            .build()
            .unwrap();
            unsigned.assemble(&root_key.sign(unsigned.tbs_der()), &root_key.public).unwrap()
        };
        let root = make(CertificateKind::Root, "Root", &root_key, None);
        let certificate = make(CertificateKind::IssuingCa, "Issuing CA", &key, Some(&root));
        Self { key, root, certificate, urls }
    }

    /// The certificate, signed.
    pub(super) fn sign(&self, unsigned: &Unsigned) -> Certificate {
        unsigned.assemble(&self.key.sign(unsigned.tbs_der()), &self.key.public).unwrap()
    }
}

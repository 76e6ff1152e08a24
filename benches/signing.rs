//! What the benches of judging judge: certificates, CRLs, signed messages and timestamps, written octet by octet.

use noonmark::asn1::writer::{self, tlv};
use noonmark::verify::Certificate;
use noonmark::verify::cms::oid;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::{sha1, sha256};

/// 2025-01-01, within a day after the CRLs were made and an hour after the timestamps.
pub(crate) const NOW_S: i64 = 1_735_689_600;
const GEN_TIME: &[u8] = b"20241231230000Z";
const SHA256: &[u8] = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const UTC_TIME: u8 = 0x17;

/// A key, and how it signs.
pub(crate) struct Signing {
    key: PKey<Private>,
    algorithm: &'static [u8],
}

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Certificates and CRLs.
    Ca,
    /// Signatures.
    Signer,
    /// Timestamps (RFC 3161 §2.3).
    TimestampingUnit,
}

impl Signing {
    /// By the keys' names in the tables: p256 or rsa2048.
    pub(crate) fn new(label: &str) -> Self {
        match label {
            "p256" => Self::p256(),
            "rsa2048" => Self::rsa2048(),
            other => panic!("no key is called {other}"),
        }
    }

    fn p256() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("P-256");
        let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        Self { key, algorithm: &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] }
    }

    fn rsa2048() -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        Self { key, algorithm: &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0] }
    }

    /// The SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Vec<u8> {
        self.key.public_key_to_der().expect("a public key")
    }

    fn identifier(&self) -> [u8; 20] {
        sha1(&self.spki())
    }

    fn sign(&self, octets: &[u8]) -> Vec<u8> {
        let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &self.key).expect("a signer");
        signer.sign_oneshot_to_vec(octets).expect("a signature")
    }

    fn signed(&self, tbs: &[u8]) -> Vec<u8> {
        let signature = tlv(writer::BIT_STRING, &[&[0], &self.sign(tbs)]);
        tlv(writer::SEQUENCE, &[tbs, self.algorithm, &signature])
    }

    /// A certificate of 2020 to 2030 over another key.
    pub(crate) fn certificate(&self, issuer: &str, subject: &str, key: &Self, serial: u8, for_: Use) -> Vec<u8> {
        let times = [tlv(UTC_TIME, &[b"200101000000Z"]), tlv(UTC_TIME, &[b"300101000000Z"])];
        let validity = tlv(writer::SEQUENCE, &[&times.concat()]);
        let mut list = vec![
            extension(14, false, &tlv(writer::OCTET_STRING, &[&key.identifier()])),
            extension(35, false, &self.authority_key_identifier()),
            extension(15, true, &[3, 2, 1, if for_ == Use::Ca { 6 } else { 0x80 }]),
        ];
        match for_ {
            Use::Ca => list.push(extension(19, true, &[0x30, 3, 1, 1, 0xff])),
            Use::Signer => {}
            Use::TimestampingUnit => {
                let purpose = tlv(writer::OBJECT_IDENTIFIER, &[oid::TIME_STAMPING]);
                list.push(extension(37, true, &tlv(writer::SEQUENCE, &[&purpose])));
            }
        }
        let extensions = tlv(writer::context(3), &[&tlv(writer::SEQUENCE, &[&list.concat()])]);
        let head = [&[0xa0, 3, 2, 1, 2][..], &tlv(writer::INTEGER, &[&[serial]])].concat();
        let (issuer, subject) = (name(issuer), name(subject));
        let fields: [&[u8]; 7] = [&head, self.algorithm, &issuer, &validity, &subject, &key.spki(), &extensions];
        self.signed(&tlv(writer::SEQUENCE, &fields))
    }

    /// A CRL of a day before `NOW_S`, good for a week, with nothing in it.
    pub(crate) fn crl(&self, issuer: &str) -> Vec<u8> {
        let times = [tlv(UTC_TIME, &[b"241231000000Z"]), tlv(UTC_TIME, &[b"250107000000Z"])].concat();
        let list = [extension(35, false, &self.authority_key_identifier()), extension(20, false, &[2, 1, 7])].concat();
        let extensions = tlv(writer::context(0), &[&tlv(writer::SEQUENCE, &[&list])]);
        let fields: [&[u8]; 5] = [&[2, 1, 1], self.algorithm, &name(issuer), &times, &extensions];
        self.signed(&tlv(writer::SEQUENCE, &fields))
    }

    fn authority_key_identifier(&self) -> Vec<u8> {
        tlv(writer::SEQUENCE, &[&tlv(0x80, &[&self.identifier()])])
    }
}

/// An extension of id-ce.
fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(writer::SEQUENCE, &[&[6, 3, 0x55, 0x1d, number], critical, &tlv(writer::OCTET_STRING, &[value])])
}

fn name(common_name: &str) -> Vec<u8> {
    let value = tlv(writer::UTF8_STRING, &[common_name.as_bytes()]);
    let pair = tlv(writer::SEQUENCE, &[&[6, 3, 0x55, 4, 3], &value]);
    tlv(writer::SEQUENCE, &[&tlv(writer::SET, &[&pair])])
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid]), &tlv(writer::SET, &[value])])
}

/// A signer with its certificate.
pub(crate) struct Signer<'s> {
    pub(crate) signing: &'s Signing,
    pub(crate) certificate: &'s [u8],
}

/// A signature over signed attributes.
pub(crate) struct Signature {
    /// The attributes as they are signed (RFC 5652 §5.4).
    pub(crate) attributes: Vec<u8>,
    /// The signature's octets.
    pub(crate) octets: Vec<u8>,
}

impl Signer<'_> {
    /// Signs content by the attributes that CAdES and RFC 5816 ask for.
    pub(crate) fn sign(&self, content_type: &[u8], content: &[u8]) -> Signature {
        let id = tlv(writer::SEQUENCE, &[&tlv(writer::OCTET_STRING, &[&sha256(self.certificate)])]);
        let ids = tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[&id])]);
        let list = vec![
            attribute(oid::CONTENT_TYPE, &tlv(writer::OBJECT_IDENTIFIER, &[content_type])),
            attribute(oid::MESSAGE_DIGEST, &tlv(writer::OCTET_STRING, &[&sha256(content)])),
            attribute(oid::SIGNING_CERTIFICATE_V2, &ids),
        ];
        let attributes = writer::set_of(writer::SET, list);
        let octets = self.signing.sign(&attributes);
        Signature { attributes, octets }
    }

    /// The message around a signature: content and certificates in it, and a timestamp where one is given.
    pub(crate) fn message(
        &self,
        content_type: &[u8],
        content: &[u8],
        signature: &Signature,
        certificates: &[&[u8]],
        timestamp: Option<&[u8]>,
    ) -> Vec<u8> {
        let own = Certificate::from_der(self.certificate).expect("a certificate");
        let identifier = tlv(writer::SEQUENCE, &[own.issuer_der(), &tlv(writer::INTEGER, &[own.serial()])]);
        let mut signed = signature.attributes.clone();
        // RFC 5652 §5.4: SET OF is what is signed, [0] what is written.
        signed[0] = writer::context(0);
        let unsigned = timestamp.map(|token| tlv(writer::context(1), &[&attribute(oid::SIGNATURE_TIMESTAMP, token)]));
        let info = [
            &[2, 1, 1],
            &identifier[..],
            SHA256,
            &signed,
            self.signing.algorithm,
            &tlv(writer::OCTET_STRING, &[&signature.octets]),
            unsigned.as_deref().unwrap_or_default(),
        ];
        let inside = tlv(writer::context(0), &[&tlv(writer::OCTET_STRING, &[content])]);
        let fields = [
            &[2, 1, if content_type == oid::DATA { 1 } else { 3 }][..],
            &tlv(writer::SET, &[SHA256]),
            &tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[content_type]), &inside]),
            &tlv(writer::context(0), certificates),
            &tlv(writer::SET, &[&tlv(writer::SEQUENCE, &info)]),
        ];
        let data = tlv(writer::context(0), &[&tlv(writer::SEQUENCE, &fields)]);
        tlv(writer::SEQUENCE, &[&tlv(writer::OBJECT_IDENTIFIER, &[oid::SIGNED_DATA]), &data])
    }
}

/// A TSTInfo over data by SHA-256 (RFC 3161 §2.4.2).
pub(crate) fn tst_info(data: &[u8], serial: &[u8]) -> Vec<u8> {
    let imprint = tlv(writer::SEQUENCE, &[SHA256, &tlv(writer::OCTET_STRING, &[&sha256(data)])]);
    let fields: [&[u8]; 5] = [
        &[2, 1, 1],
        &[6, 3, 0x2a, 3, 4],
        &imprint,
        &writer::unsigned_integer(serial),
        &tlv(writer::GENERALIZED_TIME, &[GEN_TIME]),
    ];
    tlv(writer::SEQUENCE, &fields)
}

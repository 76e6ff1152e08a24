//! Certificate signing requests (PKCS#10, RFC 2986), for operators whose CA is elsewhere.

use super::builder::BuildError;
use super::profile::{CertificateKind, ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING};
use crate::asn1::writer;
use crate::crypto::{PublicKey, SignatureAlgorithm};

/// The bytes of a request to be signed by the key it is about.
#[derive(Clone, Debug)]
pub struct UnsignedRequest {
    info_der: Vec<u8>,
    algorithm_der: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl UnsignedRequest {
    /// Builds CertificationRequestInfo, with the extended key usage that the kind needs as extensionRequest
    /// (RFC 2985 §5.4.2): most CAs take it from their own profile, some from here.
    ///
    /// # Errors
    /// An algorithm without an identifier.
    pub fn new(
        kind: CertificateKind,
        subject_der: &[u8],
        key: &PublicKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, BuildError> {
        let usage = match kind {
            CertificateKind::Tsu => Some((ID_KP_TIME_STAMPING, true)),
            CertificateKind::OcspResponder => Some((ID_KP_OCSP_SIGNING, false)),
            CertificateKind::Root | CertificateKind::IssuingCa => None,
        };
        let mut attributes = Vec::new();
        if let Some((usage, critical)) = usage {
            let oid = |text: &str| {
                writer::tlv(writer::OBJECT_IDENTIFIER, &[const_oid::ObjectIdentifier::new_unwrap(text).as_bytes()])
            };
            let usage = writer::tlv(writer::OBJECT_IDENTIFIER, &[usage.as_bytes()]);
            let value = writer::tlv(writer::OCTET_STRING, &[&writer::tlv(writer::SEQUENCE, &[&usage])]);
            let flag: &[u8] = if critical { &[writer::BOOLEAN, 1, 0xff] } else { &[] };
            let extension = writer::tlv(writer::SEQUENCE, &[&oid("2.5.29.37"), flag, &value]);
            let extensions = writer::tlv(writer::SEQUENCE, &[&extension]);
            let values = writer::tlv(writer::SET, &[&extensions]);
            attributes = writer::tlv(writer::SEQUENCE, &[&oid("1.2.840.113549.1.9.14"), &values]);
        }
        let info_der = writer::tlv(
            writer::SEQUENCE,
            &[&[writer::INTEGER, 1, 0], subject_der, key.spki_der(), &writer::tlv(writer::context(0), &[&attributes])],
        );
        Ok(Self { info_der, algorithm_der: algorithm.x509_identifier_der()?, algorithm })
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn info_der(&self) -> &[u8] {
        &self.info_der
    }

    /// The algorithm to sign them with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The CertificationRequest's DER.
    #[must_use]
    pub fn assemble(&self, signature: &[u8]) -> Vec<u8> {
        let value = writer::tlv(writer::BIT_STRING, &[&[0], signature]);
        writer::tlv(writer::SEQUENCE, &[&self.info_der, &self.algorithm_der, &value])
    }
}

//! The token's octets: everything constant is encoded once.
//!
//! SignedData v3 with exactly one SignerInfo (RFC 3161 §2.4.2, RFC 5816 §2.2.1, RFC 5652 §5).

use crate::asn1::{pki_status, writer};
use crate::ca::Certificate;
use crate::crypto::{DigestAlgorithm, SignatureAlgorithm, SignatureEncodingError};

/// Why a template can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The signature algorithm has no identifier in CMS.
    #[error(transparent)]
    Algorithm(#[from] SignatureEncodingError),
}

/// id-signedData, whole.
const ID_SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// id-ct-TSTInfo (1.2.840.113549.1.9.16.1.4), whole.
const ID_CT_TST_INFO: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
/// id-contentType, whole.
const ID_CONTENT_TYPE: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
/// id-messageDigest, whole.
const ID_MESSAGE_DIGEST: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// id-aa-signingCertificateV2 (1.2.840.113549.1.9.16.2.47), whole.
const ID_SIGNING_CERTIFICATE_V2: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];

/// A time-stamping unit's part of every token it signs.
#[derive(Clone, Debug)]
pub struct TokenTemplate {
    digest: DigestAlgorithm,
    /// The signed attributes' content before and after the message digest's octets.
    attributes_before: Vec<u8>,
    attributes_after: Vec<u8>,
    /// From ContentInfo's version to encapContentInfo: version and digestAlgorithms.
    version_and_digests: Vec<u8>,
    /// `[0] certificates`, sorted, or nothing.
    certificates: Vec<u8>,
    /// SignerInfo up to the signed attributes: version, sid, digestAlgorithm.
    signer_before: Vec<u8>,
    /// signatureAlgorithm.
    signature_algorithm: Vec<u8>,
}

/// A TSTInfo with its signed attributes: what is signed, and what the token is then assembled from.
#[derive(Clone, Debug)]
pub struct Prepared {
    tst_info: Vec<u8>,
    /// The SET OF Attribute with tag 0x31: what the signature is over (RFC 5652 §5.4).
    signed_attributes: Vec<u8>,
}

impl Prepared {
    /// The bytes to be signed.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        &self.signed_attributes
    }
}

impl TokenTemplate {
    /// Encodes the constant parts for a unit's certificate and the certificates sent along.
    ///
    /// `chain` holds the unit's certificate and its intermediates; a root is left out by the caller if it so wishes.
    ///
    /// # Errors
    /// A signature algorithm without an identifier.
    pub fn new(
        certificate: &Certificate,
        chain: &[Certificate],
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, TokenError> {
        let digest = algorithm.digest();
        let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[digest.oid().as_bytes()]);
        // RFC 5754 §2: parameters absent in SHA-2 identifiers.
        let digest_algorithm = writer::tlv(writer::SEQUENCE, &[&oid]);
        let content_type = attribute(&ID_CONTENT_TYPE, &ID_CT_TST_INFO);
        let placeholder = vec![0; digest.output_len()];
        let message_digest = attribute(&ID_MESSAGE_DIGEST, &writer::tlv(writer::OCTET_STRING, &[&placeholder]));
        let signing_certificate = attribute(&ID_SIGNING_CERTIFICATE_V2, &signing_certificate_v2(certificate, digest));

        // DER sorts a SET OF by its elements' octets; no two of these agree up to the digest's octets,
        // so their order does not depend on the digest (X.690 §11.6).
        let mut attributes = [content_type, message_digest.clone(), signing_certificate];
        attributes.sort();
        let content = attributes.concat();
        let before_digest: usize =
            attributes.iter().take_while(|attribute| **attribute != message_digest).map(Vec::len).sum::<usize>()
                + message_digest.len()
                - digest.output_len();
        let (before, rest) = content.split_at(before_digest);

        let certificates = {
            let elements: Vec<Vec<u8>> = chain.iter().map(|certificate| certificate.der().to_vec()).collect();
            writer::set_of(writer::context(0), elements)
        };
        let signer_before = [&[writer::INTEGER, 1, 1][..], &issuer_and_serial(certificate), &digest_algorithm].concat();
        Ok(Self {
            digest,
            attributes_before: before.to_vec(),
            attributes_after: rest[digest.output_len()..].to_vec(),
            version_and_digests: [&[writer::INTEGER, 1, 3][..], &writer::tlv(writer::SET, &[&digest_algorithm])]
                .concat(),
            certificates,
            signer_before,
            signature_algorithm: algorithm.cms_identifier_der()?,
        })
    }

    /// Builds the signed attributes over a TSTInfo.
    #[must_use]
    pub fn prepare(&self, tst_info: Vec<u8>) -> Prepared {
        let digest = self.digest.digest(&tst_info);
        let signed_attributes =
            writer::tlv(writer::SET, &[&self.attributes_before, digest.as_ref(), &self.attributes_after]);
        Prepared { tst_info, signed_attributes }
    }

    /// A granted TimeStampResp, and where in it the TimeStampToken stands.
    #[must_use]
    pub fn assemble(&self, prepared: &Prepared, signature: &[u8], with_certificates: bool) -> (Vec<u8>, usize) {
        let certificates: &[u8] = if with_certificates { &self.certificates } else { &[] };
        let content_len = writer::tlv_len(prepared.tst_info.len());
        let encapsulated_len = ID_CT_TST_INFO.len() + writer::tlv_len(content_len);
        let signer_len = self.signer_before.len()
            + prepared.signed_attributes.len()
            + self.signature_algorithm.len()
            + writer::tlv_len(signature.len());
        let signer_infos_len = writer::tlv_len(signer_len);
        let signed_data_len = self.version_and_digests.len()
            + writer::tlv_len(encapsulated_len)
            + certificates.len()
            + writer::tlv_len(signer_infos_len);
        let explicit_len = writer::tlv_len(signed_data_len);
        let token_content_len = ID_SIGNED_DATA.len() + writer::tlv_len(explicit_len);
        let response_len = pki_status::GRANTED.len() + writer::tlv_len(token_content_len);

        let mut out = Vec::with_capacity(writer::tlv_len(response_len));
        writer::write_header(&mut out, writer::SEQUENCE, response_len);
        out.extend_from_slice(&pki_status::GRANTED);
        let token_at = out.len();
        writer::write_header(&mut out, writer::SEQUENCE, token_content_len);
        out.extend_from_slice(&ID_SIGNED_DATA);
        writer::write_header(&mut out, writer::context(0), explicit_len);
        writer::write_header(&mut out, writer::SEQUENCE, signed_data_len);
        out.extend_from_slice(&self.version_and_digests);
        writer::write_header(&mut out, writer::SEQUENCE, encapsulated_len);
        out.extend_from_slice(&ID_CT_TST_INFO);
        writer::write_header(&mut out, writer::context(0), content_len);
        writer::write_tlv(&mut out, writer::OCTET_STRING, &[&prepared.tst_info]);
        out.extend_from_slice(certificates);
        writer::write_header(&mut out, writer::SET, signer_infos_len);
        writer::write_header(&mut out, writer::SEQUENCE, signer_len);
        out.extend_from_slice(&self.signer_before);
        // Within SignerInfo the same attributes stand under [0] IMPLICIT (RFC 5652 §5.3).
        let attributes_at = out.len();
        out.extend_from_slice(&prepared.signed_attributes);
        out[attributes_at] = writer::context(0);
        out.extend_from_slice(&self.signature_algorithm);
        writer::write_tlv(&mut out, writer::OCTET_STRING, &[signature]);
        (out, token_at)
    }
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    writer::tlv(writer::SEQUENCE, &[oid, &writer::tlv(writer::SET, &[value])])
}

/// `IssuerAndSerialNumber` (RFC 5652 §10.2.4).
fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    let serial = writer::tlv(writer::INTEGER, &[&certificate.serial_number]);
    writer::tlv(writer::SEQUENCE, &[&certificate.issuer_der, &serial])
}

/// `SigningCertificateV2` with one ESSCertIDv2, issuerSerial included (RFC 5035 §3, RFC 5816 §2.2.1).
///
/// DER omits the hash algorithm when it is the default, SHA-256.
fn signing_certificate_v2(certificate: &Certificate, digest: DigestAlgorithm) -> Vec<u8> {
    let algorithm = if digest == DigestAlgorithm::Sha256 {
        Vec::new()
    } else {
        writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::OBJECT_IDENTIFIER, &[digest.oid().as_bytes()])])
    };
    let hash = writer::tlv(writer::OCTET_STRING, &[digest.digest(certificate.der()).as_ref()]);
    let directory_name = writer::tlv(writer::context(4), &[&certificate.issuer_der]);
    let names = writer::tlv(writer::SEQUENCE, &[&directory_name]);
    let serial = writer::tlv(writer::INTEGER, &[&certificate.serial_number]);
    let issuer_serial = writer::tlv(writer::SEQUENCE, &[&names, &serial]);
    let id = writer::tlv(writer::SEQUENCE, &[&algorithm, &hash, &issuer_serial]);
    writer::tlv(writer::SEQUENCE, &[&writer::tlv(writer::SEQUENCE, &[&id])])
}

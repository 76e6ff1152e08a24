//! A file of evidence: certificates, CRLs and OCSP responses, in DER or PEM, recognised by their octets.

use std::sync::Arc;

use super::certificate::Certificate;
use super::cms::{SignedData, normalise};
use super::evidence::{Evidence, EvidenceError, Origin};
use crate::asn1::{PemError, Reader, is_pem, pem_blocks, writer};

/// Values of one file: a PEM bundle of all the roots of an operating system has some hundred.
const MAX_VALUES: usize = 16 * 1024;

/// Why a file gives no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeldFileError {
    /// Neither DER nor PEM of what is known here.
    #[error("neither a certificate, a CRL nor an OCSP response")]
    Unknown,
    /// PEM that can't be read.
    #[error("the PEM can't be read: {0}")]
    Pem(#[from] PemError),
    /// A piece that can't be read, or is one too many.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// There is too much in it.
    #[error("more than {MAX_VALUES} values in one file")]
    TooMany,
}

impl Evidence {
    /// Adds what is in a file and says how many pieces it had. A signed message gives what it carries.
    ///
    /// # Errors
    /// What is no evidence, or can't be read. What came before it in the file stays added.
    pub fn add_file(&mut self, octets: &[u8], origin: Origin) -> Result<usize, HeldFileError> {
        if octets.first() == Some(&writer::SEQUENCE) && Reader::only(octets, writer::SEQUENCE).is_ok() {
            return self.add_value(octets, origin);
        }
        if !is_pem(octets) {
            return Err(HeldFileError::Unknown);
        }
        let mut count = 0;
        for block in pem_blocks(octets) {
            // Keys stand beside certificates in some files; they are not looked at.
            if block.label.ends_with(b"KEY") || block.label.ends_with(b"PARAMETERS") {
                continue;
            }
            if count >= MAX_VALUES {
                return Err(HeldFileError::TooMany);
            }
            count += self.add_value(&block.decode()?, origin)?;
        }
        Ok(count)
    }

    fn add_value(&mut self, der: &[u8], origin: Origin) -> Result<usize, HeldFileError> {
        if let Ok(certificate) = Certificate::from_der(der) {
            self.add_certificate(Arc::new(certificate), origin)?;
            return Ok(1);
        }
        match kind(der) {
            Some(Kind::Certificate) => self.add_certificate_der(der, origin)?,
            Some(Kind::Crl) => self.add_crl_der(der, origin)?,
            Some(Kind::OcspResponse) => self.add_ocsp_response_der(der, origin)?,
            Some(Kind::Message) => return self.add_message(der, origin),
            None => return Err(HeldFileError::Unknown),
        }
        Ok(1)
    }

    fn add_message(&mut self, ber: &[u8], origin: Origin) -> Result<usize, HeldFileError> {
        let Ok(der) = normalise(ber) else { return Err(HeldFileError::Unknown) };
        let Ok(data) = SignedData::from_der(&der) else { return Err(HeldFileError::Unknown) };
        for certificate in &data.certificates {
            self.add_certificate_der(certificate, origin)?;
        }
        for crl in &data.crls {
            self.add_crl_der(crl, origin)?;
        }
        Ok(data.certificates.len() + data.crls.len())
    }
}

enum Kind {
    Certificate,
    Crl,
    OcspResponse,
    Message,
}

/// What is no certificate that can be read, by its shape: an OCSPResponse begins with an ENUMERATED, a ContentInfo with an identifier; a certificate, a CRL and a
/// BasicOCSPResponse are signed alike, and what is signed tells them apart.
fn kind(der: &[u8]) -> Option<Kind> {
    const ENUMERATED: u8 = 0x0a;
    let mut fields = Reader::only(der, writer::SEQUENCE).ok()?;
    match fields.peek()? {
        ENUMERATED => return Some(Kind::OcspResponse),
        writer::OBJECT_IDENTIFIER => return Some(Kind::Message),
        _ => {}
    }
    let mut tbs = fields.enter(writer::SEQUENCE).ok()?;
    // version of a CRL (RFC 5280 §5.1), which a CRL v1 lacks; a CRL goes on with an AlgorithmIdentifier and a Name.
    tbs.optional(writer::INTEGER).ok()?;
    match tbs.read().ok()?.tag {
        // ResponderID, after an optional version.
        0xa1 | 0xa2 => Some(Kind::OcspResponse),
        0xa0 if matches!(tbs.peek(), Some(0xa1 | 0xa2)) => Some(Kind::OcspResponse),
        // A certificate that can't be read says so.
        0xa0 => Some(Kind::Certificate),
        writer::SEQUENCE => Some(Kind::Crl),
        _ => None,
    }
}

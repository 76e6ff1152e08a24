//! The certificates in a file that an operator keeps anchors in: PEM, DER, a CMS bundle (p7b), PKCS #12.

use std::collections::HashSet;
use std::sync::Arc;

use super::pkcs12::{self, Pkcs12Error};
use crate::asn1::{DerError, PemError, Reader, is_pem, pem_blocks, writer};
use crate::verify::certificate::{Certificate, CertificateError};
use crate::verify::cms::{BerError, CmsError, MAX_CMS_OCTETS, SignedData, normalise};

/// Octets of a file that are read: as many as of a message, since a bundle is one.
pub const MAX_ANCHOR_FILE_OCTETS: usize = MAX_CMS_OCTETS;
/// Certificates of a file: the largest stores of operating systems and trusted lists have some hundred to a few thousand.
const MAX_CERTIFICATES: usize = 10_000;

/// Why a file gives no anchors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorFileError {
    /// More octets than are read.
    #[error("a file of {octets} octets, more than {MAX_ANCHOR_FILE_OCTETS}")]
    TooLarge {
        /// How many.
        octets: usize,
    },
    /// Of no form that is read.
    #[error("neither PEM nor DER: write certificates in PEM or DER, a CMS bundle (p7b) or PKCS #12 (p12)")]
    Form,
    /// DER or BER that is none.
    #[error("neither PEM nor DER: {0}")]
    Encoding(#[from] BerError),
    /// DER of something else.
    #[error("DER, but of no certificate, CMS bundle (p7b) or PKCS #12 (p12): {0}")]
    Structure(#[from] DerError),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// There are too many.
    #[error("more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    /// PEM that can't be read.
    #[error("the PEM: {0}")]
    Pem(#[from] PemError),
    /// A certificate that can't be read.
    #[error("certificate {number} of the file: {error}")]
    Certificate {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        error: CertificateError,
    },
    /// A bundle that can't be read.
    #[error("the bundle: {0}")]
    Bundle(#[from] CmsError),
    /// A signed message: the certificates that a signer sends along are no anchors.
    #[error("a signed message, not a bundle of certificates alone (RFC 5652 §5)")]
    Signed,
    /// A PKCS #12 file that gives no certificates.
    #[error(transparent)]
    Pkcs12(#[from] Pkcs12Error),
}

/// The certificates of a file, each once, in the file's order. What else is in it, keys and text, is left out; so are the
/// uses that OpenSSL writes behind a TRUSTED CERTIFICATE: a policy says what an anchor is for.
///
/// # Errors
/// Anything in it that should be a certificate and can't be read, none at all, or too many; of PKCS #12, a wrong password.
pub fn read_anchors(octets: &[u8], password: Option<&str>) -> Result<Vec<Arc<Certificate>>, AnchorFileError> {
    if octets.len() > MAX_ANCHOR_FILE_OCTETS {
        return Err(AnchorFileError::TooLarge { octets: octets.len() });
    }
    let mut found = Found::default();
    match octets.first() {
        // A text may begin with the digit 0, which is a SEQUENCE's tag.
        Some(&writer::SEQUENCE) => match normalise(octets) {
            Ok(der) => der_file(octets, &der, password, &mut found)?,
            Err(_) if is_pem(octets) => pem_file(octets, &mut found)?,
            Err(error) => return Err(error.into()),
        },
        _ if is_pem(octets) => pem_file(octets, &mut found)?,
        _ => return Err(AnchorFileError::Form),
    }
    if found.certificates.is_empty() { Err(AnchorFileError::NoCertificate) } else { Ok(found.certificates) }
}

#[derive(Default)]
struct Found {
    certificates: Vec<Arc<Certificate>>,
    known: HashSet<[u8; 32]>,
    /// Those that were there before count too.
    count: usize,
}

impl Found {
    fn add(&mut self, der: &[u8]) -> Result<(), AnchorFileError> {
        if self.count == MAX_CERTIFICATES {
            return Err(AnchorFileError::TooMany);
        }
        self.count += 1;
        let certificate =
            Certificate::from_der(der).map_err(|error| AnchorFileError::Certificate { number: self.count, error })?;
        if self.known.insert(*certificate.sha256()) {
            self.certificates.push(Arc::new(certificate));
        }
        Ok(())
    }
}

/// By its first field: a certificate has a SEQUENCE, CMS an identifier, PKCS #12 a version.
fn der_file(octets: &[u8], der: &[u8], password: Option<&str>, found: &mut Found) -> Result<(), AnchorFileError> {
    let mut fields = Reader::only(der, writer::SEQUENCE)?;
    match fields.peek() {
        Some(writer::OBJECT_IDENTIFIER) => bundle(der, found),
        // RFC 7292 §4: the version is 3; a private key begins with another.
        Some(writer::INTEGER) if fields.integer()? != [3] => Err(DerError::Value { what: "file of anchors" }.into()),
        Some(writer::INTEGER) => {
            for certificate in pkcs12::certificates(octets, der, password)? {
                found.add(&certificate)?;
            }
            Ok(())
        }
        // As it is in the file: a certificate is DER, and nothing is rewritten below its signature.
        Some(writer::SEQUENCE) => found.add(octets),
        Some(_) => Err(DerError::Value { what: "file of anchors" }.into()),
        None => Err(AnchorFileError::NoCertificate),
    }
}

/// SignedData without signers (RFC 5652 §5: "degenerate"), in DER.
fn bundle(der: &[u8], found: &mut Found) -> Result<(), AnchorFileError> {
    let data = SignedData::from_der(der)?;
    if !data.signers.is_empty() {
        return Err(AnchorFileError::Signed);
    }
    data.certificates.iter().try_for_each(|certificate| found.add(certificate))
}

/// What is in a PEM block.
#[derive(Clone, Copy)]
enum Block {
    Certificate,
    /// A certificate, and what OpenSSL writes behind it.
    Trusted,
    Bundle,
}

/// RFC 7468 §5 and §8, and the labels that OpenSSL writes besides.
const BLOCKS: [(&str, Block); 5] = [
    ("CERTIFICATE", Block::Certificate),
    ("X509 CERTIFICATE", Block::Certificate),
    ("TRUSTED CERTIFICATE", Block::Trusted),
    ("PKCS7", Block::Bundle),
    ("CMS", Block::Bundle),
];

fn pem_file(octets: &[u8], found: &mut Found) -> Result<(), AnchorFileError> {
    for block in pem_blocks(octets) {
        let Some((_, kind)) = BLOCKS.iter().find(|(label, _)| label.as_bytes() == block.label) else { continue };
        let der = block.decode()?;
        match kind {
            Block::Certificate => found.add(&der)?,
            Block::Trusted => {
                let mut both = Reader::new(&der);
                let certificate = both.expect(writer::SEQUENCE)?.whole;
                both.optional(writer::SEQUENCE)?;
                both.finish()?;
                found.add(certificate)?;
            }
            Block::Bundle => bundle(&normalise(&der)?, found)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

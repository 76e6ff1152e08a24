//! The certificates, CRLs and OCSP responses that a message carries, as evidence for judging it.

use super::super::evidence::{Evidence, EvidenceError, Origin};
use super::attribute::UnsignedAttribute;
use super::oid;
use super::signed_data::SignedData;
use crate::asn1::{DerError, Reader, writer};

/// Pieces in the unsigned attributes of all signers that are taken: as many as of certificates and CRLs elsewhere.
const MAX_VALUES: usize = 1024;

/// What a piece is, or should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddedKind {
    /// A certificate.
    Certificate,
    /// A CRL.
    Crl,
    /// An OCSP response.
    OcspResponse,
    /// CertificateValues or RevocationValues that can't be read.
    Values,
}

/// A piece that is not taken: judged without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// What it should be.
    pub kind: EmbeddedKind,
    /// Why not.
    pub error: EvidenceError,
}

impl SignedData<'_> {
    /// Adds what the message carries to the evidence, and tells what is not taken: a broken piece is as good as none.
    pub fn add_to(&self, evidence: &mut Evidence) -> Vec<NotTaken> {
        let mut pieces: Vec<(EmbeddedKind, &[u8])> = Vec::new();
        pieces.extend(self.certificates.iter().map(|der| (EmbeddedKind::Certificate, *der)));
        pieces.extend(self.crls.iter().map(|der| (EmbeddedKind::Crl, *der)));
        let responses = self.other_revocations.iter().filter(|other| other.format == oid::OCSP_RESPONSE);
        pieces.extend(responses.map(|other| (EmbeddedKind::OcspResponse, other.value)));
        let mut not_taken = Vec::new();
        let limit = pieces.len() + MAX_VALUES;
        for attribute in self.signers.iter().flat_map(|signer| signer.unsigned()) {
            let read = match attribute {
                UnsignedAttribute::CertificateValues(value) => Reader::only(value, writer::SEQUENCE)
                    .and_then(|list| take(list, EmbeddedKind::Certificate, &mut pieces)),
                UnsignedAttribute::RevocationValues(value) => revocation_values(value, &mut pieces),
                _ => Ok(()),
            };
            if let Err(error) = read {
                let error = EvidenceError::Certificate(error.into());
                not_taken.push(NotTaken { kind: EmbeddedKind::Values, error });
            }
            pieces.truncate(limit);
        }
        for (kind, der) in pieces {
            let added = match kind {
                EmbeddedKind::Crl => evidence.add_crl_der(der, Origin::Embedded),
                EmbeddedKind::OcspResponse => evidence.add_ocsp_response_der(der, Origin::Embedded),
                EmbeddedKind::Certificate | EmbeddedKind::Values => evidence.add_certificate_der(der, Origin::Embedded),
            };
            if let Err(error) = added {
                not_taken.push(NotTaken { kind, error });
            }
        }
        not_taken
    }
}

/// RevocationValues (RFC 5126 §6.3.4): CRLs and BasicOCSPResponses.
fn revocation_values<'a>(value: &'a [u8], pieces: &mut Vec<(EmbeddedKind, &'a [u8])>) -> Result<(), DerError> {
    let mut fields = Reader::only(value, writer::SEQUENCE)?;
    for (number, kind) in [(0, EmbeddedKind::Crl), (1, EmbeddedKind::OcspResponse)] {
        if let Some(explicit) = fields.optional(writer::context(number))? {
            take(Reader::only(explicit.content, writer::SEQUENCE)?, kind, pieces)?;
        }
    }
    // otherRevVals: of no kind that is known here.
    fields.optional(writer::context(2))?;
    fields.finish()
}

fn take<'a>(
    mut list: Reader<'a>,
    kind: EmbeddedKind,
    pieces: &mut Vec<(EmbeddedKind, &'a [u8])>,
) -> Result<(), DerError> {
    while !list.is_finished() {
        pieces.push((kind, list.expect(writer::SEQUENCE)?.whole));
    }
    Ok(())
}

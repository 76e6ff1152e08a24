//! The certificates, CRLs and OCSP responses that a message carries, as evidence for judging it: its own, those in its
//! unsigned attributes, and those of the timestamps and counter-signatures there.

use std::collections::HashSet;

use super::super::evidence::{Evidence, EvidenceError, Origin};
use super::attribute::UnsignedAttribute;
use super::fault::CmsError;
use super::oid;
use super::signed_data::SignedData;
use super::signer_info::SignerInfo;
use crate::asn1::{Reader, writer};

/// Pieces that are taken from the attributes of all signers: an archive of thirty years has a timestamp a year, each with a
/// dozen certificates, CRLs and OCSP responses.
const MAX_PIECES: usize = 4096;
/// Tokens and counter-signatures within each other that are looked into: an archive timestamp's own archive timestamp, and
/// one on that.
const MAX_DEPTH: usize = 3;

/// What a piece is, or should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmbeddedKind {
    /// A certificate.
    Certificate,
    /// A CRL.
    Crl,
    /// An OCSP response.
    OcspResponse,
    /// CertificateValues or RevocationValues that can't be read, or attributes with too much in them.
    Values,
    /// A timestamp token: evidence by what it carries.
    Timestamp,
    /// A counter-signature, likewise.
    CounterSignature,
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
    /// Adds what the message carries to the evidence, and tells what is not taken: a broken piece is as good as none. What
    /// stands there more than once, a CRL in each year's timestamp for instance, is added once.
    pub fn add_to(&self, evidence: &mut Evidence) -> Vec<NotTaken> {
        let mut pieces = Pieces::default();
        pieces.message(self, 0);
        let mut not_taken = pieces.not_taken;
        let mut known = HashSet::new();
        for (kind, der) in pieces.list {
            if !known.insert((kind, der)) {
                continue;
            }
            let added = match kind {
                EmbeddedKind::Certificate => evidence.add_certificate_der(der, Origin::Embedded),
                EmbeddedKind::Crl => evidence.add_crl_der(der, Origin::Embedded),
                EmbeddedKind::OcspResponse => evidence.add_ocsp_response_der(der, Origin::Embedded),
                EmbeddedKind::Values | EmbeddedKind::Timestamp | EmbeddedKind::CounterSignature => Ok(()),
            };
            if let Err(error) = added {
                not_taken.push(NotTaken { kind, error });
            }
        }
        not_taken
    }
}

/// What messages and attributes carry, in the order in which it stands.
#[derive(Default)]
pub(super) struct Pieces<'a> {
    pub(super) list: Vec<(EmbeddedKind, &'a [u8])>,
    pub(super) not_taken: Vec<NotTaken>,
    /// How many of the list are from attributes.
    counted: usize,
}

impl<'a> Pieces<'a> {
    /// A message's own, which [`SignedData::from_der`] has bounded, and its attributes'.
    fn message(&mut self, data: &SignedData<'a>, depth: usize) {
        let own = data.certificates.iter().map(|der| (EmbeddedKind::Certificate, *der));
        let own = own.chain(data.crls.iter().map(|der| (EmbeddedKind::Crl, *der)));
        let responses = data.other_revocations.iter().filter(|other| other.format == oid::OCSP_RESPONSE);
        let own = own.chain(responses.map(|other| (EmbeddedKind::OcspResponse, other.value)));
        if depth == 0 {
            self.list.extend(own);
        } else {
            own.for_each(|(kind, der)| self.push(kind, der));
        }
        for signer in &data.signers {
            self.signer(signer, depth);
        }
    }

    fn signer(&mut self, signer: &SignerInfo<'a>, depth: usize) {
        self.signed_attributes(signer, depth);
        signer.unsigned().into_iter().for_each(|attribute| self.attribute(attribute, depth));
    }

    /// The content timestamps among the signed attributes.
    pub(super) fn signed_attributes(&mut self, signer: &SignerInfo<'a>, depth: usize) {
        let tokens = signer.signed_attributes.iter().flat_map(|set| set.values(oid::CONTENT_TIMESTAMP));
        tokens.for_each(|token| self.token(token.whole, depth));
    }

    /// One value of an unsigned attribute, and what is in it.
    pub(super) fn attribute(&mut self, attribute: UnsignedAttribute<'a>, depth: usize) {
        let read = match attribute {
            UnsignedAttribute::CertificateValues(value) => Reader::only(value, writer::SEQUENCE)
                .map_err(CmsError::from)
                .and_then(|list| self.take(list, EmbeddedKind::Certificate)),
            UnsignedAttribute::RevocationValues(value) => self.revocation_values(value),
            UnsignedAttribute::SignatureTimestamp(token)
            | UnsignedAttribute::ArchiveTimestampV2(token)
            | UnsignedAttribute::ArchiveTimestampV3(token) => {
                self.token(token, depth);
                Ok(())
            }
            UnsignedAttribute::CounterSignature(value) => {
                self.counter_signature(value, depth);
                Ok(())
            }
            UnsignedAttribute::Other { .. } => Ok(()),
        };
        if let Err(error) = read {
            self.refuse(EmbeddedKind::Values, error.into());
        }
    }

    /// A token, and what it carries.
    fn token(&mut self, token: &'a [u8], depth: usize) {
        match SignedData::from_der(token) {
            Ok(data) => {
                self.push(EmbeddedKind::Timestamp, token);
                if depth < MAX_DEPTH {
                    self.message(&data, depth + 1);
                }
            }
            Err(error) => self.refuse(EmbeddedKind::Timestamp, error.into()),
        }
    }

    fn counter_signature(&mut self, value: &'a [u8], depth: usize) {
        match SignerInfo::from_der(value) {
            Ok(signer) => {
                self.push(EmbeddedKind::CounterSignature, value);
                if depth < MAX_DEPTH {
                    self.signer(&signer, depth + 1);
                }
            }
            Err(error) => self.refuse(EmbeddedKind::CounterSignature, error.into()),
        }
    }

    /// RevocationValues (RFC 5126 §6.3.4): CRLs and BasicOCSPResponses.
    fn revocation_values(&mut self, value: &'a [u8]) -> Result<(), CmsError> {
        let mut fields = Reader::only(value, writer::SEQUENCE)?;
        for (number, kind) in [(0, EmbeddedKind::Crl), (1, EmbeddedKind::OcspResponse)] {
            if let Some(explicit) = fields.optional(writer::context(number))? {
                self.take(Reader::only(explicit.content, writer::SEQUENCE)?, kind)?;
            }
        }
        // otherRevVals: of no kind that is known here.
        fields.optional(writer::context(2))?;
        Ok(fields.finish()?)
    }

    fn take(&mut self, mut list: Reader<'a>, kind: EmbeddedKind) -> Result<(), CmsError> {
        while self.counted < MAX_PIECES && !list.is_finished() {
            let der = list.expect(writer::SEQUENCE)?.whole;
            self.push(kind, der);
        }
        if list.is_finished() { Ok(()) } else { Err(CmsError::TooMany { what: "embedded pieces", limit: MAX_PIECES }) }
    }

    fn push(&mut self, kind: EmbeddedKind, der: &'a [u8]) {
        if self.counted < MAX_PIECES {
            self.counted += 1;
            self.list.push((kind, der));
        } else {
            self.refuse(kind, EvidenceError::TooMany { what: "embedded pieces", limit: MAX_PIECES });
        }
    }

    /// Tells it, unless enough was told: who fills a message with rubbish gets no list of it.
    fn refuse(&mut self, kind: EmbeddedKind, error: EvidenceError) {
        if self.not_taken.len() < MAX_PIECES {
            self.not_taken.push(NotTaken { kind, error });
        }
    }
}

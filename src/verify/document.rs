//! What is handed in to be judged: a signed message, a timestamp or a certificate, recognised by its octets.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::blocks::{Context, Role, TimestampKind, Validator};
use super::certificate::{Certificate, CertificateError};
use super::cms::{BerError, CmsError, Content, NotTaken, SignedData, normalise, oid};
use super::evidence::Evidence;
use super::report::{EvidenceReport, Report, Verdict, certificate_report, signature_report, timestamp_report};
use super::timestamp::{Stamped, TimestampError, TimestampToken, token_in_response};
use crate::asn1::{PemError, Reader, is_pem, pem_blocks, writer};
use crate::clock::rfc3339;

/// Where a PDF's header may stand (ISO 32000-1 Annex H, implementation note 13).
const PDF_HEADER_WITHIN: usize = 1024;

/// Why octets can't be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Nothing.
    #[error("the file is empty")]
    Empty,
    /// A PDF, whose signatures are not looked into.
    #[error(
        "a PDF: its signatures are not judged by this version; give the CMS signature (.p7s) and its content apart"
    )]
    Pdf,
    /// Nothing that is known here.
    #[error("neither a CMS message (.p7m, .p7s), a timestamp (.tsr, .tst) nor a certificate (.pem, .cer)")]
    Unknown,
    /// PEM that can't be decoded.
    #[error("the PEM can't be read: {0}")]
    Pem(#[from] PemError),
    /// Not in BER.
    #[error(transparent)]
    Ber(#[from] BerError),
    /// A message that can't be read.
    #[error(transparent)]
    Message(#[from] CmsError),
    /// A message without signers: certificates and CRLs only.
    #[error("the CMS message has no signer: it carries certificates only (give it by --held)")]
    NoSigner,
    /// A timestamp that can't be read.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// A certificate that can't be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A document.
#[derive(Clone, Debug)]
pub enum Document {
    /// A SignedData in its ContentInfo, in DER.
    Message(Vec<u8>),
    /// A timestamp token, in DER.
    Timestamp(Vec<u8>),
    /// A certificate.
    Certificate(Arc<Certificate>),
}

impl Document {
    /// Recognises octets: DER, BER, PEM or plain base64.
    ///
    /// # Errors
    /// Nothing that is known, or not well-formed.
    pub fn read(octets: &[u8]) -> Result<Self, DocumentError> {
        if octets.is_empty() {
            return Err(DocumentError::Empty);
        }
        let head = octets.get(..PDF_HEADER_WITHIN).unwrap_or(octets);
        // A message with a PDF in it begins as every message does.
        if octets.first() != Some(&writer::SEQUENCE) && head.windows(5).any(|window| window == b"%PDF-") {
            return Err(DocumentError::Pdf);
        }
        let der = unarmoured(octets)?;
        match first_inside(&der) {
            Some(writer::OBJECT_IDENTIFIER) => Self::read_message(&der),
            Some(writer::SEQUENCE) => Self::read_sequences(&der),
            _ => Err(DocumentError::Unknown),
        }
    }

    /// A ContentInfo.
    fn read_message(ber: &[u8]) -> Result<Self, DocumentError> {
        let der = normalise(ber)?.into_owned();
        let data = SignedData::from_der(&der)?;
        if data.content_type == oid::TST_INFO {
            TimestampToken::from_der(&der)?;
            return Ok(Self::Timestamp(der));
        }
        if data.signers.is_empty() {
            return Err(DocumentError::NoSigner);
        }
        Ok(Self::Message(der))
    }

    /// A certificate, or a timestamp response: the one's second field is an AlgorithmIdentifier before a BIT STRING.
    fn read_sequences(der: &[u8]) -> Result<Self, DocumentError> {
        let of_certificate = || -> Option<bool> {
            let mut fields = Reader::only(der, writer::SEQUENCE).ok()?;
            fields.expect(writer::SEQUENCE).ok()?;
            fields.optional(writer::SEQUENCE).ok()??;
            Some(fields.peek() == Some(writer::BIT_STRING))
        };
        match of_certificate() {
            Some(true) => Ok(Self::Certificate(Arc::new(Certificate::from_der(der)?))),
            _ => {
                let der = normalise(der)?;
                let token = normalise(token_in_response(&der)?)?.into_owned();
                TimestampToken::from_der(&token)?;
                Ok(Self::Timestamp(token))
            }
        }
    }

    /// What it is, as reports write it.
    #[must_use]
    pub const fn format(&self) -> &'static str {
        match self {
            Self::Message(_) => "cms",
            Self::Timestamp(_) => "timestamp",
            Self::Certificate(_) => "certificate",
        }
    }

    /// Whether what is signed or stamped must be given beside it.
    #[must_use]
    pub fn lacks_content(&self) -> bool {
        match self {
            Self::Message(der) => SignedData::from_der(der).is_ok_and(|data| data.content.is_none()),
            Self::Timestamp(_) => true,
            Self::Certificate(_) => false,
        }
    }

    /// Its octets, as it is judged.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Message(der) | Self::Timestamp(der) => der,
            Self::Certificate(certificate) => certificate.der(),
        }
    }

    /// Adds what it carries to the evidence, and tells what is not taken.
    ///
    /// # Errors
    /// Never of a document that was read; a message that is none.
    pub fn add_to(&self, evidence: &mut Evidence) -> Result<Vec<NotTaken>, DocumentError> {
        Ok(match self {
            Self::Message(der) | Self::Timestamp(der) => SignedData::from_der(der)?.add_to(evidence),
            Self::Certificate(_) => Vec::new(),
        })
    }

    /// The certificates whose chains it depends on, as far as they are in the evidence: signers' and timestamping units'.
    #[must_use]
    pub fn targets(&self, evidence: &Evidence) -> Vec<Arc<Certificate>> {
        match self {
            Self::Certificate(certificate) => vec![Arc::clone(certificate)],
            Self::Message(der) | Self::Timestamp(der) => {
                let Ok(data) = SignedData::from_der(der) else { return Vec::new() };
                data.signing_certificates(evidence)
            }
        }
    }

    /// Judges it. What it carries must be in the context's evidence already ([`Self::add_to`]); `not_taken` is what that
    /// told. A timestamp is held against the content, where one is given.
    ///
    /// # Errors
    /// Never of a document that was read; a message or token that is none.
    pub fn judge(
        &self,
        content: Content<'_>,
        context: Context<'_>,
        not_taken: &[NotTaken],
    ) -> Result<Report, DocumentError> {
        let mut report = Report {
            file: None,
            format: self.format().to_owned(),
            verdict: Verdict::Indeterminate,
            time: rfc3339(context.time_s),
            policy: context.policy.name.clone(),
            signatures: Vec::new(),
            timestamps: Vec::new(),
            certificates: Vec::new(),
            evidence: EvidenceReport {
                certificates: context.evidence.certificates().len(),
                crls: context.evidence.crls().len(),
                ocsp_responses: context.evidence.ocsp_responses().len(),
                not_taken: not_taken.iter().map(|one| format!("{:?}: {}", one.kind, one.error)).collect(),
                ..EvidenceReport::default()
            },
        };
        let mut validator = Validator::new(context).with_unread(not_taken.len());
        match self {
            Self::Message(der) => {
                let data = SignedData::from_der(der)?;
                let validations = validator.validate_message(&data, content);
                report.signatures = validations.iter().map(signature_report).collect();
            }
            Self::Timestamp(der) => {
                let token = TimestampToken::from_der(der)?;
                let stamped = match content {
                    Content::Attached => Stamped::NotAsked,
                    Content::Detached(octets) => Stamped::Data(octets),
                    Content::DetachedDigest { digest, value } => Stamped::Digest { digest, value },
                };
                let validation = validator.validate_timestamp(der, &token, TimestampKind::Data, stamped);
                report.timestamps.push(timestamp_report(&validation));
            }
            Self::Certificate(certificate) => {
                let validation = validator.validate_certificate(certificate, Role::Signer);
                report.certificates.push(certificate_report(certificate, &validation));
            }
        }
        report.verdict = report.verdict_of();
        Ok(report)
    }
}

/// The tag of the first value inside a constructed one, whatever the length's form.
fn first_inside(octets: &[u8]) -> Option<u8> {
    let [writer::SEQUENCE, length, rest @ ..] = octets else { return None };
    let more = if *length > 0x80 { usize::from(length & 0x7f) } else { 0 };
    rest.get(more).copied()
}

/// DER or BER as it stands, or out of PEM or base64.
fn unarmoured(octets: &[u8]) -> Result<Cow<'_, [u8]>, DocumentError> {
    if octets.first() == Some(&writer::SEQUENCE) && first_inside(octets).is_some_and(|tag| tag & 0x1f != 0x1f) {
        return Ok(Cow::Borrowed(octets));
    }
    if is_pem(octets) {
        // Keys and chains may stand in the same file; the first thing is what is judged.
        let block = pem_blocks(octets).next().ok_or(DocumentError::Unknown)?;
        return Ok(Cow::Owned(block.decode()?));
    }
    let compact: Vec<u8> = octets.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).map(Cow::Owned).map_err(|_| DocumentError::Unknown)
}

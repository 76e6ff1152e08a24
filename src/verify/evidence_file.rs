//! A judgement's evidence in a file: the documents, what they were judged with, anchors, policy and time. What is in it is
//! judged again without anything else, to the same verdict; or at another time, by another policy.
//!
//! Everything a document carries is in the document; what was held, fetched or sent along stands beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::AnchorConstraints;
use super::anchor::{AnchorError, AnchorRule, TrustAnchor};
use super::blocks::Anchors;
use super::cms::Content;
use super::document::{Document, DocumentError};
use super::evidence::{Evidence, EvidenceError, Origin};
use super::policy::{Policy, PolicyError};
use super::signature::Digest;
use crate::asn1::Oid;

/// The form's number: another is not read.
const FORM: u32 = 1;
/// Octets of a file that are read: a few large documents in base64, and CRLs.
pub const MAX_EVIDENCE_FILE_OCTETS: usize = 256 * 1024 * 1024;

/// Why a file can't be judged again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFileError {
    /// Not the JSON that it should be.
    #[error("the evidence file can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another form than is known here.
    #[error("the evidence file has the form {form}; this version reads form {FORM}")]
    Form {
        /// As written.
        form: u32,
    },
    /// Too large.
    #[error("the evidence file has {octets} octets, more than {MAX_EVIDENCE_FILE_OCTETS}")]
    TooLarge {
        /// Octets.
        octets: usize,
    },
    /// Something in it is not base64 or hexadecimal.
    #[error("{what} in the evidence file can't be decoded")]
    Encoding {
        /// What.
        what: &'static str,
    },
    /// A piece is named and not there.
    #[error("the evidence file names the piece {sha256}, and does not have it")]
    Missing {
        /// Its name.
        sha256: String,
    },
    /// A document in it.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A piece in it.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// An anchor in it.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The policy in it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy that this version does not come with, and whose text is not in the file.
    #[error("the evidence file names the policy {name:?}, and does not have its text")]
    NoPolicy {
        /// As written.
        name: String,
    },
    /// A digest that is not known here.
    #[error("the digest {name:?} is not known")]
    Digest {
        /// As written.
        name: String,
    },
    /// An identifier that is none.
    #[error("{oid:?} is no object identifier")]
    Oid {
        /// As written.
        oid: String,
    },
}

/// The content of a detached signature, or what a timestamp is over, as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GivenContent {
    /// Not given.
    #[default]
    Attached,
    /// The octets.
    Octets(Arc<[u8]>),
    /// Their digest.
    Digest {
        /// Which.
        digest: Digest,
        /// Its value.
        value: Vec<u8>,
    },
}

impl GivenContent {
    /// A digest as people write it: `sha256:` and hexadecimal digits.
    #[must_use]
    pub fn from_digest_text(text: &str) -> Option<Self> {
        let (name, value) = text.split_once(':')?;
        let digest = Digest::from_name(name)?;
        let value = hex::decode(value).ok().filter(|value| value.len() == digest.output_octets())?;
        Some(Self::Digest { digest, value })
    }

    /// As a verification takes it.
    #[must_use]
    pub fn as_content(&self) -> Content<'_> {
        match self {
            Self::Attached => Content::Attached,
            Self::Octets(octets) => Content::Detached(octets),
            Self::Digest { digest, value } => Content::DetachedDigest { digest: *digest, value },
        }
    }
}

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceFile {
    /// The form's number; its name says what the file is.
    noonmark_evidence: u32,
    /// The time that was judged for, seconds since 1970.
    pub time_s: i64,
    policy: WrittenPolicy,
    anchors: Vec<WrittenAnchor>,
    documents: Vec<WrittenDocument>,
    /// Pieces by the SHA-256 of their octets.
    pieces: BTreeMap<String, WrittenPiece>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    name: String,
    /// Of a policy that Noonmark does not come with.
    toml: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnchor {
    certificate: String,
    signers: bool,
    timestamping: bool,
    whole_certificate: bool,
    from_s: Option<i64>,
    until_s: Option<i64>,
    max_path_length: Option<u32>,
    name_constraints: Option<String>,
    policies: Option<Vec<String>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDocument {
    file: Option<String>,
    document: String,
    content: Option<String>,
    content_digest: Option<WrittenDigest>,
    /// What it was judged with, in the order in which that came.
    evidence: Vec<WrittenUse>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDigest {
    digest: String,
    value: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUse {
    sha256: String,
    origin: WrittenOrigin,
}

/// Where a piece came from when it was judged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenOrigin {
    /// It was sent along beside the document.
    Embedded,
    Held,
    Fetched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PieceKind {
    Certificate,
    Crl,
    OcspResponse,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPiece {
    kind: PieceKind,
    der: String,
}

/// An answer of the API, whose report is judged anew.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiAnswer {
    #[serde(rename = "report")]
    _report: serde::de::IgnoredAny,
    evidence: EvidenceFile,
}

/// A document of the file with its evidence: ready to be judged.
pub struct Recorded {
    /// The file's name, where it was one.
    pub file: Option<String>,
    /// The document.
    pub document: Document,
    /// Its content.
    pub content: GivenContent,
    /// What was held and fetched; what the document carries is not in it yet.
    pub evidence: Evidence,
}

impl EvidenceFile {
    /// A file without documents yet. `policy_toml` is the text of a policy that Noonmark does not come with. Anchors that are
    /// a bare name and key are not written: they come from no file.
    #[must_use]
    pub fn new(time_s: i64, policy: &Policy, policy_toml: Option<&str>, anchors: &Anchors) -> Self {
        Self {
            noonmark_evidence: FORM,
            time_s,
            policy: WrittenPolicy { name: policy.name.clone(), toml: policy_toml.map(str::to_owned) },
            anchors: written_anchors(anchors),
            documents: Vec::new(),
            pieces: BTreeMap::new(),
        }
    }

    /// Adds a document and what it was judged with.
    pub fn add(&mut self, file: Option<&str>, document: &Document, content: &GivenContent, evidence: &Evidence) {
        let mut used = Vec::new();
        // What the document carries is read from it again; what was sent along by its side is not in it.
        let mut carried = Evidence::new();
        let is_read = document.add_to(&mut carried).is_ok();
        let mut add = |kind: PieceKind, origin: Origin, sha256: &[u8; 32], der: &[u8]| {
            if origin == Origin::Embedded && is_read && carried.has(sha256) {
                return;
            }
            let sha256 = hex::encode(sha256);
            self.pieces.entry(sha256.clone()).or_insert_with(|| WrittenPiece { kind, der: STANDARD.encode(der) });
            let origin = match origin {
                Origin::Embedded => WrittenOrigin::Embedded,
                Origin::Held => WrittenOrigin::Held,
                Origin::Fetched => WrittenOrigin::Fetched,
            };
            used.push(WrittenUse { sha256, origin });
        };
        for held in evidence.certificates() {
            add(PieceKind::Certificate, held.origin, held.certificate.sha256(), held.certificate.der());
        }
        for crl in evidence.crls() {
            add(PieceKind::Crl, crl.origin(), crl.sha256(), crl.der());
        }
        for response in evidence.ocsp_responses() {
            add(PieceKind::OcspResponse, response.origin(), response.sha256(), response.der());
        }
        let (content, content_digest) = match content {
            GivenContent::Attached => (None, None),
            GivenContent::Octets(octets) => (Some(STANDARD.encode(octets)), None),
            GivenContent::Digest { digest, value } => {
                (None, Some(WrittenDigest { digest: digest.name().to_owned(), value: hex::encode(value) }))
            }
        };
        let document = STANDARD.encode(document.der());
        self.documents.push(WrittenDocument {
            file: file.map(str::to_owned),
            document,
            content,
            content_digest,
            evidence: used,
        });
    }

    /// Whether octets begin as such a file does: JSON that names its form first, or an answer of the API that has it beside
    /// its report.
    #[must_use]
    pub fn is_one(octets: &[u8]) -> bool {
        begins_with_key(octets, b"\"noonmark_evidence\"") || begins_with_key(octets, b"\"report\"")
    }

    /// The file's octets.
    ///
    /// # Errors
    /// Never of what was added here.
    pub fn to_json(&self) -> Result<Vec<u8>, EvidenceFileError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Not one, of another form, or too large.
    pub fn from_json(octets: &[u8]) -> Result<Self, EvidenceFileError> {
        if octets.len() > MAX_EVIDENCE_FILE_OCTETS {
            return Err(EvidenceFileError::TooLarge { octets: octets.len() });
        }
        let file: Self = if begins_with_key(octets, b"\"report\"") {
            serde_json::from_slice::<ApiAnswer>(octets)?.evidence
        } else {
            serde_json::from_slice(octets)?
        };
        match file.noonmark_evidence {
            FORM => Ok(file),
            form => Err(EvidenceFileError::Form { form }),
        }
    }

    /// The policy that was judged by, and its text where it is none that Noonmark comes with.
    ///
    /// # Errors
    /// A policy that this version does not know or read.
    pub fn policy(&self) -> Result<(Policy, Option<&str>), EvidenceFileError> {
        let toml = self.policy.toml.as_deref();
        match (toml, Policy::built_in(&self.policy.name)) {
            (Some(text), _) => Ok((Policy::from_toml(text, &self.policy.name)?, toml)),
            (None, Some(policy)) => Ok((policy.clone(), None)),
            (None, None) => Err(EvidenceFileError::NoPolicy { name: self.policy.name.clone() }),
        }
    }

    /// The anchors that were judged with.
    ///
    /// # Errors
    /// One that can't be read.
    pub fn anchors(&self) -> Result<Anchors, EvidenceFileError> {
        let mut anchors = Anchors::default();
        for written in &self.anchors {
            let anchor = Arc::new(read_anchor(written)?);
            if written.signers {
                anchors.signers.push(Arc::clone(&anchor));
            }
            if written.timestamping {
                anchors.timestamping.push(anchor);
            }
        }
        Ok(anchors)
    }

    /// The documents, each with its evidence.
    ///
    /// # Errors
    /// One that can't be read, or a piece that is missing.
    pub fn documents(&self) -> Result<Vec<Recorded>, EvidenceFileError> {
        self.documents.iter().map(|written| self.document(written)).collect()
    }

    fn document(&self, written: &WrittenDocument) -> Result<Recorded, EvidenceFileError> {
        let document = Document::read(&base64(&written.document, "a document")?)?;
        let content = match (&written.content, &written.content_digest) {
            (Some(content), _) => GivenContent::Octets(base64(content, "a content")?.into()),
            (None, Some(written)) => {
                let name = written.digest.clone();
                let digest = Digest::from_name(&name).ok_or(EvidenceFileError::Digest { name })?;
                let value = hex::decode(&written.value);
                let value = value.map_err(|_| EvidenceFileError::Encoding { what: "a content's digest" })?;
                GivenContent::Digest { digest, value }
            }
            (None, None) => GivenContent::Attached,
        };
        let mut evidence = Evidence::new();
        for used in &written.evidence {
            let missing = || EvidenceFileError::Missing { sha256: used.sha256.clone() };
            let piece = self.pieces.get(&used.sha256).ok_or_else(missing)?;
            let der = base64(&piece.der, "a piece of evidence")?;
            let origin = match used.origin {
                WrittenOrigin::Embedded => Origin::Embedded,
                WrittenOrigin::Held => Origin::Held,
                WrittenOrigin::Fetched => Origin::Fetched,
            };
            match piece.kind {
                PieceKind::Certificate => evidence.add_certificate_der(&der, origin)?,
                PieceKind::Crl => evidence.add_crl_der(&der, origin)?,
                PieceKind::OcspResponse => evidence.add_ocsp_response_der(&der, origin)?,
            }
        }
        Ok(Recorded { file: written.file.clone(), document, content, evidence })
    }
}

fn begins_with_key(octets: &[u8], key: &[u8]) -> bool {
    octets.trim_ascii_start().strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(key))
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, EvidenceFileError> {
    STANDARD.decode(text).map_err(|_| EvidenceFileError::Encoding { what })
}

fn written_anchors(anchors: &Anchors) -> Vec<WrittenAnchor> {
    let mut written: Vec<WrittenAnchor> = Vec::new();
    let all = anchors.signers.iter().chain(&anchors.timestamping);
    let mut known: Vec<&Arc<TrustAnchor>> = Vec::new();
    for anchor in all {
        let Some(certificate) = anchor.certificate() else { continue };
        if known.iter().any(|one| one.fingerprint() == anchor.fingerprint()) {
            continue;
        }
        known.push(anchor);
        let is_in = |list: &[Arc<TrustAnchor>]| list.iter().any(|one| one.fingerprint() == anchor.fingerprint());
        let constraints = anchor.constraints();
        let policies = constraints.policies.as_ref();
        written.push(WrittenAnchor {
            certificate: STANDARD.encode(certificate.der()),
            signers: is_in(&anchors.signers),
            timestamping: is_in(&anchors.timestamping),
            whole_certificate: anchor.rule() == AnchorRule::WholeCertificate,
            from_s: constraints.from_s,
            until_s: constraints.until_s,
            max_path_length: constraints.max_path_length,
            name_constraints: constraints.name_constraints.as_ref().map(|der| STANDARD.encode(der)),
            policies: policies.map(|list| list.iter().map(ToString::to_string).collect()),
        });
    }
    written
}

fn read_anchor(written: &WrittenAnchor) -> Result<TrustAnchor, EvidenceFileError> {
    let rule = if written.whole_certificate { AnchorRule::WholeCertificate } else { AnchorRule::NameAndKey };
    let anchor = TrustAnchor::from_certificate_der(&base64(&written.certificate, "an anchor")?, rule)?;
    let oid = |text: &String| text.parse::<Oid>().map_err(|_| EvidenceFileError::Oid { oid: text.clone() });
    let policies = written.policies.as_ref().map(|list| list.iter().map(oid).collect::<Result<_, _>>());
    let name_constraints = written.name_constraints.as_deref().map(|text| base64(text, "an anchor's name constraints"));
    Ok(anchor.with_constraints(AnchorConstraints {
        from_s: written.from_s,
        until_s: written.until_s,
        max_path_length: written.max_path_length,
        name_constraints: name_constraints.transpose()?,
        policies: policies.transpose()?,
    }))
}

//! What a judgement rests on: certificates, CRLs and OCSP responses, each with where it came from. Nothing is fetched.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::certificate::{Certificate, CertificateError};
use super::certificate_memory::CertificateMemory;
use super::cms::CmsError;
use super::name::CanonicalName;
use super::revocation::{CrlError, HeldCrl, HeldOcspResponse, OcspResponseError};
use crate::crypto::sha256;

/// Certificates that evidence holds: more than any document's or directory's, and few enough to be looked through.
const MAX_CERTIFICATES: usize = 16 * 1024;
/// CRLs and OCSP responses that evidence holds, of each.
const MAX_REVOCATION_ITEMS: usize = 1024;
/// Octets of all certificates: what 16,384 ordinary ones take.
const MAX_CERTIFICATES_OCTETS: usize = 32 * 1024 * 1024;

/// Where a piece of evidence came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From the document that is judged: chosen by whoever made it.
    Embedded,
    /// From the verifier's own store.
    Held,
    /// Fetched for this judgement.
    Fetched,
}

impl Origin {
    const fn number(self) -> u8 {
        match self {
            Self::Embedded => 0,
            Self::Held => 1,
            Self::Fetched => 2,
        }
    }

    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Held => "held",
            Self::Fetched => "fetched",
        }
    }
}

/// Why a piece of evidence is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Not a certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Not a CRL.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// Not an OCSP response.
    #[error(transparent)]
    OcspResponse(#[from] OcspResponseError),
    /// Not a timestamp token or counter-signature, which would carry evidence of its own.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// There is too much of it.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// A certificate, and where it came from.
#[derive(Clone, Debug)]
pub struct HeldCertificate {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Where it came from.
    pub origin: Origin,
    /// What candidates are ordered by, read once: its subjectKeyIdentifier, and whether it is a CA's.
    pub(super) key_identifier: Option<Vec<u8>>,
    pub(super) is_ca: bool,
}

/// All evidence of one judgement. The same piece is held once, with the origin that it came from first. A copy shares
/// what was read.
#[derive(Clone, Default)]
pub struct Evidence {
    certificates: Vec<HeldCertificate>,
    known_certificates: HashSet<[u8; 32]>,
    /// CRLs and OCSP responses.
    known: HashSet<[u8; 32]>,
    by_subject: HashMap<CanonicalName, Vec<usize>>,
    octets: usize,
    crls: Vec<Arc<HeldCrl>>,
    crls_by_issuer: HashMap<CanonicalName, Vec<usize>>,
    ocsp_responses: Vec<Arc<HeldOcspResponse>>,
    ocsp_by_serial: HashMap<Vec<u8>, Vec<usize>>,
    memory: Option<Arc<CertificateMemory>>,
}

impl Evidence {
    /// No evidence yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate.
    ///
    /// # Errors
    /// Not a certificate, or too many.
    pub fn add_certificate_der(&mut self, der: &[u8], origin: Origin) -> Result<(), EvidenceError> {
        let sha256 = sha256(der);
        // The same again costs nothing: it is not read.
        if self.known_certificates.contains(&sha256) {
            return Ok(());
        }
        let kept = self.memory.as_ref().and_then(|memory| memory.get(&sha256));
        let certificate = match kept {
            Some(certificate) => certificate,
            None => Arc::new(Certificate::from_hashed_der(der, sha256)?),
        };
        self.add_certificate(certificate, origin)
    }

    /// Has certificates that are added from now on looked up where they are kept.
    pub(super) fn share(&mut self, memory: &Arc<CertificateMemory>) {
        self.memory = Some(Arc::clone(memory));
    }

    /// Adds a certificate that was read before.
    ///
    /// # Errors
    /// Too many.
    pub fn add_certificate(&mut self, certificate: Arc<Certificate>, origin: Origin) -> Result<(), EvidenceError> {
        if !self.known_certificates.insert(*certificate.sha256()) {
            return Ok(());
        }
        self.octets += certificate.der().len();
        if self.certificates.len() == MAX_CERTIFICATES {
            return Err(EvidenceError::TooMany { what: "certificates", limit: MAX_CERTIFICATES });
        }
        if self.octets > MAX_CERTIFICATES_OCTETS {
            return Err(EvidenceError::TooMany { what: "octets of certificates", limit: MAX_CERTIFICATES_OCTETS });
        }
        let at = self.certificates.len();
        self.by_subject.entry(certificate.subject_name().clone()).or_default().push(at);
        let key_identifier = certificate.subject_key_identifier().ok().flatten().map(<[u8]>::to_vec);
        let is_ca = certificate.is_ca();
        self.certificates.push(HeldCertificate { certificate, origin, key_identifier, is_ca });
        Ok(())
    }

    /// Adds a CRL, complete or delta.
    ///
    /// # Errors
    /// Not a CRL, or too many.
    pub fn add_crl_der(&mut self, der: &[u8], origin: Origin) -> Result<(), EvidenceError> {
        if self.crls.len() == MAX_REVOCATION_ITEMS {
            return Err(EvidenceError::TooMany { what: "CRLs", limit: MAX_REVOCATION_ITEMS });
        }
        // The same again costs nothing: it is not read.
        if self.known.contains(&sha256(der)) {
            return Ok(());
        }
        self.add_crl(Arc::new(HeldCrl::from_der(der, origin)?))
    }

    /// Adds a CRL that was read before.
    ///
    /// # Errors
    /// Too many.
    pub fn add_crl(&mut self, crl: Arc<HeldCrl>) -> Result<(), EvidenceError> {
        if self.crls.len() == MAX_REVOCATION_ITEMS {
            return Err(EvidenceError::TooMany { what: "CRLs", limit: MAX_REVOCATION_ITEMS });
        }
        if self.known.insert(*crl.sha256()) {
            self.crls_by_issuer.entry(crl.issuer_name().clone()).or_default().push(self.crls.len());
            self.crls.push(crl);
        }
        Ok(())
    }

    /// Adds an OCSP response, an OCSPResponse or the BasicOCSPResponse in it; its certificates serve for itself only.
    ///
    /// # Errors
    /// Not a response, one without an answer, or too many.
    pub fn add_ocsp_response_der(&mut self, der: &[u8], origin: Origin) -> Result<(), EvidenceError> {
        if self.ocsp_responses.len() == MAX_REVOCATION_ITEMS {
            return Err(EvidenceError::TooMany { what: "OCSP responses", limit: MAX_REVOCATION_ITEMS });
        }
        if !self.known.insert(sha256(der)) {
            return Ok(());
        }
        let response = HeldOcspResponse::from_der(der, origin)?;
        let at = self.ocsp_responses.len();
        for serial in response.serials() {
            let list = self.ocsp_by_serial.entry(serial.to_vec()).or_default();
            if list.last() != Some(&at) {
                list.push(at);
            }
        }
        self.ocsp_responses.push(Arc::new(response));
        Ok(())
    }

    /// Adds everything that another has.
    ///
    /// # Errors
    /// Too much of it.
    pub fn add_all(&mut self, other: &Self) -> Result<(), EvidenceError> {
        for held in &other.certificates {
            self.add_certificate(Arc::clone(&held.certificate), held.origin)?;
        }
        for crl in &other.crls {
            self.add_crl(Arc::clone(crl))?;
        }
        for response in &other.ocsp_responses {
            self.add_ocsp_response_der(response.der(), response.origin())?;
        }
        Ok(())
    }

    /// Whether the piece with this SHA-256 is among them.
    #[must_use]
    pub fn has(&self, sha256: &[u8; 32]) -> bool {
        self.known_certificates.contains(sha256) || self.known.contains(sha256)
    }

    /// Every certificate.
    #[must_use]
    pub fn certificates(&self) -> &[HeldCertificate] {
        &self.certificates
    }

    /// Every CRL.
    #[must_use]
    pub fn crls(&self) -> &[Arc<HeldCrl>] {
        &self.crls
    }

    /// Every OCSP response.
    #[must_use]
    pub fn ocsp_responses(&self) -> &[Arc<HeldOcspResponse>] {
        &self.ocsp_responses
    }

    /// Writes the digest of every piece, and where it came from, in the order in which they came.
    pub(super) fn fingerprint_into(&self, octets: &mut Vec<u8>) {
        let mut write = |kind: u8, origin: Origin, sha256: &[u8; 32]| {
            octets.extend_from_slice(&[kind, origin.number()]);
            octets.extend_from_slice(sha256);
        };
        for held in &self.certificates {
            write(0, held.origin, held.certificate.sha256());
        }
        for crl in &self.crls {
            write(1, crl.origin(), crl.sha256());
        }
        for response in &self.ocsp_responses {
            write(2, response.origin(), response.sha256());
        }
    }

    /// Places of the certificates with this subject.
    pub(super) fn by_subject(&self, name: &CanonicalName) -> &[usize] {
        self.by_subject.get(name).map_or(&[], Vec::as_slice)
    }

    /// The certificates with this subject.
    pub fn certificates_of(&self, subject: &CanonicalName) -> impl Iterator<Item = &HeldCertificate> {
        self.by_subject(subject).iter().filter_map(|at| self.certificates.get(*at))
    }

    /// The CRLs of this issuer.
    pub fn crls_of(&self, issuer: &CanonicalName) -> impl Iterator<Item = &HeldCrl> {
        self.crls_by_issuer.get(issuer).into_iter().flatten().filter_map(|at| self.crls.get(*at)).map(Arc::as_ref)
    }

    /// The OCSP responses that speak of this serial, minimal content octets.
    pub(super) fn ocsp_responses_for(&self, serial: &[u8]) -> impl Iterator<Item = &HeldOcspResponse> {
        self.ocsp_by_serial
            .get(serial)
            .into_iter()
            .flatten()
            .filter_map(|at| self.ocsp_responses.get(*at))
            .map(Arc::as_ref)
    }
}

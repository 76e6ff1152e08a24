//! An issuer that is answered for: its names, its responders, its settings, and what an answer of its says.

use std::sync::Arc;

use super::cache::{AnswerKey, SignedAnswer};
use super::currency::Currency;
use super::{CertStatus, FORM, IssuerHashes, ResponderTemplate, ResponderTemplateError, SingleAnswer};
use crate::asn1::CertIds;
use crate::ca::{Certificate, IssuerSettings, NotIssuedAnswer, StatusSource};
use crate::crypto::SignatureAlgorithm;
use crate::keys::{KeyHandle, Pool};
use crate::store::{AnswerRow, CertIdHash, CertificateState, IssuerRow, StatusRow};

/// A key that signs an issuer's answers.
pub struct ServedResponder {
    /// The key's name.
    pub key_name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Its number in the store.
    pub(super) id: i64,
    pub(super) template: ResponderTemplate,
    /// What it signs with, an AlgorithmIdentifier, to be held against what a client prefers.
    pub(super) algorithm_der: Vec<u8>,
    pub(super) pool: Arc<Pool>,
    pub(super) key: KeyHandle,
}

/// What a responder is made of.
pub struct ResponderParts {
    /// Its certificate.
    pub certificate: Certificate,
    /// What it signs with.
    pub algorithm: SignatureAlgorithm,
    /// Its number in the store, see [`crate::store::Store::responder_id`].
    pub id: i64,
    /// The pool that holds its key.
    pub pool: Arc<Pool>,
    /// The key.
    pub key: KeyHandle,
}

impl ServedResponder {
    /// A responder; its certificate goes along with every answer.
    ///
    /// # Errors
    /// A signature algorithm without an identifier.
    pub fn new(parts: ResponderParts) -> Result<Self, ResponderTemplateError> {
        let ResponderParts { certificate, algorithm, id, pool, key } = parts;
        let template = ResponderTemplate::new(&certificate, std::slice::from_ref(&certificate), algorithm)?;
        let algorithm_der = algorithm.x509_identifier_der()?;
        Ok(Self { key_name: key.name().to_owned(), certificate, id, template, algorithm_der, pool, key })
    }
}

/// An issuer that is answered for.
pub struct ServedIssuer {
    /// Its number in the store.
    pub id: i64,
    /// Its name in URLs.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Its responders, the usual one first.
    pub responders: Vec<ServedResponder>,
    /// How it is answered for.
    pub settings: IssuerSettings,
    pub(super) hashes: IssuerHashes,
    pub(super) currency: Arc<Currency>,
    /// What knows its certificates' status beside the registry. Answers are then signed on demand and kept in memory
    /// alone, under the source's edition: an answer from an older one is never found again.
    pub(super) source: Option<Arc<dyn StatusSource>>,
}

impl ServedIssuer {
    /// An issuer; `responders` may be empty: it is then answered with tryLater.
    #[must_use]
    pub fn new(
        row: &IssuerRow,
        certificate: Certificate,
        settings: IssuerSettings,
        responders: Vec<ServedResponder>,
    ) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            hashes: IssuerHashes::of(&certificate),
            certificate,
            responders,
            settings,
            currency: Arc::new(Currency::new(row.change_number)),
            source: None,
        }
    }

    /// The same, with what knows its certificates' status beside the registry.
    #[must_use]
    pub fn with_source(self, source: Arc<dyn StatusSource>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The edition that an answer must be from to be given now; 0 where the registry alone speaks.
    pub(super) fn edition(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.edition())
    }

    /// What an answer that may be given now is found by.
    pub(super) fn answer_key(&self, responder: &ServedResponder, hash: CertIdHash, serial: &[u8]) -> Option<AnswerKey> {
        AnswerKey::new(self.id, responder.id, hash, serial).map(|key| key.of_edition(self.edition()))
    }

    /// The form of the octets that are signed for this issuer now: a stored answer of another one is signed anew. A setting that
    /// changes what a stored answer says is a part of it.
    pub(super) fn form(&self) -> i16 {
        const WITH_ARCHIVE_CUTOFF: i16 = 0x100;
        if self.settings.archive_cutoff { FORM | WITH_ARCHIVE_CUTOFF } else { FORM }
    }

    /// The responder for a client that prefers these algorithms (RFC 6960 §4.4.7.2.1: its first that we have).
    pub(super) fn responder_for(&self, preferred: &[&[u8]]) -> Option<(usize, &ServedResponder)> {
        preferred
            .iter()
            .find_map(|wanted| self.responders.iter().enumerate().find(|(_, has)| has.algorithm_der == *wanted))
            .or_else(|| self.responders.iter().enumerate().next())
    }

    pub(super) fn names_any(&self, cert_ids: &CertIds<'_>) -> bool {
        cert_ids.iter().any(|id| self.hashes.matches(id).is_some())
    }

    /// thisUpdate and nextUpdate of an answer signed now; None if the responder's certificate does not allow one.
    pub(super) fn period(&self, responder: &ServedResponder, now_s: i64) -> Option<(i64, i64)> {
        let certificate = &responder.certificate;
        if now_s < certificate.not_before_s || now_s >= certificate.not_after_s {
            return None;
        }
        Some((now_s, (now_s + i64::from(self.settings.validity_s)).min(certificate.not_after_s)))
    }

    pub(super) fn single<'a>(
        &self,
        cert_id: &'a [u8],
        status: Option<StatusRow>,
        is_ours: bool,
        this_update_s: i64,
        next_update_s: i64,
    ) -> SingleAnswer<'a> {
        let not_issued = match self.settings.not_issued {
            NotIssuedAnswer::Revoked if is_ours => CertStatus::NotIssued,
            NotIssuedAnswer::Revoked | NotIssuedAnswer::Unknown => CertStatus::Unknown,
        };
        let status = match status {
            None => not_issued,
            Some(status) => match status.state {
                // The serial number is taken and nothing was signed: not issued.
                CertificateState::Intended => not_issued,
                CertificateState::Good => CertStatus::Good,
                CertificateState::Held | CertificateState::Revoked => {
                    // The schema demands a date with these states; without one the beginning of the epoch is the safe one.
                    CertStatus::Revoked { at_s: status.revoked_at_s.unwrap_or(0), reason: status.reason }
                }
            },
        };
        let archive_cutoff_s = (self.settings.archive_cutoff
            && !matches!(status, CertStatus::NotIssued | CertStatus::Unknown))
        .then_some(self.certificate.not_before_s);
        SingleAnswer { cert_id, status, this_update_s, next_update_s, archive_cutoff_s }
    }

    /// The whole answer from what the store keeps of it.
    pub(super) fn rebuild(
        &self,
        responder: &ServedResponder,
        hash: CertIdHash,
        serial: &[u8],
        status: StatusRow,
        answer: &AnswerRow,
    ) -> Option<SignedAnswer> {
        let cert_id = self.hashes.cert_id_der(hash, serial);
        let single = self.single(&cert_id, Some(status), true, answer.this_update_s, answer.next_update_s);
        let prepared = responder.template.prepare(&[single], answer.this_update_s, None).ok()?;
        let der = responder.template.assemble(&prepared, &answer.signature);
        let renewed_at_s = self.settings.renewed_at_s(answer.this_update_s, answer.next_update_s);
        Some(SignedAnswer::new(der, answer.this_update_s, answer.next_update_s, renewed_at_s, true))
    }
}

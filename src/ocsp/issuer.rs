//! An issuer that is answered for: its names, its responders, its settings.

use std::sync::Arc;

use super::currency::Currency;
use super::{IssuerHashes, ResponderTemplate, ResponderTemplateError};
use crate::ca::{Certificate, IssuerSettings};
use crate::crypto::SignatureAlgorithm;
use crate::keys::{KeyHandle, Pool};
use crate::store::IssuerRow;

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
        }
    }

    /// The responder for a client that prefers these algorithms (RFC 6960 §4.4.7.2.1: its first that we have).
    pub(super) fn responder_for(&self, preferred: &[&[u8]]) -> Option<(usize, &ServedResponder)> {
        preferred
            .iter()
            .find_map(|wanted| self.responders.iter().enumerate().find(|(_, has)| has.algorithm_der == *wanted))
            .or_else(|| self.responders.iter().enumerate().next())
    }
}

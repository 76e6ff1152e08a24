//! A profile's unit: its key, its certificate, its chain, held against each other.

use std::sync::Arc;

use super::Installation;
use crate::ca::{Certificate, CertificateKind, Severity, chain, profile};
pub use crate::clock::rfc3339;
use crate::config::RsaPadding;
use crate::crypto::{KeyAlgorithm, SignatureAlgorithm};
use crate::keys::{KeySpec, KeyUri};
use crate::store::{KeyRow, KeyState};

/// Warn this long before a key's period ends: time enough for an order at an outside CA.
pub const WARN_DAYS: i64 = 60;

/// Why a profile can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitFault {
    /// No active key.
    #[error(
        "profile {profile} has no active key; make one with `noonmark key rotate --profile {profile}`, or import a certificate for a key of your own"
    )]
    NoKey {
        /// The profile.
        profile: String,
    },
    /// The key has no certificate.
    #[error("key {key} has no certificate; get one with `noonmark key csr {key}` and `noonmark key import-cert {key}`")]
    NoCertificate {
        /// The key.
        key: String,
    },
    /// What the store holds does not read.
    #[error("key {key}: {reason}")]
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The certificate is not what its use demands.
    #[error("the certificate of key {key} may not be used for a {kind}: {text}")]
    Profile {
        /// The key.
        key: String,
        /// The use.
        kind: CertificateKind,
        /// The demand that is not met.
        text: &'static str,
    },
    /// The time is not within the certificate's or the private key's period.
    #[error(
        "the certificate of key {key} may not be used now: its key's period is {from} to {until}; `noonmark key rotate` makes a successor"
    )]
    Period {
        /// The key.
        key: String,
        /// First second, RFC 3339.
        from: String,
        /// Last second, RFC 3339.
        until: String,
    },
    /// The key in the token is not the certificate's.
    #[error("the key in the token and its certificate do not belong together: {reason}")]
    Token {
        /// What the token or the challenge says.
        reason: String,
    },
    /// The store does not answer.
    #[error("the store: {reason}")]
    Store {
        /// What it says.
        reason: String,
    },
}

/// A key with its certificate and chain, ready for a pool.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) row: KeyRow,
    pub(crate) chain: Vec<Certificate>,
    pub(crate) algorithm: SignatureAlgorithm,
    /// Why the key's successor can't take over, if one waits and can't.
    pub(crate) successor_fault: Option<String>,
}

impl Candidate {
    pub(crate) fn certificate(&self) -> &Certificate {
        // Unwrap safety: a chain begins with the certificate it was ordered from.
        self.chain.first().unwrap()
    }

    pub(crate) fn spec(&self) -> Result<KeySpec, UnitFault> {
        Ok(KeySpec {
            name: self.row.name.clone(),
            uri: uri(&self.row)?,
            algorithm: self.algorithm,
            public_key: self.certificate().public_key.clone(),
        })
    }

    /// What an operator should know, short of a fault.
    pub(crate) fn warnings(&self, kind: CertificateKind, now_s: i64) -> Vec<String> {
        let mut warnings: Vec<String> = profile::findings(kind, self.certificate())
            .into_iter()
            .filter(|finding| finding.severity == Severity::Warning)
            .map(|finding| finding.text.to_owned())
            .collect();
        for issuer in self.chain.iter().skip(1).filter(|issuer| now_s > issuer.not_after_s) {
            warnings.push(format!(
                "the certificate of its issuer {} ended at {}: clients refuse its tokens",
                issuer.subject(),
                rfc3339(issuer.not_after_s)
            ));
        }
        warnings.extend(self.successor_fault.clone());
        let left_days = (self.certificate().usable_until_s() - now_s) / 86_400;
        if left_days < WARN_DAYS {
            warnings.insert(
                0,
                format!(
                    "key {} may sign for {left_days} more days, until {}; make its successor with `noonmark key rotate`",
                    self.row.name,
                    rfc3339(self.certificate().usable_until_s())
                ),
            );
        }
        warnings
    }
}

pub(crate) fn uri(row: &KeyRow) -> Result<KeyUri, UnitFault> {
    row.uri.parse().map_err(|error| UnitFault::Unreadable { key: row.name.clone(), reason: format!("{error}") })
}

/// The role of a profile's keys in the store.
pub(crate) fn tsu_role(profile: &str) -> String {
    format!("tsu:{profile}")
}

impl Installation {
    /// The key of a role in this state.
    pub(crate) fn key_in_state(&self, role: &str, state: KeyState) -> Result<Option<KeyRow>, UnitFault> {
        let keys = self.store.keys().map_err(|error| UnitFault::Store { reason: error.to_string() })?;
        Ok(keys.into_iter().find(|key| key.role == role && key.state == state))
    }

    /// The active key of a profile, with its certificate held against it, its use and this time.
    pub(crate) fn unit_candidate(&self, profile_name: &str, now_s: i64) -> Result<Candidate, UnitFault> {
        let row = self
            .key_in_state(&tsu_role(profile_name), KeyState::Active)?
            .ok_or_else(|| UnitFault::NoKey { profile: profile_name.to_owned() })?;
        self.usable(row, profile_name, now_s)
    }

    /// A key of a profile, if it may serve it at this time.
    pub(crate) fn usable(&self, row: KeyRow, profile_name: &str, now_s: i64) -> Result<Candidate, UnitFault> {
        let padding = self.configuration.tsa.get(profile_name).map_or(RsaPadding::Pkcs1, |section| section.rsa_padding);
        let candidate = self.candidate(row, padding)?;
        let certificate = candidate.certificate();
        let key = || candidate.row.name.clone();
        if let Some(finding) = profile::first_error(CertificateKind::Tsu, certificate) {
            return Err(UnitFault::Profile { key: key(), kind: CertificateKind::Tsu, text: finding.text });
        }
        if now_s < certificate.usable_from_s() || now_s > certificate.usable_until_s() {
            return Err(UnitFault::Period {
                key: key(),
                from: rfc3339(certificate.usable_from_s()),
                until: rfc3339(certificate.usable_until_s()),
            });
        }
        Ok(candidate)
    }

    /// A key's row with its certificate and chain, as far as the store has them.
    pub(crate) fn candidate(&self, row: KeyRow, padding: RsaPadding) -> Result<Candidate, UnitFault> {
        let unreadable = |reason: String| UnitFault::Unreadable { key: row.name.clone(), reason };
        let store = |error: crate::store::StoreError| UnitFault::Store { reason: error.to_string() };
        let sha256 = row.certificate_sha256.ok_or_else(|| UnitFault::NoCertificate { key: row.name.clone() })?;
        let rows = self.store.certificates().map_err(store)?;
        let mut certificates = Vec::new();
        let mut leaf = None;
        for stored in &rows {
            let certificate = Certificate::from_der(&stored.der).map_err(|error| unreadable(error.to_string()))?;
            if certificate.sha256() == sha256 {
                leaf = Some(certificate.clone());
            }
            certificates.push(certificate);
        }
        let leaf = leaf.ok_or_else(|| unreadable("its certificate is not in the store".to_owned()))?;
        let algorithm = token_algorithm(&leaf, padding, uri(&row)?.software_name().is_some());
        let chain = chain::order(&leaf, &certificates).map_err(|error| unreadable(error.to_string()))?;
        Ok(Candidate { row, chain, algorithm, successor_fault: None })
    }

    /// A responder's key with its certificate alone: whoever asks has its issuer's, which may be nobody's here.
    pub(crate) fn lone_candidate(&self, row: KeyRow) -> Result<Candidate, UnitFault> {
        let unreadable = |reason: String| UnitFault::Unreadable { key: row.name.clone(), reason };
        let sha256 = row.certificate_sha256.ok_or_else(|| UnitFault::NoCertificate { key: row.name.clone() })?;
        let der = self.store.certificate_der(&sha256);
        let der = der.map_err(|error| UnitFault::Store { reason: error.to_string() })?;
        let der = der.ok_or_else(|| unreadable("its certificate is not in the store".to_owned()))?;
        let leaf = Certificate::from_der(&der).map_err(|error| unreadable(error.to_string()))?;
        let algorithm = token_algorithm(&leaf, RsaPadding::Pkcs1, uri(&row)?.software_name().is_some());
        Ok(Candidate { row, chain: vec![leaf], algorithm, successor_fault: None })
    }
}

/// The algorithm a unit signs tokens with: the digest is the one its certificate was signed with (CSBR 6.8).
///
/// The software tier's library signs with an EC key in the curve's own digest alone.
fn token_algorithm(certificate: &Certificate, padding: RsaPadding, software: bool) -> SignatureAlgorithm {
    let digest = match certificate.signature_algorithm {
        None | Some(SignatureAlgorithm::Ed25519) => None,
        Some(algorithm) => Some(algorithm.digest()),
    };
    let own = certificate.public_key.algorithm().default_signature();
    match (certificate.public_key.algorithm(), digest.unwrap_or(own.digest())) {
        (KeyAlgorithm::Rsa { .. }, digest) if padding == RsaPadding::Pss => SignatureAlgorithm::RsaPss(digest),
        (KeyAlgorithm::Rsa { .. }, digest) => SignatureAlgorithm::RsaPkcs1(digest),
        (KeyAlgorithm::Ed25519, _) => SignatureAlgorithm::Ed25519,
        (KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521, _) if software => own,
        (KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521, digest) => {
            SignatureAlgorithm::Ecdsa(digest)
        }
    }
}

/// The unit, once its pool holds the key.
pub(crate) fn unit(candidate: &Candidate, pool: &Arc<crate::keys::Pool>) -> Result<Arc<crate::tsa::Unit>, UnitFault> {
    let key_name = &candidate.row.name;
    let unreadable = |reason: String| UnitFault::Unreadable { key: key_name.clone(), reason };
    let handle = pool.key(key_name).ok_or_else(|| unreadable("the signing pool does not hold it".to_owned()))?;
    crate::tsa::Unit::new(key_name, candidate.chain.clone(), candidate.algorithm, Arc::clone(pool), handle)
        .map_err(|error| unreadable(error.to_string()))?
        .map(Arc::new)
        .ok_or_else(|| unreadable("it has no certificate".to_owned()))
}

//! The registry: issuers, certificates and their status; every change with its record in one transaction.

mod importing;
mod orders;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

pub use importing::{IMPORT_BATCH, ImportCounts, ImportEntry, ImportMode};
pub use orders::{IssueWords, KeyCertificate, SigningError, read_order};

use super::import::ImportError;
use super::issuer::{IssuerSettings, IssuerSettingsError};
use super::issuing_profiles::{IssuingProfiles, ProfilesError};
use super::order::OrderError;
use super::status::{self, StatusError, StatusPolicy, StatusWish};
use super::{Certificate, CertificateError, ExternalCrlError, reason_name};
use crate::ledger::{Event, Ledger, LedgerError, Recorded};
use crate::store::{
    CertificateRow, CertificateSearch, CertificateState, Change, IssuerOrigin, IssuerRow, RegistryRow, StatusRow,
    Store, StoreError,
};

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No issuer by this name.
    #[error("there is no issuer {name:?}; `noonmark issuer list` shows them")]
    NoSuchIssuer {
        /// The name.
        name: String,
    },
    /// No certificate with this serial number.
    #[error("issuer {issuer} has no certificate with the serial number {serial}")]
    NoSuchCertificate {
        /// The issuer.
        issuer: String,
        /// The serial number, hexadecimal.
        serial: String,
    },
    /// The status is known, the certificate is not.
    #[error("the certificate {serial} of issuer {issuer} is not kept here: its status came without it")]
    NotKept {
        /// The issuer.
        issuer: String,
        /// The serial number, hexadecimal.
        serial: String,
    },
    /// A name that URLs can't carry.
    #[error("{name:?} can't be an issuer's name: a lower-case letter, then at most 39 of a-z, 0-9 and -")]
    Name {
        /// The name.
        name: String,
    },
    /// A serial number that is none.
    #[error("{text:?} is no serial number: 1 to {MAX_SERIAL} octets in hexadecimal, positive")]
    Serial {
        /// What was given.
        text: String,
    },
    /// The issuer's key is not here.
    #[error("issuer {name} is external: its key is not here, and it issues elsewhere")]
    External {
        /// The issuer.
        name: String,
    },
    /// Noonmark's own issuer, and its key is not active here.
    #[error("the key of issuer {name} is not active here; `noonmark key list` shows keys and their states")]
    KeyNotHere {
        /// The issuer.
        name: String,
    },
    /// A certificate that can't be an issuer's.
    #[error("this certificate can't be an issuer's: {reason}")]
    NotAnIssuer {
        /// Why.
        reason: String,
    },
    /// Settings out of bounds.
    #[error(transparent)]
    Settings(#[from] IssuerSettingsError),
    /// A change of status that the standards forbid.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// A certificate that does not read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An order that can't be.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A profile that is not in order: nothing is issued until it is.
    #[error("issuing profiles: {0}")]
    Profiles(#[from] ProfilesError),
    /// A file of certificates or statuses.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Somebody else changed it at the same time, or it is there already.
    #[error("{reason}")]
    Conflict {
        /// What.
        reason: String,
    },
    /// The ledger did not take the record: nothing was changed, as far as is known.
    #[error("the ledger did not take the record: {0}")]
    Ledger(LedgerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for RegistryError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Conflict { reason } => Self::Conflict { reason },
            other => Self::Ledger(other),
        }
    }
}

/// The most octets of a serial number: RFC 5280 §4.1.2.2 allows 20, some CAs exceed it.
pub const MAX_SERIAL: usize = 32;
/// The profile of certificates that came from elsewhere.
const IMPORTED: &str = "imported";
/// How often a change is tried again when another came first.
const TRIES: usize = 3;

/// An issuer with its certificate and settings, read.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The row.
    pub row: IssuerRow,
    /// The certificate.
    pub certificate: Certificate,
    /// The settings.
    pub settings: IssuerSettings,
}

/// What certificates are issued by.
#[derive(Clone, Debug)]
pub struct IssuingRules {
    /// The URL that stands in certificates.
    pub public_url: String,
    /// The folder with the operator's profiles.
    pub profile_directory: PathBuf,
}

/// The registry.
pub struct Registry {
    store: Arc<Store>,
    ledger: Arc<Ledger>,
    rules: IssuingRules,
}

impl Registry {
    /// A registry whose changes are recorded in this ledger.
    #[must_use]
    pub fn new(store: Arc<Store>, ledger: Arc<Ledger>, rules: IssuingRules) -> Self {
        Self { store, ledger, rules }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Makes a change and records it, in one transaction.
    ///
    /// # Errors
    /// The change's condition is not met, or the record did not become durable.
    pub fn record(&self, kind: &str, detail: serde_json::Value, change: Change) -> Result<Recorded, RegistryError> {
        Ok(self.ledger.record_change(Event::new(kind, detail), change)?)
    }

    /// Records something that changes nothing.
    ///
    /// # Errors
    /// The record did not become durable.
    pub fn note(&self, kind: &str, detail: serde_json::Value) -> Result<Recorded, RegistryError> {
        Ok(self.ledger.record_event(Event::new(kind, detail))?)
    }

    /// Every issuer.
    ///
    /// # Errors
    /// The store's, or a row that does not read.
    pub fn issuers(&self) -> Result<Vec<Issuer>, RegistryError> {
        self.store.issuers()?.into_iter().map(|row| self.read_issuer(row)).collect()
    }

    /// An issuer by name.
    ///
    /// # Errors
    /// None, or the store's.
    pub fn issuer(&self, name: &str) -> Result<Issuer, RegistryError> {
        let row = self.store.issuers()?.into_iter().find(|row| row.name == name);
        self.read_issuer(row.ok_or_else(|| RegistryError::NoSuchIssuer { name: name.to_owned() })?)
    }

    fn read_issuer(&self, row: IssuerRow) -> Result<Issuer, RegistryError> {
        let der = self.store.certificate_der(&row.certificate_sha256)?;
        let der = der.ok_or(StoreError::Row { table: "issuers", column: "certificate_sha256" })?;
        let certificate = Certificate::from_der(&der)?;
        let settings = IssuerSettings::from_json(&row.settings)?;
        Ok(Issuer { row, certificate, settings })
    }

    /// Adds an issuer; its certificates' status can be kept and answered for from then on.
    ///
    /// # Errors
    /// A name that is taken or can't be, a certificate that is no CA's.
    pub fn add_issuer(
        &self,
        name: &str,
        origin: IssuerOrigin,
        certificate: &Certificate,
        settings: IssuerSettings,
        who: &str,
    ) -> Result<(), RegistryError> {
        if !is_valid_name(name) {
            return Err(RegistryError::Name { name: name.to_owned() });
        }
        if certificate.basic_constraints.is_none_or(|(is_ca, _)| !is_ca) {
            return Err(RegistryError::NotAnIssuer {
                reason: "its basicConstraints do not say cA (RFC 5280 §4.2.1.9)".to_owned(),
            });
        }
        let settings = checked(settings, origin)?.to_json();
        self.record(
            "issuer-added",
            json!({
                "issuer": name, "origin": origin.name(), "subject": certificate.subject(),
                "certificate_sha256": hex::encode(certificate.sha256()), "settings": settings, "who": who,
            }),
            Change::AddIssuer {
                name: name.to_owned(),
                origin,
                certificate: certificate_row(certificate, &format!("issuer:{name}")),
                settings,
            },
        )?;
        Ok(())
    }

    /// Gives an issuer, as the caller read it, other settings.
    ///
    /// # Errors
    /// Settings out of bounds, or somebody else changed them first.
    pub fn change_settings(
        &self,
        issuer: &Issuer,
        settings: IssuerSettings,
        who: &str,
    ) -> Result<Issuer, RegistryError> {
        let name = issuer.row.name.as_str();
        settings.crl.may_follow(&issuer.settings.crl).map_err(IssuerSettingsError::from)?;
        let (before, after) = (issuer.row.settings.clone(), checked(settings, issuer.row.origin)?.to_json());
        self.record(
            "issuer-changed",
            json!({ "issuer": name, "before": before, "after": after, "who": who }),
            Change::ChangeIssuer { issuer_id: issuer.row.id, before, after },
        )?;
        self.issuer(name)
    }

    /// A certificate's row.
    ///
    /// # Errors
    /// No such issuer or certificate.
    pub fn certificate(&self, issuer_name: &str, serial: &[u8]) -> Result<RegistryRow, RegistryError> {
        let issuer = self.issuer(issuer_name)?;
        self.store.registry_row(issuer.row.id, serial)?.ok_or_else(|| RegistryError::NoSuchCertificate {
            issuer: issuer_name.to_owned(),
            serial: hex::encode(serial),
        })
    }

    /// A certificate's octets.
    ///
    /// # Errors
    /// No such issuer or certificate, or one that is known by its serial number alone.
    pub fn certificate_der(&self, issuer_name: &str, serial: &[u8]) -> Result<Vec<u8>, RegistryError> {
        let row = self.certificate(issuer_name, serial)?;
        let Some(sha256) = row.certificate_sha256 else {
            return Err(RegistryError::NotKept { issuer: issuer_name.to_owned(), serial: hex::encode(serial) });
        };
        let der = self.store.certificate_der(&sha256)?;
        Ok(der.ok_or(StoreError::Row { table: "registry", column: "certificate_sha256" })?)
    }

    /// Certificates, ordered by issuer and serial number, after a place and so many at most.
    ///
    /// # Errors
    /// The store's.
    pub fn search(
        &self,
        search: &CertificateSearch,
        after: Option<(i64, &[u8])>,
        limit: u32,
    ) -> Result<Vec<RegistryRow>, RegistryError> {
        Ok(self.store.search_registry(search, after, limit)?)
    }

    /// Revokes, holds or releases a certificate.
    ///
    /// # Errors
    /// A change that the standards or its profile forbid, or the record did not become durable.
    pub fn change_status(
        &self,
        issuer_name: &str,
        serial: &[u8],
        wish: &StatusWish,
        now_s: i64,
        who: &str,
    ) -> Result<RegistryRow, RegistryError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let before = self.certificate(issuer_name, serial)?;
            let mut after = status::change(&before, wish, &self.policy_for(&before)?, now_s)?;
            who.clone_into(&mut after.changed_by);
            after.changed_at_us = now_s.saturating_mul(1_000_000);
            let recorded = self.record(
                "certificate-status-changed",
                json!({
                    "issuer": issuer_name, "serial": hex::encode(serial), "before": describe(&before.status),
                    "after": describe(&after.status), "who": who,
                }),
                Change::Status { before: before.status.change_number, after },
            );
            match recorded {
                // Somebody else was first: what they made of it decides what may be made of it now.
                Err(RegistryError::Conflict { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
                Ok(_) => return self.certificate(issuer_name, serial),
            }
        }
    }

    /// What may become of a certificate, by its profile; one that came without, by what it says itself.
    fn policy_for(&self, row: &RegistryRow) -> Result<StatusPolicy, RegistryError> {
        let by_itself = match &row.certificate_sha256 {
            None => StatusPolicy::default(),
            Some(sha256) => {
                let der = self.store.certificate_der(sha256)?;
                let der = der.ok_or(StoreError::Row { table: "registry", column: "certificate_sha256" })?;
                StatusPolicy::for_certificate(&Certificate::from_der(&der)?)
            }
        };
        if row.profile == IMPORTED {
            return Ok(by_itself);
        }
        // A broken or missing profile must not keep anybody from revoking; what only it could allow is refused.
        let profiles = IssuingProfiles::read(&self.rules.profile_directory);
        let profile = profiles.as_ref().ok().and_then(|profiles| profiles.get(&row.profile));
        Ok(match profile {
            Some(profile) => profile.status_policy().clone(),
            None => StatusPolicy { hold_allowed: false, ..by_itself },
        })
    }
}

/// Settings within bounds, and such as an issuer of this origin can have.
fn checked(settings: IssuerSettings, origin: IssuerOrigin) -> Result<IssuerSettings, IssuerSettingsError> {
    if origin == IssuerOrigin::Own && settings.external_crl.is_fetched() {
        return Err(ExternalCrlError::OwnIssuer.into());
    }
    settings.checked()
}

/// Whether an issuer's, a profile's or a caller's name matches `[a-z][a-z0-9-]{0,39}`: it can stand in URLs beside base64.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    let mut octets = name.bytes();
    octets.next().is_some_and(|first| first.is_ascii_lowercase())
        && name.len() <= 40
        && octets.all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
}

/// A serial number as people write it (hexadecimal, colons allowed) to its content octets.
///
/// # Errors
/// Anything else.
pub fn parse_serial(text: &str) -> Result<Vec<u8>, RegistryError> {
    let wrong = || RegistryError::Serial { text: text.chars().take(100).collect() };
    let mut digits: String = text.trim().trim_start_matches("0x").chars().filter(|c| *c != ':').collect();
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    let octets = hex::decode(&digits).map_err(|_| wrong())?;
    let first = octets.iter().position(|octet| *octet != 0).ok_or_else(wrong)?;
    let mut content = octets.get(first..).unwrap_or_default().to_vec();
    // A positive INTEGER's first bit is clear (X.690 §8.3).
    if content.first().is_some_and(|octet| *octet >= 0x80) {
        content.insert(0, 0);
    }
    if content.len() > MAX_SERIAL { Err(wrong()) } else { Ok(content) }
}

/// A status for records and people.
#[must_use]
pub fn describe(row: &StatusRow) -> serde_json::Value {
    json!({
        "state": row.state.name(), "reason": row.reason.and_then(reason_name),
        "revoked_at_s": row.revoked_at_s, "invalidity_s": row.invalidity_s,
    })
}

/// A certificate's row.
#[must_use]
pub fn certificate_row(certificate: &Certificate, role: &str) -> CertificateRow {
    CertificateRow {
        sha256: certificate.sha256(),
        der: certificate.der().to_vec(),
        subject: certificate.subject(),
        issuer: certificate.issuer(),
        serial: certificate.serial_hex(),
        not_before_s: certificate.not_before_s,
        not_after_s: certificate.not_after_s,
        role: role.to_owned(),
    }
}

/// The registry's row of a certificate that is about to be issued.
#[must_use]
pub fn intended_row(
    issuer_id: i64,
    serial: &[u8],
    profile: &str,
    subject: &str,
    period_s: (i64, i64),
    now_us: i64,
    who: &str,
) -> RegistryRow {
    RegistryRow {
        issuer_id,
        serial: serial.to_vec(),
        status: StatusRow {
            state: CertificateState::Intended,
            reason: None,
            revoked_at_s: None,
            invalidity_s: None,
            change_number: 0,
        },
        profile: profile.to_owned(),
        subject: subject.to_owned(),
        not_before_s: period_s.0,
        not_after_s: period_s.1,
        crl_partition: 0,
        certificate_sha256: None,
        changed_by: who.to_owned(),
        changed_at_us: now_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_people_write_them() {
        for (text, octets) in [
            ("01", vec![1]),
            ("1", vec![1]),
            ("0x0001", vec![1]),
            ("00:FF", vec![0, 0xff]),
            ("7f", vec![0x7f]),
            ("80", vec![0, 0x80]),
        ] {
            assert_eq!(parse_serial(text).unwrap(), octets, "{text}");
        }
        for text in ["", "0", "00", "xy", "-1", &"01".repeat(MAX_SERIAL + 1)] {
            assert!(matches!(parse_serial(text), Err(RegistryError::Serial { .. })), "{text}");
        }
    }

    #[test]
    fn names_are_what_urls_carry() {
        for name in ["a", "issuing", "ca-2026", &"a".repeat(40)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "A", "MEkw", "1a", "a_b", "a/b", &"a".repeat(41)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}

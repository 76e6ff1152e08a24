//! Orders and issuing: what is asked for waits in the store, and the one who has the issuer's key makes it.

use serde_json::json;

use super::{Issuer, Registry, RegistryError, certificate_row, intended_row};
use crate::asn1::Oid;
use crate::ca::CertificateError;
use crate::ca::builder::{BuildError, IssuerUrls, Unsigned};
use crate::ca::order::{ISSUE_TASK, IssueOrder, OrderError, OrderOutcome, OrderReport};
use crate::ca::{Certificate, IssueError, IssueRequest, IssuingProfiles, Subject, fresh_serial};
use crate::crypto::PublicKey;
use crate::keys::{SignError, Signer};
use crate::store::{Change, IssuerOrigin, StoreError, TaskRow, TaskState};

/// What is said of a certificate beside itself.
#[derive(Clone, Copy, Debug)]
pub struct IssueWords<'a> {
    /// The issuing profile's name.
    pub profile: &'a str,
    /// What the certificate is for, as in [`crate::store::CertificateRow::role`].
    pub role: &'a str,
    /// Who asked.
    pub who: &'a str,
    /// The task that this finishes.
    pub task: Option<&'a str>,
}

/// A certificate for one of Noonmark's own keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyCertificate<'a> {
    /// The issuing profile's name.
    pub profile: &'a str,
    /// The issuer's name, for its URLs.
    pub issuer_name: &'a str,
    /// The issuer's certificate.
    pub issuer: &'a Certificate,
    /// The subject.
    pub subject: &'a Subject,
    /// The key.
    pub public_key: &'a PublicKey,
    /// The policies in place of the profile's.
    pub policies: &'a [Oid],
    /// The days of validity; the profile's where it is not given.
    pub days: Option<u32>,
}

/// Why a certificate is not made.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The key.
    #[error("signing: {0}")]
    Sign(#[from] SignError),
    /// What was signed does not read, or its signature does not verify.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What a key signs before a serial number is taken for it; no structure of anybody's begins so.
const CHALLENGE: &[u8] = b"noonmark: does this key sign?";

impl Registry {
    /// The issuing profiles as they stand now: an operator's change is followed without a restart.
    ///
    /// # Errors
    /// A profile that is not in order.
    pub fn profiles(&self) -> Result<IssuingProfiles, RegistryError> {
        Ok(IssuingProfiles::read(&self.rules.profile_directory)?)
    }

    /// Holds an order against its profile and leaves it to the agent; gives its name.
    ///
    /// # Errors
    /// No such issuer, one whose key is elsewhere, or whatever in the order can't be.
    pub fn order(&self, order: &IssueOrder, now_s: i64, who: &str) -> Result<String, RegistryError> {
        let (_, unsigned) = self.order_draft(order, now_s)?;
        let preview = unsigned.preview().map_err(|error| OrderError::from(IssueError::from(error)))?;
        let id = hex::encode(fresh_serial().map_err(|error| OrderError::from(IssueError::from(error)))?);
        let input = serde_json::to_string(order).map_err(|_| StoreError::Row { table: "tasks", column: "input" })?;
        self.record(
            "certificate-ordered",
            json!({
                "order": id, "issuer": order.issuer, "profile": order.profile, "subject": preview.subject(),
                "days": order.days, "public_key_sha1": hex::encode(preview.public_key.key_identifier()), "who": who,
            }),
            Change::AddTask(TaskRow {
                id: id.clone(),
                kind: ISSUE_TASK.to_owned(),
                input,
                state: TaskState::Waiting,
                output: None,
                asked_by: who.to_owned(),
                asked_at_us: now_s.saturating_mul(1_000_000),
            }),
        )?;
        Ok(id)
    }

    /// How an order stands; None if there is none by this name.
    ///
    /// # Errors
    /// The store's, or a row that does not read.
    pub fn order_report(&self, id: &str) -> Result<Option<OrderReport>, RegistryError> {
        let task = self.store.task(id)?.filter(|task| task.kind == ISSUE_TASK);
        Ok(task.map(read_report).transpose()?)
    }

    /// The certificate that an order asks for, held against the profile anew, with its issuer.
    ///
    /// # Errors
    /// As [`Self::order`].
    pub fn order_draft(&self, order: &IssueOrder, now_s: i64) -> Result<(Issuer, Unsigned), RegistryError> {
        let issuer = self.issuer(&order.issuer)?;
        if issuer.row.origin == IssuerOrigin::External {
            return Err(RegistryError::External { name: issuer.row.name });
        }
        let unsigned = order.draft(&issuer, &self.profiles()?, &self.rules.public_url, now_s)?;
        Ok((issuer, unsigned))
    }

    /// The certificate for a key of Noonmark's own, by its profile, ready to be signed.
    ///
    /// # Errors
    /// What breaks the profile or a rule.
    pub fn draft_for_key(&self, wanted: &KeyCertificate<'_>, now_s: i64) -> Result<Unsigned, RegistryError> {
        let profiles = self.profiles()?;
        let no_profile = || OrderError::NoSuchProfile { name: wanted.profile.to_owned(), known: profiles.names() };
        let profile = profiles.get(wanted.profile).ok_or_else(no_profile)?;
        let serial = fresh_serial().map_err(|error| OrderError::from(IssueError::from(error)))?;
        let unsigned = profile.draft(&IssueRequest {
            public_key: wanted.public_key,
            subject: wanted.subject,
            alternative_names: &[],
            policies: wanted.policies,
            issuer: wanted.issuer,
            urls: &IssuerUrls::new(&self.rules.public_url, wanted.issuer_name),
            publishes_crls: true,
            algorithm: wanted.issuer.public_key.algorithm().default_signature(),
            not_before_s: now_s,
            days: wanted.days,
            serial: &serial,
        });
        Ok(unsigned.map_err(OrderError::from)?)
    }

    /// Tells that an order is refused for good.
    ///
    /// # Errors
    /// Somebody else finished it, or the record did not become durable.
    pub fn refuse_order(&self, id: &str, reason: &str, who: &str) -> Result<(), RegistryError> {
        let output = outcome_text(&OrderOutcome::Refused { reason: reason.to_owned() })?;
        self.record(
            "certificate-refused",
            json!({ "order": id, "reason": reason, "who": who }),
            Change::FinishTask { id: id.to_owned(), state: TaskState::Failed, output },
        )?;
        Ok(())
    }

    /// Takes the serial number, has the key sign, and puts the certificate into the registry.
    ///
    /// The serial number and the intent are committed, then the key signs, then the certificate, its row, its record and
    /// the end of its task are committed together. A process that dies in between leaves an intent, never an unknown
    /// certificate.
    ///
    /// # Errors
    /// The key's or the store's.
    pub fn issue(
        &self,
        issuer: &Issuer,
        unsigned: &Unsigned,
        signer: &dyn Signer,
        now_s: i64,
        words: &IssueWords<'_>,
    ) -> Result<Certificate, SigningError> {
        let preview = unsigned.preview()?;
        // A key that does not sign must not leave a row and a record of every try behind.
        let challenge = signer.sign(unsigned.algorithm(), CHALLENGE)?;
        let verified = signer.public_key().verify(unsigned.algorithm(), CHALLENGE, &challenge);
        verified.map_err(|error| BuildError::ReadBack(CertificateError::Key(error)))?;
        let IssueWords { profile, role, who, task } = *words;
        let now_us = now_s.saturating_mul(1_000_000);
        let period_s = (preview.not_before_s, preview.not_after_s);
        let subject = preview.subject();
        let mut row = intended_row(issuer.row.id, &preview.serial_number, profile, &subject, period_s, now_us, who);
        row.crl_partition = unsigned.crl_partition();
        let mut facts = json!({
            "issuer": issuer.row.name, "serial": preview.serial_hex(), "profile": profile, "subject": subject,
            "not_after_s": preview.not_after_s, "order": task, "who": who,
        });
        self.record("certificate-intended", facts.clone(), Change::Intend(row))?;
        let signature = signer.sign(unsigned.algorithm(), unsigned.tbs_der())?;
        let certificate = unsigned.assemble(&signature, signer.public_key())?;
        let certificate_sha256 = hex::encode(certificate.sha256());
        facts["certificate_sha256"] = json!(certificate_sha256);
        let outcome = OrderOutcome::Issued { serial: certificate.serial_hex(), certificate_sha256 };
        self.record(
            "certificate-issued",
            facts,
            Change::Issue {
                issuer_id: issuer.row.id,
                serial: certificate.serial_number.clone(),
                certificate: certificate_row(&certificate, role),
                changed_by: who.to_owned(),
                task: task.map(|id| outcome_text(&outcome).map(|text| (id.to_owned(), text))).transpose()?,
            },
        )?;
        Ok(certificate)
    }
}

fn outcome_text(outcome: &OrderOutcome) -> Result<String, RegistryError> {
    Ok(serde_json::to_string(outcome).map_err(|_| StoreError::Row { table: "tasks", column: "output" })?)
}

/// What a task of [`ISSUE_TASK`] asks for.
///
/// # Errors
/// A row that does not read.
pub fn read_order(task: &TaskRow) -> Result<IssueOrder, StoreError> {
    serde_json::from_str(&task.input).map_err(|_| StoreError::Row { table: "tasks", column: "input" })
}

fn read_report(task: TaskRow) -> Result<OrderReport, StoreError> {
    let order = read_order(&task)?;
    let outcome = task
        .output
        .map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Row { table: "tasks", column: "output" }))
        .transpose()?;
    Ok(OrderReport {
        id: task.id,
        order,
        state: task.state,
        asked_by: task.asked_by,
        asked_at_us: task.asked_at_us,
        outcome,
    })
}

//! Keys' lives: made, given a certificate, taking over, retired, destroyed; each step in the ledger.
//!
//! States: pending (no certificate yet) → successor (waits for SIGHUP or the next start) → active → retired → destroyed.
//! A time-stamping unit has one active key (EN 319 421 TIS-7.6.2-08).

mod crls;
mod hierarchy;
mod issuers;
mod responders;

use std::path::Path;

use serde_json::json;

use super::installation::{Installation, InstallationError, Purpose};
use super::issuing;
use super::units::{self, UnitFault, tsu_role};
use crate::asn1::Oid;
use crate::ca::builder::{BuildError, Unsigned};
use crate::ca::csr::UnsignedRequest;
use crate::ca::registry::{IssueWords, KeyCertificate, Registry, RegistryError, SigningError, certificate_row};
use crate::ca::{
    Certificate, CertificateError, CertificateKind, Subject, SubjectError, SubjectName, SubjectNameError, chain,
    pem_decode, profile,
};
use crate::config::{ConfigurationError, RsaPadding, TsaSection};
use crate::crls::PublishError;
use crate::crypto::KeyAlgorithm;
use crate::keys::{KeyError, KeyInfo, SignError, Signer, Token};
use crate::ledger::{Event, Ledger, LedgerError};
use crate::store::{KeyRow, KeyState, StoreError};

pub(super) use hierarchy::make_hierarchy;
pub use responders::ResponderMade;

/// Why a step in a key's life is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// The installation.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger did not take the record; the step is not done.
    #[error("the ledger did not take the record: {0}")]
    Ledger(#[from] LedgerError),
    /// A token or key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A signature.
    #[error("signing: {0}")]
    Sign(#[from] SignError),
    /// A certificate.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A certificate that was given.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A name.
    #[error(transparent)]
    Subject(#[from] SubjectNameError),
    /// A subject.
    #[error(transparent)]
    Name(#[from] SubjectError),
    /// A responder's certificate from another CA than it answers for.
    #[error(
        "the certificate for key {key} was not issued by the key of issuer {issuer}, which it answers for (RFC 6960 §4.2.2.2)"
    )]
    OtherIssuer {
        /// The key.
        key: String,
        /// The issuer.
        issuer: String,
    },
    /// The agent did not answer in time.
    #[error(
        "order {order} for key {key} still waits: is `noonmark ca-agent` running? When it is done, `noonmark cert order {order} -o FILE` \
         and `noonmark key import-cert {key} --certificate FILE` finish it"
    )]
    AgentSilent {
        /// The order.
        order: String,
        /// The key.
        key: String,
    },
    /// The agent did not publish in time.
    #[error("the CRLs of issuer {issuer} are not there yet: is `noonmark ca-agent` running? It makes them when it is")]
    AgentSilentCrl {
        /// The issuer.
        issuer: String,
    },
    /// A CRL is not published.
    #[error(transparent)]
    Crl(#[from] PublishError),
    /// The agent refused.
    #[error("the agent refused: {reason}")]
    AgentRefused {
        /// Why.
        reason: String,
    },
    /// A key or its certificate as the store holds it.
    #[error(transparent)]
    Unit(#[from] UnitFault),
    /// A chain that was given.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
    /// No key by this name.
    #[error("there is no key {name:?}; `noonmark key list` shows them")]
    NoSuchKey {
        /// The name.
        name: String,
    },
    /// No profile by this name.
    #[error("there is no profile {name:?} in noonmark.toml; add [tsa.{name}] first")]
    NoSuchProfile {
        /// The name.
        name: String,
    },
    /// The key's state does not allow it.
    #[error("key {name} is {state}; {needed}")]
    WrongState {
        /// The key.
        name: String,
        /// Its state.
        state: &'static str,
        /// What is needed.
        needed: &'static str,
    },
    /// Another successor waits already.
    #[error(
        "key {name} waits as the successor already; let it take over (SIGHUP or restart `serve`) or destroy it first"
    )]
    SuccessorWaits {
        /// The successor.
        name: String,
    },
    /// The certificate is for another key.
    #[error("the certificate is for another key than {name}")]
    OtherKey {
        /// The key.
        name: String,
    },
    /// The certificate is not what the use demands.
    #[error("the certificate may not be used for a {kind}: {text}")]
    Profile {
        /// The use.
        kind: CertificateKind,
        /// What is wrong.
        text: &'static str,
    },
    /// No issuing CA here.
    #[error(
        "this installation has no active issuing CA key; use `key generate`, `key csr` and `key import-cert` with your own CA"
    )]
    NoIssuer,
    /// The certificate's file.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system's clock is before 1970.
    #[error("the system's clock is before 1970")]
    Clock,
}

/// The name of Noonmark's own issuer, in URLs and roles.
pub const ISSUER: &str = "issuing";
/// The issuing profile of time-stamping units.
const TSU_PROFILE: &str = "tsu";
/// The issuing profile of OCSP responders.
pub(super) const RESPONDER_PROFILE: &str = "ocsp-responder";
/// The issuing profile of CAs below the root.
const CA_PROFILE: &str = "intermediate";

pub(super) fn now_s() -> Result<i64, LifecycleError> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).ok_or(LifecycleError::Clock)
}

/// What one verb works with: the installation, a chain of records of its own, and who runs it.
pub struct Steward<'a> {
    installation: &'a Installation,
    ledger: std::sync::Arc<Ledger>,
    who: String,
}

impl Drop for Steward<'_> {
    fn drop(&mut self) {
        self.ledger.stop();
    }
}

impl From<SigningError> for LifecycleError {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Registry(error) => Self::Registry(error),
            SigningError::Sign(error) => Self::Sign(error),
            SigningError::Build(error) => Self::Build(error),
        }
    }
}

impl<'a> Steward<'a> {
    /// Begins; the records go to the operator's chain.
    ///
    /// # Errors
    /// The store does not answer, or another verb is at work.
    pub fn new(installation: &'a Installation, who: &str) -> Result<Self, LifecycleError> {
        let ledger = installation.ledger(Purpose::Operator)?;
        Ok(Self { installation, ledger, who: who.to_owned() })
    }

    /// The registry, with its changes recorded in this chain.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.installation.registry(std::sync::Arc::clone(&self.ledger))
    }

    fn record(&self, kind: &str, mut detail: serde_json::Value) -> Result<(), LifecycleError> {
        detail["who"] = json!(self.who);
        self.ledger.record_event(Event::new(kind, detail))?;
        Ok(())
    }

    /// The key by this name.
    ///
    /// # Errors
    /// None, or the store does not answer.
    pub fn key(&self, name: &str) -> Result<KeyRow, LifecycleError> {
        let keys = self.installation.store.keys()?;
        keys.into_iter().find(|key| key.name == name).ok_or_else(|| LifecycleError::NoSuchKey { name: name.to_owned() })
    }

    /// A name that no key has or had, in the store or in the token: a verb that was killed may have left one there.
    fn next_name(&self, token_name: &str, base: &str) -> Result<String, LifecycleError> {
        let keys = self.installation.store.keys()?;
        let token = Token::open(&self.installation.configuration.token_settings(token_name)?)?;
        let mut labels: Vec<String> = token.keys()?.into_iter().map(|key| key.label).collect();
        labels.extend(token.unusable_keys()?.into_iter().map(|key| key.label));
        let taken = |name: &str| keys.iter().any(|key| key.name == name) || labels.iter().any(|label| label == name);
        let mut number = 1_u32;
        loop {
            let name = format!("{base}-{number}");
            if !taken(&name) {
                return Ok(name);
            }
            number += 1;
        }
    }

    /// Generates a key inside a token; it is pending until it has a certificate.
    ///
    /// # Errors
    /// The token refuses, or the record does not become durable.
    pub fn generate(
        &self,
        token_name: &str,
        role: &str,
        name: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(KeyRow, KeyInfo), LifecycleError> {
        let token = Token::open_writable(&self.installation.configuration.token_settings(token_name)?)?;
        // The intent is recorded before, the outcome after: a key that exists in the token is always known to the ledger.
        self.record(
            "key-generation-begun",
            json!({ "key": name, "token": token_name, "role": role, "algorithm": algorithm.to_string() }),
        )?;
        let info = token.generate(name, algorithm)?;
        let row = KeyRow::new(name, token_name, &info.uri.to_string(), role, &algorithm.to_string());
        self.installation.store.insert_key(&row)?;
        self.record(
            "key-generated",
            json!({
                "key": name, "token": token_name, "role": role, "uri": info.uri.to_string(),
                "algorithm": algorithm.to_string(), "custody": info.custody,
                "public_key_sha1": hex::encode(info.public_key.key_identifier()),
            }),
        )?;
        Ok((row, info))
    }

    /// Generates a pending key for a time-stamping profile.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_for_profile(
        &self,
        profile: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(KeyRow, KeyInfo), LifecycleError> {
        self.require_profile(profile)?;
        let name = self.next_name("service", &format!("tsu-{profile}"))?;
        self.generate("service", &tsu_role(profile), &name, algorithm)
    }

    fn require_profile(&self, profile: &str) -> Result<&TsaSection, LifecycleError> {
        let section = self.installation.configuration.tsa.get(profile);
        section.ok_or_else(|| LifecycleError::NoSuchProfile { name: profile.to_owned() })
    }

    /// A signing request for a key, DER.
    ///
    /// # Errors
    /// No such key, or its token refuses.
    pub fn signing_request(&self, name: &str, subject: &SubjectName) -> Result<Vec<u8>, LifecycleError> {
        let row = self.key(name)?;
        let token = Token::open(&self.installation.configuration.token_settings(&row.token)?)?;
        let signer = token.find(&units::uri(&row)?)?;
        let algorithm = signer.public_key().algorithm().default_signature();
        let kind = kind_of(&row.role);
        let request = UnsignedRequest::new(kind, &subject.to_der(), signer.public_key(), algorithm)?;
        let signature = signer.sign(algorithm, request.info_der())?;
        self.record("certificate-requested", json!({ "key": name, "subject": subject.common_name }))?;
        Ok(request.assemble(&signature))
    }

    /// Gives a key the certificate that an outside CA made for it, with its chain.
    ///
    /// # Errors
    /// Another key's certificate, one that its use forbids, a chain without a root.
    pub fn import_certificate(&self, name: &str, path: &Path) -> Result<(Certificate, KeyState), LifecycleError> {
        let row = self.key(name)?;
        if row.state != KeyState::Pending {
            return Err(LifecycleError::WrongState {
                name: row.name,
                state: row.state.name(),
                needed: "only a pending key takes a certificate",
            });
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| LifecycleError::File { path: path.display().to_string(), source })?;
        let certificates = pem_decode("CERTIFICATE", &text)?
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<Vec<_>, _>>()?;
        let token = Token::open(&self.installation.configuration.token_settings(&row.token)?)?;
        let public_key = token.find(&units::uri(&row)?)?.public_key().clone();
        let leaf = certificates
            .iter()
            .find(|certificate| certificate.public_key.spki_der() == public_key.spki_der())
            .ok_or_else(|| LifecycleError::OtherKey { name: name.to_owned() })?;
        let kind = kind_of(&row.role);
        if let Some(finding) = profile::first_error(kind, leaf) {
            return Err(LifecycleError::Profile { kind, text: finding.text });
        }
        if now_s()? > leaf.usable_until_s() {
            return Err(UnitFault::Period {
                key: row.name,
                from: units::rfc3339(leaf.usable_from_s()),
                until: units::rfc3339(leaf.usable_until_s()),
            }
            .into());
        }
        if let Some(issuer_name) = responders::issuer_of(&row.role) {
            // RFC 6960 §4.2.2.2: issued directly by the CA that it answers for; its chain is not sent.
            let issuer = self.registry().issuer(issuer_name)?;
            if !leaf.is_signed_by(&issuer.certificate) {
                return Err(LifecycleError::OtherIssuer { key: row.name, issuer: issuer.row.name });
            }
        } else {
            let chain = chain::order(leaf, &certificates)?;
            for certificate in chain.iter().skip(1) {
                self.installation.store.put_certificate(&certificate_row(certificate, "ca"))?;
            }
        }
        let state = self.attach(&row, leaf, "certificate-imported")?;
        Ok((leaf.clone(), state))
    }

    /// Stores a key's certificate and moves the key on: active if its role has no active key, else successor. A responder's
    /// is active at once, beside the others of its issuer, and the one that it follows retires: a server takes both up by
    /// itself, and an answer needs no order between them.
    fn attach(&self, row: &KeyRow, certificate: &Certificate, event: &str) -> Result<KeyState, LifecycleError> {
        if let Some(waiting) = self.installation.key_in_state(&row.role, KeyState::Successor)? {
            return Err(LifecycleError::SuccessorWaits { name: waiting.name });
        }
        let active = self.installation.key_in_state(&row.role, KeyState::Active)?;
        let is_responder = row.role.starts_with("ocsp:");
        let state = if active.is_some() && !is_responder { KeyState::Successor } else { KeyState::Active };
        let store = &self.installation.store;
        store.put_certificate(&certificate_row(certificate, &row.role))?;
        // The record first: a record of what then did not happen is allowed, the reverse never.
        self.record(
            event,
            json!({
                "key": row.name, "role": row.role, "certificate_sha256": hex::encode(certificate.sha256()),
                "subject": certificate.subject(), "serial": certificate.serial_hex(),
                "not_after": units::rfc3339(certificate.not_after_s), "before": row.state.name(), "after": state.name(),
            }),
        )?;
        store.set_key_certificate(&row.name, &certificate.sha256())?;
        match active.filter(|_| is_responder) {
            None => store.change_key_state(&row.name, KeyState::Pending, state)?,
            Some(former) => {
                self.record(
                    "key-state-changed",
                    json!({ "key": former.name, "role": former.role, "before": "active", "after": "retired" }),
                )?;
                store.take_over(&row.name, KeyState::Pending, &former.name)?;
            }
        }
        Ok(state)
    }

    /// Makes a profile's next key with its certificate from the own CA.
    ///
    /// # Errors
    /// No own CA, a successor that waits already, a token that refuses.
    pub fn rotate(
        &self,
        profile: &str,
        algorithm: Option<KeyAlgorithm>,
    ) -> Result<(KeyRow, Certificate, KeyState), LifecycleError> {
        let role = tsu_role(profile);
        let section = self.require_profile(profile)?;
        if let Some(waiting) = self.installation.key_in_state(&role, KeyState::Successor)? {
            return Err(LifecycleError::SuccessorWaits { name: waiting.name });
        }
        let ca_row = self
            .installation
            .key_in_state(&format!("ca:{ISSUER}"), KeyState::Active)?
            .ok_or(LifecycleError::NoIssuer)?;
        let ca = self.installation.candidate(ca_row, RsaPadding::Pkcs1)?;
        let ca_token = Token::open(&self.installation.configuration.token_settings(&ca.row.token)?)?;
        let ca_signer = ca_token.find(&units::uri(&ca.row)?)?;
        let current = self.installation.key_in_state(&role, KeyState::Active)?;
        let algorithm = match (algorithm, current.as_ref().and_then(|row| row.algorithm.parse().ok())) {
            (Some(algorithm), _) | (None, Some(algorithm)) => algorithm,
            (None, None) => ca.certificate().public_key.algorithm(),
        };
        let (row, info) = self.generate_for_profile(profile, algorithm)?;
        let registry = self.registry();
        let unsigned = registry.draft_for_key(
            &KeyCertificate {
                profile: TSU_PROFILE,
                issuer_name: ISSUER,
                issuer: ca.certificate(),
                subject: &unit_subject(ca.certificate(), &row.name)?,
                public_key: &info.public_key,
                policies: &policies(section),
                days: None,
            },
            now_s()?,
        )?;
        let registered = issuing::issuer_or_add(&registry, ISSUER, ca.certificate(), &self.who)?;
        let words = IssueWords { profile: TSU_PROFILE, role: &role, who: &self.who, task: None };
        let certificate = registry.issue(&registered, &unsigned, &*ca_signer, now_s()?, &words)?;
        let state = self.attach(&row, &certificate, "key-certified")?;
        Ok((row, certificate, state))
    }

    /// Destroys a key in its token; only one that is pending, waiting or retired.
    ///
    /// # Errors
    /// An active key, or a token that refuses.
    pub fn destroy(&self, name: &str) -> Result<(), LifecycleError> {
        let row = self.key(name)?;
        if matches!(row.state, KeyState::Active | KeyState::Destroyed) {
            return Err(LifecycleError::WrongState {
                name: row.name,
                state: row.state.name(),
                needed: "only a pending, successor or retired key can be destroyed",
            });
        }
        let token = Token::open_writable(&self.installation.configuration.token_settings(&row.token)?)?;
        self.record("key-destruction-begun", json!({ "key": name, "token": row.token, "uri": row.uri }))?;
        token.destroy(&units::uri(&row)?)?;
        self.installation.store.change_key_state(name, row.state, KeyState::Destroyed)?;
        self.record("key-destroyed", json!({ "key": name, "before": row.state.name(), "after": "destroyed" }))?;
        Ok(())
    }
}

fn sign(unsigned: &Unsigned, signer: &dyn Signer) -> Result<Certificate, LifecycleError> {
    let signature = signer.sign(unsigned.algorithm(), unsigned.tbs_der())?;
    Ok(unsigned.assemble(&signature, signer.public_key())?)
}

fn kind_of(role: &str) -> CertificateKind {
    match role.split(':').next() {
        Some("tsu") => CertificateKind::Tsu,
        Some("ocsp") => CertificateKind::OcspResponder,
        Some("root") => CertificateKind::Root,
        _ => CertificateKind::IssuingCa,
    }
}

fn policies(section: &TsaSection) -> Vec<Oid> {
    section.policies.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A unit's subject: the CA's country and organization, the key's name made unique (EN 319 422 §6.2).
fn unit_subject(ca: &Certificate, key_name: &str) -> Result<Subject, LifecycleError> {
    Ok(Subject::from(&SubjectName::from_issuer(&ca.subject_der, &format!("Noonmark {key_name}"))?))
}

/// The stored profiles as noonmark.toml writes them, for a server that joins.
pub(super) fn stored_profiles(installation: &Installation) -> Result<String, LifecycleError> {
    let profiles = installation.store.profiles()?;
    Ok(profiles.iter().map(|profile| format!("[tsa.{}]\n{}\n", profile.name, profile.text.trim_end())).collect())
}

/// Records that a server joined.
pub(super) fn record_join(installation: &Installation, who: &str) -> Result<(), LifecycleError> {
    let steward = Steward::new(installation, who)?;
    steward.record("server-joined", json!({ "public_url": installation.configuration.public_url }))
}

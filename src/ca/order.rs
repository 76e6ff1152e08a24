//! Orders: a certificate asked for, held against everything at once, and left to the agent that has the issuer's key.
//!
//! The one who asks learns of a mistake at once; the agent holds the order against the same rules again, since what
//! stands in the store between them could be somebody else's writing.

use serde::{Deserialize, Serialize};

use super::alternative_name::{AlternativeName, AlternativeNameError};
use super::builder::{IssuerUrls, Unsigned};
use super::issue::{IssueError, IssueRequest, fresh_serial};
use super::issuing_profiles::IssuingProfiles;
use super::registry::Issuer;
use super::signing_request::{SigningRequest, SigningRequestError};
use super::subject::{Subject, SubjectError};
use crate::asn1::Oid;
use crate::store::TaskState;

/// The task of issuing, in [`crate::store::TaskRow::kind`].
pub const ISSUE_TASK: &str = "issue";
/// Policies that an order may name; a certificate has one or two.
const MAX_POLICIES: usize = 16;

/// A certificate asked for, as it waits for the agent (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueOrder {
    /// The issuer's name.
    pub issuer: String,
    /// The issuing profile's name.
    pub profile: String,
    /// The signing request (PKCS#10), PEM.
    pub csr: String,
    /// The subject in place of the request's: `C=DE, O=Example, CN=Name`, a comma in a value as `\,`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The alternative names in place of the request's, `dns:`, `email:`, `ip:` or `uri:` before each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative_names: Option<Vec<String>>,
    /// The policies in place of the profile's, where it allows that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The days of validity; the profile's where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// What came of an order (JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum OrderOutcome {
    /// The certificate was issued.
    Issued {
        /// Its serial number, hexadecimal.
        serial: String,
        /// Its SHA-256, hexadecimal.
        certificate_sha256: String,
    },
    /// It was not, and will not be.
    Refused {
        /// Why.
        reason: String,
    },
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// Its name.
    pub id: String,
    /// What was asked.
    pub order: IssueOrder,
    /// Waiting, done or failed.
    pub state: TaskState,
    /// Who asked.
    pub asked_by: String,
    /// When, in microseconds since 1970.
    pub asked_at_us: i64,
    /// What came of it, once it is done or failed.
    pub outcome: Option<OrderOutcome>,
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// No profile by this name.
    #[error("there is no profile {name:?}; there are {known}")]
    NoSuchProfile {
        /// As given.
        name: String,
        /// Those that are.
        known: String,
    },
    /// The signing request.
    #[error(transparent)]
    Request(#[from] SigningRequestError),
    /// The subject.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// An alternative name.
    #[error(transparent)]
    AlternativeName(#[from] AlternativeNameError),
    /// A policy that is no identifier, or too many.
    #[error("{text:?} is no policy's identifier such as 0.4.0.2023.1.1, or there are more than {MAX_POLICIES}")]
    Policy {
        /// As given.
        text: String,
    },
    /// The profile, or the rules that certificates are held against.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl IssueOrder {
    /// The certificate that is asked for, ready to be signed by the issuer's key; its serial number is fresh.
    ///
    /// # Errors
    /// Whatever in the order can't be, or breaks the profile.
    pub fn draft(
        &self,
        issuer: &Issuer,
        profiles: &IssuingProfiles,
        public_url: &str,
        now_s: i64,
    ) -> Result<Unsigned, OrderError> {
        let profile = profiles
            .get(&self.profile)
            .ok_or_else(|| OrderError::NoSuchProfile { name: self.profile.clone(), known: profiles.names() })?;
        let request = SigningRequest::from_pem(&self.csr)?;
        let subject = match &self.subject {
            Some(text) => text.parse::<Subject>()?,
            None => request.subject()?,
        };
        let names = match &self.alternative_names {
            Some(texts) => texts.iter().map(|text| text.parse()).collect::<Result<Vec<AlternativeName>, _>>()?,
            None => request.alternative_names().to_vec(),
        };
        if let Some(text) = self.policies.get(MAX_POLICIES) {
            return Err(OrderError::Policy { text: text.clone() });
        }
        let policy = |text: &String| text.parse().map_err(|_| OrderError::Policy { text: text.clone() });
        let policies = self.policies.iter().map(policy).collect::<Result<Vec<Oid>, _>>()?;
        let serial = fresh_serial().map_err(IssueError::from)?;
        Ok(profile.draft(&IssueRequest {
            public_key: request.public_key(),
            subject: &subject,
            alternative_names: &names,
            policies: &policies,
            issuer: &issuer.certificate,
            urls: &IssuerUrls::new(public_url, &issuer.row.name)
                .in_partition(issuer.settings.crl.partition_of(&serial)),
            publishes_crls: true,
            algorithm: issuer.certificate.public_key.algorithm().default_signature(),
            not_before_s: now_s,
            days: self.days,
            serial: &serial,
        })?)
    }
}

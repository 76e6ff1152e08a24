//! Issuing profiles: what a kind of certificate says, and what a request for one may ask.
//!
//! An operator reads them and adds to them (docs/PROFILES.md). A profile that exists was checked as a whole: what can't
//! be issued by it, whoever asks, is refused here.

use std::collections::BTreeMap;
use std::fmt;

use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::alternative_name::AlternativeNameKind;
use super::profile::{ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING};
use super::profile_file::{KindField, ProfileFile, StatusField, SubjectField};
use super::reason;
use super::registry::is_valid_name;
use super::status::StatusPolicy;
use super::subject::{AttributeType, Subject};
use crate::asn1::Oid;
use crate::crypto::KeyAlgorithm;

/// Far above what a profile needs; the file is read whole.
const MAX_FILE_OCTETS: usize = 64 * 1024;
/// 100 years: no certificate lives longer, and every sum of days stays far from overflow.
const MAX_VALIDITY_DAYS: u32 = 36_525;
/// 48 hours: notBefore is that near the signature at most (TLS BR 7.1.2.7).
const MAX_BACKDATE_S: u32 = 172_800;
/// RSA keys are taken from 2048 bits (TLS BR 6.1.5) to 8192, above which nothing here verifies.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

const ID_KP_SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const EXTENDED_KEY_USAGES: [(&str, ObjectIdentifier); 7] = [
    ("serverAuth", ID_KP_SERVER_AUTH),
    ("clientAuth", ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")),
    ("codeSigning", ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3")),
    ("emailProtection", ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4")),
    ("timeStamping", ID_KP_TIME_STAMPING),
    ("OCSPSigning", ID_KP_OCSP_SIGNING),
    ("documentSigning", ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36")),
];
/// encipherOnly and decipherOnly are left out: they only narrow keyAgreement, and nothing uses them.
const KEY_USAGES: [(&str, KeyUsages); 7] = [
    ("digitalSignature", KeyUsages::DigitalSignature),
    ("nonRepudiation", KeyUsages::NonRepudiation),
    ("keyEncipherment", KeyUsages::KeyEncipherment),
    ("dataEncipherment", KeyUsages::DataEncipherment),
    ("keyAgreement", KeyUsages::KeyAgreement),
    ("keyCertSign", KeyUsages::KeyCertSign),
    ("cRLSign", KeyUsages::CRLSign),
];

/// Why a profile is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The profile's name.
    #[error("a profile's name is a letter and up to 39 letters, digits and hyphens, all lower-case; {name:?} is not")]
    Name {
        /// As given.
        name: String,
    },
    /// The file is not TOML, or has a field that is unknown, missing or of another type.
    #[error("profile {profile}: {message}")]
    File {
        /// The profile.
        profile: String,
        /// What the TOML reader says: line, field, what was expected.
        message: String,
    },
    /// The file is longer than a profile can be.
    #[error("profile {profile} has {octets} octets, more than {MAX_FILE_OCTETS}")]
    TooLong {
        /// The profile.
        profile: String,
        /// How long it is.
        octets: usize,
    },
    /// A field that can't be, by itself or beside another.
    #[error("profile {profile}: {field}: {demand}")]
    Field {
        /// The profile.
        profile: String,
        /// The field, with its section.
        field: &'static str,
        /// What to write.
        demand: String,
    },
}

/// What may be issued under one name.
#[derive(Clone, Debug)]
pub struct IssuingProfile {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) is_ca: bool,
    pub(super) validity_days: u32,
    pub(super) max_validity_days: u32,
    pub(super) backdate_s: u32,
    pub(super) keys: Vec<KeyAlgorithm>,
    pub(super) key_usage: KeyUsage,
    pub(super) key_usage_critical: bool,
    pub(super) extended_key_usage: Vec<ObjectIdentifier>,
    pub(super) extended_key_usage_critical: bool,
    pub(super) path_len: Option<u8>,
    pub(super) policies: Vec<Oid>,
    pub(super) policies_by_request: bool,
    pub(super) private_key_usage_days: Option<u32>,
    pub(super) no_check: bool,
    pub(super) crl_distribution_point: bool,
    pub(super) ocsp_pointer: bool,
    pub(super) ca_issuers_pointer: bool,
    pub(super) tls_baseline: bool,
    pub(super) subject: SubjectRules,
    pub(super) alternative_names: Vec<AlternativeNameKind>,
    pub(super) alternative_name_required: bool,
    pub(super) wildcards: bool,
    pub(super) status: StatusPolicy,
}

/// What a subject must, may and does have.
#[derive(Clone, Debug)]
pub(super) struct SubjectRules {
    pub(super) required: Vec<AttributeType>,
    pub(super) optional: Vec<AttributeType>,
    pub(super) fixed: BTreeMap<AttributeType, String>,
    pub(super) empty_allowed: bool,
}

/// The profiles that Noonmark comes with: name and text.
#[must_use]
pub fn shipped() -> Vec<(&'static str, &'static str)> {
    vec![
        ("tsu", include_str!("profiles/tsu.toml")),
        ("ocsp-responder", include_str!("profiles/ocsp-responder.toml")),
        ("document-signer", include_str!("profiles/document-signer.toml")),
        ("tls-server", include_str!("profiles/tls-server.toml")),
        ("intermediate", include_str!("profiles/intermediate.toml")),
    ]
}

impl IssuingProfile {
    /// Reads a profile's TOML and checks it as a whole.
    ///
    /// # Errors
    /// The first field that is unknown, missing or impossible, and what to write.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        if !is_valid_name(name) {
            return Err(ProfileError::Name { name: name.to_owned() });
        }
        if text.len() > MAX_FILE_OCTETS {
            return Err(ProfileError::TooLong { profile: name.to_owned(), octets: text.len() });
        }
        let file: ProfileFile = toml::from_str(text).map_err(|error| ProfileError::File {
            profile: name.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Self::from_file(name, &file).map_err(|Refused(field, demand)| ProfileError::Field {
            profile: name.to_owned(),
            field,
            demand,
        })
    }

    fn from_file(name: &str, file: &ProfileFile) -> Result<Self, Refused> {
        let extended_key_usage = extended_key_usage(&file.extended_key_usage)?;
        let is_ca = file.kind == KindField::Ca;
        let is_tsu = extended_key_usage.contains(&ID_KP_TIME_STAMPING);
        let profile = Self {
            name: name.to_owned(),
            description: file.description.clone(),
            is_ca,
            validity_days: file.validity_days,
            max_validity_days: file.max_validity_days.unwrap_or(file.validity_days),
            backdate_s: file.backdate_s,
            keys: keys(&file.keys)?,
            key_usage: key_usage(&file.key_usage)?,
            key_usage_critical: file.key_usage_critical,
            extended_key_usage,
            extended_key_usage_critical: file.extended_key_usage_critical,
            path_len: file.path_len,
            policies: policies(&file.policies)?,
            policies_by_request: file.policies_by_request,
            private_key_usage_days: file.private_key_usage_days,
            no_check: file.no_check,
            crl_distribution_point: file.crl_distribution_point,
            ocsp_pointer: file.ocsp_pointer,
            ca_issuers_pointer: file.ca_issuers_pointer,
            tls_baseline: file.tls_baseline,
            subject: subject(&file.subject)?,
            alternative_names: alternative_names(&file.subject_alt_name.allowed)?,
            alternative_name_required: file.subject_alt_name.required,
            wildcards: file.subject_alt_name.wildcards,
            status: status(&file.status, is_ca, is_tsu)?,
        };
        profile.check_times()?;
        profile.check_usage()?;
        profile.check_names()?;
        Ok(profile)
    }

    fn check_times(&self) -> Result<(), Refused> {
        if self.validity_days == 0 || self.validity_days > self.max_validity_days {
            return refuse("validity_days", "write 1 to max_validity_days");
        }
        if self.max_validity_days > MAX_VALIDITY_DAYS {
            return refuse("max_validity_days", format!("write {MAX_VALIDITY_DAYS} at most"));
        }
        if self.backdate_s > MAX_BACKDATE_S {
            return refuse("backdate_s", format!("write {MAX_BACKDATE_S} (48 hours) at most"));
        }
        if self.private_key_usage_days.is_some_and(|days| days == 0 || days > self.validity_days) {
            return refuse("private_key_usage_days", "write 1 to validity_days");
        }
        Ok(())
    }

    fn check_usage(&self) -> Result<(), Refused> {
        let signs_certificates = self.key_usage.key_cert_sign();
        if self.is_ca && !signs_certificates {
            return refuse("key_usage", "a CA needs keyCertSign (RFC 5280 §4.2.1.3)");
        }
        if self.is_ca && !self.key_usage_critical {
            return refuse("key_usage_critical", "a CA's is critical (TLS BR 7.1.2.6)");
        }
        if !self.is_ca && (signs_certificates || self.key_usage.crl_sign()) {
            return refuse("key_usage", "keyCertSign and cRLSign are for kind = \"ca\" (RFC 5280 §4.2.1.3)");
        }
        if self.path_len.is_some() && !self.is_ca {
            return refuse("path_len", "only for kind = \"ca\" (RFC 5280 §4.2.1.9)");
        }
        if self.extended_key_usage_critical && self.extended_key_usage.is_empty() {
            return refuse("extended_key_usage_critical", "there is no extended_key_usage; name one");
        }
        let alone = self.extended_key_usage.len() == 1 && !self.is_ca;
        if self.is_tsu() && !(alone && self.extended_key_usage_critical) {
            return refuse(
                "extended_key_usage",
                "timeStamping stands alone, with extended_key_usage_critical = true, in no CA (RFC 3161 §2.3)",
            );
        }
        if (self.is_tsu() || self.is_responder()) && !self.key_usage.digital_signature() {
            return refuse("key_usage", "a time-stamping unit and an OCSP responder need digitalSignature");
        }
        if self.is_responder() && !alone {
            return refuse("extended_key_usage", "OCSPSigning stands alone, in no CA (RFC 6960 §4.2.2.2)");
        }
        if self.no_check && !self.is_responder() {
            return refuse("no_check", "only with extended_key_usage = [\"OCSPSigning\"] (RFC 6960 §4.2.2.2.1)");
        }
        if self.tls_baseline && (self.is_ca || !self.extended_key_usage.contains(&ID_KP_SERVER_AUTH)) {
            return refuse("tls_baseline", "only for an end entity with serverAuth in extended_key_usage");
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Refused> {
        let names = &self.alternative_names;
        if self.alternative_name_required && names.is_empty() {
            return refuse("subject_alt_name.required", "nothing is in subject_alt_name.allowed; name a kind");
        }
        if self.wildcards && !names.contains(&AlternativeNameKind::Dns) {
            return refuse("subject_alt_name.wildcards", "only with dns in subject_alt_name.allowed");
        }
        let subject = &self.subject;
        if subject.empty_allowed && !(subject.required.is_empty() && subject.fixed.is_empty()) {
            return refuse("subject.empty_allowed", "nothing may then be in subject.required and subject.fixed");
        }
        // RFC 5280 §4.1.2.6: a CA has a name; without one, subjectAltName must name the subject.
        if subject.empty_allowed && (self.is_ca || !self.alternative_name_required) {
            return refuse(
                "subject.empty_allowed",
                "only for an end entity with subject_alt_name.required = true (RFC 5280 §4.1.2.6)",
            );
        }
        if !subject.empty_allowed && subject.required.is_empty() && subject.fixed.is_empty() {
            return refuse("subject.required", "name an attribute, CN for instance, or allow an empty subject");
        }
        Ok(())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether its certificates are CAs.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.is_ca
    }

    /// Whether its certificates are time-stamping units.
    #[must_use]
    pub fn is_tsu(&self) -> bool {
        self.extended_key_usage.contains(&ID_KP_TIME_STAMPING)
    }

    /// Whether its certificates are OCSP responders.
    #[must_use]
    pub fn is_responder(&self) -> bool {
        self.extended_key_usage.contains(&ID_KP_OCSP_SIGNING)
    }

    /// The days that a certificate is valid: where the request does not say, and at most.
    #[must_use]
    pub fn validity_days(&self) -> (u32, u32) {
        (self.validity_days, self.max_validity_days)
    }

    /// How the status of its certificates may change.
    #[must_use]
    pub fn status_policy(&self) -> &StatusPolicy {
        &self.status
    }

    /// Whether keys of this kind are taken: the curve is listed, or RSA with as few bits or fewer.
    #[must_use]
    pub fn takes_key(&self, key: KeyAlgorithm) -> bool {
        self.keys.iter().any(|known| match (known, key) {
            (KeyAlgorithm::Rsa { bits: least }, KeyAlgorithm::Rsa { bits }) => {
                (*least..=*RSA_BITS.end()).contains(&bits)
            }
            (known, key) => *known == key,
        })
    }
}

impl fmt::Display for IssuingProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A field and what to write there.
#[derive(Debug)]
struct Refused(&'static str, String);

fn refuse<T>(field: &'static str, demand: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(field, demand.into()))
}

/// Reads each text; none may stand twice.
fn each<T: PartialEq>(
    field: &'static str,
    texts: &[String],
    read: impl Fn(&str) -> Option<T>,
    choices: impl Fn() -> String,
) -> Result<Vec<T>, Refused> {
    let mut list = Vec::new();
    for text in texts {
        let Some(value) = read(text) else {
            return refuse(field, format!("{text:?} is not known; write {}", choices()));
        };
        if list.contains(&value) {
            return refuse(field, format!("{text:?} stands twice"));
        }
        list.push(value);
    }
    Ok(list)
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn keys(texts: &[String]) -> Result<Vec<KeyAlgorithm>, Refused> {
    let read = |text: &str| match text {
        "p256" => Some(KeyAlgorithm::EcP256),
        "p384" => Some(KeyAlgorithm::EcP384),
        "ed25519" => Some(KeyAlgorithm::Ed25519),
        _ => {
            let bits = text.strip_prefix("rsa")?.parse().ok().filter(|bits| RSA_BITS.contains(bits))?;
            Some(KeyAlgorithm::Rsa { bits })
        }
    };
    let choices = || "p256, p384, ed25519, or rsa2048 to rsa8192 for RSA of so many bits and more".to_owned();
    let list = each("keys", texts, read, choices)?;
    if list.is_empty() { refuse("keys", format!("write {}", choices())) } else { Ok(list) }
}

fn key_usage(texts: &[String]) -> Result<KeyUsage, Refused> {
    let read = |text: &str| KEY_USAGES.iter().find(|(name, _)| *name == text).map(|(_, bit)| *bit);
    let list = each("key_usage", texts, read, || names(&KEY_USAGES))?;
    let mut bits = list.into_iter();
    // RFC 5280 §4.2.1.3: at least one bit MUST be set.
    let Some(first) = bits.next() else { return refuse("key_usage", format!("write {}", names(&KEY_USAGES))) };
    Ok(KeyUsage(bits.fold(first.into(), |all, bit| all | bit)))
}

fn extended_key_usage(texts: &[String]) -> Result<Vec<ObjectIdentifier>, Refused> {
    let read = |text: &str| {
        let named = EXTENDED_KEY_USAGES.iter().find(|(name, _)| *name == text).map(|(_, oid)| *oid);
        named.or_else(|| ObjectIdentifier::new(text).ok())
    };
    let choices = || format!("{}, or an identifier such as 1.3.6.1.5.5.7.3.36", names(&EXTENDED_KEY_USAGES));
    each("extended_key_usage", texts, read, choices)
}

fn policies(texts: &[String]) -> Result<Vec<Oid>, Refused> {
    // RFC 5280 §4.2.1.4: a policy MUST NOT appear more than once.
    each("policies", texts, |text| text.parse().ok(), || "an identifier such as 0.4.0.2023.1.1".to_owned())
}

fn alternative_names(texts: &[String]) -> Result<Vec<AlternativeNameKind>, Refused> {
    let choices = || AlternativeNameKind::ALL.map(AlternativeNameKind::name).join(", ");
    each("subject_alt_name.allowed", texts, AlternativeNameKind::from_name, choices)
}

fn subject(field: &SubjectField) -> Result<SubjectRules, Refused> {
    let choices = || AttributeType::ALL.map(AttributeType::name).join(", ");
    let required = each("subject.required", &field.required, AttributeType::from_name, choices)?;
    let optional = each("subject.optional", &field.optional, AttributeType::from_name, choices)?;
    let mut fixed = BTreeMap::new();
    for (name, value) in &field.fixed {
        let Some(attribute) = AttributeType::from_name(name) else {
            return refuse("subject.fixed", format!("{name:?} is not known; write {}", choices()));
        };
        if let Err(error) = Subject::new([(attribute, value.clone())]) {
            return refuse("subject.fixed", error.to_string());
        }
        fixed.insert(attribute, value.clone());
    }
    let twice = required.iter().find(|attribute| optional.contains(attribute) || fixed.contains_key(attribute));
    let twice = twice.or_else(|| optional.iter().find(|attribute| fixed.contains_key(attribute)));
    if let Some(attribute) = twice {
        return refuse(
            "subject",
            format!("{attribute} stands in two of required, optional and fixed; leave it in one"),
        );
    }
    Ok(SubjectRules { required, optional, fixed, empty_allowed: field.empty_allowed })
}

fn status(field: &StatusField, is_ca: bool, is_tsu: bool) -> Result<StatusPolicy, Refused> {
    let choices = || reason::names(&StatusPolicy::reasons_for(is_ca, is_tsu));
    let known = |text: &str| {
        let reason = reason::reason_from_name(text)?;
        StatusPolicy::reasons_for(is_ca, is_tsu).contains(&reason).then_some(reason)
    };
    let reasons = each("status.reasons", &field.reasons, known, choices)?;
    if field.reason_required && reasons.is_empty() {
        return refuse("status.reasons", format!("a reason is required; write {}", choices()));
    }
    if is_tsu && !field.reason_required {
        return refuse(
            "status.reason_required",
            "write true: a time-stamping unit's revocation needs a reason (RFC 3161 §4)",
        );
    }
    if is_ca && !field.reason_required {
        return refuse("status.reason_required", "write true: a CA's revocation needs a reason (TLS BR 7.2.2)");
    }
    if is_tsu && field.hold_allowed {
        return refuse("status.hold_allowed", "write false: certificateHold is no reason that RFC 3161 §4 knows");
    }
    Ok(StatusPolicy { hold_allowed: field.hold_allowed, reasons, reason_required: field.reason_required, is_ca })
}

#[cfg(test)]
#[path = "issuing_profile_tests.rs"]
mod tests;

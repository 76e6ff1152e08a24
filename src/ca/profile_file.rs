//! A profile's file: what stands in it, word for word.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole file. docs/PROFILES.md has a row for each field; a test holds both together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileFile {
    /// What it is for, for people.
    pub(super) description: String,
    /// Whether it makes CAs.
    pub(super) kind: KindField,
    /// The days a certificate is valid where the request does not say.
    pub(super) validity_days: u32,
    /// The most days; default `validity_days`.
    pub(super) max_validity_days: Option<u32>,
    /// The seconds that notBefore lies before the time of issuing, for clocks that are behind. Default 0.
    #[serde(default)]
    pub(super) backdate_s: u32,
    /// The keys taken: `p256`, `p384`, `ed25519`, `rsaN` for RSA of N bits and more.
    pub(super) keys: Vec<String>,
    /// keyUsage, by RFC 5280's names.
    pub(super) key_usage: Vec<String>,
    /// Whether keyUsage is critical. Default true.
    #[serde(default = "default_true")]
    pub(super) key_usage_critical: bool,
    /// extKeyUsage, by name or identifier. Default none: no such extension.
    #[serde(default)]
    pub(super) extended_key_usage: Vec<String>,
    /// Whether extKeyUsage is critical. Default false.
    #[serde(default)]
    pub(super) extended_key_usage_critical: bool,
    /// pathLenConstraint of a CA. Default none.
    pub(super) path_len: Option<u8>,
    /// certificatePolicies. Default none.
    #[serde(default)]
    pub(super) policies: Vec<String>,
    /// Whether a request may name other policies. Default false.
    #[serde(default)]
    pub(super) policies_by_request: bool,
    /// The days from notBefore in which the key signs. Default: no privateKeyUsagePeriod.
    pub(super) private_key_usage_days: Option<u32>,
    /// Whether id-pkix-ocsp-nocheck is written. Default false.
    #[serde(default)]
    pub(super) no_check: bool,
    /// Whether cRLDistributionPoints is written, where the issuer publishes CRLs. Default true.
    #[serde(default = "default_true")]
    pub(super) crl_distribution_point: bool,
    /// Whether authorityInfoAccess names the OCSP responder. Default true.
    #[serde(default = "default_true")]
    pub(super) ocsp_pointer: bool,
    /// Whether authorityInfoAccess names the issuer's certificate. Default true.
    #[serde(default = "default_true")]
    pub(super) ca_issuers_pointer: bool,
    /// Whether the TLS Baseline Requirements are held. Default false.
    #[serde(default)]
    pub(super) tls_baseline: bool,
    /// `[subject]`.
    #[serde(default)]
    pub(super) subject: SubjectField,
    /// `[subject_alt_name]`.
    #[serde(default)]
    pub(super) subject_alt_name: SubjectAltNameField,
    /// `[status]`.
    pub(super) status: StatusField,
}

/// `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum KindField {
    /// A CA.
    #[serde(rename = "ca")]
    Ca,
    /// Not a CA.
    #[serde(rename = "end-entity")]
    EndEntity,
}

/// `[subject]`: attributes by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectField {
    /// Attributes that must be there.
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// Attributes that may be there.
    #[serde(default)]
    pub(super) optional: Vec<String>,
    /// Attributes with the one value that they may have; written even if the request leaves them out.
    #[serde(default)]
    pub(super) fixed: BTreeMap<String, String>,
    /// Whether the subject may be empty. Default false.
    #[serde(default)]
    pub(super) empty_allowed: bool,
}

/// `[subject_alt_name]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectAltNameField {
    /// `dns`, `email`, `ip`, `uri`. Default none.
    #[serde(default)]
    pub(super) allowed: Vec<String>,
    /// Whether there must be a name. Default false.
    #[serde(default)]
    pub(super) required: bool,
    /// Whether host names may have a wildcard. Default false.
    #[serde(default)]
    pub(super) wildcards: bool,
}

/// `[status]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusField {
    /// Whether a certificate may be held.
    pub(super) hold_allowed: bool,
    /// The reasons that a revocation may have.
    pub(super) reasons: Vec<String>,
    /// Whether a revocation must have one. Default false.
    #[serde(default)]
    pub(super) reason_required: bool,
}

const fn default_true() -> bool {
    true
}

//! Rules that hold the octets against the profile they are to be issued by.

use super::names::{kinds, values};
use super::tbs::ExtensionParts;
use super::{Context, Rule, broken, demand, error};
use crate::ca::alternative_name::AlternativeNameKind;
use crate::ca::extension::{
    DAY_S, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE,
    ID_CE_PRIVATE_KEY_USAGE_PERIOD,
};
use crate::ca::profile::ID_PKIX_OCSP_NOCHECK;

pub(super) const RULES: [Rule; 7] = [
    error("profile-validity", "profile", validity),
    error("profile-kind", "profile", kind),
    error("profile-key-usage", "profile", key_usage),
    error("profile-extended-key-usage", "profile", extended_key_usage),
    error("profile-subject", "profile", subject),
    error("profile-subject-alt-name", "profile", subject_alt_name),
    error("profile-extensions", "profile", extensions),
];

fn validity(context: &Context<'_>) -> Result<(), String> {
    let Some((from_s, until_s)) = context.tbs.validity_s() else { return Ok(()) };
    let most = context.profile.max_validity_days;
    // Both ends count (RFC 5280 §4.1.2.5).
    let within = until_s - from_s < i64::from(most) * DAY_S;
    if within { Ok(()) } else { broken(format!("the certificate is valid for more than {most} days")) }
}

fn kind(context: &Context<'_>) -> Result<(), String> {
    demand(
        context.tbs.is_ca() == context.profile.is_ca,
        "the certificate is a CA's and the profile's are not, or the reverse",
    )?;
    let length = context.tbs.basic_constraints().and_then(|constraints| constraints.path_len_constraint);
    demand(length == context.profile.path_len, "pathLenConstraint is not the profile's")
}

fn key_usage(context: &Context<'_>) -> Result<(), String> {
    demand(context.tbs.key_usage().as_ref() == Some(&context.profile.key_usage), "keyUsage is not the profile's")?;
    let critical = context.tbs.extension(ID_CE_KEY_USAGE).is_some_and(ExtensionParts::is_critical);
    demand(critical == context.profile.key_usage_critical, "keyUsage's criticality is not the profile's")
}

fn extended_key_usage(context: &Context<'_>) -> Result<(), String> {
    let same = context.tbs.extended_key_usage() == context.profile.extended_key_usage;
    demand(same, "extKeyUsage is not the profile's")?;
    let critical = context.tbs.extension(ID_CE_EXTENDED_KEY_USAGE).is_some_and(ExtensionParts::is_critical);
    demand(critical == context.profile.extended_key_usage_critical, "extKeyUsage's criticality is not the profile's")
}

fn subject(context: &Context<'_>) -> Result<(), String> {
    let rules = &context.profile.subject;
    let found = kinds(context);
    for attribute in &rules.required {
        if !found.contains(&Some(*attribute)) {
            return broken(format!("the subject lacks {attribute}"));
        }
    }
    for (attribute, value) in &rules.fixed {
        if values(context, *attribute) != [value.as_bytes()] {
            return broken(format!("{attribute} is not {value:?} in the subject"));
        }
    }
    let is_listed =
        |kind| rules.required.contains(kind) || rules.optional.contains(kind) || rules.fixed.contains_key(kind);
    demand(
        found.iter().all(|kind| kind.as_ref().is_some_and(is_listed)),
        "the subject has more than the profile lists",
    )?;
    demand(rules.empty_allowed || !found.is_empty(), "the subject is empty")
}

fn subject_alt_name(context: &Context<'_>) -> Result<(), String> {
    let names = context.tbs.alternative_names().unwrap_or_default();
    demand(!names.is_empty() || !context.profile.alternative_name_required, "there is no subjectAltName")?;
    let allowed: Vec<u8> = context.profile.alternative_names.iter().map(|kind| kind.tag()).collect();
    demand(
        names.iter().all(|name| allowed.contains(&name.tag)),
        "subjectAltName has a kind that the profile does not list",
    )?;
    let is_wildcard = |tag, content: &[u8]| tag == AlternativeNameKind::Dns.tag() && content.contains(&b'*');
    let wildcards = names.iter().any(|name| is_wildcard(name.tag, name.content));
    demand(context.profile.wildcards || !wildcards, "subjectAltName has a wildcard, which the profile forbids")
}

/// What stands or does not as the profile says; pointers may be fewer, where the issuer has nothing there.
fn extensions(context: &Context<'_>) -> Result<(), String> {
    let profile = context.profile;
    let has = |oid| context.tbs.extension(oid).is_some();
    demand(has(ID_PKIX_OCSP_NOCHECK) == profile.no_check, "id-pkix-ocsp-nocheck is not as the profile has it")?;
    let usage_period = profile.private_key_usage_days.is_some();
    demand(has(ID_CE_PRIVATE_KEY_USAGE_PERIOD) == usage_period, "privateKeyUsagePeriod is not as the profile has it")?;
    let crl = has(ID_CE_CRL_DISTRIBUTION_POINTS);
    demand(profile.crl_distribution_point || !crl, "cRLDistributionPoints is not in the profile")?;
    let policies = has(ID_CE_CERTIFICATE_POLICIES);
    let may_have = profile.policies_by_request || !profile.policies.is_empty();
    demand(policies || profile.policies.is_empty(), "certificatePolicies is missing")?;
    demand(may_have || !policies, "certificatePolicies is not in the profile")
}

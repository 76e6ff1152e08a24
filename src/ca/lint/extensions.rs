//! Rules about extensions.

use const_oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, CrlDistributionPoints, PrivateKeyUsagePeriod};

use super::tbs::{ExtensionParts, elements};
use super::{Context, Rule, broken, demand, error, warning};
use crate::asn1::{Reader, writer};
use crate::ca::alternative_name;
use crate::ca::extension::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_PRIVATE_KEY_USAGE_PERIOD, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS,
};
use crate::ca::profile::ID_PKIX_OCSP_NOCHECK;
use crate::ca::subject::dotted;
use crate::crypto::KeyAlgorithm;

pub(super) const RULES: [Rule; 15] = [
    error("extensions-once", "RFC 5280 §4.2", extensions_once),
    error("extensions-known", "profile", extensions_known),
    error("criticality", "RFC 5280 §4.2.1, X.690 §11.1", criticality),
    error("authority-key-identifier", "RFC 5280 §4.2.1.1", authority_key_identifier),
    error("subject-key-identifier", "RFC 5280 §4.2.1.2", subject_key_identifier),
    error("key-usage", "RFC 5280 §4.2.1.3", key_usage),
    warning("key-usage-critical", "RFC 5280 §4.2.1.3", key_usage_critical),
    error("policies", "RFC 5280 §4.2.1.4", policies),
    error("subject-alt-name", "RFC 5280 §4.2.1.6", subject_alt_name),
    error("basic-constraints", "RFC 5280 §4.2.1.9", basic_constraints),
    error("extended-key-usage", "RFC 5280 §4.2.1.12", extended_key_usage),
    error("pointers", "RFC 5280 §4.2.1.13, §4.2.2.1", pointers),
    warning("pointers-http", "TLS BR 7.1.2.7.7, CSBR 7.1.2.3", pointers_http),
    error("private-key-usage-period", "X.509 §9.2.2.5", private_key_usage_period),
    error("no-check", "RFC 6960 §4.2.2.2.1", no_check),
];

/// What Noonmark writes, and whether it may be critical.
const KNOWN: [(ObjectIdentifier, bool); 11] = [
    (ID_CE_BASIC_CONSTRAINTS, true),
    (ID_CE_KEY_USAGE, true),
    (ID_CE_EXTENDED_KEY_USAGE, true),
    (ID_CE_SUBJECT_ALT_NAME, true),
    (ID_CE_SUBJECT_KEY_IDENTIFIER, false),
    (ID_CE_AUTHORITY_KEY_IDENTIFIER, false),
    (ID_CE_CRL_DISTRIBUTION_POINTS, false),
    (ID_PE_AUTHORITY_INFO_ACCESS, false),
    (ID_CE_CERTIFICATE_POLICIES, false),
    (ID_CE_PRIVATE_KEY_USAGE_PERIOD, false),
    (ID_PKIX_OCSP_NOCHECK, false),
];

/// A certificate MUST NOT have two instances of an extension.
fn extensions_once(context: &Context<'_>) -> Result<(), String> {
    let list = &context.tbs.extensions;
    let twice = list.iter().enumerate().find(|(at, one)| list.iter().take(*at).any(|other| other.oid == one.oid));
    twice.map_or(Ok(()), |(_, extension)| broken(format!("{} stands twice", dotted(extension.oid))))
}

fn extensions_known(context: &Context<'_>) -> Result<(), String> {
    let is_known = |extension: &&ExtensionParts<'_>| KNOWN.iter().any(|(oid, _)| oid.as_bytes() == extension.oid);
    let unknown = context.tbs.extensions.iter().find(|extension| !is_known(extension));
    unknown.map_or(Ok(()), |extension| broken(format!("no profile has the extension {}", dotted(extension.oid))))
}

/// Identifiers and pointers MUST be non-critical; FALSE is the default, which DER leaves out, and TRUE is 0xff.
fn criticality(context: &Context<'_>) -> Result<(), String> {
    for extension in &context.tbs.extensions {
        if !matches!(extension.critical, None | Some(0xff)) {
            return broken(format!("{} writes its criticality otherwise than DER", dotted(extension.oid)));
        }
        let may_be = KNOWN.iter().find(|(oid, _)| oid.as_bytes() == extension.oid).is_none_or(|(_, may_be)| *may_be);
        if extension.is_critical() && !may_be {
            return broken(format!("{} is critical", dotted(extension.oid)));
        }
    }
    Ok(())
}

/// MUST be there, and MUST be the issuer's subjectKeyIdentifier.
fn authority_key_identifier(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_AUTHORITY_KEY_IDENTIFIER) else {
        return broken("there is no authorityKeyIdentifier");
    };
    let identifier = Reader::only(extension.value, writer::SEQUENCE).and_then(|mut fields| fields.expect(0x80));
    let Ok(identifier) = identifier else { return broken("authorityKeyIdentifier has no keyIdentifier") };
    let computed = context.issuer.public_key.key_identifier();
    let expected = context.issuer.subject_key_identifier.as_deref().unwrap_or(&computed);
    demand(identifier.content == expected, "authorityKeyIdentifier is not the issuer's subjectKeyIdentifier")
}

/// MUST be there in a CA, SHOULD elsewhere: here, always.
fn subject_key_identifier(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_SUBJECT_KEY_IDENTIFIER) else {
        return broken("there is no subjectKeyIdentifier");
    };
    let reads = Reader::only(extension.value, writer::OCTET_STRING).is_ok() && extension.value.len() > 2;
    demand(reads, "subjectKeyIdentifier does not read")
}

/// At least one bit; keyCertSign if and only if cA; nothing that the key can't do.
fn key_usage(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_KEY_USAGE) else { return broken("there is no keyUsage") };
    let Some(usage) = context.tbs.key_usage() else { return broken("keyUsage does not read") };
    // X.690 §11.2.2: trailing zero bits are removed; encoding it again shows them.
    let minimal = usage.to_der().is_ok_and(|der| der == extension.value);
    demand(minimal && !usage.0.is_empty(), "keyUsage has no bit, or is not DER")?;
    let is_ca = context.tbs.is_ca();
    demand(usage.key_cert_sign() == is_ca, "keyCertSign stands if and only if basicConstraints says cA")?;
    demand(is_ca || !usage.crl_sign(), "cRLSign stands in an end entity's certificate")?;
    // RFC 3279 §2.3.1, RFC 8813 §3, RFC 8410 §5.
    let (may_encipher, may_agree) = match context.tbs.key.algorithm() {
        KeyAlgorithm::Rsa { .. } => (true, false),
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => (false, true),
        KeyAlgorithm::Ed25519 => (false, false),
    };
    let enciphers = usage.key_encipherment() || usage.data_encipherment();
    demand(may_encipher || !enciphers, "keyEncipherment or dataEncipherment is for RSA keys")?;
    demand(may_agree || !usage.key_agreement(), "keyAgreement is for EC keys")
}

/// SHOULD be critical.
fn key_usage_critical(context: &Context<'_>) -> Result<(), String> {
    let critical = context.tbs.extension(ID_CE_KEY_USAGE).is_none_or(ExtensionParts::is_critical);
    demand(critical, "keyUsage is not critical")
}

/// At least one, none repeated.
fn policies(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_CERTIFICATE_POLICIES) else { return Ok(()) };
    let Ok(list) = elements(extension.value) else { return broken("certificatePolicies does not read") };
    let mut seen: Vec<&[u8]> = Vec::new();
    for policy in list {
        let oid = Reader::only(policy.whole, writer::SEQUENCE)
            .and_then(|mut fields| fields.expect(writer::OBJECT_IDENTIFIER));
        let Ok(oid) = oid else { return broken("certificatePolicies does not read") };
        if seen.contains(&oid.content) {
            return broken(format!("the policy {} stands twice", dotted(oid.content)));
        }
        seen.push(oid.content);
    }
    demand(!seen.is_empty(), "certificatePolicies is empty")
}

/// MUST be there and critical if the subject is empty; SHOULD be non-critical otherwise; never empty, nothing twice.
fn subject_alt_name(context: &Context<'_>) -> Result<(), String> {
    let is_only_name = context.tbs.subject_is_empty();
    let Some(extension) = context.tbs.extension(ID_CE_SUBJECT_ALT_NAME) else {
        return demand(!is_only_name, "the subject is empty and there is no subjectAltName");
    };
    let names = alternative_name::from_extension_value(extension.value)
        .map_err(|error| format!("subjectAltName has what is never issued: {error}"))?;
    let repeated = names.iter().enumerate().any(|(at, name)| names.iter().take(at).any(|other| other == name));
    demand(!repeated, "a name stands twice in subjectAltName")?;
    // Lower-cased, and no octet that the reading passes over.
    demand(
        alternative_name::to_extension_value(&names) == extension.value,
        "subjectAltName is not written as its names are",
    )?;
    demand(extension.is_critical() == is_only_name, "subjectAltName is critical if and only if the subject is empty")
}

/// MUST be there and critical in a CA; pathLenConstraint only with keyCertSign; the issuer's own is kept.
fn basic_constraints(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_BASIC_CONSTRAINTS) else { return Ok(()) };
    let Some(constraints) = context.tbs.basic_constraints() else { return broken("basicConstraints does not read") };
    let is_der = constraints.to_der().is_ok_and(|der| der == extension.value);
    demand(is_der, "basicConstraints is not DER: cA FALSE is left out")?;
    demand(!constraints.ca || extension.is_critical(), "a CA's basicConstraints is not critical")?;
    let signs = context.tbs.key_usage().is_some_and(|usage| usage.key_cert_sign());
    let has_length = constraints.path_len_constraint.is_some();
    demand(!has_length || (constraints.ca && signs), "pathLenConstraint stands without cA and keyCertSign")?;
    let above = context.issuer.basic_constraints.and_then(|(_, length)| length);
    demand(!constraints.ca || above != Some(0), "the issuer's pathLenConstraint allows no CA below it")
}

/// At least one purpose, none repeated.
fn extended_key_usage(context: &Context<'_>) -> Result<(), String> {
    if context.tbs.extension(ID_CE_EXTENDED_KEY_USAGE).is_none() {
        return Ok(());
    }
    let list = context.tbs.extended_key_usage();
    demand(!list.is_empty(), "extKeyUsage is empty or does not read")?;
    let repeated = list.iter().enumerate().any(|(at, oid)| list.iter().take(at).any(|other| other == oid));
    demand(!repeated, "a purpose stands twice in extKeyUsage")
}

/// The URLs in cRLDistributionPoints and authorityInfoAccess; None if one of them does not read or has another form.
fn urls(context: &Context<'_>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    if let Some(extension) = context.tbs.extension(ID_CE_CRL_DISTRIBUTION_POINTS) {
        let points = CrlDistributionPoints::from_der(extension.value).ok().filter(|points| !points.0.is_empty())?;
        for point in points.0 {
            match point.distribution_point {
                Some(DistributionPointName::FullName(list)) if !list.is_empty() => names.extend(list),
                _ => return None,
            }
        }
    }
    if let Some(extension) = context.tbs.extension(ID_PE_AUTHORITY_INFO_ACCESS) {
        let list = AuthorityInfoAccessSyntax::from_der(extension.value).ok().filter(|list| !list.0.is_empty())?;
        names.extend(list.0.into_iter().map(|access| access.access_location));
    }
    let text = |name| match name {
        GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
        _ => None,
    };
    names.into_iter().map(text).collect()
}

/// Absolute URLs with a host.
fn pointers(context: &Context<'_>) -> Result<(), String> {
    let Some(urls) = urls(context) else {
        return broken("cRLDistributionPoints or authorityInfoAccess is empty, or has more than URLs");
    };
    let relative = urls.iter().find(|url| url::Url::parse(url).is_ok_and(|url| url.has_host()).eq(&false));
    relative.map_or(Ok(()), |url| broken(format!("{url:?} is no URL with a host")))
}

/// Plain HTTP: a client that asked by TLS would need this very answer first (RFC 5280 §8).
fn pointers_http(context: &Context<'_>) -> Result<(), String> {
    let other = urls(context).unwrap_or_default().into_iter().find(|url| !url.starts_with("http://"));
    other.map_or(Ok(()), |url| broken(format!("{url:?} is not http://; some clients do not ask it")))
}

/// Within the certificate's validity.
fn private_key_usage_period(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_CE_PRIVATE_KEY_USAGE_PERIOD) else { return Ok(()) };
    let period = PrivateKeyUsagePeriod::from_der(extension.value);
    let ends = period.ok().and_then(|period| period.not_before.zip(period.not_after));
    let Some((from, until)) = ends else { return broken("privateKeyUsagePeriod lacks an end, or does not read") };
    let seconds = |time: der::asn1::GeneralizedTime| i64::try_from(time.to_unix_duration().as_secs()).ok();
    let Some((from_s, until_s)) = seconds(from).zip(seconds(until)) else { return broken("a date that is none") };
    let Some((not_before_s, not_after_s)) = context.tbs.validity_s() else { return Ok(()) };
    let within = not_before_s <= from_s && from_s < until_s && until_s <= not_after_s;
    demand(within, "privateKeyUsagePeriod does not lie within the validity")
}

/// The value is NULL; only a responder has it.
fn no_check(context: &Context<'_>) -> Result<(), String> {
    let Some(extension) = context.tbs.extension(ID_PKIX_OCSP_NOCHECK) else { return Ok(()) };
    demand(extension.value == [writer::NULL, 0], "id-pkix-ocsp-nocheck is not NULL")?;
    let responder = context.tbs.extended_key_usage().contains(&crate::ca::profile::ID_KP_OCSP_SIGNING);
    demand(responder, "id-pkix-ocsp-nocheck stands in what is no OCSP responder")
}

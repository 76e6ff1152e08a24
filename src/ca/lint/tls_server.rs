//! Rules of the CA/Browser Forum's TLS Baseline Requirements, for profiles that hold them.

use std::net::IpAddr;

use const_oid::ObjectIdentifier;

use super::names::values;
use super::{Context, Rule, broken, demand, error, warning};
use crate::ca::alternative_name::AlternativeNameKind;
use crate::ca::extension::{DAY_S, ID_CE_CERTIFICATE_POLICIES};
use crate::ca::subject::AttributeType;
use crate::crypto::KeyAlgorithm;

pub(super) const RULES: [Rule; 7] = [
    error("tls-validity", "TLS BR 6.3.2", validity),
    error("tls-names", "TLS BR 7.1.2.7.12", names),
    error("tls-common-name", "TLS BR 7.1.4.3", common_name),
    error("tls-purposes", "TLS BR 7.1.2.7.10", purposes),
    error("tls-key", "TLS BR 6.1.5", key),
    warning("tls-policy", "TLS BR 7.1.2.7.9", policy),
    warning("tls-public-names", "TLS BR 4.2.2", public_names),
];

/// The most days by the day of issuing, the latest first: seconds since 1970, days (TLS BR 6.3.2).
const MOST_DAYS: [(i64, i64); 4] = [
    // 2029-03-15
    (1_868_227_200, 47),
    // 2027-03-15
    (1_805_068_800, 100),
    // 2026-03-15
    (1_773_532_800, 200),
    (i64::MIN, 398),
];

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

fn validity(context: &Context<'_>) -> Result<(), String> {
    let Some((from_s, until_s)) = context.tbs.validity_s() else { return Ok(()) };
    if !context.profile.tls_baseline {
        return Ok(());
    }
    let most = MOST_DAYS.iter().find(|(since_s, _)| from_s >= *since_s).map_or(0, |(_, days)| *days);
    // A day is 86,400 seconds, and a second more is another day.
    let within = until_s - from_s < most * DAY_S;
    if within { Ok(()) } else { broken(format!("a certificate of this day may be valid for {most} days at most")) }
}

/// MUST be there, with host names and addresses alone.
fn names(context: &Context<'_>) -> Result<(), String> {
    if !context.profile.tls_baseline {
        return Ok(());
    }
    let names = context.tbs.alternative_names().unwrap_or_default();
    demand(!names.is_empty(), "there is no subjectAltName")?;
    let allowed = [AlternativeNameKind::Dns.tag(), AlternativeNameKind::Ip.tag()];
    demand(
        names.iter().all(|name| allowed.contains(&name.tag)),
        "subjectAltName has more than host names and addresses",
    )
}

/// Every name in subjectAltName as text.
fn texts(context: &Context<'_>) -> Vec<String> {
    let names = context.tbs.alternative_names().unwrap_or_default();
    names
        .iter()
        .filter_map(|name| {
            if name.tag == AlternativeNameKind::Ip.tag() {
                address(name.content).map(|address| address.to_string())
            } else {
                String::from_utf8(name.content.to_vec()).ok()
            }
        })
        .collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or(<[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// If it is there, one of the names in subjectAltName, character for character.
fn common_name(context: &Context<'_>) -> Result<(), String> {
    if !context.profile.tls_baseline {
        return Ok(());
    }
    let names = texts(context);
    for value in values(context, AttributeType::CommonName) {
        let text = String::from_utf8_lossy(value);
        if !names.contains(&text.clone().into_owned()) {
            return broken(format!(
                "CN={text} is not in subjectAltName, which is lower-case; add it there or leave CN out"
            ));
        }
    }
    Ok(())
}

/// serverAuth, and clientAuth at most beside it.
fn purposes(context: &Context<'_>) -> Result<(), String> {
    if !context.profile.tls_baseline {
        return Ok(());
    }
    let list = context.tbs.extended_key_usage();
    demand(list.contains(&SERVER_AUTH), "extKeyUsage lacks serverAuth")?;
    demand(
        list.iter().all(|oid| [SERVER_AUTH, CLIENT_AUTH].contains(oid)),
        "extKeyUsage has more than serverAuth and clientAuth",
    )
}

/// RSA of 2048 bits and more, in whole octets, or a NIST curve.
fn key(context: &Context<'_>) -> Result<(), String> {
    let fits = match context.tbs.key.algorithm() {
        KeyAlgorithm::Rsa { bits } => bits >= 2048 && bits.is_multiple_of(8),
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => true,
        KeyAlgorithm::Ed25519 => false,
    };
    demand(fits || !context.profile.tls_baseline, "the key is neither RSA of 2048 bits and more nor on a NIST curve")
}

/// MUST be there, with one of the CA/Browser Forum's policies; a CA that does not validate by them says none.
fn policy(context: &Context<'_>) -> Result<(), String> {
    let has = context.tbs.extension(ID_CE_CERTIFICATE_POLICIES).is_some();
    demand(has || !context.profile.tls_baseline, "there is no certificatePolicies: not for a publicly trusted CA")
}

/// No internal names and no reserved addresses under a publicly trusted CA.
fn public_names(context: &Context<'_>) -> Result<(), String> {
    if !context.profile.tls_baseline {
        return Ok(());
    }
    for name in context.tbs.alternative_names().unwrap_or_default() {
        let is_public = if name.tag == AlternativeNameKind::Ip.tag() {
            address(name.content).is_some_and(is_public)
        } else {
            name.content.contains(&b'.')
        };
        if !is_public {
            return broken("subjectAltName has a name or an address of an internal network");
        }
    }
    Ok(())
}

/// Not of a range that stays inside a network. Not all of IANA's registries: those that people use.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_documentation())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

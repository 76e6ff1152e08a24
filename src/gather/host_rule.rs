//! A host that may be fetched from, as an operator writes it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;
use url::Host;

/// Ports without a rule that names one: HTTP's and HTTPS'.
pub(super) const USUAL_PORTS: [u16; 2] = [80, 443];

/// A rule that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostRuleError {
    /// Neither a name nor an address.
    #[error(
        "{rule:?} names no host; write crl.example.org, *.example.org, 10.0.0.5 or [::1], each with :port or without"
    )]
    Host {
        /// As it is written.
        rule: String,
    },
    /// A port that is none.
    #[error("{rule:?} has a port that is not one of 1 to 65535")]
    Port {
        /// As it is written.
        rule: String,
    },
    /// A star in another place than before a name.
    #[error("{rule:?} has a star that is not the whole first label of a name, as in *.example.org")]
    Star {
        /// As it is written.
        rule: String,
    },
}

/// A host that may be fetched from even if its address is private, at the usual ports or at one that the rule names.
///
/// Written `crl.example.org`, `*.example.org` (any name below it, not itself), `10.0.0.5`, `[::1]`, and with a port
/// `crl.example.org:8080`. An address is for URLs that have it, not for names that resolve to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostRule {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pattern {
    Name(String),
    Below(String),
    Address(IpAddr),
}

impl HostRule {
    /// Whether it names this host and port. The host is as in a URL: folded, an IPv6 address in brackets.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        let host = without_dot(host);
        let is_host = match &self.host {
            Pattern::Name(name) => name == host,
            Pattern::Below(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Pattern::Address(address) => address_in(host) == Some(*address),
        };
        is_host && self.port.map_or_else(|| USUAL_PORTS.contains(&port), |own| own == port)
    }
}

/// The address that a URL's host is, if it is one.
fn address_in(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// A name with a dot at its end is the same name.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = || text.to_owned();
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: Pattern::Address(address.into()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            // The colon is one of an IPv6 address.
            Some((_, rest)) if rest.ends_with(']') => (text, None),
            Some((host, port)) => {
                let digits = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
                let number = port.parse::<u16>().ok().filter(|number| digits && *number > 0);
                (host, Some(number.ok_or_else(|| HostRuleError::Port { rule: rule() })?))
            }
            None => (text, None),
        };
        let (name, is_below) = host.strip_prefix("*.").map_or((host, false), |domain| (domain, true));
        if name.contains('*') {
            return Err(HostRuleError::Star { rule: rule() });
        }
        let host = match Host::parse(name).map_err(|_| HostRuleError::Host { rule: rule() })? {
            Host::Domain(domain) => {
                let domain = without_dot(&domain).to_owned();
                if domain.split('.').any(str::is_empty) {
                    return Err(HostRuleError::Host { rule: rule() });
                }
                if is_below { Pattern::Below(domain) } else { Pattern::Name(domain) }
            }
            Host::Ipv4(_) | Host::Ipv6(_) if is_below => return Err(HostRuleError::Star { rule: rule() }),
            Host::Ipv4(address) => Pattern::Address(address.into()),
            Host::Ipv6(address) => Pattern::Address(address.into()),
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = HostRuleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Pattern::Name(name) => f.write_str(name)?,
            Pattern::Below(domain) => write!(f, "*.{domain}")?,
            Pattern::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Pattern::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> HostRule {
        text.parse().unwrap()
    }

    #[test]
    fn rules_are_shown_as_they_are_read() {
        for (text, shown) in [
            ("crl.example.org", "crl.example.org"),
            ("CRL.Example.org.", "crl.example.org"),
            ("*.example.org", "*.example.org"),
            ("*.intern:8080", "*.intern:8080"),
            ("10.0.0.5", "10.0.0.5"),
            ("10.0.0.5:80", "10.0.0.5:80"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("[FD00::1]:443", "[fd00::1]:443"),
            ("müller.example", "xn--mller-kva.example"),
            // As a URL would write it.
            ("0x7f.1", "127.0.0.1"),
        ] {
            assert_eq!(rule(text).to_string(), shown);
            assert_eq!(rule(shown), rule(text));
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", ".", "*.", "a..b", "http://a.example", "a.example/x", "user@a.example", "[::1", "::1]", "a b"]
        {
            assert!(
                matches!(text.parse::<HostRule>(), Err(HostRuleError::Host { .. } | HostRuleError::Port { .. })),
                "{text}"
            );
        }
        for text in ["a.example:", "a.example:0", "a.example:65536", "a.example:+80", "a.example:http"] {
            assert!(matches!(text.parse::<HostRule>(), Err(HostRuleError::Port { .. })), "{text}");
        }
        for text in ["*", "a.*.example", "*a.example", "*.*.example", "*.10.0.0.5"] {
            assert!(matches!(text.parse::<HostRule>(), Err(HostRuleError::Star { .. })), "{text}");
        }
    }

    #[test]
    fn a_rule_names_its_host_and_port_alone() {
        assert!(rule("a.example").names("a.example", 80) && rule("a.example").names("a.example.", 443));
        assert!(!rule("a.example").names("a.example", 8080) && !rule("a.example").names("b.a.example", 80));
        assert!(rule("a.example:8080").names("a.example", 8080) && !rule("a.example:8080").names("a.example", 80));
        assert!(rule("*.example").names("a.example", 80) && rule("*.example").names("b.a.example", 80));
        for other in ["example", ".example", "aexample", "a.example.org"] {
            assert!(!rule("*.example").names(other, 80), "{other}");
        }
        assert!(rule("10.0.0.5").names("10.0.0.5", 80) && !rule("10.0.0.5").names("10.0.0.50", 80));
        assert!(rule("[::1]").names("[::1]", 80) && !rule("[::1]").names("[::2]", 80));
    }
}

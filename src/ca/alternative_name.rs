//! Names in subjectAltName: checked when they are made, so that what exists may be issued for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::asn1::{DerError, Reader, writer};

/// The most names in one certificate: what public CAs allow, and a certificate of some kilobytes.
pub const MAX_ALTERNATIVE_NAMES: usize = 100;

// GeneralName's tags (RFC 5280 §4.2.1.6), IMPLICIT over primitive types.
const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;

/// A name with all its labels, without the final dot (RFC 1035 §2.3.4: 255 octets with lengths and root).
const MAX_DNS_CHARACTERS: usize = 253;
/// A label (RFC 1035 §2.3.4).
const MAX_LABEL_CHARACTERS: usize = 63;
/// An address' local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART_CHARACTERS: usize = 64;
/// A URI; no standard says, browsers and proxies agree on some 2,000.
const MAX_URI_CHARACTERS: usize = 2_000;

/// A kind of alternative name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlternativeNameKind {
    /// dNSName.
    Dns,
    /// rfc822Name.
    Email,
    /// iPAddress.
    Ip,
    /// uniformResourceIdentifier.
    Uri,
}

impl AlternativeNameKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Dns, Self::Email, Self::Ip, Self::Uri];

    /// The name in profiles, requests and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Email => "email",
            Self::Ip => "ip",
            Self::Uri => "uri",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(super) const fn tag(self) -> u8 {
        match self {
            Self::Dns => DNS_NAME,
            Self::Email => RFC822_NAME,
            Self::Ip => IP_ADDRESS,
            Self::Uri => URI,
        }
    }
}

impl fmt::Display for AlternativeNameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlternativeNameError {
    /// Not written as `kind:value`.
    #[error(
        "{text:?} is no alternative name; write dns:example.org, email:name@example.org, ip:192.0.2.1 or uri:https://example.org/"
    )]
    Form {
        /// As given.
        text: String,
    },
    /// A value that its kind may not have.
    #[error("{kind}:{value} is refused: {demand}")]
    Value {
        /// The kind.
        kind: AlternativeNameKind,
        /// As given.
        value: String,
        /// What it must be.
        demand: &'static str,
    },
    /// A GeneralName that Noonmark does not issue: otherName, x400Address, directoryName, ediPartyName, registeredID.
    #[error("a subjectAltName with the tag {tag:#04x} is asked for; only dns, email, ip and uri are issued")]
    UnknownKind {
        /// The tag.
        tag: u8,
    },
    /// Not GeneralNames in DER, or none in it.
    #[error("the subjectAltName is malformed: {0}")]
    Malformed(#[from] DerError),
    /// More than a certificate should have.
    #[error("more than {MAX_ALTERNATIVE_NAMES} alternative names")]
    TooMany,
}

/// A name in subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlternativeName {
    kind: AlternativeNameKind,
    text: String,
}

impl AlternativeName {
    /// A host name of letters, digits and hyphens (RFC 1123 §2.1), lower-cased; a wildcard is the whole leftmost label.
    ///
    /// # Errors
    /// Names that are not, international ones that are not written as `xn--…`, addresses.
    pub fn dns(name: &str) -> Result<Self, AlternativeNameError> {
        let kind = AlternativeNameKind::Dns;
        let refused = |demand| AlternativeNameError::Value { kind, value: name.to_owned(), demand };
        let text = name.to_ascii_lowercase();
        check_dns(&text).map_err(refused)?;
        Ok(Self { kind, text })
    }

    /// A mailbox (RFC 5280 §4.2.1.6), its host lower-cased.
    ///
    /// # Errors
    /// What is not `local@host`, in ASCII.
    pub fn email(address: &str) -> Result<Self, AlternativeNameError> {
        let kind = AlternativeNameKind::Email;
        let text = check_email(address).map_err(|demand| AlternativeNameError::Value {
            kind,
            value: address.to_owned(),
            demand,
        })?;
        Ok(Self { kind, text })
    }

    /// An address of version 4 or 6.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self { kind: AlternativeNameKind::Ip, text: address.to_string() }
    }

    /// An absolute URI with a scheme and a host (RFC 5280 §4.2.1.6), as it is given.
    ///
    /// # Errors
    /// What is not, or is not ASCII.
    pub fn uri(uri: &str) -> Result<Self, AlternativeNameError> {
        let kind = AlternativeNameKind::Uri;
        check_uri(uri).map_err(|demand| AlternativeNameError::Value { kind, value: uri.to_owned(), demand })?;
        Ok(Self { kind, text: uri.to_owned() })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> AlternativeNameKind {
        self.kind
    }

    /// Its value as text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a host name with a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.kind == AlternativeNameKind::Dns && self.text.starts_with("*.")
    }

    /// The GeneralName's DER.
    fn to_der(&self) -> Vec<u8> {
        let octets = match self.kind {
            // Only ever made from an address.
            AlternativeNameKind::Ip => match self.text.parse() {
                Ok(IpAddr::V4(address)) => address.octets().to_vec(),
                Ok(IpAddr::V6(address)) => address.octets().to_vec(),
                Err(_) => Vec::new(),
            },
            _ => self.text.as_bytes().to_vec(),
        };
        writer::tlv(self.kind.tag(), &[&octets])
    }

    fn from_general_name(tag: u8, content: &[u8]) -> Result<Self, AlternativeNameError> {
        let text = || {
            let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii());
            text.ok_or(DerError::Value { what: "IA5String in subjectAltName" })
        };
        match tag {
            DNS_NAME => Self::dns(text()?),
            RFC822_NAME => Self::email(text()?),
            URI => Self::uri(text()?),
            IP_ADDRESS => {
                let v4 = <[u8; 4]>::try_from(content).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(content).map(IpAddr::from);
                let address = v4.or(v6).map_err(|_| DerError::Value { what: "iPAddress: 4 or 16 octets" })?;
                Ok(Self::ip(address))
            }
            tag => Err(AlternativeNameError::UnknownKind { tag }),
        }
    }
}

impl FromStr for AlternativeName {
    type Err = AlternativeNameError;

    /// Reads `dns:…`, `email:…`, `ip:…` or `uri:…`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || AlternativeNameError::Form { text: text.to_owned() };
        let (kind, value) = text.split_once(':').ok_or_else(form)?;
        match AlternativeNameKind::from_name(kind).ok_or_else(form)? {
            AlternativeNameKind::Dns => Self::dns(value),
            AlternativeNameKind::Email => Self::email(value),
            AlternativeNameKind::Uri => Self::uri(value),
            kind @ AlternativeNameKind::Ip => value.parse().map(Self::ip).map_err(|_| AlternativeNameError::Value {
                kind,
                value: value.to_owned(),
                demand: "write an address such as 192.0.2.1 or 2001:db8::1",
            }),
        }
    }
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.text)
    }
}

/// The GeneralNames of a subjectAltName extension's value.
///
/// # Errors
/// None, too many, one that is refused.
pub(super) fn from_extension_value(value: &[u8]) -> Result<Vec<AlternativeName>, AlternativeNameError> {
    let mut list = Reader::only(value, writer::SEQUENCE)?;
    let mut names = Vec::new();
    while !list.is_finished() {
        if names.len() == MAX_ALTERNATIVE_NAMES {
            return Err(AlternativeNameError::TooMany);
        }
        let name = list.read()?;
        names.push(AlternativeName::from_general_name(name.tag, name.content)?);
    }
    // RFC 5280 §4.2.1.6: the sequence MUST contain at least one entry.
    if names.is_empty() { Err(DerError::Value { what: "subjectAltName without a name" }.into()) } else { Ok(names) }
}

/// A subjectAltName extension's value.
pub(super) fn to_extension_value(names: &[AlternativeName]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.iter().map(AlternativeName::to_der).collect();
    super::extension::sequence_of(&names)
}

/// Letters, digits and hyphens, the latter not at either end (RFC 1123 §2.1, RFC 5890 §2.3.1).
pub(super) fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_CHARACTERS).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn check_dns(name: &str) -> Result<(), &'static str> {
    if !name.is_ascii() {
        return Err("write international names in their ASCII form, xn--… (RFC 5890)");
    }
    if name.len() > MAX_DNS_CHARACTERS {
        return Err("it is longer than 253 characters");
    }
    let (wildcard, rest) = name.strip_prefix("*.").map_or((false, name), |rest| (true, rest));
    if rest.contains('*') {
        return Err("a wildcard is the whole leftmost label: *.example.org");
    }
    let labels: Vec<&str> = rest.split('.').collect();
    if !labels.iter().all(|label| is_label(label)) {
        return Err("labels are 1 to 63 letters, digits and hyphens, no hyphen at either end, no dot at the end");
    }
    // RFC 5890 §2.3.1: hyphens in the third and fourth place are reserved; only xn-- has a meaning.
    if labels.iter().any(|label| label.get(2..4) == Some("--") && !label.starts_with("xn--")) {
        return Err("a label with -- in the third and fourth place must begin with xn (RFC 5890 §2.3.1)");
    }
    if labels.last().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("the last label is a number; write an address as ip:…");
    }
    if wildcard && labels.len() < 2 {
        return Err("a wildcard stands below a domain of two labels at least");
    }
    Ok(())
}

/// The address with its host lower-cased, or what it must be.
pub(super) fn check_email(address: &str) -> Result<String, &'static str> {
    let demand = "write name@example.org in ASCII, without quotes or comments";
    let (local, host) = address.rsplit_once('@').ok_or(demand)?;
    // RFC 5321 §4.1.2: Dot-string; quoted forms are left out on purpose, no mailbox needs one.
    let atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    if local.len() > MAX_LOCAL_PART_CHARACTERS || !local.split('.').all(atom) {
        return Err(demand);
    }
    let host = host.to_ascii_lowercase();
    if host.starts_with("*.") || check_dns(&host).is_err() {
        return Err(demand);
    }
    Ok(format!("{local}@{host}"))
}

fn check_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > MAX_URI_CHARACTERS || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("at most 2,000 characters of ASCII, no spaces");
    }
    // RFC 5280 §4.2.1.6: it MUST NOT be relative, and where the scheme has an authority, it MUST name a host.
    let parsed = url::Url::parse(uri).map_err(|_| "write an absolute URI such as https://example.org/")?;
    let has_authority = uri.get(parsed.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    if has_authority && parsed.host_str().is_none_or(str::is_empty) {
        return Err("the URI names no host");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a URI in a certificate has no user and no password");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_checked() {
        for (given, kept) in [
            ("Example.ORG", "example.org"),
            ("*.Example.org", "*.example.org"),
            ("localhost", "localhost"),
            ("a-b.1x.example", "a-b.1x.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("3com.example", "3com.example"),
        ] {
            assert_eq!(AlternativeName::dns(given).unwrap().text(), kept);
        }
        let label = "a".repeat(64);
        let long = format!("{}.org", vec!["a".repeat(60); 5].join("."));
        for (wrong, why) in [
            ("", "labels are"),
            (".", "labels are"),
            ("example.org.", "labels are"),
            (".example.org", "labels are"),
            ("a..b", "labels are"),
            ("-a.org", "labels are"),
            ("a-.org", "labels are"),
            ("a_b.org", "labels are"),
            ("a b.org", "labels are"),
            ("a\0.org", "labels are"),
            (label.as_str(), "labels are"),
            (long.as_str(), "longer than 253"),
            ("bücher.example", "xn--"),
            ("ab--cd.org", "must begin with xn"),
            ("*", "wildcard"),
            ("*.org", "two labels"),
            ("a.*.org", "leftmost"),
            ("*a.example.org", "leftmost"),
            ("*.*.example.org", "leftmost"),
            ("192.0.2.1", "ip:"),
            ("example.1", "ip:"),
        ] {
            let error = AlternativeName::dns(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
        assert!(AlternativeName::dns("*.example.org").unwrap().is_wildcard());
        assert!(!AlternativeName::dns("example.org").unwrap().is_wildcard());
    }

    #[test]
    fn mailboxes_addresses_and_uris_are_checked() {
        assert_eq!(AlternativeName::email("First.Last+x@Example.ORG").unwrap().text(), "First.Last+x@example.org");
        for wrong in
            ["", "a", "@example.org", "a@", "a..b@example.org", ".a@b.org", "\"a b\"@b.org", "a@*.b.org", "ä@b.org"]
        {
            assert!(AlternativeName::email(wrong).is_err(), "{wrong}");
        }
        assert!(AlternativeName::email(&format!("{}@b.org", "a".repeat(65))).is_err());
        for right in
            ["https://example.org/a?b", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "spiffe://example.org/x"]
        {
            assert_eq!(AlternativeName::uri(right).unwrap().text(), right);
        }
        for wrong in ["", "/a", "example.org", "https://", "https://a b/", "https://u:p@example.org/", "https://ä.org"]
        {
            assert!(AlternativeName::uri(wrong).is_err(), "{wrong}");
        }
        assert!(AlternativeName::uri(&format!("https://example.org/{}", "a".repeat(2_000))).is_err());
        for (text, octets) in [("ip:192.0.2.1", 4), ("ip:2001:db8::1", 16)] {
            let name: AlternativeName = text.parse().unwrap();
            assert_eq!((name.to_string().as_str(), name.to_der().len()), (text, octets + 2));
        }
        for wrong in ["ip:192.0.2", "ip:192.0.2.0/24", "dns", "other:x", ":x"] {
            assert!(wrong.parse::<AlternativeName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_extension_round_trips_and_refuses_the_rest() {
        let names: Vec<AlternativeName> =
            ["dns:a.example", "email:a@b.example", "ip:192.0.2.1", "uri:https://a.example/"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let value = to_extension_value(&names);
        assert_eq!(from_extension_value(&value), Ok(names.clone()));
        assert!(from_extension_value(&[0x30, 0]).is_err());
        assert!(from_extension_value(&[&value[..], &[0]].concat()).is_err());
        let directory_name = [0x30, 4, 0xa4, 2, 0x30, 0];
        assert_eq!(from_extension_value(&directory_name), Err(AlternativeNameError::UnknownKind { tag: 0xa4 }));
        for wrong in [&[0x30, 5, 0x87, 3, 1, 2, 3][..], &[0x30, 3, 0x82, 1, 0xff], &[0x30, 3, 0x82, 1, 0]] {
            assert!(from_extension_value(wrong).is_err(), "{wrong:?}");
        }
        let many = vec![names[0].clone(); MAX_ALTERNATIVE_NAMES + 1];
        assert_eq!(from_extension_value(&to_extension_value(&many)), Err(AlternativeNameError::TooMany));
        assert!(from_extension_value(&to_extension_value(&many[1..])).is_ok());
    }
}

//! Name constraints (RFC 5280 §4.2.1.10, §6.1.3 (b) and (c), §6.1.4 (g)).
//!
//! permitted_subtrees is kept as one list a certificate, each of which a name must be within: that is their intersection,
//! without the work of making it. A form that can't be compared here fails where it is constrained.

use super::super::budget::{Budget, BudgetExhausted, Resource};
use super::super::certificate::{Certificate, GeneralSubtree, NameConstraints, oid};
use super::super::general_name::{GeneralName, NameForm};
use super::fault::Fault;

/// How a name breaks the constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameViolation {
    /// It is in none of the permitted subtrees of its form.
    NotPermitted,
    /// It is in an excluded subtree.
    Excluded,
    /// It, or a constraint of its form, is no name of that form.
    Malformed,
    /// Constraints on its form can't be applied here.
    FormNotSupported,
}

/// Octets of an extension that count as one comparison: what reading them costs.
const OCTETS_A_COMPARISON: usize = 16;

/// The constraints of the certificates above.
#[derive(Clone, Debug, Default)]
pub(super) struct Subtrees<'a> {
    permitted: Vec<Vec<GeneralSubtree<'a>>>,
    excluded: Vec<GeneralSubtree<'a>>,
}

impl<'a> Subtrees<'a> {
    /// Adds constraints: to the initial ones (§6.1.1 (h), (i)), an anchor's or a certificate's.
    pub(super) fn add(&mut self, constraints: NameConstraints<'a>) {
        if !constraints.permitted.is_empty() {
            self.permitted.push(constraints.permitted);
        }
        self.excluded.extend(constraints.excluded);
    }

    /// §6.1.4 (g): adds a certificate's nameConstraints, if it has any.
    pub(super) fn add_of(
        &mut self,
        certificate: &'a Certificate,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        spend_reading(certificate, oid::NAME_CONSTRAINTS, budget)?;
        Ok(match certificate.name_constraints() {
            Ok(constraints) => {
                self.add(constraints.unwrap_or_default());
                Ok(())
            }
            Err(error) => Err(Fault::MalformedExtension { extension: "nameConstraints", error }),
        })
    }

    /// §6.1.3 (b), (c): holds the names of a certificate against the constraints.
    pub(super) fn check(
        &self,
        certificate: &Certificate,
        budget: &mut Budget,
    ) -> Result<Result<(), Fault>, BudgetExhausted> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Ok(Ok(()));
        }
        spend_reading(certificate, oid::SUBJECT_ALT_NAME, budget)?;
        let mut names = Vec::new();
        if !certificate.subject_name().is_empty() {
            names.push(GeneralName::DirectoryName(certificate.subject_name().clone()));
        }
        match certificate.subject_alt_names() {
            Ok(Some(alt_names)) if !alt_names.is_empty() => names.extend(alt_names),
            // "When constraints are imposed on the rfc822Name name form, but the certificate does not include a subject
            // alternative name, the rfc822Name constraint MUST be applied to the attribute of type emailAddress".
            Ok(_) => {
                let addresses = certificate.subject_email_addresses().unwrap_or_default();
                names.extend(addresses.into_iter().map(GeneralName::Rfc822Name));
            }
            Err(error) => return Ok(Err(Fault::MalformedExtension { extension: "subjectAltName", error })),
        }
        for name in &names {
            if let Err(violation) = self.check_name(name, budget)? {
                return Ok(Err(Fault::Name { form: name.form(), violation }));
            }
        }
        Ok(Ok(()))
    }

    fn check_name(
        &self,
        name: &GeneralName<'_>,
        budget: &mut Budget,
    ) -> Result<Result<(), NameViolation>, BudgetExhausted> {
        for list in &self.permitted {
            let mut constrained = false;
            let mut within = false;
            budget.spend(Resource::NameComparisons, count(list.len()))?;
            for subtree in list.iter().filter(|subtree| subtree.base.form() == name.form()) {
                constrained = true;
                match is_within(name, &subtree.base, Sense::Permitted) {
                    Ok(found) => within |= found,
                    Err(violation) => return Ok(Err(violation)),
                }
            }
            if constrained && !within {
                return Ok(Err(NameViolation::NotPermitted));
            }
        }
        budget.spend(Resource::NameComparisons, count(self.excluded.len()))?;
        for subtree in self.excluded.iter().filter(|subtree| subtree.base.form() == name.form()) {
            match is_within(name, &subtree.base, Sense::Excluded) {
                Ok(false) => {}
                Ok(true) => return Ok(Err(NameViolation::Excluded)),
                Err(violation) => return Ok(Err(violation)),
            }
        }
        Ok(Ok(()))
    }
}

fn spend_reading(certificate: &Certificate, oid: &[u8], budget: &mut Budget) -> Result<(), BudgetExhausted> {
    let octets = certificate.extension(oid).map_or(0, |extension| extension.value.len());
    budget.spend(Resource::NameComparisons, count(octets / OCTETS_A_COMPARISON))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Which of the two a base stands in: where the standard leaves a base's meaning open, each is read in its safe way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Permitted,
    Excluded,
}

fn is_within(name: &GeneralName<'_>, base: &GeneralName<'_>, sense: Sense) -> Result<bool, NameViolation> {
    match (name, base) {
        (GeneralName::DirectoryName(name), GeneralName::DirectoryName(base)) => Ok(name.is_within(base)),
        (GeneralName::DnsName(name), GeneralName::DnsName(base)) => dns(name, base, sense),
        (GeneralName::Rfc822Name(name), GeneralName::Rfc822Name(base)) => mailbox(name, base),
        (GeneralName::UniformResourceIdentifier(name), GeneralName::UniformResourceIdentifier(base)) => uri(name, base),
        (GeneralName::IpAddress(name), GeneralName::IpAddress(base)) => ip(name, base),
        _ => Err(NameViolation::FormNotSupported),
    }
}

/// A name of labels, the first of which may be a wildcard; underscores are in use.
fn is_host(name: &[u8], wildcard: bool) -> bool {
    let labels = match name.strip_prefix(b"*.") {
        Some(rest) if wildcard => rest,
        _ => name,
    };
    labels.len() <= 253
        && labels.split(|octet| *octet == b'.').all(|label| {
            (1..=63).contains(&label.len())
                && label.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
        })
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.len().checked_sub(end.len()).and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side of the name".
fn dns(name: &[u8], base: &[u8], sense: Sense) -> Result<bool, NameViolation> {
    if !is_host(name, true) {
        return Err(NameViolation::Malformed);
    }
    if base.is_empty() {
        return Ok(true);
    }
    // A leading period, which the standard does not have, is in use for "and not the name itself".
    let (bare, dotted) = match base.strip_prefix(b".") {
        Some(bare) => (bare, true),
        None => (base, false),
    };
    if !is_host(bare, false) {
        return Err(NameViolation::Malformed);
    }
    let is_below =
        ends_with(name, bare) && name.len() > bare.len() && name.get(name.len() - bare.len() - 1) == Some(&b'.');
    let is_same = name.eq_ignore_ascii_case(bare) && (!dotted || sense == Sense::Excluded);
    // *.example.com stands for a.example.com too: where that is excluded, the wildcard is.
    let covers_base = sense == Sense::Excluded
        && name.strip_prefix(b"*").is_some_and(|rest| {
            let after_label = bare.iter().position(|octet| *octet == b'.').and_then(|at| bare.get(at..));
            after_label.is_some_and(|after| after.eq_ignore_ascii_case(rest))
        });
    Ok(is_below || is_same || covers_base)
}

/// A particular mailbox, all of a host's, or with a leading period all of a domain's hosts.
fn mailbox(name: &[u8], base: &[u8]) -> Result<bool, NameViolation> {
    let (local, host) = split_mailbox(name).ok_or(NameViolation::Malformed)?;
    if base.is_empty() {
        return Ok(true);
    }
    if base.contains(&b'@') {
        let (base_local, base_host) = split_mailbox(base).ok_or(NameViolation::Malformed)?;
        // §7.5: the local part by octets, the host without regard to case.
        return Ok(local == base_local && host.eq_ignore_ascii_case(base_host));
    }
    if let Some(domain) = base.strip_prefix(b".") {
        return if is_host(domain, false) { Ok(ends_with(host, base)) } else { Err(NameViolation::Malformed) };
    }
    if is_host(base, false) { Ok(host.eq_ignore_ascii_case(base)) } else { Err(NameViolation::Malformed) }
}

fn split_mailbox(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = name.iter().rposition(|octet| *octet == b'@')?;
    let (local, host) = (name.get(..at)?, name.get(at + 1..)?);
    // A second @ may stand in a quoted local part only (RFC 2821 §4.1.2).
    let quoted = local.len() >= 2 && local.starts_with(b"\"") && local.ends_with(b"\"");
    let good = !local.is_empty() && (quoted || !local.contains(&b'@')) && is_host(host, false);
    good.then_some((local, host))
}

/// "If a constraint is applied to the uniformResourceIdentifier name form and a subsequent certificate includes a
/// subjectAltName extension with a URI that does not include an authority component with a host name specified as a fully
/// qualified domain name, then the application MUST reject the certificate."
fn uri(name: &[u8], base: &[u8]) -> Result<bool, NameViolation> {
    let host = uri_host(name).ok_or(NameViolation::Malformed)?;
    if base.is_empty() {
        return Ok(true);
    }
    if let Some(domain) = base.strip_prefix(b".") {
        return if is_host(domain, false) { Ok(ends_with(host, base)) } else { Err(NameViolation::Malformed) };
    }
    if is_host(base, false) { Ok(host.eq_ignore_ascii_case(base)) } else { Err(NameViolation::Malformed) }
}

fn uri_host(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.iter().position(|octet| *octet == b':')?;
    let rest = uri.get(colon + 1..)?.strip_prefix(b"//")?;
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host_at = authority.iter().rposition(|octet| *octet == b'@').map_or(0, |at| at + 1);
    let host_and_port = authority.get(host_at..)?;
    let end = host_and_port.iter().position(|octet| *octet == b':').unwrap_or(host_and_port.len());
    let host = host_and_port.get(..end)?;
    // An address is no fully qualified domain name, nor is a name of digits only in its last label.
    let last = host.rsplit(|octet| *octet == b'.').next()?;
    (is_host(host, false) && !last.iter().all(u8::is_ascii_digit)).then_some(host)
}

/// An address and a mask (RFC 4632), eight octets or 32.
fn ip(name: &[u8], base: &[u8]) -> Result<bool, NameViolation> {
    if !matches!(name.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(NameViolation::Malformed);
    }
    let (address, mask) = base.split_at(base.len() / 2);
    // The mask's ones all come before its zeros.
    let mut bits = mask.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1));
    if bits.by_ref().skip_while(|bit| *bit == 1).any(|bit| bit == 1) {
        return Err(NameViolation::Malformed);
    }
    let same = name.iter().zip(address).zip(mask).all(|((name, address), mask)| name & mask == address & mask);
    Ok(name.len() == address.len() && same)
}

/// For reports: the form's name as the standard writes it.
impl std::fmt::Display for NameForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OtherName => "otherName",
            Self::Rfc822Name => "rfc822Name",
            Self::DnsName => "dNSName",
            Self::X400Address => "x400Address",
            Self::DirectoryName => "directoryName",
            Self::EdiPartyName => "ediPartyName",
            Self::UniformResourceIdentifier => "uniformResourceIdentifier",
            Self::IpAddress => "iPAddress",
            Self::RegisteredId => "registeredID",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(within: impl Fn(&[u8], &[u8]) -> Result<bool, NameViolation>, table: &[(&str, &str, Option<bool>)]) {
        for (name, base, expected) in table {
            let found = within(name.as_bytes(), base.as_bytes());
            assert_eq!(found.ok(), *expected, "{name} within {base}: {found:?}");
        }
    }

    #[test]
    fn dns_names() {
        let both = [
            ("host.example.com", "example.com", Some(true)),
            ("EXAMPLE.com", "example.COM", Some(true)),
            ("badexample.com", "example.com", Some(false)),
            ("example.com", "host.example.com", Some(false)),
            ("a.example.com", ".example.com", Some(true)),
            ("*.example.com", "example.com", Some(true)),
            ("anything", "", Some(true)),
            ("a..example.com", "example.com", None),
            ("", "example.com", None),
            ("a.*.example.com", "example.com", None),
            ("example.com", "*.example.com", None),
        ];
        all(|name, base| dns(name, base, Sense::Permitted), &both);
        all(|name, base| dns(name, base, Sense::Excluded), &both);
        let permitted = [("example.com", ".example.com", Some(false)), ("*.example.com", "a.example.com", Some(false))];
        all(|name, base| dns(name, base, Sense::Permitted), &permitted);
        let excluded = [
            ("example.com", ".example.com", Some(true)),
            ("*.example.com", "a.example.com", Some(true)),
            ("*.example.com", "b.a.example.com", Some(false)),
        ];
        all(|name, base| dns(name, base, Sense::Excluded), &excluded);
    }

    #[test]
    fn mailboxes() {
        all(
            mailbox,
            &[
                ("me@example.com", "me@EXAMPLE.com", Some(true)),
                ("Me@example.com", "me@example.com", Some(false)),
                ("me@example.com", "example.com", Some(true)),
                ("me@mail.example.com", "example.com", Some(false)),
                ("me@mail.example.com", ".example.com", Some(true)),
                ("me@example.com", ".example.com", Some(false)),
                ("\"a@b\"@example.com", "example.com", Some(true)),
                ("a@b@example.com", "example.com", None),
                ("example.com", "example.com", None),
                ("@example.com", "example.com", None),
                ("me@example.com", "@example.com", None),
                ("me@example.com", "*.example.com", None),
            ],
        );
    }

    #[test]
    fn uris() {
        all(
            uri,
            &[
                ("http://host.example.com/a:b@c", "host.example.com", Some(true)),
                ("http://user@host.example.com:80", ".example.com", Some(true)),
                ("http://example.com", ".example.com", Some(false)),
                ("http://host.example.com", "example.com", Some(false)),
                ("http://192.0.2.1/", "example.com", None),
                ("http://[::1]/", "example.com", None),
                ("urn:a:b", "example.com", None),
                ("http:///a", "example.com", None),
            ],
        );
    }

    #[test]
    fn addresses() {
        let v4 = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(ip(&[192, 0, 2, 7], &v4), Ok(true));
        assert_eq!(ip(&[192, 0, 3, 7], &v4), Ok(false));
        assert_eq!(ip(&[0; 16], &v4), Ok(false));
        assert_eq!(ip(&[0; 16], &[0; 32]), Ok(true));
        assert_eq!(ip(&[192, 0, 2], &v4), Err(NameViolation::Malformed));
        assert_eq!(ip(&[192, 0, 2, 7], &v4[..7]), Err(NameViolation::Malformed));
        assert_eq!(ip(&[192, 0, 2, 7], &[192, 0, 2, 0, 255, 0, 255, 0]), Err(NameViolation::Malformed));
    }

    #[test]
    fn a_form_without_rules_fails_where_it_is_constrained() {
        let name = GeneralName::Other(NameForm::OtherName, &[1]);
        let mut subtrees = Subtrees::default();
        let mut budget = Budget::new(crate::verify::Costs::LIMITS);
        let dns = GeneralSubtree { base: GeneralName::DnsName(b"a") };
        subtrees.add(NameConstraints { permitted: Vec::new(), excluded: vec![dns] });
        assert_eq!(subtrees.check_name(&name, &mut budget), Ok(Ok(())));
        let other = GeneralSubtree { base: GeneralName::Other(NameForm::OtherName, &[2]) };
        subtrees.add(NameConstraints { permitted: vec![other], excluded: Vec::new() });
        assert_eq!(subtrees.check_name(&name, &mut budget), Ok(Err(NameViolation::FormNotSupported)));
    }
}

//! What a certificate does against RFC 5280 §4, beyond what makes it unusable in a path.
//!
//! A judgement tells these, and refuses for them only where it is asked to: certificates in the field do all of it.

use super::{BasicConstraints, Certificate, oid};
use crate::asn1::{Reader, writer};
use crate::verify::general_name::GeneralName;

/// A MUST that a certificate does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// §4.1.2.2: serial numbers are positive.
    SerialNotPositive,
    /// §4.1.2.2: serial numbers take 20 octets at most.
    SerialTooLong,
    /// §4.1.2.4: the issuer's name is not empty.
    EmptyIssuer,
    /// §4.1.2.6: a CA's subject is not empty.
    EmptySubjectOfCa,
    /// §4.1.2.6: with an empty subject, subjectAltName is there and critical.
    EmptySubjectWithoutCriticalAltName,
    /// §4.2.1.1: authorityKeyIdentifier with a keyIdentifier is there, but for self-signed certificates.
    AuthorityKeyIdentifierMissing,
    /// §4.2.1.1: it is not critical.
    AuthorityKeyIdentifierCritical,
    /// §4.2.1.2: a CA's certificate has a subjectKeyIdentifier.
    SubjectKeyIdentifierMissing,
    /// §4.2.1.2: it is not critical.
    SubjectKeyIdentifierCritical,
    /// §4.2.1.3: with keyCertSign, cA is TRUE.
    KeyCertSignWithoutCa,
    /// §4.2.1.9: a CA's basicConstraints is critical.
    BasicConstraintsNotCritical,
    /// §4.2.1.9: pathLenConstraint stands only beside cA and keyCertSign.
    PathLengthWithoutCertSign,
    /// §4.2.1.6: a dNSName is in the preferred name syntax; a first label of * is taken.
    DnsNameSyntax,
    /// §4.2.1.10: nameConstraints stands in a CA's certificate only.
    NameConstraintsWithoutCa,
    /// §4.2.1.10: it is critical.
    NameConstraintsNotCritical,
    /// §4.2.1.10: a base that is no name of its form.
    NameConstraintsBase,
    /// §4.2.1.11: policyConstraints is critical.
    PolicyConstraintsNotCritical,
    /// §4.2.1.14: inhibitAnyPolicy is critical.
    InhibitAnyPolicyNotCritical,
    /// §4.2.2.1: authorityInfoAccess is not critical.
    AuthorityInfoAccessCritical,
    /// An extension that no path depends on can't be read; an empty subjectAltName.
    ExtensionMalformed,
}

/// §4.1.2.2.
const MAX_SERIAL_OCTETS: usize = 20;

impl Certificate {
    /// Every MUST of RFC 5280 §4 that it does not keep, of those that are looked at.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.findings.get_or_init(|| self.find())
    }

    fn find(&self) -> Vec<Finding> {
        let constraints = self.basic_constraints().ok().flatten();
        let is_ca = constraints.is_some_and(|constraints| constraints.is_ca);
        let mut findings = Vec::new();
        let mut found = |wrong: bool, finding: Finding| {
            if wrong {
                findings.push(finding);
            }
        };
        let critical = |oid: &[u8]| self.extension(oid).map(|extension| extension.critical);

        let serial = self.serial();
        let positive = serial.first().is_some_and(|first| first & 0x80 == 0) && serial.iter().any(|octet| *octet != 0);
        found(!positive, Finding::SerialNotPositive);
        found(serial.len() > MAX_SERIAL_OCTETS, Finding::SerialTooLong);
        found(self.issuer_name().is_empty(), Finding::EmptyIssuer);
        if self.subject_name().is_empty() {
            found(is_ca, Finding::EmptySubjectOfCa);
            let stands = critical(oid::SUBJECT_ALT_NAME) == Some(true);
            found(!stands, Finding::EmptySubjectWithoutCriticalAltName);
        }
        let authority = self.authority_key_identifier().ok().flatten();
        let names_key = authority.is_some_and(|authority| authority.key_identifier.is_some());
        // "There is one exception; where a CA distributes its public key in the form of a self-signed certificate."
        found(!names_key && !self.is_self_issued(), Finding::AuthorityKeyIdentifierMissing);
        found(critical(oid::AUTHORITY_KEY_IDENTIFIER) == Some(true), Finding::AuthorityKeyIdentifierCritical);
        let names_itself = matches!(self.subject_key_identifier(), Ok(Some(_)));
        found(is_ca && !names_itself, Finding::SubjectKeyIdentifierMissing);
        found(critical(oid::SUBJECT_KEY_IDENTIFIER) == Some(true), Finding::SubjectKeyIdentifierCritical);

        // That a CA's certificate has a keyUsage (§4.2.1.3) is not asked: absent, it restricts nothing (§6.1.4 (n), §6.3.3
        // (f)), and many a root lacks it.
        let usage = self.key_usage().ok().flatten();
        let signs = usage.is_none_or(|usage| usage.key_cert_sign());
        found(usage.is_some_and(|usage| usage.key_cert_sign()) && !is_ca, Finding::KeyCertSignWithoutCa);
        found(is_ca && critical(oid::BASIC_CONSTRAINTS) == Some(false), Finding::BasicConstraintsNotCritical);
        let bounded = matches!(constraints, Some(BasicConstraints { path_length: Some(_), .. }));
        found(bounded && !(is_ca && signs), Finding::PathLengthWithoutCertSign);

        let alt_names = self.subject_alt_names().ok().flatten().unwrap_or_default();
        let bad = |name: &GeneralName<'_>| matches!(name, GeneralName::DnsName(name) if !is_preferred_syntax(name));
        found(alt_names.iter().any(bad), Finding::DnsNameSyntax);
        if let Some(extension) = self.extension(oid::NAME_CONSTRAINTS) {
            found(!is_ca, Finding::NameConstraintsWithoutCa);
            found(!extension.critical, Finding::NameConstraintsNotCritical);
            found(self.has_bad_base(), Finding::NameConstraintsBase);
        }
        found(critical(oid::POLICY_CONSTRAINTS) == Some(false), Finding::PolicyConstraintsNotCritical);
        found(critical(oid::INHIBIT_ANY_POLICY) == Some(false), Finding::InhibitAnyPolicyNotCritical);
        found(critical(oid::AUTHORITY_INFO_ACCESS) == Some(true), Finding::AuthorityInfoAccessCritical);
        found(self.has_unread_extension(), Finding::ExtensionMalformed);
        findings
    }

    /// A DNS base that begins with a period or a wildcard.
    fn has_bad_base(&self) -> bool {
        let Ok(Some(constraints)) = self.name_constraints() else { return false };
        let mut subtrees = constraints.permitted.iter().chain(&constraints.excluded);
        subtrees.any(|subtree| matches!(subtree.base, GeneralName::DnsName(name) if name.starts_with(b".") || name.contains(&b'*')))
    }

    /// An extension of those that a path does not depend on which can't be read.
    fn has_unread_extension(&self) -> bool {
        let access = |oid: &[u8]| self.extension(oid).is_some_and(|extension| !is_info_access(extension.value));
        access(oid::AUTHORITY_INFO_ACCESS)
            || access(oid::SUBJECT_INFO_ACCESS)
            || self.subject_alt_names().is_ok_and(|names| names.is_some_and(|names| names.is_empty()))
            || self.authority_key_identifier().is_err()
            || self.subject_key_identifier().is_err()
            || self.crl_distribution_points().is_err()
            || self.freshest_crl().is_err()
    }
}

/// AuthorityInfoAccessSyntax (§4.2.2.1).
fn is_info_access(value: &[u8]) -> bool {
    let read = || -> Result<bool, crate::asn1::DerError> {
        let mut list = Reader::only(value, writer::SEQUENCE)?;
        let filled = !list.is_finished();
        while !list.is_finished() {
            let mut fields = list.enter(writer::SEQUENCE)?;
            fields.expect(writer::OBJECT_IDENTIFIER)?;
            GeneralName::read(&mut fields)?;
            fields.finish()?;
        }
        Ok(filled)
    };
    read().unwrap_or(false)
}

/// RFC 1034 §3.5 as modified by RFC 1123 §2.1: labels of letters, digits and hyphens, the last of them not a number, so that
/// no address looks like a name.
fn is_preferred_syntax(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"*.").unwrap_or(name);
    let last = name.rsplit(|octet| *octet == b'.').next().unwrap_or_default();
    name.len() <= 253
        && !last.iter().all(u8::is_ascii_digit)
        && name.split(|octet| *octet == b'.').all(|label| {
            (1..=63).contains(&label.len())
                && label.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
                && !label.starts_with(b"-")
                && !label.ends_with(b"-")
        })
}

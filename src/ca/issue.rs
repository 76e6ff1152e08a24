//! Issuing by a profile: what is asked for is held against it, built, and held against the rules, before it is signed.

use der::Encode;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use super::alternative_name::{self, AlternativeName, AlternativeNameKind, MAX_ALTERNATIVE_NAMES};
use super::builder::{BuildError, IssuerUrls, TbsParts, Unsigned, random_serial};
use super::certificate::Certificate;
use super::extension::{
    self, DAY_S, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME, extension,
};
use super::issuing_profile::IssuingProfile;
use super::lint::{self, LintFinding};
use super::profile::{self, CertificateKind, Finding, ID_PKIX_OCSP_NOCHECK, Severity};
use super::subject::{AttributeType, Subject, SubjectError};
use crate::asn1::{Oid, writer};
use crate::crypto::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// What a certificate is asked for. Nothing in it is believed: the profile says what may be.
#[derive(Clone, Copy, Debug)]
pub struct IssueRequest<'a> {
    /// The subject's key, its possession proven (see [`super::SigningRequest`]).
    pub public_key: &'a PublicKey,
    /// The subject: a signing request's, or another one.
    pub subject: &'a Subject,
    /// The names asked for.
    pub alternative_names: &'a [AlternativeName],
    /// The policies in place of the profile's; none for those.
    pub policies: &'a [Oid],
    /// The issuer's certificate.
    pub issuer: &'a Certificate,
    /// Where relying parties find the issuer's answers.
    pub urls: &'a IssuerUrls,
    /// Whether the issuer publishes CRLs: without them the certificate names none.
    pub publishes_crls: bool,
    /// What the issuer's key signs with.
    pub algorithm: SignatureAlgorithm,
    /// The time of issuing, in seconds since 1970; the profile may put notBefore before it.
    pub not_before_s: i64,
    /// The days of validity; the profile's where it is not given.
    pub days: Option<u32>,
    /// The serial number: 16 to 20 octets of [`fresh_serial`], taken before the signature is made.
    pub serial: &'a [u8],
}

/// Why a certificate is not issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The key.
    #[error("profile {profile} takes no {key} keys; make another key, or list it under keys")]
    Key {
        /// The profile.
        profile: String,
        /// The key asked for.
        key: KeyAlgorithm,
    },
    /// The key is the issuer's own.
    #[error("the request is about the issuer's own key")]
    IssuersKey,
    /// The subject's name is the issuer's own.
    #[error("the subject has the issuer's own name; choose another")]
    IssuersName,
    /// The subject lacks an attribute.
    #[error("profile {profile} needs {attribute} in the subject")]
    SubjectLacks {
        /// The profile.
        profile: String,
        /// The attribute.
        attribute: AttributeType,
    },
    /// The subject has an attribute that the profile does not list.
    #[error("profile {profile} does not take {attribute} in the subject; leave it out")]
    SubjectHas {
        /// The profile.
        profile: String,
        /// The attribute.
        attribute: AttributeType,
    },
    /// The subject has another value than the fixed one.
    #[error("profile {profile} fixes {attribute}={fixed:?}, the subject says {value:?}; leave it out")]
    SubjectFixed {
        /// The profile.
        profile: String,
        /// The attribute.
        attribute: AttributeType,
        /// The profile's value.
        fixed: String,
        /// As given.
        value: String,
    },
    /// The subject, once what is fixed is added.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// An empty subject.
    #[error("profile {profile} takes no empty subject")]
    SubjectEmpty {
        /// The profile.
        profile: String,
    },
    /// No alternative name.
    #[error("profile {profile} needs a subjectAltName; ask for one")]
    AlternativeNameMissing {
        /// The profile.
        profile: String,
    },
    /// An alternative name of a kind that the profile does not list.
    #[error("profile {profile} takes no {kind} in subjectAltName")]
    AlternativeName {
        /// The profile.
        profile: String,
        /// The kind.
        kind: AlternativeNameKind,
    },
    /// A wildcard.
    #[error("profile {profile} takes no wildcards; {name} is one")]
    Wildcard {
        /// The profile.
        profile: String,
        /// The name.
        name: String,
    },
    /// More alternative names than a certificate should have.
    #[error("{count} alternative names, more than the {MAX_ALTERNATIVE_NAMES} that a certificate may have")]
    TooManyNames {
        /// How many.
        count: usize,
    },
    /// Policies that the request may not choose.
    #[error("profile {profile} gives its own policies; name none, or set policies_by_request")]
    Policies {
        /// The profile.
        profile: String,
    },
    /// A serial number that was not made as it must be.
    #[error("a serial number has 16 to 20 octets, is positive and without a padding octet")]
    SerialNumber,
    /// More days than the profile allows.
    #[error("{days} days are asked for; profile {profile} allows 1 to {most}")]
    Days {
        /// The profile.
        profile: String,
        /// As asked.
        days: u32,
        /// The profile's most.
        most: u32,
    },
    /// The issuer's certificate is not valid yet, or at its end, or ends before the days asked for.
    #[error(
        "the issuer's certificate is valid from {from_s} to {until_s}, in seconds since 1970; the one asked for, from \
         {asked_from_s} to {asked_until_s}, would not lie within"
    )]
    OutsideIssuer {
        /// The issuer's notBefore.
        from_s: i64,
        /// The end of the issuer's certificate, or of its key's use.
        until_s: i64,
        /// The notBefore asked for.
        asked_from_s: i64,
        /// The notAfter asked for.
        asked_until_s: i64,
    },
    /// The issuer is no CA, or may not issue this.
    #[error("{subject} may not issue this: {why}")]
    Issuer {
        /// The issuer's subject.
        subject: String,
        /// What forbids it.
        why: &'static str,
    },
    /// The algorithm is not one of the issuer's key.
    #[error("{algorithm} does not go with the issuer's {key} key")]
    Algorithm {
        /// As given.
        algorithm: SignatureAlgorithm,
        /// The issuer's key.
        key: KeyAlgorithm,
    },
    /// What its kind demands is not there.
    #[error("the certificate would not serve: {}", finding.text)]
    Kind {
        /// The first demand broken.
        finding: Finding,
    },
    /// What was built breaks a rule; it is never signed.
    #[error("the certificate would break {}", lint::list(findings))]
    Lint {
        /// The errors found.
        findings: Vec<LintFinding>,
    },
    /// It can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<der::Error> for IssueError {
    fn from(error: der::Error) -> Self {
        Self::Build(error.into())
    }
}

/// A serial number: 16 octets, 126 bits of them from the system's random generator (RFC 5280 §4.1.2.2; TLS BR 7.1).
///
/// # Errors
/// The generator failed.
pub fn fresh_serial() -> Result<[u8; 16], BuildError> {
    random_serial()
}

impl IssuingProfile {
    /// The certificate that is asked for, ready to be signed.
    ///
    /// # Errors
    /// Whatever breaks the profile, would not lie within its issuer, or breaks a rule of [`mod@lint`].
    pub fn draft(&self, request: &IssueRequest<'_>) -> Result<Unsigned, IssueError> {
        self.check_key(request)?;
        self.check_issuer(request)?;
        let subject = self.subject(request.subject)?;
        let subject_der = subject.to_der();
        if subject_der == request.issuer.subject_der {
            return Err(IssueError::IssuersName);
        }
        let names = self.alternative_names(request.alternative_names)?;
        let policies = self.policies(request.policies)?;
        if !is_serial(request.serial) {
            return Err(IssueError::SerialNumber);
        }
        let (not_before_s, not_after_s) = self.validity(request)?;
        let extensions = self.extensions(request, &subject, &names, policies, not_before_s, not_after_s)?;
        let mut unsigned = Unsigned::new(&TbsParts {
            serial: request.serial,
            algorithm: request.algorithm,
            issuer_der: &request.issuer.subject_der,
            not_before_s,
            not_after_s,
            subject_der: &subject_der,
            public_key: request.public_key,
            extensions: &extensions,
        })?;
        unsigned.crl_partition = self.crl_partition(request).map_or(0, |(number, _)| *number);
        let findings: Vec<LintFinding> = lint::lint(unsigned.tbs_der(), request.issuer, self)
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        if !findings.is_empty() {
            return Err(IssueError::Lint { findings });
        }
        let preview = unsigned.preview()?;
        match self.kind().and_then(|kind| profile::first_error(kind, &preview)) {
            Some(finding) => Err(IssueError::Kind { finding }),
            None => Ok(unsigned),
        }
    }

    /// The kind that Noonmark itself demands something of.
    fn kind(&self) -> Option<CertificateKind> {
        if self.is_ca {
            Some(CertificateKind::IssuingCa)
        } else if self.is_tsu() {
            Some(CertificateKind::Tsu)
        } else {
            self.is_responder().then_some(CertificateKind::OcspResponder)
        }
    }

    fn check_key(&self, request: &IssueRequest<'_>) -> Result<(), IssueError> {
        let key = request.public_key.algorithm();
        if !self.takes_key(key) {
            return Err(IssueError::Key { profile: self.name.clone(), key });
        }
        if request.public_key.key_bits() == request.issuer.public_key.key_bits() {
            return Err(IssueError::IssuersKey);
        }
        Ok(())
    }

    fn check_issuer(&self, request: &IssueRequest<'_>) -> Result<(), IssueError> {
        let issuer = request.issuer;
        let refused = |why| Err(IssueError::Issuer { subject: issuer.subject(), why });
        let Some((true, path_len)) = issuer.basic_constraints else {
            return refused("its basicConstraints does not say cA (RFC 5280 §4.2.1.9)");
        };
        if !issuer.key_usage.is_some_and(|(usage, _)| usage.key_cert_sign()) {
            return refused("its keyUsage lacks keyCertSign (RFC 5280 §4.2.1.3)");
        }
        if self.is_ca && path_len == Some(0) {
            return refused("its pathLenConstraint allows no CA below it (RFC 5280 §4.2.1.9)");
        }
        let key = issuer.public_key.algorithm();
        if !request.algorithm.fits(key) {
            return Err(IssueError::Algorithm { algorithm: request.algorithm, key });
        }
        Ok(())
    }

    /// The subject as it will stand: checked, with what is fixed.
    fn subject(&self, asked: &Subject) -> Result<Subject, IssueError> {
        let profile = || self.name.clone();
        let rules = &self.subject;
        for (attribute, value) in asked.attributes() {
            let attribute = *attribute;
            if let Some(fixed) = rules.fixed.get(&attribute) {
                if fixed != value {
                    let (fixed, value) = (fixed.clone(), value.clone());
                    return Err(IssueError::SubjectFixed { profile: profile(), attribute, fixed, value });
                }
            } else if !rules.required.contains(&attribute) && !rules.optional.contains(&attribute) {
                return Err(IssueError::SubjectHas { profile: profile(), attribute });
            }
        }
        for attribute in rules.required.iter().copied() {
            if asked.first(attribute).is_none() {
                return Err(IssueError::SubjectLacks { profile: profile(), attribute });
            }
        }
        // What is fixed stands once: a repeatable attribute that was asked for has that very value.
        let given = asked.attributes().iter().filter(|(attribute, _)| !rules.fixed.contains_key(attribute)).cloned();
        let fixed = rules.fixed.iter().map(|(attribute, value)| (*attribute, value.clone()));
        let whole = Subject::new(given.chain(fixed))?;
        if whole.is_empty() && !rules.empty_allowed {
            return Err(IssueError::SubjectEmpty { profile: profile() });
        }
        Ok(whole)
    }

    fn alternative_names(&self, asked: &[AlternativeName]) -> Result<Vec<AlternativeName>, IssueError> {
        let profile = || self.name.clone();
        let mut names: Vec<AlternativeName> = Vec::new();
        if asked.len() > MAX_ALTERNATIVE_NAMES {
            return Err(IssueError::TooManyNames { count: asked.len() });
        }
        for name in asked {
            if !self.alternative_names.contains(&name.kind()) {
                return Err(IssueError::AlternativeName { profile: profile(), kind: name.kind() });
            }
            if name.is_wildcard() && !self.wildcards {
                return Err(IssueError::Wildcard { profile: profile(), name: name.text().to_owned() });
            }
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        if names.is_empty() && self.alternative_name_required {
            return Err(IssueError::AlternativeNameMissing { profile: profile() });
        }
        Ok(names)
    }

    fn policies<'a>(&'a self, asked: &'a [Oid]) -> Result<&'a [Oid], IssueError> {
        if asked.is_empty() {
            return Ok(&self.policies);
        }
        if self.policies_by_request { Ok(asked) } else { Err(IssueError::Policies { profile: self.name.clone() }) }
    }

    /// notBefore and notAfter. A certificate without days of its own ends with its issuer at the latest; days that are
    /// asked for are given whole or not at all.
    fn validity(&self, request: &IssueRequest<'_>) -> Result<(i64, i64), IssueError> {
        let days = request.days.unwrap_or(self.validity_days);
        if days == 0 || days > self.max_validity_days {
            return Err(IssueError::Days { profile: self.name.clone(), days, most: self.max_validity_days });
        }
        let issuer = request.issuer;
        let (from_s, until_s) = (issuer.not_before_s, issuer.usable_until_s());
        let not_before_s = request.not_before_s.saturating_sub(i64::from(self.backdate_s)).max(from_s);
        // Both ends are within the validity (RFC 5280 §4.1.2.5).
        let whole_s = not_before_s.saturating_add(i64::from(days) * DAY_S - 1);
        let not_after_s = if request.days.is_some() { whole_s } else { whole_s.min(issuer.not_after_s) };
        let begins = request.not_before_s >= from_s && request.not_before_s <= until_s;
        if !begins || not_after_s > issuer.not_after_s || not_after_s <= request.not_before_s {
            let (asked_from_s, asked_until_s) = (request.not_before_s, whole_s);
            return Err(IssueError::OutsideIssuer { from_s, until_s, asked_from_s, asked_until_s });
        }
        Ok((not_before_s, not_after_s))
    }

    fn extensions(
        &self,
        request: &IssueRequest<'_>,
        subject: &Subject,
        names: &[AlternativeName],
        policies: &[Oid],
        not_before_s: i64,
        not_after_s: i64,
    ) -> Result<Vec<Vec<u8>>, IssueError> {
        let mut list = Vec::new();
        if self.is_ca {
            let value = BasicConstraints { ca: true, path_len_constraint: self.path_len };
            list.push(extension(ID_CE_BASIC_CONSTRAINTS, true, &value.to_der()?));
        }
        list.push(extension(ID_CE_KEY_USAGE, self.key_usage_critical, &self.key_usage.to_der()?));
        if !self.extended_key_usage.is_empty() {
            let value = ExtendedKeyUsage(self.extended_key_usage.clone()).to_der()?;
            list.push(extension(ID_CE_EXTENDED_KEY_USAGE, self.extended_key_usage_critical, &value));
        }
        if !names.is_empty() {
            // RFC 5280 §4.2.1.6: critical if it is the only name.
            let value = alternative_name::to_extension_value(names);
            list.push(extension(ID_CE_SUBJECT_ALT_NAME, subject.is_empty(), &value));
        }
        list.push(extension::subject_key_identifier(request.public_key)?);
        list.push(extension::authority_key_identifier(request.issuer)?);
        if self.crl_distribution_point && request.publishes_crls {
            let partition = self.crl_partition(request).map(|(_, url)| url);
            list.push(extension::distribution_point(partition.unwrap_or(&request.urls.crl))?);
        }
        let ocsp = self.ocsp_pointer.then_some(request.urls.ocsp.as_str());
        let ca_issuers = self.ca_issuers_pointer.then_some(request.urls.ca_issuers.as_str());
        if ocsp.is_some() || ca_issuers.is_some() {
            list.push(extension::information_access(ocsp, ca_issuers)?);
        }
        if !policies.is_empty() {
            list.push(extension::policies(policies));
        }
        if let Some(days) = self.private_key_usage_days {
            let end_s = (not_before_s + i64::from(days) * DAY_S).min(not_after_s);
            list.push(extension::private_key_usage_period(not_before_s, end_s)?);
        }
        if self.no_check {
            list.push(extension(ID_PKIX_OCSP_NOCHECK, false, &[writer::NULL, 0]));
        }
        Ok(list)
    }
}

impl IssuingProfile {
    /// The partition that lists the certificate. CA certificates are in the complete CRL: partitions are for end entities
    /// alone, and say so (RFC 5280 §5.2.5: onlyContainsUserCerts).
    fn crl_partition<'a>(&self, request: &'a IssueRequest<'_>) -> Option<&'a (u16, String)> {
        let is_partitioned = self.crl_distribution_point && request.publishes_crls && !self.is_ca;
        request.urls.crl_partition.as_ref().filter(|_| is_partitioned)
    }
}

/// 16 to 20 octets that stand in the certificate as they are: the top bit clear, the first octet not zero.
fn is_serial(serial: &[u8]) -> bool {
    (16..=20).contains(&serial.len()) && serial.first().is_some_and(|first| (0x01..0x80).contains(first))
}

#[cfg(test)]
#[path = "issue_tests.rs"]
mod tests;

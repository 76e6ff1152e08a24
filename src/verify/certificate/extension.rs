//! The values of the extensions that a path is judged by (RFC 5280 §4.2.1).

use crl::scope::DistributionPoint;

use super::Certificate;
use crate::asn1::{DerError, Reader, writer};
use crate::verify::general_name::GeneralName;

/// Identifiers of extensions and purposes, content octets.
pub mod oid {
    /// id-ce-subjectKeyIdentifier.
    pub const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
    /// id-ce-keyUsage.
    pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    /// id-ce-subjectAltName.
    pub const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
    /// id-ce-issuerAltName.
    pub const ISSUER_ALT_NAME: &[u8] = &[0x55, 0x1d, 18];
    /// id-ce-basicConstraints.
    pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    /// id-ce-nameConstraints.
    pub const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
    /// id-ce-cRLDistributionPoints.
    pub const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
    /// id-ce-certificatePolicies.
    pub const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
    /// anyPolicy.
    pub const ANY_POLICY: &[u8] = &[0x55, 0x1d, 32, 0];
    /// id-ce-policyMappings.
    pub const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
    /// id-ce-authorityKeyIdentifier.
    pub const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
    /// id-ce-policyConstraints.
    pub const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
    /// id-ce-extKeyUsage.
    pub const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    /// anyExtendedKeyUsage.
    pub const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];
    /// id-ce-freshestCRL.
    pub const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
    /// id-ce-inhibitAnyPolicy.
    pub const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
    /// id-pe-authorityInfoAccess.
    pub const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
    /// id-pe-subjectInfoAccess.
    pub const SUBJECT_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 11];
    /// id-pkix-ocsp-nocheck.
    pub const OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 5];
    /// id-ad-ocsp, an access method of authorityInfoAccess.
    pub const ACCESS_OCSP: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1];
    /// id-ad-caIssuers, an access method of authorityInfoAccess.
    pub const ACCESS_CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 2];
    /// id-kp-OCSPSigning.
    pub const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
    /// emailAddress, the attribute (PKCS #9).
    pub const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

    /// The extensions that a judgement processes, so that they may be critical.
    pub const PROCESSED: [&[u8]; 16] = [
        SUBJECT_KEY_IDENTIFIER,
        KEY_USAGE,
        SUBJECT_ALT_NAME,
        ISSUER_ALT_NAME,
        BASIC_CONSTRAINTS,
        NAME_CONSTRAINTS,
        CRL_DISTRIBUTION_POINTS,
        CERTIFICATE_POLICIES,
        POLICY_MAPPINGS,
        AUTHORITY_KEY_IDENTIFIER,
        POLICY_CONSTRAINTS,
        EXTENDED_KEY_USAGE,
        FRESHEST_CRL,
        INHIBIT_ANY_POLICY,
        AUTHORITY_INFO_ACCESS,
        OCSP_NO_CHECK,
    ];
}

/// Items of a list in an extension that are read: policies, mappings, purposes, subtrees. Certificates with more are not
/// seen; those that try a verifier have thousands, and the size of a certificate bounds them.
const MAX_ITEMS: usize = 8 * 1024;

/// An extension as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionRef<'a> {
    /// The identifier's content octets.
    pub oid: &'a [u8],
    /// Whether it is critical.
    pub critical: bool,
    /// The extnValue's content octets.
    pub value: &'a [u8],
}

/// basicConstraints (§4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// cA.
    pub is_ca: bool,
    /// pathLenConstraint; larger numbers than fit mean as much as the largest that does.
    pub path_length: Option<u32>,
}

/// keyUsage (§4.2.1.3): the named bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature(0).
    #[must_use]
    pub fn digital_signature(self) -> bool {
        self.has(0)
    }

    /// nonRepudiation(1), also called contentCommitment.
    #[must_use]
    pub fn non_repudiation(self) -> bool {
        self.has(1)
    }

    /// keyCertSign(5).
    #[must_use]
    pub fn key_cert_sign(self) -> bool {
        self.has(5)
    }

    /// cRLSign(6).
    #[must_use]
    pub fn crl_sign(self) -> bool {
        self.has(6)
    }

    fn has(self, bit: u8) -> bool {
        self.0 & (1 << (15 - bit)) != 0
    }
}

/// authorityKeyIdentifier (§4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityKeyIdentifier<'a> {
    /// keyIdentifier.
    pub key_identifier: Option<&'a [u8]>,
    /// authorityCertIssuer, GeneralNames' content.
    pub issuer: Option<&'a [u8]>,
    /// authorityCertSerialNumber, an INTEGER's content.
    pub serial: Option<&'a [u8]>,
}

/// One PolicyInformation (§4.2.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyInformation<'a> {
    /// policyIdentifier's content octets.
    pub policy: &'a [u8],
    /// policyQualifiers: the content of the SEQUENCE; empty where absent.
    pub qualifiers: &'a [u8],
}

/// One pair of policyMappings (§4.2.1.5), content octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyMapping<'a> {
    /// issuerDomainPolicy.
    pub issuer_domain: &'a [u8],
    /// subjectDomainPolicy.
    pub subject_domain: &'a [u8],
}

/// One AccessDescription of authorityInfoAccess (§4.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDescription<'a> {
    /// accessMethod's content octets.
    pub method: &'a [u8],
    /// accessLocation.
    pub location: GeneralName<'a>,
}

/// policyConstraints (§4.2.1.11): numbers of certificates to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyConstraints {
    /// requireExplicitPolicy.
    pub require_explicit_policy: Option<u32>,
    /// inhibitPolicyMapping.
    pub inhibit_policy_mapping: Option<u32>,
}

/// One subtree of nameConstraints (§4.2.1.10); minimum is 0 and maximum absent, as the standard demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralSubtree<'a> {
    /// Its base.
    pub base: GeneralName<'a>,
}

/// nameConstraints (§4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints<'a> {
    /// permittedSubtrees.
    pub permitted: Vec<GeneralSubtree<'a>>,
    /// excludedSubtrees.
    pub excluded: Vec<GeneralSubtree<'a>>,
}

impl<'a> NameConstraints<'a> {
    /// Reads a NameConstraints' DER.
    ///
    /// # Errors
    /// Malformed, empty, or a minimum or maximum that the standard forbids.
    pub fn from_der(value: &'a [u8]) -> Result<Self, DerError> {
        let mut fields = Reader::only(value, writer::SEQUENCE)?;
        let mut subtrees = |number: u8| -> Result<Vec<GeneralSubtree<'a>>, DerError> {
            match fields.optional(writer::context(number))? {
                None => Ok(Vec::new()),
                Some(field) => list(Reader::new(field.content), subtree),
            }
        };
        let (permitted, excluded) = (subtrees(0)?, subtrees(1)?);
        fields.finish()?;
        if permitted.is_empty() && excluded.is_empty() {
            // §4.2.1.10: conforming CAs MUST NOT issue an empty sequence.
            return Err(DerError::Value { what: "nameConstraints: it is empty" });
        }
        Ok(Self { permitted, excluded })
    }
}

impl Certificate {
    fn value<'a, T>(
        &'a self,
        oid: &[u8],
        read: impl FnOnce(&'a [u8]) -> Result<T, DerError>,
    ) -> Result<Option<T>, DerError> {
        self.extension(oid).map(|extension| read(extension.value)).transpose()
    }

    /// basicConstraints.
    ///
    /// # Errors
    /// The extension is malformed; so for all that follow.
    pub fn basic_constraints(&self) -> Result<Option<BasicConstraints>, DerError> {
        self.value(oid::BASIC_CONSTRAINTS, |value| {
            let mut fields = Reader::only(value, writer::SEQUENCE)?;
            let is_ca = fields.optional(writer::BOOLEAN)?.is_some_and(|value| value.content != [0]);
            let path_length = fields.peek().map(|_| number(fields.integer()?)).transpose()?;
            fields.finish()?;
            Ok(BasicConstraints { is_ca, path_length })
        })
    }

    /// Whether basicConstraints says that it is a CA's; what can't be read says no.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        matches!(self.basic_constraints(), Ok(Some(BasicConstraints { is_ca: true, .. })))
    }

    /// keyUsage.
    ///
    /// # Errors
    /// Malformed.
    pub fn key_usage(&self) -> Result<Option<KeyUsage>, DerError> {
        self.value(oid::KEY_USAGE, |value| {
            let mut reader = Reader::new(value);
            let content = reader.expect(writer::BIT_STRING)?.content;
            reader.finish()?;
            let (unused, bits) = content.split_first().ok_or(DerError::Value { what: "keyUsage" })?;
            if *unused > 7 || (bits.is_empty() && *unused != 0) {
                return Err(DerError::Value { what: "keyUsage" });
            }
            let octet = |at: usize| bits.get(at).copied().unwrap_or(0);
            Ok(KeyUsage(u16::from_be_bytes([octet(0), octet(1)])))
        })
    }

    /// extKeyUsage: the purposes' identifiers, at least one.
    ///
    /// # Errors
    /// Malformed.
    pub fn extended_key_usage(&self) -> Result<Option<Vec<&[u8]>>, DerError> {
        self.value(oid::EXTENDED_KEY_USAGE, |value| {
            items(value, |list| Ok(list.expect(writer::OBJECT_IDENTIFIER)?.content))
        })
    }

    /// subjectKeyIdentifier.
    ///
    /// # Errors
    /// Malformed.
    pub fn subject_key_identifier(&self) -> Result<Option<&[u8]>, DerError> {
        self.value(oid::SUBJECT_KEY_IDENTIFIER, |value| {
            let mut reader = Reader::new(value);
            let content = reader.expect(writer::OCTET_STRING)?.content;
            reader.finish()?;
            Ok(content)
        })
    }

    /// authorityKeyIdentifier.
    ///
    /// # Errors
    /// Malformed.
    pub fn authority_key_identifier(&self) -> Result<Option<AuthorityKeyIdentifier<'_>>, DerError> {
        self.value(oid::AUTHORITY_KEY_IDENTIFIER, |value| {
            let mut fields = Reader::only(value, writer::SEQUENCE)?;
            let key_identifier = fields.optional(0x80)?.map(|field| field.content);
            let issuer = fields.optional(0xa1)?.map(|field| field.content);
            let serial = fields.optional(0x82)?.map(|field| field.content);
            fields.finish()?;
            Ok(AuthorityKeyIdentifier { key_identifier, issuer, serial })
        })
    }

    /// subjectAltName. An empty one, which the standard forbids and old certificates have, names nothing.
    ///
    /// # Errors
    /// Malformed.
    pub fn subject_alt_names(&self) -> Result<Option<Vec<GeneralName<'_>>>, DerError> {
        self.value(oid::SUBJECT_ALT_NAME, |value| match value {
            [writer::SEQUENCE, 0] => Ok(Vec::new()),
            value => GeneralName::read_all(value),
        })
    }

    /// certificatePolicies.
    ///
    /// # Errors
    /// Malformed, or a policy that stands twice (§4.2.1.4: MUST NOT).
    pub fn certificate_policies(&self) -> Result<Option<Vec<PolicyInformation<'_>>>, DerError> {
        self.value(oid::CERTIFICATE_POLICIES, |value| {
            let policies = items(value, |list| {
                let mut fields = list.enter(writer::SEQUENCE)?;
                let policy = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
                let qualifiers = fields.optional(writer::SEQUENCE)?.map_or(&[][..], |field| field.content);
                fields.finish()?;
                Ok(PolicyInformation { policy, qualifiers })
            })?;
            let mut sorted: Vec<&[u8]> = policies.iter().map(|policy| policy.policy).collect();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(DerError::Value { what: "certificatePolicies: a policy stands twice" });
            }
            Ok(policies)
        })
    }

    /// policyMappings.
    ///
    /// # Errors
    /// Malformed.
    pub fn policy_mappings(&self) -> Result<Option<Vec<PolicyMapping<'_>>>, DerError> {
        self.value(oid::POLICY_MAPPINGS, |value| {
            items(value, |list| {
                let mut fields = list.enter(writer::SEQUENCE)?;
                let issuer_domain = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
                let subject_domain = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
                fields.finish()?;
                Ok(PolicyMapping { issuer_domain, subject_domain })
            })
        })
    }

    /// policyConstraints.
    ///
    /// # Errors
    /// Malformed.
    pub fn policy_constraints(&self) -> Result<Option<PolicyConstraints>, DerError> {
        self.value(oid::POLICY_CONSTRAINTS, |value| {
            let mut fields = Reader::only(value, writer::SEQUENCE)?;
            let require_explicit_policy = fields.optional(0x80)?.map(|field| number(field.content)).transpose()?;
            let inhibit_policy_mapping = fields.optional(0x81)?.map(|field| number(field.content)).transpose()?;
            fields.finish()?;
            Ok(PolicyConstraints { require_explicit_policy, inhibit_policy_mapping })
        })
    }

    /// inhibitAnyPolicy.
    ///
    /// # Errors
    /// Malformed.
    pub fn inhibit_any_policy(&self) -> Result<Option<u32>, DerError> {
        self.value(oid::INHIBIT_ANY_POLICY, |value| {
            let mut reader = Reader::new(value);
            let skip = number(reader.integer()?)?;
            reader.finish()?;
            Ok(skip)
        })
    }

    /// nameConstraints.
    ///
    /// # Errors
    /// Malformed, empty, or a minimum or maximum that the standard forbids.
    pub fn name_constraints(&self) -> Result<Option<NameConstraints<'_>>, DerError> {
        self.value(oid::NAME_CONSTRAINTS, NameConstraints::from_der)
    }

    /// cRLDistributionPoints; empty where absent.
    ///
    /// # Errors
    /// Malformed.
    pub fn crl_distribution_points(&self) -> Result<Vec<DistributionPoint>, crl::scope::ScopeError> {
        self.points(oid::CRL_DISTRIBUTION_POINTS)
    }

    /// freshestCRL; empty where absent.
    ///
    /// # Errors
    /// Malformed.
    pub fn freshest_crl(&self) -> Result<Vec<DistributionPoint>, crl::scope::ScopeError> {
        self.points(oid::FRESHEST_CRL)
    }

    /// authorityInfoAccess; empty where absent.
    ///
    /// # Errors
    /// Malformed.
    pub fn authority_info_access(&self) -> Result<Vec<AccessDescription<'_>>, DerError> {
        let read = self.value(oid::AUTHORITY_INFO_ACCESS, |value| {
            items(value, |list| {
                let mut fields = list.enter(writer::SEQUENCE)?;
                let method = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
                let location = GeneralName::read(&mut fields)?;
                fields.finish()?;
                Ok(AccessDescription { method, location })
            })
        })?;
        Ok(read.unwrap_or_default())
    }

    fn points(&self, oid: &[u8]) -> Result<Vec<DistributionPoint>, crl::scope::ScopeError> {
        self.extension(oid).map_or(Ok(Vec::new()), |extension| DistributionPoint::read_all(extension.value))
    }

    /// The emailAddress attributes of the subject, which are held against constraints on mailboxes where there is no
    /// subjectAltName (§4.2.1.10).
    ///
    /// # Errors
    /// Never for a certificate that was read: its names were checked then.
    pub fn subject_email_addresses(&self) -> Result<Vec<&[u8]>, DerError> {
        let mut names = Reader::only(self.subject_der(), writer::SEQUENCE)?;
        let mut addresses = Vec::new();
        while !names.is_finished() {
            let mut set = names.enter(writer::SET)?;
            while !set.is_finished() {
                let mut pair = set.enter(writer::SEQUENCE)?;
                if pair.expect(writer::OBJECT_IDENTIFIER)?.content == oid::EMAIL_ADDRESS {
                    addresses.push(pair.read()?.content);
                }
            }
        }
        Ok(addresses)
    }
}

fn subtree<'a>(list: &mut Reader<'a>) -> Result<GeneralSubtree<'a>, DerError> {
    let mut fields = list.enter(writer::SEQUENCE)?;
    let base = GeneralName::read(&mut fields)?;
    // "minimum MUST be zero, and maximum MUST be absent"; a zero that DER omits is taken.
    if fields.optional(0x80)?.is_some_and(|minimum| minimum.content != [0]) || fields.optional(0x81)?.is_some() {
        return Err(DerError::Value { what: "nameConstraints: minimum or maximum" });
    }
    fields.finish()?;
    Ok(GeneralSubtree { base })
}

/// The items of a SEQUENCE OF, at least one.
fn items<'a, T>(value: &'a [u8], read: impl FnMut(&mut Reader<'a>) -> Result<T, DerError>) -> Result<Vec<T>, DerError> {
    list(Reader::only(value, writer::SEQUENCE)?, read)
}

fn list<'a, T>(
    mut list: Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, DerError>,
) -> Result<Vec<T>, DerError> {
    let mut items = Vec::new();
    while !list.is_finished() {
        if items.len() == MAX_ITEMS {
            return Err(DerError::Value { what: "number of items in an extension" });
        }
        items.push(read(&mut list)?);
    }
    if items.is_empty() { Err(DerError::Value { what: "SEQUENCE OF: it is empty" }) } else { Ok(items) }
}

/// A count of certificates: not negative; more than fits counts as the most.
fn number(content: &[u8]) -> Result<u32, DerError> {
    match content {
        [] => Err(DerError::Value { what: "INTEGER" }),
        [first, ..] if first & 0x80 != 0 => Err(DerError::Value { what: "number: it is negative" }),
        _ => {
            let mut value = 0_u32;
            for octet in content {
                value = value.saturating_mul(256).saturating_add(u32::from(*octet));
            }
            Ok(value)
        }
    }
}

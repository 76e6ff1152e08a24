//! Making a certificate in two phases: the bytes to be signed, then the certificate with its signature.

use der::Encode;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::certificate::{Certificate, CertificateError};
use super::extension::{
    self, DAY_S, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXTENDED_KEY_USAGE, ID_CE_KEY_USAGE, extension, sequence_of, time,
};
use super::profile::{
    CertificateKind, Finding, ID_KP_OCSP_SIGNING, ID_KP_TIME_STAMPING, ID_PKIX_OCSP_NOCHECK, first_error,
};
use crate::asn1::{Oid, writer};
use crate::crypto::{PublicKey, SignatureAlgorithm, SignatureEncodingError};

/// Why a certificate is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An extension or date can't be encoded.
    #[error("encoding the certificate: {0}")]
    Encoding(der::Error),
    /// The signing algorithm has no identifier.
    #[error(transparent)]
    Algorithm(#[from] SignatureEncodingError),
    /// What was built breaks its own profile; it is never signed.
    #[error("the {kind} certificate would break its profile: {}", finding.text)]
    Profile {
        /// The kind.
        kind: CertificateKind,
        /// The first demand broken.
        finding: Finding,
    },
    /// What was built does not read back.
    #[error("the certificate does not read back: {0}")]
    ReadBack(#[from] CertificateError),
    /// The random generator failed.
    #[error("the system's random generator failed")]
    Random,
    /// The issuer ends before the certificate could be of use.
    #[error("the issuer's certificate ends at {issuer_not_after_s} s since 1970, before this one could begin")]
    IssuerEnds {
        /// The issuer's notAfter.
        issuer_not_after_s: i64,
    },
}

impl From<der::Error> for BuildError {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error)
    }
}

/// Where relying parties find what they need, from public_url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerUrls {
    /// AIA id-ad-ocsp.
    pub ocsp: String,
    /// AIA id-ad-caIssuers.
    pub ca_issuers: String,
    /// The CRL distribution point: the complete CRL.
    pub crl: String,
    /// The partition that lists certificates of end entities instead, and its CRL.
    pub crl_partition: Option<(u16, String)>,
}

impl IssuerUrls {
    /// The URLs of an issuer below a public URL.
    #[must_use]
    pub fn new(public_url: &str, issuer: &str) -> Self {
        let base = public_url.trim_end_matches('/');
        Self {
            ocsp: format!("{base}/ocsp/{issuer}"),
            ca_issuers: format!("{base}/ca/{issuer}.cer"),
            crl: format!("{base}/crl/{issuer}.crl"),
            crl_partition: None,
        }
    }

    /// The same with a partition of the issuer's CRLs; 0 for none.
    #[must_use]
    pub fn in_partition(mut self, number: u16) -> Self {
        let base = self.crl.strip_suffix(".crl").unwrap_or(&self.crl);
        self.crl_partition = (number > 0).then(|| (number, format!("{base}/{number}.crl")));
        self
    }

    /// The delta to the complete CRL.
    #[must_use]
    pub fn delta_crl(&self) -> String {
        format!("{}/delta.crl", self.crl.strip_suffix(".crl").unwrap_or(&self.crl))
    }
}

/// A certificate to be made.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// What it is for.
    pub kind: CertificateKind,
    /// The subject's Name, whole.
    pub subject_der: &'a [u8],
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// The issuer, or None for a self-signed root.
    pub issuer: Option<(&'a Certificate, &'a IssuerUrls)>,
    /// The algorithm that the issuer's key signs with.
    pub algorithm: SignatureAlgorithm,
    /// notBefore, in seconds since 1970.
    pub not_before_s: i64,
    /// The policies to be named; for a TSU those it serves under.
    pub policies: &'a [Oid],
    /// How many days it holds; None is its kind's [`CertificateKind::validity_days`].
    pub days: Option<i64>,
    /// How long a TSU's key signs, in days (privateKeyUsagePeriod).
    pub private_key_usage_days: i64,
}

/// Built, held against its profile, waiting for its signature.
#[derive(Clone, Debug)]
pub struct Unsigned {
    tbs_der: Vec<u8>,
    algorithm_der: Vec<u8>,
    algorithm: SignatureAlgorithm,
    /// The partition whose CRL its distribution point names; 0 for the complete one.
    pub(super) crl_partition: u16,
}

impl Draft<'_> {
    /// Builds the bytes to be signed, with a fresh serial number.
    ///
    /// # Errors
    /// What can't be encoded, or would break its profile.
    pub fn build(&self) -> Result<Unsigned, BuildError> {
        let mut not_after_s = self.not_before_s + self.days.unwrap_or(self.kind.validity_days()) * DAY_S - 1;
        if let Some((issuer, _)) = self.issuer {
            not_after_s = not_after_s.min(issuer.not_after_s);
            if not_after_s <= self.not_before_s {
                return Err(BuildError::IssuerEnds { issuer_not_after_s: issuer.not_after_s });
            }
        }
        let issuer_der = self.issuer.map_or(self.subject_der, |(issuer, _)| issuer.subject_der.as_slice());
        let unsigned = Unsigned::new(&TbsParts {
            serial: &random_serial()?,
            algorithm: self.algorithm,
            issuer_der,
            not_before_s: self.not_before_s,
            not_after_s,
            subject_der: self.subject_der,
            public_key: self.public_key,
            extensions: &self.extensions(not_after_s)?,
        })?;
        // A root's self-signature can't be there yet; every other demand is held before the key is touched.
        let preview = unsigned.preview()?;
        let held_as = if self.kind == CertificateKind::Root { CertificateKind::IssuingCa } else { self.kind };
        match first_error(held_as, &preview) {
            Some(finding) => Err(BuildError::Profile { kind: self.kind, finding }),
            None => Ok(unsigned),
        }
    }

    fn extensions(&self, not_after_s: i64) -> Result<Vec<Vec<u8>>, BuildError> {
        let is_ca = matches!(self.kind, CertificateKind::Root | CertificateKind::IssuingCa);
        let mut list = Vec::new();
        if is_ca {
            let path_len_constraint = (self.kind == CertificateKind::IssuingCa).then_some(0);
            list.push(extension(
                ID_CE_BASIC_CONSTRAINTS,
                true,
                &BasicConstraints { ca: true, path_len_constraint }.to_der()?,
            ));
        }
        let usage =
            if is_ca { KeyUsages::KeyCertSign | KeyUsages::CRLSign } else { KeyUsages::DigitalSignature.into() };
        list.push(extension(ID_CE_KEY_USAGE, true, &KeyUsage(usage).to_der()?));
        let extended = match self.kind {
            CertificateKind::Tsu => Some(ID_KP_TIME_STAMPING),
            CertificateKind::OcspResponder => Some(ID_KP_OCSP_SIGNING),
            CertificateKind::Root | CertificateKind::IssuingCa => None,
        };
        if let Some(usage) = extended {
            // Critical for a TSU only (RFC 3161 §2.3); RFC 6960 does not ask it of a responder.
            let critical = self.kind == CertificateKind::Tsu;
            list.push(extension(ID_CE_EXTENDED_KEY_USAGE, critical, &ExtendedKeyUsage(vec![usage]).to_der()?));
        }
        list.push(extension::subject_key_identifier(self.public_key)?);
        if let Some((issuer, urls)) = self.issuer {
            list.push(extension::authority_key_identifier(issuer)?);
            // A responder's certificate has no CRLDP and no OCSP pointer: its status is not asked (TLS BR 7.1.2.8).
            let is_responder = self.kind == CertificateKind::OcspResponder;
            if !is_responder {
                list.push(extension::distribution_point(&urls.crl)?);
            }
            let ocsp = (!is_responder).then_some(urls.ocsp.as_str());
            list.push(extension::information_access(ocsp, Some(&urls.ca_issuers))?);
        }
        if !self.policies.is_empty() {
            list.push(extension::policies(self.policies));
        }
        if self.kind == CertificateKind::Tsu {
            let end_s = (self.not_before_s + self.private_key_usage_days * DAY_S).min(not_after_s);
            list.push(extension::private_key_usage_period(self.not_before_s, end_s)?);
        }
        if self.kind == CertificateKind::OcspResponder {
            list.push(extension(ID_PKIX_OCSP_NOCHECK, false, &[writer::NULL, 0]));
        }
        Ok(list)
    }
}

/// What a TBSCertificate is made of; the octets are whole values.
pub(super) struct TbsParts<'a> {
    pub(super) serial: &'a [u8],
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) issuer_der: &'a [u8],
    pub(super) not_before_s: i64,
    pub(super) not_after_s: i64,
    pub(super) subject_der: &'a [u8],
    pub(super) public_key: &'a PublicKey,
    pub(super) extensions: &'a [Vec<u8>],
}

impl Unsigned {
    pub(super) fn new(parts: &TbsParts<'_>) -> Result<Self, BuildError> {
        let algorithm_der = parts.algorithm.x509_identifier_der()?;
        let validity = [time(parts.not_before_s)?, time(parts.not_after_s)?].concat();
        let tbs_der = writer::tlv(
            writer::SEQUENCE,
            &[
                &[writer::context(0), 3, writer::INTEGER, 1, 2],
                &writer::unsigned_integer(parts.serial),
                &algorithm_der,
                parts.issuer_der,
                &writer::tlv(writer::SEQUENCE, &[&validity]),
                parts.subject_der,
                parts.public_key.spki_der(),
                &writer::tlv(writer::context(3), &[&sequence_of(parts.extensions)]),
            ],
        );
        Ok(Self { tbs_der, algorithm_der, algorithm: parts.algorithm, crl_partition: 0 })
    }

    /// The certificate as it will be, without its signature.
    ///
    /// # Errors
    /// What was built does not read back.
    pub fn preview(&self) -> Result<Certificate, BuildError> {
        Ok(Certificate::from_der(&self.join(&[0]))?)
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs_der
    }

    /// The algorithm to sign them with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The partition whose CRL its distribution point names; 0 for the complete one.
    #[must_use]
    pub fn crl_partition(&self) -> u16 {
        self.crl_partition
    }

    fn join(&self, signature: &[u8]) -> Vec<u8> {
        let value = writer::tlv(writer::BIT_STRING, &[&[0], signature]);
        writer::tlv(writer::SEQUENCE, &[&self.tbs_der, &self.algorithm_der, &value])
    }

    /// The certificate, once its signature verifies under the issuer's key.
    ///
    /// # Errors
    /// A signature that does not verify: a token that signs with another key than its certificate says.
    pub fn assemble(&self, signature: &[u8], issuer_key: &PublicKey) -> Result<Certificate, BuildError> {
        issuer_key
            .verify(self.algorithm, &self.tbs_der, signature)
            .map_err(|error| BuildError::ReadBack(CertificateError::Key(error)))?;
        Ok(Certificate::from_der(&self.join(signature))?)
    }
}

/// 16 random octets, the top bit clear and the first not zero (RFC 5280 §4.1.2.2; TLS BR 7.1: 64 bits of CSPRNG).
pub(super) fn random_serial() -> Result<[u8; 16], BuildError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| BuildError::Random)?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::test_key::TestKey;
    use crate::ca::{Severity, SubjectName, chain, profile};

    fn key() -> TestKey {
        TestKey::p256()
    }

    fn make(
        kind: CertificateKind,
        subject: &TestKey,
        issuer: Option<(&Certificate, &TestKey)>,
        now_s: i64,
    ) -> Result<Certificate, BuildError> {
        let urls = IssuerUrls::new("https://tsa.noonmark.example/", "issuing");
        let name = SubjectName::new("DE", "Example", kind.name()).unwrap().to_der();
        let policies = ["0.4.0.2023.1.1".parse().unwrap()];
        let unsigned = Draft {
            kind,
            subject_der: &name,
            public_key: &subject.public,
            issuer: issuer.map(|(certificate, _)| (certificate, &urls)),
            algorithm: subject.public.algorithm().default_signature(),
            not_before_s: now_s,
            policies: if kind == CertificateKind::Tsu { &policies } else { &[] },
            days: None,
            private_key_usage_days: 395,
        }
        .build()?;
        let signer = issuer.map_or(subject, |(_, key)| key);
        unsigned.assemble(&signer.sign(unsigned.tbs_der()), &signer.public)
    }

    const NOW_S: i64 = 1_795_464_000;

    #[test]
    fn a_hierarchy_is_whole_and_without_findings() {
        let (root_key, ca_key, tsu_key) = (key(), key(), key());
        let root = make(CertificateKind::Root, &root_key, None, NOW_S).unwrap();
        let ca = make(CertificateKind::IssuingCa, &ca_key, Some((&root, &root_key)), NOW_S).unwrap();
        let tsu = make(CertificateKind::Tsu, &tsu_key, Some((&ca, &ca_key)), NOW_S).unwrap();
        let responder = make(CertificateKind::OcspResponder, &key(), Some((&ca, &ca_key)), NOW_S).unwrap();
        for (kind, certificate) in [
            (CertificateKind::Root, &root),
            (CertificateKind::IssuingCa, &ca),
            (CertificateKind::Tsu, &tsu),
            (CertificateKind::OcspResponder, &responder),
        ] {
            assert_eq!(profile::findings(kind, certificate), [], "{kind}");
        }
        let path = chain::order(&tsu, &[root.clone(), ca.clone()]).unwrap();
        assert_eq!(path, [tsu.clone(), ca.clone(), root.clone()]);
        assert_eq!(chain::check(&path, NOW_S), Ok(()));
        assert!(matches!(chain::check(&path, NOW_S - 1), Err(chain::ChainError::NotValid { .. })));
        let too_deep = [tsu.clone(), tsu.clone(), ca.clone(), root.clone()];
        assert!(matches!(chain::check(&too_deep, NOW_S), Err(chain::ChainError::MayNotIssue { .. })));
        assert!(matches!(chain::order(&tsu, &[root]), Err(chain::ChainError::IssuerMissing { .. })));
        assert_eq!(tsu.usable_until_s(), NOW_S + 395 * DAY_S);
        // One kind's certificate is not another's.
        for (kind, certificate) in [
            (CertificateKind::Tsu, &responder),
            (CertificateKind::OcspResponder, &tsu),
            (CertificateKind::Tsu, &ca),
            (CertificateKind::IssuingCa, &tsu),
            (CertificateKind::Root, &ca),
        ] {
            let first = profile::findings(kind, certificate).remove(0);
            assert_eq!(first.severity, Severity::Error, "{kind}: {}", first.text);
        }
    }

    #[test]
    fn an_issuer_at_its_end_issues_nothing_and_nothing_outlives_it() {
        let (root_key, ca_key) = (key(), key());
        let root = make(CertificateKind::Root, &root_key, None, NOW_S).unwrap();
        let late = root.not_after_s - 10 * DAY_S;
        let ca = make(CertificateKind::IssuingCa, &ca_key, Some((&root, &root_key)), late).unwrap();
        assert_eq!(ca.not_after_s, root.not_after_s);
        let after = make(CertificateKind::IssuingCa, &ca_key, Some((&root, &root_key)), root.not_after_s);
        assert!(matches!(after, Err(BuildError::IssuerEnds { .. })));
    }

    #[test]
    fn a_signature_by_another_key_makes_no_certificate() {
        let (root_key, other) = (key(), key());
        let root = make(CertificateKind::Root, &root_key, None, NOW_S).unwrap();
        let urls = IssuerUrls::new("https://tsa.noonmark.example", "root");
        let name = SubjectName::new("DE", "Example", "x").unwrap().to_der();
        let unsigned = Draft {
            kind: CertificateKind::IssuingCa,
            subject_der: &name,
            public_key: &other.public,
            issuer: Some((&root, &urls)),
            algorithm: other.public.algorithm().default_signature(),
            not_before_s: NOW_S,
            policies: &[],
            days: None,
            private_key_usage_days: 395,
        }
        .build()
        .unwrap();
        let wrong = other.sign(unsigned.tbs_der());
        assert!(unsigned.assemble(&wrong, &root_key.public).is_err());
    }

    #[test]
    fn mutated_certificates_never_panic() {
        let root_key = key();
        let root = make(CertificateKind::Root, &root_key, None, NOW_S).unwrap();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 11).unwrap() % below
        };
        for _ in 0..20_000 {
            let mut der = root.der().to_vec();
            for _ in 0..=random(3) {
                let at = random(der.len());
                der[at] = u8::try_from(random(256)).unwrap();
            }
            if let Ok(read) = Certificate::from_der(&der) {
                let _ = profile::findings(CertificateKind::Tsu, &read);
                assert!(der == root.der() || !read.is_signed_by(&read), "a changed certificate verifies");
            }
        }
    }
}

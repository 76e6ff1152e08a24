//! Whether a CRL speaks for a certificate, and for which reasons (RFC 5280 §6.3.3 (b) and (d)).

use std::fmt;

use super::{
    DistributionPoint, DistributionPointName, GeneralName, IssuingDistributionPoint, OnlyContains, ReasonFlags,
};

/// The kind of a certificate, as basicConstraints says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateKind {
    /// cA is FALSE or absent.
    User,
    /// cA is TRUE.
    Ca,
    /// An attribute certificate (RFC 5755).
    Attribute,
}

/// What the question needs of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct CertificateFacts<'a> {
    /// User, CA or attribute certificate.
    pub kind: CertificateKind,
    /// The issuer Name's DER.
    pub issuer: &'a [u8],
    /// Its cRLDistributionPoints; empty where the extension is absent.
    pub distribution_points: &'a [DistributionPoint],
}

/// What the question needs of a CRL.
#[derive(Clone, Copy, Debug)]
pub struct CrlFacts<'a> {
    /// The issuer Name's DER.
    pub issuer: &'a [u8],
    /// Its IssuingDistributionPoint, if it has one.
    pub issuing_distribution_point: Option<&'a IssuingDistributionPoint>,
}

/// Why a CRL does not speak for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutOfScope {
    /// (b)(1): the CRL's issuer is neither the certificate's nor the point's cRLIssuer.
    Issuer,
    /// (b)(1): the point has a cRLIssuer of another name, and the CRL is not indirect.
    NotIndirect,
    /// (b)(2)(i): no name of the CRL's point is one of the certificate's.
    DistributionPoint,
    /// (b)(2)(ii): onlyContainsUserCerts, and the certificate is a CA's.
    OnlyUserCerts,
    /// (b)(2)(iii): onlyContainsCACerts, and the certificate is not a CA's.
    OnlyCaCerts,
    /// (b)(2)(iv): onlyContainsAttributeCerts, and the certificate is none; or the other way round.
    AttributeCerts,
}

/// The reasons for which the CRL speaks for the certificate: interim_reasons_mask, over all of its points that match.
///
/// Names are compared octet by octet, as TLS BR 7.2 wants issuers written; a CA that writes its name in two ways is not found.
///
/// # Errors
/// Out of scope; where several points fail, the error of the last.
pub fn covered_reasons(crl: CrlFacts<'_>, certificate: CertificateFacts<'_>) -> Result<ReasonFlags, OutOfScope> {
    let absent = IssuingDistributionPoint::default();
    let scope = crl.issuing_distribution_point.unwrap_or(&absent);
    match (scope.only_contains, certificate.kind) {
        (OnlyContains::UserCerts, CertificateKind::Ca) => return Err(OutOfScope::OnlyUserCerts),
        (OnlyContains::CaCerts, CertificateKind::User) => return Err(OutOfScope::OnlyCaCerts),
        // A CRL of public-key certificates may be of attribute certificates as well only where it says nothing of kinds.
        (OnlyContains::UserAndCaCerts, CertificateKind::Attribute)
        | (OnlyContains::AttributeCerts, CertificateKind::Attribute) => {}
        (OnlyContains::AttributeCerts, _) | (_, CertificateKind::Attribute) => return Err(OutOfScope::AttributeCerts),
        _ => {}
    }
    // §6.3.3, last paragraph: the CRL at the certificate issuer's own name, as if a point without reasons named it.
    let implied = [DistributionPoint {
        name: GeneralName::from_name(certificate.issuer).ok().map(|name| DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    }];
    let points =
        if certificate.distribution_points.is_empty() { &implied[..] } else { certificate.distribution_points };
    let mut covered = Err(OutOfScope::DistributionPoint);
    for point in points {
        match point_reasons(crl.issuer, scope, certificate.issuer, point) {
            Ok(reasons) => covered = Ok(covered.unwrap_or(ReasonFlags::NONE).union(reasons)),
            Err(error) if covered.is_err() => covered = Err(error),
            Err(_) => {}
        }
    }
    covered
}

fn point_reasons(
    crl_issuer: &[u8],
    scope: &IssuingDistributionPoint,
    certificate_issuer: &[u8],
    point: &DistributionPoint,
) -> Result<ReasonFlags, OutOfScope> {
    let named_issuer = point.crl_issuer.as_ref();
    match named_issuer {
        None if crl_issuer != certificate_issuer => return Err(OutOfScope::Issuer),
        None => {}
        Some(names) if !names.iter().any(|name| name.name() == Some(crl_issuer)) => return Err(OutOfScope::Issuer),
        // (b)(1): "verify that … the indirectCRL boolean … is asserted". A cRLIssuer that is the certificate's own issuer
        // should have been left out (§4.2.1.13); the CRL is not indirect for it.
        Some(_) if !scope.indirect_crl && crl_issuer != certificate_issuer => return Err(OutOfScope::NotIndirect),
        Some(_) => {}
    }
    if let Some(own) = &scope.distribution_point {
        let own = own.full_names(crl_issuer);
        let matched = match (&point.name, named_issuer) {
            (Some(name), _) => name.full_names(crl_issuer).iter().any(|name| own.contains(name)),
            (None, Some(names)) => names.iter().any(|name| own.contains(name)),
            (None, None) => false,
        };
        if !matched {
            return Err(OutOfScope::DistributionPoint);
        }
    }
    // (d)
    let of_crl = scope.only_some_reasons.unwrap_or(ReasonFlags::ALL);
    Ok(of_crl.intersection(point.reasons.unwrap_or(ReasonFlags::ALL)))
}

impl fmt::Display for OutOfScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "the CRL's issuer neither issued the certificate nor is named as its cRLIssuer",
            Self::NotIndirect => "the certificate names another cRLIssuer, but the CRL is not indirect",
            Self::DistributionPoint => "the CRL is of another distribution point",
            Self::OnlyUserCerts => "the CRL holds user certificates only",
            Self::OnlyCaCerts => "the CRL holds CA certificates only",
            Self::AttributeCerts => "one of CRL and certificate is of attribute certificates, the other is not",
        })
    }
}

impl std::error::Error for OutOfScope {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReasonCode;
    use crate::der::{tag, value};

    fn name(common_name: &str) -> Vec<u8> {
        let attribute = [&[6, 3, 0x55, 4, 3][..], &value(0x0c, common_name.as_bytes())].concat();
        value(tag::SEQUENCE, &value(tag::SET, &value(tag::SEQUENCE, &attribute)))
    }

    fn user<'a>(issuer: &'a [u8], points: &'a [DistributionPoint]) -> CertificateFacts<'a> {
        CertificateFacts { kind: CertificateKind::User, issuer, distribution_points: points }
    }

    fn ask(
        issuer: &[u8],
        scope: Option<&IssuingDistributionPoint>,
        certificate: CertificateFacts<'_>,
    ) -> Result<ReasonFlags, OutOfScope> {
        covered_reasons(CrlFacts { issuer, issuing_distribution_point: scope }, certificate)
    }

    #[test]
    fn a_full_crl_speaks_for_its_issuers_certificates() {
        let (ca, other) = (name("CA"), name("Other"));
        assert_eq!(ask(&ca, None, user(&ca, &[])), Ok(ReasonFlags::ALL));
        assert_eq!(ask(&other, None, user(&ca, &[])), Err(OutOfScope::Issuer));
        let points = [DistributionPoint::from_uri("http://a.example/1.crl").unwrap()];
        assert_eq!(ask(&ca, None, user(&ca, &points)), Ok(ReasonFlags::ALL));
    }

    #[test]
    fn kinds_of_certificates() {
        let ca = name("CA");
        let of = |only_contains| IssuingDistributionPoint { only_contains, ..Default::default() };
        let kind = |kind| CertificateFacts { kind, issuer: &ca, distribution_points: &[] };
        let users = of(OnlyContains::UserCerts);
        assert_eq!(ask(&ca, Some(&users), kind(CertificateKind::User)), Ok(ReasonFlags::ALL));
        assert_eq!(ask(&ca, Some(&users), kind(CertificateKind::Ca)), Err(OutOfScope::OnlyUserCerts));
        assert_eq!(ask(&ca, Some(&users), kind(CertificateKind::Attribute)), Err(OutOfScope::AttributeCerts));
        let cas = of(OnlyContains::CaCerts);
        assert_eq!(ask(&ca, Some(&cas), kind(CertificateKind::User)), Err(OutOfScope::OnlyCaCerts));
        let attributes = of(OnlyContains::AttributeCerts);
        assert_eq!(ask(&ca, Some(&attributes), kind(CertificateKind::User)), Err(OutOfScope::AttributeCerts));
        assert_eq!(ask(&ca, Some(&attributes), kind(CertificateKind::Attribute)), Ok(ReasonFlags::ALL));
    }

    #[test]
    fn partitions_match_by_name() {
        let ca = name("CA");
        let one = IssuingDistributionPoint::from_uri("http://a.example/1.crl").unwrap();
        let of_one = [DistributionPoint::from_uri("http://a.example/1.crl").unwrap()];
        let of_two = [DistributionPoint::from_uri("http://a.example/2.crl").unwrap()];
        assert_eq!(ask(&ca, Some(&one), user(&ca, &of_one)), Ok(ReasonFlags::ALL));
        assert_eq!(ask(&ca, Some(&one), user(&ca, &of_two)), Err(OutOfScope::DistributionPoint));
        assert_eq!(ask(&ca, Some(&one), user(&ca, &[])), Err(OutOfScope::DistributionPoint));
        // Relative and full forms of one name.
        let relative = crate::der::only(&name("1"), tag::SEQUENCE).unwrap()[2..].to_vec();
        let relative = DistributionPointName::NameRelativeToCrlIssuer(relative);
        let full = DistributionPointName::FullName(relative.full_names(&ca));
        let point = [DistributionPoint { name: Some(full), ..Default::default() }];
        let scope = IssuingDistributionPoint { distribution_point: Some(relative), ..Default::default() };
        assert_eq!(ask(&ca, Some(&scope), user(&ca, &point)), Ok(ReasonFlags::ALL));
    }

    #[test]
    fn indirect_crls_and_reasons() {
        let (ca, other) = (name("CA"), name("Other"));
        let key = ReasonFlags::of(&[ReasonCode::KeyCompromise]);
        let both = ReasonFlags::of(&[ReasonCode::KeyCompromise, ReasonCode::Superseded]);
        let points = [DistributionPoint {
            name: None,
            reasons: Some(both),
            crl_issuer: Some(vec![GeneralName::from_name(&other).unwrap()]),
        }];
        let direct = IssuingDistributionPoint { only_some_reasons: Some(key), ..Default::default() };
        assert_eq!(ask(&other, Some(&direct), user(&ca, &points)), Err(OutOfScope::NotIndirect));
        let indirect = IssuingDistributionPoint { indirect_crl: true, ..direct };
        assert_eq!(ask(&other, Some(&indirect), user(&ca, &points)), Ok(key));
        assert_eq!(ask(&ca, Some(&indirect), user(&ca, &points)), Err(OutOfScope::Issuer));
    }
}

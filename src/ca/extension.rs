//! Extensions' octets, and dates, as certificates carry them.

use const_oid::ObjectIdentifier;
use der::asn1::{GeneralizedTime, Ia5String, OctetString, UtcTime};
use der::{DateTime, Encode};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CrlDistributionPoints, PrivateKeyUsagePeriod,
    SubjectKeyIdentifier,
};

use super::certificate::Certificate;
use crate::asn1::{Oid, writer};
use crate::crypto::PublicKey;

/// subjectKeyIdentifier.
pub(super) const ID_CE_SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// keyUsage.
pub(super) const ID_CE_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// privateKeyUsagePeriod.
pub(super) const ID_CE_PRIVATE_KEY_USAGE_PERIOD: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.16");
/// subjectAltName.
pub(super) const ID_CE_SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// basicConstraints.
pub(super) const ID_CE_BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
/// cRLDistributionPoints.
pub(super) const ID_CE_CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
/// certificatePolicies.
pub(super) const ID_CE_CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
/// authorityKeyIdentifier.
pub(super) const ID_CE_AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// extKeyUsage.
pub(super) const ID_CE_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// authorityInfoAccess.
pub(super) const ID_PE_AUTHORITY_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
const ID_AD_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const ID_AD_CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// A day, in seconds.
pub(super) const DAY_S: i64 = 86_400;

/// One Extension (RFC 5280 §4.1); FALSE is the default and not written.
pub(super) fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
    let flag: &[u8] = if critical { &[writer::BOOLEAN, 1, 0xff] } else { &[] };
    writer::tlv(writer::SEQUENCE, &[&oid, flag, &writer::tlv(writer::OCTET_STRING, &[value])])
}

/// SEQUENCE OF from encoded elements.
pub(super) fn sequence_of(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    writer::tlv(writer::SEQUENCE, &elements)
}

/// subjectKeyIdentifier and authorityKeyIdentifier, the latter from the issuer's own identifier (RFC 5280 §4.2.1.1).
pub(super) fn subject_key_identifier(key: &PublicKey) -> Result<Vec<u8>, der::Error> {
    let value = SubjectKeyIdentifier(OctetString::new(key.key_identifier())?).to_der()?;
    Ok(extension(ID_CE_SUBJECT_KEY_IDENTIFIER, false, &value))
}

/// authorityKeyIdentifier: the issuer's subjectKeyIdentifier, or its key's where it has none.
pub(super) fn authority_key_identifier(issuer: &Certificate) -> Result<Vec<u8>, der::Error> {
    let key = issuer.subject_key_identifier.clone().unwrap_or_else(|| issuer.public_key.key_identifier().to_vec());
    let value = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(key)?), ..Default::default() };
    Ok(extension(ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &value.to_der()?))
}

/// certificatePolicies, identifiers alone.
pub(super) fn policies(oids: &[Oid]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = oids.iter().map(|oid| writer::tlv(writer::SEQUENCE, &[&oid.to_der()])).collect();
    extension(ID_CE_CERTIFICATE_POLICIES, false, &sequence_of(&list))
}

fn uri(text: &str) -> Result<GeneralName, der::Error> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(text)?))
}

/// cRLDistributionPoints with one point of one URL.
pub(super) fn distribution_point(url: &str) -> Result<Vec<u8>, der::Error> {
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
        reasons: None,
        crl_issuer: None,
    };
    Ok(extension(ID_CE_CRL_DISTRIBUTION_POINTS, false, &CrlDistributionPoints(vec![point]).to_der()?))
}

/// authorityInfoAccess: OCSP first, then caIssuers, each if it is given.
pub(super) fn information_access(ocsp: Option<&str>, ca_issuers: Option<&str>) -> Result<Vec<u8>, der::Error> {
    let mut list = Vec::new();
    for (access_method, url) in [(ID_AD_OCSP, ocsp), (ID_AD_CA_ISSUERS, ca_issuers)] {
        if let Some(url) = url {
            list.push(AccessDescription { access_method, access_location: uri(url)? });
        }
    }
    Ok(extension(ID_PE_AUTHORITY_INFO_ACCESS, false, &AuthorityInfoAccessSyntax(list).to_der()?))
}

/// privateKeyUsagePeriod, both ends given.
pub(super) fn private_key_usage_period(from_s: i64, until_s: i64) -> Result<Vec<u8>, der::Error> {
    let value =
        PrivateKeyUsagePeriod { not_before: Some(generalized(from_s)?), not_after: Some(generalized(until_s)?) };
    Ok(extension(ID_CE_PRIVATE_KEY_USAGE_PERIOD, false, &value.to_der()?))
}

fn date_time(unix_s: i64) -> Result<DateTime, der::Error> {
    let seconds = u64::try_from(unix_s).map_err(|_| der::Error::from(der::ErrorKind::DateTime))?;
    DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))
}

fn generalized(unix_s: i64) -> Result<GeneralizedTime, der::Error> {
    Ok(GeneralizedTime::from_date_time(date_time(unix_s)?))
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
pub(super) fn time(unix_s: i64) -> Result<Vec<u8>, der::Error> {
    let date_time = date_time(unix_s)?;
    if date_time.year() < 2050 {
        UtcTime::from_date_time(date_time)?.to_der()
    } else {
        GeneralizedTime::from_date_time(date_time).to_der()
    }
}

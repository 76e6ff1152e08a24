//! What a CRL says besides its entries, checked and encoded (RFC 5280 §5.1, §5.2).

use super::BuildError;
use crate::CrlNumber;
use crate::der::{DerError, check_algorithm, only, push_value, tag, value};
use crate::extension::oid;
use crate::scope::{DistributionPoint, IssuingDistributionPoint, check_name};
use crate::time::TimeEncoder;

/// What a CRL is to say besides its entries.
#[derive(Clone, Debug)]
pub struct CrlFields {
    /// issuer: the Name's DER, verbatim the CA certificate's subject (TLS BR 7.2).
    pub issuer: Vec<u8>,
    /// signature and signatureAlgorithm: the AlgorithmIdentifier's DER.
    pub signature_algorithm: Vec<u8>,
    /// thisUpdate, seconds since 1970.
    pub this_update_s: i64,
    /// nextUpdate, seconds since 1970 (RFC 5280 §5.1.2.5: conforming CAs MUST include it).
    pub next_update_s: i64,
    /// authorityKeyIdentifier's keyIdentifier.
    pub authority_key_identifier: Vec<u8>,
    /// cRLNumber.
    pub crl_number: CrlNumber,
    /// BaseCRLNumber: the CRL is a delta to the complete CRL of that number.
    pub base_crl_number: Option<CrlNumber>,
    /// issuingDistributionPoint.
    pub issuing_distribution_point: Option<IssuingDistributionPoint>,
    /// freshestCRL, where deltas are found; empty for none.
    pub freshest_crl: Vec<DistributionPoint>,
    /// expiredCertsOnCRL: certificates that expired since then stay listed, seconds since 1970.
    pub expired_certs_on_crl_s: Option<i64>,
}

impl CrlFields {
    /// Fails on what the standard forbids.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        check_name(&self.issuer).map_err(BuildError::Issuer)?;
        if only(&self.issuer, tag::SEQUENCE).is_ok_and(<[u8]>::is_empty) {
            // §5.1.2.3: "MUST contain a non-empty X.500 distinguished name"
            return Err(BuildError::Issuer(DerError::Empty));
        }
        check_algorithm(&self.signature_algorithm).map_err(BuildError::SignatureAlgorithm)?;
        if self.next_update_s <= self.this_update_s {
            let (this_update_s, next_update_s) = (self.this_update_s, self.next_update_s);
            return Err(BuildError::NextUpdateNotLater { this_update_s, next_update_s });
        }
        if self.authority_key_identifier.is_empty() {
            return Err(BuildError::EmptyKeyIdentifier);
        }
        if self.base_crl_number.is_some() && !self.freshest_crl.is_empty() {
            return Err(BuildError::FreshestCrlInDelta);
        }
        if self.base_crl_number.as_ref().is_some_and(|base| *base > self.crl_number) {
            return Err(BuildError::BaseAboveNumber);
        }
        Ok(())
    }

    /// From version to nextUpdate.
    pub(super) fn before_entries(&self) -> Result<Vec<u8>, BuildError> {
        let mut out = value(tag::INTEGER, &[1]);
        out.extend_from_slice(&self.signature_algorithm);
        out.extend_from_slice(&self.issuer);
        let mut times = TimeEncoder::new();
        times.push_time(&mut out, self.this_update_s)?;
        times.push_time(&mut out, self.next_update_s)?;
        Ok(out)
    }

    /// crlExtensions, `[0]` included.
    pub(super) fn after_entries(&self) -> Result<Vec<u8>, BuildError> {
        let mut out = Vec::new();
        let key_identifier = value(tag::SEQUENCE, &value(tag::CONTEXT_0, &self.authority_key_identifier));
        push_extension(&mut out, oid::AUTHORITY_KEY_IDENTIFIER, false, &key_identifier);
        let number = value(tag::INTEGER, &self.crl_number.integer_octets());
        push_extension(&mut out, oid::CRL_NUMBER, false, &number);
        if let Some(base) = &self.base_crl_number {
            let base = value(tag::INTEGER, &base.integer_octets());
            push_extension(&mut out, oid::DELTA_CRL_INDICATOR, true, &base);
        }
        if let Some(point) = &self.issuing_distribution_point {
            push_extension(&mut out, oid::ISSUING_DISTRIBUTION_POINT, true, &point.der()?);
        }
        if !self.freshest_crl.is_empty() {
            let points = DistributionPoint::write_all(&self.freshest_crl);
            // A point without a name is refused as it would be on reading.
            DistributionPoint::read_all(&points)?;
            push_extension(&mut out, oid::FRESHEST_CRL, false, &points);
        }
        if let Some(since_s) = self.expired_certs_on_crl_s {
            let mut since = Vec::new();
            TimeEncoder::new().push_generalized_time(&mut since, since_s)?;
            push_extension(&mut out, oid::EXPIRED_CERTS_ON_CRL, false, &since);
        }
        Ok(value(tag::CONTEXT_0_CONSTRUCTED, &value(tag::SEQUENCE, &out)))
    }
}

fn push_extension(out: &mut Vec<u8>, oid: &[u8], critical: bool, extension_value: &[u8]) {
    let mut content = value(tag::OBJECT_IDENTIFIER, oid);
    if critical {
        push_value(&mut content, tag::BOOLEAN, &[0xff]);
    }
    push_value(&mut content, tag::OCTET_STRING, extension_value);
    push_value(out, tag::SEQUENCE, &content);
}

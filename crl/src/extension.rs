//! Extensions as they are written (RFC 5280 §4.1, §5.2, §5.3), and the identifiers of those this crate knows.

use crate::der::{Cursor, DerError, boolean, dotted, object_identifier, tag};

/// Contents of OBJECT IDENTIFIERs.
pub(crate) mod oid {
    /// cRLNumber, 2.5.29.20 (RFC 5280 §5.2.3).
    pub(crate) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
    /// cRLReasons, 2.5.29.21 (§5.3.1).
    pub(crate) const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
    /// invalidityDate, 2.5.29.24 (§5.3.2).
    pub(crate) const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];
    /// deltaCRLIndicator, 2.5.29.27 (§5.2.4).
    pub(crate) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
    /// issuingDistributionPoint, 2.5.29.28 (§5.2.5).
    pub(crate) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
    /// certificateIssuer, 2.5.29.29 (§5.3.3).
    pub(crate) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
    /// authorityKeyIdentifier, 2.5.29.35 (§5.2.1).
    pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
    /// freshestCRL, 2.5.29.46 (§5.2.6).
    pub(crate) const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
    /// expiredCertsOnCRL, 2.5.29.60 (X.509 §9.5.2.8).
    pub(crate) const EXPIRED_CERTS_ON_CRL: &[u8] = &[0x55, 0x1d, 60];
}

/// One extension, borrowed from the CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The extnID's content octets.
    pub oid: &'a [u8],
    /// Whether it is critical.
    pub critical: bool,
    /// Whether `critical` was written although it is FALSE, its default, which DER omits (X.690 §11.5).
    pub default_written: bool,
    /// The extnValue's content octets.
    pub value: &'a [u8],
}

impl Extension<'_> {
    /// The identifier in dotted form.
    #[must_use]
    pub fn dotted_oid(&self) -> String {
        dotted(self.oid)
    }
}

/// Reads the extensions in a SEQUENCE's content, one by one.
#[derive(Clone, Copy, Debug)]
pub struct Extensions<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Extensions<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(content) }
    }

    fn read(&mut self) -> Result<Extension<'a>, DerError> {
        let mut fields = Cursor::new(self.cursor.expect(tag::SEQUENCE)?);
        let oid = object_identifier(fields.expect(tag::OBJECT_IDENTIFIER)?)?;
        let critical = fields.optional(tag::BOOLEAN)?.map(boolean).transpose()?;
        let value = fields.expect(tag::OCTET_STRING)?;
        fields.finish()?;
        Ok(Extension { oid, critical: critical == Some(true), default_written: critical == Some(false), value })
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, DerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() {
            return None;
        }
        let extension = self.read();
        if extension.is_err() {
            // An error is the last thing said.
            self.cursor = Cursor::new(&[]);
        }
        Some(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_criticality_as_it_is_written() {
        let content = [
            &[0x30, 10, 6, 3, 0x55, 0x1d, 20, 4, 3, 2, 1, 1][..],
            &[0x30, 10, 6, 3, 0x55, 0x1d, 27, 1, 1, 0xff, 4, 0],
            &[0x30, 10, 6, 3, 0x55, 0x1d, 28, 1, 1, 0x00, 4, 0],
        ]
        .concat();
        let read: Vec<_> = Extensions::new(&content).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            read[0],
            Extension { oid: oid::CRL_NUMBER, critical: false, default_written: false, value: &[2, 1, 1] }
        );
        assert_eq!((read[1].critical, read[1].default_written), (true, false));
        assert_eq!((read[2].critical, read[2].default_written), (false, true));
        assert_eq!(read[2].dotted_oid(), "2.5.29.28");
    }

    #[test]
    fn an_error_is_the_last_thing() {
        let mut extensions = Extensions::new(&[0x30, 10, 6, 3, 0x55, 0x1d, 28, 1, 1, 0x07, 4, 0, 0x30, 0x80]);
        assert_eq!(extensions.next(), Some(Err(DerError::BadBoolean { value: 7 })));
        assert_eq!(extensions.next(), None);
    }
}

//! crlExtensions: those that this crate knows, read; all of them, kept (RFC 5280 §5.2).

use super::error::{Field, ReadError};
use crate::CrlNumber;
use crate::der::{Cursor, DerError, only, tag};
use crate::extension::{Extension, Extensions, oid};
use crate::scope::{DistributionPoint, IssuingDistributionPoint, ScopeError};
use crate::time::Time;

/// Extensions of a CRL: the standards define about ten.
pub const MAX_CRL_EXTENSIONS: usize = 32;
/// Octets of crlExtensions: a distribution point with hundreds of names takes tens of thousands.
pub const MAX_CRL_EXTENSIONS_OCTETS: u64 = 64 * 1024;

/// A CRL's extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlExtensions {
    /// The keyIdentifier of authorityKeyIdentifier, where both are there.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// cRLNumber.
    pub crl_number: Option<CrlNumber>,
    /// BaseCRLNumber of deltaCRLIndicator: present, the CRL is a delta.
    pub base_crl_number: Option<CrlNumber>,
    /// issuingDistributionPoint.
    pub issuing_distribution_point: Option<IssuingDistributionPoint>,
    /// freshestCRL; empty where absent.
    pub freshest_crl: Vec<DistributionPoint>,
    /// expiredCertsOnCRL: certificates that expired since then are still listed.
    pub expired_certs_on_crl: Option<Time>,
    /// The critical ones that this crate does not know, dotted: by RFC 5280 §5.2 the CRL can't be used to say good.
    pub unknown_critical: Vec<String>,
    /// The content of the SEQUENCE.
    octets: Vec<u8>,
}

impl CrlExtensions {
    /// Every extension as it is written, for those who judge their form.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'_>> {
        // They were all read once, so none is an error.
        Extensions::new(&self.octets).flatten()
    }

    /// The extension with this identifier's content octets.
    pub(crate) fn find(&self, oid: &[u8]) -> Option<Extension<'_>> {
        self.iter().find(|extension| extension.oid == oid)
    }

    /// Reads the content of `[0]`. `at` is its offset.
    pub(crate) fn read(explicit: &[u8], at: u64) -> Result<Self, ReadError> {
        let field = Field::CrlExtensions;
        let content = only(explicit, tag::SEQUENCE).map_err(|error| ReadError::Der { at, field, error })?;
        if content.is_empty() {
            // Extensions ::= SEQUENCE SIZE (1..MAX)
            return Err(ReadError::Der { at, field, error: DerError::Empty });
        }
        let mut read = Self { octets: content.to_vec(), ..Self::default() };
        let mut seen: Vec<&[u8]> = Vec::new();
        for extension in Extensions::new(content) {
            let extension = extension.map_err(|error| ReadError::Der { at, field, error })?;
            if seen.len() == MAX_CRL_EXTENSIONS {
                return Err(ReadError::TooManyExtensions { at, field, limit: MAX_CRL_EXTENSIONS });
            }
            if seen.contains(&extension.oid) {
                return Err(ReadError::ExtensionRepeated { at, field, oid: extension.dotted_oid() });
            }
            seen.push(extension.oid);
            read.take(extension, at)?;
        }
        Ok(read)
    }

    fn take(&mut self, extension: Extension<'_>, at: u64) -> Result<(), ReadError> {
        let value = extension.value;
        match extension.oid {
            oid::AUTHORITY_KEY_IDENTIFIER => {
                let field = Field::AuthorityKeyIdentifier;
                self.authority_key_identifier =
                    key_identifier(value).map_err(|error| ReadError::Der { at, field, error })?;
            }
            oid::CRL_NUMBER => self.crl_number = Some(number(value, at, Field::CrlNumber)?),
            oid::DELTA_CRL_INDICATOR => self.base_crl_number = Some(number(value, at, Field::DeltaCrlIndicator)?),
            oid::ISSUING_DISTRIBUTION_POINT => {
                let point = IssuingDistributionPoint::read(value);
                self.issuing_distribution_point = Some(point.map_err(scope(at, Field::IssuingDistributionPoint))?);
            }
            oid::FRESHEST_CRL => {
                self.freshest_crl = DistributionPoint::read_all(value).map_err(scope(at, Field::FreshestCrl))?;
            }
            oid::EXPIRED_CERTS_ON_CRL => {
                let field = Field::ExpiredCertsOnCrl;
                let mut cursor = Cursor::new(value);
                let date = cursor.any().and_then(|date| cursor.finish().map(|()| date));
                let date = date.map_err(|error| ReadError::Der { at, field, error })?;
                // A GeneralizedTime by X.509; a UTCTime is seen in the field, and says the same.
                let time = Time::read(date.tag, date.content);
                self.expired_certs_on_crl = Some(time.map_err(|error| ReadError::Time { at, field, error })?);
            }
            _ if extension.critical => self.unknown_critical.push(extension.dotted_oid()),
            _ => {}
        }
        Ok(())
    }
}

fn scope(at: u64, field: Field) -> impl Fn(ScopeError) -> ReadError {
    move |error| ReadError::Scope { at, field, error }
}

fn number(value: &[u8], at: u64, field: Field) -> Result<CrlNumber, ReadError> {
    let content = only(value, tag::INTEGER).map_err(|error| ReadError::Der { at, field, error })?;
    CrlNumber::from_integer_octets(content).map_err(|error| ReadError::Number { at, field, error })
}

/// AuthorityKeyIdentifier's `[0]` keyIdentifier; authorityCertIssuer and authorityCertSerialNumber are passed over.
fn key_identifier(value: &[u8]) -> Result<Option<Vec<u8>>, DerError> {
    let mut fields = Cursor::new(only(value, tag::SEQUENCE)?);
    let key_identifier = fields.optional(tag::CONTEXT_0)?.map(<[u8]>::to_vec);
    fields.optional(tag::CONTEXT_1_CONSTRUCTED)?;
    fields.optional(tag::CONTEXT_0 | 2)?;
    fields.finish()?;
    Ok(key_identifier)
}

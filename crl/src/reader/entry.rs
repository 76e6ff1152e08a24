//! One entry of revokedCertificates (RFC 5280 §5.1.2.6, §5.3).

use super::error::{Field, ReadError};
use crate::der::{Cursor, DerError, integer, octets_u64, only, tag, unsigned_integer};
use crate::extension::{Extension, Extensions, oid};
use crate::scope::read_general_names;
use crate::time::{Time, TimeForm};
use crate::{ReasonCode, ReasonCodeError};

/// Octets of an entry that are read: a certificateIssuer's names are the only part that grows, and real ones take hundreds.
pub const MAX_ENTRY_OCTETS: u64 = 32 * 1024;
/// Octets of a serial number that are read: RFC 5280 §4.1.2.2 allows 20, and numbers of up to 33 are in use.
pub const MAX_SERIAL_OCTETS: usize = 40;
/// Extensions of one entry: the standard defines three and deprecates a fourth.
pub const MAX_ENTRY_EXTENSIONS: usize = 16;

/// One entry, borrowed from the reader until the next is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// userCertificate: an INTEGER's content octets, 1 to 40 of them; not negative but where the reader tolerates it.
    pub serial: &'a [u8],
    /// revocationDate.
    pub revocation_date: Time,
    /// reasonCode's number as it was written; 7 and those above 10 are no reasons.
    pub reason_number: Option<u8>,
    /// invalidityDate.
    pub invalidity_date: Option<Time>,
    /// The certificate issuer's Name, DER, where this entry or one before it had a certificateIssuer (RFC 5280 §5.3.3:
    /// it carries over). `None` stands for the CRL's issuer.
    pub certificate_issuer: Option<&'a [u8]>,
    /// Whether this entry has the extension itself.
    pub certificate_issuer_written: bool,
    /// The first critical extension that this crate does not know: by RFC 5280 §5.3 the CRL can't be used to say good.
    pub unknown_critical: Option<&'a [u8]>,
    /// crlEntryExtensions' content; empty where absent.
    extensions: &'a [u8],
    /// Octets from the CRL's start to this entry.
    pub at: u64,
}

impl<'a> Entry<'a> {
    /// The reason, if one is written.
    ///
    /// # Errors
    /// A number that is no reason: the certificate is revoked all the same.
    pub fn reason(&self) -> Result<Option<ReasonCode>, ReasonCodeError> {
        self.reason_number.map(ReasonCode::try_from).transpose()
    }

    /// Its extensions as they are written, for those who judge their form.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        // They were all read once, so none is an error.
        Extensions::new(self.extensions).flatten()
    }

    /// Whether it has no extensions.
    pub(crate) fn extensions_are_empty(&self) -> bool {
        self.extensions.is_empty()
    }

    /// Reads an entry's content. The issuer that carries over is the reader's to set.
    #[inline]
    pub(crate) fn read(content: &'a [u8], at: u64, tolerate_negative: bool) -> Result<Self, ReadError> {
        let der = |field| move |error| ReadError::Der { at, field, error };
        let mut fields = Cursor::new(content);
        let check = if tolerate_negative { integer } else { unsigned_integer };
        let serial = fields.expect(tag::INTEGER).and_then(check).map_err(der(Field::UserCertificate))?;
        if serial.len() > MAX_SERIAL_OCTETS {
            return Err(too_large(at, Field::UserCertificate, serial.len(), MAX_SERIAL_OCTETS));
        }
        let date = fields.any().map_err(der(Field::RevocationDate))?;
        let revocation_date = Time::read(date.tag, date.content).map_err(|error| ReadError::Time {
            at,
            field: Field::RevocationDate,
            error,
        })?;
        let mut entry = Self {
            serial,
            revocation_date,
            reason_number: None,
            invalidity_date: None,
            certificate_issuer: None,
            certificate_issuer_written: false,
            unknown_critical: None,
            extensions: &[],
            at,
        };
        if !fields.is_empty() {
            entry.extensions = fields.expect(tag::SEQUENCE).map_err(der(Field::CrlEntryExtensions))?;
            fields.finish().map_err(der(Field::Entry))?;
            entry.read_extensions()?;
        }
        Ok(entry)
    }

    fn read_extensions(&mut self) -> Result<(), ReadError> {
        let (at, field) = (self.at, Field::CrlEntryExtensions);
        if self.extensions.is_empty() {
            // Extensions ::= SEQUENCE SIZE (1..MAX)
            return Err(ReadError::Der { at, field, error: DerError::Empty });
        }
        // Most entries have this extension alone, and always these octets.
        if let [0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, tag::ENUMERATED, 1, number @ ..=0x7f] = self.extensions {
            self.reason_number = Some(*number);
            return Ok(());
        }
        for (count, extension) in Extensions::new(self.extensions).enumerate() {
            let extension = extension.map_err(|error| ReadError::Der { at, field, error })?;
            if count == MAX_ENTRY_EXTENSIONS {
                return Err(ReadError::TooManyExtensions { at, field, limit: MAX_ENTRY_EXTENSIONS });
            }
            let mut before = Extensions::new(self.extensions).take(count).flatten();
            if before.any(|before| before.oid == extension.oid) {
                return Err(ReadError::ExtensionRepeated { at, field, oid: extension.dotted_oid() });
            }
            match extension.oid {
                oid::REASON_CODE => self.reason_number = Some(reason_number(extension.value, at)?),
                oid::INVALIDITY_DATE => self.invalidity_date = Some(invalidity_date(extension.value, at)?),
                oid::CERTIFICATE_ISSUER => {
                    self.certificate_issuer = Some(certificate_issuer(extension.value, at)?);
                    self.certificate_issuer_written = true;
                }
                unknown if extension.critical => {
                    self.unknown_critical.get_or_insert(unknown);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn too_large(at: u64, field: Field, octets: usize, limit: usize) -> ReadError {
    ReadError::TooLarge { at, field, octets: octets_u64(octets), limit: octets_u64(limit) }
}

fn reason_number(value: &[u8], at: u64) -> Result<u8, ReadError> {
    let field = Field::ReasonCode;
    let content =
        only(value, tag::ENUMERATED).and_then(unsigned_integer).map_err(|error| ReadError::Der { at, field, error })?;
    match content {
        [number] => Ok(*number),
        _ => Err(too_large(at, field, content.len(), 1)),
    }
}

fn invalidity_date(value: &[u8], at: u64) -> Result<Time, ReadError> {
    let field = Field::InvalidityDate;
    let mut cursor = Cursor::new(value);
    let date = cursor.any().and_then(|date| cursor.finish().map(|()| date));
    let date = date.map_err(|error| ReadError::Der { at, field, error })?;
    let time = Time::read(date.tag, date.content).map_err(|error| ReadError::Time { at, field, error })?;
    match time.form {
        TimeForm::GeneralizedTime => Ok(time),
        // §5.3.2: InvalidityDate ::= GeneralizedTime, of whatever year.
        TimeForm::UtcTime => {
            let error = DerError::UnexpectedTag { expected: tag::GENERALIZED_TIME, found: tag::UTC_TIME };
            Err(ReadError::Der { at, field, error })
        }
    }
}

/// The Name in a certificateIssuer's GeneralNames.
fn certificate_issuer(value: &[u8], at: u64) -> Result<&[u8], ReadError> {
    let field = Field::CertificateIssuer;
    let content = only(value, tag::SEQUENCE).map_err(|error| ReadError::Der { at, field, error })?;
    read_general_names(content).map_err(|error| ReadError::Scope { at, field, error })?;
    let mut names = Cursor::new(content);
    // Bounded: `read_general_names` took no more than its limit.
    while let Ok(name) = names.any() {
        if name.tag == 0xa4 {
            return Ok(name.content);
        }
    }
    Err(ReadError::CertificateIssuerWithoutName { at })
}

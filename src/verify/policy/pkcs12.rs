//! The certificates of a PKCS #12 file (RFC 7292): the system's OpenSSL decrypts it, once its MAC has told the password.

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;

use crate::asn1::{DerError, Reader, writer};
use crate::verify::cms::{BerError, normalise, oid};

/// Rounds of the MAC's key derivation: tools write 2,048 to a million, and ten million take some seconds. Those of the
/// encryption below are by whoever knew the password.
const MAX_ITERATIONS: u64 = 10_000_000;
/// Certificates and keys of a file without a MAC, and its parts: as many as are taken of other forms.
const MAX_BAGS: usize = 10_000;

/// certBag (RFC 7292 §4.2.3), and x509Certificate in it.
const CERT_BAG: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 12, 10, 1, 3];
const X509_CERTIFICATE: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 9, 22, 1];
/// id-PBMAC1 (RFC 8018 §7.1, RFC 9579).
const PBMAC1: &[u8] = &[42, 0x86, 72, 0x86, 0xf7, 13, 1, 5, 14];

/// OpenSSL's numbers: ERR_LIB_PKCS12, its PKCS12_R_MAC_VERIFY_FAILURE, and any library's ERR_R_UNSUPPORTED.
const LIBRARY_PKCS12: i32 = 35;
const MAC_VERIFY_FAILURE: i32 = 113;
const UNSUPPORTED: i32 = 0x8010c;

/// Why a PKCS #12 file gives no certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs12Error {
    /// The structure is broken.
    #[error("the PKCS #12 file is broken: {0}")]
    Malformed(#[from] DerError),
    /// The encoding is broken, or too large.
    #[error("the PKCS #12 file is broken: {0}")]
    Encoding(#[from] BerError),
    /// OpenSSL does not read it.
    #[error("the PKCS #12 file is broken: {message}")]
    Broken {
        /// What OpenSSL says.
        message: String,
    },
    /// The MAC is of another password: none was given.
    #[error("the PKCS #12 file has a password; name its file in password_file")]
    PasswordNeeded,
    /// The MAC is of another password than the one given.
    #[error("the password is not the PKCS #12 file's")]
    PasswordWrong,
    /// A password that can't be handed to OpenSSL.
    #[error("a password with a NUL character")]
    PasswordNul,
    /// The encryption, or the MAC, is one that the system's OpenSSL does not read: RC2 and RC4 of old tools.
    #[error(
        "the PKCS #12 file is encrypted by what OpenSSL here does not read, RC2 or RC4 of old tools for instance; write it \
         anew: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -nokeys -out NEW, or give the certificates in PEM"
    )]
    Unsupported,
    /// A file whose certificates are encrypted, without a MAC: its password can't be told from another.
    #[error("the PKCS #12 file is encrypted, but has no MAC; give the certificates in PEM")]
    NoMac,
    /// The key derivation takes too long.
    #[error("the PKCS #12 file asks for more than {MAX_ITERATIONS} rounds of key derivation")]
    TooManyIterations,
    /// There is too much in it.
    #[error("the PKCS #12 file has more than {MAX_BAGS} parts")]
    TooMany,
}

/// The certificates, each whole; `der` is the file's octets in DER.
pub(super) fn certificates(octets: &[u8], der: &[u8], password: Option<&str>) -> Result<Vec<Vec<u8>>, Pkcs12Error> {
    let mut pfx = Reader::only(der, writer::SEQUENCE)?;
    pfx.integer()?;
    let auth_safe = pfx.expect(writer::SEQUENCE)?;
    let Some(mac) = pfx.optional(writer::SEQUENCE)? else {
        pfx.finish()?;
        return without_mac(auth_safe.whole);
    };
    pfx.finish()?;
    if iterations(mac.content)? > MAX_ITERATIONS {
        return Err(Pkcs12Error::TooManyIterations);
    }
    if password.is_some_and(|password| password.contains('\0')) {
        return Err(Pkcs12Error::PasswordNul);
    }
    // What others left in the thread's queue would be taken for this call's.
    ErrorStack::get();
    let parsed = Pkcs12::from_der(octets).and_then(|file| file.parse2(password.unwrap_or_default()));
    let parsed = parsed.map_err(|errors| refused(&errors, password.is_some()))?;
    let chain = parsed.ca.iter().flatten().map(|certificate| certificate.to_der());
    let all = parsed.cert.iter().map(|certificate| certificate.to_der()).chain(chain);
    all.collect::<Result<_, _>>().map_err(|errors| refused(&errors, password.is_some()))
}

fn refused(errors: &ErrorStack, password_given: bool) -> Pkcs12Error {
    let errors = errors.errors();
    if errors.iter().any(|error| error.reason_code() == UNSUPPORTED) {
        Pkcs12Error::Unsupported
    } else if errors
        .iter()
        .any(|error| error.library_code() == LIBRARY_PKCS12 && error.reason_code() == MAC_VERIFY_FAILURE)
    {
        if password_given { Pkcs12Error::PasswordWrong } else { Pkcs12Error::PasswordNeeded }
    } else {
        let message = errors.first().and_then(|error| error.reason()).unwrap_or("it can't be decrypted");
        Pkcs12Error::Broken { message: message.to_owned() }
    }
}

/// MacData's (RFC 7292 §4): its own number, or PBMAC1's in the algorithm (RFC 9579 §4), whichever is more.
fn iterations(mac_data: &[u8]) -> Result<u64, DerError> {
    let mut fields = Reader::new(mac_data);
    let mut algorithm = fields.enter(writer::SEQUENCE)?.enter(writer::SEQUENCE)?;
    let of_algorithm = if algorithm.expect(writer::OBJECT_IDENTIFIER)?.content == PBMAC1 {
        let mut derivation = algorithm.enter(writer::SEQUENCE)?.enter(writer::SEQUENCE)?;
        derivation.expect(writer::OBJECT_IDENTIFIER)?;
        let mut parameters = derivation.enter(writer::SEQUENCE)?;
        parameters.read()?;
        number(parameters.integer()?)
    } else {
        1
    };
    fields.expect(writer::OCTET_STRING)?;
    let own = if fields.is_finished() { 1 } else { number(fields.integer()?) };
    Ok(own.max(of_algorithm))
}

/// An INTEGER's content; one that is negative or too large counts as the largest.
fn number(content: &[u8]) -> u64 {
    match content {
        [first, ..] if first & 0x80 == 0 && content.len() <= 8 => {
            content.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet))
        }
        _ => u64::MAX,
    }
}

/// A file without a MAC, a Java trust store without a password for instance: certificates that are not encrypted.
fn without_mac(auth_safe: &[u8]) -> Result<Vec<Vec<u8>>, Pkcs12Error> {
    let safe = plain(&mut Reader::new(auth_safe))?.ok_or(Pkcs12Error::NoMac)?;
    let safe = normalise(safe)?;
    let mut parts = Reader::only(&safe, writer::SEQUENCE)?;
    let mut certificates = Vec::new();
    let mut left = MAX_BAGS;
    while !parts.is_finished() {
        left = left.checked_sub(1).ok_or(Pkcs12Error::TooMany)?;
        let contents = normalise(plain(&mut parts)?.ok_or(Pkcs12Error::NoMac)?)?;
        let mut bags = Reader::only(&contents, writer::SEQUENCE)?;
        while !bags.is_finished() {
            left = left.checked_sub(1).ok_or(Pkcs12Error::TooMany)?;
            certificates.extend(certificate(&mut bags)?);
        }
    }
    Ok(certificates)
}

/// The octets in a ContentInfo of data; `None` for another, which is encrypted.
fn plain<'a>(list: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DerError> {
    let mut info = list.enter(writer::SEQUENCE)?;
    if info.expect(writer::OBJECT_IDENTIFIER)?.content != oid::DATA {
        return Ok(None);
    }
    let mut explicit = info.enter(writer::context(0))?;
    explicit.expect(writer::OCTET_STRING).map(|octets| Some(octets.content))
}

/// The certificate in a SafeBag (RFC 7292 §4.2); `None` for a bag of something else.
fn certificate(bags: &mut Reader<'_>) -> Result<Option<Vec<u8>>, DerError> {
    let mut bag = bags.enter(writer::SEQUENCE)?;
    if bag.expect(writer::OBJECT_IDENTIFIER)?.content != CERT_BAG {
        return Ok(None);
    }
    let mut certificate = bag.enter(writer::context(0))?.enter(writer::SEQUENCE)?;
    if certificate.expect(writer::OBJECT_IDENTIFIER)?.content != X509_CERTIFICATE {
        return Ok(None);
    }
    let octets = certificate.enter(writer::context(0))?.expect(writer::OCTET_STRING)?.content;
    Ok(Some(octets.to_vec()))
}

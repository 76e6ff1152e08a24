//! signing-certificate, v1 and v2 (RFC 5035 §3, §5): which certificate the signer says it signed with.

use super::super::certificate::Certificate;
use super::super::general_name::GeneralName;
use super::super::signature::Digest;
use crate::asn1::{DerError, Reader, Tlv, writer};

/// Certificates that are named: the signer's and those above it.
const MAX_CERT_IDS: usize = 64;

/// ESSCertID or ESSCertIDv2 of the signer's certificate: the first that the attribute names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningCertificate<'a> {
    /// The digest's AlgorithmIdentifier, whole; `None` for the version's default.
    algorithm: Option<&'a [u8]>,
    default: Digest,
    /// certHash.
    pub hash: &'a [u8],
    /// issuerSerial: GeneralNames, whole, and the serial number's content octets.
    pub issuer_serial: Option<(&'a [u8], &'a [u8])>,
}

/// Whether a certificate is the one that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// By hash and, where it is there, by issuerSerial.
    Same,
    /// By hash, but issuerSerial is another.
    IssuerSerialDiffers,
    /// No.
    Other,
}

impl<'a> SigningCertificate<'a> {
    /// Reads a SigningCertificate: the hash is SHA-1.
    ///
    /// # Errors
    /// Not that, or one that names no certificate.
    pub fn from_v1_der(value: &'a [u8]) -> Result<Self, DerError> {
        Self::read(value, Digest::Sha1, |_| Ok(None))
    }

    /// Reads a SigningCertificateV2: the hash is SHA-256 unless it says otherwise.
    ///
    /// # Errors
    /// As [`Self::from_v1_der`].
    pub fn from_v2_der(value: &'a [u8]) -> Result<Self, DerError> {
        Self::read(value, Digest::Sha256, |fields| Ok(fields.optional(writer::SEQUENCE)?.map(|field| field.whole)))
    }

    fn read(
        value: &'a [u8],
        default: Digest,
        algorithm: impl Fn(&mut Reader<'a>) -> Result<Option<&'a [u8]>, DerError>,
    ) -> Result<Self, DerError> {
        let mut outer = Reader::only(value, writer::SEQUENCE)?;
        let mut list = outer.enter(writer::SEQUENCE)?;
        // policies: of no meaning without a policy that asks.
        outer.optional(writer::SEQUENCE)?;
        outer.finish()?;
        let mut first = None;
        let mut count = 0;
        while !list.is_finished() {
            count += 1;
            if count > MAX_CERT_IDS {
                return Err(DerError::Value { what: "number of certificates" });
            }
            let mut fields = list.enter(writer::SEQUENCE)?;
            let algorithm = algorithm(&mut fields)?;
            let hash = fields.expect(writer::OCTET_STRING)?.content;
            let issuer_serial = fields.optional(writer::SEQUENCE)?.map(issuer_serial).transpose()?;
            fields.finish()?;
            first.get_or_insert(Self { algorithm, default, hash, issuer_serial });
        }
        first.ok_or(DerError::Value { what: "signing-certificate: it names no certificate" })
    }

    /// The hash's digest; `None` where it is not known.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.algorithm.map_or(Some(self.default), |identifier| Digest::from_identifier_der(identifier).ok())
    }

    /// Whether this names the certificate.
    #[must_use]
    pub fn binds(&self, certificate: &Certificate) -> Binding {
        let hash = match self.digest() {
            Some(Digest::Sha256) => self.hash == certificate.sha256(),
            Some(digest) => digest.of(certificate.der()).is_some_and(|hash| hash == self.hash),
            None => false,
        };
        if !hash {
            return Binding::Other;
        }
        let same = self.issuer_serial.is_none_or(|(issuer, serial)| {
            // RFC 5035 §4: issuer MUST contain only the issuer's name, as a directoryName.
            let named = GeneralName::read_all(issuer).is_ok_and(
                |names| matches!(&names[..], [GeneralName::DirectoryName(name)] if name == certificate.issuer_name()),
            );
            named && serial == certificate.serial()
        });
        if same { Binding::Same } else { Binding::IssuerSerialDiffers }
    }
}

fn issuer_serial(value: Tlv<'_>) -> Result<(&[u8], &[u8]), DerError> {
    let mut fields = Reader::new(value.content);
    let issuer = fields.expect(writer::SEQUENCE)?.whole;
    let serial = fields.expect(writer::INTEGER)?.content;
    fields.finish()?;
    Ok((issuer, serial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use writer::tlv;

    fn of(cert_ids: &[u8]) -> Vec<u8> {
        tlv(writer::SEQUENCE, &[&tlv(writer::SEQUENCE, &[cert_ids])])
    }

    #[test]
    fn the_default_is_the_versions_and_the_first_counts() {
        let ids = [0x30, 3, 4, 1, 7, 0x30, 3, 4, 1, 8];
        let value = of(&ids);
        let v1 = SigningCertificate::from_v1_der(&value).unwrap();
        assert_eq!((v1.hash, v1.digest(), v1.issuer_serial), (&[7][..], Some(Digest::Sha1), None));
        assert_eq!(SigningCertificate::from_v2_der(&value).unwrap().digest(), Some(Digest::Sha256));
        let unknown = of(&[0x30, 8, 0x30, 3, 6, 1, 0x2a, 4, 1, 7]);
        assert_eq!(SigningCertificate::from_v2_der(&unknown).unwrap().digest(), None);
        assert!(SigningCertificate::from_v1_der(&unknown).is_err());
    }

    #[test]
    fn refuses_what_names_nobody() {
        assert!(SigningCertificate::from_v1_der(&of(&[])).is_err());
        assert!(SigningCertificate::from_v1_der(&of(&[0x30, 4, 4, 0, 0x30, 0])).is_err());
        let many = of(&[0x30, 2, 4, 0].repeat(MAX_CERT_IDS + 1));
        assert_eq!(SigningCertificate::from_v1_der(&many), Err(DerError::Value { what: "number of certificates" }));
    }
}

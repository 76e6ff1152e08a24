//! CertID (RFC 6960 §4.1.1), read without copying.

use super::{DerError, Reader, writer};

/// Names one certificate: by its issuer's name and key, hashed, and by its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    /// The whole value as it was asked with; an answer repeats these octets.
    pub whole: &'a [u8],
    /// The hash algorithm's object identifier, content octets.
    pub hash_oid: &'a [u8],
    /// The hash of the issuer's Name in DER.
    pub issuer_name_hash: &'a [u8],
    /// The hash of the issuer's subjectPublicKey bits.
    pub issuer_key_hash: &'a [u8],
    /// The serial number, content octets of its INTEGER.
    pub serial: &'a [u8],
}

impl<'a> CertId<'a> {
    /// Reads the next value as a CertID.
    ///
    /// The hash algorithm's parameters are NULL or absent: clients send both. That the hashes have the algorithm's
    /// length is not asked: those that don't belong to no issuer.
    ///
    /// # Errors
    /// Anything that is not the structure in DER, other parameters included.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let tlv = reader.expect(writer::SEQUENCE)?;
        let mut fields = Reader::new(tlv.content);
        let mut algorithm = fields.enter(writer::SEQUENCE)?;
        let hash_oid = algorithm.expect(writer::OBJECT_IDENTIFIER)?.content;
        if algorithm.optional(writer::NULL)?.is_some_and(|parameters| !parameters.content.is_empty()) {
            return Err(DerError::Value { what: "hashAlgorithm NULL" });
        }
        algorithm.finish()?;
        let issuer_name_hash = fields.expect(writer::OCTET_STRING)?.content;
        let issuer_key_hash = fields.expect(writer::OCTET_STRING)?.content;
        let serial = fields.integer()?;
        fields.finish()?;
        Ok(Self { whole: tlv.whole, hash_oid, issuer_name_hash, issuer_key_hash, serial })
    }
}

/// The CertIDs of a request, one at least; the first, which is nearly always the only one, costs no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertIds<'a> {
    first: CertId<'a>,
    further: Vec<CertId<'a>>,
}

impl<'a> CertIds<'a> {
    pub(super) fn new(first: CertId<'a>) -> Self {
        Self { first, further: Vec::new() }
    }

    pub(super) fn push(&mut self, next: CertId<'a>) {
        self.further.push(next);
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> &CertId<'a> {
        &self.first
    }

    /// How many there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        1 + self.further.len()
    }

    /// All of them, in the request's order.
    pub fn iter(&self) -> impl Iterator<Item = &CertId<'a>> {
        std::iter::once(&self.first).chain(&self.further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use writer::tlv;

    fn read(parameters: &[u8], serial: &[u8]) -> Result<Vec<u8>, DerError> {
        let algorithm = tlv(writer::SEQUENCE, &[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], parameters]);
        let der = tlv(
            writer::SEQUENCE,
            &[&algorithm, &tlv(writer::OCTET_STRING, &[&[1; 20]]), &tlv(writer::OCTET_STRING, &[&[2; 20]]), serial],
        );
        let mut reader = Reader::new(&der);
        let read = CertId::read(&mut reader)?;
        reader.finish()?;
        assert_eq!(read.whole, der);
        assert_eq!(read.hash_oid, [0x2b, 0x0e, 3, 2, 0x1a]);
        assert_eq!((read.issuer_name_hash, read.issuer_key_hash), (&[1; 20][..], &[2; 20][..]));
        Ok(read.serial.to_vec())
    }

    #[test]
    fn parameters_are_null_or_absent() {
        assert_eq!(read(&[5, 0], &[2, 1, 7]), Ok(vec![7]));
        assert_eq!(read(&[], &[2, 2, 0, 0x80]), Ok(vec![0, 0x80]));
        assert_eq!(read(&[5, 1, 0], &[2, 1, 7]), Err(DerError::Value { what: "hashAlgorithm NULL" }));
        assert_eq!(read(&[4, 0], &[2, 1, 7]), Err(DerError::Trailing { count: 2 }));
    }

    #[test]
    fn the_serial_number_is_a_minimal_integer() {
        assert_eq!(read(&[5, 0], &[2, 2, 0, 1]), Err(DerError::Value { what: "INTEGER" }));
        assert_eq!(read(&[5, 0], &[2, 0]), Err(DerError::Value { what: "INTEGER" }));
        assert_eq!(read(&[5, 0], &[2, 1, 1, 5, 0]), Err(DerError::Trailing { count: 2 }));
    }
}

//! How requests name an issuer.

use crate::asn1::{CertId, writer};
use crate::ca::Certificate;
use crate::crypto::DigestAlgorithm;
use crate::store::CertIdHash;

/// The name and key of an issuer, by either hash that a CertID may use (RFC 6960 §4.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerHashes {
    sha1: Hashes,
    sha256: Hashes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hashes {
    oid: Vec<u8>,
    name: Vec<u8>,
    key: Vec<u8>,
    /// A CertID's content up to the serial number.
    before_serial: Vec<u8>,
}

impl Hashes {
    fn of(issuer: &Certificate, digest: DigestAlgorithm) -> Self {
        let oid = digest.oid().as_bytes().to_vec();
        let name = digest.digest(&issuer.subject_der).as_ref().to_vec();
        let key = digest.digest(issuer.public_key.key_bits()).as_ref().to_vec();
        let identifier = writer::tlv(writer::OBJECT_IDENTIFIER, &[&oid]);
        let before_serial = [
            writer::tlv(writer::SEQUENCE, &[&identifier, &[writer::NULL, 0]]),
            writer::tlv(writer::OCTET_STRING, &[&name]),
            writer::tlv(writer::OCTET_STRING, &[&key]),
        ]
        .concat();
        Self { oid, name, key, before_serial }
    }

    fn matches(&self, cert_id: &CertId<'_>) -> bool {
        cert_id.hash_oid == self.oid && cert_id.issuer_key_hash == self.key && cert_id.issuer_name_hash == self.name
    }
}

impl IssuerHashes {
    /// Hashes an issuer's subject Name and the bits of its key.
    #[must_use]
    pub fn of(issuer: &Certificate) -> Self {
        Self { sha1: Hashes::of(issuer, DigestAlgorithm::Sha1), sha256: Hashes::of(issuer, DigestAlgorithm::Sha256) }
    }

    /// The hash that the CertID names this issuer by; None if it names another, or by another hash.
    #[must_use]
    pub fn matches(&self, cert_id: &CertId<'_>) -> Option<CertIdHash> {
        [CertIdHash::Sha1, CertIdHash::Sha256].into_iter().find(|hash| self.hashes(*hash).matches(cert_id))
    }

    /// Whether a CertID that names this issuer has the very octets of [`Self::cert_id_der`]: only then is an answer made
    /// ahead the one that was asked for. What is free in DER is the parameters alone, NULL or absent.
    #[must_use]
    pub fn is_usual_form(&self, cert_id: &CertId<'_>, hash: CertIdHash) -> bool {
        let content_len = self.hashes(hash).before_serial.len() + writer::tlv_len(cert_id.serial.len());
        cert_id.whole.len() == writer::tlv_len(content_len)
    }

    /// The CertID, whole, that an answer made ahead carries; `serial` is the INTEGER's content octets.
    ///
    /// The hash algorithm's parameters are NULL, as openssl and what is built on it ask. Who asks without NULL asks with
    /// other octets for the same certificate. Given a stored answer, openssl, AWS-LC and NSS compare the algorithm's
    /// identifier, the hashes and the serial number, and the JDK reads NULL as absent: they take it. BouncyCastle's
    /// CertificateID.equals compares the whole structure and does not (all seen in their sources). An answer signed on
    /// demand therefore repeats [`CertId::whole`]; a stored one is for those whose `whole` is this.
    #[must_use]
    pub fn cert_id_der(&self, hash: CertIdHash, serial: &[u8]) -> Vec<u8> {
        let before = &self.hashes(hash).before_serial;
        let content_len = before.len() + writer::tlv_len(serial.len());
        let mut out = Vec::with_capacity(writer::tlv_len(content_len));
        writer::write_header(&mut out, writer::SEQUENCE, content_len);
        out.extend_from_slice(before);
        writer::write_tlv(&mut out, writer::INTEGER, &[serial]);
        out
    }

    fn hashes(&self, hash: CertIdHash) -> &Hashes {
        match hash {
            CertIdHash::Sha1 => &self.sha1,
            CertIdHash::Sha256 => &self.sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::{DerError, OcspRequest, Reader};
    use crate::ca::pem_decode;

    /// The CA whose certificates fuzz/seeds/ocsp_request/openssl-* ask for.
    fn issuer() -> Certificate {
        let der = pem_decode("CERTIFICATE", include_str!("../../testdata/ocsp/issuer.pem")).unwrap().remove(0);
        Certificate::from_der(&der).unwrap()
    }

    #[test]
    fn openssl_names_the_issuer_by_either_hash() {
        let hashes = IssuerHashes::of(&issuer());
        let several = include_bytes!("../../fuzz/seeds/ocsp_request/openssl-several");
        let request = OcspRequest::from_der(several).unwrap();
        let found: Vec<_> = request.cert_ids.iter().map(|id| hashes.matches(id).unwrap()).collect();
        assert_eq!(found, [CertIdHash::Sha1, CertIdHash::Sha1, CertIdHash::Sha256]);
        // What is made ahead is what openssl asks with, octet for octet.
        for (cert_id, hash) in request.cert_ids.iter().zip(found) {
            assert_eq!(hashes.cert_id_der(hash, cert_id.serial), cert_id.whole);
        }
    }

    #[test]
    fn null_or_not_is_the_same_certificate_in_other_octets() -> Result<(), DerError> {
        let hashes = IssuerHashes::of(&issuer());
        let whole = hashes.cert_id_der(CertIdHash::Sha1, &[1]);
        let mut without = whole.clone();
        // SEQUENCE, its length, SEQUENCE, its length, the identifier of seven octets, NULL.
        without.drain(11..13);
        without[1] -= 2;
        without[3] -= 2;
        let cert_id = CertId::read(&mut Reader::new(&without))?;
        assert_eq!(hashes.matches(&cert_id), Some(CertIdHash::Sha1));
        assert_ne!(cert_id.whole, whole);
        Ok(())
    }

    #[test]
    fn another_issuer_does_not_match() -> Result<(), DerError> {
        let hashes = IssuerHashes::of(&issuer());
        let whole = hashes.cert_id_der(CertIdHash::Sha256, &[1]);
        // Each of the fields in turn: the algorithm, the name's hash, the key's hash.
        for at in [12, 30, 60] {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert_eq!(hashes.matches(&CertId::read(&mut Reader::new(&other))?), None, "{at}");
        }
        // The hashes of one algorithm under the name of the other.
        let swapped = CertId { hash_oid: &hashes.sha1.oid, ..CertId::read(&mut Reader::new(&whole))? };
        assert_eq!(hashes.matches(&swapped), None);
        Ok(())
    }
}

//! Writes a complete or delta CRL of any number of entries, in two phases around the signature (RFC 5280 §5).
//!
//! Owns the encoding and what the standard forbids; owns neither keys nor the choice of entries. Memory does not grow with
//! the entries: they come from an [`EntrySource`] that is walked three times (to count, to sign, to write), or from an
//! [`EntrySpool`] that was filled once.
//!
//! 1. [`walk`] or [`EntrySpool::finish`]: the entries' octets are known.
//! 2. [`TbsCertList::new`], [`TbsCertList::write_tbs`]: the octets to be signed go to a digest or a signer.
//! 3. [`TbsCertList::write_certificate_list`]: the signed CRL. Where the signature's length is known beforehand (RSA,
//!    Ed25519), [`TbsCertList::prefix`] and [`TbsCertList::suffix`] let one walk do both.

mod entry;
mod error;
mod fields;
mod source;

use std::io::Write;

pub use entry::EntryFields;
pub use error::BuildError;
pub use fields::CrlFields;
pub use source::{EncodedEntries, EntrySource, EntrySpool, SpooledEntries, WalkedEntries, walk};

use crate::ReasonCode;
use crate::der::{octets_u64, push_header, tag, whole_octets};
use crate::scope::ReasonFlags;

/// A CRL that awaits its signature.
pub struct TbsCertList<E> {
    /// The TBSCertList's header and all up to the entries, the list's header included.
    before: Vec<u8>,
    entries: E,
    after: Vec<u8>,
    signature_algorithm: Vec<u8>,
    /// The whole TBSCertList's octets.
    octets: u64,
}

impl<E: EncodedEntries> TbsCertList<E> {
    /// Puts fields and entries together.
    ///
    /// # Errors
    /// What the standard forbids, of the fields alone or of fields and entries together.
    pub fn new(fields: &CrlFields, entries: E) -> Result<Self, BuildError> {
        fields.check()?;
        let demands = entries.demands();
        if demands.removes && fields.base_crl_number.is_none() {
            return Err(BuildError::RemoveFromCrlInCompleteCrl);
        }
        let point = fields.issuing_distribution_point.as_ref();
        if demands.names_issuers && !point.is_some_and(|point| point.indirect_crl) {
            return Err(BuildError::CertificateIssuerInDirectCrl);
        }
        let allowed = point.and_then(|point| point.only_some_reasons).unwrap_or(ReasonFlags::ALL);
        let outside = demands.reasons.without(allowed);
        if let Some(reason) =
            ReasonCode::ALL.into_iter().find(|reason| !ReasonFlags::of(&[*reason]).intersection(outside).is_empty())
        {
            return Err(BuildError::ReasonOutOfScope { reason });
        }
        let head = fields.before_entries()?;
        let after = fields.after_entries()?;
        let entries_octets = entries.octets();
        let content = octets_u64(head.len()) + entry::list_octets(entries_octets) + octets_u64(after.len());
        let mut before = Vec::with_capacity(head.len() + 16);
        push_header(&mut before, tag::SEQUENCE, content);
        before.extend_from_slice(&head);
        // §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent."
        if entries_octets != 0 {
            push_header(&mut before, tag::SEQUENCE, entries_octets);
        }
        let signature_algorithm = fields.signature_algorithm.clone();
        Ok(Self { before, entries, after, signature_algorithm, octets: whole_octets(content) })
    }

    /// Octets of the TBSCertList: of what is signed.
    #[must_use]
    pub fn tbs_octets(&self) -> u64 {
        self.octets
    }

    /// Writes the TBSCertList: the octets to be signed. May be called again.
    ///
    /// # Errors
    /// The entries or the output fail; the source gave other entries than before.
    pub fn write_tbs(&mut self, out: &mut dyn Write) -> Result<(), BuildError> {
        out.write_all(&self.before)?;
        self.entries.copy_to(out)?;
        out.write_all(&self.after)?;
        Ok(())
    }

    /// Hands the TBSCertList's octets to a function, chunk by chunk, as a digest takes them.
    ///
    /// # Errors
    /// As for [`Self::write_tbs`].
    pub fn for_each_tbs_chunk(&mut self, sink: impl FnMut(&[u8])) -> Result<(), BuildError> {
        self.write_tbs(&mut SinkWrite(sink))
    }

    /// What stands before the TBSCertList in a CertificateList whose signature has so many octets.
    #[must_use]
    pub fn prefix(&self, signature_octets: usize) -> Vec<u8> {
        // The BIT STRING's content has an octet more: of unused bits.
        let bit_string = whole_octets(octets_u64(signature_octets) + 1);
        let mut out = Vec::new();
        push_header(&mut out, tag::SEQUENCE, self.octets + octets_u64(self.signature_algorithm.len()) + bit_string);
        out
    }

    /// What stands after the TBSCertList: signatureAlgorithm and signatureValue.
    #[must_use]
    pub fn suffix(&self, signature: &[u8]) -> Vec<u8> {
        let mut out = self.signature_algorithm.clone();
        push_header(&mut out, tag::BIT_STRING, octets_u64(signature.len()) + 1);
        out.push(0);
        out.extend_from_slice(signature);
        out
    }

    /// Writes the whole CertificateList.
    ///
    /// # Errors
    /// As for [`Self::write_tbs`]; an empty signature.
    pub fn write_certificate_list(&mut self, signature: &[u8], out: &mut dyn Write) -> Result<(), BuildError> {
        if signature.is_empty() {
            return Err(BuildError::EmptySignature);
        }
        out.write_all(&self.prefix(signature.len()))?;
        self.write_tbs(out)?;
        out.write_all(&self.suffix(signature))?;
        Ok(())
    }
}

/// A function as a `Write`.
struct SinkWrite<F>(F);

impl<F: FnMut(&[u8])> Write for SinkWrite<F> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        (self.0)(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! A CRL in a file, held against its issuer before anything in it is believed (RFC 5280 §6.3.3 (f), (g)).

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use aws_lc_rs::digest::{Context, Digest};
use crl::{Crl, Index, IndexError, ReadError, Reader};

use crate::ca::Certificate;
use crate::crypto::{PublicKeyError, SignatureAlgorithm};

/// Entries of a CRL: the largest in the field has some three million. Five million take 230 MiB as an index.
pub const MAX_ENTRIES: u64 = 5_000_000;
/// Octets that are signed by Ed25519, which takes no digest: they are held in memory while they are verified.
pub const MAX_ED25519_OCTETS: usize = 64 * 1024 * 1024;

/// Why a CRL is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a CRL, or one that can't be understood.
    #[error("it can't be read: {0}")]
    Unreadable(ReadError),
    /// Somebody else's (RFC 5280 §6.3.3 (b)(1)).
    #[error("its issuer is not this issuer's subject, octet for octet")]
    Issuer,
    /// RFC 5280 §6.3.3 (f): cRLSign must be set where keyUsage is there.
    #[error("this issuer's certificate does not allow its key to sign CRLs (keyUsage without cRLSign)")]
    KeyUsage,
    /// The two key identifiers differ.
    #[error("it names another key of its issuer's than the one that is known here (authorityKeyIdentifier)")]
    KeyIdentifier,
    /// A signature algorithm that is not verified here.
    #[error("it is signed by an algorithm that is not accepted here")]
    Algorithm,
    /// The signature.
    #[error("{0}")]
    Signature(PublicKeyError),
    /// Too large for a signature that has no digest.
    #[error("it is signed by Ed25519, and larger than the {MAX_ED25519_OCTETS} octets that are held for that")]
    TooLargeForEd25519,
    /// It says that it was made later than now.
    #[error("its thisUpdate is {ahead_s} s ahead of the clock")]
    Future {
        /// By how much.
        ahead_s: i64,
    },
    /// A delta where a complete one is wanted.
    #[error("it is a delta, not a complete CRL")]
    IsDelta,
    /// A delta that does not go with what is held.
    #[error("the delta does not go with the complete CRL that is held: {0}")]
    Delta(crl::DeltaMismatch),
    /// An older one than is held.
    #[error("it is older than the one that is held")]
    Older,
    /// No index of it can be made.
    #[error("{0}")]
    Index(IndexError),
    /// The file changed while it was read.
    #[error("its file changed while it was read")]
    FileChanged,
    /// The file.
    #[error("its file can't be read: {0}")]
    File(std::io::Error),
}

/// A CRL whose signature verified under its issuer's key.
pub struct Verified {
    /// What it says besides its entries.
    pub crl: Crl,
    /// Its entries.
    pub index: Index,
}

/// What was signed, on its way to the verification.
enum Signed {
    Digest(Context),
    Message(Vec<u8>),
    TooLarge,
}

impl Signed {
    fn take(&mut self, octets: &[u8]) {
        match self {
            Self::Digest(context) => context.update(octets),
            Self::Message(message) if message.len() + octets.len() <= MAX_ED25519_OCTETS => {
                message.extend_from_slice(octets);
            }
            Self::Message(_) => *self = Self::TooLarge,
            Self::TooLarge => {}
        }
    }
}

/// Reads a CRL from a file and verifies it; only then is an index made of it, in a second reading.
///
/// # Errors
/// It is not this issuer's, or not used for another reason.
pub fn verify(file: &File, issuer: &Certificate) -> Result<Verified, Refusal> {
    // A key that may not sign CRLs spares the reading.
    if issuer.key_usage.as_ref().is_some_and(|(usage, _)| !usage.crl_sign()) {
        return Err(Refusal::KeyUsage);
    }
    let identifier = header(file)?.signature_algorithm;
    let algorithm = SignatureAlgorithm::from_identifier_der(&identifier, None).ok_or(Refusal::Algorithm)?;
    let implementation = algorithm.digest().implementation();
    let mut signed = match algorithm {
        SignatureAlgorithm::Ed25519 => Signed::Message(Vec::new()),
        _ => Signed::Digest(Context::new(implementation)),
    };
    let crl = start(file, |octets| signed.take(octets))?.finish().map_err(Refusal::Unreadable)?;
    if crl.header.issuer != issuer.subject_der {
        return Err(Refusal::Issuer);
    }
    if let (Some(named), Some(known)) = (&crl.extensions.authority_key_identifier, &issuer.subject_key_identifier)
        && named != known
    {
        return Err(Refusal::KeyIdentifier);
    }
    let key = &issuer.public_key;
    let verified: Digest = match signed {
        Signed::TooLarge => return Err(Refusal::TooLargeForEd25519),
        Signed::Message(message) => {
            key.verify(algorithm, &message, &crl.signature).map_err(Refusal::Signature)?;
            algorithm.digest().digest(&message)
        }
        Signed::Digest(context) => {
            let digest = context.finish();
            key.verify_digest(algorithm, &digest, &crl.signature).map_err(Refusal::Signature)?;
            digest
        }
    };
    // What is indexed is what was verified, whoever else can write to the directory.
    let mut again = Context::new(implementation);
    let reader = start(file, |octets| again.update(octets))?;
    let (index, indexed) = Index::from_crl(reader).map_err(Refusal::Index)?;
    let is_same = indexed == crl && verified.as_ref() == again.finish().as_ref();
    if is_same { Ok(Verified { crl, index }) } else { Err(Refusal::FileChanged) }
}

fn header(file: &File) -> Result<crl::Header, Refusal> {
    Ok(start(file, |_| {})?.header().clone())
}

/// A reader from the file's beginning.
fn start<S: FnMut(&[u8])>(file: &File, sink: S) -> Result<Reader<crl::Stream<&File>, S>, Refusal> {
    let mut input = file;
    input.seek(SeekFrom::Start(0)).map_err(Refusal::File)?;
    let reader = Reader::from_read(file, MAX_ENTRIES, sink).map_err(Refusal::Unreadable)?;
    Ok(reader.tolerating_empty_list())
}

//! Why octets are no SignedData, and why a signer's signature does not hold.

use super::super::budget::BudgetExhausted;
use super::super::signature::{AlgorithmError, Digest, KeyError, SignatureAlgorithm, SignatureError};
use super::ber::BerError;
use crate::asn1::DerError;

/// Why octets are not taken as a SignedData.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// Not BER that is read here.
    #[error("not a CMS message: {0}")]
    Ber(#[from] BerError),
    /// Not the structure.
    #[error("the CMS message is malformed: {0}")]
    Malformed(#[from] DerError),
    /// A ContentInfo of something else, enveloped data for instance.
    #[error("the CMS message is of the type {oid}, not signed data")]
    NotSignedData {
        /// Dotted.
        oid: String,
    },
    /// The signed content is no OCTET STRING though its type, id-data or TSTInfo, is one; or it is one in BER that was not
    /// normalised.
    #[error("the signed content has the tag {tag:#04x}, not OCTET STRING")]
    ContentNotOctetString {
        /// Its tag.
        tag: u8,
    },
    /// There is too much of something.
    #[error("more than {limit} {what} in one CMS message")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Why an attribute is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// RFC 5652 §5.3: signedAttrs MUST contain content-type and message-digest.
    #[error("the signed attribute {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// RFC 5652 §11: MUST NOT include multiple instances, and MUST have a single value.
    #[error("the signed attribute {name} has {values} values in all instead of one")]
    NotSingle {
        /// Its name.
        name: &'static str,
        /// Values of all instances.
        values: usize,
    },
    /// Its value is not of its type.
    #[error("the signed attribute {name} is malformed: {error}")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        error: DerError,
    },
}

/// Why a signer's signature does not hold. Whether its certificate may be believed is another question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerFault {
    /// digestAlgorithm is not known, or has parameters.
    #[error("the signer's digest algorithm: {0}")]
    DigestAlgorithm(AlgorithmError),
    /// RFC 5652 §5.1: digestAlgorithms lists the digests of all signers, and who lacks one there may be refused.
    #[error("the digest {} is not among the message's digestAlgorithms", .digest.name())]
    DigestNotListed {
        /// The signer's.
        digest: Digest,
    },
    /// The system's OpenSSL has the digest switched off.
    #[error("the digest {} can't be computed here", .digest.name())]
    DigestNotAvailable {
        /// Which.
        digest: Digest,
    },
    /// signatureAlgorithm is not known.
    #[error("{0}")]
    SignatureAlgorithm(AlgorithmError),
    /// A signed attribute that the signature depends on.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// RFC 5652 §5.3: signedAttrs MUST be present unless the content type is id-data.
    #[error("there are no signed attributes, though the content is not plain data")]
    NoSignedAttributes,
    /// There are no signed attributes, and the content is itself a set of them: the signature may have been made over
    /// another message's attributes.
    #[error("what is signed reads as the signed attributes of another message")]
    ContentIsAttributes,
    /// The message carries no content, and none was given.
    #[error("the signed content is not in the message, and was not given")]
    NoContent,
    /// The message carries another content than was given.
    #[error("the message carries another content than the one given")]
    ContentDiffers,
    /// The content was given by another digest than the signer's.
    #[error("the content was given by another digest than {}, which the signer used", .digest.name())]
    DigestNotGiven {
        /// The signer's.
        digest: Digest,
    },
    /// The signature is by an algorithm that signs the content itself, Ed25519 for instance, and only its digest was given.
    #[error("the signature is over the content itself, of which only a digest was given")]
    ContentNeeded,
    /// RFC 5652 §11.1: the content-type attribute MUST be the content's type.
    #[error("the signed attribute content-type is not the content's type")]
    ContentTypeDiffers,
    /// RFC 5652 §5.6: the message-digest attribute MUST be the content's digest.
    #[error("the content's digest is not the signed one: the content was changed")]
    MessageDigestDiffers,
    /// Nobody's certificate at hand is the one that the signer names.
    #[error("the signer's certificate is neither in the message nor held")]
    NoSigningCertificate,
    /// RFC 5035 §5: the certificate MUST be the one that the signed attribute names by its hash.
    #[error("the certificate is not the one that the signed attribute signing-certificate names")]
    SigningCertificateDiffers,
    /// The certificate's key can't be used.
    #[error("the signer's key: {0}")]
    Key(KeyError),
    /// The signature does not verify.
    #[error("{error} ({algorithm})")]
    Signature {
        /// By which algorithm.
        algorithm: SignatureAlgorithm,
        /// Why.
        error: SignatureError,
    },
    /// Too many signatures in one message.
    #[error(transparent)]
    Budget(#[from] BudgetExhausted),
}

/// What a signer does against a MUST or SHOULD that no signature depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CmsFinding {
    /// RFC 5652 §5.1: SignedData's version follows from what it contains.
    SignedDataVersion {
        /// As written.
        version: u8,
        /// As it should be.
        expected: u8,
    },
    /// RFC 5652 §5.3: SignerInfo's version follows from how it names the signer.
    SignerInfoVersion {
        /// As written.
        version: u8,
        /// As it should be.
        expected: u8,
    },
    /// RFC 5652 §5.3: the identifier names the certificate's issuer by the same name (RFC 5280 §7.1) in other octets.
    IssuerWrittenDifferently,
    /// RFC 5652 §5.4: the attributes MUST be signed in DER, which sorts them; they are not sorted as they stand.
    AttributesNotSorted {
        /// Whether the signature is over them sorted; if not, as they stand.
        signed_sorted: bool,
    },
    /// RFC 5652 §5.4: one digest is used for the content and for the attributes.
    DigestsDiffer {
        /// digestAlgorithm.
        digest: Digest,
        /// signatureAlgorithm's.
        signature_digest: Digest,
    },
    /// RFC 5652 §11.3: the signing-time attribute is no time, or stands there more than once.
    SigningTimeMalformed,
    /// RFC 5035 §5: issuerSerial is another than the certificate's, which the hash names all the same.
    IssuerSerialDiffers,
    /// RFC 5652 §5.2.1: the content is no OCTET STRING, as in PKCS #7; the signature is over its octets without tag and length.
    ContentNotOctetString {
        /// Its tag.
        tag: u8,
    },
    /// There are no signed attributes, and of the content a digest alone was given: that the content is not itself another
    /// message's signed attributes, over which the signature was made, is for who has it to see.
    ContentByDigestAlone,
    /// RFC 5652 §11.4: a counter-signature's signed attributes MUST NOT contain content-type, as PKCS #7's did.
    CounterSignatureContentType,
    /// EN 319 122-1 §5.2.2: CAdES demands signing-certificate or signing-certificate-v2.
    NoSigningCertificateAttribute,
}

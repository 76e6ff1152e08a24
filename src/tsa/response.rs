//! A client's side: reading a TimeStampResp and checking its token (RFC 3161 §2.4.2).
//!
//! Checks what a client must before it trusts the answer: status, imprint, nonce, the one signer's signature over the
//! original octets, the signing-certificate attribute, the certificate's key usage, and the chain where a root is given.

use crate::asn1::tst_info::TstInfo;
use crate::asn1::{DerError, FailureBit, Reader, writer};
use crate::ca::chain::{self, ChainError};
use crate::ca::{Certificate, CertificateError, CertificateKind, profile};
use crate::crypto::{DigestAlgorithm, PublicKeyError, SignatureAlgorithm};

/// Why a response is not a timestamp for the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Not a TimeStampResp in DER.
    #[error("the answer is not a TimeStampResp in DER: {0}")]
    Malformed(#[from] DerError),
    /// The server refused.
    #[error("the server refused: {} ({text})", bit.map_or("no failure bit", FailureBit::name))]
    Refused {
        /// The failure bit.
        bit: Option<FailureBit>,
        /// The server's text.
        text: String,
    },
    /// A field of the token is not what was asked for.
    #[error("the token's {field} is not the request's")]
    Mismatch {
        /// Which.
        field: &'static str,
    },
    /// The token lacks something, or has it in a form that the standard forbids.
    #[error("the token is not as RFC 3161 demands: {what}")]
    Form {
        /// What.
        what: &'static str,
    },
    /// The signature does not verify.
    #[error("the token's signature: {0}")]
    Signature(#[from] PublicKeyError),
    /// A certificate in the token can't be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The chain does not lead to the root given.
    #[error("the token's certificate does not lead to the root given: {0}")]
    Chain(String),
}

/// A token that was checked.
#[derive(Clone, Debug)]
pub struct CheckedToken {
    /// genTime as written.
    pub gen_time: String,
    /// The serial number's octets.
    pub serial_number: Vec<u8>,
    /// The policy in dotted decimal.
    pub policy: String,
    /// The declared accuracy in microseconds.
    pub accuracy_us: Option<u64>,
    /// The signer's certificate.
    pub signer: Certificate,
    /// Whether the chain was verified up to a root that was given.
    pub chain_verified: bool,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The request's MessageImprint, whole.
    pub message_imprint: &'a [u8],
    /// The request's nonce, whole.
    pub nonce: &'a [u8],
    /// Roots and intermediates to trust; empty leaves the chain unchecked.
    pub trusted: &'a [Certificate],
}

/// Checks a TimeStampResp against what was asked with certReq TRUE.
///
/// # Errors
/// The first check that fails.
pub fn check(response: &[u8], asked: &Asked<'_>) -> Result<CheckedToken, ResponseError> {
    let form = |what| ResponseError::Form { what };
    let mut fields = Reader::only(response, writer::SEQUENCE)?;
    let mut status = fields.enter(writer::SEQUENCE)?;
    // granted(0) or grantedWithMods(1).
    if !matches!(status.integer()?, [0] | [1]) {
        return Err(refusal(status));
    }
    let token = fields.expect(writer::SEQUENCE)?;
    fields.finish()?;

    let signed_data = SignedData::read(token.content)?;
    let tst_info = TstInfo::from_der(signed_data.content)?;
    if tst_info.message_imprint != asked.message_imprint {
        return Err(ResponseError::Mismatch { field: "message imprint" });
    }
    if tst_info.nonce != Some(asked.nonce) {
        return Err(ResponseError::Mismatch { field: "nonce" });
    }
    let certificates = signed_data.certificates()?;
    let signer = certificates
        .iter()
        .find(|certificate| {
            let serial = writer::tlv(writer::INTEGER, &[&certificate.serial_number]);
            [certificate.issuer_der.as_slice(), &serial].concat() == signed_data.signer_id
        })
        .ok_or(form("the signer's certificate is not in it"))?;
    let digest = DigestAlgorithm::ALL
        .into_iter()
        .find(|digest| digest.oid().as_bytes() == signed_data.digest_oid)
        .ok_or(form("an unknown digest algorithm"))?;
    let attributes = Attributes::read(signed_data.signed_attributes)?;
    if attributes.message_digest != digest.digest(signed_data.content).as_ref() {
        return Err(form("its message digest is not its content's"));
    }
    attributes.check_signing_certificate(signer)?;
    let algorithm = SignatureAlgorithm::from_identifier_der(signed_data.signature_algorithm, Some(digest))
        .ok_or(form("an unknown signature algorithm"))?;
    // The signature is over the attributes as a SET OF, tag 0x31 (RFC 5652 §5.4).
    let mut signed = signed_data.signed_attributes_whole.to_vec();
    signed[0] = writer::SET;
    signer.public_key.verify(algorithm, &signed, signed_data.signature)?;
    if let Some(finding) = profile::first_error(CertificateKind::Tsu, signer) {
        return Err(form(finding.text));
    }
    let gen_time_s = tst_info.gen_time_us.div_euclid(1_000_000);
    if gen_time_s < signer.not_before_s || gen_time_s > signer.not_after_s {
        return Err(form("genTime lies outside the certificate's validity"));
    }
    if !asked.trusted.is_empty() {
        let candidates = [asked.trusted, &certificates].concat();
        let path = chain::order(signer, &candidates).map_err(|error| {
            ResponseError::Chain(match error {
                ChainError::IssuerMissing { subject } => format!("no certificate at hand issued {subject}"),
                other => other.to_string(),
            })
        })?;
        let root = path.last().ok_or(form("an empty chain"))?;
        if !asked.trusted.contains(root) {
            return Err(ResponseError::Chain(format!("it ends at {}, which was not given", root.subject())));
        }
        chain::check(&path, gen_time_s).map_err(|error| ResponseError::Chain(error.to_string()))?;
    }
    Ok(CheckedToken {
        gen_time: tst_info.gen_time.to_owned(),
        serial_number: tst_info.serial_number.to_vec(),
        policy: crate::asn1::Oid::from_octets(tst_info.policy).map_or_else(|_| String::new(), |oid| oid.to_string()),
        accuracy_us: tst_info.accuracy_us,
        signer: signer.clone(),
        chain_verified: !asked.trusted.is_empty(),
    })
}

fn refusal(mut status: Reader<'_>) -> ResponseError {
    let mut read = || -> Result<(Option<FailureBit>, String), DerError> {
        let mut text = String::new();
        if let Some(texts) = status.optional(writer::SEQUENCE)? {
            let mut texts = Reader::new(texts.content);
            while !texts.is_finished() {
                text.push_str(&String::from_utf8_lossy(texts.expect(writer::UTF8_STRING)?.content));
            }
        }
        let bit = status.optional(writer::BIT_STRING)?.and_then(|bits| {
            (0..=25_u8).filter_map(FailureBit::from_number).find(|bit| {
                let number = bit.number();
                let octet = bits.content.get(1 + usize::from(number / 8)).copied().unwrap_or(0);
                octet & (0x80 >> (number % 8)) != 0
            })
        });
        Ok((bit, text))
    };
    match read() {
        // Control characters of a strange server do not reach the terminal.
        Ok((bit, text)) => ResponseError::Refused { bit, text: text.chars().filter(|c| !c.is_control()).collect() },
        Err(error) => ResponseError::Malformed(error),
    }
}

/// A SignedData with exactly one signer; slices are the original octets.
struct SignedData<'a> {
    content: &'a [u8],
    certificates: &'a [u8],
    signer_id: &'a [u8],
    digest_oid: &'a [u8],
    signed_attributes: &'a [u8],
    signed_attributes_whole: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

/// More certificates than any token carries.
const MAX_CERTIFICATES: usize = 16;

impl<'a> SignedData<'a> {
    fn read(content_info: &'a [u8]) -> Result<Self, ResponseError> {
        let form = |what| ResponseError::Form { what };
        let mut fields = Reader::new(content_info);
        if fields.expect(writer::OBJECT_IDENTIFIER)?.content != [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2] {
            return Err(form("not a SignedData"));
        }
        let mut explicit = fields.enter(writer::context(0))?;
        let mut data = explicit.enter(writer::SEQUENCE)?;
        data.integer()?;
        data.expect(writer::SET)?;
        let mut encapsulated = data.enter(writer::SEQUENCE)?;
        if encapsulated.expect(writer::OBJECT_IDENTIFIER)?.content
            != [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4]
        {
            return Err(form("its content is not a TSTInfo"));
        }
        let content = encapsulated.enter(writer::context(0))?.expect(writer::OCTET_STRING)?.content;
        let certificates = data.optional(writer::context(0))?.map(|set| set.content).unwrap_or_default();
        data.optional(writer::context(1))?;
        let mut signers = data.enter(writer::SET)?;
        let mut signer = signers.enter(writer::SEQUENCE)?;
        if !signers.is_finished() {
            return Err(form("more than one signer"));
        }
        if signer.integer()? != [1] {
            return Err(form("the signer is not named by issuer and serial number"));
        }
        let signer_id = signer.expect(writer::SEQUENCE)?.content;
        let digest_oid = signer.enter(writer::SEQUENCE)?.expect(writer::OBJECT_IDENTIFIER)?.content;
        let attributes = signer.expect(writer::context(0))?;
        let signature_algorithm = signer.expect(writer::SEQUENCE)?.whole;
        let signature = signer.expect(writer::OCTET_STRING)?.content;
        Ok(Self {
            content,
            certificates,
            signer_id,
            digest_oid,
            signed_attributes: attributes.content,
            signed_attributes_whole: attributes.whole,
            signature_algorithm,
            signature,
        })
    }

    fn certificates(&self) -> Result<Vec<Certificate>, ResponseError> {
        let mut reader = Reader::new(self.certificates);
        let mut list = Vec::new();
        while !reader.is_finished() {
            let next = reader.read()?;
            if list.len() == MAX_CERTIFICATES {
                return Err(ResponseError::Form { what: "too many certificates" });
            }
            if next.tag == writer::SEQUENCE {
                list.push(Certificate::from_der(next.whole)?);
            }
        }
        Ok(list)
    }
}

struct Attributes<'a> {
    message_digest: &'a [u8],
    signing_certificate: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    fn read(content: &'a [u8]) -> Result<Self, ResponseError> {
        let mut reader = Reader::new(content);
        let (mut message_digest, mut signing_certificate) = (None, None);
        while !reader.is_finished() {
            let mut attribute = reader.enter(writer::SEQUENCE)?;
            let oid = attribute.expect(writer::OBJECT_IDENTIFIER)?.content;
            let mut values = attribute.enter(writer::SET)?;
            match oid {
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4] => {
                    message_digest = Some(values.expect(writer::OCTET_STRING)?.content);
                }
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47] => {
                    signing_certificate = Some(values.expect(writer::SEQUENCE)?.content);
                }
                _ => {}
            }
        }
        let message_digest = message_digest.ok_or(ResponseError::Form { what: "no message-digest attribute" })?;
        Ok(Self { message_digest, signing_certificate })
    }

    /// The first ESSCertIDv2 names the signer (RFC 5035 §4).
    fn check_signing_certificate(&self, signer: &Certificate) -> Result<(), ResponseError> {
        let form = |what| ResponseError::Form { what };
        let value = self.signing_certificate.ok_or(form("no signing-certificate-v2 attribute"))?;
        let mut ids = Reader::new(value).enter(writer::SEQUENCE)?;
        let mut first = ids.enter(writer::SEQUENCE)?;
        let digest = match first.optional(writer::SEQUENCE)? {
            None => DigestAlgorithm::Sha256,
            Some(algorithm) => {
                let oid = Reader::new(algorithm.content).expect(writer::OBJECT_IDENTIFIER)?.content;
                DigestAlgorithm::ALL
                    .into_iter()
                    .find(|digest| digest.oid().as_bytes() == oid)
                    .ok_or(form("an unknown hash in signing-certificate-v2"))?
            }
        };
        let hash = first.expect(writer::OCTET_STRING)?.content;
        if hash == digest.digest(signer.der()).as_ref() {
            Ok(())
        } else {
            Err(form("signing-certificate-v2 names another certificate"))
        }
    }
}

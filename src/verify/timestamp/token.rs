//! TimeStampToken (RFC 3161 §2.4.2): a SignedData over a TSTInfo by one signer.

use super::super::cms::{CmsError, SignedData, SignerInfo, oid};
use super::super::signature::{AlgorithmError, Digest};
use crate::asn1::tst_info::TstInfo;
use crate::asn1::{DerError, Oid, Reader, writer};

/// Why octets are no timestamp token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Not a signed message.
    #[error(transparent)]
    Cms(#[from] CmsError),
    /// A signed message over something else.
    #[error("the signed content is of the type {oid}, not a TSTInfo")]
    NotTstInfo {
        /// Dotted.
        oid: String,
    },
    /// The TSTInfo is not in the token.
    #[error("the token does not contain its TSTInfo")]
    NoTstInfo,
    /// The TSTInfo is not one.
    #[error("the TSTInfo is malformed: {0}")]
    TstInfo(DerError),
    /// The imprint's hash algorithm is not known.
    #[error("the message imprint's hash algorithm: {0}")]
    ImprintAlgorithm(AlgorithmError),
    /// RFC 3161 §2.4.1: the imprint's length MUST be that of its hash.
    #[error("a message imprint of {octets} octets for {}", .digest.name())]
    ImprintLength {
        /// Its hash.
        digest: Digest,
        /// Its length.
        octets: usize,
    },
    /// RFC 5280 §4.2: what a critical extension that is not known means for the token can't be told.
    #[error("the TSTInfo has the critical extension {oid}, which is not known")]
    UnknownCriticalExtension {
        /// Dotted.
        oid: String,
    },
    /// RFC 3161 §2.4.2: MUST NOT contain any signatures other than the TSA's.
    #[error("{count} signers in a timestamp token, which has one")]
    Signers {
        /// How many.
        count: usize,
    },
    /// Not a TimeStampResp.
    #[error("the timestamp response is malformed: {0}")]
    Response(DerError),
    /// A response that refuses.
    #[error("the timestamp response has the status {status} (RFC 3161 §2.4.2), and no token")]
    NotGranted {
        /// PKIStatus' last octet.
        status: u8,
    },
}

/// The token in a TimeStampResp.
///
/// # Errors
/// Not a response, or one that grants nothing.
pub fn token_in_response(der: &[u8]) -> Result<&[u8], TimestampError> {
    let read = || -> Result<(u8, Option<&[u8]>), DerError> {
        let mut fields = Reader::only(der, writer::SEQUENCE)?;
        let status = fields.enter(writer::SEQUENCE)?.integer()?.last().copied().unwrap_or_default();
        let token = fields.optional(writer::SEQUENCE)?;
        fields.finish()?;
        Ok((status, token.map(|token| token.whole)))
    };
    match read().map_err(TimestampError::Response)? {
        // granted and grantedWithMods.
        (0 | 1, Some(token)) => Ok(token),
        (status, _) => Err(TimestampError::NotGranted { status }),
    }
}

/// A token as it is read; slices are its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampToken<'a> {
    /// The message around.
    pub signed_data: SignedData<'a>,
    /// Its one signer's place is the first.
    signer: SignerInfo<'a>,
    /// What is signed.
    pub tst_info: TstInfo<'a>,
    /// The imprint's hash algorithm: whether it is still good is for a policy.
    pub imprint_digest: Digest,
    /// The imprint: the hash of what is stamped.
    pub imprint: &'a [u8],
}

impl<'a> TimestampToken<'a> {
    /// Reads a token in DER; what others send goes through [`normalise`](super::super::cms::normalise) first.
    ///
    /// # Errors
    /// Not a token with one signer and one well-formed TSTInfo.
    pub fn from_der(der: &'a [u8]) -> Result<Self, TimestampError> {
        let signed_data = SignedData::from_der(der)?;
        let kind = signed_data.content_type;
        if kind != oid::TST_INFO {
            return Err(TimestampError::NotTstInfo { oid: dotted(kind) });
        }
        let content = signed_data.content.ok_or(TimestampError::NoTstInfo)?;
        let tst_info = TstInfo::from_others_der(content).map_err(TimestampError::TstInfo)?;
        let (identifier, imprint) = message_imprint(tst_info.message_imprint).map_err(TimestampError::TstInfo)?;
        let imprint_digest = Digest::from_identifier_der(identifier).map_err(TimestampError::ImprintAlgorithm)?;
        if imprint.len() != imprint_digest.output_octets() {
            return Err(TimestampError::ImprintLength { digest: imprint_digest, octets: imprint.len() });
        }
        if let Some(oid) =
            critical_extension(tst_info.extensions.unwrap_or_default()).map_err(TimestampError::TstInfo)?
        {
            return Err(TimestampError::UnknownCriticalExtension { oid: dotted(oid) });
        }
        let [signer] = &signed_data.signers[..] else {
            return Err(TimestampError::Signers { count: signed_data.signers.len() });
        };
        Ok(Self { signer: signer.clone(), signed_data, tst_info, imprint_digest, imprint })
    }

    /// The signer.
    #[must_use]
    pub fn signer(&self) -> &SignerInfo<'a> {
        &self.signer
    }

    /// genTime in seconds since 1970, cut to the second.
    #[must_use]
    pub fn gen_time_s(&self) -> i64 {
        self.tst_info.gen_time_us.div_euclid(1_000_000)
    }
}

fn message_imprint(der: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut fields = Reader::only(der, writer::SEQUENCE)?;
    let identifier = fields.expect(writer::SEQUENCE)?.whole;
    let imprint = fields.expect(writer::OCTET_STRING)?.content;
    fields.finish()?;
    Ok((identifier, imprint))
}

/// The first critical extension of an Extensions' content: none is known.
fn critical_extension(content: &[u8]) -> Result<Option<&[u8]>, DerError> {
    let mut list = Reader::new(content);
    let mut critical = None;
    while !list.is_finished() {
        let mut fields = list.enter(writer::SEQUENCE)?;
        let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
        if fields.optional(writer::BOOLEAN)?.is_some_and(|value| value.content != [0]) {
            critical.get_or_insert(oid);
        }
        fields.expect(writer::OCTET_STRING)?;
        fields.finish()?;
    }
    Ok(critical)
}

fn dotted(oid: &[u8]) -> String {
    Oid::from_octets(oid).map_or_else(|_| hex::encode(oid), |oid| oid.to_string())
}

//! Attributes (RFC 5652 §5.3), signed and not, and what those known here say.

use super::fault::{AttributeError, CmsError};
use super::oid;
use super::signing_certificate::SigningCertificate;
use crate::asn1::{DerError, Reader, Tlv, writer};

/// Attributes that are read: a signature with all of CAdES has about twenty.
const MAX_ATTRIBUTES: usize = 128;
/// Values of all attributes: one each, and a timestamp for each year of an archive.
const MAX_VALUES: usize = 512;

/// One attribute as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// attrType's content octets.
    pub oid: &'a [u8],
    /// The values, whole.
    pub values: Vec<Tlv<'a>>,
    /// The whole of it.
    pub whole: &'a [u8],
}

/// A set of attributes, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    content: &'a [u8],
    list: Vec<Attribute<'a>>,
}

impl<'a> Attributes<'a> {
    /// Reads the content of a SET OF Attribute.
    ///
    /// # Errors
    /// Not that, or more than is read.
    pub fn read(content: &'a [u8]) -> Result<Self, CmsError> {
        let mut set = Reader::new(content);
        let mut list = Vec::new();
        let mut count = 0;
        while !set.is_finished() {
            if list.len() == MAX_ATTRIBUTES {
                return Err(CmsError::TooMany { what: "attributes", limit: MAX_ATTRIBUTES });
            }
            let whole = set.expect(writer::SEQUENCE)?;
            let mut fields = Reader::new(whole.content);
            let oid = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
            let mut items = fields.enter(writer::SET)?;
            fields.finish()?;
            let mut values = Vec::new();
            while !items.is_finished() {
                count += 1;
                if count > MAX_VALUES {
                    return Err(CmsError::TooMany { what: "values of attributes", limit: MAX_VALUES });
                }
                values.push(items.read()?);
            }
            list.push(Attribute { oid, values, whole: whole.whole });
        }
        Ok(Self { content, list })
    }

    /// Every attribute.
    #[must_use]
    pub fn list(&self) -> &[Attribute<'a>] {
        &self.list
    }

    /// The values of all attributes of this type.
    pub fn values(&self, oid: &[u8]) -> impl Iterator<Item = Tlv<'a>> {
        self.list
            .iter()
            .filter(move |attribute| attribute.oid == oid)
            .flat_map(|attribute| attribute.values.iter().copied())
    }

    /// The attributes as a SET OF in the order in which they stand: what a signature is over (RFC 5652 §5.4).
    #[must_use]
    pub fn as_they_stand(&self) -> Vec<u8> {
        writer::tlv(writer::SET, &[self.content])
    }

    /// The attributes as a SET OF in DER's order; `None` where they stand in it.
    #[must_use]
    pub fn sorted(&self) -> Option<Vec<u8>> {
        if self.list.is_sorted_by_key(|attribute| attribute.whole) {
            return None;
        }
        Some(writer::set_of(writer::SET, self.list.iter().map(|attribute| attribute.whole.to_vec()).collect()))
    }

    fn single(&self, oid: &[u8], name: &'static str) -> Result<Option<Tlv<'a>>, AttributeError> {
        let mut found = self.values(oid);
        let instances = self.list.iter().filter(|attribute| attribute.oid == oid).count();
        let first = found.next();
        match (instances, first, found.count()) {
            (0, ..) => Ok(None),
            (1, Some(value), 0) => Ok(Some(value)),
            (_, first, more) => Err(AttributeError::NotSingle { name, values: usize::from(first.is_some()) + more }),
        }
    }
}

/// The signed attributes that a verification reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttributes<'a> {
    /// content-type, content octets; `None` in a counter-signature, which has no content.
    pub content_type: Option<&'a [u8]>,
    /// message-digest.
    pub message_digest: &'a [u8],
    /// signing-time, seconds since 1970, as the signer claims; an error where it can't be read.
    pub signing_time_s: Result<Option<i64>, AttributeError>,
    /// signing-certificate.
    pub signing_certificate: Option<SigningCertificate<'a>>,
    /// signing-certificate-v2.
    pub signing_certificate_v2: Option<SigningCertificate<'a>>,
    /// signature-policy-identifier (EN 319 122-1 §5.2.9): the policy that it was signed under, content octets of its identifier,
    /// empty where it is implied; an error where it can't be read.
    pub signature_policy: Result<Option<&'a [u8]>, AttributeError>,
    /// content-timestamp: tokens over the content, whole.
    pub content_timestamps: Vec<&'a [u8]>,
}

impl<'a> SignedAttributes<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// content-type, message-digest or a signing-certificate is missing, there twice, or malformed.
    pub fn read(attributes: &Attributes<'a>) -> Result<Self, AttributeError> {
        let content_type = required(attributes, oid::CONTENT_TYPE, "content-type", writer::OBJECT_IDENTIFIER)?;
        Ok(Self { content_type: Some(content_type), ..Self::of_counter_signature(attributes)? })
    }

    /// Reads those of a counter-signature: content-type, which MUST NOT be there (RFC 5652 §11.4), is not looked at.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_counter_signature(attributes: &Attributes<'a>) -> Result<Self, AttributeError> {
        let message_digest = required(attributes, oid::MESSAGE_DIGEST, "message-digest", writer::OCTET_STRING)?;
        let certificate = |oid: &[u8], name: &'static str, read: fn(&'a [u8]) -> Result<_, DerError>| {
            let value = attributes.single(oid, name)?;
            let read = value.map(|value| read(value.whole)).transpose();
            read.map_err(|error| AttributeError::Malformed { name, error })
        };
        Ok(Self {
            content_type: None,
            message_digest,
            signing_time_s: signing_time(attributes),
            signing_certificate: certificate(
                oid::SIGNING_CERTIFICATE,
                "signing-certificate",
                SigningCertificate::from_v1_der,
            )?,
            signing_certificate_v2: certificate(
                oid::SIGNING_CERTIFICATE_V2,
                "signing-certificate-v2",
                SigningCertificate::from_v2_der,
            )?,
            signature_policy: signature_policy(attributes),
            content_timestamps: attributes.values(oid::CONTENT_TIMESTAMP).map(|value| value.whole).collect(),
        })
    }
}

fn required<'a>(
    attributes: &Attributes<'a>,
    oid: &[u8],
    name: &'static str,
    tag: u8,
) -> Result<&'a [u8], AttributeError> {
    let value = attributes.single(oid, name)?.ok_or(AttributeError::Missing { name })?;
    if value.tag == tag {
        return Ok(value.content);
    }
    Err(AttributeError::Malformed { name, error: DerError::Tag { expected: tag, found: value.tag } })
}

fn signature_policy<'a>(attributes: &Attributes<'a>) -> Result<Option<&'a [u8]>, AttributeError> {
    let name = "signature-policy-identifier";
    let Some(value) = attributes.single(oid::SIGNATURE_POLICY, name)? else { return Ok(None) };
    // signaturePolicyImplied
    if value.tag == writer::NULL {
        return Ok(Some(&[]));
    }
    let read = || -> Result<&'a [u8], DerError> {
        let mut fields = Reader::only(value.whole, writer::SEQUENCE)?;
        Ok(fields.expect(writer::OBJECT_IDENTIFIER)?.content)
    };
    read().map(Some).map_err(|error| AttributeError::Malformed { name, error })
}

fn signing_time(attributes: &Attributes<'_>) -> Result<Option<i64>, AttributeError> {
    let name = "signing-time";
    let Some(value) = attributes.single(oid::SIGNING_TIME, name)? else { return Ok(None) };
    let time = crl::Time::read(value.tag, value.content);
    let malformed = AttributeError::Malformed { name, error: DerError::Value { what: "time" } };
    time.map(|time| Some(time.seconds)).map_err(|_| malformed)
}

/// One value of an unsigned attribute: nothing vouches for it but itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsignedAttribute<'a> {
    /// A counter-signature: a SignerInfo over this signature's octets.
    CounterSignature(&'a [u8]),
    /// A token over the signature's octets.
    SignatureTimestamp(&'a [u8]),
    /// An archive timestamp of before EN 319 122-1.
    ArchiveTimestampV2(&'a [u8]),
    /// An archive timestamp.
    ArchiveTimestampV3(&'a [u8]),
    /// CertificateValues.
    CertificateValues(&'a [u8]),
    /// RevocationValues.
    RevocationValues(&'a [u8]),
    /// Another, which says nothing here.
    Other {
        /// attrType's content octets.
        oid: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
}

impl<'a> UnsignedAttribute<'a> {
    /// Each value of these attributes, in their order.
    #[must_use]
    pub fn of(attributes: &Attributes<'a>) -> Vec<Self> {
        attributes.list().iter().flat_map(Self::of_one).collect()
    }

    /// Each value of one attribute.
    pub(super) fn of_one(attribute: &Attribute<'a>) -> Vec<Self> {
        let kind = |value: &Tlv<'a>| match attribute.oid {
            oid::COUNTER_SIGNATURE => Self::CounterSignature(value.whole),
            oid::SIGNATURE_TIMESTAMP => Self::SignatureTimestamp(value.whole),
            oid::ARCHIVE_TIMESTAMP_V2 => Self::ArchiveTimestampV2(value.whole),
            oid::ARCHIVE_TIMESTAMP_V3 => Self::ArchiveTimestampV3(value.whole),
            oid::CERTIFICATE_VALUES => Self::CertificateValues(value.whole),
            oid::REVOCATION_VALUES => Self::RevocationValues(value.whole),
            oid => Self::Other { oid, value: value.whole },
        };
        attribute.values.iter().map(kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use writer::tlv;

    fn attribute(oid: &[u8], values: &[&[u8]]) -> Vec<u8> {
        let oid = tlv(writer::OBJECT_IDENTIFIER, &[oid]);
        tlv(writer::SEQUENCE, &[&oid, &tlv(writer::SET, values)])
    }

    fn read(attributes: &[Vec<u8>]) -> Result<i64, AttributeError> {
        let content = attributes.concat();
        let attributes = Attributes::read(&content).unwrap();
        let read = SignedAttributes::read(&attributes)?;
        assert_eq!((read.content_type, read.message_digest), (Some(&[0x2a][..]), &[7, 8][..]));
        read.signing_time_s.map(|time| time.unwrap_or(0))
    }

    #[test]
    fn each_is_there_once_with_one_value() {
        let content_type = attribute(oid::CONTENT_TYPE, &[&[6, 1, 0x2a]]);
        let digest = attribute(oid::MESSAGE_DIGEST, &[&[4, 2, 7, 8]]);
        let time = attribute(oid::SIGNING_TIME, &[b"\x17\x0d250101000000Z"]);
        assert_eq!(read(&[content_type.clone(), digest.clone(), time.clone()]), Ok(1_735_689_600));
        assert_eq!(read(&[content_type.clone(), digest.clone()]), Ok(0));
        let missing = |name| Err(AttributeError::Missing { name });
        assert_eq!(read(std::slice::from_ref(&content_type)), missing("message-digest"));
        assert_eq!(read(std::slice::from_ref(&digest)), missing("content-type"));
        let twice = |name, values| Err(AttributeError::NotSingle { name, values });
        assert_eq!(read(&[content_type.clone(), digest.clone(), digest.clone()]), twice("message-digest", 2));
        let two = attribute(oid::MESSAGE_DIGEST, &[&[4, 1, 1], &[4, 1, 2]]);
        assert_eq!(read(&[content_type.clone(), two]), twice("message-digest", 2));
        let none = attribute(oid::CONTENT_TYPE, &[]);
        assert_eq!(read(&[none, digest.clone()]), twice("content-type", 0));
        assert_eq!(read(&[content_type.clone(), digest.clone(), time.clone(), time]), twice("signing-time", 2));
        let other = attribute(oid::MESSAGE_DIGEST, &[&[5, 0]]);
        let error = DerError::Tag { expected: 4, found: 5 };
        assert_eq!(read(&[content_type, other]), Err(AttributeError::Malformed { name: "message-digest", error }));
    }

    #[test]
    fn numbers_are_bounded() {
        let empty = attribute(&[0x2a], &[]);
        assert!(Attributes::read(&empty.repeat(MAX_ATTRIBUTES)).is_ok());
        let error = Attributes::read(&empty.repeat(MAX_ATTRIBUTES + 1)).err();
        assert_eq!(error, Some(CmsError::TooMany { what: "attributes", limit: MAX_ATTRIBUTES }));
        let wide = attribute(&[0x2a], &vec![&[5, 0][..]; MAX_VALUES + 1]);
        let error = Attributes::read(&wide).err();
        assert_eq!(error, Some(CmsError::TooMany { what: "values of attributes", limit: MAX_VALUES }));
    }

    #[test]
    fn sorting_is_told() {
        let (a, b) = (attribute(&[0x2a], &[]), attribute(&[0x2b], &[]));
        let (ab, ba) = ([a.clone(), b.clone()].concat(), [b, a].concat());
        assert_eq!(Attributes::read(&ab).unwrap().sorted(), None);
        let unsorted = Attributes::read(&ba).unwrap();
        assert_eq!(unsorted.sorted(), Some(tlv(writer::SET, &[&ab])));
        assert_eq!(unsorted.as_they_stand(), tlv(writer::SET, &[&ba]));
    }
}

//! TimeStampReq (RFC 3161 §2.4.1), read without copying.

use super::{DerError, Reader, writer};

/// A decoded request; every slice is the client's own octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeStampRequest<'a> {
    /// The whole MessageImprint, as TSTInfo must repeat it.
    pub message_imprint: &'a [u8],
    /// The hash algorithm's object identifier, content octets.
    pub hash_oid: &'a [u8],
    /// The hash algorithm's parameters, the whole value; NULL and absence mean the same.
    pub hash_parameters: Option<&'a [u8]>,
    /// The digest.
    pub hashed_message: &'a [u8],
    /// The policy asked for, content octets of its object identifier.
    pub policy: Option<&'a [u8]>,
    /// The nonce, the whole INTEGER, as TSTInfo must repeat it.
    pub nonce: Option<&'a [u8]>,
    /// Whether the TSU's certificate is asked for.
    pub cert_req: bool,
    /// Whether there are extensions; which ones does not matter, none is supported.
    pub has_extensions: bool,
}

/// Why a request can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not a TimeStampReq in DER: badDataFormat.
    #[error("the request is not a TimeStampReq: {0}")]
    Malformed(DerError),
    /// A version other than 1: badRequest, since what follows is unknown.
    #[error("the request's version is not 1")]
    Version,
}

impl From<DerError> for RequestError {
    fn from(error: DerError) -> Self {
        Self::Malformed(error)
    }
}

impl<'a> TimeStampRequest<'a> {
    /// Decodes a request; trailing octets are refused.
    ///
    /// # Errors
    /// [`RequestError::Version`] for a well-formed start with another version, else [`RequestError::Malformed`].
    pub fn from_der(input: &'a [u8]) -> Result<Self, RequestError> {
        let mut request = Reader::only(input, writer::SEQUENCE)?;
        if request.integer()? != [1] {
            return Err(RequestError::Version);
        }
        let imprint = request.expect(writer::SEQUENCE)?;
        let mut fields = Reader::new(imprint.content);
        let mut algorithm = fields.enter(writer::SEQUENCE)?;
        let hash_oid = algorithm.expect(writer::OBJECT_IDENTIFIER)?.content;
        let hash_parameters = if algorithm.is_finished() { None } else { Some(algorithm.read()?.whole) };
        algorithm.finish()?;
        let hashed_message = fields.expect(writer::OCTET_STRING)?.content;
        fields.finish()?;

        let policy = request.optional(writer::OBJECT_IDENTIFIER)?.map(|oid| oid.content);
        let mut nonce = None;
        if request.peek() == Some(writer::INTEGER) {
            let content = request.clone().read()?.whole;
            request.integer()?;
            nonce = Some(content);
        }
        // DER omits a FALSE that is the default, but clients that write it are understood (docs/DIVERGENCES.md).
        let cert_req = match request.optional(writer::BOOLEAN)?.map(|value| value.content) {
            None | Some([0x00]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(DerError::Value { what: "certReq" }.into()),
        };
        let extensions = request.optional(writer::context(0))?;
        if let Some(extensions) = extensions {
            check_extensions(extensions.content)?;
        }
        request.finish()?;
        Ok(Self {
            message_imprint: imprint.whole,
            hash_oid,
            hash_parameters,
            hashed_message,
            policy,
            nonce,
            cert_req,
            has_extensions: extensions.is_some(),
        })
    }
}

/// `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension` (RFC 5280 §4.1), here under an IMPLICIT tag.
fn check_extensions(content: &[u8]) -> Result<(), DerError> {
    let mut extensions = Reader::new(content);
    if extensions.is_finished() {
        return Err(DerError::Value { what: "Extensions" });
    }
    while !extensions.is_finished() {
        let mut extension = extensions.enter(writer::SEQUENCE)?;
        extension.expect(writer::OBJECT_IDENTIFIER)?;
        extension.optional(writer::BOOLEAN)?;
        extension.expect(writer::OCTET_STRING)?;
        extension.finish()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use writer::tlv;

    fn imprint(parameters: &[u8]) -> Vec<u8> {
        let oid = hex::decode("0609608648016503040201").unwrap();
        let algorithm = tlv(writer::SEQUENCE, &[&oid, parameters]);
        tlv(writer::SEQUENCE, &[&algorithm, &tlv(writer::OCTET_STRING, &[&[7; 32]])])
    }

    fn request(version: u8, rest: &[&[u8]]) -> Vec<u8> {
        let imprint = imprint(&[5, 0]);
        let version = [2, 1, version];
        let parts: Vec<&[u8]> = [&version[..], &imprint].into_iter().chain(rest.iter().copied()).collect();
        tlv(writer::SEQUENCE, &parts)
    }

    #[test]
    fn reads_every_field() {
        let der = request(1, &[&[6, 2, 0x2a, 3], &[2, 2, 0, 0x80], &[1, 1, 0xff]]);
        let read = TimeStampRequest::from_der(&der).unwrap();
        assert_eq!(read.message_imprint, imprint(&[5, 0]));
        assert_eq!(read.hashed_message, [7; 32]);
        assert_eq!(read.hash_parameters, Some(&[5, 0][..]));
        assert_eq!(read.policy, Some(&[0x2a, 3][..]));
        assert_eq!(read.nonce, Some(&[2, 2, 0, 0x80][..]));
        assert!(read.cert_req && !read.has_extensions);
    }

    #[test]
    fn another_version_is_not_malformed() {
        assert_eq!(TimeStampRequest::from_der(&request(2, &[])), Err(RequestError::Version));
        assert_eq!(TimeStampRequest::from_der(&tlv(writer::SEQUENCE, &[&[2, 1, 3]])), Err(RequestError::Version));
    }

    #[test]
    fn refuses_malformed_fields() {
        let malformed = |der: &[u8]| match TimeStampRequest::from_der(der) {
            Err(RequestError::Malformed(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(malformed(&[]), DerError::Truncated { at: 0 });
        assert_eq!(malformed(&[request(1, &[]), vec![0]].concat()), DerError::Trailing { count: 1 });
        assert_eq!(malformed(&request(1, &[&[1, 1, 1]])), DerError::Value { what: "certReq" });
        assert_eq!(malformed(&request(1, &[&[2, 2, 0, 1]])), DerError::Value { what: "INTEGER" });
        assert_eq!(malformed(&request(1, &[&[0xa0, 0]])), DerError::Value { what: "Extensions" });
        assert_eq!(malformed(&request(1, &[&[1, 1, 0xff], &[2, 1, 1]])), DerError::Trailing { count: 3 });
    }

    #[test]
    fn an_extension_is_noticed() {
        let extension = tlv(writer::SEQUENCE, &[&[6, 1, 0x2a], &[4, 1, 0]]);
        let der = request(1, &[&tlv(writer::context(0), &[&extension])]);
        assert!(TimeStampRequest::from_der(&der).unwrap().has_extensions);
    }
}

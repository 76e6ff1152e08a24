//! Certificate signing requests of others (PKCS#10, RFC 2986), read and their proof of possession verified.

use super::alternative_name::{self, AlternativeName, AlternativeNameError};
use super::certificate::pem_decode;
use super::extension::ID_CE_SUBJECT_ALT_NAME;
use super::subject::{Subject, SubjectError};
use crate::asn1::{DerError, Oid, Reader, writer};
use crate::crypto::{PublicKey, PublicKeyError, SignatureAlgorithm};

/// Why a signing request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningRequestError {
    /// Not a CertificationRequest in DER.
    #[error("not a certificate signing request (PKCS#10) in DER: {0}")]
    Malformed(#[from] DerError),
    /// No PEM block of a request, or several.
    #[error("{count} PEM blocks CERTIFICATE REQUEST where one is expected")]
    Pem {
        /// How many there are.
        count: usize,
    },
    /// A PEM block with broken base64.
    #[error("the PEM block CERTIFICATE REQUEST is broken")]
    PemBroken,
    /// More octets than a request needs.
    #[error("the request has {octets} octets, more than the {MAX_REQUEST_OCTETS} that are taken")]
    TooLong {
        /// How many it has.
        octets: usize,
    },
    /// The key is not supported.
    #[error("the request's key: {0}")]
    Key(PublicKeyError),
    /// The signature's algorithm is not known, or too weak (SHA-1, MD5).
    #[error("the request is signed by an algorithm that is not taken; use SHA-256 or better, or Ed25519")]
    SignatureAlgorithm,
    /// The proof of possession does not verify.
    #[error("the request is not signed by the key it is about: {0}")]
    NotProven(PublicKeyError),
    /// The same attribute or extension twice.
    #[error("the request has {oid} twice")]
    Repeated {
        /// Its identifier.
        oid: Oid,
    },
    /// The alternative names that it asks for.
    #[error(transparent)]
    AlternativeName(#[from] AlternativeNameError),
}

/// The most octets of a request: one of an RSA-8192 key with [`alternative_name::MAX_ALTERNATIVE_NAMES`] long names.
const MAX_REQUEST_OCTETS: usize = 48 * 1024;
/// Base64 makes four of three, with line ends and what people write around it.
const MAX_PEM_OCTETS: usize = 2 * MAX_REQUEST_OCTETS;
/// Attributes of a request: openssl writes one to three, Windows' tools four.
const MAX_ATTRIBUTES: usize = 16;
/// Extensions asked for: real requests have below 10.
const MAX_EXTENSIONS: usize = 32;

/// extensionRequest (RFC 2985 §5.4.2): 1.2.840.113549.1.9.14.
const EXTENSION_REQUEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

/// A signing request whose key was proven to be its sender's. What it does not hold (a challengePassword) is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    subject_der: Vec<u8>,
    public_key: PublicKey,
    alternative_names: Vec<AlternativeName>,
    ignored: Vec<Oid>,
}

impl SigningRequest {
    /// Reads a request and verifies its proof of possession (RFC 2986 §4.2).
    ///
    /// # Errors
    /// Malformed or overlong octets, an unsupported key, a signature that does not verify, alternative names that
    /// no certificate may have.
    pub fn from_der(der: &[u8]) -> Result<Self, SigningRequestError> {
        if der.len() > MAX_REQUEST_OCTETS {
            return Err(SigningRequestError::TooLong { octets: der.len() });
        }
        let mut outer = Reader::only(der, writer::SEQUENCE)?;
        let info = outer.expect(writer::SEQUENCE)?;
        let algorithm = outer.expect(writer::SEQUENCE)?.whole;
        let [0, signature @ ..] = outer.expect(writer::BIT_STRING)?.content else {
            return Err(DerError::Value { what: "signature" }.into());
        };
        outer.finish()?;

        let mut fields = Reader::new(info.content);
        if fields.integer()? != [0] {
            return Err(DerError::Value { what: "version: RFC 2986 knows 0 alone" }.into());
        }
        let subject_der = fields.expect(writer::SEQUENCE)?.whole.to_vec();
        let key = fields.expect(writer::SEQUENCE)?.whole;
        let public_key = PublicKey::from_spki_der(key).map_err(SigningRequestError::Key)?;
        let algorithm =
            SignatureAlgorithm::from_identifier_der(algorithm, None).ok_or(SigningRequestError::SignatureAlgorithm)?;
        // Before anything else is looked at: the rest is then its sender's word.
        public_key.verify(algorithm, info.whole, signature).map_err(SigningRequestError::NotProven)?;

        let mut request = Self { subject_der, public_key, alternative_names: Vec::new(), ignored: Vec::new() };
        // RFC 2986 §4.1: attributes is not OPTIONAL; some old senders leave an empty one out all the same.
        if let Some(attributes) = fields.optional(writer::context(0))? {
            request.read_attributes(Reader::new(attributes.content))?;
        }
        fields.finish()?;
        Ok(request)
    }

    /// Reads a request in PEM, with either label in use (RFC 7468 §7).
    ///
    /// # Errors
    /// As [`Self::from_der`], and anything but one request.
    pub fn from_pem(text: &str) -> Result<Self, SigningRequestError> {
        if text.len() > MAX_PEM_OCTETS {
            return Err(SigningRequestError::TooLong { octets: text.len() });
        }
        let mut blocks = Vec::new();
        for label in ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"] {
            if text.contains(&format!("-----BEGIN {label}-----")) {
                blocks.extend(pem_decode(label, text).map_err(|_| SigningRequestError::PemBroken)?);
            }
        }
        match blocks.as_slice() {
            [der] => Self::from_der(der),
            _ => Err(SigningRequestError::Pem { count: blocks.len() }),
        }
    }

    fn read_attributes(&mut self, mut attributes: Reader<'_>) -> Result<(), SigningRequestError> {
        let mut seen: Vec<Oid> = Vec::new();
        while !attributes.is_finished() {
            if seen.len() == MAX_ATTRIBUTES {
                return Err(DerError::Value { what: "number of attributes" }.into());
            }
            let mut attribute = attributes.enter(writer::SEQUENCE)?;
            let oid = identifier(&mut attribute, &seen)?;
            let mut values = attribute.enter(writer::SET)?;
            attribute.finish()?;
            if oid.octets() == EXTENSION_REQUEST {
                let extensions = values.enter(writer::SEQUENCE)?;
                // RFC 2985 §5.4.2: SINGLE VALUE.
                values.finish()?;
                self.read_extensions(extensions)?;
            } else {
                self.ignored.push(oid.clone());
            }
            seen.push(oid);
        }
        Ok(())
    }

    fn read_extensions(&mut self, mut extensions: Reader<'_>) -> Result<(), SigningRequestError> {
        let mut seen: Vec<Oid> = Vec::new();
        while !extensions.is_finished() {
            if seen.len() == MAX_EXTENSIONS {
                return Err(DerError::Value { what: "number of extensions" }.into());
            }
            let mut extension = extensions.enter(writer::SEQUENCE)?;
            let oid = identifier(&mut extension, &seen)?;
            extension.optional(writer::BOOLEAN)?;
            let value = extension.expect(writer::OCTET_STRING)?.content;
            extension.finish()?;
            if oid == Oid::from(ID_CE_SUBJECT_ALT_NAME) {
                self.alternative_names = alternative_name::from_extension_value(value)?;
            } else {
                self.ignored.push(oid.clone());
            }
            seen.push(oid);
        }
        Ok(())
    }

    /// The subject's Name as it was sent.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// The subject's attributes, as a certificate may have them.
    ///
    /// # Errors
    /// A subject that Noonmark would not write; the certificate needs another one then.
    pub fn subject(&self) -> Result<Subject, SubjectError> {
        Subject::from_name_der(&self.subject_der)
    }

    /// The key, proven to be the sender's.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The alternative names asked for.
    #[must_use]
    pub fn alternative_names(&self) -> &[AlternativeName] {
        &self.alternative_names
    }

    /// What else was asked for, and is not looked at: attributes and extensions. The profile says what is issued.
    #[must_use]
    pub fn ignored(&self) -> &[Oid] {
        &self.ignored
    }
}

fn identifier(fields: &mut Reader<'_>, seen: &[Oid]) -> Result<Oid, SigningRequestError> {
    let octets = fields.expect(writer::OBJECT_IDENTIFIER)?.content;
    let oid = Oid::from_octets(octets).map_err(|_| DerError::Value { what: "object identifier" })?;
    if seen.contains(&oid) { Err(SigningRequestError::Repeated { oid }) } else { Ok(oid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::csr::UnsignedRequest;
    use crate::ca::test_key::TestKey;
    use crate::ca::{CertificateKind, SubjectName, pem_encode};
    use crate::crypto::DigestAlgorithm;

    /// CertificationRequestInfo with these attributes, whole, and its signature by `signer`.
    fn request(key: &TestKey, signer: &TestKey, attributes: &[u8]) -> Vec<u8> {
        let name = SubjectName::new("DE", "Example", "x").unwrap().to_der();
        let info = writer::tlv(writer::SEQUENCE, &[&[2, 1, 0], &name, key.public.spki_der(), attributes]);
        let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256).x509_identifier_der().unwrap();
        let signature = writer::tlv(writer::BIT_STRING, &[&[0], &signer.sign(&info)]);
        writer::tlv(writer::SEQUENCE, &[&info, &algorithm, &signature])
    }

    fn oid(text: &str) -> Vec<u8> {
        text.parse::<Oid>().unwrap().to_der()
    }

    fn attribute(identifier: &str, value: &[u8]) -> Vec<u8> {
        writer::tlv(writer::SEQUENCE, &[&oid(identifier), &writer::tlv(writer::SET, &[value])])
    }

    fn extensions(list: &[(&str, &[u8])]) -> Vec<u8> {
        let list: Vec<Vec<u8>> = list
            .iter()
            .map(|(identifier, value)| {
                writer::tlv(writer::SEQUENCE, &[&oid(identifier), &writer::tlv(writer::OCTET_STRING, &[value])])
            })
            .collect();
        attribute("1.2.840.113549.1.9.14", &crate::ca::extension::sequence_of(&list))
    }

    fn read(attributes: &[Vec<u8>]) -> Result<SigningRequest, SigningRequestError> {
        let key = TestKey::p256();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        SigningRequest::from_der(&request(&key, &key, &writer::tlv(writer::context(0), &attributes)))
    }

    const SAN: &str = "2.5.29.17";

    #[test]
    fn reads_what_the_project_makes() {
        let key = TestKey::p256();
        let name = SubjectName::new("DE", "Example", "x").unwrap();
        let algorithm = key.public.algorithm().default_signature();
        let ours = UnsignedRequest::new(CertificateKind::Tsu, &name.to_der(), &key.public, algorithm).unwrap();
        let der = ours.assemble(&key.sign(ours.info_der()));
        let request = SigningRequest::from_der(&der).unwrap();
        assert_eq!(request.public_key(), &key.public);
        assert_eq!(request.subject(), Ok(Subject::from(&name)));
        assert_eq!(request.subject_der(), name.to_der());
        assert_eq!(request.alternative_names(), []);
        assert_eq!(request.ignored(), ["2.5.29.37".parse().unwrap()]);
        for label in ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"] {
            assert_eq!(SigningRequest::from_pem(&pem_encode(label, &der)), Ok(request.clone()));
        }
        let pem = pem_encode("CERTIFICATE REQUEST", &der);
        let two = SigningRequest::from_pem(&[pem.as_str(), pem.as_str()].concat());
        assert_eq!(two, Err(SigningRequestError::Pem { count: 2 }));
        assert_eq!(SigningRequest::from_pem("x"), Err(SigningRequestError::Pem { count: 0 }));
        assert_eq!(SigningRequest::from_pem(&pem.replace('M', "*")), Err(SigningRequestError::PemBroken));
        let long = SigningRequest::from_pem(&" ".repeat(MAX_PEM_OCTETS + 1));
        assert!(matches!(long, Err(SigningRequestError::TooLong { .. })));
        assert!(matches!(
            SigningRequest::from_der(&[0x30; MAX_REQUEST_OCTETS + 1]),
            Err(SigningRequestError::TooLong { .. })
        ));
    }

    #[test]
    fn possession_must_be_proven() {
        let (key, other) = (TestKey::p256(), TestKey::p256());
        let none = writer::tlv(writer::context(0), &[]);
        assert!(SigningRequest::from_der(&request(&key, &key, &none)).is_ok());
        assert!(SigningRequest::from_der(&request(&key, &key, &[])).is_ok(), "no attributes at all");
        let stolen = SigningRequest::from_der(&request(&key, &other, &none));
        assert_eq!(stolen, Err(SigningRequestError::NotProven(PublicKeyError::BadSignature)));
        // sha1WithRSAEncryption for ecdsa-with-SHA256.
        let der = request(&key, &key, &none);
        let weak = hex::encode(&der).replace("300a06082a8648ce3d040302", "300a06082a8648ce3d040303");
        assert!(matches!(
            SigningRequest::from_der(&hex::decode(weak).unwrap()),
            Err(SigningRequestError::NotProven(_))
        ));
        let unknown = hex::encode(&der).replace("300a06082a8648ce3d040302", "300a06082a8648ce3d040301");
        assert_eq!(
            SigningRequest::from_der(&hex::decode(unknown).unwrap()),
            Err(SigningRequestError::SignatureAlgorithm)
        );
        assert!(matches!(SigningRequest::from_der(&[&der[..], &[0]].concat()), Err(SigningRequestError::Malformed(_))));
    }

    #[test]
    fn names_are_taken_and_the_rest_is_reported() {
        let san = alternative_name::to_extension_value(&["dns:a.example".parse().unwrap()]);
        let challenge = attribute("1.2.840.113549.1.9.7", &writer::tlv(writer::UTF8_STRING, &[b"secret"]));
        let request = read(&[challenge.clone(), extensions(&[("2.5.29.19", &[0x30, 0]), (SAN, &san)])]).unwrap();
        assert_eq!(request.alternative_names(), ["dns:a.example".parse().unwrap()]);
        let ignored: Vec<String> = request.ignored().iter().map(ToString::to_string).collect();
        assert_eq!(ignored, ["1.2.840.113549.1.9.7", "2.5.29.19"]);
        assert!(!format!("{request:?}").contains("secret"), "a challengePassword is a secret");

        assert!(matches!(read(&[challenge.clone(), challenge]), Err(SigningRequestError::Repeated { .. })));
        assert!(matches!(read(&[extensions(&[(SAN, &san), (SAN, &san)])]), Err(SigningRequestError::Repeated { .. })));
        assert!(matches!(read(&[extensions(&[(SAN, &[0x30, 0])])]), Err(SigningRequestError::AlternativeName(_))));
        let many: Vec<Vec<u8>> = (0..=MAX_ATTRIBUTES).map(|at| attribute(&format!("1.2.3.{at}"), &[5, 0])).collect();
        assert!(read(&many[1..]).is_ok());
        assert!(matches!(read(&many), Err(SigningRequestError::Malformed(_))));
        let many: Vec<String> = (0..=MAX_EXTENSIONS).map(|at| format!("1.2.3.{at}")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|oid| (oid.as_str(), &[5, 0][..])).collect();
        assert!(read(&[extensions(&many[1..])]).is_ok());
        assert!(matches!(read(&[extensions(&many)]), Err(SigningRequestError::Malformed(_))));
    }

    #[test]
    fn mutated_requests_never_pass_or_panic() {
        let key = TestKey::p256();
        let san = alternative_name::to_extension_value(&["dns:a.example".parse().unwrap()]);
        let attributes = writer::tlv(writer::context(0), &[&extensions(&[(SAN, &san)])]);
        let whole = request(&key, &key, &attributes);
        let right = SigningRequest::from_der(&whole).unwrap();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 11).unwrap() % below
        };
        for _ in 0..20_000 {
            let mut der = whole.clone();
            for _ in 0..=random(3) {
                let at = random(der.len());
                der[at] = u8::try_from(random(256)).unwrap();
            }
            // Signed again, so that what stands behind the proof is read as well.
            let mut outer = Reader::new(&der).enter(writer::SEQUENCE).unwrap_or(Reader::new(&[]));
            let info = outer.expect(writer::SEQUENCE).map(|info| info.whole.to_vec());
            if let Ok(info) = info {
                let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256).x509_identifier_der().unwrap();
                let signature = writer::tlv(writer::BIT_STRING, &[&[0], &key.sign(&info)]);
                let _ = SigningRequest::from_der(&writer::tlv(writer::SEQUENCE, &[&info, &algorithm, &signature]));
            }
            if let Ok(read) = SigningRequest::from_der(&der) {
                assert_eq!(read, right, "a changed request is taken");
            }
        }
    }
}

//! Reading a key's attributes: its public half and its custody.

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use der::asn1::{AnyRef, BitString, Null, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfo};

use crate::crypto::PublicKey;
use crate::keys::custody::Custody;
use crate::keys::error::CallError;
use crate::keys::settings::TierKind;

use super::session::ModuleSession;

const OID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// An Ed25519 public key's length (RFC 8032 §5.1.5).
const ED25519_BYTES: usize = 32;

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Reads the variable-length attribute that the pattern names.
macro_rules! octets {
    ($session:expr, $object:expr, $attribute:ident) => {
        match $session.attribute($object, AttributeType::$attribute)? {
            Some(Attribute::$attribute(value)) => Some(value),
            _ => None,
        }
    };
}

/// Reads the one-octet attribute that the pattern names.
macro_rules! flag {
    ($session:expr, $object:expr, $attribute:ident) => {
        match $session.attribute($object, AttributeType::$attribute)? {
            Some(Attribute::$attribute(value)) => Some(value),
            _ => None,
        }
    };
}

/// Why a key's public half can't be had.
pub(super) enum PublicHalf {
    Call(CallError),
    Unusable(String),
}

impl From<CallError> for PublicHalf {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl ModuleSession {
    pub(super) fn label(&self, object: ObjectHandle) -> Result<Option<String>, CallError> {
        Ok(octets!(self, object, Label).map(|label| String::from_utf8_lossy(&label).into_owned()))
    }

    pub(super) fn id(&self, object: ObjectHandle) -> Result<Vec<u8>, CallError> {
        Ok(octets!(self, object, Id).unwrap_or_default())
    }

    /// Whether the key wants the PIN for each signature.
    pub(super) fn wants_pin_each_time(&self, object: ObjectHandle) -> Result<bool, CallError> {
        Ok(flag!(self, object, AlwaysAuthenticate) == Some(true))
    }

    /// The public half of a private key: from CKA_PUBLIC_KEY_INFO, else from the public key of the same id.
    pub(super) fn public_half(&self, private: ObjectHandle) -> Result<PublicKey, PublicHalf> {
        if let Some(info) = octets!(self, private, PublicKeyInfo)
            && let Ok(key) = PublicKey::from_spki_der(&info)
        {
            return Ok(key);
        }
        let id = self.id(private)?;
        if id.is_empty() {
            return Err(PublicHalf::Unusable("it has no id that would lead to its public half".to_owned()));
        }
        let publics =
            self.find(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), Attribute::Id(id)])?;
        let [public] = publics.as_slice() else {
            return Err(PublicHalf::Unusable(format!("{} public keys in the token have its id", publics.len())));
        };
        self.public_key(*public)
    }

    /// Reads a public key object (PKCS#11 v2.40 mechanisms §2.1.2, §2.3.3; v3.0 §2.3.5).
    fn public_key(&self, public: ObjectHandle) -> Result<PublicKey, PublicHalf> {
        let missing = |what: &str| PublicHalf::Unusable(format!("its public half has no {what}"));
        let der = |error: der::Error| PublicHalf::Unusable(format!("its public half is malformed: {error}"));
        let Some(Attribute::KeyType(kind)) = self.attribute(public, AttributeType::KeyType)? else {
            return Err(missing("CKA_KEY_TYPE"));
        };
        let spki = if kind == KeyType::RSA {
            let modulus = octets!(self, public, Modulus).ok_or_else(|| missing("CKA_MODULUS"))?;
            let exponent = octets!(self, public, PublicExponent).ok_or_else(|| missing("CKA_PUBLIC_EXPONENT"))?;
            let key = RsaPublicKey {
                modulus: UintRef::new(&modulus).map_err(der)?,
                public_exponent: UintRef::new(&exponent).map_err(der)?,
            };
            encode_spki(OID_RSA, Some(AnyRef::from(Null)), &key.to_der().map_err(der)?)
        } else if kind == KeyType::EC || kind == KeyType::EC_EDWARDS {
            let point = octets!(self, public, EcPoint).ok_or_else(|| missing("CKA_EC_POINT"))?;
            // The standard wraps the point in an OCTET STRING; some tokens give it bare.
            let bare = OctetStringRef::from_der(&point).map_or(point.as_slice(), |wrapped| wrapped.as_bytes());
            if kind == KeyType::EC_EDWARDS {
                if bare.len() != ED25519_BYTES {
                    return Err(PublicHalf::Unusable("it is on another Edwards curve than Ed25519".to_owned()));
                }
                encode_spki(OID_ED25519, None, bare)
            } else {
                let parameters = octets!(self, public, EcParams).ok_or_else(|| missing("CKA_EC_PARAMS"))?;
                encode_spki(OID_EC_PUBLIC_KEY, Some(AnyRef::from_der(&parameters).map_err(der)?), bare)
            }
        } else {
            return Err(PublicHalf::Unusable(format!("keys of type {kind} are not supported")));
        };
        PublicKey::from_spki_der(&spki.map_err(der)?).map_err(|error| PublicHalf::Unusable(error.to_string()))
    }

    /// What the token tells of a private key's custody.
    pub(super) fn custody_of(&self, private: ObjectHandle) -> Result<Custody, CallError> {
        let name = |mechanism: MechanismType| mechanism.to_string();
        Ok(Custody {
            tier: TierKind::Pkcs11,
            generated_locally: flag!(self, private, Local),
            sensitive: flag!(self, private, Sensitive),
            always_sensitive: flag!(self, private, AlwaysSensitive),
            extractable: flag!(self, private, Extractable),
            never_extractable: flag!(self, private, NeverExtractable),
            wrap_with_trusted: flag!(self, private, WrapWithTrusted),
            private: flag!(self, private, Private),
            modifiable: flag!(self, private, Modifiable),
            copyable: flag!(self, private, Copyable),
            destroyable: flag!(self, private, Destroyable),
            always_authenticate: flag!(self, private, AlwaysAuthenticate),
            may_sign: flag!(self, private, Sign),
            may_sign_recover: flag!(self, private, SignRecover),
            may_decrypt: flag!(self, private, Decrypt),
            may_unwrap: flag!(self, private, Unwrap),
            may_derive: flag!(self, private, Derive),
            generation_mechanism: flag!(self, private, KeyGenMechanism).map(name),
            mechanisms: flag!(self, private, AllowedMechanisms)
                .map(|mechanisms| mechanisms.into_iter().map(name).collect()),
        })
    }
}

fn encode_spki(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key_bits: &[u8]) -> Result<Vec<u8>, der::Error> {
    SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitString::from_bytes(key_bits)?,
    }
    .to_der()
}

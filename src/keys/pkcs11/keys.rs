//! The keys in a token: listing, finding, generating, destroying.

use aws_lc_rs::digest::Digest;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};

use crate::crypto::{KeyAlgorithm, PublicKey, SignatureAlgorithm};
use crate::keys::custody::Custody;
use crate::keys::error::{CallError, KeyError, SignError};
use crate::keys::signer::{Signer, challenge};
use crate::keys::token::{KeyInfo, UnusableKey};
use crate::keys::uri::KeyUri;

use super::attributes::PublicHalf;
use super::session::Resolved;
use super::token::{Access, Pkcs11Token};

/// A fresh key's CKA_ID: random, so that two keys never share one.
const ID_BYTES: usize = 16;
/// F4, as every profile asks (CA/Browser Forum BR §6.1.6).
const RSA_PUBLIC_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

fn doing(doing: &'static str) -> impl Fn(CallError) -> KeyError {
    move |error| KeyError::Call { doing, error }
}

/// A key of an open token.
pub(in crate::keys) struct Pkcs11Signer<'a> {
    token: &'a Pkcs11Token,
    key: Resolved,
    public_key: PublicKey,
}

impl Signer for Pkcs11Signer<'_> {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.token.sign(self.key, algorithm, message)
    }

    fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &Digest) -> Result<Vec<u8>, SignError> {
        self.token.session.sign_digest(self.key, algorithm, digest.as_ref())
    }
}

impl Pkcs11Token {
    /// The private key at `uri`.
    fn locate(&self, uri: &KeyUri) -> Result<ObjectHandle, KeyError> {
        self.check_place(uri)?;
        let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)];
        template.extend(uri.object().map(|label| Attribute::Label(label.as_bytes().to_vec())));
        template.extend(uri.id().map(|id| Attribute::Id(id.to_vec())));
        let found = self.session.find(&template).map_err(doing("looking for the key"))?;
        match found.as_slice() {
            [] => Err(KeyError::KeyMissing { uri: uri.clone(), token: self.name.clone() }),
            [one] => Ok(*one),
            several => Err(KeyError::KeyAmbiguous { uri: uri.clone(), count: several.len() }),
        }
    }

    /// The private key at `uri`, to sign as a key of the kind `algorithm`. The caller proves it by a challenge.
    pub(in crate::keys) fn resolve(&self, uri: &KeyUri, algorithm: KeyAlgorithm) -> Result<Resolved, KeyError> {
        let handle = self.locate(uri)?;
        if self.session.wants_pin_each_time(handle).map_err(doing("reading the key's attributes"))? {
            return Err(KeyError::KeyUnusable {
                uri: uri.clone(),
                reason: "it wants the PIN for each signature (CKA_ALWAYS_AUTHENTICATE)".to_owned(),
            });
        }
        Ok(Resolved { handle, algorithm })
    }

    /// Signs with a key that was resolved in this token's session.
    pub(in crate::keys) fn sign(
        &self,
        key: Resolved,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        self.session.sign(key, algorithm, message)
    }

    pub(in crate::keys) fn find(&self, uri: &KeyUri) -> Result<Pkcs11Signer<'_>, KeyError> {
        let handle = self.locate(uri)?;
        let public_key = self.public_half(uri, handle)?;
        let key = self.resolve(uri, public_key.algorithm())?;
        Ok(Pkcs11Signer { token: self, key, public_key })
    }

    fn public_half(&self, uri: &KeyUri, handle: ObjectHandle) -> Result<PublicKey, KeyError> {
        self.session.public_half(handle).map_err(|problem| match problem {
            PublicHalf::Call(error) => doing("reading the public key")(error),
            PublicHalf::Unusable(reason) => KeyError::KeyUnusable { uri: uri.clone(), reason },
        })
    }

    pub(in crate::keys) fn custody(&self, uri: &KeyUri) -> Result<Custody, KeyError> {
        let handle = self.locate(uri)?;
        self.session.custody_of(handle).map_err(doing("reading the key's custody"))
    }

    pub(in crate::keys) fn list(&self) -> Result<(Vec<KeyInfo>, Vec<UnusableKey>), KeyError> {
        let read = doing("listing the keys");
        let handles =
            self.session.find(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)]).map_err(&read)?;
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for handle in handles {
            let label = self.session.label(handle).map_err(&read)?.unwrap_or_default();
            let id = self.session.id(handle).map_err(&read)?;
            let mut reject = |label: String, reason: String| {
                unusable.push(UnusableKey { label, id_hex: hex::encode(&id), reason });
            };
            let uri = match KeyUri::pkcs11(&self.facts.label, &self.facts.serial, &label, &id) {
                Ok(uri) => uri,
                Err(error) => {
                    reject(label, error.to_string());
                    continue;
                }
            };
            match self.session.public_half(handle) {
                Ok(public_key) => {
                    let custody = self.session.custody_of(handle).map_err(&read)?;
                    keys.push(KeyInfo { label, uri, public_key, custody });
                }
                Err(PublicHalf::Call(error)) => return Err(read(error)),
                Err(PublicHalf::Unusable(reason)) => reject(label, reason),
            }
        }
        keys.sort_by(|one, other| one.label.cmp(&other.label));
        Ok((keys, unusable))
    }

    fn require_write(&self) -> Result<(), KeyError> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(KeyError::ReadOnly { token: self.name.clone() }),
        }
    }

    pub(in crate::keys) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<KeyInfo, KeyError> {
        self.require_write()?;
        if label.is_empty() {
            return Err(KeyError::BadName { name: label.to_owned(), what: "key", reason: "it is empty" });
        }
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            let template = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(label.into())];
            if !self.session.find(&template).map_err(doing("looking for a key of the same label"))?.is_empty() {
                return Err(KeyError::KeyExists { label: label.to_owned(), token: self.name.clone() });
            }
        }
        let mut id = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| KeyError::Library { doing: "choosing a key's id" })?;
        let uri = KeyUri::pkcs11(&self.facts.label, &self.facts.serial, label, &id).map_err(|_| KeyError::BadName {
            name: label.to_owned(),
            what: "key",
            reason: "no URI can carry it",
        })?;

        let (mechanism, kind) = generation(algorithm)?;
        let named = [Attribute::Token(true), Attribute::Label(label.into()), Attribute::Id(id.to_vec())];
        let mut public = named.to_vec();
        public.extend([Attribute::Private(false), Attribute::Verify(true)]);
        public.extend(kind);
        let mut private = named.to_vec();
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::SignRecover(false),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
        let (public, private) = self
            .session
            .call(|session| session.generate_key_pair(&mechanism, &public, &private))
            .map_err(doing("generating the key pair"))?;

        self.prove(&uri, label, private).inspect_err(|_| {
            // A key that can't prove itself must not stay behind under a label that init would then find taken.
            for handle in [private, public] {
                if let Err(error) = self.session.call(|session| session.destroy_object(handle)) {
                    tracing::warn!(%error, %uri, "a new key that failed its challenge could not be destroyed");
                }
            }
        })
    }

    fn prove(&self, uri: &KeyUri, label: &str, private: ObjectHandle) -> Result<KeyInfo, KeyError> {
        let public_key = self.public_half(uri, private)?;
        let algorithm = public_key.algorithm().default_signature();
        let key = Resolved { handle: private, algorithm: public_key.algorithm() };
        challenge(&public_key, algorithm, |message| self.session.sign(key, algorithm, message)).map_err(|error| {
            KeyError::ChallengeFailed { key: label.to_owned(), uri: uri.clone(), reason: error.to_string() }
        })?;
        let custody = self.session.custody_of(private).map_err(doing("reading the key's custody"))?;
        Ok(KeyInfo { label: label.to_owned(), uri: uri.clone(), public_key, custody })
    }

    pub(in crate::keys) fn destroy(&self, uri: &KeyUri) -> Result<(), KeyError> {
        self.require_write()?;
        let private = self.locate(uri)?;
        let id = self.session.id(private).map_err(doing("reading the key's id"))?;
        let publics = if id.is_empty() {
            Vec::new()
        } else {
            let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), Attribute::Id(id)];
            self.session.find(&template).map_err(doing("looking for the public key"))?
        };
        for handle in std::iter::once(private).chain(publics) {
            self.session.call(|session| session.destroy_object(handle)).map_err(doing("destroying the key"))?;
        }
        Ok(())
    }
}

/// The mechanism that generates a kind of key, and the attributes that say which.
fn generation(algorithm: KeyAlgorithm) -> Result<(Mechanism<'static>, Vec<Attribute>), KeyError> {
    // CKA_EC_PARAMS: the curve's object identifier in DER (RFC 5480 §2.1.1.1, RFC 8410 §3).
    let curve = |der: &[u8]| vec![Attribute::EcParams(der.to_vec())];
    Ok(match algorithm {
        KeyAlgorithm::EcP256 => {
            (Mechanism::EccKeyPairGen, curve(&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]))
        }
        KeyAlgorithm::EcP384 => (Mechanism::EccKeyPairGen, curve(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22])),
        KeyAlgorithm::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, curve(&[0x06, 0x03, 0x2b, 0x65, 0x70])),
        KeyAlgorithm::Rsa { bits } if algorithm.is_supported_for_signing() => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![
                Attribute::ModulusBits(u64::from(bits).into()),
                Attribute::PublicExponent(RSA_PUBLIC_EXPONENT.to_vec()),
            ],
        ),
        _ => return Err(KeyError::KeyUnsupported { algorithm }),
    })
}

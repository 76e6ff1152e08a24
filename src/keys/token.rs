//! Administrative access to a token: what it is, which keys it holds, making and destroying keys.
//!
//! Everything here blocks; `init`, `key` and `check` use it. Serving goes through the pool.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Serialize;

use crate::crypto::{KeyAlgorithm, PublicKey};

use super::custody::Custody;
use super::error::KeyError;
use super::pkcs11::{Access, PinGuard, Pkcs11Token};
use super::settings::{Tier, TierKind, TokenSettings};
use super::signer::Signer;
use super::software::SoftwareToken;
use super::uri::KeyUri;

/// What a token and its module say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenFacts {
    /// The kind of token.
    pub tier: TierKind,
    /// CK_TOKEN_INFO.label, without its padding.
    pub label: String,
    /// CK_TOKEN_INFO.serialNumber.
    pub serial: String,
    /// CK_TOKEN_INFO.manufacturerID.
    pub manufacturer: String,
    /// CK_TOKEN_INFO.model.
    pub model: String,
    /// CK_TOKEN_INFO.hardwareVersion.
    pub hardware_version: String,
    /// CK_TOKEN_INFO.firmwareVersion.
    pub firmware_version: String,
    /// The module's file, links resolved, or the software tier's directory.
    pub module_path: PathBuf,
    /// CK_INFO.libraryDescription.
    pub library_description: String,
    /// CK_INFO.libraryVersion.
    pub library_version: String,
}

/// A key in a token.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// The key's label, or its name in the software tier.
    pub label: String,
    /// The URI that finds it again.
    pub uri: KeyUri,
    /// Its public half.
    pub public_key: PublicKey,
    /// What the token says of its custody.
    pub custody: Custody,
}

/// A private key in a token that Noonmark can't use: its kind is not supported or its public half is not there.
#[derive(Clone, Debug)]
pub struct UnusableKey {
    /// The key's label.
    pub label: String,
    /// The key's id, in hexadecimal.
    pub id_hex: String,
    /// Why.
    pub reason: String,
}

/// An open token.
pub struct Token(Inner);

enum Inner {
    Pkcs11(Pkcs11Token),
    Software(SoftwareToken),
}

impl Token {
    /// Opens the token and logs in, for using keys. Never makes one.
    ///
    /// # Errors
    /// A missing module or token, a PIN that can't be read or is refused.
    pub fn open(settings: &TokenSettings) -> Result<Self, KeyError> {
        Self::open_with(settings, Access::Read)
    }

    /// As [`Self::open`], for generating and destroying keys too.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_writable(settings: &TokenSettings) -> Result<Self, KeyError> {
        Self::open_with(settings, Access::Write)
    }

    fn open_with(settings: &TokenSettings, access: Access) -> Result<Self, KeyError> {
        settings.validate()?;
        Ok(Self(match &settings.tier {
            Tier::Pkcs11 { module, selector } => {
                Inner::Pkcs11(Pkcs11Token::open(settings, module, selector, access, &PinGuard::default(), &|| {})?)
            }
            Tier::Software { directory } => {
                Inner::Software(SoftwareToken::open(&settings.name, directory, &settings.pin.read()?, access)?)
            }
        }))
    }

    /// Makes a token where there is none: initializes a free slot's token with the selector's label and both PINs;
    /// in the software tier, makes the directory. Only `init` calls it.
    ///
    /// # Errors
    /// A token of that label or directory exists, no slot is free, or the selector is not a label.
    pub fn create(settings: &TokenSettings, so_pin: &SecretString, user_pin: &SecretString) -> Result<(), KeyError> {
        settings.validate()?;
        match &settings.tier {
            Tier::Pkcs11 { module, selector } => {
                Pkcs11Token::create(&settings.name, module, selector, so_pin, user_pin)
            }
            Tier::Software { directory } => SoftwareToken::create(directory, user_pin),
        }
    }

    /// What the token and its module say of themselves.
    #[must_use]
    pub fn facts(&self) -> TokenFacts {
        match &self.0 {
            Inner::Pkcs11(token) => token.facts().clone(),
            Inner::Software(token) => token.facts(),
        }
    }

    /// The private keys that Noonmark can use.
    ///
    /// # Errors
    /// The token's refusal.
    pub fn keys(&self) -> Result<Vec<KeyInfo>, KeyError> {
        Ok(self.list()?.0)
    }

    /// The private keys that Noonmark can't use, with the reason.
    ///
    /// # Errors
    /// The token's refusal.
    pub fn unusable_keys(&self) -> Result<Vec<UnusableKey>, KeyError> {
        Ok(self.list()?.1)
    }

    fn list(&self) -> Result<(Vec<KeyInfo>, Vec<UnusableKey>), KeyError> {
        match &self.0 {
            Inner::Pkcs11(token) => token.list(),
            Inner::Software(token) => token.list(),
        }
    }

    /// Generates a key pair in the token: not extractable, for signing only, and proven by a challenge.
    ///
    /// # Errors
    /// A key of this label exists, the kind is not supported, or the token refuses.
    pub fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<KeyInfo, KeyError> {
        if !algorithm.is_supported_for_signing() {
            return Err(KeyError::KeyUnsupported { algorithm });
        }
        match &self.0 {
            Inner::Pkcs11(token) => token.generate(label, algorithm),
            Inner::Software(token) => token.generate(label, algorithm),
        }
    }

    /// Finds a key.
    ///
    /// # Errors
    /// No such key, several, or one that can't be used.
    pub fn find(&self, uri: &KeyUri) -> Result<Box<dyn Signer + '_>, KeyError> {
        match &self.0 {
            Inner::Pkcs11(token) => Ok(Box::new(token.find(uri)?)),
            Inner::Software(token) => Ok(Box::new(token.find(uri)?)),
        }
    }

    /// What the token says of a key's custody.
    ///
    /// # Errors
    /// No such key, or the token's refusal.
    pub fn custody(&self, uri: &KeyUri) -> Result<Custody, KeyError> {
        match &self.0 {
            Inner::Pkcs11(token) => token.custody(uri),
            Inner::Software(token) => token.find(uri).map(|_| Custody::software()),
        }
    }

    /// Destroys a key, both halves. It can't be undone.
    ///
    /// # Errors
    /// No such key, a token open for reading only, or the token's refusal.
    pub fn destroy(&self, uri: &KeyUri) -> Result<(), KeyError> {
        match &self.0 {
            Inner::Pkcs11(token) => token.destroy(uri),
            Inner::Software(token) => token.destroy(uri),
        }
    }
}

//! The directory of a software token.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use der::{Decode, SecretDocument};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo};
use secrecy::{ExposeSecret, SecretString};

use crate::crypto::{DigestAlgorithm, KeyAlgorithm};
use crate::keys::custody::Custody;
use crate::keys::error::{KeyError, PinError};
use crate::keys::pkcs11::Access;
use crate::keys::private_file;
use crate::keys::settings::TierKind;
use crate::keys::signer::{Signer, challenge};
use crate::keys::token::{KeyInfo, TokenFacts, UnusableKey};
use crate::keys::uri::KeyUri;

use super::key::SoftwareKey;

/// The token's own key: proof of the passphrase, source of the serial number. No key's name begins with a dot.
const TOKEN_FILE: &str = ".token.pem";
const EXTENSION: &str = "pem";
const PEM_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// An RSA-4096 key is 3.3 KiB in PEM.
const MAX_FILE_BYTES: u64 = 16 * 1024;
/// scrypt N = 2^15, r = 8, p = 1: 32 MiB and some 0.1 s for each guess (RFC 7914 §2).
const SCRYPT_LOG_N: u8 = 15;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
const SALT_BYTES: usize = 16;
/// Octets of the token key's digest that make the serial: 16 hexadecimal digits, as long as a PKCS#11 serial.
const SERIAL_BYTES: usize = 8;
/// More files than this are no key directory; listing stops with an error.
const MAX_FILES: usize = 1000;

/// An open software token.
pub(in crate::keys) struct SoftwareToken {
    name: String,
    directory: PathBuf,
    passphrase: SecretString,
    serial: String,
    access: Access,
}

impl SoftwareToken {
    /// Makes the directory, of mode 0700, and the token's own key. Anything there already is an error.
    pub(in crate::keys) fn create(directory: &Path, passphrase: &SecretString) -> Result<(), KeyError> {
        let file = |error| KeyError::File { path: directory.to_owned(), error };
        if let Some(parent) = directory.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(file)?;
        }
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let place = directory.parent().unwrap_or(directory).to_owned();
                return Err(KeyError::TokenExists { name, place });
            }
            Err(error) => return Err(file(error)),
        }
        let (_, document) = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
        write(&directory.join(TOKEN_FILE), &document, passphrase)
    }

    pub(in crate::keys) fn open(
        name: &str,
        directory: &Path,
        passphrase: &SecretString,
        access: Access,
    ) -> Result<Self, KeyError> {
        let path = directory.join(TOKEN_FILE);
        if !path.exists() {
            return Err(KeyError::TokenMissing {
                selector: format!("the directory {:?}", directory.file_name().unwrap_or_default()),
                place: directory.parent().unwrap_or(directory).to_owned(),
                present: "not looked for".to_owned(),
            });
        }
        let key = read(&path, name, passphrase)?;
        let digest = DigestAlgorithm::Sha256.digest(key.public_key().spki_der());
        let serial = hex::encode(digest.as_ref().get(..SERIAL_BYTES).unwrap_or_default());
        Ok(Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            passphrase: passphrase.clone(),
            serial,
            access,
        })
    }

    pub(in crate::keys) fn facts(&self) -> TokenFacts {
        TokenFacts {
            tier: TierKind::Software,
            label: self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            serial: self.serial.clone(),
            manufacturer: "Noonmark".to_owned(),
            model: "encrypted files".to_owned(),
            hardware_version: String::new(),
            firmware_version: String::new(),
            module_path: self.directory.clone(),
            library_description: "aws-lc-rs".to_owned(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn path(&self, uri: &KeyUri) -> Result<PathBuf, KeyError> {
        let name = uri.software_name().ok_or_else(|| KeyError::KeyElsewhere {
            uri: uri.clone(),
            token: self.name.clone(),
            reason: "this is a token of the software tier".to_owned(),
        })?;
        Ok(self.directory.join(format!("{name}.{EXTENSION}")))
    }

    pub(in crate::keys) fn find(&self, uri: &KeyUri) -> Result<SoftwareKey, KeyError> {
        let path = self.path(uri)?;
        if !path.exists() {
            return Err(KeyError::KeyMissing { uri: uri.clone(), token: self.name.clone() });
        }
        read(&path, &self.name, &self.passphrase)
    }

    pub(in crate::keys) fn generate(&self, label: &str, algorithm: KeyAlgorithm) -> Result<KeyInfo, KeyError> {
        self.require_write()?;
        let uri = KeyUri::software(label).map_err(|_| KeyError::BadName {
            name: label.to_owned(),
            what: "software key",
            reason: "use 1 to 64 letters, digits, hyphens, underscores and dots, not beginning with a dot",
        })?;
        let path = self.path(&uri)?;
        if path.exists() {
            return Err(KeyError::KeyExists { label: label.to_owned(), token: self.name.clone() });
        }
        let (_, document) = SoftwareKey::generate(algorithm)?;
        write(&path, &document, &self.passphrase)?;
        // What is proven is what stands in the file.
        let key = self.find(&uri)?;
        let signature = algorithm.default_signature();
        challenge(key.public_key(), signature, |message| key.sign(signature, message)).map_err(|error| {
            KeyError::ChallengeFailed { key: label.to_owned(), uri: uri.clone(), reason: error.to_string() }
        })?;
        Ok(KeyInfo { label: label.to_owned(), uri, public_key: key.public_key().clone(), custody: Custody::software() })
    }

    pub(in crate::keys) fn list(&self) -> Result<(Vec<KeyInfo>, Vec<UnusableKey>), KeyError> {
        let file = |error| KeyError::File { path: self.directory.clone(), error };
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for (count, entry) in std::fs::read_dir(&self.directory).map_err(file)?.enumerate() {
            if count >= MAX_FILES {
                return Err(file(io::Error::other(format!("more than {MAX_FILES} files"))));
            }
            let path = entry.map_err(file)?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_none_or(|extension| extension != EXTENSION) || stem.starts_with('.') {
                continue;
            }
            let found = KeyUri::software(&stem).map_err(|error| error.to_string()).and_then(|uri| {
                let key = self.find(&uri).map_err(|error| error.to_string())?;
                Ok((uri, key.public_key().clone()))
            });
            match found {
                Ok((uri, public_key)) => {
                    keys.push(KeyInfo { label: stem, uri, public_key, custody: Custody::software() });
                }
                Err(reason) => unusable.push(UnusableKey { label: stem, id_hex: String::new(), reason }),
            }
        }
        keys.sort_by(|one, other| one.label.cmp(&other.label));
        Ok((keys, unusable))
    }

    pub(in crate::keys) fn destroy(&self, uri: &KeyUri) -> Result<(), KeyError> {
        self.require_write()?;
        let path = self.path(uri)?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::KeyMissing { uri: uri.clone(), token: self.name.clone() })
            }
            Err(error) => Err(KeyError::File { path, error }),
        }
    }

    fn require_write(&self) -> Result<(), KeyError> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(KeyError::ReadOnly { token: self.name.clone() }),
        }
    }
}

/// Encrypts a PKCS#8 document (RFC 5958 §3; PBES2 with scrypt, RFC 7914 §7, and AES-256-CBC) into a new PEM file.
fn write(path: &Path, document: &[u8], passphrase: &SecretString) -> Result<(), KeyError> {
    let failed = || KeyError::Library { doing: "encrypting a key" };
    let mut salt = [0; SALT_BYTES];
    let mut iv = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| failed())?;
    aws_lc_rs::rand::fill(&mut iv).map_err(|_| failed())?;
    let cost =
        scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P, scrypt::Params::RECOMMENDED_LEN).map_err(|_| failed())?;
    let parameters = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).map_err(|_| failed())?;
    let pem = PrivateKeyInfo::from_der(document)
        .map_err(|_| failed())?
        .encrypt_with_params(parameters, passphrase.expose_secret())
        .and_then(|encrypted| Ok(encrypted.to_pem(PEM_LABEL, LineEnding::LF)?))
        .map_err(|_| failed())?;
    private_file::create(path, pem.as_bytes()).map_err(|error| KeyError::File { path: path.to_owned(), error })
}

/// Reads and decrypts a key's file. `token` names the token if the passphrase is wrong.
fn read(path: &Path, token: &str, passphrase: &SecretString) -> Result<SoftwareKey, KeyError> {
    let malformed = |reason: &str| KeyError::Malformed { path: path.to_owned(), reason: reason.to_owned() };
    let pem = private_file::read_text(path, MAX_FILE_BYTES).map_err(|error| match error {
        PinError::Unreadable { path, error } => KeyError::File { path, error },
        other => KeyError::Pin(other),
    })?;
    let (label, document) =
        SecretDocument::from_pem(pem.expose_secret()).map_err(|error| malformed(&error.to_string()))?;
    if label != PEM_LABEL {
        return Err(malformed("it is not an encrypted PKCS#8 key in PEM"));
    }
    let encrypted = EncryptedPrivateKeyInfo::from_der(document.as_bytes())
        .map_err(|_| malformed("it is not an encrypted PKCS#8 key"))?;
    let pkcs8 = encrypted.decrypt(passphrase.expose_secret()).map_err(|_| KeyError::PinRefused {
        token: token.to_owned(),
        place: "the configured place of its passphrase".to_owned(),
    })?;
    SoftwareKey::from_pkcs8(pkcs8.as_bytes()).ok_or_else(|| malformed("it holds no key of a supported kind"))
}

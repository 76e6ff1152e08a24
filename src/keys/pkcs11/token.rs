//! A token of a module: selecting, opening, logging in, making one.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::keys::error::{CallError, KeyError};
use crate::keys::settings::{TierKind, TokenSelector, TokenSettings};
use crate::keys::token::TokenFacts;
use crate::keys::uri::KeyUri;

use super::module::{Lease, Module};
use super::session::ModuleSession;

/// Tries to open a token. SoftHSM rewrites a token's file while another process logs in: about 2 of 100 opens then
/// see no token. Six tries 20 to 100 ms apart cover a second of such bad luck.
const OPEN_ATTEMPTS: u32 = 6;
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// CK_TOKEN_INFO.label holds 32 octets, and the library would cut a longer one silently.
const MAX_LABEL_BYTES: usize = 32;

/// Called before each call into a module, so that a watcher sees progress.
pub(in crate::keys) type Beat<'a> = &'a dyn Fn();

/// What a token is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::keys) enum Access {
    Read,
    Write,
}

/// Remembers a PIN that a token refused: tokens lock after a few failures, so it is not tried twice.
#[derive(Default)]
pub(in crate::keys) struct PinGuard(Mutex<Option<SecretString>>);

impl PinGuard {
    pub(super) fn was_refused(&self, pin: &SecretString) -> bool {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused
            .as_ref()
            .is_some_and(|refused| bool::from(refused.expose_secret().as_bytes().ct_eq(pin.expose_secret().as_bytes())))
    }

    pub(super) fn remember(&self, pin: &SecretString) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin.clone());
    }
}

/// A token that is open and logged in to.
pub(in crate::keys) struct Pkcs11Token {
    pub(super) name: String,
    pub(super) facts: TokenFacts,
    pub(super) access: Access,
    pub(super) session: ModuleSession,
    slot: Slot,
}

fn doing(doing: &'static str) -> impl Fn(CallError) -> KeyError {
    move |error| KeyError::Call { doing, error }
}

impl Pkcs11Token {
    pub(in crate::keys) fn open(
        settings: &TokenSettings,
        path: &Path,
        selector: &TokenSelector,
        access: Access,
        guard: &PinGuard,
        beat: Beat<'_>,
    ) -> Result<Self, KeyError> {
        beat();
        let module = Module::load(path)?;
        let pin = settings.pin.read()?;
        let refused = || KeyError::PinRefused { token: settings.name.clone(), place: settings.pin.to_string() };
        if guard.was_refused(&pin) {
            return Err(refused());
        }
        let mut attempt = 0;
        loop {
            match Self::open_once(&settings.name, &module, selector, access, &pin, beat) {
                Err(error) if error.is_transient() && attempt + 1 < OPEN_ATTEMPTS => {
                    attempt += 1;
                    std::thread::sleep(OPEN_PAUSE * attempt);
                    beat();
                    // SoftHSM reads its directory when it is initialized.
                    module.renew_if_unused()?;
                }
                Err(KeyError::Call { error, .. })
                    if ["CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE", "CKR_PIN_EXPIRED"]
                        .iter()
                        .any(|code| error.is(code)) =>
                {
                    guard.remember(&pin);
                    return Err(refused());
                }
                Err(KeyError::Call { error, .. }) if error.is("CKR_PIN_LOCKED") => {
                    guard.remember(&pin);
                    return Err(KeyError::PinLocked { token: settings.name.clone() });
                }
                other => return other,
            }
        }
    }

    fn open_once(
        name: &str,
        module: &Arc<Module>,
        selector: &TokenSelector,
        access: Access,
        pin: &SecretString,
        beat: Beat<'_>,
    ) -> Result<Self, KeyError> {
        beat();
        let lease = module.lease()?;
        beat();
        let (slot, info) = select(&lease, selector)?;
        beat();
        let library = lease.library_info().map_err(doing("asking the module about itself"))?;
        let session = ModuleSession::open(Arc::clone(&lease), slot, access == Access::Write)
            .map_err(doing("opening a session"))?;
        beat();
        session.login(UserType::User, pin).map_err(doing("logging in"))?;
        let facts = TokenFacts {
            tier: TierKind::Pkcs11,
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            hardware_version: info.hardware_version().to_string(),
            firmware_version: info.firmware_version().to_string(),
            module_path: module.path().to_owned(),
            library_description: library.library_description().to_owned(),
            library_version: library.library_version().to_string(),
        };
        Ok(Self { name: name.to_owned(), facts, access, session, slot })
    }

    /// The same token with a further session, logged in to as this one is.
    pub(in crate::keys) fn sibling(&self) -> Result<Self, KeyError> {
        let session = ModuleSession::open(Arc::clone(self.session.lease()), self.slot, false)
            .map_err(doing("opening a further session"))?;
        Ok(Self { name: self.name.clone(), facts: self.facts.clone(), access: Access::Read, session, slot: self.slot })
    }

    pub(in crate::keys) fn generation(&self) -> u64 {
        self.session.lease().generation()
    }

    pub(in crate::keys) fn facts(&self) -> &TokenFacts {
        &self.facts
    }

    /// Refuses a URI that names another token.
    pub(in crate::keys) fn check_place(&self, uri: &KeyUri) -> Result<(), KeyError> {
        let elsewhere = |reason: String| KeyError::KeyElsewhere { uri: uri.clone(), token: self.name.clone(), reason };
        if uri.software_name().is_some() {
            return Err(elsewhere("it is a key of the software tier".to_owned()));
        }
        for (what, wanted, actual) in [
            ("label", uri.token(), &self.facts.label),
            ("serial", uri.serial(), &self.facts.serial),
            ("manufacturer", uri.manufacturer(), &self.facts.manufacturer),
            ("model", uri.model(), &self.facts.model),
        ] {
            if wanted.is_some_and(|wanted| wanted != actual) {
                return Err(elsewhere(format!("this token's {what} is {actual:?}")));
            }
        }
        Ok(())
    }

    /// Initializes a free slot's token. Refuses if a token of the label is there already.
    pub(in crate::keys) fn create(
        name: &str,
        path: &Path,
        selector: &TokenSelector,
        so_pin: &SecretString,
        user_pin: &SecretString,
    ) -> Result<(), KeyError> {
        let TokenSelector::Label(label) = selector else {
            return Err(KeyError::Settings {
                token: name.to_owned(),
                reason: "a token is made with a label; its serial number is the token's own choice".to_owned(),
            });
        };
        let problem = if label.is_empty() || label.trim() != label {
            Some("it is empty or has blanks at an end, which tokens drop")
        } else if label.len() > MAX_LABEL_BYTES {
            Some("it is longer than 32 octets")
        } else if label.chars().any(char::is_control) {
            Some("it is not printable")
        } else {
            None
        };
        if let Some(reason) = problem {
            return Err(KeyError::BadName { name: label.clone(), what: "token", reason });
        }
        let module = Module::load(path)?;
        let _one_at_a_time = module.administration.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = module.lease()?;
        let free = free_slot(&lease, label)?;
        lease.call(|pkcs11| pkcs11.init_token(free, so_pin, label)).map_err(doing("initializing the token"))?;
        // SoftHSM may have given the token another slot.
        let (slot, _) = select(&lease, selector)?;
        let session = ModuleSession::open(lease, slot, true).map_err(doing("opening a session"))?;
        session.login(UserType::So, so_pin).map_err(doing("logging in as security officer"))?;
        session.call(|session| session.init_pin(user_pin)).map_err(doing("setting the user PIN"))?;
        session.call(|session| session.logout()).map_err(doing("logging out"))
    }
}

fn initialized_tokens(lease: &Lease) -> Result<Vec<(Slot, TokenInfo)>, KeyError> {
    let slots = lease.call(|pkcs11| pkcs11.get_slots_with_token()).map_err(doing("listing the slots"))?;
    let mut tokens = Vec::with_capacity(slots.len());
    for slot in slots {
        // A slot that does not answer is another token's trouble.
        match lease.call(|pkcs11| pkcs11.get_token_info(slot)) {
            Ok(info) if info.token_initialized() => tokens.push((slot, info)),
            Ok(_) => {}
            Err(CallError::Stale) => return Err(doing("asking a token about itself")(CallError::Stale)),
            Err(error) => tracing::debug!(%error, slot = slot.id(), "a slot does not tell of its token"),
        }
    }
    Ok(tokens)
}

/// The one token that the selector fits.
fn select(lease: &Lease, selector: &TokenSelector) -> Result<(Slot, TokenInfo), KeyError> {
    let tokens = initialized_tokens(lease)?;
    let present = tokens.iter().map(|(_, info)| info.label()).collect::<Vec<_>>().join(", ");
    let mut fitting: Vec<_> = tokens
        .into_iter()
        .filter(|(_, info)| match selector {
            TokenSelector::Label(label) => info.label() == label,
            TokenSelector::Serial(serial) => info.serial_number() == serial,
        })
        .collect();
    let place = || lease.module().path().to_owned();
    let count = fitting.len();
    match fitting.pop() {
        None => Err(KeyError::TokenMissing {
            selector: selector.to_string(),
            place: place(),
            present: if present.is_empty() { "none".to_owned() } else { present },
        }),
        Some(token) if count == 1 => Ok(token),
        Some(_) => Err(KeyError::TokenAmbiguous { selector: selector.to_string(), place: place(), count }),
    }
}

/// A slot whose token is not initialized, if no initialized token has the label.
fn free_slot(lease: &Lease, label: &str) -> Result<Slot, KeyError> {
    let slots = lease.call(|pkcs11| pkcs11.get_slots_with_token()).map_err(doing("listing the slots"))?;
    let mut free = None;
    for slot in slots {
        // Here every slot must answer: an unseen token could have the label.
        let info = lease.call(|pkcs11| pkcs11.get_token_info(slot)).map_err(doing("asking a token about itself"))?;
        if !info.token_initialized() {
            free = free.or(Some(slot));
        } else if info.label() == label {
            return Err(KeyError::TokenExists { name: label.to_owned(), place: lease.module().path().to_owned() });
        }
    }
    free.ok_or_else(|| KeyError::NoFreeSlot { place: lease.module().path().to_owned() })
}

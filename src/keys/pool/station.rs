//! What a signing thread works at: a session and the keys found in it.

use std::sync::Arc;

use crate::keys::error::{KeyError, SignError};
use crate::keys::pkcs11::{Access, Beat, Module, PinGuard, Pkcs11Token, Renewal, Resolved};
use crate::keys::settings::{Tier, TokenSettings};
use crate::keys::signer::{ChallengeError, Signer, challenge};
use crate::keys::software::{SoftwareKey, SoftwareToken};
use crate::keys::token::TokenFacts;

use super::key::{Key, KeySet};

/// A session with its keys; belongs to one thread at a time.
pub(super) enum Station {
    Pkcs11 { token: Box<Pkcs11Token>, keys: Vec<(u64, Resolved)> },
    Software { token: Arc<SoftwareToken>, keys: Vec<(u64, Arc<SoftwareKey>)> },
}

/// What is to be brought up.
pub(super) struct Plan {
    pub(super) settings: TokenSettings,
    pub(super) keys: Arc<KeySet>,
    /// How many sessions.
    pub(super) count: usize,
    /// Start the module anew first; the inner value is the life of it that was found broken.
    pub(super) renew: Option<Option<u64>>,
    pub(super) guard: Arc<PinGuard>,
}

/// What was brought up.
pub(super) struct BroughtUp {
    pub(super) stations: Vec<Station>,
    pub(super) facts: TokenFacts,
    /// The module's life that the sessions belong to.
    pub(super) generation: Option<u64>,
}

impl Plan {
    /// Opens the token and the sessions, finds each key in each and lets it sign a challenge. Blocks in the module:
    /// `beat` is called before each of its calls.
    pub(super) fn carry_out(&self, beat: Beat<'_>) -> Result<BroughtUp, KeyError> {
        beat();
        let mut stations = match &self.settings.tier {
            Tier::Pkcs11 { module, selector } => {
                if let Some(observed) = self.renew {
                    // Half the time that the watcher allows without a beat.
                    let renewal = Module::load(module)?.renew(observed, self.settings.call_timeout / 2)?;
                    if let Renewal::CallsOut(calls) = renewal {
                        tracing::warn!(token = %self.settings.name, calls,
                            "calls into the module do not return, so it can't be started anew; trying without");
                    }
                }
                let token = Pkcs11Token::open(&self.settings, module, selector, Access::Read, &self.guard, beat)?;
                let mut tokens = Vec::with_capacity(self.count);
                for _ in 1..self.count {
                    beat();
                    tokens.push(token.sibling()?);
                }
                tokens.push(token);
                tokens
                    .into_iter()
                    .map(|token| Station::Pkcs11 { token: Box::new(token), keys: Vec::new() })
                    .collect::<Vec<_>>()
            }
            Tier::Software { directory } => {
                let passphrase = self.settings.pin.read()?;
                let token = SoftwareToken::open(&self.settings.name, directory, &passphrase, Access::Read)?;
                let token = Arc::new(token);
                let mut found = Vec::with_capacity(self.keys.len());
                for key in self.keys.iter() {
                    beat();
                    found.push((key.number, Arc::new(token.find(&key.spec.uri)?)));
                }
                (0..self.count).map(|_| Station::Software { token: Arc::clone(&token), keys: found.clone() }).collect()
            }
        };
        for station in &mut stations {
            for key in self.keys.iter() {
                beat();
                station.find(key)?;
                beat();
                station.challenge(key).map_err(|error| challenge_failed(key, &error))?;
            }
        }
        let (facts, generation) = match stations.first() {
            Some(Station::Pkcs11 { token, .. }) => (token.facts().clone(), Some(token.generation())),
            Some(Station::Software { token, .. }) => (token.facts(), None),
            None => return Err(KeyError::Library { doing: "opening no session at all" }),
        };
        Ok(BroughtUp { stations, facts, generation })
    }
}

fn challenge_failed(key: &Key, error: &ChallengeError) -> KeyError {
    KeyError::ChallengeFailed { key: key.spec.name.clone(), uri: key.spec.uri.clone(), reason: error.to_string() }
}

impl Station {
    fn knows(&self, key: &Key) -> bool {
        match self {
            Self::Pkcs11 { keys, .. } => keys.iter().any(|(number, _)| *number == key.number),
            Self::Software { keys, .. } => keys.iter().any(|(number, _)| *number == key.number),
        }
    }

    /// Finds the key in the session, if it is not known yet.
    fn find(&mut self, key: &Key) -> Result<(), KeyError> {
        if self.knows(key) {
            return Ok(());
        }
        match self {
            Self::Pkcs11 { token, keys } => {
                let resolved = token.resolve(&key.spec.uri, key.spec.public_key.algorithm())?;
                keys.push((key.number, resolved));
            }
            Self::Software { token, keys } => keys.push((key.number, Arc::new(token.find(&key.spec.uri)?))),
        }
        Ok(())
    }

    /// Signs. A key that this session has not seen, one that was exchanged while the job waited, is found and
    /// challenged first.
    pub(super) fn sign(&mut self, key: &Key, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if !self.knows(key) {
            let refuse = |error: KeyError| match error {
                KeyError::Call { error, .. } => SignError::Call(error),
                other => SignError::Key { reason: other.to_string().into() },
            };
            self.find(key).map_err(refuse)?;
            if let Err(error) = self.challenge(key) {
                self.forget(key);
                return Err(match error {
                    ChallengeError::Sign(error) => error,
                    ChallengeError::Mismatch => refuse(challenge_failed(key, &ChallengeError::Mismatch)),
                });
            }
        }
        self.sign_known(key, message)
    }

    fn forget(&mut self, key: &Key) {
        match self {
            Self::Pkcs11 { keys, .. } => keys.retain(|(number, _)| *number != key.number),
            Self::Software { keys, .. } => keys.retain(|(number, _)| *number != key.number),
        }
    }

    fn sign_known(&self, key: &Key, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let unknown = || SignError::Key { reason: "the key is not known in this session".into() };
        match self {
            Self::Pkcs11 { token, keys } => {
                let (_, resolved) = keys.iter().find(|(number, _)| *number == key.number).ok_or_else(unknown)?;
                token.sign(*resolved, key.spec.algorithm, message)
            }
            Self::Software { keys, .. } => {
                let (_, pair) = keys.iter().find(|(number, _)| *number == key.number).ok_or_else(unknown)?;
                pair.sign(key.spec.algorithm, message)
            }
        }
    }

    /// Lets the key sign a challenge that must verify under the public key of its certificate.
    pub(super) fn challenge(&self, key: &Key) -> Result<(), ChallengeError> {
        challenge(&key.spec.public_key, key.spec.algorithm, |message| self.sign_known(key, message))
    }
}

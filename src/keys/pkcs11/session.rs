//! One session: it belongs to one thread at a time, and to one life of its module.

use std::sync::Arc;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use secrecy::SecretString;

use crate::crypto::{KeyAlgorithm, SignatureAlgorithm};
use crate::keys::error::{CallError, SignError};

use super::mechanism;
use super::module::{Lease, call_error};

/// A session and the share in the module's life that it belongs to.
pub(in crate::keys) struct ModuleSession {
    /// Opened so that the library does not close it on drop: after the module was started anew its handle may be
    /// someone else's.
    session: Option<Session>,
    lease: Arc<Lease>,
}

/// A private key found in a session.
#[derive(Clone, Copy, Debug)]
pub(in crate::keys) struct Resolved {
    pub(super) handle: ObjectHandle,
    pub(in crate::keys) algorithm: KeyAlgorithm,
}

impl ModuleSession {
    pub(super) fn open(lease: Arc<Lease>, slot: Slot, writable: bool) -> Result<Self, CallError> {
        let session = lease.call(|pkcs11| {
            if writable { pkcs11.open_rw_session_no_drop(slot) } else { pkcs11.open_ro_session_no_drop(slot) }
        })?;
        Ok(Self { session: Some(session), lease })
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Makes one call with the session, if its life of the module still lasts.
    pub(super) fn call<T>(&self, call: impl FnOnce(&Session) -> Result<T, Error>) -> Result<T, CallError> {
        let _passage = self.lease.enter()?;
        match &self.session {
            Some(session) => call(session).map_err(|error| call_error(&error)),
            None => Err(CallError::Stale),
        }
    }

    /// Logs in. The login is the application's, not the session's: another session may have done it before.
    pub(super) fn login(&self, user: UserType, pin: &SecretString) -> Result<(), CallError> {
        match self.call(|session| session.login(user, Some(pin))) {
            Err(error) if error.is("CKR_USER_ALREADY_LOGGED_IN") => Ok(()),
            other => other,
        }
    }

    pub(super) fn find(&self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, CallError> {
        self.call(|session| session.find_objects(template))
    }

    /// One attribute; None if the token does not tell it.
    pub(super) fn attribute(
        &self,
        object: ObjectHandle,
        attribute: AttributeType,
    ) -> Result<Option<Attribute>, CallError> {
        match self.call(|session| session.get_attributes(object, &[attribute])) {
            Ok(values) => Ok(values.into_iter().next()),
            Err(error) if error.means_token_lost() => Err(error),
            // The token does not know the attribute, will not tell it, or tells what the library can't read.
            Err(_) => Ok(None),
        }
    }

    /// Signs, and gives the value as X.509 and CMS carry it.
    pub(in crate::keys) fn sign(
        &self,
        key: Resolved,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let raw = mechanism::with_input(algorithm, key.algorithm, message, |mechanism, input| {
            Ok(self.call(|session| session.sign(mechanism, key.handle, input))?)
        })?;
        Ok(algorithm.value_from_raw(raw)?)
    }

    /// The same over a message's digest.
    pub(in crate::keys) fn sign_digest(
        &self,
        key: Resolved,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let raw = mechanism::with_digest(algorithm, key.algorithm, digest, |mechanism, input| {
            Ok(self.call(|session| session.sign(mechanism, key.handle, input))?)
        })?;
        Ok(algorithm.value_from_raw(raw)?)
    }
}

impl Drop for ModuleSession {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        // A stale session ended with its life of the module.
        let Ok(_passage) = self.lease.enter() else { return };
        if let Err(error) = session.close() {
            tracing::debug!(%error, "a PKCS#11 session could not be closed");
        }
    }
}

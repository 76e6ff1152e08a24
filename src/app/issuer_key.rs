//! An issuer's own key, found in its token and held against the issuer's certificate.

use super::installation::Installation;
use super::lifecycle::LifecycleError;
use super::units;
use crate::ca::registry::{Issuer, RegistryError};
use crate::keys::{Signer, Token};
use crate::store::{KeyRow, KeyState};

/// The root's name among the issuers, and its key's role.
pub(super) const ROOT: &str = "root";

impl Installation {
    /// The active key of an issuer in the ca token: the agent's.
    pub(super) fn agent_key(&self, issuer_name: &str) -> Result<Option<KeyRow>, LifecycleError> {
        Ok(self.key_in_state(&format!("ca:{issuer_name}"), KeyState::Active)?)
    }

    /// Opens the token with an issuer's key and hands the key on.
    pub(super) fn with_issuer_key<T, E: From<LifecycleError>>(
        &self,
        issuer: &Issuer,
        work: impl FnOnce(&dyn Signer, &KeyRow) -> Result<T, E>,
    ) -> Result<T, E> {
        let not_here = || LifecycleError::from(RegistryError::KeyNotHere { name: issuer.row.name.clone() });
        let row = match self.agent_key(&issuer.row.name)? {
            Some(row) => row,
            None if issuer.row.name == ROOT => {
                self.key_in_state(ROOT, KeyState::Active).map_err(LifecycleError::from)?.ok_or_else(not_here)?
            }
            None => return Err(not_here().into()),
        };
        let settings = self.configuration.token_settings(&row.token).map_err(LifecycleError::from)?;
        let token = Token::open(&settings).map_err(LifecycleError::from)?;
        let uri = units::uri(&row).map_err(LifecycleError::from)?;
        let signer = token.find(&uri).map_err(LifecycleError::from)?;
        if signer.public_key().spki_der() != issuer.certificate.public_key.spki_der() {
            return Err(LifecycleError::OtherKey { name: row.name }.into());
        }
        work(&*signer, &row)
    }
}

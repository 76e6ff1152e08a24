//! Roles of API keys, and what each may do.

use std::fmt;
use std::str::FromStr;

/// What the holder of an API key is to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Decides on issuers and certificates.
    Officer,
    /// Runs the service: sees all, and how issuers are answered for is theirs to set.
    Operator,
    /// Sees all, changes nothing.
    Auditor,
    /// Uses the service; sees itself alone.
    Client,
}

/// What the API is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// To say who asks.
    SeeSelf,
    /// To show issuers, certificates, orders, profiles, API keys.
    See,
    /// To change how an issuer is answered for.
    SetIssuer,
    /// To add an issuer.
    AddIssuer,
    /// To issue, revoke, hold, release or import certificates.
    ChangeCertificates,
}

/// No role by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no role; choose officer, operator, auditor or client")]
pub struct UnknownRole {
    /// As given.
    pub name: String,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Officer, Self::Operator, Self::Auditor, Self::Client];

    /// The role's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Client => "client",
        }
    }

    /// The one table of who may do what.
    pub(super) const fn may(self, action: Action) -> bool {
        match action {
            Action::SeeSelf => true,
            Action::See => matches!(self, Self::Officer | Self::Operator | Self::Auditor),
            Action::SetIssuer => matches!(self, Self::Officer | Self::Operator),
            Action::AddIssuer | Action::ChangeCertificates => matches!(self, Self::Officer),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole { name: name.to_owned() })
    }
}

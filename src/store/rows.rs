//! Rows as the store keeps them.

use std::borrow::Cow;
use std::sync::Arc;

/// The ledger's columns, as both databases select them and [`LedgerRow`] is read.
pub(super) const LEDGER_COLUMNS: [&str; 16] = [
    "server_id",
    "number",
    "kind",
    "recorded_at_us",
    "previous_hash",
    "detail",
    "serial",
    "gen_time_us",
    "profile",
    "hash_algorithm",
    "imprint",
    "policy",
    "key_name",
    "caller",
    "token_sha256",
    "token",
];

/// A record of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The server whose chain it stands in.
    pub server_id: i64,
    /// Its place in the chain, dense from 1.
    pub number: i64,
    /// `token`, or the event's kind.
    pub kind: Cow<'static, str>,
    /// When it was recorded, in microseconds since 1970.
    pub recorded_at_us: i64,
    /// The SHA-256 of the record before; 32 zero octets at the chain's beginning.
    pub previous_hash: [u8; 32],
    /// An event's detail, JSON.
    pub detail: Option<String>,
    /// A token's fields.
    pub token: Option<TokenRow>,
}

/// What is recorded of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The serial number, 17 octets.
    pub serial: [u8; 17],
    /// genTime as it stands in the token, in microseconds since 1970.
    pub gen_time_us: i64,
    /// The profile it was asked from.
    pub profile: Arc<str>,
    /// The imprint's hash.
    pub hash_algorithm: Cow<'static, str>,
    /// The imprint.
    pub imprint: Vec<u8>,
    /// The policy, dotted decimal.
    pub policy: Arc<str>,
    /// The key that signed.
    pub key_name: Arc<str>,
    /// Who asked.
    pub caller: Arc<str>,
    /// The SHA-256 of the TimeStampToken.
    pub token_sha256: [u8; 32],
    /// The TimeStampToken, if the profile keeps it.
    pub token: Option<Vec<u8>>,
}

/// A key's state, in the order of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// Generated; it has no certificate.
    Pending,
    /// It has a certificate and waits for SIGHUP or the next start.
    Successor,
    /// It signs.
    Active,
    /// It signs no more.
    Retired,
    /// It is gone from its token.
    Destroyed,
}

impl KeyState {
    const ALL: [Self; 5] = [Self::Pending, Self::Successor, Self::Active, Self::Retired, Self::Destroyed];

    /// The state's name in the store and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Successor => "successor",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A key by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its name, which never comes back.
    pub name: String,
    /// The token it is in, by the configuration's name.
    pub token: String,
    /// Where in the token (RFC 7512).
    pub uri: String,
    /// What it is for: `tsu:default`, `ca:issuing`, `root`, `ocsp:issuing`.
    pub role: String,
    /// Its algorithm: `p256`, `rsa3072`.
    pub algorithm: String,
    /// Its state.
    pub state: KeyState,
    /// Its certificate.
    pub certificate_sha256: Option<[u8; 32]>,
}

impl KeyRow {
    /// A key that was just generated.
    #[must_use]
    pub fn new(name: &str, token: &str, uri: &str, role: &str, algorithm: &str) -> Self {
        Self {
            name: name.to_owned(),
            token: token.to_owned(),
            uri: uri.to_owned(),
            role: role.to_owned(),
            algorithm: algorithm.to_owned(),
            state: KeyState::Pending,
            certificate_sha256: None,
        }
    }
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    /// The SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// Its octets.
    pub der: Vec<u8>,
    /// Its subject, RFC 4514.
    pub subject: String,
    /// Its issuer, RFC 4514.
    pub issuer: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// notBefore, in seconds since 1970.
    pub not_before_s: i64,
    /// notAfter, in seconds since 1970.
    pub not_after_s: i64,
    /// What it is for, as in [`KeyRow::role`].
    pub role: String,
}

/// A timestamping profile as a server last served it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRow {
    /// Its name.
    pub name: String,
    /// Its section in noonmark.toml, without the header.
    pub text: String,
}

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    /// The last record's number; 0 for an empty chain.
    pub number: i64,
    /// Its SHA-256; zeros for an empty chain.
    pub hash: [u8; 32],
}

/// A server's row: whose chain it is, and where the chain ends by the row's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRow {
    /// The server's id.
    pub server_id: i64,
    /// What leased it last: `serve` or `operator`.
    pub name: String,
    /// The end.
    pub end: ChainEnd,
}

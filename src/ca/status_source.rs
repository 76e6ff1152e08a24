//! Where a certificate's status comes from beside the registry. `ocsp` asks, `crls` answers, `app` joins the two.

use crate::store::{StatusRow, StoreError};

/// What is asked of a source.
pub struct StatusQuestion<'a> {
    /// The certificate's serial number, an INTEGER's content octets.
    pub serial: &'a [u8],
    /// What the registry says of it; None where it does not know it.
    pub registry: Option<StatusRow>,
    /// The certificate's notAfter, in seconds since 1970, as far as the registry knows it.
    pub not_after_s: Option<i64>,
    /// Gives the certificate, DER, where it is kept here. It may wait for the store, and is called only if it matters.
    pub certificate: &'a dyn Fn() -> Result<Option<Vec<u8>>, StoreError>,
    /// Now, in seconds since 1970.
    pub now_s: i64,
}

/// What is to be said of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Its status; None: no such certificate is known.
    pub status: Option<StatusRow>,
    /// thisUpdate and the latest nextUpdate of an answer, in seconds since 1970; None where the registry alone speaks.
    pub period_s: Option<(i64, i64)>,
    /// The edition that it was taken from.
    pub edition: u64,
}

/// Why nothing can be said of a certificate now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unsure {
    /// Nothing was fetched yet.
    #[error("no CRL is here yet")]
    NothingHeld,
    /// What is here has passed its nextUpdate, or has none.
    #[error("the CRL is past its nextUpdate, and what it does not list may be revoked since")]
    Stale,
    /// The CRL has a part that is not understood (RFC 5280 §5.2, §5.3).
    #[error("the CRL has a critical extension that is not known here")]
    NotUnderstood,
    /// The CRL speaks for a part of the certificates, and whether for this one is not known, or it does not.
    #[error("the CRL speaks for a part of its issuer's certificates, and this is not one that is known to be in it")]
    OutOfScope,
    /// It expired, and a CRL need not list it any longer (RFC 5280 §3.3).
    #[error("the certificate expired before the CRL was issued, which need not list it any longer")]
    Expired,
    /// The certificate could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Unsure {
    /// Whether it may pass by itself: a newer CRL, the store's return.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::NothingHeld | Self::Stale | Self::Store(_) => true,
            Self::NotUnderstood | Self::OutOfScope | Self::Expired => false,
        }
    }
}

/// What knows certificates' status of one issuer.
pub trait StatusSource: Send + Sync {
    /// The number of what it knows now: another one whenever an answer may be another. Never 0, and never used before,
    /// by no source.
    fn edition(&self) -> u64;

    /// What is to be said of a certificate.
    ///
    /// # Errors
    /// Nothing can be said now.
    fn judge(&self, question: &StatusQuestion<'_>) -> Result<Judgement, Unsure>;
}

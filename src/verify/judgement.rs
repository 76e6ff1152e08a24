//! What a judgement says: the verdict, the chain it rests on, each certificate's status, and what it cost.

use std::fmt;
use std::sync::Arc;

use super::anchor::TrustAnchor;
use super::budget::{BudgetExhausted, Costs};
use super::certificate::{Certificate, Finding};
use super::evidence::Origin;
use super::path::{Fault, PolicyOutcome};
use super::revocation::{CertificateStatus, NotUsed, Revocation};
use super::signature::{KeyAlgorithm, SignatureAlgorithm};

/// One certificate of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Where it came from; `None` for the one that was judged.
    pub origin: Option<Origin>,
    /// How it is signed, if that is known here.
    pub signature: Option<SignatureAlgorithm>,
    /// The kind of the key that signed it.
    pub issuer_key: Option<KeyAlgorithm>,
    /// Whether it is revoked.
    pub status: CertificateStatus,
}

impl Link {
    /// Which MUSTs of RFC 5280 §4 it does not keep.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.certificate.findings()
    }
}

/// A path from an anchor to the certificate that was judged.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The anchor.
    pub anchor: Arc<TrustAnchor>,
    /// The certificates, the anchor's side first; none where the certificate judged is the anchor's own.
    pub links: Vec<Link>,
    /// What policies it holds for; empty where it does not hold.
    pub policies: PolicyOutcome,
}

/// Why a certificate is not good. Of several paths, the reason of the one that came furthest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody is held, or trusted, who could have issued this certificate.
    NoIssuer {
        /// The certificate whose issuer is missing.
        certificate: Arc<Certificate>,
    },
    /// A certificate of the path does not meet a condition.
    Certificate {
        /// Which.
        certificate: Arc<Certificate>,
        /// The condition.
        fault: Fault,
    },
    /// The anchor does not meet a condition.
    Anchor {
        /// Which.
        anchor: Arc<TrustAnchor>,
        /// The condition.
        fault: Fault,
    },
    /// A certificate of the path was revoked at the time.
    Revoked {
        /// Which.
        certificate: Arc<Certificate>,
        /// Since when, why, and who says so.
        revocation: Revocation,
    },
    /// Whether a certificate of the path is revoked can't be told.
    StatusUnknown {
        /// Which.
        certificate: Arc<Certificate>,
        /// What was held about it, and why it does not settle it.
        not_used: Vec<NotUsed>,
    },
    /// The path is longer than any that is built.
    TooLong {
        /// Certificates of the longest.
        limit: usize,
    },
    /// The judgement would have cost too much.
    Budget(BudgetExhausted),
}

/// The answer to: is this certificate good?
#[derive(Clone, Debug)]
pub struct Judgement {
    /// `None`: it is good.
    pub failure: Option<Failure>,
    /// The chain that was chosen: of a good certificate the one that holds, else the one that came furthest, if any reached
    /// an anchor.
    pub chain: Option<Chain>,
    /// What it cost.
    pub spent: Costs,
}

impl Judgement {
    /// Whether the certificate is good.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failure.is_none()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |certificate: &Certificate| hex::encode(certificate.serial());
        match self {
            Self::NoIssuer { certificate } => {
                write!(f, "certificate {}: no certificate or anchor of its issuer is known", name(certificate))
            }
            Self::Certificate { certificate, fault } => write!(f, "certificate {}: {fault}", name(certificate)),
            Self::Anchor { fault, .. } => write!(f, "the trust anchor: {fault}"),
            Self::Revoked { certificate, revocation } => {
                let since_s = revocation.revocation_date_s;
                write!(f, "certificate {}: revoked since {since_s} (seconds since 1970)", name(certificate))
            }
            Self::StatusUnknown { certificate, .. } => {
                write!(f, "certificate {}: whether it is revoked can't be told", name(certificate))
            }
            Self::TooLong { limit } => write!(f, "the path is longer than {limit} certificates"),
            Self::Budget(exhausted) => exhausted.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

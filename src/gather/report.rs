//! What was asked, what came, and why not.

use std::net::IpAddr;
use std::time::Duration;

use super::NotPublic;
use crate::verify::EvidenceError;
use crate::verify::cms::CmsError;

/// What a URL was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchKind {
    /// An issuer's certificate, or a bundle with it: caIssuers (RFC 5280 §4.2.2.1).
    Issuer,
    /// An OCSP answer (RFC 6960).
    OcspResponse,
    /// A complete CRL: cRLDistributionPoints (RFC 5280 §4.2.1.13).
    Crl,
    /// A delta CRL: freshestCRL (RFC 5280 §4.2.1.15, §5.2.6).
    DeltaCrl,
}

impl FetchKind {
    /// As reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::OcspResponse => "ocsp-response",
            Self::Crl => "crl",
            Self::DeltaCrl => "delta-crl",
        }
    }
}

/// Why a URL gave nothing that is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not a URL, or longer than any real one.
    #[error("it is no URL that is fetched")]
    Url,
    /// LDAP, a file, and the like.
    #[error("only HTTP and HTTPS are fetched, not {scheme}")]
    Scheme {
        /// The URL's.
        scheme: String,
    },
    /// A name or password in the URL.
    #[error("it has a user name or password, which is not sent at a certificate's bidding")]
    Userinfo,
    /// Another port than 80 and 443.
    #[error("port {port} of {host} is not fetched from unless a rule names it ({host}:{port})")]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// No rule names the host, and not every public host is allowed.
    #[error("{host} is not among the hosts that may be fetched from")]
    HostNotAllowed {
        /// The host.
        host: String,
    },
    /// An address that a stranger may not name.
    #[error("{host} is {address}, {why}, and no rule names the host")]
    Address {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
        /// What is wrong with it.
        why: NotPublic,
    },
    /// No address, no connection, no HTTP, or it broke off.
    #[error("it can't be fetched: {reason}")]
    Failed {
        /// What the library says.
        reason: String,
    },
    /// Another answer than 200.
    #[error("it is answered with HTTP {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// Too many redirections.
    #[error("it redirects more than {limit} times")]
    TooManyRedirects {
        /// The limit.
        limit: usize,
    },
    /// A redirection without a place to go to.
    #[error("it redirects to {location:?}, which is no URL")]
    Redirect {
        /// Where to, cut short.
        location: String,
    },
    /// Larger than allowed, or than what is left of the total.
    #[error("it has more than {limit} octets")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Not there in time.
    #[error("it did not come within {} seconds", limit.as_secs_f32())]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// A web page, for instance.
    #[error("it does not begin as DER does; a web page stands there perhaps")]
    NotDer,
    /// PEM that is none.
    #[error("it is PEM, and malformed")]
    Pem,
    /// Octets that are not what was asked for, or too much of it.
    #[error(transparent)]
    Content(#[from] EvidenceError),
    /// Neither a certificate nor a bundle of certificates.
    #[error("neither a certificate nor a bundle of them: {0}")]
    Bundle(#[from] CmsError),
    /// More certificates than are taken.
    #[error("a bundle of more than {limit} certificates")]
    TooManyCertificates {
        /// The limit.
        limit: usize,
    },
    /// Certificates, but none that issued the one whose URL it is.
    #[error("no certificate there is the issuer's")]
    NotIssuer,
    /// A delta where a complete CRL should be, or the other way round.
    #[error("a CRL of the other kind: complete where a delta was expected, or the other way round")]
    OtherKindOfCrl,
}

/// One URL that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRecord {
    /// The URL as the certificate has it, cut at 2048 characters.
    pub url: String,
    /// What for.
    pub what: FetchKind,
    /// Octets of the answer that were read.
    pub octets: u64,
    /// `Ok`: it can be read and is in the evidence. Whether it is believed, the judgement says.
    pub outcome: Result<(), FetchError>,
}

/// What a gathering had no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exhausted {
    /// Fetches.
    Fetches,
    /// Octets in total.
    Octets,
    /// Time in total.
    Time,
    /// Certificates of the chains that were looked at.
    Certificates,
    /// Signatures, or CRLs and OCSP answers, that were held against certificates.
    Work,
}

/// What a gathering did, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Every URL that was asked, or refused; none stands here twice but responders', one for each certificate.
    pub fetched: Vec<FetchRecord>,
    /// What it ended early for want of: the judgement may lack what could be had, so that one which lets unknown statuses pass
    /// must not be relied on. A document can be written to bring this about.
    pub exhausted: Option<Exhausted>,
}

//! What a gathering is allowed: hosts, and what it may cost.

use std::time::Duration;

use super::HostRule;

/// Where may be fetched from, and how much.
///
/// With neither a rule nor `any_public_host`, nothing is fetched at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatherSettings {
    /// Hosts that may be fetched from even if their addresses are private.
    pub allow: Vec<HostRule>,
    /// Whether every host may be fetched from whose addresses are all public.
    pub any_public_host: bool,
    /// What a gathering may cost.
    pub limits: GatherLimits,
}

/// What a gathering may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherLimits {
    /// URLs that are asked, redirections not counted. 32: a signer's and a timestamp's chain of four take sixteen, if each of
    /// their certificates is asked about twice.
    pub fetches: usize,
    /// Octets of a certificate, a bundle of them, or an OCSP answer. 1 MiB: real ones take up to some hundred KiB.
    pub octets_each: u64,
    /// Octets of a CRL. 64 MiB: the largest in the field are of some tens.
    pub crl_octets_each: u64,
    /// Octets of everything. 128 MiB: two of the largest CRLs.
    pub octets_total: u64,
    /// From the first packet of a fetch to its last octet, redirections included. 10 s: responders answer within one.
    pub time_each: Duration,
    /// Of all fetches together. 30 s: somebody waits for the judgement.
    pub time_total: Duration,
    /// Redirections of a fetch. 3: a CA that moved needs one, a content network one more.
    pub redirects: usize,
}

impl Default for GatherLimits {
    fn default() -> Self {
        Self {
            fetches: 32,
            octets_each: 1024 * 1024,
            crl_octets_each: 64 * 1024 * 1024,
            octets_total: 128 * 1024 * 1024,
            time_each: Duration::from_secs(10),
            time_total: Duration::from_secs(30),
            redirects: 3,
        }
    }
}

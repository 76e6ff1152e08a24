//! `[verification]`: what others signed is judged at `/v1/verify`, by which policies and anchors, and at what cost.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigurationError;
use crate::gather::HostRule;
use crate::verify::cms::MAX_CMS_OCTETS;

/// The verification of signatures, timestamps and certificates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerificationSection {
    /// Whether this server verifies. Default true.
    pub enabled: bool,
    /// Whether everybody may ask, or callers that are known by name alone. Default true.
    pub anonymous: bool,
    /// The directory of further policies, a file `NAME.toml` each; it need not be there. Default "policies".
    pub policies: PathBuf,
    /// The policy of a request that names none. Default "default".
    pub policy: String,
    /// Trust anchors of every policy that names none itself: files, or directories of them. Default none.
    pub anchors: Vec<PathBuf>,
    /// Whether the installation's own roots are among these. Default true.
    pub trust_own: bool,
    /// Certificates, CRLs and OCSP responses that are at hand: files, or directories of them. Default none.
    pub held: Vec<PathBuf>,
    /// Whether what a judgement lacks is fetched from any host whose addresses are public. Default false.
    pub fetch: bool,
    /// Hosts that may be fetched from in any case, even if their addresses are private. Default none.
    pub fetch_hosts: Vec<HostRule>,
    /// The most octets of a document. Default 16777216, which is as much as is read of any.
    pub max_document_octets: usize,
    /// The most octets of a content that is sent along. Default 67108864.
    pub max_content_octets: usize,
    /// The most octets of all requests that are read, wait or are judged, together. Default 536870912.
    pub max_pending_octets: usize,
    /// Judgements at a time, a thread each; 0 means half of the cores, at least 1. Default 0.
    pub threads: usize,
    /// Requests that wait for a thread at most; more are refused at once. Default 64.
    pub queue: usize,
}

impl Default for VerificationSection {
    fn default() -> Self {
        Self {
            enabled: true,
            anonymous: true,
            policies: PathBuf::from("policies"),
            policy: "default".to_owned(),
            anchors: Vec::new(),
            trust_own: true,
            held: Vec::new(),
            fetch: false,
            fetch_hosts: Vec::new(),
            max_document_octets: MAX_CMS_OCTETS,
            max_content_octets: 64 * 1024 * 1024,
            max_pending_octets: 512 * 1024 * 1024,
            threads: 0,
            queue: 64,
        }
    }
}

/// The least that is of use: a timestamp with its chain has some thousand octets.
const MIN_OCTETS: usize = 65_536;
/// Octets of a content: it is held in memory, and larger ones are asked about by their digest.
const MAX_CONTENT_OCTETS: usize = 1024 * 1024 * 1024;
/// More threads or places than any machine of today should give to it: a slip of the finger is refused.
const MAX_THREADS: usize = 1_024;
const MAX_QUEUE: usize = 65_536;

impl VerificationSection {
    pub(super) fn check(&self) -> Result<(), ConfigurationError> {
        for (name, value, least, most) in [
            ("max_document_octets", self.max_document_octets, MIN_OCTETS, MAX_CMS_OCTETS),
            ("max_content_octets", self.max_content_octets, MIN_OCTETS, MAX_CONTENT_OCTETS),
            ("threads", self.threads, 0, MAX_THREADS),
            ("queue", self.queue, 1, MAX_QUEUE),
        ] {
            if !(least..=most).contains(&value) {
                let reason = format!("{name} = {value} must lie between {least} and {most}");
                return Err(ConfigurationError::refused("[verification]", reason));
            }
        }
        let one = self.max_request_octets();
        if self.max_pending_octets < one {
            let reason = format!(
                "max_pending_octets = {} is less than one request may need: {one}, by max_document_octets and \
                 max_content_octets",
                self.max_pending_octets
            );
            return Err(ConfigurationError::refused("[verification]", reason));
        }
        Ok(())
    }

    /// Whether everything but what names policies, anchors, evidence and hosts is the same: a running server can read these again.
    #[must_use]
    pub fn differs_in_files_only(&self, other: &Self) -> bool {
        let rest = |section: &Self| {
            let Self { enabled, anonymous, max_document_octets, max_content_octets, max_pending_octets, .. } = section;
            let octets = [*max_document_octets, *max_content_octets, *max_pending_octets];
            (*enabled, *anonymous, octets, section.threads, section.queue)
        };
        rest(self) == rest(other)
    }

    /// Octets that one request may need: of a JSON body its base64, a third more than what is in it, and that itself.
    #[must_use]
    pub fn max_request_octets(&self) -> usize {
        (self.max_document_octets + self.max_content_octets).saturating_mul(3)
    }

    /// How many judgements there may be at a time.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.threads == 0 { (cores / 2).max(1) } else { self.threads }
    }
}

//! What is asked: a document with what is said beside it, read and held against the limits.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::IntoParams;

use super::body::Body;
use crate::clock::from_date_or_time;
use crate::gather::QuestionTime;
use crate::http::problem::Problem;
use crate::verify::{Evidence, EvidenceError, GivenContent, Origin};

/// Octets of a digest, a policy's name or a time.
pub(super) const MAX_VALUE_OCTETS: usize = 1024;
/// Characters of what does not read that a refusal repeats.
const MAX_SHOWN: usize = 200;

/// What may be said of a document in the URL, whatever the body's form.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The policy's name; the server's first choice where it is not given.
    pub(super) policy: Option<String>,
    /// The time to judge for, RFC 3339 or a day; now where it is not given.
    pub(super) time: Option<String>,
    /// The digest of what is signed or stamped, as sha256:HEX.
    pub(super) content_digest: Option<String>,
    /// Whether the answer has the evidence beside the report.
    #[serde(default)]
    pub(super) evidence: bool,
}

/// Evidence that the caller sent along, each piece in DER.
#[derive(Default)]
pub(super) struct Given {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) crls: Vec<Vec<u8>>,
    pub(super) ocsp_responses: Vec<Vec<u8>>,
}

/// A question that can be judged.
pub(super) struct Question {
    pub(super) document: Vec<u8>,
    pub(super) content: GivenContent,
    pub(super) policy: Option<String>,
    pub(super) time: QuestionTime,
    pub(super) given: Given,
    pub(super) with_evidence: bool,
}

impl Question {
    /// From a body and the URL's parameters; what stands in both is refused.
    pub(super) fn new(body: Body, url: Parameters, now_s: i64) -> Result<Self, Problem> {
        let Body { document, content, given, parameters } = body;
        let policy = once("policy", parameters.policy, url.policy)?;
        let time = once("time", parameters.time, url.time)?;
        let digest = once("content_digest", parameters.content_digest, url.content_digest)?;
        let judged_s = match time {
            None => now_s,
            Some(text) => from_date_or_time(&text).ok_or_else(|| {
                bad(format!("The time {:?} does not read; write 2026-11-23 or 2026-11-23T12:00:00Z.", shown(&text)))
            })?,
        };
        let content = match (content, digest) {
            (None, None) => GivenContent::Attached,
            (Some(octets), None) => GivenContent::Octets(Arc::from(octets)),
            (None, Some(text)) => GivenContent::from_digest_text(&text)
                .ok_or_else(|| bad(format!("{:?} is no digest; write it as sha256:HEX.", shown(&text))))?,
            (Some(_), Some(_)) => return Err(bad("Give the content or its digest, not both.".to_owned())),
        };
        Ok(Self {
            document,
            content,
            policy,
            time: QuestionTime { judged_s, evidence_until_s: judged_s.max(now_s) },
            given,
            with_evidence: parameters.evidence || url.evidence,
        })
    }
}

impl Given {
    /// Adds it to the evidence: the caller chose it, as whoever makes a document chooses what it carries.
    pub(super) fn add_to(&self, evidence: &mut Evidence) -> Result<(), EvidenceError> {
        for der in &self.certificates {
            evidence.add_certificate_der(der, Origin::Embedded)?;
        }
        for der in &self.crls {
            evidence.add_crl_der(der, Origin::Embedded)?;
        }
        for der in &self.ocsp_responses {
            evidence.add_ocsp_response_der(der, Origin::Embedded)?;
        }
        Ok(())
    }
}

/// A value that stands in one place, and is as long as such values are.
fn once(name: &'static str, body: Option<String>, url: Option<String>) -> Result<Option<String>, Problem> {
    let value = match (body, url) {
        (Some(_), Some(_)) => {
            return Err(bad(format!("The {name} stands in the URL and in the body; give it once.")));
        }
        (body, url) => body.or(url),
    };
    match value {
        Some(value) if value.len() > MAX_VALUE_OCTETS => {
            Err(bad(format!("The {name} has more than {MAX_VALUE_OCTETS} octets.")))
        }
        value => Ok(value),
    }
}

/// The beginning of what does not read: an answer repeats no megabytes.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

fn bad(detail: String) -> Problem {
    Problem::BadRequest { detail }
}

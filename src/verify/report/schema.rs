//! The report's JSON. Times are RFC 3339 in UTC; digests, serial numbers and imprints are hexadecimal; names are RFC 4514.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a document comes to as a whole: the worst of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything in it holds.
    Passed,
    /// Something can't be told with what is at hand.
    Indeterminate,
    /// Something does not hold.
    Failed,
}

/// The report on one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The file's name, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it is: `cms`, `timestamp` or `certificate`.
    pub format: String,
    /// The worst of the indications below.
    pub verdict: Verdict,
    /// The time that it was judged for.
    pub time: String,
    /// The policy's name.
    pub policy: String,
    /// Each signer of a message, in its order.
    pub signatures: Vec<SignatureReport>,
    /// The timestamp, where the document is one; those of a signature stand with it.
    pub timestamps: Vec<TimestampReport>,
    /// The certificate, where the document is one.
    pub certificates: Vec<CertificateReport>,
    /// What it was judged with.
    pub evidence: EvidenceReport,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignatureReport {
    /// `TOTAL-PASSED`, `TOTAL-FAILED` or `INDETERMINATE` (EN 319 102-1 §5.1.3).
    pub indication: String,
    /// Why it is not TOTAL-PASSED, as the standard names it: `HASH_FAILURE`, `REVOKED_NO_POE`, …
    pub sub_indication: Option<String>,
    /// The same as a sentence; absent where it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it carries: `CMS`, `B`, `T`, `LT` or `LTA` (EN 319 122-1 §6). Whether that holds is the indication's to say.
    pub level: String,
    /// Since when it is proven to exist.
    pub best_signature_time: ProofReport,
    /// When the signer says that it signed.
    pub claimed_signing_time: Option<String>,
    /// The signature policy that it says it was made under (EN 319 122-1 §5.2.9): dotted, or `implied`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_policy: Option<String>,
    /// The signer's name.
    pub signer: Option<String>,
    /// The digest: `sha256`, …
    pub digest: Option<String>,
    /// The signature's algorithm: `ecdsa-sha256`, …
    pub algorithm: Option<String>,
    /// The signer's key.
    pub key: Option<String>,
    /// The SHA-256 of the signature's octets.
    pub signature_sha256: String,
    /// The chain that the verdict rests on, the signer's certificate first, the trust anchor last; empty where none was
    /// looked for.
    pub chain: Vec<LinkReport>,
    /// Its timestamps.
    pub timestamps: Vec<TimestampReport>,
    /// Its counter-signatures.
    pub counter_signatures: Vec<CounterSignatureReport>,
    /// What was checked.
    pub checks: Vec<CheckReport>,
}

/// A proof of existence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofReport {
    /// The time.
    pub time: String,
    /// `timestamp`, or `presence` where nothing but this judgement proves it.
    pub proven_by: String,
    /// The SHA-256 of the timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_sha256: Option<String>,
}

/// A timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimestampReport {
    /// `PASSED`, `FAILED` or `INDETERMINATE`.
    pub indication: String,
    /// Why it is not PASSED.
    pub sub_indication: Option<String>,
    /// The same as a sentence; absent where it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is over: `data`, `content-timestamp`, `signature-timestamp` or `archive-timestamp`.
    pub kind: String,
    /// Whether it was held against that. A timestamp without the data beside it is judged by itself.
    pub compared: bool,
    /// The time that it proves.
    pub time: String,
    /// Its serial number.
    pub serial: String,
    /// The TSA policy, dotted.
    pub tsa_policy: String,
    /// The imprint's digest.
    pub digest: String,
    /// The imprint.
    pub imprint: String,
    /// Who made it.
    pub signer: Option<String>,
    /// How it is signed.
    pub algorithm: Option<String>,
    /// The SHA-256 of its octets.
    pub sha256: String,
    /// As a signature's.
    pub chain: Vec<LinkReport>,
    /// What was checked.
    pub checks: Vec<CheckReport>,
}

/// A counter-signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CounterSignatureReport {
    /// `PASSED`, `FAILED` or `INDETERMINATE`.
    pub indication: String,
    /// Why it is not PASSED.
    pub sub_indication: Option<String>,
    /// The same as a sentence; absent where it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 1 where it is over the signature, 2 where it is over another counter-signature, and so on.
    pub depth: usize,
    /// Who made it.
    pub signer: Option<String>,
    /// How it is signed.
    pub algorithm: Option<String>,
    /// As a signature's.
    pub chain: Vec<LinkReport>,
    /// What was checked.
    pub checks: Vec<CheckReport>,
}

/// A certificate that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateReport {
    /// `PASSED`, `FAILED` or `INDETERMINATE`.
    pub indication: String,
    /// Why it is not PASSED.
    pub sub_indication: Option<String>,
    /// The same as a sentence; absent where it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose it is.
    pub subject: String,
    /// Its chain, itself first, the trust anchor last.
    pub chain: Vec<LinkReport>,
}

/// A certificate of a chain, or the anchor that the chain ends in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkReport {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// notBefore.
    pub not_before: Option<String>,
    /// notAfter.
    pub not_after: Option<String>,
    /// The SHA-256 of its octets.
    pub sha256: Option<String>,
    /// Where it came from: `document` where it is the document itself, `embedded`, `held`, `fetched`, or `anchor`.
    pub source: String,
    /// How it is signed.
    pub algorithm: Option<String>,
    /// Whether it is the trust anchor.
    pub is_anchor: bool,
    /// Whether it is revoked.
    pub status: StatusReport,
    /// What it does against RFC 5280 §4.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<String>,
}

/// Whether a certificate is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusReport {
    /// `good`, `revoked`, `unknown`, `no-check`, `not-asked`, or `trusted` of an anchor.
    pub status: String,
    /// What says so.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sources: Vec<SourceReport>,
    /// The revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationReport>,
    /// Of an unknown status: what was at hand, and why it was not used.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_used: Vec<NotUsedReport>,
}

/// A revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationReport {
    /// Since when.
    pub time: String,
    /// Why, as RFC 5280 §5.3.1 names it.
    pub reason: Option<String>,
    /// Since when it must be taken for invalid, as its issuer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidity_date: Option<String>,
}

/// A piece of revocation data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceReport {
    /// `crl`, `delta-crl` or `ocsp-response`.
    pub kind: String,
    /// Where it came from: `embedded`, `held` or `fetched`.
    pub source: String,
    /// The SHA-256 of its octets.
    pub sha256: String,
    /// thisUpdate.
    pub this_update: String,
    /// nextUpdate.
    pub next_update: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// How it is signed.
    pub algorithm: String,
}

/// A piece of revocation data that was not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotUsedReport {
    /// `crl`, `delta-crl` or `ocsp-response`.
    pub kind: String,
    /// The SHA-256 of its octets.
    pub sha256: String,
    /// Why not: the sentence's subject is the piece.
    pub reason: String,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// The block, or the policy's constraint.
    pub name: String,
    /// `passed`, `failed`, `indeterminate`, `warning` or `information`.
    pub outcome: String,
    /// A sentence.
    pub sentence: String,
}

/// What a document was judged with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceReport {
    /// How many certificates.
    pub certificates: usize,
    /// How many CRLs.
    pub crls: usize,
    /// How many OCSP responses.
    pub ocsp_responses: usize,
    /// Pieces that the document carries and that can't be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_taken: Vec<String>,
    /// What was fetched, or could not be.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fetched: Vec<FetchReport>,
    /// Whether fetching ended before everything was asked for; what is not known then passes by no policy.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub fetching_ended_early: bool,
}

/// Something that was fetched, or could not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FetchReport {
    /// From where.
    pub url: String,
    /// What was looked for: `issuer`, `ocsp-response`, `crl` or `delta-crl`.
    pub what: String,
    /// Octets that came.
    pub octets: u64,
    /// Why it was of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    /// The worst of what is in a document; one in which nothing is to be judged passes nothing.
    #[must_use]
    pub fn verdict_of(&self) -> Verdict {
        let indications = self
            .signatures
            .iter()
            .map(|one| &one.indication)
            .chain(self.timestamps.iter().map(|one| &one.indication))
            .chain(self.certificates.iter().map(|one| &one.indication));
        let verdict = |indication: &String| match indication.as_str() {
            "PASSED" | "TOTAL-PASSED" => Verdict::Passed,
            "FAILED" | "TOTAL-FAILED" => Verdict::Failed,
            _ => Verdict::Indeterminate,
        };
        indications.map(verdict).max().unwrap_or(Verdict::Indeterminate)
    }
}

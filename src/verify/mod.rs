//! Judging what others signed: whether a certificate holds, at which time, and why not.
//!
//! Owns certificates as a verifier sees them, names and their comparison, signatures of every algorithm in use, paths
//! (RFC 5280 §6.1, built and validated), revocation (§6.3, RFC 6960), signed messages (RFC 5652), timestamps (RFC 3161), and
//! the budgets that bound each judgement.
//! Does not own: fetching (evidence is an argument), the time (an argument), which algorithms are still good (a policy, an
//! argument), issuing (`ca`), the CRL format (the `crl` crate). Pure: no clock, no socket, no store.
//!
//! Enter at [`judge_certificate`]: it takes a [`Certificate`], the [`Evidence`] that is at hand and [`Settings`], and gives
//! a [`Judgement`]. Messages enter at [`cms`], tokens at [`judge_timestamp`].
//!
//! | file | what |
//! |---|---|
//! | `certificate/` | a stranger's certificate, its extensions, what it does against RFC 5280 §4 |
//! | `name.rs`, `general_name.rs` | names, folded for comparing (§7.1) |
//! | `signature/` | algorithms, keys, verification by aws-lc-rs or OpenSSL, the policy on algorithms |
//! | `path/` | the search, basic path validation, the policy graph, name constraints |
//! | `revocation/` | CRLs and OCSP responses: what they say and when they count |
//! | `cms/` | signed messages: BER, signers, attributes, signatures over content |
//! | `timestamp/` | timestamp tokens, what they are over, their signer's certificate |
//! | `policy/` | the verification policy: its file, end dates of algorithms, levels of constraints, files of anchors |
//! | `settings.rs`, `anchor.rs`, `evidence.rs` | what goes in |
//! | `certificate_memory.rs`, `blocks/chain_memory.rs` | what may be kept from one document to the next |
//! | `judgement.rs`, `budget.rs` | what comes out |

mod anchor;
pub mod blocks;
mod budget;
mod certificate;
mod certificate_memory;
pub mod cms;
mod document;
mod evidence;
mod evidence_file;
mod existence;
mod general_name;
mod held_file;
mod judge;
mod judgement;
mod name;
mod path;
pub mod policy;
pub mod report;
mod revocation;
mod settings;
pub mod signature;
mod timestamp;
pub mod wording;

pub use anchor::{AnchorConstraints, AnchorError, AnchorRule, TrustAnchor};
pub use budget::{BudgetExhausted, Costs, Resource};
pub use certificate::{
    AccessDescription, AuthorityKeyIdentifier, BasicConstraints, Certificate, CertificateError, ExtensionRef, Finding,
    GeneralSubtree, KeyUsage, MAX_CERTIFICATE_OCTETS, NameConstraints, PolicyConstraints, PolicyInformation,
    PolicyMapping, oid,
};
pub use document::{Document, DocumentError};
pub use evidence::{Evidence, EvidenceError, HeldCertificate, Origin};
pub use evidence_file::{EvidenceFile, EvidenceFileError, GivenContent, MAX_EVIDENCE_FILE_OCTETS, Recorded};
pub use existence::{Proof, ProofsOfExistence, ProvenBy};
pub use general_name::{GeneralName, NameForm};
pub use held_file::HeldFileError;
pub use judge::judge_certificate;
pub use judgement::{Chain, Failure, Judgement, Link};
pub use name::CanonicalName;
pub use path::{Fault, NameViolation, PolicyOutcome};
pub use revocation::{
    CertificateStatus, CrlError, HeldCrl, HeldOcspResponse, NotUsed, OcspCertStatus, OcspResponseError, Revocation,
    Source, SourceKind, SourceSigner, Survey, WhyNotUsed,
};
pub use settings::{Conformance, ExistedBy, PolicySet, RevocationMode, RevocationRule, Settings};
pub use timestamp::{
    ChainTime, Stamped, TimestampError, TimestampFault, TimestampFinding, TimestampJudgement, TimestampToken,
    TimestampVerification, judge_timestamp, token_in_response, verify_timestamp,
};

#[cfg(test)]
mod tests;

//! The report: a judgement as JSON, stable and documented (docs/VERIFICATION.md), for programs and for people.
//!
//! Owns the schema and how what was judged is put into it. Does not own the judgement (`blocks`). The schema grows: fields
//! are added, and none changes its meaning or goes. Enter at [`Report`].
//!
//! | file | what |
//! |---|---|
//! | `schema.rs` | the JSON |
//! | `write.rs` | from validations to it |

mod schema;
mod write;

pub use schema::{
    CertificateReport, CheckReport, CounterSignatureReport, EvidenceReport, FetchReport, LinkReport, NotUsedReport,
    ProofReport, Report, RevocationReport, SignatureReport, SourceReport, StatusReport, TimestampReport, Verdict,
};
pub use write::{certificate_report, signature_report, timestamp_report};

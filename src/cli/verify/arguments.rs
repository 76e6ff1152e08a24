//! The words of `verify`.

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::verification;
use crate::cli::Failure;
use crate::clock::from_date_or_time;
use crate::gather::{HostRule, QuestionTime};
use crate::verify::blocks::Anchors;
use crate::verify::{GivenContent, MAX_EVIDENCE_FILE_OCTETS};

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark verify contract.p7m --trust root.pem\n  noonmark verify contract.p7s --content contract.pdf --trust anchors/ --held crls/ --offline\n  noonmark verify contract.pdf.tsr --trust root.pem\n  noonmark verify old.p7m --trust root.pem --at 2024-02-29T12:00:00Z --evidence old.evidence\n  noonmark verify old.evidence\n\nExit codes: 0 all passed, 1 some failed, 2 some are indeterminate, 3 something could not be read.\ndocs/VERIFICATION.md explains the indications, the JSON and policies."
)]
pub struct VerifyArguments {
    /// Signed messages (.p7m, .p7s), timestamps (.tsr, .tst), certificates (.pem, .cer) or evidence files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What is signed, or stamped, where it is not in the file [default: FILE without .p7s, .sig, .tsr or .tst, if it is there]
    #[arg(long, value_name = "FILE", conflicts_with = "content_digest")]
    pub content: Option<PathBuf>,
    /// Its digest in place of it, as sha256:HEX
    #[arg(long, value_name = "DIGEST:HEX")]
    pub content_digest: Option<String>,
    /// Trust anchors: a file (PEM, DER, PKCS #7, PKCS #12), or a directory of them
    #[arg(long, value_name = "FILE|DIR")]
    pub trust: Vec<PathBuf>,
    /// A file whose first line is the password of PKCS #12 files among them
    #[arg(long, value_name = "FILE")]
    pub trust_password_file: Option<PathBuf>,
    /// Certificates, CRLs and OCSP responses that are at hand: files, or directories of them
    #[arg(long, value_name = "FILE|DIR")]
    pub held: Vec<PathBuf>,
    /// The policy: default, without-revocation, or a policy's file
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// The time to judge for, as 2026-11-23 or 2026-11-23T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Fetch nothing: no certificates, CRLs or OCSP responses
    #[arg(long)]
    pub offline: bool,
    /// A host that may be fetched from though its address is private, as host or host:port
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<HostRule>,
    /// Print a JSON object a file
    #[arg(long)]
    pub json: bool,
    /// Print every check and every certificate
    #[arg(long, conflicts_with = "json")]
    pub details: bool,
    /// Write everything that was judged into a file, which can be verified again
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Files judged at a time [default: one a processor]
    #[arg(long, value_name = "NUMBER")]
    pub jobs: Option<NonZeroUsize>,
    /// No progress bar
    #[arg(long)]
    pub quiet: bool,
}

/// A content as the words give it.
pub(super) enum Given<'a> {
    Nothing,
    File(&'a Path),
    Digest(GivenContent),
}

impl VerifyArguments {
    pub(super) fn content(&self) -> Result<Given<'_>, Failure> {
        let given = match (&self.content, &self.content_digest) {
            (Some(path), _) => Given::File(path),
            (None, Some(text)) => Given::Digest(
                GivenContent::from_digest_text(text)
                    .ok_or_else(|| Failure::new(format!("{text:?} is no digest; write it as sha256:HEX")))?,
            ),
            (None, None) => return Ok(Given::Nothing),
        };
        if self.files.len() > 1 {
            return Err(Failure::new("one content goes with one file; verify the files one by one"));
        }
        Ok(given)
    }

    /// The anchors that the words name; `None` where they name none, so that the policy's count.
    pub(super) fn anchors(&self) -> Result<Option<Anchors>, Failure> {
        if self.trust.is_empty() {
            return Ok(None);
        }
        let password = self.trust_password_file.as_deref().map(verification::password).transpose()?;
        let mut anchors = Vec::new();
        for path in &self.trust {
            anchors.extend(verification::anchors(path, password.as_deref())?);
        }
        Ok(Some(Anchors::for_everything(anchors)))
    }

    /// The time to judge for, with everything that is known up to now.
    pub(super) fn time(&self) -> Result<QuestionTime, Failure> {
        let now_s = jiff::Timestamp::now().as_second();
        let judged_s = self.at.as_deref().map_or(Ok(now_s), time_s)?;
        Ok(QuestionTime { judged_s, evidence_until_s: judged_s.max(now_s) })
    }

    pub(super) fn jobs(&self) -> NonZeroUsize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}

/// A time in words, as seconds since 1970.
fn time_s(text: &str) -> Result<i64, Failure> {
    from_date_or_time(text).ok_or_else(|| {
        Failure::new(format!("{text:?} is no time; write 2026-11-23 (midnight UTC) or 2026-11-23T12:00:00Z"))
    })
}

/// A document's octets; `-` is standard input.
pub(super) fn read_document(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return Ok(verification::read(path, MAX_EVIDENCE_FILE_OCTETS)?);
    }
    let mut octets = Vec::new();
    let most = u64::try_from(MAX_EVIDENCE_FILE_OCTETS).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin().lock().take(most).read_to_end(&mut octets).map_err(Failure::doing("standard input"))?;
    if octets.len() > MAX_EVIDENCE_FILE_OCTETS {
        return Err(Failure::new(format!("standard input has more than {MAX_EVIDENCE_FILE_OCTETS} octets")));
    }
    Ok(octets)
}

/// The file that a signature's or timestamp's file is named after, if it is there: `contract.pdf` of `contract.pdf.p7s`.
pub(super) fn content_beside(path: &Path) -> Option<PathBuf> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    let known = matches!(ending.as_str(), "p7s" | "sig" | "tsr" | "tst");
    let beside = path.with_extension("");
    (known && beside.is_file()).then_some(beside)
}

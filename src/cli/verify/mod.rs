//! `noonmark verify FILE…`: are these signatures, timestamps and certificates good, since when, and why not?
//!
//! Owns arguments, the batch, what is printed and the exit code. Does not own what files of anchors, evidence and policies
//! are (`app::verification`) nor the judgement (`gather`, `verify`). Needs no installation.

mod arguments;
mod batch;
mod print;

pub use arguments::VerifyArguments;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::Failure;
use crate::app::verification;
use crate::gather::{GatherLimits, GatherSettings, Gatherer, NamedPolicy, QuestionTime, Verifier};
use crate::verify::blocks::Anchors;
use crate::verify::report::Verdict;
use crate::verify::{Evidence, EvidenceFile, GivenContent};
use batch::{Job, Outcome};

/// Octets of a content that are read into memory for its signature.
const MAX_CONTENT_OCTETS: usize = 1024 * 1024 * 1024;

/// Some failed.
const FAILED: u8 = 1;
/// Some are indeterminate.
const INDETERMINATE: u8 = 2;
/// Something can't be judged at all, or the words were wrong.
pub(crate) const UNUSABLE: u8 = 3;

pub(super) fn run(arguments: &VerifyArguments) -> ExitCode {
    match verify(arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("noonmark verify: {failure}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn verify(arguments: &VerifyArguments) -> Result<ExitCode, Failure> {
    let given = arguments.content()?;
    let mut held = Evidence::new();
    for path in &arguments.held {
        for skipped in verification::hold(path, &mut held)? {
            eprintln!("noonmark verify: {} is left out: {}", skipped.path.display(), skipped.reason);
        }
    }
    let policy = arguments.policy.as_deref().map(verification::policy).transpose()?;
    let anchors = arguments.anchors()?;
    let content = match given {
        arguments::Given::Nothing => GivenContent::Attached,
        arguments::Given::File(path) => {
            let octets = verification::read(path, MAX_CONTENT_OCTETS)?;
            GivenContent::Octets(Arc::from(octets))
        }
        arguments::Given::Digest(digest) => digest,
    };
    let named = named_policy(policy.as_ref(), anchors.as_ref(), None)?;
    let setup = Setup {
        arguments,
        held,
        policy,
        anchors,
        content,
        time: arguments.time()?,
        verifier: Verifier::new(named.clone(), Vec::new(), gatherer(arguments)),
        named: Arc::new(named),
    };
    let jobs = setup.jobs();
    let mut recorded = arguments.evidence.is_some().then(Vec::new);
    let mut worst = Totals::default();
    batch::run(
        jobs,
        arguments.jobs(),
        !arguments.quiet,
        |job| setup.judge(job),
        |outcome| {
            worst.count(&outcome);
            if arguments.json {
                print::json(&outcome)?;
            } else {
                print::text(&outcome, arguments.details)?;
            }
            if let (Some(recorded), Ok(verified)) = (&mut recorded, outcome.result) {
                recorded.extend(verified);
            }
            Ok::<_, Failure>(())
        },
    )?;
    if let Some((path, recorded)) = arguments.evidence.as_deref().zip(recorded) {
        write_evidence(path, &recorded)?;
    }
    Ok(ExitCode::from(worst.code()))
}

/// What all files of a batch are judged with.
struct Setup<'a> {
    arguments: &'a VerifyArguments,
    held: Evidence,
    policy: Option<NamedPolicy>,
    anchors: Option<Anchors>,
    content: GivenContent,
    /// One for all: what is judged together is judged for the same second.
    time: QuestionTime,
    /// One for all, so that chains are kept from one file to the next.
    verifier: Verifier,
    /// What that judges by.
    named: Arc<NamedPolicy>,
}

/// One judged document, with all that is needed to judge it again.
pub(super) struct Judged {
    pub(super) verified: crate::gather::Verified,
    pub(super) content: GivenContent,
    /// The content's file, where it was found beside the document's.
    pub(super) found_beside: Option<std::path::PathBuf>,
    pub(super) time: QuestionTime,
    pub(super) policy: Arc<NamedPolicy>,
}

impl Setup<'_> {
    fn jobs(&self) -> Vec<Job> {
        self.arguments.files.iter().map(|path| Job { path: path.clone() }).collect()
    }

    /// Judges what is in a file: one document, or those of an evidence file.
    fn judge(&self, job: &Job) -> Result<Vec<Judged>, Failure> {
        let octets = arguments::read_document(&job.path)?;
        if EvidenceFile::is_one(&octets) {
            return self.judge_again(&octets);
        }
        let document = crate::verify::Document::read(&octets)?;
        let beside = match self.content {
            GivenContent::Attached if document.lacks_content() => arguments::content_beside(&job.path),
            _ => None,
        };
        let content = match &beside {
            Some(path) => GivenContent::Octets(verification::read(path, MAX_CONTENT_OCTETS)?.into()),
            None => self.content.clone(),
        };
        let mut verified = self.verifier.verify_document(document, &content, None, self.time, self.held.clone())?;
        verified.report.file = Some(job.path.display().to_string());
        let policy = Arc::clone(&self.named);
        Ok(vec![Judged { verified, content, found_beside: beside, time: self.time, policy }])
    }

    /// Judges the documents of an evidence file with what it has, unless the words say otherwise.
    fn judge_again(&self, octets: &[u8]) -> Result<Vec<Judged>, Failure> {
        let file = EvidenceFile::from_json(octets)?;
        let policy = Arc::new(named_policy(self.policy.as_ref(), self.anchors.as_ref(), Some(&file))?);
        let mut time = self.time;
        if self.arguments.at.is_none() {
            time.judged_s = file.time_s;
        }
        let verifier = Verifier::new(NamedPolicy::clone(&policy), Vec::new(), None);
        let mut judged = Vec::new();
        for recorded in file.documents()? {
            let mut evidence = recorded.evidence;
            evidence.add_all(&self.held)?;
            let mut verified = verifier.verify_document(recorded.document, &recorded.content, None, time, evidence)?;
            verified.report.file = recorded.file;
            let content = recorded.content;
            judged.push(Judged { verified, content, found_beside: None, time, policy: Arc::clone(&policy) });
        }
        Ok(judged)
    }
}

fn gatherer(arguments: &VerifyArguments) -> Option<Gatherer> {
    if arguments.offline {
        return None;
    }
    let allow = arguments.allow_host.clone();
    Some(Gatherer::new(GatherSettings { allow, any_public_host: true, limits: GatherLimits::default() }))
}

/// The policy and anchors: those of the words, else those of the evidence file, else the default's.
fn named_policy(
    policy: Option<&NamedPolicy>,
    anchors: Option<&Anchors>,
    file: Option<&EvidenceFile>,
) -> Result<NamedPolicy, Failure> {
    let mut named = match (policy, file) {
        (Some(named), _) => named.clone(),
        (None, Some(file)) => {
            let (policy, toml) = file.policy()?;
            NamedPolicy { policy, toml: toml.map(str::to_owned), anchors: Anchors::default() }
        }
        (None, None) => verification::policy("default")?,
    };
    match (anchors, file) {
        (Some(anchors), _) => named.anchors = anchors.clone(),
        (None, Some(file)) => {
            if named.anchors.signers.is_empty() && named.anchors.timestamping.is_empty() {
                named.anchors = file.anchors()?;
            }
        }
        (None, None) => {}
    }
    Ok(named)
}

/// What became of all files.
#[derive(Default)]
struct Totals {
    failed: bool,
    indeterminate: bool,
    unusable: bool,
}

impl Totals {
    fn count(&mut self, outcome: &Outcome) {
        match &outcome.result {
            Err(_) => self.unusable = true,
            Ok(judged) => {
                for one in judged {
                    match one.verified.report.verdict {
                        Verdict::Passed => {}
                        Verdict::Indeterminate => self.indeterminate = true,
                        Verdict::Failed => self.failed = true,
                    }
                }
            }
        }
    }

    /// What can't be judged weighs most: nothing at all is known of it.
    const fn code(&self) -> u8 {
        match (self.unusable, self.failed, self.indeterminate) {
            (true, ..) => UNUSABLE,
            (false, true, _) => FAILED,
            (false, false, true) => INDETERMINATE,
            (false, false, false) => 0,
        }
    }
}

/// Writes what was judged into one file. Documents that were judged by another time, policy or anchors than the first stand
/// in no common file: evidence files among the input may bring that about.
fn write_evidence(path: &Path, judged: &[Judged]) -> Result<(), Failure> {
    let Some(first) = judged.first() else {
        return Err(Failure::new("nothing was judged, and no evidence file was written"));
    };
    let policy = &first.policy;
    let mut file = EvidenceFile::new(first.time.judged_s, &policy.policy, policy.toml.as_deref(), &policy.anchors);
    for one in judged {
        let same = one.time.judged_s == first.time.judged_s
            && one.policy.policy.fingerprint() == policy.policy.fingerprint()
            && one.policy.anchors.same_as(&policy.anchors);
        if !same {
            return Err(Failure::new(
                "documents that were judged for several times, or by several policies, don't go into one evidence file; \
                 verify them one by one",
            ));
        }
        file.add(one.verified.report.file.as_deref(), &one.verified.document, &one.content, &one.verified.evidence);
    }
    std::fs::write(path, file.to_json()?).map_err(Failure::doing(path.display()))
}

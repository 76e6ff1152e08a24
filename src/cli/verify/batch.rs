//! Many files at a time, told in their order.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use indicatif::{ProgressBar, ProgressStyle};

use super::Judged;
use crate::cli::Failure;

/// A file to be judged.
pub(super) struct Job {
    pub(super) path: PathBuf,
}

/// What became of a file.
pub(super) struct Outcome {
    pub(super) path: PathBuf,
    pub(super) result: Result<Vec<Judged>, Failure>,
}

/// Judges files on several threads and hands out what became of them in their order. A progress bar stands on standard error
/// where somebody may see it and there is more than one file.
pub(super) fn run(
    jobs: Vec<Job>,
    threads: NonZeroUsize,
    with_bar: bool,
    judge: impl Fn(&Job) -> Result<Vec<Judged>, Failure> + Sync,
    mut tell: impl FnMut(Outcome) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bar = if with_bar && jobs.len() > 1 && std::io::stderr().is_terminal() {
        let count = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
        ProgressBar::new(count).with_style(style.map_err(|error| Failure::new(error.to_string()))?)
    } else {
        ProgressBar::hidden()
    };
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(jobs.len()) {
            let (jobs, next, judge, sender) = (&jobs, &next, &judge, sender.clone());
            scope.spawn(move || {
                // Ends with the files, or when nobody listens any more.
                while let Some((at, job)) = take(jobs, next) {
                    let outcome = Outcome { path: job.path.clone(), result: judge(job) };
                    if sender.send((at, outcome)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut told = 0;
        for (at, outcome) in receiver {
            bar.inc(1);
            waiting.insert(at, outcome);
            while let Some(outcome) = waiting.remove(&told) {
                told += 1;
                bar.suspend(|| tell(outcome))?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    })
}

fn take<'j>(jobs: &'j [Job], next: &AtomicUsize) -> Option<(usize, &'j Job)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(at).map(|job| (at, job))
}

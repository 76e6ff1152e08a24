//! Answers on their way into the store, many in one transaction, and readings that must not hold up a signing thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};

use crate::store::{AnswerRow, Store};

/// Answers that wait: beyond it one is not kept, and is signed again when it is asked for after a restart.
const MAX_WAITING: usize = 8_192;
/// Answers in one transaction.
const GROUP: usize = 512;
/// Retries that wait; beyond it a client is told to come back.
const MAX_RETRIES: usize = 256;
/// How long answers gather before they are written.
const GATHER: Duration = Duration::from_millis(20);

type Work = Box<dyn FnOnce() + Send>;

/// The threads, and the ways to them.
pub(super) struct Keeper {
    answers: Mutex<Option<SyncSender<AnswerRow>>>,
    retries: Mutex<Option<SyncSender<Work>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    dropped: Counter,
}

impl Keeper {
    pub(super) fn start(store: Arc<Store>) -> std::io::Result<Self> {
        describe_counter!("noonmark_ocsp_answers_not_kept_total", "Signed answers that the store did not take");
        let dropped = counter!("noonmark_ocsp_answers_not_kept_total");
        let (answers, kept) = sync_channel(MAX_WAITING);
        let (retries, retried) = sync_channel::<Work>(MAX_RETRIES);
        let counter = dropped.clone();
        let keeping = std::thread::Builder::new()
            .name("ocsp-keeper".to_owned())
            .spawn(move || keep_all(&kept, &store, &counter))?;
        let retrying = std::thread::Builder::new().name("ocsp-retry".to_owned()).spawn(move || {
            for work in retried {
                work();
            }
        })?;
        Ok(Self {
            answers: Mutex::new(Some(answers)),
            retries: Mutex::new(Some(retries)),
            threads: Mutex::new(vec![keeping, retrying]),
            dropped,
        })
    }

    /// Keeps an answer soon; it never waits.
    pub(super) fn keep(&self, answer: AnswerRow) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.as_ref().is_none_or(|answers| answers.try_send(answer).is_err()) {
            self.dropped.increment(1);
        }
    }

    /// Does some work that waits for the store; work that does not fit is dropped, and its client then told.
    pub(super) fn run(&self, work: Work) {
        let retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(retries) = retries {
            // What comes back is dropped here, outside the lock.
            drop(retries.try_send(work));
        }
    }

    pub(super) fn stop(&self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.retries.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the OCSP responder ended by a panic");
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn keep_all(answers: &Receiver<AnswerRow>, store: &Store, dropped: &Counter) {
    while let Ok(first) = answers.recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match answers.recv_timeout(GATHER) {
                Ok(next) => group.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = store.put_answers(&group) {
            dropped.increment(u64::try_from(group.len()).unwrap_or(u64::MAX));
            tracing::warn!(%error, answers = group.len(), "signed answers could not be kept; they are signed again when asked for");
        }
    }
}

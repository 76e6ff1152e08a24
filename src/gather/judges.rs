//! Threads that judge: a bounded number of them, and a bounded queue before them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a stop waits for judgements that are under way: one that fetches may take longer, and changes nothing.
const LEAVING: Duration = Duration::from_secs(2);

type Work = Box<dyn FnOnce() + Send>;

/// As many judgements wait as may, or no more are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many judgements wait as may")]
pub struct QueueFull;

/// The threads.
pub(super) struct Judges {
    queue: Mutex<Option<SyncSender<Work>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Judges {
    /// Starts so many threads, before which so much work may wait.
    ///
    /// # Errors
    /// No thread from the system.
    pub(super) fn start(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel::<Work>(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let start = |number: usize| {
            let receiver = Arc::clone(&receiver);
            std::thread::Builder::new().name(format!("verify-{number}")).spawn(move || run(&receiver))
        };
        let threads = (0..threads).map(start).collect::<std::io::Result<_>>()?;
        Ok(Self { queue: Mutex::new(Some(sender)), threads: Mutex::new(threads) })
    }

    /// Has work done by the next thread that is free.
    pub(super) fn submit(&self, work: Work) -> Result<(), QueueFull> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().ok_or(QueueFull)?.try_send(work).map_err(|_| QueueFull)
    }

    /// Takes no more, and waits a moment for what is under way.
    pub(super) fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let until = Instant::now() + LEAVING;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !thread.is_finished() {
                tracing::info!("a judgement that is under way is left alone");
            } else if thread.join().is_err() {
                tracing::error!("a thread that judges ended by a panic");
            }
        }
    }
}

impl Drop for Judges {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(receiver: &Mutex<Receiver<Work>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // Whoever waits for it hears of it by what the work drops; the thread judges on.
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!("a judgement ended by a panic: a defect, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_does_not_fit_the_queue_is_refused() {
        let judges = Judges::start(1, 1).unwrap();
        let (begun, has_begun) = channel();
        let (go_on, may_go_on) = channel::<()>();
        judges
            .submit(Box::new(move || {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
            }))
            .unwrap();
        has_begun.recv().unwrap();
        let (done, is_done) = channel();
        judges.submit(Box::new(move || done.send(()).unwrap())).unwrap();
        assert_eq!(judges.submit(Box::new(|| {})), Err(QueueFull));
        go_on.send(()).unwrap();
        is_done.recv().unwrap();
        judges.submit(Box::new(|| {})).unwrap();
        judges.stop();
        assert_eq!(judges.submit(Box::new(|| {})), Err(QueueFull));
    }

    #[test]
    fn a_panic_ends_neither_the_thread_nor_whoever_waits() {
        let judges = Judges::start(1, 4).unwrap();
        let (answer, no_answer) = channel::<()>();
        judges
            .submit(Box::new(move || {
                let _answer = answer;
                panic!("on purpose");
            }))
            .unwrap();
        assert!(no_answer.recv().is_err());
        let (done, is_done) = channel();
        judges.submit(Box::new(move || done.send(7).unwrap())).unwrap();
        assert_eq!(is_done.recv(), Ok(7));
    }
}

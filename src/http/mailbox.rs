//! Answers on their way from the ledger's or a signing thread to an HTTP thread, a wake-up a handful instead of one each.
//!
//! Waking a task of another thread costs a system call. The ledger releases a whole group at once, so each HTTP thread has
//! a mailbox: the first answer wakes its drainer, the rest of the group joins it, and the drainer's own wake-ups are free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::keys::after_batch;

/// The answers of one kind for one HTTP thread.
pub(super) struct Mailbox<A> {
    waiting: Mutex<Vec<(oneshot::Sender<A>, A)>>,
    woken: AtomicBool,
    notify: Notify,
}

impl<A: Send + 'static> Mailbox<A> {
    /// A mailbox drained by a task of the calling HTTP thread.
    pub(super) fn start() -> Arc<Self> {
        let mailbox =
            Arc::new(Self { waiting: Mutex::default(), woken: AtomicBool::new(false), notify: Notify::new() });
        let drained = Arc::clone(&mailbox);
        actix_web::rt::spawn(async move {
            let mut answers = Vec::new();
            loop {
                drained.notify.notified().await;
                // Before the vector is taken: an answer that comes after wakes the drainer again.
                drained.woken.store(false, Ordering::SeqCst);
                std::mem::swap(&mut answers, &mut *drained.lock());
                for (sender, answer) in answers.drain(..) {
                    // The client may be gone; the record stands all the same.
                    drop(sender.send(answer));
                }
            }
        });
        mailbox
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(oneshot::Sender<A>, A)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an answer into the box, from any thread.
    pub(super) fn deliver(self: &Arc<Self>, to: oneshot::Sender<A>, answer: A) {
        self.lock().push((to, answer));
        if !self.woken.swap(true, Ordering::SeqCst) {
            // From a signing thread: once it has signed all that it has in hand.
            let mailbox = Arc::clone(self);
            after_batch(move || mailbox.notify.notify_one());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn every_answer_arrives_from_any_thread() {
        let mailbox = Mailbox::start();
        let mut receivers = Vec::new();
        let mut senders = Vec::new();
        for _ in 0..1_000 {
            let (sender, receiver) = oneshot::channel();
            senders.push(sender);
            receivers.push(receiver);
        }
        let delivering = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || {
            for (number, sender) in senders.into_iter().enumerate() {
                delivering.deliver(sender, number);
            }
        });
        for (number, receiver) in receivers.into_iter().enumerate() {
            assert_eq!(receiver.await.unwrap(), number);
        }
        thread.join().unwrap();
    }
}

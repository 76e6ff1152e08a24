//! The audit events of clock and keys, on their way to the ledger.
//!
//! Clock and keys may not wait for the ledger, and the ledger may be away when they speak: a bounded channel and a
//! thread of its own stand between. An event is tried until it is recorded; what does not fit is counted and said.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::ledger::{Event, Ledger};

/// Events that wait while the ledger is away: hours of a flapping token.
const MAX_WAITING: usize = 10_000;
/// Between two tries at an event that the ledger did not take.
const RETRY: Duration = Duration::from_millis(500);
/// How long a stop waits for events that are not recorded yet.
const FAREWELL_TRIES: u32 = 4;

/// Takes events from any thread, without waiting.
#[derive(Clone)]
pub(super) struct EventChannel {
    sender: Arc<RwLock<Option<SyncSender<Event>>>>,
    dropped: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
}

/// The thread that records; joined at the stop.
pub(super) struct Recorder(std::thread::JoinHandle<()>);

impl EventChannel {
    pub(super) fn start(ledger: Arc<Ledger>) -> std::io::Result<(Self, Recorder)> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let channel = Self {
            sender: Arc::new(RwLock::new(Some(sender))),
            dropped: Arc::new(AtomicU64::new(0)),
            closing: Arc::new(AtomicBool::new(false)),
        };
        let (dropped, closing) = (Arc::clone(&channel.dropped), Arc::clone(&channel.closing));
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || record(&receiver, &ledger, &dropped, &closing))?;
        Ok((channel, Recorder(thread)))
    }

    /// Hands an event over; one that does not fit is counted, and the count recorded when there is room.
    pub(super) fn send(&self, event: Event) {
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        match sender.as_ref().map(|sender| sender.try_send(event)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(event) | TrySendError::Disconnected(event))) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::error!(kind = %event.kind, detail = %event.detail, "an audit event could not be kept for the ledger");
            }
            None => {}
        }
    }

    /// No more events; the recorder ends when it has recorded what waits.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.sender.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Recorder {
    pub(super) fn join(self) {
        drop(self.0.join());
    }
}

fn record(receiver: &Receiver<Event>, ledger: &Ledger, dropped: &AtomicU64, closing: &AtomicBool) {
    loop {
        let event = match receiver.recv_timeout(Duration::from_secs(1)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => match dropped.swap(0, Ordering::Relaxed) {
                0 => continue,
                count => Event::new("events-lost", serde_json::json!({ "count": count })),
            },
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut farewell_tries = 0;
        while let Err(error) = ledger.record_event(event.clone()) {
            if closing.load(Ordering::Relaxed) {
                farewell_tries += 1;
                if farewell_tries == FAREWELL_TRIES {
                    for event in std::iter::once(event).chain(receiver.try_iter()) {
                        tracing::error!(kind = %event.kind, detail = %event.detail, %error, "an audit event was not recorded before the stop");
                    }
                    return;
                }
            }
            std::thread::sleep(RETRY);
        }
    }
}

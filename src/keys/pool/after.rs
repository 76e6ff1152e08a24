//! What a completion puts off until its thread's batch is signed.
//!
//! Waking a waiting thread costs a system call, and where all cores are busy a change of threads as well: once a batch is
//! enough. What is put off stands at the seat, not in the thread, so that it is done even if the module hangs meanwhile.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::lock;
use super::worker::Seat;

/// How long something may be put off, one signature aside.
const LIMIT: Duration = Duration::from_millis(1);

thread_local! {
    /// The seat of this signing thread.
    static SEAT: RefCell<Option<Arc<Seat>>> = const { RefCell::new(None) };
}

/// What was put off, and since when the first of it waits.
#[derive(Default)]
pub(super) struct PutOff {
    works: Vec<Box<dyn FnOnce() + Send>>,
    since: Option<Instant>,
}

/// Does `work` at once, or on a signing thread once the batch in hand is signed, about a millisecond later at most.
pub fn after_batch(work: impl FnOnce() + Send + 'static) {
    let seat = SEAT.with_borrow(Clone::clone);
    match seat {
        Some(seat) => {
            let mut put_off = lock(&seat.put_off);
            put_off.works.push(Box::new(work));
            put_off.since.get_or_insert_with(Instant::now);
        }
        None => work(),
    }
}

/// From now on this thread is the one at `seat`.
pub(super) fn sit_down(seat: &Arc<Seat>) {
    SEAT.set(Some(Arc::clone(seat)));
}

impl Seat {
    /// Whether something waits too long already.
    pub(super) fn is_overdue(&self) -> bool {
        lock(&self.put_off).since.is_some_and(|since| since.elapsed() > LIMIT)
    }

    /// Does what was put off.
    pub(super) fn do_put_off(&self) {
        let works = {
            let mut put_off = lock(&self.put_off);
            put_off.since = None;
            std::mem::take(&mut put_off.works)
        };
        for work in works {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!(thread = %self.name, "work after a batch panicked (a defect)");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_done_at_once_or_at_the_end_of_the_batch() {
        let done = Arc::new(AtomicU32::new(0));
        let count = |done: &Arc<AtomicU32>| {
            let done = Arc::clone(done);
            move || {
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        after_batch(count(&done));
        assert_eq!(done.load(Ordering::SeqCst), 1, "no signing thread");
        let seat = Seat::new(0, 0, "a thread".to_owned());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                sit_down(&seat);
                after_batch(count(&done));
                after_batch(|| panic!("a defect"));
                after_batch(count(&done));
            });
        });
        assert_eq!(done.load(Ordering::SeqCst), 1, "put off");
        std::thread::sleep(LIMIT);
        assert!(seat.is_overdue());
        // By another thread, as when the first one hangs.
        seat.do_put_off();
        assert_eq!(done.load(Ordering::SeqCst), 3);
        assert!(!seat.is_overdue());
    }
}

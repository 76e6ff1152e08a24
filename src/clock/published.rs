//! The hand-over from the checking thread to the readers, without a lock.
//!
//! Two slots: the writer fills the one that is not in use and then turns the generation over. A reader takes the slot
//! in use and holds the result good if the generation has not turned meanwhile, so that it never waits for a writer
//! that was preempted. All is atomic: a torn read is possible and thrown away, never undefined.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use super::judge::Checked;
use super::{Leap, LeapKind};

const LEAP_NONE: u64 = 0;
const LEAP_INSERT: u64 = 1;
const LEAP_DELETE: u64 = 2;

#[derive(Default)]
struct Slot {
    /// 1 if there is a good check, else 0.
    trusted: AtomicU64,
    difference_us: AtomicI64,
    raw_us: AtomicI64,
    /// error_us in the upper half, floor_us in the lower.
    errors_us: AtomicU64,
    leap: AtomicU64,
    midnight_unix_s: AtomicI64,
}

/// The last good check, or that there is none. One writer, any number of readers.
#[derive(Default)]
pub(super) struct Published {
    generation: AtomicU64,
    slots: [Slot; 2],
}

impl Published {
    fn slot(&self, generation: u64) -> &Slot {
        let [even, odd] = &self.slots;
        if generation.is_multiple_of(2) { even } else { odd }
    }

    /// Replaces what readers see. Only one thread may call this.
    pub(super) fn write(&self, checked: Option<Checked>) {
        let next = self.generation.load(Ordering::Relaxed).wrapping_add(1);
        // A reader that sees one of the stores below also sees that the generation has left this slot.
        fence(Ordering::Release);
        let slot = self.slot(next);
        slot.trusted.store(u64::from(checked.is_some()), Ordering::Relaxed);
        if let Some(checked) = checked {
            slot.difference_us.store(checked.difference_us, Ordering::Relaxed);
            slot.raw_us.store(checked.raw_us, Ordering::Relaxed);
            let errors_us = (u64::from(checked.error_us) << 32) | u64::from(checked.floor_us);
            slot.errors_us.store(errors_us, Ordering::Relaxed);
            let leap = match checked.leap.map(|leap| leap.kind) {
                None => LEAP_NONE,
                Some(LeapKind::Insert) => LEAP_INSERT,
                Some(LeapKind::Delete) => LEAP_DELETE,
            };
            slot.leap.store(leap, Ordering::Relaxed);
            slot.midnight_unix_s.store(checked.leap.map_or(0, |leap| leap.midnight_unix_s), Ordering::Relaxed);
        }
        self.generation.store(next, Ordering::Release);
    }

    /// The last good check, if there is one.
    pub(super) fn read(&self) -> Option<Checked> {
        loop {
            let generation = self.generation.load(Ordering::Acquire);
            let checked = Self::read_slot(self.slot(generation));
            fence(Ordering::Acquire);
            if self.generation.load(Ordering::Relaxed) == generation {
                return checked;
            }
        }
    }

    fn read_slot(slot: &Slot) -> Option<Checked> {
        if slot.trusted.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let kind = match slot.leap.load(Ordering::Relaxed) {
            LEAP_INSERT => Some(LeapKind::Insert),
            LEAP_DELETE => Some(LeapKind::Delete),
            _ => None,
        };
        let midnight_unix_s = slot.midnight_unix_s.load(Ordering::Relaxed);
        let errors_us = slot.errors_us.load(Ordering::Relaxed);
        Some(Checked {
            difference_us: slot.difference_us.load(Ordering::Relaxed),
            raw_us: slot.raw_us.load(Ordering::Relaxed),
            // Each half fits: they were 32 bits when they were written.
            error_us: u32::try_from(errors_us >> 32).unwrap_or(u32::MAX),
            floor_us: u32::try_from(errors_us & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            leap: kind.map(|kind| Leap { kind, midnight_unix_s }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check whose every field is made of one number, so that a mixture of two shows.
    fn made_of(number: u32) -> Option<Checked> {
        if number.is_multiple_of(5) {
            return None;
        }
        let wide = i64::from(number);
        Some(Checked {
            difference_us: -wide,
            raw_us: wide,
            error_us: number,
            floor_us: number.wrapping_mul(3),
            leap: match number % 3 {
                0 => None,
                1 => Some(Leap { kind: LeapKind::Insert, midnight_unix_s: wide }),
                _ => Some(Leap { kind: LeapKind::Delete, midnight_unix_s: -wide }),
            },
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let published = Published::default();
        assert_eq!(published.read(), None);
        for number in [1, 2, 3, 5, u32::MAX, 10, 11] {
            published.write(made_of(number));
            assert_eq!(published.read(), made_of(number));
        }
    }

    #[test]
    fn readers_never_see_a_mixture() {
        let published = Published::default();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let mut different = 0_u64;
                        let mut last = 0;
                        while !done.load(Ordering::Relaxed) {
                            if let Some(checked) = published.read() {
                                assert_eq!(Some(checked), made_of(checked.error_us));
                                different += u64::from(checked.error_us != last);
                                last = checked.error_us;
                            }
                        }
                        different
                    })
                })
                .collect();
            for number in 1..300_000 {
                published.write(made_of(number));
            }
            // A reader that has not been scheduled yet still gets one to see.
            published.write(made_of(1));
            std::thread::sleep(std::time::Duration::from_millis(20));
            done.store(true, Ordering::Relaxed);
            for reader in readers {
                assert!(reader.join().unwrap() > 0);
            }
        });
    }
}

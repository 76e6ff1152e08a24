//! Whether what was read of a certificate's status still holds on this server.
//!
//! A signer reads the status, signs, and only then keeps and serves. A change may come in between. Each change has a
//! number, and this server knows which it has heard of: what was built from an older one is thrown away.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Changes that are remembered one by one; beyond it only "everything read before now is old" is known.
const MAX_REMEMBERED: usize = 100_000;

struct Heard {
    /// Everything read at an issuer's change number below this is old.
    floor: i64,
    /// The last change heard of.
    applied: i64,
    by_serial: HashMap<Vec<u8>, i64>,
}

/// The changes of one issuer that this server has heard of.
pub(super) struct Currency(RwLock<Heard>);

/// While this is held no change is taken in: what is found current stays so until it is put away.
pub(super) struct Held<'a>(RwLockReadGuard<'a, Heard>);

/// What a signer read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadAt {
    /// The issuer's change number at that moment.
    pub(super) issuer_number: i64,
    /// The certificate's; 0 for one that is not known.
    pub(super) certificate_number: i64,
}

impl Currency {
    /// Of an issuer whose changes up to `number` went before.
    pub(super) fn new(number: i64) -> Self {
        Self(RwLock::new(Heard { floor: number, applied: number, by_serial: HashMap::new() }))
    }

    pub(super) fn applied(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).applied
    }

    pub(super) fn hold(&self) -> Held<'_> {
        Held(self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes changes in, and calls `forget` for each before anybody can look again.
    pub(super) fn apply(&self, changes: &[(i64, Vec<u8>)], mut forget: impl FnMut(&[u8])) {
        let mut heard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (number, serial) in changes {
            heard.by_serial.insert(serial.clone(), *number);
            heard.applied = heard.applied.max(*number);
            forget(serial);
        }
        if heard.by_serial.len() > MAX_REMEMBERED {
            heard.floor = heard.applied;
            heard.by_serial.clear();
        }
    }

    /// Everything up to `number` may have changed; `forget_all` is called before anybody can look again.
    pub(super) fn apply_all(&self, number: i64, forget_all: impl FnOnce()) {
        let mut heard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        heard.applied = heard.applied.max(number);
        heard.floor = heard.applied;
        heard.by_serial.clear();
        forget_all();
    }
}

impl Held<'_> {
    pub(super) fn is_current(&self, serial: &[u8], read: ReadAt) -> bool {
        read.issuer_number >= self.0.floor
            && self.0.by_serial.get(serial).is_none_or(|number| *number <= read.certificate_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer_number: i64, certificate_number: i64) -> ReadAt {
        ReadAt { issuer_number, certificate_number }
    }

    #[test]
    fn what_was_read_before_a_change_is_old_once_the_change_was_heard() {
        let currency = Currency::new(7);
        assert!(currency.hold().is_current(b"a", read(7, 3)));
        let mut forgotten = Vec::new();
        currency.apply(&[(8, b"a".to_vec())], |serial| forgotten.push(serial.to_vec()));
        assert_eq!(forgotten, [b"a"]);
        assert!(!currency.hold().is_current(b"a", read(7, 3)), "the older reading of the changed one");
        assert!(currency.hold().is_current(b"a", read(8, 8)), "the newer reading");
        assert!(currency.hold().is_current(b"b", read(7, 3)), "another certificate");
        assert_eq!(currency.applied(), 8);
    }

    #[test]
    fn a_reader_ahead_of_the_news_is_right() {
        let currency = Currency::new(7);
        assert!(currency.hold().is_current(b"a", read(9, 9)));
        currency.apply(&[(9, b"a".to_vec())], |_| {});
        assert!(currency.hold().is_current(b"a", read(9, 9)));
    }

    #[test]
    fn too_many_changes_make_everything_read_before_old() {
        let currency = Currency::new(0);
        currency.apply_all(5, || {});
        assert!(!currency.hold().is_current(b"a", read(4, 0)));
        assert!(currency.hold().is_current(b"a", read(5, 0)));
    }
}

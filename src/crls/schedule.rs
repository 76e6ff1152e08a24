//! When a CRL is due: at its interval, and after a revocation.

use std::collections::BTreeMap;

use crate::ca::CrlSettings;
use crate::store::{CrlRow, CrlScope, PAST_EVERY_SERIAL, Store, StoreError};

/// Changes read at once.
const PAGE: u32 = 8_192;

/// How far a clock may be set back without what it dated before counting as wrong, in seconds.
pub(super) const SKEW_S: i64 = 60;

/// Why a CRL is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is none yet.
    First,
    /// Its time has come.
    Interval,
    /// A certificate's status changed.
    Change,
    /// There is a new complete CRL, which the delta builds on.
    NewBase,
    /// It names a delta, and none is made any more.
    NoDelta,
    /// The one that stands is of a time that has not come: the clock was wrong then.
    FromTheFuture,
}

/// A CRL that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueCrl {
    /// Which.
    pub scope: CrlScope,
    /// Why.
    pub why: Why,
}

/// The first and the last change that a scope's CRL does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    first_at_s: i64,
    last_number: i64,
    last_at_s: i64,
}

/// What one issuer's CRLs lack, kept up by reading each change once.
#[derive(Debug, Default)]
pub struct Schedule {
    /// Where the reading of changes stands: change number and serial number; none before the first reading.
    read: Option<(i64, Vec<u8>)>,
    pending: BTreeMap<CrlScope, Pending>,
}

impl Schedule {
    /// Reads what changed since the last call.
    ///
    /// # Errors
    /// The store's.
    pub fn catch_up(&mut self, store: &Store, issuer_id: i64, published: &[CrlRow]) -> Result<(), StoreError> {
        // Whatever is older is in every CRL that stands. One whose scope is made no more holds nothing up.
        let whole = published.iter().filter(|row| row.scope != CrlScope::Delta);
        let oldest = whole.map(|row| row.change_number).min().unwrap_or(0);
        let (mut number, mut serial) = self.read.clone().unwrap_or((oldest, PAST_EVERY_SERIAL.to_vec()));
        loop {
            let page = store.listed_changes(issuer_id, (number, &serial), PAGE)?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for row in &page {
                let at_s = row.changed_at_us / 1_000_000;
                self.note(CrlScope::Complete, row.change_number, at_s, published);
                self.note(CrlScope::Delta, row.change_number, at_s, published);
                if row.partition > 0 {
                    self.note(CrlScope::Partition(row.partition), row.change_number, at_s, published);
                }
            }
            if let Some(last) = page.into_iter().next_back() {
                (number, serial) = (last.change_number, last.serial);
            }
            // What was read stays read, whatever comes of the next page.
            self.read = Some((number, serial.clone()));
            if is_last {
                return Ok(());
            }
        }
    }

    fn note(&mut self, scope: CrlScope, number: i64, at_s: i64, published: &[CrlRow]) {
        if of(published, scope).is_some_and(|row| row.change_number >= number) {
            return;
        }
        let pending = self.pending.entry(scope);
        let pending = pending.or_insert(Pending { first_at_s: at_s, last_number: number, last_at_s: at_s });
        (pending.last_number, pending.last_at_s) = (number, at_s);
    }

    /// The CRLs that are due: deltas first, since they are small and what a revocation waits for.
    #[must_use]
    pub fn due(&mut self, settings: &CrlSettings, published: &[CrlRow], now_s: i64) -> Vec<DueCrl> {
        self.settle(published);
        let mut due = Vec::new();
        let complete = of(published, CrlScope::Complete);
        let delta = of(published, CrlScope::Delta);
        // A delta names a published complete CRL (RFC 5280 §5.2.4), so that one comes first of all.
        if let Some(base) = complete
            && settings.delta_interval_s > 0
            && let Some(why) = self.delta_due(settings, base, delta, now_s)
        {
            due.push(DueCrl { scope: CrlScope::Delta, why });
        }
        // One that names a delta (freshestCRL) is followed by one that does not, before that delta goes.
        if settings.delta_interval_s == 0
            && let Some((complete, delta)) = complete.zip(delta)
            && complete.number < delta.number
        {
            due.push(DueCrl { scope: CrlScope::Complete, why: Why::NoDelta });
            return due;
        }
        let scopes = (1..=settings.partitions).map(CrlScope::Partition);
        for scope in std::iter::once(CrlScope::Complete).chain(scopes) {
            if let Some(why) = self.whole_due(settings, scope, of(published, scope), now_s) {
                due.push(DueCrl { scope, why });
            }
        }
        due
    }

    /// Forgets what the published CRLs have by now.
    fn settle(&mut self, published: &[CrlRow]) {
        for row in published {
            if let Some(pending) = self.pending.get_mut(&row.scope) {
                if pending.last_number <= row.change_number {
                    self.pending.remove(&row.scope);
                } else if pending.first_at_s < row.this_update_s {
                    // What is left came while that one was made; the last of it is known, and no later than the first.
                    pending.first_at_s = pending.last_at_s;
                }
            }
        }
    }

    fn whole_due(&self, settings: &CrlSettings, scope: CrlScope, row: Option<&CrlRow>, now_s: i64) -> Option<Why> {
        let Some(row) = row else { return Some(Why::First) };
        if row.this_update_s > now_s + SKEW_S {
            return Some(Why::FromTheFuture);
        }
        // With a longer interval than the one it was made for it must still not run out.
        let interval = i64::from(settings.interval_s);
        let by_interval = (row.this_update_s + interval).min(row.next_update_s - i64::from(settings.overlap_s));
        let by_change = self.pending.get(&scope).map(|pending| pending.first_at_s + i64::from(settings.debounce_s));
        if by_change.is_some_and(|at_s| at_s <= now_s) {
            return Some(Why::Change);
        }
        // One of this second is never due again: two would have one thisUpdate.
        (by_interval <= now_s && row.this_update_s < now_s).then_some(Why::Interval)
    }

    fn delta_due(&self, settings: &CrlSettings, base: &CrlRow, row: Option<&CrlRow>, now_s: i64) -> Option<Why> {
        let Some(row) = row else { return Some(Why::First) };
        if self.pending.contains_key(&CrlScope::Delta) {
            return Some(Why::Change);
        }
        if row.number < base.number {
            return Some(Why::NewBase);
        }
        if row.this_update_s > now_s + SKEW_S {
            return Some(Why::FromTheFuture);
        }
        let interval_s = i64::from(settings.delta_interval_s);
        let at_s = (row.this_update_s + interval_s).min(row.next_update_s - interval_s);
        (at_s <= now_s && row.this_update_s < now_s).then_some(Why::Interval)
    }
}

/// The published CRL of a scope.
fn of(published: &[CrlRow], scope: CrlScope) -> Option<&CrlRow> {
    published.iter().find(|row| row.scope == scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn row(scope: CrlScope, number: i64, this_update_s: i64) -> CrlRow {
        let settings = CrlSettings::default();
        CrlRow {
            id: number,
            issuer_id: 1,
            scope,
            number,
            base_number: None,
            change_number: 10,
            this_update_s,
            next_update_s: this_update_s + settings.validity_s(),
            entries: 0,
            octets: 1,
            sha256: [0; 32],
            published_at_us: 0,
        }
    }

    fn due(schedule: &mut Schedule, settings: &CrlSettings, published: &[CrlRow], now_s: i64) -> Vec<(CrlScope, Why)> {
        schedule.due(settings, published, now_s).into_iter().map(|due| (due.scope, due.why)).collect()
    }

    #[test]
    fn the_first_ones_are_due_at_once_and_deltas_wait_for_their_base() {
        let settings = CrlSettings { partitions: 2, ..CrlSettings::default() };
        let mut schedule = Schedule::default();
        let (complete, one, two) = (CrlScope::Complete, CrlScope::Partition(1), CrlScope::Partition(2));
        let first = [(complete, Why::First), (one, Why::First), (two, Why::First)];
        assert_eq!(due(&mut schedule, &settings, &[], NOW_S), first);
        let published = [row(complete, 1, NOW_S), row(one, 2, NOW_S), row(two, 3, NOW_S)];
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S), [(CrlScope::Delta, Why::First)]);
        let no_delta = CrlSettings { delta_interval_s: 0, ..settings };
        assert_eq!(due(&mut schedule, &no_delta, &published, NOW_S), []);
    }

    #[test]
    fn each_comes_at_its_interval() {
        let settings = CrlSettings::default();
        let mut schedule = Schedule::default();
        let published = [row(CrlScope::Complete, 1, NOW_S), row(CrlScope::Delta, 2, NOW_S)];
        let delta = i64::from(settings.delta_interval_s);
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S + delta - 1), []);
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S + delta), [(CrlScope::Delta, Why::Interval)]);
        let complete = due(&mut schedule, &settings, &published, NOW_S + 86_400);
        assert_eq!(complete, [(CrlScope::Delta, Why::Interval), (CrlScope::Complete, Why::Interval)]);
        let published = [row(CrlScope::Complete, 3, NOW_S), row(CrlScope::Delta, 2, NOW_S)];
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S), [(CrlScope::Delta, Why::NewBase)]);
        let longer = CrlSettings { interval_s: 9 * 86_400, overlap_s: 86_400, delta_interval_s: 0, ..settings };
        let published = [row(CrlScope::Complete, 3, NOW_S)];
        assert_eq!(due(&mut schedule, &longer, &published, NOW_S + 2 * 86_400 - 1), []);
        let before_its_end = due(&mut schedule, &longer, &published, NOW_S + 2 * 86_400);
        assert_eq!(before_its_end, [(CrlScope::Complete, Why::Interval)]);
    }

    #[test]
    fn what_stands_must_not_outlive_its_use() {
        let settings = CrlSettings::default();
        let mut schedule = Schedule::default();
        let (complete, delta) = (row(CrlScope::Complete, 1, NOW_S), row(CrlScope::Delta, 2, NOW_S));
        let ahead = [row(CrlScope::Complete, 1, NOW_S + 61), delta.clone()];
        assert_eq!(due(&mut schedule, &settings, &ahead, NOW_S), [(CrlScope::Complete, Why::FromTheFuture)]);
        let ahead = [complete.clone(), row(CrlScope::Delta, 2, NOW_S + 61)];
        assert_eq!(due(&mut schedule, &settings, &ahead, NOW_S), [(CrlScope::Delta, Why::FromTheFuture)]);
        // A delta that was made for an hour, and now comes every six: not after its end.
        let short = CrlRow { next_update_s: NOW_S + 7_200, ..delta.clone() };
        let next = [complete.clone(), short];
        assert_eq!(due(&mut schedule, &settings, &next, NOW_S + 1), [(CrlScope::Delta, Why::Interval)]);
        let off = CrlSettings { delta_interval_s: 0, ..settings };
        let named = [complete, delta.clone()];
        assert_eq!(due(&mut schedule, &off, &named, NOW_S + 1), [(CrlScope::Complete, Why::NoDelta)]);
        let unnamed = [row(CrlScope::Complete, 3, NOW_S), delta];
        assert_eq!(due(&mut schedule, &off, &unnamed, NOW_S + 1), []);
    }

    #[test]
    fn a_change_brings_the_delta_at_once_and_the_others_after_the_debounce() {
        let settings = CrlSettings { partitions: 2, ..CrlSettings::default() };
        let mut schedule = Schedule::default();
        let scopes = [CrlScope::Complete, CrlScope::Delta, CrlScope::Partition(1), CrlScope::Partition(2)];
        let published: Vec<CrlRow> = (1..).zip(scopes).map(|(number, scope)| row(scope, number, NOW_S)).collect();
        for scope in [CrlScope::Complete, CrlScope::Delta, CrlScope::Partition(2)] {
            schedule.note(scope, 10, NOW_S + 3, &published);
            schedule.note(scope, 11, NOW_S + 5, &published);
            schedule.note(scope, 12, NOW_S + 50, &published);
        }
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S + 64), [(CrlScope::Delta, Why::Change)]);
        let later =
            [(CrlScope::Delta, Why::Change), (CrlScope::Complete, Why::Change), (CrlScope::Partition(2), Why::Change)];
        assert_eq!(due(&mut schedule, &settings, &published, NOW_S + 65), later);
        // The complete one was begun before the last change: that one waits its own time.
        let mut after = published.clone();
        (after[0].change_number, after[0].this_update_s) = (11, NOW_S + 65);
        (after[1].change_number, after[1].number) = (12, 9);
        after[3].change_number = 12;
        assert_eq!(due(&mut schedule, &settings, &after, NOW_S + 65), []);
        assert_eq!(due(&mut schedule, &settings, &after, NOW_S + 110), [(CrlScope::Complete, Why::Change)]);
    }
}

//! What is said of published CRLs: whether each is there, is renewed in time, still holds.

use crate::ca::CrlSettings;
use crate::store::{CrlRow, CrlScope};

/// How a CRL stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlHealth {
    /// It holds, and its renewal is not late.
    Good,
    /// There is none.
    Missing(CrlScope),
    /// A change is on no complete CRL, though its time has come.
    Waiting {
        /// When the certificate changed, in seconds since 1970.
        since_s: i64,
    },
    /// It should have been renewed; it still holds.
    Late {
        /// Which.
        scope: CrlScope,
        /// When it ends, in seconds since 1970.
        next_update_s: i64,
    },
    /// It has ended: clients refuse what it covers.
    Ended {
        /// Which.
        scope: CrlScope,
        /// When, in seconds since 1970.
        next_update_s: i64,
    },
}

/// How long after its debounce a change may take to a published CRL, in seconds: making a large one takes some.
const MAKING_S: i64 = 120;

/// The worst of an issuer's CRLs. `published` are the issuer's, `waiting_since_s` is the time of the first change that is on no
/// complete one.
#[must_use]
pub fn of(settings: &CrlSettings, published: &[CrlRow], waiting_since_s: Option<i64>, now_s: i64) -> CrlHealth {
    let delta = (settings.delta_interval_s > 0).then_some(CrlScope::Delta);
    let scopes = std::iter::once(CrlScope::Complete).chain((1..=settings.partitions).map(CrlScope::Partition));
    let allowed_s = i64::from(settings.debounce_s) + MAKING_S;
    let mut worst = match waiting_since_s {
        Some(since_s) if now_s > since_s + allowed_s => CrlHealth::Waiting { since_s },
        _ => CrlHealth::Good,
    };
    for scope in scopes.chain(delta) {
        let found = match published.iter().find(|row| row.scope == scope) {
            None => CrlHealth::Missing(scope),
            Some(row) => of_one(row, now_s),
        };
        if weight(&found) > weight(&worst) {
            worst = found;
        }
    }
    worst
}

/// One CRL, by its own times, whatever the settings are by now: late is one of whose life a quarter is left.
#[must_use]
pub fn of_one(row: &CrlRow, now_s: i64) -> CrlHealth {
    let (scope, next_update_s) = (row.scope, row.next_update_s);
    let late_at_s = next_update_s - (next_update_s - row.this_update_s) / 4;
    match now_s {
        now_s if now_s >= next_update_s => CrlHealth::Ended { scope, next_update_s },
        now_s if now_s >= late_at_s => CrlHealth::Late { scope, next_update_s },
        _ => CrlHealth::Good,
    }
}

fn weight(health: &CrlHealth) -> u8 {
    match health {
        CrlHealth::Good => 0,
        CrlHealth::Late { .. } | CrlHealth::Waiting { .. } => 1,
        CrlHealth::Missing(_) => 2,
        CrlHealth::Ended { .. } => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scope: CrlScope, this_update_s: i64, next_update_s: i64) -> CrlRow {
        let (number, base_number) = (1, None);
        CrlRow {
            id: 1,
            issuer_id: 1,
            scope,
            number,
            base_number,
            change_number: 0,
            this_update_s,
            next_update_s,
            entries: 0,
            octets: 1,
            sha256: [0; 32],
            published_at_us: 0,
        }
    }

    #[test]
    fn it_shouts_before_the_end_and_after() {
        let settings = CrlSettings { delta_interval_s: 0, ..CrlSettings::default() };
        let scope = CrlScope::Complete;
        assert_eq!(of(&settings, &[], None, 0), CrlHealth::Missing(scope));
        let crl = [row(scope, 0, 400)];
        let next_update_s = 400;
        assert_eq!(of(&settings, &crl, None, 299), CrlHealth::Good);
        assert_eq!(of(&settings, &crl, None, 300), CrlHealth::Late { scope, next_update_s });
        assert_eq!(of(&settings, &crl, None, 399), CrlHealth::Late { scope, next_update_s });
        assert_eq!(of(&settings, &crl, None, 400), CrlHealth::Ended { scope, next_update_s });
        let since_s = -181;
        assert_eq!(
            of(&settings, &crl, Some(since_s), 0),
            CrlHealth::Waiting { since_s },
            "a minute, and two for the making"
        );
        assert_eq!(of(&settings, &crl, Some(-180), 0), CrlHealth::Good);
        let partitioned = CrlSettings { partitions: 1, ..settings };
        assert_eq!(of(&partitioned, &crl, None, 0), CrlHealth::Missing(CrlScope::Partition(1)));
        let with_delta = CrlSettings { partitions: 0, delta_interval_s: 1, ..partitioned };
        let both = [row(scope, 0, 400), row(CrlScope::Delta, 0, 100)];
        assert_eq!(of(&with_delta, &both, None, 350), CrlHealth::Ended { scope: CrlScope::Delta, next_update_s: 100 });
    }
}

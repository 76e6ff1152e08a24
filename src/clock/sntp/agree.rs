//! What several servers together say of an offset: Marzullo's intersection, as a bound.
//!
//! Each server gives an interval that, if the server is right, holds the true offset. If at least `needed` of them are
//! right, the true offset is a point that at least `needed` intervals cover; the hull of all such points is the
//! bound. Wider than the best intersection (RFC 5905 §11.2.1 looks for that one), and true with fewer right servers.

/// An interval of offsets, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low_us: i64,
    pub(super) high_us: i64,
}

impl Interval {
    pub(super) fn around(middle_us: i64, error_us: i64) -> Self {
        let error_us = error_us.max(0);
        Self { low_us: middle_us.saturating_sub(error_us), high_us: middle_us.saturating_add(error_us) }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.low_us <= other.high_us && other.low_us <= self.high_us
    }
}

/// The hull of the points that at least `needed` intervals cover (`needed` is 1 or more); else the largest number that
/// have a point in common.
pub(super) fn agree(intervals: &[Interval], needed: usize) -> Result<Interval, usize> {
    // Cover changes only at ends: up at a low end, down after a high one. At the same point low ends come first, since
    // intervals that touch share that point.
    let mut ends: Vec<(i64, bool)> = Vec::with_capacity(intervals.len() * 2);
    for interval in intervals {
        ends.push((interval.low_us, false));
        ends.push((interval.high_us, true));
    }
    ends.sort_unstable();
    let mut cover = 0_usize;
    let mut most = 0;
    let mut low_us = None;
    let mut high_us = None;
    for (at_us, is_high) in ends {
        if is_high {
            if cover >= needed {
                high_us = Some(at_us);
            }
            cover = cover.saturating_sub(1);
        } else {
            cover += 1;
            most = most.max(cover);
            if cover >= needed && low_us.is_none() {
                low_us = Some(at_us);
            }
        }
    }
    match (low_us, high_us) {
        (Some(low_us), Some(high_us)) => Ok(Interval { low_us, high_us }),
        _ => Err(most),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(low_us: i64, high_us: i64) -> Interval {
        Interval { low_us, high_us }
    }

    #[test]
    fn by_hand() {
        let a = interval(0, 10);
        let b = interval(5, 15);
        let c = interval(12, 20);
        assert_eq!(agree(&[a, b], 2), Ok(interval(5, 10)));
        assert_eq!(agree(&[b, a], 1), Ok(interval(0, 15)));
        // Two of three, in two ways: a with b, b with c. The truth may be in either.
        assert_eq!(agree(&[a, b, c], 2), Ok(interval(5, 15)));
        assert_eq!(agree(&[a, b, c], 3), Err(2));
        assert_eq!(agree(&[a, c], 2), Err(1));
        assert_eq!(agree(&[], 1), Err(0));
        // Touching counts.
        assert_eq!(agree(&[interval(0, 5), interval(5, 9)], 2), Ok(interval(5, 5)));
        assert_eq!(agree(&[interval(3, 3), interval(3, 3)], 2), Ok(interval(3, 3)));
    }

    fn some_intervals() -> impl Strategy<Value = Vec<Interval>> {
        prop::collection::vec((-50_i64..50, 0_i64..30), 0..7)
            .prop_map(|pairs| pairs.into_iter().map(|(middle, error)| Interval::around(middle, error)).collect())
    }

    proptest! {
        /// Against counting at every point.
        #[test]
        fn it_is_the_hull_of_the_points_covered_often_enough(intervals in some_intervals(), needed in 1_usize..5) {
            let cover = |point: i64| intervals.iter().filter(|i| i.low_us <= point && point <= i.high_us).count();
            let points: Vec<i64> = (-100..=100).filter(|point| cover(*point) >= needed).collect();
            let expected = match (points.first(), points.last()) {
                (Some(low), Some(high)) => Ok(interval(*low, *high)),
                _ => Err((-100..=100).map(cover).max().unwrap()),
            };
            prop_assert_eq!(agree(&intervals, needed), expected);
        }

        /// With a majority of right servers the truth is inside, whatever the others say.
        #[test]
        fn the_truth_is_inside_when_a_majority_is_right(
            truth in -1_000_000_i64..1_000_000,
            right in prop::collection::vec((0.0_f64..=1.0, 0_i64..500_000), 1..6),
            wrong in prop::collection::vec((any::<i64>(), any::<i64>()), 0..5),
        ) {
            prop_assume!(wrong.len() < right.len());
            #[expect(clippy::as_conversions, reason = "a test's choice of a share")]
            let mut intervals: Vec<Interval> = right
                .iter()
                .map(|(share, width)| interval(truth - (*width as f64 * share) as i64, truth + width))
                .collect();
            intervals.extend(wrong.iter().map(|(middle, error)| Interval::around(*middle, *error)));
            let agreed = agree(&intervals, intervals.len() / 2 + 1).unwrap();
            prop_assert!(agreed.low_us <= truth && truth <= agreed.high_us);
        }
    }
}

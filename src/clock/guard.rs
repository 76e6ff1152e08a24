//! From the source's answers to trust: what a check means, and what becomes known of it.
//!
//! Pure: the clocks' readings and the source's answers come in, what readers may use and the events come out. Trust is
//! lost at once when the source says that the clock is bad, or when the clock was stepped. When the source says
//! nothing, the last good check holds until it is stale. Trust comes back by one good check, after a step by one whose
//! evidence is younger than the step.

use std::mem::{Discriminant, discriminant};

use super::instants::Instants;
use super::judge::{Checked, Limits, drift_us};
use super::measure::{Measurement, Outcome, Unmeasured};
use super::{ClockEvent, ClockFault, Leap, Reading, SourceFailure};

/// What the wall clock may move against the raw clock during a check beside slewing: the width of reading two clocks.
const CHECK_BLUR_US: u64 = 2_000;

/// Adjustments from this size on are audited (CA/Browser Forum code signing requirements §6.8, EN 319 421 OVR-7.12).
const ADJUSTMENT_US: u64 = 1_000_000;

/// The kernel's step for a leap second is known by its size, to within this (and slewing).
const LEAP_STEP_TOLERANCE_US: u64 = 100_000;

/// After a leap second sources may go on announcing it for a while; half a day later it is another one.
const LEAP_ECHO_S: i64 = 12 * 3_600;

/// A step that is not confirmed yet.
#[derive(Clone, Copy, Debug)]
struct Step {
    by_us: i64,
    /// The evidence that the source had when it was first asked after the step: it may be older than the step.
    evidence: Option<i64>,
}

pub(super) struct Guard {
    limits: Limits,
    /// What readers may use.
    published: Option<Checked>,
    /// Why there is nothing to use.
    fault: ClockFault,
    /// The last good check, kept when trust is lost: steps are measured from it.
    baseline: Option<Checked>,
    step: Option<Step>,
    leap: Option<Leap>,
    last_leap_midnight_s: Option<i64>,
    /// What was told last: trusted, or not and by which kind of fault.
    told: Result<(), Discriminant<ClockFault>>,
}

impl Guard {
    pub(super) fn new(limits: Limits) -> Self {
        let fault = ClockFault::NotYetChecked;
        Self {
            limits,
            published: None,
            fault,
            baseline: None,
            step: None,
            leap: None,
            last_leap_midnight_s: None,
            told: Err(discriminant(&fault)),
        }
    }

    /// What readers may use, or why not.
    pub(super) fn published(&self) -> Result<Checked, ClockFault> {
        self.published.ok_or(self.fault)
    }

    /// The leap second that is announced.
    pub(super) fn leap(&self) -> Option<Leap> {
        self.leap
    }

    /// A reading at `now`.
    pub(super) fn judge(&self, now: Instants) -> Result<Reading, ClockFault> {
        self.published()?.judge(&self.limits, now)
    }

    /// Between checks: notices a step, staleness and a leap second. Says whether a check would help now.
    pub(super) fn tick(&mut self, now: Instants, events: &mut Vec<ClockEvent>) -> bool {
        let stepped = self.notice_step(now, events);
        self.tell(now, events);
        let leap_over = self.leap.is_some_and(|leap| now.real_us >= leap.window_end_us(self.limits.accuracy_us));
        stepped || leap_over
    }

    /// After a check that began at `before` and ended at `after`.
    pub(super) fn checked(
        &mut self,
        before: Instants,
        after: Instants,
        outcome: Outcome,
        events: &mut Vec<ClockEvent>,
    ) -> Result<(), ClockFault> {
        self.notice_step(after, events);
        let moved_us = after.difference_us().abs_diff(before.difference_us());
        let took_us = after.raw_us.saturating_sub(before.raw_us);
        let outcome = if moved_us > drift_us(took_us).saturating_add(CHECK_BLUR_US) {
            Err(Unmeasured::Silent(SourceFailure::SteppedMeanwhile))
        } else {
            outcome
        };
        let result = match outcome {
            Ok(measurement) => self.accept(measurement, before, after, events),
            Err(Unmeasured::Bad(fault)) => Err(fault),
            Err(Unmeasured::Silent(reason)) => {
                let failed = ClockFault::SourceFailed { reason };
                if self.published.is_some() && self.step.is_none() {
                    // The last good check holds until it is stale.
                    self.tell(after, events);
                    return Err(failed);
                }
                Err(self.step.map_or(failed, |step| ClockFault::Stepped { by_us: step.by_us }))
            }
        };
        if let Err(fault) = result {
            self.published = None;
            self.fault = fault;
        }
        self.tell(after, events);
        result
    }

    /// Nothing is trusted from here on.
    pub(super) fn lose(&mut self, fault: ClockFault) {
        self.published = None;
        self.fault = fault;
    }

    fn accept(
        &mut self,
        measurement: Measurement,
        before: Instants,
        after: Instants,
        events: &mut Vec<ClockEvent>,
    ) -> Result<(), ClockFault> {
        let accuracy_us = self.limits.accuracy_us;
        let error_us = match u32::try_from(measurement.error_us) {
            Ok(within) if within <= accuracy_us => within,
            _ => {
                return Err(ClockFault::OutOfAccuracy { error_us: measurement.error_us, limit_us: accuracy_us });
            }
        };
        let mut leap_step_us = None;
        if let Some(leap) = self.leap {
            if leap.covers(after.real_us, accuracy_us) {
                return Err(ClockFault::LeapSecond { leap });
            }
            if after.real_us >= leap.window_end_us(accuracy_us) {
                leap_step_us = Some(leap.step_us());
                self.last_leap_midnight_s = Some(leap.midnight_unix_s);
                self.leap = None;
            }
        }
        if let Some(step) = self.step {
            self.confirm(step, measurement.evidence, leap_step_us)?;
            self.step = None;
            if step.by_us.unsigned_abs() >= ADJUSTMENT_US {
                events.push(ClockEvent::Adjusted { by_us: step.by_us });
            }
        }
        let is_echo = self
            .last_leap_midnight_s
            .is_some_and(|midnight_s| after.real_us / 1_000_000 < midnight_s.saturating_add(LEAP_ECHO_S));
        let leap = measurement.leap.filter(|_| !is_echo).map(|kind| Leap::announced_at(kind, after.real_us));
        if let Some(leap) = leap
            && self.leap != Some(leap)
        {
            events.push(ClockEvent::LeapAnnounced { leap });
        }
        self.leap = leap;
        // As of the check's begin: whatever happened during it counts as drift since.
        let checked = Checked {
            difference_us: before.difference_us(),
            raw_us: before.raw_us,
            error_us,
            floor_us: measurement.floor_us,
            leap,
        };
        self.baseline = Some(checked);
        self.published = Some(checked);
        Ok(())
    }

    /// Whether a good answer confirms the time after a step: its evidence must be younger than the step. An answer
    /// without a mark was measured just now; the first mark seen after the step may be from before it.
    fn confirm(&mut self, step: Step, evidence: Option<i64>, leap_step_us: Option<i64>) -> Result<(), ClockFault> {
        let Some(evidence) = evidence else { return Ok(()) };
        if leap_step_us.is_some_and(|leap_us| leap_us.abs_diff(step.by_us) <= LEAP_STEP_TOLERANCE_US) {
            return Ok(());
        }
        match step.evidence {
            Some(first) if first != evidence => Ok(()),
            Some(_) => Err(ClockFault::Stepped { by_us: step.by_us }),
            None => {
                self.step = Some(Step { evidence: Some(evidence), ..step });
                Err(ClockFault::Stepped { by_us: step.by_us })
            }
        }
    }

    /// Compares the clock with the last good check; true if a step has shown up since it was last compared.
    fn notice_step(&mut self, now: Instants, events: &mut Vec<ClockEvent>) -> bool {
        let Some(baseline) = self.baseline else { return false };
        // Near a leap second the kernel's own step is not somebody's.
        if self.leap.is_some_and(|leap| leap.covers(now.real_us, self.limits.accuracy_us)) {
            return false;
        }
        let by_us = baseline.stepped_us(&self.limits, now).unwrap_or(0);
        let known_us = self.step.map_or(0, |step| step.by_us);
        let further_us = by_us.saturating_sub(known_us);
        if by_us == 0 && known_us != 0 {
            // Back where it was, which the last good check has confirmed.
            self.step = None;
        } else if further_us.unsigned_abs() > u64::from(self.limits.step_threshold_us) / 2 {
            self.step = Some(Step { by_us, evidence: None });
        } else {
            return false;
        }
        events.push(ClockEvent::Stepped { by_us: further_us });
        true
    }

    /// Tells of a change between trusted and not, or of another kind of fault.
    fn tell(&mut self, now: Instants, events: &mut Vec<ClockEvent>) {
        let state = self.judge(now);
        let kind = state.map(|_| ()).map_err(|fault| discriminant(&fault));
        if kind != self.told {
            self.told = kind;
            events.push(match state {
                Ok(reading) => ClockEvent::Trusted { error_us: reading.error_us },
                Err(fault) => ClockEvent::Lost { fault },
            });
        }
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;

//! The guard, played with clocks and sources made up.

use super::*;
use crate::clock::{LeapKind, Witness};

const LIMITS: Limits = Limits { accuracy_us: 1_000_000, stale_after_us: 64_000_000, step_threshold_us: 1_000_000 };
const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
/// 2016-12-31T12:00:00Z.
const NOON_US: i64 = 1_483_185_600 * SECOND_US;

/// A machine whose clocks go as told, and its guard.
struct Play {
    guard: Guard,
    now: Instants,
    events: Vec<ClockEvent>,
}

impl Play {
    fn new() -> Self {
        let now = Instants { real_us: NOON_US, raw_us: 77 * SECOND_US };
        Self { guard: Guard::new(LIMITS), now, events: Vec::new() }
    }

    fn pass(&mut self, us: i64) {
        self.now.real_us += us;
        self.now.raw_us += us;
    }

    fn step(&mut self, us: i64) {
        self.now.real_us += us;
    }

    fn tick(&mut self) -> bool {
        self.guard.tick(self.now, &mut self.events)
    }

    fn check(&mut self, outcome: Outcome) -> Result<(), ClockFault> {
        let before = self.now;
        self.pass(1_000);
        self.guard.checked(before, self.now, outcome, &mut self.events)
    }

    fn good(&mut self) -> Result<(), ClockFault> {
        self.check(Ok(good()))
    }

    fn read(&self) -> Result<u32, ClockFault> {
        self.guard.judge(self.now).map(|reading| reading.error_us)
    }

    fn events(&mut self) -> Vec<ClockEvent> {
        std::mem::take(&mut self.events)
    }
}

fn good() -> Measurement {
    Measurement { error_us: 2_000, floor_us: 0, leap: None, evidence: None }
}

fn dated(evidence: i64) -> Outcome {
    Ok(Measurement { evidence: Some(evidence), ..good() })
}

fn silent() -> Outcome {
    Err(Unmeasured::Silent(SourceFailure::CommandFailed))
}

fn stepped(by_us: i64) -> ClockFault {
    ClockFault::Stepped { by_us }
}

const SOURCE_FAILED: ClockFault = ClockFault::SourceFailed { reason: SourceFailure::CommandFailed };

#[test]
fn trust_comes_with_the_first_good_check() {
    let mut play = Play::new();
    assert!(!play.tick());
    assert_eq!(play.read(), Err(ClockFault::NotYetChecked));
    assert_eq!(play.events(), []);
    assert_eq!(play.good(), Ok(()));
    assert_eq!(play.read(), Ok(2_000));
    assert_eq!(play.events(), [ClockEvent::Trusted { error_us: 2_000 }]);
    play.pass(16 * SECOND_US);
    play.good().unwrap();
    assert_eq!(play.events(), []);
}

#[test]
fn a_silent_source_is_borne_until_stale() {
    let mut play = Play::new();
    assert_eq!(play.check(silent()), Err(SOURCE_FAILED));
    assert_eq!(play.events(), [ClockEvent::Lost { fault: SOURCE_FAILED }]);
    play.good().unwrap();
    play.events();
    for _ in 0..3 {
        play.pass(20 * SECOND_US);
        assert_eq!(play.check(silent()), Err(SOURCE_FAILED));
        assert!(play.read().is_ok());
        assert_eq!(play.events(), []);
    }
    play.pass(5 * SECOND_US);
    let stale = ClockFault::Stale { age_s: 65, limit_s: 64 };
    assert_eq!(play.read(), Err(stale));
    play.tick();
    assert_eq!(play.events(), [ClockEvent::Lost { fault: stale }]);
    play.good().unwrap();
    assert!(matches!(play.events()[..], [ClockEvent::Trusted { .. }]));
}

#[test]
fn a_bad_clock_is_refused_at_once_and_comes_back_by_itself() {
    let mut play = Play::new();
    play.good().unwrap();
    play.events();
    let fault = ClockFault::Unsynchronised { witness: Witness::Kernel };
    assert_eq!(play.check(Err(Unmeasured::Bad(fault))), Err(fault));
    assert_eq!(play.read(), Err(fault));
    // Silence after that is no reason to trust again.
    assert_eq!(play.check(silent()), Err(SOURCE_FAILED));
    let out = ClockFault::OutOfAccuracy { error_us: 1_000_001, limit_us: 1_000_000 };
    assert_eq!(play.check(Ok(Measurement { error_us: 1_000_001, ..good() })), Err(out));
    assert_eq!(play.read(), Err(out));
    play.good().unwrap();
    assert!(play.read().is_ok());
    let lost = |fault| ClockEvent::Lost { fault };
    assert_eq!(play.events(), [lost(fault), lost(SOURCE_FAILED), lost(out), ClockEvent::Trusted { error_us: 2_000 }]);
}

#[test]
fn a_step_is_refused_until_a_check_confirms_it() {
    for by_us in [HOUR_US, -HOUR_US, 1_000_001, -1_000_001] {
        let mut play = Play::new();
        play.good().unwrap();
        play.events();
        play.step(by_us);
        assert_eq!(play.read(), Err(stepped(by_us)));
        assert!(play.tick(), "a check is wanted");
        assert!(!play.tick(), "once");
        assert_eq!(play.events(), [ClockEvent::Stepped { by_us }, ClockEvent::Lost { fault: stepped(by_us) }]);
        play.good().unwrap();
        assert!(play.read().is_ok());
        assert!(matches!(
            play.events()[..],
            [ClockEvent::Adjusted { by_us: adjusted }, ClockEvent::Trusted { .. }] if adjusted == by_us
        ));
    }
}

#[test]
fn a_silent_source_confirms_no_step() {
    let mut play = Play::new();
    play.good().unwrap();
    play.step(HOUR_US);
    assert_eq!(play.check(silent()), Err(stepped(HOUR_US)));
    assert_eq!(play.read(), Err(stepped(HOUR_US)));
    assert_eq!(play.check(silent()), Err(stepped(HOUR_US)));
    play.good().unwrap();
    assert!(play.read().is_ok());
}

#[test]
fn evidence_from_before_a_step_confirms_nothing() {
    let mut play = Play::new();
    play.check(dated(1)).unwrap();
    play.step(-HOUR_US);
    // chronyd does not know yet: its measurement may be from between the last check and the step.
    assert_eq!(play.check(dated(2)), Err(stepped(-HOUR_US)));
    assert_eq!(play.check(dated(2)), Err(stepped(-HOUR_US)));
    assert_eq!(play.read(), Err(stepped(-HOUR_US)));
    // A further step asks for further evidence.
    play.step(2 * HOUR_US);
    assert_eq!(play.check(dated(3)), Err(stepped(HOUR_US)));
    assert_eq!(play.check(dated(4)), Ok(()));
    assert!(play.read().is_ok());
    let steps: Vec<_> = play
        .events()
        .into_iter()
        .filter(|event| matches!(event, ClockEvent::Stepped { .. } | ClockEvent::Adjusted { .. }))
        .collect();
    assert_eq!(
        steps,
        [
            ClockEvent::Stepped { by_us: -HOUR_US },
            ClockEvent::Stepped { by_us: 2 * HOUR_US },
            ClockEvent::Adjusted { by_us: HOUR_US }
        ]
    );
}

#[test]
fn a_step_that_is_undone_needs_no_evidence() {
    let mut play = Play::new();
    play.check(dated(1)).unwrap();
    play.step(HOUR_US);
    play.tick();
    play.events();
    play.step(-HOUR_US);
    assert!(play.tick());
    assert!(play.read().is_ok());
    let events = play.events();
    assert_eq!(events[0], ClockEvent::Stepped { by_us: -HOUR_US });
    assert!(matches!(events[1..], [ClockEvent::Trusted { .. }]));
    assert_eq!(play.check(dated(1)), Ok(()));
    assert_eq!(play.events(), []);
}

#[test]
fn a_step_during_the_check_makes_it_worthless() {
    let mut play = Play::new();
    let before = play.now;
    play.step(3_000);
    let outcome = play.guard.checked(before, play.now, Ok(good()), &mut play.events);
    assert_eq!(outcome, Err(ClockFault::SourceFailed { reason: SourceFailure::SteppedMeanwhile }));
}

#[test]
fn small_adjustments_pass_with_the_next_check() {
    let mut play = Play::new();
    play.good().unwrap();
    play.step(900_000);
    assert_eq!(play.read().map(|error| error > 900_000), Ok(true));
    play.good().unwrap();
    assert_eq!(play.read().map(|error| error < 3_000), Ok(true));
    assert!(play.events().iter().all(|event| matches!(event, ClockEvent::Trusted { .. })));
}

/// The day's end with a leap second inserted, the kernel repeating a second; chronyd's evidence as it would be.
#[test]
fn a_leap_second_from_announcement_to_confirmation() {
    let mut play = Play::new();
    let announcing = Ok(Measurement { leap: Some(LeapKind::Insert), evidence: Some(1), ..good() });
    let midnight_us = NOON_US + 12 * HOUR_US;
    let leap = Leap { kind: LeapKind::Insert, midnight_unix_s: midnight_us / SECOND_US };
    play.check(announcing).unwrap();
    assert_eq!(play.events(), [ClockEvent::LeapAnnounced { leap }, ClockEvent::Trusted { error_us: 2_000 }]);
    play.pass(12 * HOUR_US - 10 * SECOND_US);
    play.check(announcing).unwrap();
    assert!(play.events().is_empty());
    assert!(play.read().is_ok());
    play.pass(8 * SECOND_US);
    let fault = ClockFault::LeapSecond { leap };
    assert_eq!(play.read(), Err(fault));
    assert!(!play.tick());
    assert_eq!(play.check(announcing), Err(fault));
    play.pass(2 * SECOND_US);
    play.step(-SECOND_US);
    assert_eq!(play.read(), Err(fault));
    assert_eq!(play.check(Ok(good())), Err(fault));
    assert_eq!(play.events(), [ClockEvent::Lost { fault }]);
    play.pass(3 * SECOND_US);
    assert_eq!(play.read(), Err(fault), "until a check says so");
    assert!(play.tick(), "a check is wanted");
    // The same evidence as before the leap second: the kernel's step of a second was to be expected. And the source
    // still announces.
    assert_eq!(play.check(announcing), Ok(()));
    assert!(play.read().is_ok());
    assert_eq!(play.guard.leap(), None);
    assert!(play.events().iter().all(|event| !matches!(event, ClockEvent::LeapAnnounced { .. })));
}

#[test]
fn a_leap_second_that_is_called_off_is_forgotten() {
    let mut play = Play::new();
    play.check(Ok(Measurement { leap: Some(LeapKind::Delete), ..good() })).unwrap();
    assert!(play.guard.leap().is_some());
    play.good().unwrap();
    play.pass(12 * HOUR_US - SECOND_US);
    play.good().unwrap();
    assert!(play.read().is_ok());
}

#[test]
fn what_was_lost_stays_lost() {
    let mut play = Play::new();
    play.good().unwrap();
    let fault = ClockFault::SourceFailed { reason: SourceFailure::Stopped };
    play.guard.lose(fault);
    assert_eq!(play.read(), Err(fault));
}

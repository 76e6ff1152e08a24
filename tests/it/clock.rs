//! The clock against real chronyds: as NTP servers, right and wrong, and through chronyc.
//!
//! The chronyds never set the machine's clock, so that steps can't be played here: the guard's unit tests do.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::clock::{
    Clock, ClockEvent, ClockFault, ClockSettings, MachineClock, Source, SourceFailure, Witness, detect,
};

use crate::support::chrony::{self, Chronyd, Reference};

/// What is to happen happens within this.
const LIMIT: Duration = Duration::from_secs(10);

type Test = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let missing = !chrony::available();
    let on_chronyd: [(&str, Test); 7] = [
        ("clock::two_servers_that_disagree_stop_the_service_until_put_right", two_that_disagree),
        ("clock::one_wrong_server_of_three_is_outvoted", one_wrong_of_three),
        ("clock::a_clock_that_is_off_is_out_of_accuracy", out_of_accuracy),
        ("clock::an_unsynchronised_server_is_no_answer", unsynchronised_server),
        ("clock::a_server_s_offset_is_what_another_client_sees", same_as_another_client),
        ("clock::chronyc_tells_each_state", chronyc_states),
        ("clock::a_chronyd_that_dies_makes_the_clock_stale_until_it_is_back", chronyd_dies),
    ];
    let mut trials: Vec<Trial> =
        on_chronyd.into_iter().map(|(name, test)| Trial::test(name, test).with_ignored_flag(missing)).collect();
    trials.push(Trial::test("clock::a_silent_server_does_not_hold_the_start", silent_server));
    trials.push(Trial::test("clock::what_detect_picks_can_be_started", detected_source));
    trials
}

type Told = Arc<Mutex<Vec<ClockEvent>>>;

fn watch(source: Source) -> (Arc<MachineClock>, Told) {
    let told: Told = Arc::default();
    let events = Arc::clone(&told);
    let settings = ClockSettings {
        interval: Duration::from_millis(100),
        stale_after: Duration::from_secs(1),
        ..ClockSettings::new(source)
    };
    let clock = MachineClock::start(settings, Arc::new(move |event| events.lock().unwrap().push(event))).unwrap();
    (clock, told)
}

fn sntp(servers: &[&Chronyd]) -> Source {
    Source::Sntp { servers: servers.iter().map(|server| server.server()).collect() }
}

fn through_chronyc(chronyd: &Chronyd) -> Source {
    Source::Chrony { command: chrony::chronyc(), host: Some("127.0.0.1".to_owned()), port: Some(chronyd.command_port) }
}

/// Waits until the reading is as wanted; its error in microseconds, or the fault, is what a failure shows.
fn eventually(
    clock: &MachineClock,
    what: &str,
    wanted: impl Fn(Result<u32, ClockFault>) -> bool,
) -> Result<(), Failed> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let reading = clock.read().map(|reading| reading.error_us);
        if wanted(reading) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("no {what}, but {reading:?}; {:?}", clock.health()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Right servers and this machine share one clock: the error is some milliseconds, not seconds.
fn close(reading: Result<u32, ClockFault>) -> bool {
    reading.is_ok_and(|error_us| error_us < 100_000)
}

fn two_that_disagree() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let mut wrong = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 2_500 });
    let (clock, told) = watch(sntp(&[&right, &wrong]));
    let disagreed = ClockFault::NoMajority { agreeing: 1, configured: 2 };
    assert_eq!(clock.read(), Err(disagreed));
    // Put right, the service comes back by itself; while the server is away, one of two is no majority.
    wrong.restart(Reference::Other { port: right.port, shifted_ms: 0 });
    eventually(&clock, "recovery", close)?;
    // And it goes wrong again.
    wrong.restart(Reference::Other { port: right.port, shifted_ms: -2_500 });
    eventually(&clock, "loss", |reading| reading == Err(disagreed))?;
    let told = told.lock().unwrap().clone();
    assert_eq!(told.first(), Some(&ClockEvent::Lost { fault: disagreed }));
    assert_eq!(told.last(), Some(&ClockEvent::Lost { fault: disagreed }));
    assert!(told.iter().any(|event| matches!(event, ClockEvent::Trusted { .. })), "{told:?}");
    Ok(())
}

fn one_wrong_of_three() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let mut second = Chronyd::start(Reference::Own);
    let mut wrong = Chronyd::start(Reference::Other { port: right.port, shifted_ms: -2_500 });
    let (clock, told) = watch(sntp(&[&right, &wrong, &second]));
    assert!(close(clock.read().map(|reading| reading.error_us)), "{:?}", clock.health());
    let offsets: Vec<i64> = clock.health().servers.iter().map(|server| server.offset_us.unwrap()).collect();
    assert!(offsets[0].abs() < 100_000 && offsets[2].abs() < 100_000, "{offsets:?}");
    assert!((-2_600_000..-2_400_000).contains(&offsets[1]), "{offsets:?}");
    std::thread::sleep(Duration::from_millis(700));
    assert!(matches!(told.lock().unwrap()[..], [ClockEvent::Trusted { .. }]), "{told:?}");
    // Without the second right one, one stands against one.
    second.stop();
    let fault = ClockFault::NoMajority { agreeing: 1, configured: 3 };
    eventually(&clock, "disagreement", |reading| reading == Err(fault))?;
    wrong.stop();
    let reason = SourceFailure::TooFewAnswers { answered: 1, configured: 3 };
    eventually(&clock, "too few answers", |reading| reading == Err(ClockFault::SourceFailed { reason }))?;
    second.restart(Reference::Own);
    eventually(&clock, "recovery with two of three", close)
}

fn out_of_accuracy() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let ahead = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 2_500 });
    let also_ahead = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 2_501 });
    // The servers agree: it is this machine's clock that is off.
    let (clock, _) = watch(sntp(&[&ahead, &also_ahead]));
    // The bound holds half of the question's round trip, which a busy machine makes long: it is never too small, and in a
    // quiet moment it is close.
    in_a_quiet_moment(|| match clock.read() {
        Err(ClockFault::OutOfAccuracy { error_us, limit_us: 1_000_000 }) if error_us >= 2_400_000 => {
            Ok(error_us < 2_700_000)
        }
        Err(ClockFault::Stale { .. } | ClockFault::SourceFailed { .. }) => Ok(false),
        other => Err(format!("{other:?}").into()),
    })?;
    let slightly = Chronyd::start(Reference::Other { port: right.port, shifted_ms: -700 });
    let (clock, _) = watch(sntp(&[&slightly]));
    in_a_quiet_moment(|| match clock.read() {
        Ok(reading) if reading.error_us >= 690_000 => Ok(reading.error_us < 800_000),
        // So long a round trip that the bound passes the limit.
        Err(ClockFault::OutOfAccuracy { .. } | ClockFault::Stale { .. } | ClockFault::SourceFailed { .. }) => Ok(false),
        other => Err(format!("{other:?}").into()),
    })
}

/// Tries until it is true; an error is one at any time.
fn in_a_quiet_moment(is_close: impl Fn() -> Result<bool, Failed>) -> Result<(), Failed> {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_close()? {
        if std::time::Instant::now() > deadline {
            return Err("no check was quick enough in 20 s".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn unsynchronised_server() -> Result<(), Failed> {
    let mut server = Chronyd::start(Reference::None);
    let (clock, _) = watch(sntp(&[&server]));
    let reason = SourceFailure::TooFewAnswers { answered: 0, configured: 1 };
    assert_eq!(clock.read(), Err(ClockFault::SourceFailed { reason }));
    let problem = clock.health().servers[0].problem.clone().unwrap();
    assert!(problem.contains("not synchronised"), "{problem}");
    server.restart(Reference::Own);
    eventually(&clock, "trust", close)
}

fn same_as_another_client() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let server = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 800 });
    let (clock, _) = watch(sntp(&[&server]));
    let ours = clock.health().servers[0].clone();
    let theirs = rsntp::SntpClient::new().synchronize(server.server()).unwrap();
    let theirs_us = Duration::from_micros(ours.offset_us.unwrap().unsigned_abs()).as_secs_f64();
    let difference_s = (theirs.clock_offset().as_secs_f64() - theirs_us).abs();
    let bound_s = Duration::from_micros(ours.error_us.unwrap().unsigned_abs()).as_secs_f64();
    // The other client's own error is half its round trip.
    assert!(difference_s <= bound_s + theirs.round_trip_delay().as_secs_f64() / 2.0, "{difference_s} {ours:?}");
    Ok(())
}

fn chronyc_states() -> Result<(), Failed> {
    let mut right = Chronyd::start(Reference::Own);
    let follower = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 0 });
    let (clock, told) = watch(through_chronyc(&follower));
    // Its bound holds a round trip of its first exchange, which a busy machine makes long.
    eventually(&clock, "trust", close)?;
    assert!(matches!(told.lock().unwrap()[..], [ClockEvent::Trusted { .. }]));

    let ahead = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 2_500 });
    let (clock, _) = watch(through_chronyc(&ahead));
    match clock.read() {
        Err(ClockFault::OutOfAccuracy { error_us: 2_400_000..2_700_000, limit_us: 1_000_000 }) => {}
        other => return Err(format!("{other:?} {:?}", clock.health()).into()),
    }

    // A chronyd that serves its own clock is no reference; one without any source says so itself.
    let (clock, _) = watch(through_chronyc(&right));
    assert_eq!(clock.read(), Err(ClockFault::Unsynchronised { witness: Witness::ChronydLocal }));
    right.restart(Reference::None);
    eventually(&clock, "unsynchronised", |reading| {
        reading == Err(ClockFault::Unsynchronised { witness: Witness::Chronyd })
    })
}

fn chronyd_dies() -> Result<(), Failed> {
    let right = Chronyd::start(Reference::Own);
    let mut follower = Chronyd::start(Reference::Other { port: right.port, shifted_ms: 0 });
    let (clock, told) = watch(through_chronyc(&follower));
    assert!(clock.read().is_ok());
    follower.stop();
    eventually(&clock, "staleness", |reading| matches!(reading, Err(ClockFault::Stale { .. })))?;
    assert!(matches!(clock.health().last_failure, Some(ClockFault::SourceFailed { .. })));
    follower.restart(Reference::Other { port: right.port, shifted_ms: 0 });
    eventually(&clock, "recovery", close)?;
    let told = told.lock().unwrap().clone();
    assert!(
        matches!(told[..], [ClockEvent::Trusted { .. }, ClockEvent::Lost { .. }, .., ClockEvent::Trusted { .. }]),
        "{told:?}"
    );
    Ok(())
}

fn silent_server() -> Result<(), Failed> {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap().to_string();
    let started = Instant::now();
    let (clock, _) = watch(Source::Sntp { servers: vec![server] });
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let reason = SourceFailure::TooFewAnswers { answered: 0, configured: 1 };
    assert_eq!(clock.read(), Err(ClockFault::SourceFailed { reason }));
    let stopping = Instant::now();
    clock.stop();
    assert!(stopping.elapsed() < Duration::from_secs(2), "{:?}", stopping.elapsed());
    Ok(())
}

fn detected_source() -> Result<(), Failed> {
    let detected = detect();
    assert!(!detected.reason.is_empty());
    let (clock, told) = watch(detected.source.clone());
    // Whatever it is, it has said something within the start.
    let reading = clock.read();
    assert_ne!(reading, Err(ClockFault::NotYetChecked), "{detected:?}");
    assert_eq!(told.lock().unwrap().len(), 1);
    Ok(())
}

//! The machine's clock, watched by a thread of its own.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::chrony::Chronyc;
use super::guard::Guard;
use super::instants::Instants;
use super::judge::Limits;
use super::measure::{Measurement, Outcome};
use super::published::Published;
use super::settings::{ServerName, Source};
use super::sntp::Servers;
use super::{
    Clock, ClockEvent, ClockFault, ClockHealth, ClockSettings, ClockSettingsError, Reading, ServerHealth,
    SourceFailure, kernel,
};

/// How long [`MachineClock::start`] waits for the first check: longer than a source may take, within the two seconds in
/// which a server is to be ready.
const FIRST_CHECK: Duration = Duration::from_millis(1_500);

/// The clocks are compared this often without being asked, so that a step is noticed on an idle server.
const TICK: Duration = Duration::from_secs(1);

/// While the time is not trusted, the source is asked this often (or at the interval, if shorter): recovery is to be
/// quick, and a public NTP server not to be bothered.
const RETRY: Duration = Duration::from_secs(4);

/// However often steps are noticed, two checks stand apart by this.
const LEAST_PAUSE: Duration = Duration::from_millis(250);

type Events = Arc<dyn Fn(ClockEvent) + Send + Sync>;

/// What the checking thread and the readers share.
struct Shared {
    limits: Limits,
    published: Published,
    /// Why nothing is published. Read only then: a reading that is trusted takes no lock.
    fault: RwLock<ClockFault>,
    /// A reader saw a step.
    step_seen: AtomicBool,
    stop: AtomicBool,
    checker: OnceLock<Thread>,
    report: Mutex<Report>,
}

#[derive(Default)]
struct Report {
    last_good: Option<Instant>,
    last_failure: Option<ClockFault>,
    leap: Option<super::Leap>,
    servers: Vec<ServerHealth>,
}

/// The machine's clock, held against a source.
pub struct MachineClock {
    shared: Arc<Shared>,
    settings: ClockSettings,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why the clock can't be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockStartError {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] ClockSettingsError),
    /// No thread.
    #[error("the clock's thread can't be started: {0}")]
    Thread(#[source] io::Error),
}

impl MachineClock {
    /// Starts watching. Returns once the first check is done, or after 1.5 s without it; the clock is then not trusted
    /// until it is. `events` is called on the clock's thread and must not block for long.
    ///
    /// # Errors
    /// Settings that make no sense, or no thread.
    pub fn start(settings: ClockSettings, events: Events) -> Result<Arc<Self>, ClockStartError> {
        settings.check()?;
        describe_metrics();
        let limits = Limits {
            accuracy_us: settings.accuracy_us,
            stale_after_us: i64::try_from(settings.stale_after.as_micros()).unwrap_or(i64::MAX),
            step_threshold_us: settings.step_threshold_us,
        };
        let shared = Arc::new(Shared {
            limits,
            published: Published::default(),
            fault: RwLock::new(ClockFault::NotYetChecked),
            step_seen: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            checker: OnceLock::new(),
            report: Mutex::default(),
        });
        let asker = Asker::new(&settings)?;
        let (first_done, first) = sync_channel(1);
        let checker = Checker {
            shared: Arc::clone(&shared),
            guard: Guard::new(limits),
            asker,
            interval: settings.interval,
            events,
        };
        let thread = thread::Builder::new()
            .name("clock".to_owned())
            .spawn(move || {
                checker.run(|| {
                    // The starter may have stopped waiting.
                    let _ = first_done.try_send(());
                });
            })
            .map_err(ClockStartError::Thread)?;
        // Nobody else sets it.
        let _ = shared.checker.set(thread.thread().clone());
        // A source that takes longer leaves the clock untrusted: no failure of the start.
        let _ = first.recv_timeout(FIRST_CHECK);
        Ok(Arc::new(Self { shared, settings, thread: Mutex::new(Some(thread)) }))
    }

    /// Stops watching; nothing is trusted from here on. Waits for a check that runs, a second or so at most.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            // Called from an event's closure, it is this thread that ends.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("the clock's thread had panicked");
            }
        }
    }
}

impl Drop for MachineClock {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Clock for MachineClock {
    fn read(&self) -> Result<Reading, ClockFault> {
        let Some(checked) = self.shared.published.read() else {
            return Err(*self.shared.fault.read().unwrap_or_else(PoisonError::into_inner));
        };
        let reading = checked.judge(&self.shared.limits, Instants::now()?);
        // The first to see a step wakes the checker, which confirms the new time or not.
        if matches!(reading, Err(ClockFault::Stepped { .. }))
            && !self.shared.step_seen.swap(true, Ordering::Relaxed)
            && let Some(checker) = self.shared.checker.get()
        {
            checker.unpark();
        }
        reading
    }

    fn health(&self) -> ClockHealth {
        let reading = self.read();
        let report = self.shared.report.lock().unwrap_or_else(PoisonError::into_inner);
        ClockHealth {
            reading,
            source: self.settings.source.name(),
            warning: self.settings.source.warning(),
            accuracy_us: self.settings.accuracy_us,
            last_good_check: report.last_good.map(|at| at.elapsed()),
            last_failure: report.last_failure,
            leap: report.leap,
            servers: report.servers.clone(),
        }
    }
}

/// The source, ready to be asked.
enum Asker {
    Chrony { command: PathBuf, host: Option<String>, port: Option<u16> },
    Sntp(Servers),
    Kernel,
    System { accuracy_us: u32 },
}

impl Asker {
    fn new(settings: &ClockSettings) -> Result<Self, ClockStartError> {
        Ok(match settings.source.clone() {
            Source::Chrony { command, host, port } => Self::Chrony { command, host, port },
            Source::Sntp { servers } => {
                let mut names = Vec::with_capacity(servers.len());
                for server in servers {
                    let name = ServerName::parse(&server)?;
                    names.push((server, name));
                }
                Self::Sntp(Servers::start(&names).map_err(ClockStartError::Thread)?)
            }
            Source::Kernel => Self::Kernel,
            Source::System => Self::System { accuracy_us: settings.accuracy_us },
        })
    }

    fn ask(&mut self, unix_us: i64) -> (Outcome, Vec<ServerHealth>) {
        match self {
            Self::Chrony { command, host, port } => {
                let chronyc = Chronyc { command, host: host.as_deref(), port: *port };
                let (outcome, offset_us) = chronyc.measure(unix_us);
                let health = ServerHealth {
                    server: "chronyd".to_owned(),
                    offset_us,
                    error_us: outcome.ok().and_then(|measured| i64::try_from(measured.error_us).ok()),
                    problem: outcome.err().map(|unmeasured| ClockFault::from(unmeasured).to_string()),
                };
                (outcome, vec![health])
            }
            Self::Sntp(servers) => servers.measure(),
            Self::Kernel => (kernel::measure(), Vec::new()),
            // No bound is known: a reading claims the declared accuracy, no better.
            Self::System { accuracy_us } => {
                (Ok(Measurement { error_us: 0, floor_us: *accuracy_us, leap: None, evidence: None }), Vec::new())
            }
        }
    }
}

/// The checking thread.
struct Checker {
    shared: Arc<Shared>,
    guard: Guard,
    asker: Asker,
    interval: Duration,
    events: Events,
}

impl Checker {
    fn run(mut self, first_check_done: impl FnOnce()) {
        let mut last = Instant::now();
        let mut pause = self.check();
        first_check_done();
        while !self.shared.stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= last + pause {
                last = now;
                pause = self.check();
            } else if self.tick() {
                pause = pause.min(now.duration_since(last).max(LEAST_PAUSE));
            }
            thread::park_timeout(TICK.min((last + pause).saturating_duration_since(Instant::now())));
        }
        self.guard.lose(ClockFault::SourceFailed { reason: SourceFailure::Stopped });
        self.publish();
    }

    /// Asks the source; gives the pause until it is asked again.
    fn check(&mut self) -> Duration {
        let mut events = Vec::new();
        let (checked, servers) = match Instants::now() {
            Ok(before) => {
                let (outcome, servers) = self.asker.ask(before.real_us);
                let checked = Instants::now().and_then(|after| self.guard.checked(before, after, outcome, &mut events));
                (checked, servers)
            }
            Err(fault) => (Err(fault), Vec::new()),
        };
        if let Err(fault @ ClockFault::SourceFailed { reason: SourceFailure::SystemCall { .. } }) = checked {
            self.guard.lose(fault);
        }
        metrics::counter!("noonmark_clock_checks_total", "outcome" => outcome_label(checked)).increment(1);
        for server in &servers {
            if let Some(offset_us) = server.offset_us {
                metrics::gauge!("noonmark_clock_offset_seconds", "server" => server.server.clone())
                    .set(seconds(offset_us));
            }
        }
        {
            let mut report = self.shared.report.lock().unwrap_or_else(PoisonError::into_inner);
            if checked.is_ok() {
                report.last_good = Some(Instant::now());
            }
            report.last_failure = checked.err();
            report.servers = servers;
            report.leap = self.guard.leap();
        }
        self.publish();
        self.tell(events);
        if checked.is_ok() { self.interval } else { self.interval.min(RETRY) }
    }

    /// Compares the clocks; true if a check is wanted soon.
    fn tick(&mut self) -> bool {
        let mut events = Vec::new();
        let seen = self.shared.step_seen.swap(false, Ordering::Relaxed);
        let wanted = match Instants::now() {
            Ok(now) => self.guard.tick(now, &mut events),
            Err(fault) => {
                self.guard.lose(fault);
                self.publish();
                true
            }
        };
        self.tell(events);
        wanted || seen
    }

    fn publish(&self) {
        let published = self.guard.published();
        if let Err(fault) = published {
            *self.shared.fault.write().unwrap_or_else(PoisonError::into_inner) = fault;
        }
        self.shared.published.write(published.ok());
    }

    fn tell(&self, events: Vec<ClockEvent>) {
        let reading = Instants::now().and_then(|now| self.guard.judge(now));
        metrics::gauge!("noonmark_clock_trusted").set(if reading.is_ok() { 1.0 } else { 0.0 });
        if let Ok(reading) = reading {
            metrics::gauge!("noonmark_clock_error_seconds").set(seconds(i64::from(reading.error_us)));
        }
        for event in events {
            match event {
                ClockEvent::Lost { .. } | ClockEvent::Stepped { .. } => tracing::warn!("{event}"),
                _ => tracing::info!("{event}"),
            }
            (self.events)(event);
        }
    }
}

fn seconds(us: i64) -> f64 {
    let size_s = Duration::from_micros(us.unsigned_abs()).as_secs_f64();
    if us < 0 { -size_s } else { size_s }
}

/// A check's outcome as a label: few values, none from outside.
const fn outcome_label(checked: Result<(), ClockFault>) -> &'static str {
    match checked {
        Ok(()) => "good",
        Err(ClockFault::NotYetChecked | ClockFault::SourceFailed { .. }) => "source_failed",
        Err(ClockFault::Stale { .. } | ClockFault::SourceStale { .. }) => "stale",
        Err(ClockFault::OutOfAccuracy { .. }) => "out_of_accuracy",
        Err(ClockFault::Stepped { .. }) => "stepped",
        Err(ClockFault::LeapSecond { .. }) => "leap_second",
        Err(ClockFault::Unsynchronised { .. }) => "unsynchronised",
        Err(ClockFault::NoMajority { .. }) => "no_majority",
    }
}

fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge};
    describe_gauge!("noonmark_clock_trusted", "1 while the time is trusted, 0 while nothing is signed with it");
    describe_gauge!("noonmark_clock_error_seconds", Unit::Seconds, "The bound on the clock's error, while trusted");
    describe_gauge!("noonmark_clock_offset_seconds", Unit::Seconds, "A server's time less the machine's");
    describe_counter!("noonmark_clock_checks_total", "Checks of the clock against its source, by outcome");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(source: Source) -> (Arc<MachineClock>, Arc<Mutex<Vec<ClockEvent>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::clone(&told);
        let settings = ClockSettings { interval: Duration::from_millis(100), ..ClockSettings::new(source) };
        let clock = MachineClock::start(settings, Arc::new(move |event| events.lock().unwrap().push(event))).unwrap();
        (clock, told)
    }

    #[test]
    fn the_system_clock_is_trusted_as_declared_until_it_is_stopped() {
        let (clock, told) = start(Source::System);
        let reading = clock.read().unwrap();
        assert_eq!(reading.error_us, 1_000_000);
        assert!(clock.read().unwrap().unix_us >= reading.unix_us);
        let health = clock.health();
        assert!(health.reading.is_ok() && health.last_good_check.is_some() && health.last_failure.is_none());
        assert!(health.warning.unwrap().contains("against nothing"));
        clock.stop();
        let stopped = ClockFault::SourceFailed { reason: SourceFailure::Stopped };
        assert_eq!(clock.read(), Err(stopped));
        clock.stop();
        assert_eq!(*told.lock().unwrap(), [ClockEvent::Trusted { error_us: 1_000_000 }]);
    }

    #[test]
    fn a_source_that_is_not_there_gives_no_time() {
        let command = PathBuf::from("/nonexistent/chronyc");
        let (clock, told) = start(Source::Chrony { command, host: None, port: None });
        let fault = ClockFault::SourceFailed { reason: SourceFailure::CommandNotRun { kind: io::ErrorKind::NotFound } };
        assert_eq!(clock.read(), Err(fault));
        let health = clock.health();
        assert_eq!(health.last_failure, Some(fault));
        assert!(health.servers[0].problem.as_deref().unwrap().contains("install chrony"));
        assert_eq!(*told.lock().unwrap(), [ClockEvent::Lost { fault }]);
    }

    #[test]
    fn settings_are_checked_at_the_start() {
        let settings = ClockSettings { accuracy_us: 0, ..ClockSettings::new(Source::System) };
        assert!(matches!(
            MachineClock::start(settings, Arc::new(|_| ())),
            Err(ClockStartError::Settings(ClockSettingsError::Accuracy { .. }))
        ));
    }

    #[test]
    fn seconds_keep_their_sign() {
        assert!((seconds(-1_500_000) + 1.5).abs() < 1e-9);
        assert!((seconds(250) - 0.000_25).abs() < 1e-12);
    }
}

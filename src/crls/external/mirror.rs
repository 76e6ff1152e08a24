//! The thread that fetches: one CRL at a time, each on its schedule.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fetch::{FetchLimits, Fetcher};
use super::issuer_crl::IssuerCrl;
use super::report::CrlReport;
use crate::ca::{Certificate, ExternalCrlSettings, StatusSource};
use crate::clock::Clock;

/// The first wait after a failure, in seconds; it doubles with each further one, up to the interval.
const FIRST_RETRY_S: u64 = 15;
/// Between two looks at a clock that is not trusted.
const CLOCK_WAIT: Duration = Duration::from_secs(1);
/// How long a stop waits for a fetch that is under way. What it is at is a file of its own, so it may be left alone.
const LEAVING: Duration = Duration::from_secs(2);

/// An issuer whose CRLs are to be fetched.
#[derive(Clone, Debug)]
pub struct MirroredIssuer {
    /// Its number in the store.
    pub id: i64,
    /// Its name in URLs.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Where its CRLs are.
    pub settings: ExternalCrlSettings,
}

/// What the mirror is handed.
pub struct MirrorDeps {
    /// Where CRLs are kept.
    pub directory: PathBuf,
    /// The time; with a clock that is not trusted nothing is fetched, since nothing could be judged.
    pub clock: Arc<dyn Clock>,
    /// What a fetch may cost.
    pub limits: FetchLimits,
}

/// Holds others' CRLs and fetches them anew.
pub struct Mirror {
    shared: Arc<Shared>,
    directory: PathBuf,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    turns: Vec<Turn>,
    is_stopping: bool,
}

/// An issuer and when it is due.
struct Turn {
    crl: Arc<IssuerCrl>,
    due: Instant,
    failures: u32,
    /// Its settings changed: it is due at once, even if a round by the old ones is under way.
    is_changed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mirror {
    /// Starts the thread. It rests until [`Self::follow`] names an issuer.
    ///
    /// # Errors
    /// No thread from the system.
    pub fn start(deps: MirrorDeps) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared { state: Mutex::default(), bell: Condvar::new() });
        let (theirs, clock, limits) = (Arc::clone(&shared), deps.clock, deps.limits);
        let thread = std::thread::Builder::new()
            .name("crl-mirror".to_owned())
            .spawn(move || run(&theirs, &*clock, &Fetcher::new(limits)))?;
        Ok(Arc::new(Self { shared, directory: deps.directory, thread: Mutex::new(Some(thread)) }))
    }

    /// Fetches these issuers' CRLs from now on, and no others'. What is held of one that stays is kept.
    pub fn follow(&self, issuers: &[MirroredIssuer]) {
        let mut state = self.shared.state();
        let mut before = std::mem::take(&mut state.turns);
        for issuer in issuers.iter().filter(|issuer| issuer.settings.is_fetched()) {
            let known = before.iter().position(|turn| {
                turn.crl.issuer_id() == issuer.id && turn.crl.certificate().der() == issuer.certificate.der()
            });
            let turn = match known.map(|at| before.swap_remove(at)) {
                Some(mut turn) => {
                    if turn.crl.set(issuer.settings.clone()) {
                        (turn.due, turn.failures, turn.is_changed) = (Instant::now(), 0, true);
                    }
                    turn
                }
                None => {
                    let (certificate, settings) = (issuer.certificate.clone(), issuer.settings.clone());
                    let crl = IssuerCrl::new(&self.directory, issuer.id, &issuer.name, certificate, settings);
                    Turn { crl: Arc::new(crl), due: Instant::now(), failures: 0, is_changed: false }
                }
            };
            state.turns.push(turn);
        }
        for gone in before {
            gone.crl.withdraw();
        }
        drop(state);
        self.shared.bell.notify_all();
    }

    /// What is held of an issuer, if its CRLs are fetched.
    #[must_use]
    pub fn crl(&self, issuer_id: i64) -> Option<Arc<IssuerCrl>> {
        let state = self.shared.state();
        state.turns.iter().find(|turn| turn.crl.issuer_id() == issuer_id).map(|turn| Arc::clone(&turn.crl))
    }

    /// What knows the status of an issuer's certificates, if its CRLs are fetched.
    #[must_use]
    pub fn source(&self, issuer_id: i64) -> Option<Arc<dyn StatusSource>> {
        self.crl(issuer_id).map(|crl| -> Arc<dyn StatusSource> { crl })
    }

    /// What is held of each issuer whose CRLs are fetched.
    #[must_use]
    pub fn crls(&self) -> Vec<Arc<IssuerCrl>> {
        self.shared.state().turns.iter().map(|turn| Arc::clone(&turn.crl)).collect()
    }

    /// How each issuer's CRLs stand.
    #[must_use]
    pub fn reports(&self) -> Vec<CrlReport> {
        self.crls().iter().map(|crl| crl.report()).collect()
    }

    /// Ends the thread; a fetch that is under way is left alone after a moment.
    pub fn stop(&self) {
        self.shared.state().is_stopping = true;
        self.shared.bell.notify_all();
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let until = Instant::now() + LEAVING;
        while !thread.is_finished() {
            if Instant::now() >= until {
                tracing::info!("a CRL that is being fetched is left alone");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if thread.join().is_err() {
            tracing::error!("the thread that fetches CRLs ended by a panic");
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, clock: &dyn Clock, fetcher: &Fetcher) {
    while let Some(crl) = next(shared) {
        let now_s = clock.read().ok().map(|now| now.unix_us.div_euclid(1_000_000));
        let outcome = now_s.map(|now_s| work(&crl, fetcher, now_s));
        let mut state = shared.state();
        // It may have gone meanwhile.
        let Some(turn) = state.turns.iter_mut().find(|turn| Arc::ptr_eq(&turn.crl, &crl)) else { continue };
        let wait = match outcome {
            None => CLOCK_WAIT,
            Some(Done::Wait(wait)) => wait,
            Some(Done::Fetched) => {
                turn.failures = 0;
                wait_after(&crl, 0, now_s.unwrap_or(0))
            }
            Some(Done::Failed) => {
                turn.failures = turn.failures.saturating_add(1);
                wait_after(&crl, turn.failures, now_s.unwrap_or(0))
            }
        };
        let is_changed = std::mem::take(&mut turn.is_changed);
        turn.due = Instant::now() + if is_changed { Duration::ZERO } else { wait };
    }
}

/// Waits until an issuer is due; None: it is time to stop.
fn next(shared: &Shared) -> Option<Arc<IssuerCrl>> {
    let mut state = shared.state();
    loop {
        if state.is_stopping {
            return None;
        }
        let now = Instant::now();
        let first = state.turns.iter_mut().min_by_key(|turn| turn.due);
        let wait = match first {
            Some(turn) if turn.due <= now => {
                turn.is_changed = false;
                return Some(Arc::clone(&turn.crl));
            }
            Some(turn) => Some(turn.due - now),
            None => None,
        };
        state = match wait {
            Some(wait) => shared.bell.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

enum Done {
    /// What is kept was loaded, and is new enough for so long.
    Wait(Duration),
    Fetched,
    Failed,
}

fn work(crl: &IssuerCrl, fetcher: &Fetcher, now_s: i64) -> Done {
    if !crl.is_loaded() {
        crl.load(now_s);
        // A restart asks nobody, if the last round is not longer ago than rounds are apart.
        let left = crl.age_s(now_s).and_then(|age_s| wait_after(crl, 0, now_s).checked_sub(Duration::from_secs(age_s)));
        if let Some(left) = left.filter(|_| !crl.report().is_stale(now_s)) {
            return Done::Wait(left);
        }
    }
    // The words of it are in its report.
    if crl.fetch(fetcher, now_s).is_ok() { Done::Fetched } else { Done::Failed }
}

fn wait_after(crl: &IssuerCrl, failures: u32, now_s: i64) -> Duration {
    let held = crl.held();
    let newest = held.delta.as_ref().or(held.complete.as_ref());
    let next_update_s = newest.and_then(|verified| verified.crl.header.next_update).map(|time| time.seconds);
    let left_s = next_update_s.and_then(|next_update_s| u64::try_from(next_update_s.saturating_sub(now_s)).ok());
    let mut octet = [0];
    // Without randomness servers only ask at the same moment.
    aws_lc_rs::rand::fill(&mut octet).ok();
    let [octet] = octet;
    jittered(wait_s(u64::from(crl.settings().interval_s), failures, left_s), octet)
}

/// Seconds until the next round. After a failure they double from round to round, up to the interval; before a nextUpdate
/// that comes sooner than the interval's end, half of what is left.
fn wait_s(interval_s: u64, failures: u32, left_s: Option<u64>) -> u64 {
    let first_s = FIRST_RETRY_S.min(interval_s);
    match failures.checked_sub(1) {
        Some(doublings) => first_s.saturating_mul(1 << doublings.min(20)).min(interval_s),
        None => left_s.map_or(interval_s, |left_s| interval_s.min((left_s / 2).max(first_s))),
    }
}

/// Up to an eighth less, so that the servers of one database do not all ask at once.
fn jittered(wait_s: u64, octet: u8) -> Duration {
    let wait = Duration::from_secs(wait_s);
    wait - wait / 8 * u32::from(octet) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_interval_and_end_before_the_next_update() {
        assert_eq!(wait_s(3_600, 0, None), 3_600);
        assert_eq!(wait_s(3_600, 0, Some(600_000)), 3_600);
        assert_eq!(wait_s(3_600, 0, Some(600)), 300);
        assert_eq!(wait_s(3_600, 0, Some(1)), 15);
        let failures: Vec<u64> = (1..=10).map(|failures| wait_s(3_600, failures, Some(10))).collect();
        assert_eq!(failures, [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert_eq!((wait_s(5, 1, None), wait_s(5, u32::MAX, None)), (5, 5));
        assert_eq!(jittered(3_600, 0), Duration::from_secs(3_600));
        let shortest = jittered(3_600, 255);
        assert!(shortest > Duration::from_secs(3_150) && shortest < Duration::from_secs(3_160), "{shortest:?}");
    }
}

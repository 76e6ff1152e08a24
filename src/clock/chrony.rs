//! chronyd, asked through `chronyc -c -n tracking`.
//!
//! chronyd's own words for the fields: the "Reports" section of chronyc(1), `tracking`. The bound on the error is the
//! one that it gives there: |system time offset| + root delay / 2 + root dispersion.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::measure::{Measurement, Outcome, Unmeasured};
use super::{ClockFault, LeapKind, SourceFailure, Witness};

/// chronyd answers on the same machine within milliseconds; chronyc itself gives up after some seconds.
const TIME_LIMIT: Duration = Duration::from_millis(1_000);

/// `tracking` is about 150 octets.
const OUTPUT_LIMIT_BYTES: usize = 1_024;

/// The oldest measurement that still counts as synchronised, in seconds (EN 319 421 TIS-7.7: every 24 h).
const REFERENCE_LIMIT_S: u64 = 24 * 3_600;

/// A measurement may be dated this far ahead, and by the offset that chronyd knows of: it dates by the clock as it
/// corrects it.
const FUTURE_LIMIT_US: i64 = 1_000_000;

/// The reference identifier by which chronyd names its own clock (127.127.1.1).
const LOCAL_REFERENCE: &str = "7F7F0101";

const FIELDS: usize = 14;

const NS_PER_US: i64 = 1_000;
const NS_PER_S: i64 = 1_000_000_000;

/// How to reach chronyc.
#[derive(Clone, Debug)]
pub(super) struct Chronyc<'a> {
    pub(super) command: &'a Path,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// What chronyd says of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tracking {
    synchronised: bool,
    local: bool,
    leap: Option<LeapKind>,
    /// When the last measurement was, in nanoseconds since 1970; 0 if there was none.
    reference_ns: i64,
    offset_ns: i64,
    root_delay_ns: i64,
    root_dispersion_ns: i64,
}

impl Chronyc<'_> {
    /// Asks, and says by how much the clock may be wrong. With the offset that was seen, in microseconds.
    pub(super) fn measure(&self, unix_us: i64) -> (Outcome, Option<i64>) {
        match self.tracking() {
            Ok(tracking) => (tracking.outcome(unix_us), Some(tracking.offset_ns / NS_PER_US)),
            Err(failure) => (Err(Unmeasured::Silent(failure)), None),
        }
    }

    /// Runs chronyc and reads its answer.
    pub(super) fn tracking(&self) -> Result<Tracking, SourceFailure> {
        let mut command = Command::new(self.command);
        // -n: no reverse lookups, which could hang. C: no other language in the answer.
        command.args(["-c", "-n"]).env("LC_ALL", "C");
        if let Some(host) = self.host {
            command.args(["-h", host]);
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        command.arg("tracking");
        Tracking::parse(&run(&mut command)?)
    }
}

/// Runs a command within the limits of time and output and gives what it wrote.
fn run(command: &mut Command) -> Result<String, SourceFailure> {
    let not_run = |error: std::io::Error| SourceFailure::CommandNotRun { kind: error.kind() };
    // A socket rather than a pipe: reading it can be given a time limit, whoever holds the other end.
    let (mut ours, theirs) = UnixStream::pair().map_err(not_run)?;
    let deadline = Instant::now() + TIME_LIMIT;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_run)?;
    // The command holds its end of the socket until it is overwritten; without this the end would never be seen.
    command.stdout(Stdio::null());
    let output = read_to_end(&mut ours, deadline);
    let ended = end(&mut child, if output.is_ok() { deadline } else { Instant::now() });
    let output = output?;
    if !ended? {
        return Err(SourceFailure::CommandFailed);
    }
    String::from_utf8(output).map_err(|_| SourceFailure::OutputMalformed { field: "text" })
}

const fn timed_out() -> SourceFailure {
    // 1000 ms; `as_millis` gives u128, which no constant conversion takes.
    SourceFailure::CommandTimedOut { limit_ms: TIME_LIMIT.as_secs() * 1_000 }
}

fn read_to_end(from: &mut UnixStream, deadline: Instant) -> Result<Vec<u8>, SourceFailure> {
    let mut output = Vec::new();
    let mut piece = [0; OUTPUT_LIMIT_BYTES];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out());
        }
        from.set_read_timeout(Some(left)).map_err(|error| SourceFailure::CommandNotRun { kind: error.kind() })?;
        match from.read(&mut piece) {
            Ok(0) => return Ok(output),
            Ok(length) => output.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(timed_out());
            }
            // The child's death with something unread in its end.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(output),
            Err(error) => return Err(SourceFailure::CommandNotRun { kind: error.kind() }),
        }
        if output.len() > OUTPUT_LIMIT_BYTES {
            return Err(SourceFailure::OutputTooLong { limit_bytes: OUTPUT_LIMIT_BYTES });
        }
    }
}

/// Waits for the child until the deadline, ends it then, and says whether it ended well.
fn end(child: &mut Child, deadline: Instant) -> Result<bool, SourceFailure> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) => {
                // An error here means that it has just ended by itself; `wait` reaps it either way.
                let _ = child.kill();
                let _ = child.wait();
                return Err(timed_out());
            }
            Err(error) => return Err(SourceFailure::CommandNotRun { kind: error.kind() }),
        }
    }
}

impl Tracking {
    /// Reads the one line that `chronyc -c tracking` writes.
    pub(super) fn parse(output: &str) -> Result<Self, SourceFailure> {
        let malformed = |field| SourceFailure::OutputMalformed { field };
        let line = output.strip_suffix('\n').unwrap_or(output);
        let fields: Vec<&str> = line.splitn(FIELDS + 1, ',').collect();
        let fields: [&str; FIELDS] = fields.try_into().map_err(|_| malformed("set of 14 fields"))?;
        let [
            reference,
            _name,
            stratum,
            reference_time,
            offset,
            _last_offset,
            _rms_offset,
            _frequency,
            _residual,
            _skew,
            root_delay,
            root_dispersion,
            _update_interval,
            leap_status,
        ] = fields;
        if reference.len() != 8 || !reference.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(malformed("reference ID"));
        }
        let stratum: u8 = stratum.parse().map_err(|_| malformed("stratum"))?;
        let (synchronised, leap) = match leap_status {
            "Normal" => (true, None),
            "Insert second" => (true, Some(LeapKind::Insert)),
            "Delete second" => (true, Some(LeapKind::Delete)),
            "Not synchronised" => (false, None),
            _ => return Err(malformed("leap status")),
        };
        let not_negative = |text, field| decimal_ns(text).filter(|ns| *ns >= 0).ok_or(malformed(field));
        Ok(Self {
            // Stratum 0 is a reference clock itself, which chronyd never is; it writes 0 before its first measurement.
            synchronised: synchronised && (1..16).contains(&stratum),
            local: reference.eq_ignore_ascii_case(LOCAL_REFERENCE),
            leap,
            reference_ns: not_negative(reference_time, "reference time")?,
            offset_ns: decimal_ns(offset).ok_or(malformed("system time offset"))?,
            root_delay_ns: not_negative(root_delay, "root delay")?,
            root_dispersion_ns: not_negative(root_dispersion, "root dispersion")?,
        })
    }

    /// What this says of the clock, which stands at `unix_us`.
    pub(super) fn outcome(&self, unix_us: i64) -> Outcome {
        if !self.synchronised {
            return Err(Unmeasured::Bad(ClockFault::Unsynchronised { witness: Witness::Chronyd }));
        }
        if self.local {
            return Err(Unmeasured::Bad(ClockFault::Unsynchronised { witness: Witness::ChronydLocal }));
        }
        let age_us = unix_us.saturating_sub(self.reference_ns / NS_PER_US);
        // A measurement from the future: the clock was set back since, and chronyd has not noticed.
        let ahead_us = age_us.saturating_neg();
        let offset_us = self.offset_ns.saturating_abs() / NS_PER_US;
        if ahead_us > FUTURE_LIMIT_US.saturating_add(offset_us) {
            return Err(Unmeasured::Bad(ClockFault::Stepped { by_us: age_us }));
        }
        let age_s = age_us.unsigned_abs() / 1_000_000;
        if age_us.unsigned_abs() > REFERENCE_LIMIT_S * 1_000_000 {
            return Err(Unmeasured::Bad(ClockFault::SourceStale {
                witness: Witness::Chronyd,
                age_s,
                limit_s: REFERENCE_LIMIT_S,
            }));
        }
        let half_delay_ns = self.root_delay_ns.unsigned_abs().div_ceil(2);
        let error_ns = self
            .offset_ns
            .unsigned_abs()
            .saturating_add(half_delay_ns)
            .saturating_add(self.root_dispersion_ns.unsigned_abs());
        Ok(Measurement {
            error_us: error_ns.div_ceil(NS_PER_US.unsigned_abs()),
            floor_us: 0,
            leap: self.leap,
            evidence: Some(self.reference_ns),
        })
    }
}

/// A decimal number of seconds as nanoseconds, truncated; None if it is anything else or does not fit.
fn decimal_ns(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let mut fraction_ns: i64 = 0;
    let mut unit_ns = NS_PER_S;
    for digit in fraction.bytes().take(9) {
        unit_ns /= 10;
        fraction_ns += i64::from(digit - b'0') * unit_ns;
    }
    let ns = whole.checked_mul(NS_PER_S)?.checked_add(fraction_ns)?;
    Some(if negative { -ns } else { ns })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written by chronyc 4.3 for a chronyd that follows a server with `offset 2.5`.
    const FOLLOWING: &str = "7F000001,127.0.0.1,2,1795468021.750251856,2.499998808,0.000000002,0.000000012,0.043,0.003,\
                             0.241,0.000002564,0.000000372,0.0,Normal\n";
    const NOW_US: i64 = 1_795_468_030_000_000;

    #[test]
    fn the_bound_is_offset_half_delay_and_dispersion() {
        let tracking = Tracking::parse(FOLLOWING).unwrap();
        assert_eq!(tracking.reference_ns, 1_795_468_021_750_251_856);
        assert_eq!(
            tracking.outcome(NOW_US),
            // 2,499,998.808 + 1.282 + 0.372 µs, rounded up.
            Ok(Measurement { error_us: 2_500_001, floor_us: 0, leap: None, evidence: Some(1_795_468_021_750_251_856) })
        );
        let behind = Tracking::parse(&FOLLOWING.replace(",2.499998808", ",-2.499998808")).unwrap();
        assert_eq!(behind.outcome(NOW_US).unwrap().error_us, 2_500_001);
    }

    #[test]
    fn a_chronyd_that_does_not_know_the_time_is_not_believed() {
        let outcome = |from: &str, to: &str| {
            let changed = FOLLOWING.replacen(from, to, 1);
            assert_ne!(changed, FOLLOWING);
            Tracking::parse(&changed).unwrap().outcome(NOW_US)
        };
        let unsynchronised = |witness| Err(Unmeasured::Bad(ClockFault::Unsynchronised { witness }));
        assert_eq!(outcome("Normal", "Not synchronised"), unsynchronised(Witness::Chronyd));
        assert_eq!(outcome(".1,2,", ".1,0,"), unsynchronised(Witness::Chronyd));
        assert_eq!(outcome(".1,2,", ".1,16,"), unsynchronised(Witness::Chronyd));
        assert_eq!(outcome("7F000001", "7F7F0101"), unsynchronised(Witness::ChronydLocal));
        assert!(matches!(
            outcome("1795468021", "1795381629"),
            Err(Unmeasured::Bad(ClockFault::SourceStale { age_s: 86_400.., .. }))
        ));
        assert!(matches!(
            outcome("1795468021", "1795468041"),
            Err(Unmeasured::Bad(ClockFault::Stepped { by_us: ..-11_000_000 }))
        ));
        assert_eq!(outcome("Normal", "Insert second").unwrap().leap, Some(LeapKind::Insert));
        assert_eq!(outcome("Normal", "Delete second").unwrap().leap, Some(LeapKind::Delete));
    }

    #[test]
    fn each_malformed_field_is_named() {
        let failure = |from: &str, to: &str| {
            let changed = FOLLOWING.replacen(from, to, 1);
            assert_ne!(changed, FOLLOWING);
            match Tracking::parse(&changed) {
                Err(SourceFailure::OutputMalformed { field }) => field,
                other => panic!("{to:?} gave {other:?}"),
            }
        };
        assert_eq!(failure("7F000001", "7F00001"), "reference ID");
        assert_eq!(failure("7F000001", "7F00000G"), "reference ID");
        assert_eq!(failure(".1,2,", ".1,256,"), "stratum");
        assert_eq!(failure("1795468021.75", "-1795468021.75"), "reference time");
        assert_eq!(failure(",2.499998808", ",nan"), "system time offset");
        assert_eq!(failure(",2.499998808", ",inf"), "system time offset");
        assert_eq!(failure(",2.499998808", ",2e9"), "system time offset");
        assert_eq!(failure(",2.499998808", ",99999999999"), "system time offset");
        assert_eq!(failure("0.000002564", "-0.000002564"), "root delay");
        assert_eq!(failure("0.000000372", ""), "root dispersion");
        assert_eq!(failure("Normal", "normal"), "leap status");
        assert_eq!(failure("0.0,Normal", "Normal"), "set of 14 fields");
        assert_eq!(failure("Normal", "Normal,"), "set of 14 fields");
        assert_eq!(failure("Normal\n", "Normal\nNormal\n"), "leap status");
        assert!(Tracking::parse("506 Cannot talk to daemon\n").is_err());
        assert!(Tracking::parse("").is_err());
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal_ns("-0.000000001"), Some(-1));
        assert_eq!(decimal_ns("12"), Some(12_000_000_000));
        assert_eq!(decimal_ns("0.9999999999"), Some(999_999_999));
        for wrong in ["", "-", ".", "1.", ".5", "+1", "--1", "1.-5", " 1", "1,0", "0x1", "9223372037"] {
            assert_eq!(decimal_ns(wrong), None, "{wrong:?}");
        }
    }

    fn sh(script: &str) -> Result<String, SourceFailure> {
        run(Command::new("/bin/sh").args(["-c", script]))
    }

    #[test]
    fn a_command_is_bounded_in_time_and_output() {
        assert_eq!(sh("echo one; echo two"), Ok("one\ntwo\n".to_owned()));
        assert_eq!(sh("echo no; exit 1"), Err(SourceFailure::CommandFailed));
        assert_eq!(sh("exec cat /dev/zero"), Err(SourceFailure::OutputTooLong { limit_bytes: OUTPUT_LIMIT_BYTES }));
        assert_eq!(sh("printf '\\377'"), Err(SourceFailure::OutputMalformed { field: "text" }));
        assert!(matches!(
            run(&mut Command::new("/nonexistent/chronyc")),
            Err(SourceFailure::CommandNotRun { kind: ErrorKind::NotFound })
        ));
        let started = Instant::now();
        // The grandchild keeps the output open; its parent closes its own and stays.
        assert_eq!(sh("sleep 3 & wait"), Err(SourceFailure::CommandTimedOut { limit_ms: 1_000 }));
        assert_eq!(sh("exec >&-; exec sleep 3"), Err(SourceFailure::CommandTimedOut { limit_ms: 1_000 }));
        assert!(started.elapsed() < Duration::from_millis(2_900));
    }

    proptest! {
        /// Mutations of a true answer are read or refused, and what is read never claims a negative bound or panics.
        #[test]
        fn a_mutated_answer_never_panics(
            changes in prop::collection::vec((0_usize..200, prop::sample::select(b"0129,.-+eENaninf \n\0x\xff".to_vec())), 0..6),
            cut in 0_usize..200,
            unix_us: i64,
        ) {
            let mut bytes = FOLLOWING.as_bytes().to_vec();
            for (at, octet) in changes {
                let at = at % bytes.len();
                bytes[at] = octet;
            }
            if cut % 3 == 0 {
                bytes.truncate(cut);
            }
            if let Ok(tracking) = Tracking::parse(&String::from_utf8_lossy(&bytes))
                && let Ok(measurement) = tracking.outcome(unix_us)
            {
                prop_assert!(measurement.error_us >= tracking.offset_ns.unsigned_abs() / 1_000);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = Tracking::parse(&text);
        }
    }
}

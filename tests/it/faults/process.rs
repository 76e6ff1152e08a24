//! The process itself: killed, watched by strace, stopped, started twice.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use super::proof::Ledger;
use super::{PATIENCE, ask, installation, wait_for_end};
use crate::support::load::{Ending, Load};
use crate::support::server::Server;
use crate::support::timestamp::{Outcome, Request};

pub(super) fn killed() -> Result<(), Failed> {
    const ROUNDS: usize = 3;
    let installation = installation(&[]);
    let mut held = Vec::new();
    for _ in 0..ROUNDS {
        let server = installation.serve();
        let load = Load::start(server.port, 8);
        load.wait_for(150, PATIENCE);
        server.kill();
        let tally = load.end();
        assert!(tally.refused.is_empty() && tally.other_statuses.is_empty(), "{:?}", tally.refused);
        held.extend(tally.granted);
    }
    let server = installation.serve();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    let ledger = Ledger::read(installation.directory());
    ledger.assert_holds(&held);
    assert_eq!(ledger.count_of("ended-without-stopping"), ROUNDS, "{:?}", ledger.events);
    assert_eq!(ledger.count_of("server-started"), ROUNDS + 1);
    installation.run(&["audit", "verify"]);
    assert!(server.stop());
    // After a stop there is no such event.
    let server = installation.serve();
    assert_eq!(Ledger::read(installation.directory()).count_of("ended-without-stopping"), ROUNDS);
    drop(server);
    Ok(())
}

/// Whether strace is there and may look at a child.
pub(super) fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    traced.is_ok_and(|status| status.success())
}

/// `kill -9` leaves the page cache, so that only the system calls show what a loss of power would.
pub(super) fn synced_before_the_answer() -> Result<(), Failed> {
    let installation = installation(&[]);
    let server = installation.serve();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    let trace = installation.directory().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-yy", "-s", "64", "-e", "trace=fdatasync,fsync,write,writev,sendto,sendmsg,pwrite64,pwritev"])
        .args(["-p", &server.pid().to_string(), "-o"])
        .arg(&trace)
        .stderr(Stdio::null())
        .spawn()?;
    wait_until_traced(&server);
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    // SIGINT lets the traced process go on without it.
    assert!(Command::new("kill").args(["-INT", &strace.id().to_string()]).status()?.success());
    strace.wait()?;
    let text = std::fs::read_to_string(&trace)?;
    let calls = Calls::read(&text);
    let answer = calls.first_answer.unwrap_or_else(|| panic!("no answer in\n{text}"));
    let written = calls.wal_written.iter().rfind(|line| **line < answer);
    let written = written.unwrap_or_else(|| panic!("no write to the WAL before the answer in\n{text}"));
    assert!(
        calls.wal_synced.iter().any(|(begun, done)| begun > written && *done < answer),
        "the WAL was not synced between its last write and the answer:\n{text}"
    );
    Ok(())
}

fn wait_until_traced(server: &Server) {
    let tasks = format!("/proc/{}/task", server.pid());
    let traced = |task: &Path| {
        std::fs::read_to_string(task.join("status")).is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
    };
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_dir(&tasks).unwrap().flatten().all(|task| traced(&task.path())) {
        assert!(Instant::now() < deadline, "strace does not attach");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The lines of a trace that matter.
#[derive(Default)]
struct Calls {
    /// Where a write to the WAL has returned.
    wal_written: Vec<usize>,
    /// Where a sync of the WAL began, and where it has returned 0.
    wal_synced: Vec<(usize, usize)>,
    /// Where the first HTTP answer begins to be written.
    first_answer: Option<usize>,
}

impl Calls {
    /// Reads `PID CALL(…) = RESULT`; another thread's call in between cuts one into `CALL(… <unfinished ...>` and
    /// `<... CALL resumed>…`.
    fn read(text: &str) -> Self {
        let mut calls = Self::default();
        let mut unfinished = std::collections::HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            if call.contains("HTTP/1.1 200") {
                calls.first_answer.get_or_insert(number);
            }
            if call.ends_with("<unfinished ...>") {
                unfinished.insert(thread, (number, call));
                continue;
            }
            let (begun, whole) = match call.strip_prefix("<... ") {
                Some(_) => unfinished.remove(thread).unwrap_or((number, call)),
                None => (number, call),
            };
            if !whole.contains("noonmark.db-wal>") {
                continue;
            }
            if whole.starts_with("pwrite") || whole.starts_with("write") {
                calls.wal_written.push(number);
            } else if (whole.starts_with("fdatasync") || whole.starts_with("fsync")) && call.ends_with("= 0") {
                calls.wal_synced.push((begun, number));
            }
        }
        calls
    }
}

pub(super) fn graceful_stop() -> Result<(), Failed> {
    let installation = installation(&[]);
    let server = installation.serve();
    let load = Load::start(server.port, 16);
    load.wait_for(200, PATIENCE);
    // A client that keeps its connection and says nothing must not hold the stop up.
    let idle = server.connect();
    let signalled = Instant::now();
    assert!(server.stop(), "the server did not end with 0");
    let stopping = signalled.elapsed();
    let tally = load.end();
    drop(idle);
    let lost = tally.unanswered.iter().filter(|sent| **sent < signalled).count();
    assert_eq!(lost, 0, "requests sent before the signal got no answer");
    assert!(
        tally.refused.is_empty() && tally.other_statuses.is_empty(),
        "{:?} {:?}",
        tally.refused,
        tally.other_statuses
    );
    assert!(stopping < Duration::from_secs(8), "the stop took {stopping:?}");
    let ledger = Ledger::read(installation.directory());
    ledger.assert_holds(&tally.granted);
    // What was recorded was answered: at most one request a client crossed the connection's end.
    assert_eq!(ledger.count_of("server-stopped"), 1);
    assert_eq!(ledger.count(), tally.granted.len(), "tokens on record that nobody got");
    Ok(())
}

pub(super) fn second_server() -> Result<(), Failed> {
    let installation = installation(&[]);
    let server = installation.serve();
    let mut second = installation.spawn(&[]);
    wait_for_end(&mut second);
    assert!(second.log().contains("another `noonmark serve` works on this installation"), "{}", second.log());
    let mut client = crate::support::load::Client::new(server.port, "/tsa");
    assert!(matches!(client.ask(&Request::over(b"x").to_der()), Ending::Answered(response) if response.status == 200));
    Ok(())
}

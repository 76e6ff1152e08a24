//! PostgreSQL: killed, not durable, shared by two servers.

use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Failed;
use noonmark::asn1::FailureBit;

use super::proof::{Ledger, assert_signed_by, unit_certificate};
use super::{PATIENCE, ask, assert_refuses, installation, tier, wait_for_reason};
use crate::support::load::{Client, Ending, Load};
use crate::support::postgres::Cluster;
use crate::support::server::{Installation, Server, program, text};
use crate::support::timestamp::{Outcome, Request, token};

pub(super) fn killed_and_restarted() -> Result<(), Failed> {
    let mut cluster = Cluster::start();
    let installation = installation(&["--database", &cluster.url()]);
    let server = installation.serve();
    let load = Load::start(server.port, 8);
    for _ in 0..2 {
        load.wait_for(100, PATIENCE);
        cluster.kill();
        wait_for_reason(&server, "ledger", "");
        assert_refuses(&server, FailureBit::SystemFailure);
        cluster.restart();
        server.wait_until_ready(PATIENCE);
    }
    load.wait_for(100, PATIENCE);
    let tally = load.end();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    tally.assert_only_system_failures();
    Ledger::read(installation.directory()).assert_holds(&tally.granted);
    let serial = hex::encode(&tally.granted.last().ok_or("none granted")?.serial);
    let found = installation.run(&["audit", "find", "--serial", &serial]);
    assert!(found.contains(&serial), "{found}");
    installation.run(&["audit", "verify"]);
    Ok(())
}

pub(super) fn not_durable() -> Result<(), Failed> {
    let mut cluster = Cluster::start_with(&["fsync=off"]);
    for setting in ["fsync", "synchronous_commit"] {
        if setting != "fsync" {
            cluster.restart_with(&[&format!("{setting}=off")]);
        }
        let home = tempfile::tempdir()?;
        let directory = home.path().join("var");
        let output = Command::new(program())
            .args(["init", "--clock", "system", "--database", &cluster.url(), "--dir"])
            .arg(&directory)
            .args(tier())
            .output()?;
        assert!(!output.status.success(), "init with {setting} = off");
        assert!(text(&output).contains(&format!("{setting} = off")), "{}", text(&output));
        assert_eq!(std::fs::read_dir(home.path())?.count(), 0, "a refused init leaves something behind");
    }
    // A server that runs when the database comes back otherwise does not write to it.
    cluster.restart();
    let installation = installation(&["--database", &cluster.url()]);
    let server = installation.serve();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    cluster.restart_with(&["fsync=off"]);
    wait_for_reason(&server, "ledger", "fsync = off");
    assert_refuses(&server, FailureBit::SystemFailure);
    cluster.restart();
    server.wait_until_ready(PATIENCE);
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    Ok(())
}

/// Two servers on one database and one SoftHSM, with the profiles `default` and `ordered`.
struct Pair {
    // Dropped in this order: servers first, the database last.
    servers: [Server; 2],
    first: Installation,
    _second: Installation,
    _cluster: Cluster,
}

const ORDERED: &str = "/tsa/ordered";

impl Pair {
    fn start() -> Self {
        let cluster = Cluster::start();
        let first = Installation::new(&["--database", &cluster.url()]);
        first.configure("[tsa.ordered]\npolicies = [\"1.2.3.4\"]\nordering = true\nprecision_digits = 6\n");
        first.run(&["key", "rotate", "--profile", "ordered"]);
        // Its start writes the profiles to the store, from where the second has them.
        let one = first.serve();
        let pin = first.directory().join("secrets/service.pin");
        let service = format!("service=noonmark-service:{}", pin.display());
        // The token is where the operator's environment says, and `init` writes that down.
        let configuration = first.directory().join("softhsm2.conf").display().to_string();
        let second = Installation::with_environment(
            &["--join", "--database", &cluster.url(), "--use-token", &service],
            &[("SOFTHSM2_CONF", &configuration)],
        );
        let two = second.serve();
        Self { servers: [one, two], first, _second: second, _cluster: cluster }
    }
}

pub(super) fn two_servers() -> Result<(), Failed> {
    const TOKENS: usize = 20_000;
    let pair = Pair::start();
    let loads = pair.servers.each_ref().map(|server| Load::start(server.port, 24));
    let deadline = std::time::Instant::now() + Duration::from_secs(300);
    while loads.iter().map(Load::granted).sum::<usize>() < TOKENS {
        assert!(std::time::Instant::now() < deadline, "{:?}", loads.each_ref().map(Load::granted));
        std::thread::sleep(Duration::from_millis(20));
    }
    let certificate = unit_certificate(&pair.servers[0]);
    let mut held = Vec::new();
    for load in loads {
        let tally = load.end();
        assert!(tally.granted.len() > TOKENS / 10, "one server gave only {}", tally.granted.len());
        assert!(tally.refused.is_empty() && tally.other_statuses.is_empty() && tally.unanswered.is_empty());
        // Both sign with the same key; some of each are enough to tell.
        assert_signed_by(&certificate, &tally.granted[..50]);
        held.extend(tally.granted);
    }
    assert!(held.len() >= TOKENS);
    let ledger = Ledger::read(pair.first.directory());
    ledger.assert_holds(&held);
    assert_eq!(ledger.count(), held.len(), "what is on record and what was given");
    Ok(())
}

pub(super) fn two_servers_ordered() -> Result<(), Failed> {
    let pair = Pair::start();
    let request = Request::over(b"ordered").to_der();
    let mut clients = pair.servers.each_ref().map(|server| Client::new(server.port, ORDERED));
    let mut last_us = 0;
    for round in 0..300 {
        let asked = std::time::Instant::now();
        let response = match clients[round % 2].ask(&request) {
            Ending::Answered(response) => response,
            other => panic!("round {round}: {other:?} after {:?}", asked.elapsed()),
        };
        let read = token(&response.body);
        assert!(read.ordering);
        assert!(read.gen_time_us > last_us, "round {round}: {} after {last_us}", read.gen_time_us);
        last_us = read.gen_time_us;
    }
    // Asked in parallel, no two tokens of the profile have the same time.
    let loads = pair.servers.each_ref().map(|server| Load::start_at(server.port, ORDERED, 8));
    loads.iter().for_each(|load| load.wait_for(300, PATIENCE));
    let mut times = HashSet::new();
    let mut held = Vec::new();
    for load in loads {
        let tally = load.end();
        assert!(tally.refused.is_empty() && tally.unanswered.is_empty(), "{:?}", tally.refused);
        held.extend(tally.granted);
    }
    for token in &held {
        assert!(token.gen_time_us > last_us, "earlier than an answer that was there before");
        assert!(times.insert(token.gen_time_us), "two tokens of {}", token.gen_time_us);
    }
    Ledger::read(pair.first.directory()).assert_holds(&held);
    Ok(())
}

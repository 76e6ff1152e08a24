//! Publishing that is killed at each of its steps, and two that publish at once.

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use noonmark::app::Installation as Opened;
use noonmark::app::lifecycle::Steward;
use noonmark::crls::Step;
use noonmark::store::{Store, StoreOptions, StoreUrl};

use super::{fetch, until};
use crate::support::postgres::{self, Cluster};
use crate::support::records;
use crate::support::server::Installation;

/// Says, in a process of this very program, where to publish and at which step to die.
const VARIABLE: &str = "NOONMARK_TRIAL_PUBLISH";
const ROOT_CRL: &str = "/crl/root.crl";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("crls::killed_at_each_step", killed_at_each_step),
        Trial::test("crls::two_publish_at_once", two_publish_at_once).with_ignored_flag(!postgres::available()),
    ]
}

/// The steps by name.
fn name(step: Step) -> &'static str {
    match step {
        Step::Numbered(_) => "numbered",
        Step::Read(_) => "read",
        Step::Linted => "linted",
        Step::Signed => "signed",
        Step::Staged => "staged",
        Step::Stored(_) => "stored",
        Step::Published => "published",
    }
}

/// In a child: publishes the root's CRL, and dies by SIGKILL at a step.
pub fn enter() -> Option<ExitCode> {
    let text = std::env::var(VARIABLE).ok()?;
    let (step, directory) = text.split_once(':').unwrap();
    let installation = Opened::open(directory.as_ref()).unwrap();
    let steward = Steward::new(&installation, "trial").unwrap();
    let rows = steward.publish_crls("root", false, &|at| {
        if name(at) == step {
            let pid = std::process::id().to_string();
            Command::new("kill").args(["-KILL", &pid]).status().unwrap();
            unreachable!("killed");
        }
    });
    Some(match rows {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn publisher(installation: &Installation, step: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(VARIABLE, format!("{step}:{}", installation.directory().display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The old one or the new one is served, whole, at every moment; no number is used twice.
fn killed_at_each_step() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    until("served", Duration::from_secs(5), || server.get(ROOT_CRL).status == 200);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut looks, mut last) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                // Read to its end: one that is cut or mixed does not parse, and its ETag is its SHA-256.
                let response = server.get(ROOT_CRL);
                let tag = format!("\"{}\"", hex::encode(noonmark::crypto::sha256(&response.body)));
                assert_eq!(response.header("etag"), Some(tag.as_str()));
                let number = super::read(response.body).number();
                assert!(number >= last, "{number} after {last}");
                (looks, last) = (looks + 1, number);
            }
            looks
        });
        for step in ["numbered", "read", "linted", "signed", "staged", "stored", "published"] {
            let before = fetch(&server, ROOT_CRL);
            let output = publisher(&installation, step).output().unwrap();
            assert_eq!(output.status.code(), None, "it dies at {step}: {output:?}");
            if step == "published" {
                until("the new one is served", Duration::from_secs(2), || {
                    fetch(&server, ROOT_CRL).number() > before.number()
                });
            } else {
                std::thread::sleep(Duration::from_millis(300));
                assert_eq!(fetch(&server, ROOT_CRL).octets, before.octets, "the old one stands after {step}");
            }
            // The next one goes through, with a number of its own.
            let output = publisher(&installation, "never").output().unwrap();
            assert!(output.status.success(), "after {step}: {output:?}");
            until("the next one is served", Duration::from_secs(2), || {
                fetch(&server, ROOT_CRL).number() >= before.number() + 2
            });
        }
        over.store(true, Ordering::Relaxed);
        assert!(watcher.join().unwrap() > 50);
    });
    let mut numbers: Vec<i64> = published(&records::store(&installation));
    // The first by init, then two at each step, of which the killed one is published only at the last.
    assert_eq!(numbers, [1, 3, 5, 7, 9, 11, 13, 14, 15]);
    numbers.dedup();
    assert_eq!(numbers.len(), 9);
    assert!(installation.run(&["audit", "verify"]).contains("whole"));
    Ok(())
}

/// The numbers of the root's CRLs in the ledger, in order.
fn published(store: &Store) -> Vec<i64> {
    let servers = store.servers().unwrap();
    let rows = servers.iter().flat_map(|server| store.ledger_rows(server.server_id, 0, 1_000_000).unwrap());
    let events = rows.filter(|row| row.kind == "crl-published");
    let details = events.map(|row| serde_json::from_str::<serde_json::Value>(&row.detail.unwrap()).unwrap());
    let of_root = details.filter(|event| event["issuer"] == "root");
    let mut numbers: Vec<i64> = of_root.map(|event| event["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Whoever was overtaken publishes nothing; the number that is served only rises.
fn two_publish_at_once() -> Result<(), Failed> {
    let cluster = Cluster::start();
    let installation = Installation::new(&["--tier", "software", "--database", &cluster.url()]);
    let server = installation.serve();
    until("served", Duration::from_secs(5), || server.get(ROOT_CRL).status == 200);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..8 {
        let both = [publisher(&installation, "never").spawn()?, publisher(&installation, "never").spawn()?];
        for child in both {
            let output = child.wait_with_output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() {
                done += 1;
            } else {
                assert!(said.contains("higher number"), "{said}");
                refused += 1;
            }
        }
    }
    assert!(done >= 8, "{done} done, {refused} refused");
    let store = Store::open(&StoreUrl::Postgres(cluster.url()), &StoreOptions::default())?;
    let numbers = published(&store);
    let mut once = numbers.clone();
    once.dedup();
    assert_eq!(numbers, once, "no number twice");
    assert_eq!(numbers.len(), done + 1);
    let last = u64::try_from(*numbers.last().unwrap())?;
    until("the last one is served", Duration::from_secs(2), || fetch(&server, ROOT_CRL).number() == last);
    Ok(())
}

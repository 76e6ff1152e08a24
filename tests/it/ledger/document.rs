//! docs/LEDGER.md's own Python, run on a small ledger.

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::Failed;
use noonmark::ledger::{Lane, Record};

use super::{event, start};
use crate::store::{Backend, Kind, token};

pub fn has_python() -> bool {
    Command::new("python3").args(["-c", "import sqlite3, hashlib"]).output().is_ok_and(|output| output.status.success())
}

/// The document's only Python block.
fn snippet() -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/LEDGER.md")).unwrap();
    let mut blocks = text.split("```python\n").skip(1);
    let block = blocks.next().expect("a Python block").split("```").next().unwrap().to_owned();
    assert!(blocks.next().is_none(), "one block");
    block
}

fn run(backend: &Backend) -> Output {
    Command::new("python3").args(["-c", &snippet()]).arg(backend.file()).output().unwrap()
}

pub fn python() -> Result<(), Failed> {
    let backend = Backend::fresh(Kind::Sqlite);
    let store = backend.store();
    let ledger = start(&store);
    ledger.record_event(event(1))?;
    for n in 0..8 {
        let mut record = token(n);
        if n == 3 {
            let kept = vec![3; 700];
            record.token_sha256 = noonmark::crypto::DigestAlgorithm::Sha256.digest(&kept).as_ref().try_into()?;
            record.token = Some(kept);
        }
        ledger.submit(Lane::Interactive, Record::Token(record), Box::new(|_| {}))?;
    }
    ledger.stop();
    let said = |output: &Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let output = run(&backend);
    assert!(output.status.success(), "{}", said(&output));
    let end = hex::encode(store.servers()?[0].end.hash);
    assert_eq!(said(&output).trim(), format!("server 1: 9 records, whole, end {end}"));

    for change in [
        "caller = 'x' WHERE number = 4",
        "token = x'00' WHERE number = 5",
        "previous_hash = zeroblob(32) WHERE number = 9",
    ] {
        let copy = Backend::fresh(Kind::Sqlite);
        backend.sql(&format!("VACUUM INTO '{}'", copy.file().display()));
        copy.sql(&format!("UPDATE ledger SET {change}"));
        let output = run(&copy);
        assert!(!output.status.success() && said(&output).contains("BROKEN"), "{change}: {}", said(&output));
    }
    Ok(())
}

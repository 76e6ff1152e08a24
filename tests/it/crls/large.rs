//! A CRL that is too large for memory: served from a file, kept over a restart, exchanged under a download.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::{COMPLETE, ask, fetch, until};
use crate::support::agent::Agent;
use crate::support::server::Installation;

/// Entries of some forty octets: three megabytes.
const ENTRIES: u32 = 80_000;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("crls::a_large_one_is_served_from_a_file", large),
        Trial::test("crls::expired_entries_leave_after_one_more", expired),
    ]
}

/// A file of statuses for `cert import`.
fn statuses(rows: impl Iterator<Item = (String, &'static str)>) -> String {
    let mut text = "serial,not_after,state,reason,revoked_at\n".to_owned();
    for (serial, not_after) in rows {
        text.push_str(&format!("{serial},{not_after},revoked,superseded,2026-01-02T03:04:05Z\n"));
    }
    text
}

fn import(installation: &Installation, text: &str) {
    let path = installation.directory().join("statuses.csv");
    std::fs::write(&path, text).unwrap();
    installation.run(&["cert", "import", "issuing", path.to_str().unwrap(), "--quiet"]);
}

fn large() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "0"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    import(&installation, &statuses((0..ENTRIES).map(|n| (format!("41{n:08x}{n:022x}"), "2099-01-01T00:00:00Z"))));
    until("it is served", Duration::from_secs(30), || fetch(&server, COMPLETE).crl.entries == u64::from(ENTRIES));
    let whole = server.get(COMPLETE).body;
    assert!(whole.len() > 2 << 20);
    for (first, last) in [(0, 0), (1 << 20, (1 << 20) + 300_000), (whole.len() - 5, whole.len() - 1)] {
        let part = ask(&server, "GET", COMPLETE, &[("Range", &format!("bytes={first}-{last}"))]);
        assert_eq!((part.status, part.body.as_slice()), (206, &whole[first..=last]));
    }
    // A client that reads slowly, while the CRL is replaced.
    let mut slow = server.connect();
    slow.write_all(b"GET /crl/issuing.crl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut begun = vec![0; 4_096];
    slow.read_exact(&mut begun)?;
    import(&installation, &statuses((0..3).map(|n| (format!("42{n:030x}"), "2099-01-01T00:00:00Z"))));
    until("the next one is served", Duration::from_secs(30), || {
        fetch(&server, COMPLETE).crl.entries == u64::from(ENTRIES) + 3
    });
    slow.read_to_end(&mut begun)?;
    assert!(begun.ends_with(&whole), "the old one, to its end");
    let cache = installation.directory().join("cache/crls");
    let files = || std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    // That of the complete one; the delta to it is small, and the one before is removed.
    until("one file is left", Duration::from_secs(5), || files().len() == 1);
    drop(_agent);
    assert!(server.stop());
    let kept = files();

    // A file that was damaged meanwhile is fetched again; one that is whole is not.
    let is_damaged = |path: &std::path::Path| std::fs::read(path).unwrap().ends_with(b"damage");
    let mut file = std::fs::OpenOptions::new().append(true).open(&kept[0])?;
    file.write_all(b"damage")?;
    let server = installation.serve();
    until("served again", Duration::from_secs(10), || {
        server.get(COMPLETE).status == 200 && fetch(&server, COMPLETE).crl.entries == u64::from(ENTRIES) + 3
    });
    assert!(!is_damaged(&kept[0]));
    Ok(())
}

/// RFC 5280 §3.3: an entry is on one CRL past its certificate's end, then it goes; or stays, where that is wanted.
fn expired() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "600"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let (ended, alive) = (format!("43{:030x}", 1), format!("43{:030x}", 2));
    let rows = [(ended.clone(), "2026-02-01T00:00:00Z"), (alive.clone(), "2099-01-01T00:00:00Z")];
    import(&installation, &statuses(rows.into_iter()));
    let publish = || {
        let before = fetch(&server, COMPLETE).number();
        installation.run(&["crl", "publish", "issuing"]);
        until("served", Duration::from_secs(2), || fetch(&server, COMPLETE).number() > before);
        let crl = fetch(&server, COMPLETE);
        (crl.find(&ended).is_some(), crl.find(&alive).is_some())
    };
    assert_eq!(publish(), (true, true), "a revocation that was on no CRL yet");
    assert_eq!(publish(), (true, true), "for an interval, so that whoever fetches by it sees it");
    let short = ["--crl-interval-seconds", "3", "--crl-delta-seconds", "0"];
    installation.run(&[&["issuer", "set", "issuing"], &short[..]].concat());
    until("it leaves after an interval", Duration::from_secs(20), || fetch(&server, COMPLETE).find(&ended).is_none());
    assert!(fetch(&server, COMPLETE).find(&alive).is_some());
    until("no delta is made or served any more", Duration::from_secs(10), || server.get(super::DELTA).status == 404);
    assert!(fetch(&server, COMPLETE).crl.extensions.freshest_crl.is_empty());
    installation.run(&["issuer", "set", "issuing", "--crl-keep-expired", "true"]);
    assert_eq!(publish(), (false, true), "what had left does not come back");
    let since = fetch(&server, COMPLETE).crl.extensions.expired_certs_on_crl.unwrap().seconds;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    assert!(i64::try_from(now)? - since < 60);
    Ok(())
}

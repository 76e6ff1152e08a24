//! What real clients make of the CRLs that are published: complete, with a delta, of a partition, empty.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::{COMPLETE, DELTA, fetch, until};
use crate::support::agent::{self, Agent};
use crate::support::clients::has_module;
use crate::support::crl_clients::{Client, Published, pkilint};
use crate::support::openssl_ca;
use crate::support::server::{Installation, Server};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("crls::real_clients_take_what_is_published", real_clients)
            .with_ignored_flag(!openssl_ca::available()),
        Trial::test("crls::pkilint_finds_nothing_in_what_is_published", linted)
            .with_ignored_flag(!openssl_ca::available() || !has_module("pkilint")),
    ]
}

/// A certificate for a TLS server, which every client here knows to check; its file and serial number.
fn leaf(installation: &Installation, name: &str) -> (PathBuf, String) {
    let names = ["--name", &format!("dns:{name}.example.com")];
    let file = agent::issue(installation, name, "tls-server", &format!("/CN={name}.example.com"), &names);
    // The file has the issuer's behind it.
    let serial = super::serial(installation, &format!("{name}.pem"));
    openssl_ca::openssl(
        installation.directory(),
        &["x509", "-in", &format!("{name}.pem"), "-out", &format!("{name}.leaf")],
    );
    (file.with_extension("leaf"), serial)
}

fn save(installation: &Installation, server: &Server, path: &str, name: &str) -> PathBuf {
    let file = installation.directory().join(name);
    std::fs::write(&file, fetch(server, path).octets).unwrap();
    file
}

fn real_clients() -> Result<(), Failed> {
    let installation = Installation::new(&["--tier", "software", "--public-url", "http://pki.noonmark.example"]);
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "600"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let clients: Vec<Client> = Client::ALL.into_iter().filter(|client| client.available()).collect();
    assert!(clients.contains(&Client::Openssl));
    let (root, issuer) = (installation.root(), installation.directory().join("certificates/issuing.pem"));
    let each = |crl: &Path, delta: Option<&Path>, good: &[&Path], revoked: &[&Path]| {
        for client in &clients {
            client.accepts(&Published { root: &root, issuer: &issuer, crl, delta, good, revoked });
        }
    };
    let (good, _) = leaf(&installation, "good");
    let (bad, bad_serial) = leaf(&installation, "bad");
    let (late, late_serial) = leaf(&installation, "late");
    let empty = save(&installation, &server, COMPLETE, "empty.crl");
    each(&empty, None, &[&good, &bad, &late], &[]);

    let revoke = |serial: &str| installation.run(&["cert", "revoke", "issuing", serial, "--reason", "keyCompromise"]);
    revoke(&bad_serial);
    installation.run(&["crl", "publish", "issuing"]);
    until("served", Duration::from_secs(2), || fetch(&server, COMPLETE).find(&bad_serial).is_some());
    let complete = save(&installation, &server, COMPLETE, "complete.crl");
    each(&complete, None, &[&good, &late], &[&bad]);

    revoke(&late_serial);
    until("in the delta", Duration::from_secs(5), || fetch(&server, DELTA).find(&late_serial).is_some());
    let delta = save(&installation, &server, DELTA, "delta.crl");
    assert_eq!(std::fs::read(&complete)?, fetch(&server, COMPLETE).octets, "the base is still the same");
    for client in clients.iter().filter(|client| client.takes_deltas()) {
        let published = Published {
            root: &root,
            issuer: &issuer,
            crl: &complete,
            delta: Some(&delta),
            good: &[&good],
            revoked: &[&bad, &late],
        };
        client.accepts(&published);
    }

    installation.run(&["issuer", "set", "issuing", "--crl-partitions", "1"]);
    until("the partition is there", Duration::from_secs(5), || server.get("/crl/issuing/1.crl").status == 200);
    let (good, _) = leaf(&installation, "good-1");
    let (bad, bad_serial) = leaf(&installation, "bad-1");
    revoke(&bad_serial);
    installation.run(&["crl", "publish", "issuing"]);
    until("listed", Duration::from_secs(5), || fetch(&server, "/crl/issuing/1.crl").find(&bad_serial).is_some());
    let partition = save(&installation, &server, "/crl/issuing/1.crl", "partition.crl");
    each(&partition, None, &[&good], &[&bad]);
    Ok(())
}

fn linted() -> Result<(), Failed> {
    let installation = Installation::new(&["--tier", "software", "--public-url", "http://pki.noonmark.example"]);
    installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "0", "--crl-names-delta", "true"]);
    let (server, _agent) = (installation.serve(), Agent::start(&installation));
    let (_, serial) = leaf(&installation, "bad");
    installation.run(&["issuer", "set", "issuing", "--crl-partitions", "1"]);
    let (_, partitioned) = leaf(&installation, "bad-1");
    for serial in [&serial, &partitioned] {
        installation.run(&["cert", "revoke", "issuing", serial, "--reason", "superseded"]);
    }
    until("published", Duration::from_secs(10), || {
        let complete = fetch(&server, COMPLETE);
        complete.crl.entries == 2 && !complete.crl.extensions.freshest_crl.is_empty()
    });
    until("the partition", Duration::from_secs(10), || {
        server.get("/crl/issuing/1.crl").status == 200 && fetch(&server, "/crl/issuing/1.crl").crl.entries == 1
    });
    for (path, is_arl) in [(COMPLETE, false), (DELTA, false), ("/crl/issuing/1.crl", false), ("/crl/root.crl", true)] {
        let found = pkilint(&save(&installation, &server, path, "linted.crl"), is_arl);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    Ok(())
}

//! What a running installation publishes, held by each client: complete, delta, partition, and the root's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crl::{Index, Reader};
use noonmark::ca::registry::parse_serial;

use crate::support::agent::{self, Agent};
use crate::support::crl_clients::{Client, Published};
use crate::support::openssl_ca::openssl;
use crate::support::server::{Installation, Server};

const COMPLETE: &str = "/crl/issuing.crl";
const DELTA: &str = "/crl/issuing/delta.crl";
const PARTITION: &str = "/crl/issuing/1.crl";

struct House {
    _agent: Agent,
    server: Server,
    installation: Installation,
}

impl House {
    fn new() -> Self {
        let installation = Installation::new(&["--tier", "software", "--public-url", "http://tsa.noonmark.example"]);
        installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "1"]);
        let server = installation.serve();
        Self { _agent: Agent::start(&installation), server, installation }
    }

    fn certificate(&self, name: &str) -> PathBuf {
        self.installation.directory().join(format!("certificates/{name}.pem"))
    }

    /// A TLS server's certificate, without its chain.
    fn issue(&self, name: &str) -> PathBuf {
        let host = format!("dns:{name}.example.com");
        agent::issue(&self.installation, name, "tls-server", "/", &["--name", &host]);
        let leaf = format!("{name}-leaf.pem");
        openssl(self.installation.directory(), &["x509", "-in", &format!("{name}.pem"), "-out", &leaf]);
        self.installation.directory().join(leaf)
    }

    /// Revokes a certificate and waits until each of these CRLs lists it.
    fn revoke(&self, leaf: &Path, paths: &[&str]) {
        let said =
            openssl(self.installation.directory(), &["x509", "-in", leaf.to_str().unwrap(), "-noout", "-serial"]);
        let serial = said.trim().trim_start_matches("serial=");
        self.installation.run(&["cert", "revoke", "issuing", serial, "--reason", "superseded"]);
        let serial = parse_serial(serial).unwrap();
        for path in paths {
            self.wait_for(path, |index| index.find(&serial).is_some());
        }
    }

    fn wait_for(&self, path: &str, is_so: impl Fn(&Index) -> bool) {
        let began = Instant::now();
        loop {
            let response = self.server.get(path);
            if response.status == 200 {
                let reader = Reader::from_slice(&response.body, 1_000, |_| {}).unwrap();
                if is_so(&Index::from_crl(reader).unwrap().0) {
                    return;
                }
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{path}: {}", response.status);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The CRL as it is served now, in a file.
    fn fetch(&self, path: &str) -> PathBuf {
        let file = self.installation.directory().join(path.trim_start_matches('/').replace('/', "-"));
        std::fs::write(&file, self.server.get(path).body).unwrap();
        file
    }
}

pub(super) fn taken(client: Client) {
    let house = House::new();
    let (root, issuer) = (house.installation.root(), house.certificate("issuing"));
    let (good, revoked) = (house.issue("good"), house.issue("revoked"));
    house.revoke(&revoked, &[COMPLETE]);
    let (good, revoked) = ([good.as_path()], [revoked.as_path()]);
    let complete = house.fetch(COMPLETE);
    let published =
        Published { root: &root, issuer: &issuer, crl: &complete, delta: None, good: &good, revoked: &revoked };
    client.accepts(&published);

    if client.takes_deltas() {
        // OpenSSL and pyHanko look for a delta only where the complete CRL names one.
        house.installation.run(&["issuer", "set", "issuing", "--crl-names-delta", "true"]);
        let before = house.issue("before");
        house.revoke(&before, &[COMPLETE]);
        let complete = house.fetch(COMPLETE);
        let published = Published { crl: &complete, ..published };
        if !client.can_do_without_delta() {
            // Why ours name none of themselves.
            client.refuses(&published);
        }
        // Another is revoked, and the complete CRL does not follow so soon.
        let later = house.issue("later");
        house.installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "3600"]);
        house.revoke(&later, &[DELTA]);
        let delta = house.fetch(DELTA);
        client.accepts(&Published { delta: Some(&delta), revoked: &[revoked[0], &before, &later], ..published });
        house.installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "1"]);
    }

    house.installation.run(&["issuer", "set", "issuing", "--crl-partitions", "1"]);
    house.wait_for(PARTITION, Index::is_empty);
    let (good, revoked) = (house.issue("in-partition"), house.issue("revoked-in-partition"));
    house.revoke(&revoked, &[PARTITION]);
    let (good, revoked) = ([good.as_path()], [revoked.as_path()]);
    let partition = house.fetch(PARTITION);
    let published = Published { crl: &partition, good: &good, revoked: &revoked, ..published };
    if client.takes_partitions() {
        client.accepts(&published);
    } else {
        // The complete CRL lists them as well.
        client.refuses(&published);
        house.revoke(&house.issue("one-more"), &[COMPLETE]);
        client.accepts(&Published { crl: &house.fetch(COMPLETE), ..published });
    }

    if client != Client::Nss {
        // Whom the root issued is no TLS server, which NSS is asked about.
        let crl = house.fetch("/crl/root.crl");
        client.accepts(&Published { issuer: &root, crl: &crl, good: &[&issuer], revoked: &[], ..published });
    }
}

/// Nothing above a notice on anything that is published.
pub(super) fn linted() {
    let house = House::new();
    house.revoke(&house.issue("revoked"), &[COMPLETE]);
    house.installation.run(&["issuer", "set", "issuing", "--crl-partitions", "1"]);
    house.wait_for(PARTITION, Index::is_empty);
    let lint = |path: &str, is_arl: bool| {
        let found = crate::support::crl_clients::pkilint(&house.fetch(path), is_arl);
        assert_eq!(found, Vec::<String>::new(), "{path}");
    };
    house.revoke(&house.issue("in-partition"), &[COMPLETE, PARTITION]);
    lint(COMPLETE, false);
    lint(PARTITION, false);
    lint("/crl/root.crl", true);
    // An entry leaves the delta with the next complete CRL, which must not come at once.
    house.installation.run(&["issuer", "set", "issuing", "--crl-debounce-seconds", "3600"]);
    house.revoke(&house.issue("in-delta"), &[DELTA]);
    lint(DELTA, false);
}

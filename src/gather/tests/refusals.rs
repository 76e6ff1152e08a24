//! What is refused, cut off or given up: hosts, redirections, bodies, time and number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::pki::{Party, access, crl_at};
use super::server::{Reply, Server};
use super::{Exhausted, FetchError, GatherLimits, GatherSettings, Gathered, gather, only};
use crate::gather::NotPublic;
use crate::gather::fetcher::{Allowance, Fetcher};
use crate::verify::Evidence;

/// Octets of everything but CRLs in these tests.
const SMALL: u64 = 100_000;

fn fetch(settings: &GatherSettings, url: &str) -> (Result<Vec<u8>, FetchError>, u64) {
    fetch_by(&Fetcher::new(Arc::new(settings.clone())), url)
}

fn fetch_by(fetcher: &Fetcher, url: &str) -> (Result<Vec<u8>, FetchError>, u64) {
    let mut octets = 0;
    let allowance = Allowance { octets: SMALL, time: Duration::from_secs(10) };
    (fetcher.fetch(url, None, allowance, &mut octets), octets)
}

/// Gathers for a target whose CRL is at these URLs.
fn gather_at(settings: GatherSettings, urls: &[&str]) -> Gathered {
    let root = Party::new("Root");
    let target = root.certify(&Party::new("Target"), 5, false, &[crl_at(urls)]);
    gather(settings, &mut Evidence::new(), &target, &root.anchor())
}

fn refused(host: &str, address: &str, why: NotPublic) -> FetchError {
    FetchError::Address { host: host.to_owned(), address: address.parse().unwrap(), why }
}

#[test]
fn nothing_is_fetched_unless_it_is_allowed() {
    let server = Server::start();
    let url = server.url("/x.crl");
    let host = "127.0.0.1".to_owned();
    let gathered = gather_at(GatherSettings::default(), &[&url]);
    assert_eq!(gathered.fetched[0].outcome, Err(FetchError::HostNotAllowed { host: host.clone() }));
    assert_eq!((gathered.fetched.len(), &gathered.fetched[0].url), (1, &url));
    let public = GatherSettings { any_public_host: true, ..GatherSettings::default() };
    let port = server.address.port();
    assert_eq!(gather_at(public, &[&url]).fetched[0].outcome, Err(FetchError::Port { host, port }));
    assert!(server.seen().is_empty());
}

#[test]
fn addresses_in_the_operators_network_are_refused_however_they_are_written() {
    let public = GatherSettings { any_public_host: true, ..GatherSettings::default() };
    for (url, host, address, why) in [
        ("http://127.0.0.1/", "127.0.0.1", "127.0.0.1", NotPublic::Loopback),
        ("http://2130706433/", "127.0.0.1", "127.0.0.1", NotPublic::Loopback),
        ("http://0x7f.1/", "127.0.0.1", "127.0.0.1", NotPublic::Loopback),
        ("http://0/", "0.0.0.0", "0.0.0.0", NotPublic::Unspecified),
        ("http://10.1.2.3/", "10.1.2.3", "10.1.2.3", NotPublic::Private),
        ("https://192.168.1.1/", "192.168.1.1", "192.168.1.1", NotPublic::Private),
        ("http://169.254.169.254/latest/", "169.254.169.254", "169.254.169.254", NotPublic::LinkLocal),
        ("http://[::1]/", "[::1]", "::1", NotPublic::Loopback),
        ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]", "::ffff:7f00:1", NotPublic::Loopback),
        ("http://[fe80::1]/", "[fe80::1]", "fe80::1", NotPublic::LinkLocal),
        ("http://[fd00::1]/", "[fd00::1]", "fd00::1", NotPublic::UniqueLocal),
    ] {
        assert_eq!(fetch(&public, url), (Err(refused(host, address, why)), 0), "{url}");
    }
    // A name that resolves to one.
    let (named, _) = fetch(&public, "http://localhost/");
    assert!(matches!(named, Err(FetchError::Address { why: NotPublic::Loopback, .. })), "{named:?}");
}

/// Resolves every name to the same addresses, and counts.
#[derive(Debug)]
struct Fixed {
    addresses: Vec<SocketAddr>,
    asked: Arc<AtomicUsize>,
}

impl Resolver for Fixed {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut all = self.empty();
        for address in &self.addresses {
            all.push(*address);
        }
        Ok(all)
    }
}

#[test]
fn the_addresses_that_are_looked_at_are_those_that_are_connected_to() {
    let server = Server::start();
    server.body("/x", &[0x30, 0]);
    let asked = Arc::new(AtomicUsize::new(0));
    let fetcher = |settings: GatherSettings, addresses: &[SocketAddr]| {
        let fixed = Fixed { addresses: addresses.to_vec(), asked: Arc::clone(&asked) };
        Fetcher::with_resolver(Arc::new(settings), fixed)
    };
    // Named by a rule: connected to what the one resolution gave, which no other resolver knows.
    let ruled = GatherSettings { allow: vec!["crl.invalid".parse().unwrap()], ..GatherSettings::default() };
    assert_eq!(fetch_by(&fetcher(ruled, &[server.address]), "http://crl.invalid/x").0, Ok(vec![0x30, 0]));
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
    // One public address does not carry another in.
    let public = GatherSettings { any_public_host: true, ..GatherSettings::default() };
    let mixed = [SocketAddr::from(([192, 31, 196, 1], 80)), server.address];
    let (outcome, _) = fetch_by(&fetcher(public, &mixed), "http://crl.invalid/x");
    assert_eq!(outcome, Err(refused("crl.invalid", "127.0.0.1", NotPublic::Loopback)));
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
    // Whose addresses would not be used is not resolved.
    let (outcome, _) = fetch_by(&fetcher(only(&server), &mixed), "http://crl.invalid/x");
    assert_eq!(outcome, Err(FetchError::HostNotAllowed { host: "crl.invalid".to_owned() }));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn redirections_are_held_against_the_rules() {
    let (server, inside) = (Server::start(), Server::start());
    let settings = GatherSettings { any_public_host: true, ..only(&server) };
    server.body("/there", &[0x30, 0]);
    for status in [301, 302, 303, 307, 308] {
        server.route("/moved", Reply::Redirect(status, "/there".to_owned()));
        assert_eq!(fetch(&settings, &server.url("/moved")).0, Ok(vec![0x30, 0]), "{status}");
    }
    let port = inside.address.port();
    let host = |host: &str| host.to_owned();
    for (to, why) in [
        ("http://10.0.0.1/", refused("10.0.0.1", "10.0.0.1", NotPublic::Private)),
        ("http://169.254.169.254/", refused("169.254.169.254", "169.254.169.254", NotPublic::LinkLocal)),
        (&inside.url("/there"), FetchError::Port { host: host("127.0.0.1"), port }),
        ("file:///etc/passwd", FetchError::Scheme { scheme: host("file") }),
        ("http://u@there.example/", FetchError::Userinfo),
        ("http://", FetchError::Redirect { location: host("http://") }),
        ("", FetchError::Redirect { location: String::new() }),
        ("/moved", FetchError::TooManyRedirects { limit: 3 }),
    ] {
        server.route("/moved", Reply::Redirect(302, to.to_owned()));
        assert_eq!(fetch(&settings, &server.url("/moved")).0, Err(why), "{to}");
    }
    assert!(inside.seen().is_empty());
}

#[test]
fn a_question_goes_along_with_a_redirection() {
    let server = Server::start();
    let fetcher = Fetcher::new(Arc::new(only(&server)));
    server.route("/there", Reply::Answer(Arc::new(|posted| posted.to_vec())));
    let ask = || {
        let allowance = Allowance { octets: SMALL, time: Duration::from_secs(10) };
        fetcher.fetch(&server.url("/moved"), Some(&[0x30, 1, 7]), allowance, &mut 0)
    };
    for status in [301, 302, 307, 308] {
        server.route("/moved", Reply::Redirect(status, "/there".to_owned()));
        assert_eq!(ask(), Ok(vec![0x30, 1, 7]), "{status}");
    }
    server.route("/moved", Reply::Redirect(303, "/there".to_owned()));
    assert_eq!(ask(), Err(FetchError::Status { status: 303 }));
}

#[test]
fn bodies_that_do_not_end_are_cut() {
    let server = Server::start();
    server.route("/endless", Reply::Endless);
    let (outcome, octets) = fetch(&only(&server), &server.url("/endless"));
    assert_eq!((outcome, octets), (Err(FetchError::TooLarge { limit: SMALL }), SMALL + 1));
    // Announced, it is not read at all.
    server.body("/large", &vec![0x30; 200_000]);
    assert_eq!(fetch(&only(&server), &server.url("/large")), (Err(FetchError::TooLarge { limit: SMALL }), 0));
    // The limits of kinds, and of all together.
    let limits = GatherLimits { crl_octets_each: 70_000, octets_total: 100_000, ..GatherLimits::default() };
    let urls = [server.url("/endless"), server.url("/endless?2"), server.url("/endless?3")];
    server.route("/endless?2", Reply::Endless);
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let gathered = gather_at(GatherSettings { limits, ..only(&server) }, &urls);
    let cut: Vec<_> = gathered.fetched.iter().map(|record| record.outcome.clone()).collect();
    assert_eq!(cut, [Err(FetchError::TooLarge { limit: 70_000 }), Err(FetchError::TooLarge { limit: 29_999 })]);
    assert_eq!(gathered.exhausted, Some(Exhausted::Octets));
}

#[test]
fn slow_servers_are_given_up() {
    let server = Server::start();
    server.route("/slow", Reply::Slow);
    server.route("/slow2", Reply::Slow);
    let limits = GatherLimits {
        time_each: Duration::from_millis(300),
        time_total: Duration::from_millis(400),
        ..GatherLimits::default()
    };
    let began = Instant::now();
    let urls = [server.url("/slow"), server.url("/slow2"), server.url("/slow3")];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let gathered = gather_at(GatherSettings { limits, ..only(&server) }, &urls);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(gathered.fetched[0].outcome, Err(FetchError::TooSlow { limit: limits.time_each }));
    let second = &gathered.fetched[1].outcome;
    assert!(matches!(second, Err(FetchError::TooSlow { limit }) if *limit < limits.time_each), "{second:?}");
    assert_eq!((gathered.fetched.len(), gathered.exhausted), (2, Some(Exhausted::Time)));
}

#[test]
fn fetches_are_counted() {
    let server = Server::start();
    let limits = GatherLimits { fetches: 2, ..GatherLimits::default() };
    let urls = [server.url("/1"), server.url("/2"), server.url("/3")];
    // What is not asked costs none.
    let urls: Vec<&str> = ["ldap://x.example/"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    let gathered = gather_at(GatherSettings { limits, ..only(&server) }, &urls);
    assert_eq!(server.paths(), ["/1", "/2"]);
    assert_eq!((gathered.fetched.len(), gathered.exhausted), (3, Some(Exhausted::Fetches)));
    assert_eq!(gathered.fetched[2].outcome, Err(FetchError::Status { status: 404 }));
}

#[test]
fn what_is_not_what_was_asked_for_is_told() {
    let server = Server::start();
    let settings = only(&server);
    for page in ["<!DOCTYPE html><html></html>", "", "\n\n<html>", "-----BEGONE", "MIIB"] {
        server.body("/page", page.as_bytes());
        let (outcome, octets) = fetch(&settings, &server.url("/page"));
        assert_eq!(outcome, Err(FetchError::NotDer), "{page}");
        assert_eq!(octets, u64::try_from(page.len()).unwrap());
    }
    server.body("/page", &[0x30, 0]);
    let gathered = gather_at(settings.clone(), &[&server.url("/page")]);
    assert!(matches!(gathered.fetched[0].outcome, Err(FetchError::Content(_))), "{gathered:?}");

    let root = Party::new("Root");
    let target = Party::new("Middle").certify(&root, 5, false, &[access(&[&server.url("/page")], &[])]);
    let outcome = |body: &[u8]| {
        server.body("/page", body);
        let gathered = gather(settings.clone(), &mut Evidence::new(), &target, &root.anchor());
        gathered.fetched[0].outcome.clone()
    };
    assert!(matches!(outcome(&[0x30, 0]), Err(FetchError::Content(_))));
    assert!(matches!(outcome(&[0x30, 0x80]), Err(FetchError::Bundle(_))));
    // A message, but of no signed data.
    assert!(matches!(outcome(&[0x30, 7, 6, 1, 0x2a, 0xa0, 2, 5, 0]), Err(FetchError::Bundle(_))));
}

/// Set for the test that runs this test again with proxies in its environment.
const WITH_PROXY: &str = "NOONMARK_TEST_GATHER_WITH_PROXY";

#[test]
fn no_proxy_is_taken_from_the_environment() {
    if std::env::var_os(WITH_PROXY).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "gather::tests::refusals::no_proxy_is_taken_from_the_environment", "--nocapture"]);
        for name in ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
            // A port at which nothing listens.
            again.env(name, "http://127.0.0.1:1");
        }
        let output = again.env(WITH_PROXY, "1").env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let server = Server::start();
    server.body("/x", &[0x30, 0]);
    assert_eq!(fetch(&only(&server), &server.url("/x")).0, Ok(vec![0x30, 0]));
}

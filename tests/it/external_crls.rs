//! Others' CRLs: what is fetched, what is taken, what is refused; and, in `answers`, what a server says by them.

mod answers;

use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::ca::{AnswersFrom, Certificate, ExternalCrlSettings};
use noonmark::crls::external::{FetchLimits, Fetcher, IssuerCrl, Kind};

use super::support::crl_server::{CrlServer, CrlSigner, Route, Wanted};
use super::support::openssl_ca::{self, OpensslCa};

pub fn trials() -> Vec<Trial> {
    let no_openssl = !openssl_ca::available();
    let trial = |name: &str, run: fn() -> Result<(), Failed>| {
        Trial::test(format!("external_crls::{name}"), run).with_ignored_flag(no_openssl)
    };
    vec![
        trial("fetched_asked_again_and_replaced", fetched_and_replaced),
        trial("what_is_refused_leaves_what_is_held", what_is_refused),
        trial("redirections", redirections),
        trial("one_mirror_after_the_other", mirrors),
        trial("a_delta_over_its_base", delta),
        trial("a_restart_asks_nobody", restart),
        trial("every_octet_of_a_kept_one_counts", kept_and_changed),
        trial("other_algorithms_verify", other_algorithms),
        trial("ocsp_says_what_the_crl_says", answers::ocsp_says),
        trial("ocsp_of_a_stale_one_revokes_and_says_no_good", answers::ocsp_of_a_stale_one),
        trial("ocsp_of_a_crl_of_user_certificates", answers::ocsp_of_a_partial_one),
        trial("settings_that_can_not_be", answers::settings),
        trial("the_api_lets_officers_alone_name_urls", answers::api),
    ]
}

fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A CA, its signer, a server of its CRLs, and what is fetched from there.
struct Scene {
    ca: OpensslCa,
    signer: CrlSigner,
    server: CrlServer,
    home: tempfile::TempDir,
    crl: IssuerCrl,
    fetcher: Fetcher,
    now_s: i64,
}

const LIMITS: FetchLimits = FetchLimits { octets: 100_000, time: Duration::from_secs(2) };

impl Scene {
    /// With the paths of complete CRLs and deltas, mirrors in their order.
    fn new(paths: &[&str], delta_paths: &[&str]) -> Self {
        let ca = OpensslCa::new();
        let signer = CrlSigner::new(&ca, "intermediate");
        let server = CrlServer::start();
        let home = tempfile::tempdir().unwrap();
        let urls = |paths: &[&str]| paths.iter().map(|path| server.url(path)).collect();
        let settings = ExternalCrlSettings {
            urls: urls(paths),
            delta_urls: urls(delta_paths),
            interval_s: 60,
            answers: AnswersFrom::Crl,
        };
        let crl = issuer_crl(home.path(), &signer.certificate, settings);
        Self { ca, signer, server, home, crl, fetcher: Fetcher::new(LIMITS), now_s: now_s() }
    }

    /// A CRL of this number, issued a minute ago, that holds an hour.
    fn wanted(&self, number: u64, serials: &[u8]) -> Wanted {
        Wanted {
            number,
            base: None,
            this_update_s: self.now_s - 60,
            next_update_s: self.now_s + 3_600,
            serials: serials.to_vec(),
        }
    }

    fn signed(&self, number: u64, serials: &[u8]) -> Vec<u8> {
        self.signer.crl(&self.wanted(number, serials))
    }

    fn fetch(&self) -> Result<(), String> {
        self.crl.fetch(&self.fetcher, self.now_s).map_err(|error| error.to_string())
    }

    /// Whether the complete CRL that is held lists a serial number.
    fn lists(&self, serial: u8) -> bool {
        let held = self.crl.held();
        held.complete.as_ref().is_some_and(|complete| complete.index.find(&[serial]).is_some())
    }
}

fn issuer_crl(home: &Path, certificate: &Certificate, settings: ExternalCrlSettings) -> IssuerCrl {
    IssuerCrl::new(&home.join("crls"), 1, "partner", certificate.clone(), settings)
}

fn fetched_and_replaced() -> Result<(), Failed> {
    let scene = Scene::new(&["/ca.crl"], &[]);
    assert!(scene.crl.report().warning(scene.now_s).unwrap().contains("no CRL is here yet"));
    scene.server.route("/ca.crl", Route::Crl(scene.signed(1, &[5]), "\"one\""));
    scene.fetch()?;
    assert!(scene.lists(5) && !scene.lists(6));
    assert_eq!(scene.crl.report().warning(scene.now_s), None);
    assert_eq!(scene.crl.fetched_at_s(), Some(scene.now_s));
    let edition = scene.crl.held().edition;
    scene.fetch()?;
    assert_eq!(scene.server.answered(), [("/ca.crl".to_owned(), 200), ("/ca.crl".to_owned(), 304)]);
    assert_eq!(scene.crl.held().edition, edition, "nothing changed");
    scene.server.route("/ca.crl", Route::Crl(scene.signed(2, &[6]), "\"two\""));
    scene.fetch()?;
    assert!(scene.lists(6) && !scene.lists(5) && scene.crl.held().edition > edition);
    // The same octets under another tag change nothing.
    let edition = scene.crl.held().edition;
    scene.server.route("/ca.crl", Route::Crl(std::fs::read(scene.home.path().join("crls/partner.crl"))?, "\"again\""));
    scene.fetch()?;
    assert_eq!(scene.crl.held().edition, edition);
    // RFC 5280 §5.1.2.6 forbids an empty list; others write it.
    let empty = scene.signer.crl(&scene.wanted(3, &[]));
    scene.server.route("/ca.crl", Route::Crl(empty, "\"three\""));
    scene.fetch()?;
    assert!(!scene.lists(6));
    Ok(())
}

fn what_is_refused() -> Result<(), Failed> {
    let scene = Scene::new(&["/ca.crl"], &[]);
    scene.server.route("/ca.crl", Route::Crl(scene.signed(5, &[5]), "\"five\""));
    scene.fetch()?;
    let other = CrlSigner::new(&scene.ca, "root");
    // The right name and a wrong key, which the key identifier does not tell.
    let key_identifier = scene.signer.certificate.subject_key_identifier.clone().unwrap();
    let forged = other.crl_with(&scene.wanted(6, &[9]), |fields| {
        fields.issuer.clone_from(&scene.signer.certificate.subject_der);
        fields.authority_key_identifier = key_identifier;
    });
    let other_key = scene.signer.crl_with(&scene.wanted(6, &[9]), |fields| fields.authority_key_identifier = vec![9]);
    let mut future = scene.wanted(6, &[9]);
    future.this_update_s = scene.now_s + 301;
    let mut changed = scene.signed(6, &[9]);
    let at = changed.len() / 2;
    changed[at] ^= 1;
    let whole = scene.signed(6, &[9]);
    let pem = noonmark::ca::pem_encode("X509 CRL", &whole).into_bytes();
    let many = vec![9; 10_000];
    for (route, why) in [
        (Route::Crl(scene.signed(4, &[9]), "\"x\""), "older than the one that is held"),
        (Route::Crl(forged, "\"x\""), "does not verify"),
        (Route::Crl(other.crl(&scene.wanted(6, &[9])), "\"x\""), "not this issuer's subject"),
        (Route::Crl(other_key, "\"x\""), "another key of its issuer's"),
        (Route::Crl(scene.signer.crl(&future), "\"x\""), "301 s ahead"),
        (Route::Crl(scene.signer.crl(&Wanted { base: Some(5), ..scene.wanted(6, &[9]) }), "\"x\""), "is a delta"),
        (Route::Crl(changed, "\"x\""), "ca.crl: "),
        (Route::Crl(whole[..whole.len() - 1].to_vec(), "\"x\""), "can't be read"),
        (Route::Crl([&whole[..], &[0]].concat(), "\"x\""), "can't be read"),
        (Route::Crl(pem, "\"x\""), "it is PEM"),
        (Route::Crl(b"<html>".to_vec(), "\"x\""), "does not begin as DER"),
        (Route::Crl(Vec::new(), "\"x\""), "does not begin as DER"),
        (Route::Crl(scene.signed(6, &many), "\"x\""), "more than 100000 octets"),
        (Route::Endless, "more than 100000 octets"),
        (Route::Half(whole.clone()), "ca.crl: "),
        (Route::Slow(whole.clone(), Duration::from_millis(100)), "within 2 seconds"),
        (Route::Status(404), "HTTP 404"),
        (Route::Status(500), "HTTP 500"),
    ] {
        scene.server.route("/ca.crl", route);
        let began = Instant::now();
        let error = scene.fetch().expect_err(why);
        assert!(error.contains(why), "{why}: {error}");
        assert!(began.elapsed() < Duration::from_secs(4), "{why}: {:?}", began.elapsed());
        assert!(scene.lists(5) && !scene.lists(9), "{why}: what was held is held");
        let warning = scene.crl.report().warning(scene.now_s).unwrap();
        assert!(warning.contains("holds until") && warning.contains(why), "{warning}");
    }
    let left: Vec<_> =
        std::fs::read_dir(scene.home.path().join("crls"))?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing half is left: {left:?}");
    scene.server.route("/ca.crl", Route::Crl(whole, "\"six\""));
    scene.fetch()?;
    assert!(scene.lists(9) && scene.crl.report().warning(scene.now_s).is_none());
    Ok(())
}

fn redirections() -> Result<(), Failed> {
    let scene = Scene::new(&["/1"], &[]);
    for (from, to) in [("/1", "/2"), ("/2", "3"), ("/3", "/4")] {
        scene.server.route(from, Route::Redirect(to.to_owned()));
    }
    scene.server.route("/4", Route::Crl(scene.signed(1, &[5]), "\"four\""));
    scene.fetch()?;
    assert!(scene.lists(5));
    scene.server.route("/4", Route::Redirect("/5".to_owned()));
    scene.server.route("/5", Route::Crl(scene.signed(2, &[6]), "\"five\""));
    for (to, why) in [
        ("/2", "more than 3 times"),
        ("/1", "more than 3 times"),
        ("file:///etc/passwd", "not fetched"),
        ("ftp://127.0.0.1/x", "not fetched"),
    ] {
        scene.server.route("/1", Route::Redirect(to.to_owned()));
        let error = scene.fetch().expect_err(to);
        assert!(error.contains(why), "{to}: {error}");
    }
    assert!(scene.lists(5));
    Ok(())
}

fn mirrors() -> Result<(), Failed> {
    let mut scene = Scene::new(&["/dead", "/lagging", "/good"], &[]);
    scene.server.route("/good", Route::Crl(scene.signed(2, &[6]), "\"two\""));
    scene.server.route("/lagging", Route::Status(503));
    scene.fetch()?;
    assert!(scene.lists(6));
    // One that lags behind does not keep the newer one away.
    scene.server.route("/lagging", Route::Crl(scene.signed(1, &[5]), "\"one\""));
    scene.server.route("/good", Route::Crl(scene.signed(3, &[7]), "\"three\""));
    scene.fetch()?;
    assert!(scene.lists(7) && !scene.lists(5));
    // Past its nextUpdate, every mirror is asked for a newer one.
    scene.now_s += 3_600;
    scene.server.answered();
    let error = scene.fetch().expect_err("nobody has a newer one");
    assert!(error.contains("no newer one") && error.contains("HTTP 404") && error.contains("older"), "{error}");
    assert_eq!(scene.server.answered().len(), 3);
    assert!(scene.crl.report().warning(scene.now_s).unwrap().contains("past its nextUpdate"));
    scene.server.route("/lagging", Route::Crl(scene.signed(4, &[8]), "\"four\""));
    scene.fetch()?;
    assert!(scene.lists(8));
    Ok(())
}

fn delta() -> Result<(), Failed> {
    let scene = Scene::new(&["/ca.crl"], &["/delta.crl"]);
    let delta =
        |number, base, serials: &[u8]| scene.signer.crl(&Wanted { base: Some(base), ..scene.wanted(number, serials) });
    let in_delta = |serial: u8| {
        let held = scene.crl.held();
        held.of(Kind::Delta).is_some_and(|delta| delta.index.find(&[serial]).is_some())
    };
    scene.server.route("/ca.crl", Route::Crl(scene.signed(5, &[5]), "\"5\""));
    scene.server.route("/delta.crl", Route::Crl(delta(6, 5, &[6]), "\"6\""));
    scene.fetch()?;
    assert!(scene.lists(5) && in_delta(6));
    scene.server.route("/delta.crl", Route::Crl(delta(8, 7, &[8]), "\"8\""));
    let error = scene.fetch().expect_err("its base is not here");
    assert!(error.contains("does not go with"), "{error}");
    assert!(in_delta(6), "the one before is held");
    scene.server.route("/ca.crl", Route::Crl(scene.signed(7, &[5, 6]), "\"7\""));
    scene.fetch()?;
    assert!(scene.lists(6) && in_delta(8) && !in_delta(6));
    scene.server.route("/delta.crl", Route::Crl(delta(7, 5, &[9]), "\"7d\""));
    let error = scene.fetch().expect_err("an older delta");
    assert!(error.contains("older"), "{error}");
    assert!(in_delta(8));
    // A delta that came with the base before adds nothing.
    scene.server.route("/ca.crl", Route::Crl(scene.signed(9, &[5, 6, 8]), "\"9\""));
    scene.fetch()?;
    assert!(scene.lists(8) && scene.crl.held().of(Kind::Delta).is_none());
    assert!(!scene.home.path().join("crls/partner.delta.crl").exists());
    Ok(())
}

fn restart() -> Result<(), Failed> {
    let scene = Scene::new(&["/ca.crl"], &["/delta.crl"]);
    scene.server.route("/ca.crl", Route::Crl(scene.signed(5, &[5]), "\"5\""));
    let delta = scene.signer.crl(&Wanted { base: Some(5), ..scene.wanted(6, &[6]) });
    scene.server.route("/delta.crl", Route::Crl(delta, "\"6\""));
    scene.fetch()?;
    scene.server.answered();
    let again = issuer_crl(scene.home.path(), &scene.signer.certificate, scene.crl.settings());
    again.load(scene.now_s);
    assert!(scene.server.answered().is_empty(), "nobody is asked");
    let held = again.held();
    assert!(held.complete.as_ref().is_some_and(|complete| complete.index.find(&[5]).is_some()));
    assert!(held.delta.as_ref().is_some_and(|delta| delta.index.find(&[6]).is_some()));
    assert_eq!(again.fetched_at_s(), Some(scene.now_s));
    // What is remembered makes the next request conditional.
    again.fetch(&scene.fetcher, scene.now_s)?;
    assert_eq!(scene.server.answered(), [("/ca.crl".to_owned(), 304), ("/delta.crl".to_owned(), 304)]);
    // An older one is refused after a restart as well.
    scene.server.route("/ca.crl", Route::Crl(scene.signed(4, &[4]), "\"4\""));
    assert!(again.fetch(&scene.fetcher, scene.now_s).is_err());
    Ok(())
}

/// Whoever can write to the directory can make us fetch anew, never say something else.
fn kept_and_changed() -> Result<(), Failed> {
    let scene = Scene::new(&["/ca.crl"], &[]);
    let whole = scene.signed(5, &[5]);
    scene.server.route("/ca.crl", Route::Crl(whole.clone(), "\"5\""));
    scene.fetch()?;
    let path = scene.home.path().join("crls/partner.crl");
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x01;
        std::fs::write(&path, &changed)?;
        let again = issuer_crl(scene.home.path(), &scene.signer.certificate, scene.crl.settings());
        again.load(scene.now_s);
        assert!(again.held().complete.is_none(), "octet {at}");
        assert_eq!(again.fetched_at_s(), None, "octet {at}: it is fetched at once");
    }
    scene.server.answered();
    let again = issuer_crl(scene.home.path(), &scene.signer.certificate, scene.crl.settings());
    again.load(scene.now_s);
    again.fetch(&scene.fetcher, scene.now_s)?;
    assert_eq!(scene.server.answered(), [("/ca.crl".to_owned(), 200)], "no condition keeps it away");
    Ok(())
}

/// RSA by PKCS#1 v1.5 and PSS, P-384, and Ed25519, which takes no digest; a key that may not sign CRLs.
fn other_algorithms() -> Result<(), Failed> {
    let ca = OpensslCa::new();
    let authority = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n";
    ca.write("crl.cnf", "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha384\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n");
    ca.write("index.txt", "R\t360101000000Z\t260101000000Z,keyCompromise\t05\tunknown\t/CN=x\n");
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:48"];
    for (name, key, options, usage) in [
        ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..], &[][..], "keyUsage=critical,cRLSign\n"),
        ("pss", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &pss, ""),
        ("p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], &[], ""),
        ("ed25519", &["ED25519"], &[], ""),
        ("not-for-crls", &["ED25519"], &[], "keyUsage=critical,keyCertSign\n"),
    ] {
        let (key_file, pem, crl) = (format!("{name}.key"), format!("{name}.pem"), format!("{name}.crl"));
        ca.openssl(&[&["genpkey", "-quiet", "-out", &key_file, "-algorithm"][..], key].concat());
        ca.write("ca.ext", &format!("[x]\n{authority}{usage}"));
        let (subject, extensions) = (format!("/CN={name}"), ca.path("ca.ext"));
        let words = ["req", "-x509", "-key", &key_file, "-subj", &subject, "-days", "30", "-out", &pem];
        let extensions = ["-config", extensions.to_str().unwrap(), "-extensions", "x"];
        std::fs::write(ca.path("ca.ext"), format!("[req]\ndistinguished_name=d\n[d]\n[x]\n{authority}{usage}"))?;
        ca.openssl(&[&words[..], &extensions].concat());
        ca.write("number", "01\n");
        let words = [
            "ca", "-config", "crl.cnf", "-gencrl", "-cert", &pem, "-keyfile", &key_file, "-crldays", "1", "-out",
            "crl.pem",
        ];
        ca.openssl(&[&words[..], options].concat());
        ca.openssl(&["crl", "-in", "crl.pem", "-outform", "DER", "-out", &crl]);
        let certificate = noonmark::ca::pem_decode("CERTIFICATE", &ca.read(&pem))?;
        let certificate = Certificate::from_der(&certificate[0])?;
        let octets = std::fs::read(ca.path(&crl))?;
        let server = CrlServer::start();
        server.route("/ca.crl", Route::Crl(octets, "\"1\""));
        let settings = ExternalCrlSettings { urls: vec![server.url("/ca.crl")], ..ExternalCrlSettings::default() };
        let home = tempfile::tempdir()?;
        let crl = issuer_crl(home.path(), &certificate, settings);
        let fetched = crl.fetch(&Fetcher::new(LIMITS), now_s() + 1);
        if name == "not-for-crls" {
            assert!(fetched.unwrap_err().to_string().contains("keyUsage without cRLSign"));
            continue;
        }
        fetched?;
        let entry = crl.held().complete.as_ref().unwrap().index.find(&[5]).unwrap();
        assert_eq!(entry.reason_number, Some(1), "{name}");
    }
    Ok(())
}

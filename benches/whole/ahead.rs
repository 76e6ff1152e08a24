//! How fast answers are signed ahead without a store: the pool's bulk lane, template and all, beside bare signatures by as
//! many threads. The pool has a process of its own, since a module can be initialized once a process.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use noonmark::config::Configuration;
use noonmark::crypto::{DigestAlgorithm, SignatureAlgorithm};
use noonmark::keys::{KeySpec, Lane, Pool, SubmitError};
use noonmark::ocsp::{CertStatus, IssuerHashes, ResponderTemplate, SingleAnswer};
use noonmark::store::CertIdHash;

use super::answers::KEY;
use super::figures::{PAIRS, count, median};
use super::{asking, baseline};

const DIRECTORY: &str = "NOONMARK_BENCH_POOL";
const SESSIONS: &str = "NOONMARK_BENCH_POOL_SESSIONS";
const DURATION: Duration = Duration::from_secs(3);

/// Signs, if this process was started for it, and prints how many a second.
pub(crate) fn sign_if_asked() {
    let (Some(directory), Ok(sessions)) = (std::env::var_os(DIRECTORY), std::env::var(SESSIONS)) else { return };
    println!("{}", signed(&PathBuf::from(directory), sessions.parse().expect("sessions")));
    std::process::exit(0);
}

fn signed(directory: &Path, sessions: usize) -> u64 {
    let configuration = Configuration::load(directory).expect("a configuration");
    let mut settings = configuration.token_settings("service").expect("the service token");
    settings.sessions = sessions;
    let label = configuration.token["service"].label.clone().expect("a label");
    let responder = asking::certificate(directory, KEY.label);
    let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
    let spec = KeySpec {
        name: KEY.label.to_owned(),
        uri: format!("pkcs11:token={label};object={};type=private", KEY.label).parse().expect("a key's URI"),
        algorithm,
        public_key: responder.public_key.clone(),
    };
    let pool = Pool::start(settings, vec![spec], Arc::new(|_| {})).expect("a pool");
    let key = pool.key(KEY.label).expect("the key");
    let template =
        Arc::new(ResponderTemplate::new(&responder, std::slice::from_ref(&responder), algorithm).expect("a template"));
    let issuer = IssuerHashes::of(&asking::certificate(directory, "issuing"));
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    for number in 0_u64.. {
        let cert_id = issuer.cert_id_der(CertIdHash::Sha1, &[&[0x40; 8][..], &number.to_be_bytes()].concat());
        let answer = SingleAnswer {
            cert_id: &cert_id,
            status: CertStatus::Good,
            this_update_s: 1_795_464_000,
            next_update_s: 1_795_723_200,
            archive_cutoff_s: None,
        };
        loop {
            let prepared = template.prepare(&[answer], 1_795_464_000, None).expect("an answer");
            let message = prepared.to_be_signed().to_vec();
            let (template, done) = (Arc::clone(&template), Arc::clone(&done));
            let completion = Box::new(move |signature: Result<Vec<u8>, _>| {
                std::hint::black_box(template.assemble(&prepared, &signature.expect("a signature")));
                done.fetch_add(1, Ordering::Relaxed);
            });
            match pool.submit(Lane::Bulk, &key, message, completion) {
                Ok(()) => break,
                Err(SubmitError::Full) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => panic!("{error}"),
            }
        }
        if began.elapsed() > DURATION {
            break;
        }
    }
    let (signed, took) = (done.load(Ordering::Relaxed), began.elapsed());
    pool.stop();
    signed * 1_000 / u64::try_from(took.as_millis()).expect("milliseconds")
}

pub(crate) fn run(directory: &Path) -> String {
    let mut report = String::from(
        "| threads that sign | bare signatures/s | the pool's bulk lane, answers/s | of bare |\n|---|---|---|---|\n",
    );
    for threads in [1, 2] {
        let (mut bare, mut own) = (vec![], vec![]);
        for _ in 0..PAIRS {
            bare.push(baseline::bare_rate(directory, &KEY, threads, DURATION));
            let output = Command::new(std::env::current_exe().expect("this program"))
                .env(DIRECTORY, directory)
                // One session is kept for interactive work.
                .env(SESSIONS, (threads + 1).to_string())
                .output()
                .expect("the pool's process");
            let text = String::from_utf8_lossy(&output.stdout);
            own.push(count(text.trim().parse().unwrap_or_else(|_| panic!("{output:?}"))));
        }
        let (bare, own) = (median(bare), median(own));
        writeln!(report, "| {threads} | {bare:.0} | {own:.0} | {:.0} % |", own / bare * 100.0)
            .expect("a String takes everything");
        eprintln!("ahead without a store, {threads} threads: bare {bare:.0}/s, pool {own:.0}/s");
    }
    report.push('\n');
    report
}

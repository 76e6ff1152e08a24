//! What the server is held against: a bare signature, a bare actix handler, a bare commit.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use noonmark::config::Configuration;
use noonmark::crypto::DigestAlgorithm;

use super::process;

/// The key that a bare signature is made with.
pub(crate) struct BareKey {
    pub(crate) label: &'static str,
    pub(crate) is_rsa: bool,
}

/// CPU of one bare signature by a key of the installation: `Session::sign` and nothing else, one thread.
pub(crate) fn bare_signature(directory: &Path, key: &BareKey, duration: Duration) -> Duration {
    let (cpu, count) = sign(directory, key, duration);
    cpu / count
}

/// As [`bare_signature`] on two threads at once, as the server signs: cores that share a part, or a module's locks, show here.
pub(crate) fn bare_signature_by_two(directory: &Path, key: &BareKey, duration: Duration) -> Duration {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| sign(directory, key, duration));
        let ((cpu, count), (other_cpu, other_count)) =
            (sign(directory, key, duration), other.join().expect("a thread that signs"));
        (cpu + other_cpu) / (count + other_count)
    })
}

/// Bare signatures a second by so many threads, a session each.
pub(crate) fn bare_rate(directory: &Path, key: &BareKey, threads: u32, duration: Duration) -> f64 {
    let began = Instant::now();
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| sign(directory, key, duration).1)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that signs")).sum::<u32>()
    });
    f64::from(counts) / began.elapsed().as_secs_f64()
}

fn module(path: &Path) -> Pkcs11 {
    static MODULE: Mutex<Option<Pkcs11>> = Mutex::new(None);
    let mut module = MODULE.lock().expect("no thread panicked");
    let loaded = module.get_or_insert_with(|| {
        let module = Pkcs11::new(path).expect("the module");
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("the module initialized");
        module
    });
    loaded.clone()
}

fn sign(directory: &Path, key: &BareKey, duration: Duration) -> (Duration, u32) {
    let configuration = Configuration::load(directory).expect("a configuration");
    let section = &configuration.token["service"];
    let label = section.label.clone().expect("a label");
    let module = module(section.module.as_deref().expect("a module"));
    let slot = module
        .get_slots_with_initialized_token()
        .expect("slots")
        .into_iter()
        .find(|slot| module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == label))
        .expect("the service token");
    let session = module.open_ro_session(slot).expect("a session");
    let pin = std::fs::read_to_string(directory.join("secrets/service.pin")).expect("a PIN");
    // Another session of this process may have logged in.
    drop(session.login(UserType::User, Some(&AuthPin::from(pin))));
    let object = session
        .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(key.label.as_bytes().to_vec())])
        .expect("a search")[0];
    let digest = DigestAlgorithm::Sha256.digest(b"noonmark");
    let info =
        [&[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20][..], digest.as_ref()]
            .concat();
    let (mechanism, input) =
        if key.is_rsa { (Mechanism::RsaPkcs, info) } else { (Mechanism::Ecdsa, digest.as_ref().to_vec()) };
    let began = Instant::now();
    let before = process::thread_cpu();
    let mut count = 0_u32;
    while began.elapsed() < duration {
        for _ in 0..16 {
            session.sign(&mechanism, object, &input).expect("a signature");
            count += 1;
        }
    }
    (process::thread_cpu() - before, count)
}

/// The 99th percentile, in microseconds, of a bare actix POST that returns as many octets as a token.
pub(crate) fn bare_post_p99_us(connections: u32, seconds: u32) -> u64 {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(|| App::new().route("/tsa", web::post().to(answer)))
                .workers(2)
                .disable_signals()
                .bind(("127.0.0.1", port))
                .expect("the port")
                .run();
            sender.send(server.handle()).expect("a receiver");
            server.await.expect("the server");
        });
    });
    let handle = receiver.recv().expect("the handle");
    std::thread::sleep(Duration::from_millis(300));
    let run = super::wrk::run(&format!("http://127.0.0.1:{port}/tsa"), connections, seconds);
    drop(handle.stop(false));
    thread.join().expect("the server's thread");
    run.p99_us
}

async fn answer(body: web::Bytes) -> HttpResponse {
    let octet = body.first().copied().unwrap_or(0);
    HttpResponse::Ok().content_type("application/timestamp-reply").body(vec![octet; 1_500])
}

/// The 99th percentile, in microseconds, of a commit of eight rows of a ledger's size, WAL and synchronous=FULL.
pub(crate) fn eight_row_commit_p99_us() -> u64 {
    let path = super::setup::home().join("commit.db");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB);",
        )
        .expect("a table");
    let mut times: Vec<u64> = (0..1_000)
        .map(|_| {
            let began = Instant::now();
            connection.execute_batch("BEGIN IMMEDIATE").expect("begin");
            for _ in 0..8 {
                connection.execute("INSERT INTO t (b) VALUES (zeroblob(300))", []).expect("a row");
            }
            connection.execute_batch("COMMIT").expect("commit");
            u64::try_from(began.elapsed().as_micros()).expect("microseconds")
        })
        .collect();
    times.sort_unstable();
    times[989]
}

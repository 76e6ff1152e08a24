//! Tokens that go, hang, err or come back as another: each trial in a process and with a SoftHSM of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::Failed;
use noonmark::crypto::KeyAlgorithm;
use noonmark::keys::{KeyEvent, Lane, Pool, PoolState, SignError, SubmitError, Tier, Token, TokenSelector};
use secrecy::SecretString;

use super::{Events, House, PIN, SO_PIN, recovering_reason, spec, until, until_ready, write_private};
use crate::support::softhsm;

/// Alone, since the pool starts the module anew in the hope of seeing its token.
pub fn pool_without_a_token() -> Result<(), Failed> {
    let mut house = House::softhsm("present");
    house.settings.tier = Tier::Pkcs11 {
        module: softhsm::module().unwrap().to_owned(),
        selector: TokenSelector::Label("keys-later".to_owned()),
    };
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), Vec::new(), events.sink())?;
    let reason = recovering_reason(&pool).ok_or("it serves")?;
    assert!(reason.contains("no token with label \"keys-later\"") && reason.contains("keys-present"), "{reason}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(std::fs::read_dir(softhsm::directory().join("tokens"))?.count(), 1, "the pool made a token");
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenLost { .. })), 1, "{}", events.texts());
    // The attempts may start the module anew under this call's feet: it is told so, and tries again.
    until("the token to be made", || {
        Token::create(&house.settings, &SecretString::from(SO_PIN), &SecretString::from(PIN)).is_ok()
    });
    until_ready(&pool);
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenBack { .. })), 1, "{}", events.texts());
    pool.stop();
    Ok(())
}

/// Two tokens of one module: one that stays away must not keep the other from serving.
pub fn neighbours() -> Result<(), Failed> {
    let tokens = softhsm::directory().join("tokens");
    let (ailing, healthy) = (House::softhsm("ailing"), {
        let before = std::fs::read_dir(&tokens)?.next().ok_or("no token")??.path();
        (House::softhsm("healthy"), before)
    });
    let (healthy, ailing_directory) = healthy;
    let (ailing_pool, _) = pkcs11_pool(&ailing);
    let (healthy_pool, events) = pkcs11_pool(&healthy);
    let load = [Load::start(&ailing_pool), Load::start(&healthy_pool)];
    std::thread::sleep(Duration::from_millis(100));
    std::fs::rename(&ailing_directory, softhsm::directory().join("away"))?;
    until("the loss", || recovering_reason(&ailing_pool).is_some_and(|reason| reason.contains("no token")));
    until_ready(&healthy_pool);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        until("a signature", || sign_once(&healthy_pool).is_ok());
    }
    let disturbed = events.count(|event| matches!(event, KeyEvent::TokenLost { .. }));
    assert!(disturbed <= 1, "{}", events.texts());
    for load in load {
        assert!(load.end().0 > 0);
    }
    assert!(sign_once(&ailing_pool).is_err());
    ailing_pool.stop();
    healthy_pool.stop();
    Ok(())
}

/// Submits jobs one after the other until told to stop; counts the outcomes and holds each signature against the key.
struct Load {
    stop: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<(usize, usize)>>,
}

impl Load {
    fn start(pool: &Arc<Pool>) -> Self {
        let (stop, pool) = (Arc::new(AtomicUsize::new(0)), Arc::clone(pool));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let key = pool.key("k").unwrap();
            let (mut signed, mut refused) = (0, 0);
            while stopped.load(Ordering::SeqCst) == 0 {
                let message = format!("{signed} {refused}").into_bytes();
                match pool.sign(Lane::Interactive, &key, message.clone()) {
                    Ok(value) => {
                        key.public_key().verify(key.algorithm(), &message, &value).unwrap();
                        signed += 1;
                    }
                    Err(_) => {
                        refused += 1;
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            }
            (signed, refused)
        });
        Self { stop, thread: Some(thread) }
    }

    fn end(mut self) -> (usize, usize) {
        self.stop.store(1, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn pkcs11_pool(house: &House) -> (Arc<Pool>, Events) {
    let key = house.key("k", KeyAlgorithm::EcP256);
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), vec![spec("k", &key)], events.sink()).unwrap();
    assert_eq!(pool.health().state, PoolState::Ready, "{}", events.texts());
    (pool, events)
}

fn sign_once(pool: &Pool) -> Result<Vec<u8>, SignError> {
    pool.sign(Lane::Interactive, &pool.key("k").unwrap(), b"m".to_vec())
}

pub fn directory_away() -> Result<(), Failed> {
    let house = House::softhsm("away");
    let (pool, events) = pkcs11_pool(&house);
    let load = Load::start(&pool);
    let (tokens, away) = (softhsm::directory().join("tokens"), softhsm::directory().join("away"));
    for round in 1..=2 {
        std::fs::rename(&tokens, &away)?;
        // An empty directory in its place, as after a mount that failed: nothing may be made in it.
        std::fs::create_dir(&tokens)?;
        until("the pool to refuse", || recovering_reason(&pool).is_some_and(|reason| reason.contains("no token")));
        assert!(matches!(sign_once(&pool), Err(SignError::NotTaken(SubmitError::NotReady { .. }))));
        assert_eq!(std::fs::read_dir(&tokens)?.count(), 0, "something was made in the empty directory");
        std::fs::remove_dir(&tokens)?;
        std::fs::rename(&away, &tokens)?;
        until_ready(&pool);
        sign_once(&pool)?;
        assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenBack { .. })), round, "{}", events.texts());
    }
    let (signed, refused) = load.end();
    assert!(signed > 0 && refused > 0, "{signed} signed, {refused} refused");
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenLost { .. })), 2, "{}", events.texts());
    pool.stop();
    Ok(())
}

/// Alone, since another login in the same process would make the PIN's check moot.
pub fn refused_pin_once() -> Result<(), Failed> {
    let house = faulty_house("refused");
    let key = house.key("k", KeyAlgorithm::EcP256);
    let pin = house.directory.path().join("pin");
    write_private(&pin, "wrong-pin-5555");
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), vec![spec("k", &key)], events.sink())?;
    assert!(recovering_reason(&pool).ok_or("it serves")?.contains("refused the PIN"));
    // Several attempts pass; a token that locks would have locked.
    let logins = softhsm::logins();
    assert!(logins > 0);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(softhsm::logins(), logins, "a refused PIN was tried again");
    assert_eq!(events.count(|event| matches!(event, KeyEvent::StillLost { .. })), 0, "{}", events.texts());
    write_private(&pin, PIN);
    until_ready(&pool);
    sign_once(&pool)?;
    // SoftHSM crashes when its process ends while a pool is still leaving the token.
    pool.stop();
    Ok(())
}

fn faulty_house(label: &str) -> House {
    let mut house = House::of_module(label, softhsm::faulty_module());
    house.settings.call_timeout = Duration::from_millis(400);
    house
}

pub fn hang_one() -> Result<(), Failed> {
    let house = faulty_house("hang-one");
    let (pool, events) = pkcs11_pool(&house);
    softhsm::fault("hang 1");
    let error = sign_once(&pool).err().ok_or("a hanging call signed")?;
    assert_eq!(error, SignError::TimedOut { after_ms: 400 });
    // The others serve on, and the lost one gets a substitute.
    for _ in 0..20 {
        sign_once(&pool)?;
    }
    until("the substitute", || pool.health().threads == 2);
    let health = pool.health();
    assert_eq!((health.state, health.threads_lost), (PoolState::Ready, 1));
    assert_eq!(events.count(|event| matches!(event, KeyEvent::ThreadLost { .. })), 1);
    softhsm::fault("ok");
    until("the lost thread's return", || pool.health().threads_lost == 0);
    assert_eq!(events.count(|event| matches!(event, KeyEvent::ThreadReturned { .. })), 1);
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenLost { .. })), 0, "{}", events.texts());
    sign_once(&pool)?;
    pool.stop();
    Ok(())
}

pub fn hang_all() -> Result<(), Failed> {
    let house = faulty_house("hang-all");
    let (pool, events) = pkcs11_pool(&house);
    softhsm::fault("hang 1000");
    let key = pool.key("k").ok_or("no such key")?;
    let (sender, receiver) = mpsc::channel();
    for _ in 0..40 {
        let sender = sender.clone();
        pool.submit(Lane::Interactive, &key, b"m".to_vec(), Box::new(move |result| sender.send(result).unwrap()))?;
    }
    drop(sender);
    // Each of the 40 gets exactly one answer, and none of them is a signature.
    let answers: Vec<_> = receiver.iter().collect();
    assert_eq!(answers.len(), 40);
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    until("the pool to name the cause", || recovering_reason(&pool).is_some_and(|reason| reason.contains("hangs")));
    // No more threads than the bound go into the module: two sessions, and one attempt at a substitute.
    std::thread::sleep(Duration::from_secs(1));
    let lost = pool.health().threads_lost;
    assert_eq!(lost, 3, "{}", events.texts());
    assert!(matches!(sign_once(&pool), Err(SignError::NotTaken(SubmitError::NotReady { .. }))));
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    until("all threads' return", || pool.health().threads_lost == 0);
    pool.stop();
    Ok(())
}

pub fn hang_initialize() -> Result<(), Failed> {
    let house = faulty_house("hang-init");
    let (pool, events) = pkcs11_pool(&house);
    softhsm::fault("error 0x30");
    assert!(sign_once(&pool).is_err());
    softhsm::fault("hang-initialize");
    until("the pool to name the cause", || recovering_reason(&pool).is_some_and(|reason| reason.contains("hangs")));
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    until("all threads' return", || pool.health().threads_lost == 0);
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenBack { .. })), 1, "{}", events.texts());
    pool.stop();
    Ok(())
}

pub fn device_error() -> Result<(), Failed> {
    let house = faulty_house("device");
    let (pool, events) = pkcs11_pool(&house);
    let load = Load::start(&pool);
    std::thread::sleep(Duration::from_millis(50));
    softhsm::fault("error 0x30");
    until("the loss", || recovering_reason(&pool).is_some_and(|reason| reason.contains("CKR_DEVICE_ERROR")));
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    let (signed, refused) = load.end();
    assert!(signed > 0 && refused > 0, "{signed} signed, {refused} refused");
    let told = events.count(|event| matches!(event, KeyEvent::TokenLost { reason, .. } if reason.contains("C_Sign")));
    assert_eq!(told, 1, "{}", events.texts());
    pool.stop();
    Ok(())
}

pub fn single_failure() -> Result<(), Failed> {
    let house = faulty_house("single");
    let (pool, events) = pkcs11_pool(&house);
    softhsm::fault("error-once 0x6");
    let error = sign_once(&pool).err().ok_or("a failing call signed")?;
    assert!(error.to_string().contains("CKR_FUNCTION_FAILED"), "{error}");
    for _ in 0..10 {
        sign_once(&pool)?;
    }
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenLost { .. })), 0, "{}", events.texts());

    // When the session's challenge fails too, the token is not trusted any more.
    softhsm::fault("error 0x6");
    assert!(sign_once(&pool).is_err());
    until("the loss", || recovering_reason(&pool).is_some());
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    pool.stop();
    Ok(())
}

/// No call fails, the module just signs with another key: the next signature that is verified ends it.
pub fn swapped_silently() -> Result<(), Failed> {
    let house = faulty_house("silent");
    house.key("other", KeyAlgorithm::EcP256);
    let (pool, _) = pkcs11_pool(&house);
    sign_once(&pool)?;
    softhsm::fault("swap");
    let began = std::time::Instant::now();
    until("a signature to be refused", || sign_once(&pool).is_err());
    assert!(began.elapsed() < Duration::from_secs(2), "noticed after {:?}", began.elapsed());
    until("the reason to be told", || recovering_reason(&pool).is_some_and(|reason| reason.contains("another key")));
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    pool.stop();
    Ok(())
}

pub fn swapped_after_loss() -> Result<(), Failed> {
    let house = faulty_house("swap");
    house.key("other", KeyAlgorithm::EcP256);
    let (pool, events) = pkcs11_pool(&house);
    softhsm::fault("error 0x30");
    assert!(sign_once(&pool).is_err());
    softhsm::fault("swap");
    until("the challenge to fail", || recovering_reason(&pool).is_some_and(|reason| reason.contains("another key")));
    std::thread::sleep(Duration::from_millis(600));
    assert!(recovering_reason(&pool).is_some(), "a swapped key serves");
    assert!(sign_once(&pool).is_err());
    let failed = events.count(|event| matches!(event, KeyEvent::ChallengeFailed { key, .. } if key == "k"));
    assert_eq!(failed, 1, "{}", events.texts());
    softhsm::fault("ok");
    until_ready(&pool);
    sign_once(&pool)?;
    pool.stop();
    Ok(())
}

//! The keys room on real tokens: SoftHSM, the software tier, and a module that misbehaves on demand.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::crypto::{DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use noonmark::keys::{
    EventSink, Finding, KeyError, KeyEvent, KeyInfo, KeySpec, KeyUri, Lane, Pin, Pool, PoolState, SignError,
    SubmitError, Tier, Token, TokenSelector, TokenSettings,
};
use secrecy::SecretString;

use crate::support::softhsm;

mod recovery;

const PIN: &str = "user-pin-7391";
const SO_PIN: &str = "so-pin-2846";
/// How long a trial waits for what must happen; a busy machine may need most of it.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn trials() -> Vec<Trial> {
    let with_softhsm = |name: &'static str, body: fn() -> Result<(), Failed>| {
        Trial::test(name, body).with_ignored_flag(softhsm::module().is_none())
    };
    let alone = |name: &'static str, body: fn() -> Result<(), Failed>| {
        Trial::test(name, move || softhsm::alone(name, body)).with_ignored_flag(softhsm::module().is_none())
    };
    let faulty = |name: &'static str, body: fn() -> Result<(), Failed>| {
        Trial::test(name, move || softhsm::alone(name, body))
            .with_ignored_flag(softhsm::module().is_none() || !softhsm::has_compiler())
    };
    vec![
        with_softhsm("keys::softhsm_makes_and_uses_every_kind_of_key", || every_kind(&House::softhsm("kinds"))),
        Trial::test("keys::software_makes_and_uses_every_kind_of_key", || every_kind(&House::software("kinds"))),
        with_softhsm("keys::softhsm_custody_is_without_findings", softhsm_custody),
        with_softhsm("keys::softhsm_is_never_made_twice_or_by_itself", || nothing_is_made(&House::softhsm("made"))),
        Trial::test("keys::software_is_never_made_twice_or_by_itself", || nothing_is_made(&House::software("made"))),
        with_softhsm("keys::softhsm_refuses_a_wrong_pin", || wrong_pin(&House::softhsm("wrong-pin"))),
        Trial::test("keys::software_refuses_a_wrong_pin", || wrong_pin(&House::software("wrong-pin"))),
        Trial::test("keys::software_key_files_are_private_and_encrypted", software_files),
        with_softhsm("keys::pool_signs_on_softhsm", || pool_signs(&House::softhsm("pool"))),
        Trial::test("keys::pool_signs_on_software", || pool_signs(&House::software("pool"))),
        with_softhsm("keys::pool_exchanges_keys", pool_exchanges_keys),
        with_softhsm("keys::pool_refuses_another_tokens_key", pool_refuses_a_swapped_key),
        Trial::test("keys::pool_lets_interactive_overtake_bulk", || lanes(1)),
        Trial::test("keys::pool_keeps_a_thread_free_of_bulk", || lanes(2)),
        Trial::test("keys::pool_answers_full_at_once", queue_full),
        Trial::test("keys::pool_survives_a_panicking_completion", panicking_completion),
        Trial::test("keys::pool_drains_when_it_stops", drains),
        alone("keys::pool_comes_back_when_the_tokens_directory_does", recovery::directory_away),
        alone("keys::pool_waits_for_a_missing_token_and_makes_none", recovery::pool_without_a_token),
        alone("keys::a_lost_token_does_not_keep_its_neighbour_down", recovery::neighbours),
        faulty("keys::pool_does_not_try_a_refused_pin_twice", recovery::refused_pin_once),
        faulty("keys::a_hanging_call_loses_its_thread_only", recovery::hang_one),
        faulty("keys::a_hanging_module_is_refused_and_comes_back", recovery::hang_all),
        faulty("keys::a_hanging_start_of_the_module_is_outlived", recovery::hang_initialize),
        faulty("keys::a_lost_device_is_recovered", recovery::device_error),
        faulty("keys::a_single_failure_fails_its_job_only", recovery::single_failure),
        faulty("keys::a_swapped_key_never_serves", recovery::swapped_after_loss),
        faulty("keys::a_silent_swap_is_noticed", recovery::swapped_silently),
    ]
}

/// A token for one trial, with what is to be removed after it.
struct House {
    settings: TokenSettings,
    directory: tempfile::TempDir,
}

impl House {
    fn new(label: &str, tier: impl FnOnce(&Path) -> Tier) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pin = directory.path().join("pin");
        write_private(&pin, PIN);
        let settings = TokenSettings::new(label, tier(directory.path()), Pin::File(pin));
        let house = Self { settings, directory };
        Token::create(&house.settings, &SecretString::from(SO_PIN), &SecretString::from(PIN)).unwrap();
        house
    }

    fn of_module(label: &str, module: PathBuf) -> Self {
        Self::new(label, |_| Tier::Pkcs11 { module, selector: TokenSelector::Label(format!("keys-{label}")) })
    }

    fn softhsm(label: &str) -> Self {
        Self::of_module(label, softhsm::module().unwrap().to_owned())
    }

    fn software(label: &str) -> Self {
        Self::new(label, |directory| Tier::Software { directory: directory.join(label) })
    }

    fn is_software(&self) -> bool {
        matches!(self.settings.tier, Tier::Software { .. })
    }

    fn key(&self, label: &str, algorithm: KeyAlgorithm) -> KeyInfo {
        Token::open_writable(&self.settings).unwrap().generate(label, algorithm).unwrap()
    }
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn spec(name: &str, key: &KeyInfo) -> KeySpec {
    KeySpec {
        name: name.to_owned(),
        uri: key.uri.clone(),
        algorithm: key.public_key.algorithm().default_signature(),
        public_key: key.public_key.clone(),
    }
}

/// Events, kept for looking at.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<KeyEvent>>>);

impl Events {
    fn sink(&self) -> EventSink {
        let events = self.clone();
        Arc::new(move |event| events.0.lock().unwrap().push(event))
    }

    fn count(&self, which: fn(&KeyEvent) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| which(event)).count()
    }

    fn texts(&self) -> String {
        self.0.lock().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn until_ready(pool: &Pool) {
    until("the pool to serve", || pool.health().state == PoolState::Ready);
}

fn recovering_reason(pool: &Pool) -> Option<String> {
    match pool.health().state {
        PoolState::Recovering { reason, .. } => Some(reason),
        _ => None,
    }
}

fn every_kind(house: &House) -> Result<(), Failed> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
    let token = Token::open_writable(&house.settings)?;
    let rsa = [RsaPkcs1(Sha256), RsaPkcs1(Sha384), RsaPkcs1(Sha512), RsaPss(Sha256), RsaPss(Sha384), RsaPss(Sha512)];
    let mut made = Vec::new();
    for (kind, algorithms) in [
        (KeyAlgorithm::EcP256, &[Ecdsa(Sha256), Ecdsa(Sha384)][..]),
        (KeyAlgorithm::EcP384, &[Ecdsa(Sha384)]),
        (KeyAlgorithm::Rsa { bits: 2048 }, &rsa),
        (KeyAlgorithm::Ed25519, &[SignatureAlgorithm::Ed25519]),
    ] {
        let label = kind.to_string();
        let key = token.generate(&label, kind)?;
        assert_eq!(key.public_key.algorithm(), kind);
        assert_eq!(key.uri.to_string().parse::<KeyUri>()?, key.uri);
        let signer = token.find(&key.uri)?;
        assert_eq!(signer.public_key(), &key.public_key);
        for algorithm in algorithms {
            let value = match signer.sign(*algorithm, b"message") {
                // What aws-lc-rs does not sign, it says so.
                Err(SignError::Unsupported { .. }) if house.is_software() && *algorithm == Ecdsa(Sha384) => {
                    assert_eq!(kind, KeyAlgorithm::EcP256);
                    continue;
                }
                other => other?,
            };
            key.public_key.verify(*algorithm, b"message", &value)?;
            assert!(key.public_key.verify(*algorithm, b"messagf", &value).is_err());
        }
        assert!(matches!(signer.sign(RsaPss(DigestAlgorithm::Sha1), b"m"), Err(SignError::Unsupported { .. })));
        assert!(matches!(token.generate(&label, kind), Err(KeyError::KeyExists { .. })));
        made.push(key);
    }
    assert!(matches!(token.generate("p521", KeyAlgorithm::EcP521), Err(KeyError::KeyUnsupported { .. })));
    drop(token);

    // Another opening finds the same keys, by label alone too, and a reader can't change them.
    let token = Token::open(&house.settings)?;
    let listed: Vec<_> = token.keys()?.into_iter().map(|key| key.uri).collect();
    let mut expected: Vec<_> = made.iter().map(|key| key.uri.clone()).collect();
    expected.sort_by_key(|uri| uri.object().unwrap().to_owned());
    assert_eq!(listed, expected);
    assert!(token.unusable_keys()?.is_empty());
    let scheme = if house.is_software() { "software:p256" } else { "pkcs11:object=p256" };
    assert_eq!(token.find(&scheme.parse()?)?.public_key(), &made[0].public_key);
    assert!(matches!(token.generate("new", KeyAlgorithm::EcP256), Err(KeyError::ReadOnly { .. })));
    assert!(matches!(token.destroy(&made[0].uri), Err(KeyError::ReadOnly { .. })));
    drop(token);

    let token = Token::open_writable(&house.settings)?;
    token.destroy(&made[0].uri)?;
    assert!(matches!(token.find(&made[0].uri).err(), Some(KeyError::KeyMissing { .. })));
    assert_eq!(token.keys()?.len(), made.len() - 1);
    Ok(())
}

fn softhsm_custody() -> Result<(), Failed> {
    let house = House::softhsm("custody");
    let key = house.key("k", KeyAlgorithm::EcP256);
    let token = Token::open(&house.settings)?;
    let custody = token.custody(&key.uri)?;
    assert_eq!(custody, key.custody);
    assert_eq!(custody.findings(), [], "{custody:?}");
    assert_eq!((custody.generated_locally, custody.never_extractable), (Some(true), Some(true)));
    assert_eq!(custody.generation_mechanism.as_deref(), Some("CKM_EC_KEY_PAIR_GEN"));
    let facts = token.facts();
    assert_eq!((facts.label.as_str(), facts.model.as_str()), ("keys-custody", "SoftHSM v2"));
    assert_eq!(key.uri.serial(), Some(facts.serial.as_str()));

    // The serial finds the token, and a URI of another token is refused.
    let Tier::Pkcs11 { module, .. } = house.settings.tier.clone() else { unreachable!() };
    let selector = TokenSelector::Serial(facts.serial.clone());
    let by_serial = TokenSettings { tier: Tier::Pkcs11 { module, selector }, ..house.settings.clone() };
    assert_eq!(Token::open(&by_serial)?.facts(), facts);
    let other: KeyUri = "pkcs11:token=keys-other;object=k".parse()?;
    assert!(matches!(token.find(&other).err(), Some(KeyError::KeyElsewhere { .. })));

    let software = House::software("custody");
    let key = software.key("k", KeyAlgorithm::EcP256);
    assert_eq!(key.custody.findings(), [Finding::NotInHardware]);
    Ok(())
}

fn nothing_is_made(house: &House) -> Result<(), Failed> {
    let again = Token::create(&house.settings, &SecretString::from(SO_PIN), &SecretString::from(PIN));
    assert!(matches!(again, Err(KeyError::TokenExists { .. })), "{again:?}");
    let mut missing = house.settings.clone();
    match &mut missing.tier {
        Tier::Pkcs11 { selector, .. } => *selector = TokenSelector::Label("keys-not-there".to_owned()),
        Tier::Software { directory } => *directory = directory.with_file_name("not-there"),
    }
    for _ in 0..2 {
        let error = Token::open_writable(&missing).err().ok_or("a missing token opened")?;
        assert!(matches!(error, KeyError::TokenMissing { .. }), "{error}");
    }
    let token = Token::open(&house.settings)?;
    let uri = if house.is_software() { "software:k" } else { "pkcs11:object=k" }.parse()?;
    assert!(matches!(token.find(&uri).err(), Some(KeyError::KeyMissing { .. })));
    assert!(token.keys()?.is_empty());
    Ok(())
}

fn wrong_pin(house: &House) -> Result<(), Failed> {
    let wrong = "wrong-pin-5555";
    let path = house.directory.path().join("wrong");
    write_private(&path, wrong);
    let settings = TokenSettings { pin: Pin::File(path), ..house.settings.clone() };
    let error = Token::open(&settings).err().ok_or("the wrong PIN was taken")?;
    assert!(matches!(error, KeyError::PinRefused { .. }), "{error}");
    for text in [error.to_string(), format!("{error:?}"), format!("{settings:?}")] {
        assert!(!text.contains(wrong) && !text.contains(PIN), "{text}");
    }
    Token::open(&house.settings)?;
    Ok(())
}

fn software_files() -> Result<(), Failed> {
    let house = House::software("files");
    house.key("k", KeyAlgorithm::EcP256);
    let Tier::Software { directory } = &house.settings.tier else { unreachable!() };
    assert_eq!(directory.metadata()?.permissions().mode() & 0o777, 0o700);
    let path = directory.join("k.pem");
    assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path)?;
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{text}");

    let token = Token::open(&house.settings)?;
    let uri = "software:k".parse()?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
    assert!(matches!(token.find(&uri).err(), Some(KeyError::Pin(_))));
    assert_eq!(token.unusable_keys()?.len(), 1);
    write_private(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(matches!(token.find(&uri).err(), Some(KeyError::Malformed { .. })));
    Ok(())
}

fn pool_signs(house: &House) -> Result<(), Failed> {
    const JOBS: usize = 200;
    let kinds = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Ed25519];
    let keys: Vec<_> = kinds.iter().map(|kind| spec(&kind.to_string(), &house.key(&kind.to_string(), *kind))).collect();
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), keys, events.sink())?;
    assert_eq!(pool.health().state, PoolState::Ready, "{}", events.texts());
    assert!(pool.key("nobody").is_none());
    let (sender, receiver) = mpsc::channel();
    for number in 0..JOBS {
        let key = pool.key(&kinds[number % kinds.len()].to_string()).ok_or("no such key")?;
        let lane = if number % 2 == 0 { Lane::Interactive } else { Lane::Bulk };
        let message = format!("message {number}").into_bytes();
        let (sender, signed, with) = (sender.clone(), message.clone(), key.clone());
        pool.submit(lane, &key, message, Box::new(move |result| sender.send((with, signed, result)).unwrap()))?;
    }
    drop(sender);
    let mut count = 0;
    for (key, message, result) in receiver {
        key.public_key().verify(key.algorithm(), &message, &result?)?;
        count += 1;
    }
    assert_eq!(count, JOBS);
    let health = pool.health();
    assert_eq!((health.threads, health.threads_lost, health.interactive_queued), (2, 0, 0));
    assert_eq!(health.facts.ok_or("no facts")?, Token::open(&house.settings)?.facts());
    pool.stop();
    let key = pool.key("p256").ok_or("no such key")?;
    let refused = pool.sign(Lane::Interactive, &key, b"late".to_vec());
    assert!(matches!(refused, Err(SignError::NotTaken(SubmitError::NotReady { .. }))), "{refused:?}");
    assert_eq!(pool.health().state, PoolState::Stopped);
    Ok(())
}

fn pool_exchanges_keys() -> Result<(), Failed> {
    let house = House::softhsm("exchange");
    let (first, second) = (house.key("first", KeyAlgorithm::EcP256), house.key("second", KeyAlgorithm::EcP256));
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), vec![spec("tsu", &first)], events.sink())?;
    let old = pool.key("tsu").ok_or("no such key")?;

    // A key that is not there, or that is another one than its certificate says, changes nothing.
    let missing = KeySpec { uri: "pkcs11:object=third".parse()?, ..spec("tsu", &second) };
    assert!(matches!(pool.set_keys(vec![missing]), Err(KeyError::KeyMissing { .. })));
    let crossed = KeySpec { public_key: first.public_key.clone(), ..spec("tsu", &second) };
    assert!(matches!(pool.set_keys(vec![crossed]), Err(KeyError::ChallengeFailed { .. })));
    assert!(matches!(
        pool.set_keys(vec![spec("tsu", &first), spec("tsu", &second)]),
        Err(KeyError::KeyNamedTwice { .. })
    ));
    assert_eq!(pool.health().state, PoolState::Ready);
    let value = pool.sign(Lane::Interactive, &old, b"m".to_vec())?;
    first.public_key.verify(old.algorithm(), b"m", &value)?;

    pool.set_keys(vec![spec("tsu", &second)])?;
    let new = pool.key("tsu").ok_or("no such key")?;
    for _ in 0..8 {
        let value = pool.sign(Lane::Interactive, &new, b"m".to_vec())?;
        second.public_key.verify(new.algorithm(), b"m", &value)?;
        // Who still holds the old handle still gets the old key's signature.
        let value = pool.sign(Lane::Interactive, &old, b"m".to_vec())?;
        first.public_key.verify(old.algorithm(), b"m", &value)?;
    }
    assert_eq!(events.count(|event| matches!(event, KeyEvent::KeysChanged { .. })), 1);
    assert_eq!(pool.health().threads, 2);
    Ok(())
}

fn pool_refuses_a_swapped_key() -> Result<(), Failed> {
    let house = House::softhsm("swapped");
    let (right, wrong) = (house.key("right", KeyAlgorithm::EcP256), house.key("wrong", KeyAlgorithm::EcP256));
    let crossed = KeySpec { uri: wrong.uri.clone(), ..spec("tsu", &right) };
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), vec![crossed], events.sink())?;
    let reason = recovering_reason(&pool).ok_or("it serves")?;
    assert!(reason.contains("tsu") && reason.contains("another key"), "{reason}");
    assert_eq!(events.count(|event| matches!(event, KeyEvent::ChallengeFailed { .. })), 1);
    let key = pool.key("tsu").ok_or("no such key")?;
    assert!(pool.sign(Lane::Interactive, &key, b"m".to_vec()).is_err());
    // A corrected configuration is taken while it refuses.
    pool.set_keys(vec![spec("tsu", &right)])?;
    let key = pool.key("tsu").ok_or("no such key")?;
    let value = pool.sign(Lane::Interactive, &key, b"m".to_vec())?;
    right.public_key.verify(key.algorithm(), b"m", &value)?;
    assert_eq!(events.count(|event| matches!(event, KeyEvent::TokenBack { .. })), 1);
    Ok(())
}

/// Something that completions wait at until it is opened.
#[derive(Default)]
struct Barrier {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Barrier {
    fn wait(&self) {
        drop(self.changed.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn software_pool(name: &str, change: impl FnOnce(&mut TokenSettings)) -> (House, Arc<Pool>, Events) {
    let mut house = House::software(name);
    change(&mut house.settings);
    let key = house.key("k", KeyAlgorithm::EcP256);
    let events = Events::default();
    let pool = Pool::start(house.settings.clone(), vec![spec("k", &key)], events.sink()).unwrap();
    assert_eq!(pool.health().state, PoolState::Ready);
    (house, pool, events)
}

/// Submits a job whose completion holds its thread until the barrier opens, and waits until it is there.
fn block_a_thread(pool: &Pool, lane: Lane, barrier: &Arc<Barrier>) {
    let (sender, receiver) = mpsc::channel();
    let barrier = Arc::clone(barrier);
    let done = Box::new(move |_| {
        sender.send(()).unwrap();
        barrier.wait();
    });
    pool.submit(lane, &pool.key("k").unwrap(), b"block".to_vec(), done).unwrap();
    receiver.recv_timeout(PATIENCE).unwrap();
}

fn lanes(sessions: usize) -> Result<(), Failed> {
    const EACH: usize = 20;
    let (_house, pool, _) = software_pool(&format!("lanes-{sessions}"), |settings| settings.sessions = sessions);
    let key = pool.key("k").ok_or("no such key")?;
    let barrier = Arc::new(Barrier::default());
    // The one thread that takes bulk jobs is held by one.
    block_a_thread(&pool, Lane::Bulk, &barrier);
    let order = Arc::new(Mutex::new(Vec::new()));
    for lane in [Lane::Bulk, Lane::Interactive] {
        for _ in 0..EACH {
            let order = Arc::clone(&order);
            pool.submit(lane, &key, b"m".to_vec(), Box::new(move |_| order.lock().unwrap().push(lane)))?;
        }
    }
    let done = |count| order.lock().unwrap().len() == count;
    if sessions > 1 {
        // The free thread does all interactive jobs, and no bulk job though it is idle then.
        until("the interactive jobs", || done(EACH));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!((order.lock().unwrap().len(), pool.health().bulk_queued), (EACH, EACH));
    } else {
        assert!(done(0));
    }
    barrier.open();
    until("all jobs", || done(2 * EACH));
    let order = order.lock().unwrap();
    assert!(order[..EACH].iter().all(|lane| *lane == Lane::Interactive), "{order:?}");
    Ok(())
}

fn queue_full() -> Result<(), Failed> {
    let (_house, pool, _) = software_pool("full", |settings| {
        settings.sessions = 1;
        settings.queue_length = 3;
        settings.bulk_queue_length = 2;
    });
    let key = pool.key("k").ok_or("no such key")?;
    let barrier = Arc::new(Barrier::default());
    block_a_thread(&pool, Lane::Interactive, &barrier);
    let completed = Arc::new(AtomicUsize::new(0));
    let submit = |lane| {
        let completed = Arc::clone(&completed);
        let done = Box::new(move |_| {
            completed.fetch_add(1, Ordering::SeqCst);
        });
        pool.submit(lane, &key, b"m".to_vec(), done)
    };
    for (lane, bound) in [(Lane::Interactive, 3), (Lane::Bulk, 2)] {
        for _ in 0..bound {
            submit(lane)?;
        }
        for _ in 0..3 {
            assert_eq!(submit(lane), Err(SubmitError::Full));
        }
    }
    let health = pool.health();
    assert_eq!((health.interactive_queued, health.bulk_queued), (3, 2));
    barrier.open();
    until("the queued jobs", || completed.load(Ordering::SeqCst) == 5);
    submit(Lane::Interactive)?;
    pool.stop();
    // No completion of a refused job was ever called.
    assert_eq!(completed.load(Ordering::SeqCst), 6);
    Ok(())
}

fn panicking_completion() -> Result<(), Failed> {
    let (_house, pool, events) = software_pool("panic", |settings| settings.sessions = 1);
    let key = pool.key("k").ok_or("no such key")?;
    pool.submit(Lane::Interactive, &key, b"m".to_vec(), Box::new(|_| panic!("on purpose, by a test")))?;
    pool.sign(Lane::Interactive, &key, b"m".to_vec())?;
    assert_eq!(events.count(|event| matches!(event, KeyEvent::CompletionPanicked { .. })), 1);
    assert_eq!(pool.health().state, PoolState::Ready);
    Ok(())
}

fn drains() -> Result<(), Failed> {
    const JOBS: usize = 50;
    let (_house, pool, events) = software_pool("drain", |_| {});
    let key = pool.key("k").ok_or("no such key")?;
    let signed = Arc::new(AtomicUsize::new(0));
    for number in 0..JOBS {
        let signed = Arc::clone(&signed);
        let lane = if number % 2 == 0 { Lane::Interactive } else { Lane::Bulk };
        let done = Box::new(move |result: Result<_, _>| drop(result.map(|_| signed.fetch_add(1, Ordering::SeqCst))));
        pool.submit(lane, &key, b"m".to_vec(), done)?;
    }
    pool.stop();
    assert_eq!(signed.load(Ordering::SeqCst), JOBS);
    assert_eq!(events.count(|event| matches!(event, KeyEvent::Stopped { refused: 0, .. })), 1);
    assert!(matches!(pool.set_keys(Vec::new()), Err(KeyError::Stopped)));
    Ok(())
}

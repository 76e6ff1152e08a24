//! The verbs: their words, messages, exit codes, and what `init` and `up` leave behind.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use noonmark::crypto::DigestAlgorithm;

use super::support::records;
use super::support::server::{Installation, free_port, program, text};
use super::support::softhsm;
use super::support::timestamp::{Request, token};

pub fn trials() -> Vec<Trial> {
    let softhsm = softhsm::module().is_some();
    let has = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    let mut trials = vec![
        Trial::test("cli::help_and_wrong_words", words),
        Trial::test("cli::a_reader_that_leaves_ends_a_verb_quietly", reader_leaves),
        Trial::test("cli::check_tells_of_each_part", check),
        Trial::test("cli::audit_finds_and_verifies", audit),
        Trial::test("cli::up_and_what_it_says", up).with_ignored_flag(!has("openssl") || !has("curl")),
        Trial::test("cli::up_ends_with_its_server", up_ends),
        Trial::test("cli::serve_answers_within_two_seconds", quick_start).with_ignored_flag(!softhsm),
        Trial::test("cli::init_overwrites_nothing", init_refuses),
        Trial::test("cli::init_that_fails_leaves_nothing", init_fails).with_ignored_flag(!softhsm),
        Trial::test("cli::two_inits_at_once", init_race),
        Trial::test("cli::secrets_are_their_owners_alone", secrets).with_ignored_flag(!softhsm),
    ];
    for shell in ["bash", "zsh", "fish"] {
        trials.push(
            Trial::test(format!("cli::completions_for_{shell}"), move || completions(shell))
                .with_ignored_flag(!has(shell)),
        );
    }
    trials
}

fn noonmark(arguments: &[&str]) -> std::process::Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// `noonmark … | head`: no panic, and the signal that ends other programs too.
fn reader_leaves() -> Result<(), Failed> {
    let mut child =
        Command::new(program()).args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // Gone before anything is written, or with the pipe full: more than a pipe holds is printed.
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(13), "SIGPIPE: {output:?}");
    assert!(output.stderr.is_empty(), "{}", text(&output));
    Ok(())
}

fn words() -> Result<(), Failed> {
    let verbs = [
        ("", true),
        ("init", true),
        ("up", true),
        ("serve", false),
        ("check", false),
        ("key", false),
        ("key list", false),
        ("key generate", true),
        ("key csr", true),
        ("key import-cert", true),
        ("key rotate", false),
        ("key destroy", true),
        ("timestamp", true),
        ("audit", false),
        ("audit find", true),
        ("audit verify", false),
        ("completions", true),
    ];
    for (verb, example) in verbs {
        let output = noonmark(&verb.split_whitespace().chain(["--help"]).collect::<Vec<_>>());
        let said = text(&output);
        assert!(output.status.success() && said.contains("Usage: noonmark"), "{verb}: {said}");
        let examples = said.lines().filter(|line| line.contains("noonmark ") && !line.contains("Usage")).count();
        assert!(!example || examples > 0, "{verb} has no example: {said}");
    }
    for wrong in [
        &["stamp"][..],
        &[],
        &["serve", "--port", "1"],
        &["audit", "find"],
        &["audit", "find", "--imprint", "00", "--serial", "00"],
        &["key", "csr", "x"],
        &["init", "--algorithm", "dsa"],
        &["init", "--join"],
        &["completions", "tcl"],
        &["timestamp"],
    ] {
        assert_eq!(noonmark(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let directory = nowhere.path().join("var");
    for verb in ["serve", "up", "check", "key list", "key rotate", "audit verify", "audit find --serial 01"] {
        let output = noonmark(&verb.split(' ').chain(["--dir", directory.to_str().unwrap()]).collect::<Vec<_>>());
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
        assert!(said.contains(&format!("noonmark init --dir {}", directory.display())), "{verb}: {said}");
    }
    assert_eq!(names(nowhere.path()), [""; 0], "looking makes nothing");
    let said = text(&noonmark(&["timestamp", "/nowhere/file"]));
    assert!(said.contains("/nowhere/file: "), "{said}");
    Ok(())
}

fn completions(shell: &str) -> Result<(), Failed> {
    let output = noonmark(&["completions", shell]);
    assert!(output.status.success());
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("script");
    std::fs::write(&script, &output.stdout).unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("import-cert"));
    let parsed = Command::new(shell).arg("-n").arg(&script).output().unwrap();
    assert!(parsed.status.success() && parsed.stderr.is_empty(), "{}", text(&parsed));
    Ok(())
}

fn checks(installation: &Installation) -> (Option<i32>, BTreeMap<String, (String, String)>) {
    let output = installation.noonmark(&["check", "--json"]);
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    let word = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap().to_owned();
    let parts = list.iter().map(|check| (word(check, "name"), (word(check, "state"), word(check, "reason"))));
    (output.status.code(), parts.collect())
}

fn check() -> Result<(), Failed> {
    let installation = Installation::software();
    let (code, parts) = checks(&installation);
    assert_eq!(code, Some(0), "{parts:?}");
    assert_eq!(parts["store"].0, "ok");
    assert_eq!(parts["profile default"].0, "ok");
    assert_eq!(parts["token service"].0, "warning");
    assert!(parts["token service"].1.contains("whoever reads the files and the passphrase"), "{parts:?}");
    assert_eq!(parts["clock"].0, "warning");
    let table = installation.command(&["check"]).env_remove("COLUMNS").output().unwrap();
    let said = text(&table);
    assert!(table.status.success() && said.contains("WARNING"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");

    let moved = |from: &str, part: &str| {
        let (from, away) = (installation.directory().join(from), installation.directory().join("away"));
        std::fs::rename(&from, &away).unwrap();
        let (code, parts) = checks(&installation);
        assert_eq!(code, Some(1), "{parts:?}");
        assert_eq!(parts[part].0, "failed", "{parts:?}");
        assert!(!parts[part].1.is_empty());
        assert_eq!(installation.noonmark(&["check"]).status.code(), Some(1));
        assert!(!from.exists(), "check makes nothing");
        std::fs::rename(away, from).unwrap();
        parts
    };
    let parts = moved("keys/service", "token service");
    assert_eq!((parts["store"].0.as_str(), parts["profile default"].0.as_str()), ("ok", "failed"));
    let parts = moved("noonmark.db", "store");
    assert!(parts["store"].1.contains("there is no database at"), "{parts:?}");
    assert_eq!(parts["token service"].0, "warning", "the other parts are told all the same");
    let parts = moved("secrets/service.pin", "token service");
    assert!(parts["token service"].1.contains("service.pin"), "{parts:?}");
    assert_eq!(checks(&installation).0, Some(0));
    Ok(())
}

fn audit() -> Result<(), Failed> {
    let installation = Installation::software();
    let server = installation.serve();
    let read = token(&server.stamp(&Request::over(b"a document").to_der()).body);
    let serial = hex::encode(&read.serial);
    let imprint = hex::encode(DigestAlgorithm::Sha256.digest(b"a document").as_ref());
    let colons =
        serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(":");
    for asked in [
        ["--imprint", imprint.as_str()],
        ["--serial", &serial],
        ["--serial", &format!("0x{}", serial.to_uppercase())],
        ["--serial", &colons],
    ] {
        let said = installation.run(&["audit", "find", asked[0], asked[1]]);
        assert!(
            said.contains(&serial) && said.contains(&imprint) && said.contains("caller address:127.0.0.1"),
            "{said}"
        );
    }
    let json = installation.run(&["audit", "find", "--json", "--serial", &serial]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["token"]["key"], "tsu-default-1");
    let nothing = installation.noonmark(&["audit", "find", "--imprint", &"00".repeat(32)]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing).contains("no token with imprint"), "{}", text(&nothing));
    let wrong = installation.noonmark(&["audit", "find", "--serial", "xyz"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong).contains("is not hexadecimal"));
    let searches = records::events(&installation, "audit-find");
    assert_eq!(searches.len(), 6, "who looked for what is on record too: {searches:?}");
    assert!(searches.iter().all(|event| !event["who"].as_str().unwrap().is_empty()));

    assert!(server.stop());
    let whole = installation.run(&["audit", "verify"]);
    assert_eq!(whole.matches("whole").count(), 2, "{whole}");
    let database = rusqlite::Connection::open(installation.directory().join("noonmark.db")).unwrap();
    let changed = database.execute("UPDATE ledger SET caller = 'name:nobody' WHERE serial IS NOT NULL", []).unwrap();
    assert_eq!(changed, 1);
    let broken = installation.noonmark(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken).contains("BROKEN") && text(&broken).contains("was changed"), "{}", text(&broken));
    let json = installation.noonmark(&["audit", "verify", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let broken = json["chains"].as_array().unwrap().iter().filter(|chain| !chain["broken"].is_null()).count();
    assert_eq!(broken, 1, "{json}");
    Ok(())
}

/// A running `noonmark up`; killed with its server when dropped.
struct Up {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Up {
    fn start(installation: &Installation) -> Self {
        let port = free_port();
        let log = installation.directory().join(format!("up-{port}.log"));
        let child = installation
            .command(&["up"])
            .env("NOONMARK_HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, port, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its server's process, once there is one.
    fn server(&self) -> Option<u32> {
        let output = Command::new("ps").args(["-o", "pid=", "--ppid", &self.child.id().to_string()]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).split_whitespace().next().and_then(|pid| pid.parse().ok())
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        wait_until("`up` ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(server) = self.server() {
            drop(Command::new("kill").args(["-KILL", &server.to_string()]).status());
        }
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the log of up:\n{}", self.log());
        }
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not in 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn up() -> Result<(), Failed> {
    // A directory that must be quoted.
    let home = tempfile::Builder::new().prefix("it's a ").tempdir().unwrap();
    let installation = Installation::inside(home, &["--tier", "software"]);
    let mut up = Up::start(&installation);
    let mut said = String::new();
    for line in BufReader::new(up.child.stdout.take().unwrap()).lines() {
        said.push_str(&line.unwrap());
        said.push('\n');
        if said.contains("Stop with Ctrl-C") {
            break;
        }
    }
    assert!(said.contains(&format!("http://127.0.0.1:{}/tsa", up.port)), "{said}");
    let pasted: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(pasted.len(), 6, "{said}");
    let elsewhere = tempfile::tempdir().unwrap();
    let output =
        Command::new("sh").args(["-e", "-c", &pasted.join("\n")]).current_dir(elsewhere.path()).output().unwrap();
    let told = text(&output);
    assert!(output.status.success(), "{told}\n{said}");
    assert!(told.contains("Verification: OK") && told.contains("hello.txt.tsr: "), "{told}");

    let server = up.server().expect("the server is a child of up");
    up.signal("-HUP");
    wait_until("SIGHUP is passed on", || up.log().contains(" reloaded"));
    assert!(up.child.try_wait().unwrap().is_none() && is_running(server), "both go on");
    up.signal("-TERM");
    assert!(up.wait().success(), "{}", up.log());
    assert!(!is_running(server));
    assert!(up.log().contains("stopped"), "{}", up.log());
    Ok(())
}

fn up_ends() -> Result<(), Failed> {
    let installation = Installation::software();
    for (signal, early) in [("-INT", false), ("-TERM", true), ("-INT", true)] {
        let mut up = Up::start(&installation);
        let mut server = None;
        wait_until("a server", || {
            server = up.server();
            server.is_some()
        });
        if !early {
            wait_until("an answer", || std::net::TcpStream::connect(("127.0.0.1", up.port)).is_ok());
        }
        up.signal(signal);
        up.wait();
        let server = server.unwrap();
        assert!(!is_running(server), "{signal} (early: {early}) left the server behind: {}", up.log());
    }
    // A server that can't start is told of, and `up` fails with it.
    installation.configure("[nonsense]\n");
    let output = installation.noonmark(&["up"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("nonsense"), "{}", text(&output));
    Ok(())
}

fn quick_start() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    // The best of three: the machine may be busy with other tests.
    let best = (0..3)
        .map(|_| {
            let server = installation.serve();
            let took = server.started.elapsed();
            assert!(server.stop());
            took
        })
        .min()
        .unwrap();
    assert!(best < Duration::from_secs(2), "{best:?}");
    Ok(())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file below a directory with its mode and its digest.
fn tree(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_dir() {
            found.extend(tree(&path));
            Vec::new()
        } else {
            DigestAlgorithm::Sha256.digest(&std::fs::read(&path).unwrap()).as_ref().to_vec()
        };
        found.insert(path, (metadata.permissions().mode() & 0o7777, content));
    }
    found
}

fn init_refuses() -> Result<(), Failed> {
    let installation = Installation::software();
    let before = tree(installation.directory());
    for arguments in [&["init", "--tier", "software"][..], &["init"], &["init", "--module", "/nonexistent.so"]] {
        let output = installation.noonmark(arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output);
        assert!(said.contains("nothing was changed") && said.contains("noonmark up --dir"), "{said}");
    }
    assert_eq!(tree(installation.directory()), before);
    assert_eq!(names(installation.directory().parent().unwrap()), ["var"]);
    // Whatever is in a directory is not written over, an installation or not.
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    let output = noonmark(&["init", "--tier", "software", "--dir", home.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(names(home.path()), ["thesis.txt"]);
    Ok(())
}

fn init_fails() -> Result<(), Failed> {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("a/b/var");
    let not_a_module = home.path().join("not-a-module.so");
    std::fs::write(&not_a_module, "x").unwrap();
    let open_pin = home.path().join("open.pin");
    std::fs::write(&open_pin, "1234").unwrap();
    std::fs::set_permissions(&open_pin, std::fs::Permissions::from_mode(0o644)).unwrap();
    let softhsm = softhsm::write_configuration(home.path());
    let before = tree(home.path());
    let open_token = format!("service=nowhere:{}", open_pin.display());
    for (arguments, reason) in [
        (vec!["--module", "/nonexistent.so"], "there is no file /nonexistent.so"),
        (vec!["--module", not_a_module.to_str().unwrap()], "can't be loaded as a PKCS#11 module"),
        (vec!["--use-token", "service=label:/nowhere.pin"], "/nowhere.pin"),
        (vec!["--use-token", &open_token], "open.pin"),
        (vec!["--use-token", "nonsense"], "is not ROLE=LABEL:PINFILE"),
        (vec!["--country", "Germany"], "is not two capital letters"),
        (vec!["--tier", "software", "--public-url", "ftp://x"], "public_url"),
        (vec!["--tier", "software", "--database", "mysql://x"], "\"mysql\" is no store"),
    ] {
        let output = Command::new(program())
            .args(["init", "--clock", "system", "--dir"])
            .arg(&directory)
            .args(&arguments)
            .env("SOFTHSM2_CONF", &softhsm)
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
        assert_eq!(tree(home.path()), before, "{arguments:?} left something behind");
    }
    Ok(())
}

fn init_race() -> Result<(), Failed> {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("var");
    let outputs: Vec<std::process::Output> = std::thread::scope(|scope| {
        let run =
            || noonmark(&["init", "--tier", "software", "--clock", "system", "--dir", directory.to_str().unwrap()]);
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let said: Vec<String> = outputs.iter().map(text).collect();
    assert_eq!(outputs.iter().filter(|output| output.status.success()).count(), 1, "{said:?}");
    for output in outputs.iter().filter(|output| !output.status.success()) {
        let said = text(output);
        assert!(said.contains("was changed"), "{said}");
    }
    assert_eq!(names(home.path()), ["var"], "the losers leave nothing behind");
    // What the winner made is whole.
    let checked = noonmark(&["check", "--dir", directory.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", text(&checked));
    Ok(())
}

fn secrets() -> Result<(), Failed> {
    let home = tempfile::tempdir().unwrap();
    // However generous the umask.
    let directory = home.path().join("var");
    for (tier, secret) in [("software", "keys/"), ("pkcs11", "tokens/")] {
        let command = format!(
            "umask 0; exec {} init --clock system --tier {tier} --dir {}",
            program().display(),
            directory.display()
        );
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let said = text(&output);
        if tier == "software" {
            assert!(said.contains("WARNING: the keys are in encrypted files"), "{said}");
        }
        let tree = tree(&directory);
        let mode = |path: &str| tree.get(&directory.join(path)).unwrap_or_else(|| panic!("{path} in {tree:?}")).0;
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        for path in ["secrets", secret.trim_end_matches('/')] {
            assert_eq!(mode(path) & 0o077, 0, "{path}");
        }
        for role in ["root", "ca", "service"] {
            assert_eq!(mode(&format!("secrets/{role}.pin")), 0o600);
            let pin = std::fs::read_to_string(directory.join(format!("secrets/{role}.pin"))).unwrap();
            assert!(!said.contains(&pin), "a PIN is printed");
        }
        assert_eq!(mode("noonmark.toml"), 0o600);
        if tier == "software" {
            let files = tree
                .iter()
                .filter(|(path, (_, content))| path.starts_with(directory.join("keys")) && !content.is_empty());
            assert!(files.clone().count() >= 4);
            assert!(files.clone().all(|(_, (mode, _))| mode & 0o077 == 0), "{tree:?}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
    Ok(())
}

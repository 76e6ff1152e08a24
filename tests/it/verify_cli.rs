//! `noonmark verify`: what it reads, says and ends with; everything is made by openssl.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::support::crl_server::{CrlServer, CrlSigner, Route, Wanted};
use super::support::openssl_ca::{OpensslCa, available};
use super::support::server::{program, text};

const DAY_S: i64 = 86_400;

pub fn trials() -> Vec<Trial> {
    let trials = [
        Trial::test("verify_cli::every_kind_of_document_passes", kinds),
        Trial::test("verify_cli::exit_codes_tell_what_became_of_all", exit_codes),
        Trial::test("verify_cli::json_is_an_object_a_document", json_objects),
        Trial::test("verify_cli::contents_are_held_against", contents),
        Trial::test("verify_cli::anchors_come_in_every_form", anchors),
        Trial::test("verify_cli::policies_by_name_and_file", policies),
        Trial::test("verify_cli::evidence_is_judged_again", evidence),
        Trial::test("verify_cli::evidence_that_was_tampered_with_is_refused_or_fails", tampered_evidence),
        Trial::test("verify_cli::the_past_is_judged", past),
        Trial::test("verify_cli::what_is_missing_is_fetched_where_that_is_allowed", fetching),
        Trial::test("verify_cli::many_files_are_told_in_their_order", many),
        Trial::test("verify_cli::a_stranger_writes_nothing_to_the_terminal", terminal),
        Trial::test("verify_cli::standard_input_and_wrong_words", words),
    ];
    let possible = available();
    trials.into_iter().map(|trial| trial.with_ignored_flag(!possible)).collect()
}

/// A CA, a signer, a TSU, and what they made.
struct World {
    ca: OpensslCa,
    crls: CrlServer,
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

fn now_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl World {
    fn new() -> Self {
        let ca = OpensslCa::new();
        let crls = CrlServer::start();
        let signer = format!(
            "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
             crlDistributionPoints=URI:{}\nauthorityInfoAccess=caIssuers;URI:{}\n",
            crls.url("/intermediate.crl"),
            crls.url("/intermediate.cer"),
        );
        let unit = format!("{signer}extendedKeyUsage=critical,timeStamping\n");
        ca.issue("alice", "/CN=Alice", &signer);
        ca.issue("bob", "/CN=Bob", &signer);
        ca.issue("tsu", "/CN=Unit", &unit);
        ca.openssl(&["x509", "-in", "intermediate.pem", "-outform", "DER", "-out", "intermediate.der"]);
        std::fs::create_dir(ca.path("held")).unwrap();
        let wanted = Wanted {
            number: 1,
            base: None,
            this_update_s: now_s() - DAY_S,
            next_update_s: now_s() + 30 * DAY_S,
            serials: Vec::new(),
        };
        for name in ["root", "intermediate"] {
            let crl = CrlSigner::new(&ca, name).crl(&wanted);
            std::fs::write(ca.path(&format!("held/{name}.crl")), &crl).unwrap();
            crls.route(&format!("/{name}.crl"), Route::Crl(crl, "\"one\""));
        }
        let issuer = std::fs::read(ca.path("intermediate.der")).unwrap();
        crls.route("/intermediate.cer", Route::Crl(issuer, "\"issuer\""));
        std::fs::copy(ca.path("intermediate.pem"), ca.path("held/intermediate.pem")).unwrap();
        ca.write("held/README", "no evidence");

        ca.write("contract.txt", "a contract\n");
        ca.write("other.txt", "another contract\n");
        let sign = |more: &[&str]| {
            let words = ["cms", "-sign", "-binary", "-cades", "-outform", "DER", "-in", "contract.txt"];
            let signer = ["-signer", "alice.pem", "-inkey", "alice.key"];
            ca.openssl(&[&words[..], &signer, more].concat());
        };
        sign(&["-nodetach", "-out", "attached.p7m"]);
        sign(&["-out", "contract.txt.p7s"]);
        sign(&["-out", "detached.p7s"]);
        sign(&["-nodetach", "-stream", "-out", "streamed.p7m"]);
        ca.openssl(&[
            "cms",
            "-cmsout",
            "-inform",
            "DER",
            "-in",
            "attached.p7m",
            "-outform",
            "PEM",
            "-out",
            "attached.pem",
        ]);
        let mut changed = std::fs::read(ca.path("attached.p7m")).unwrap();
        let at = changed.windows(8).position(|window| window == b"contract").unwrap();
        changed[at] ^= 1;
        std::fs::write(ca.path("changed.p7m"), changed).unwrap();

        let settings = "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4\n\
            digests=sha256\ness_cert_id_alg=sha256\n";
        ca.write("ts.cnf", settings);
        ca.write("serial", "01\n");
        ca.openssl(&["ts", "-query", "-data", "contract.txt", "-sha256", "-cert", "-out", "contract.tsq"]);
        let reply = ["ts", "-reply", "-config", "ts.cnf", "-queryfile", "contract.tsq", "-signer", "tsu.pem"];
        ca.openssl(&[&reply[..], &["-inkey", "tsu.key", "-out", "contract.txt.tsr"]].concat());
        ca.openssl(&["ts", "-reply", "-in", "contract.txt.tsr", "-token_out", "-out", "alone.tst"]);
        Self { ca, crls }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.ca.path(name)
    }

    /// Runs `noonmark verify` in the world's directory, where no installation is.
    fn verify(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .arg("verify")
            .args(arguments)
            .current_dir(self.path("."))
            .env_remove("NOONMARK_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// With the anchor and everything held.
    fn with_all(&self, arguments: &[&str]) -> Output {
        self.verify(&[&["--offline", "--trust", "root.pem", "--held", "held"], arguments].concat())
    }

    /// The objects that `--json` prints.
    fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.with_all(&[&["--json"], arguments].concat());
        objects(&output)
    }
}

fn objects(output: &Output) -> Vec<Value> {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn code(output: &Output, expected: i32) -> Result<(), Failed> {
    if output.status.code() == Some(expected) {
        return Ok(());
    }
    Err(format!("{} instead of {expected}\n{}", output.status, text(output)).into())
}

fn kinds() -> Result<(), Failed> {
    let files = ["attached.p7m", "attached.pem", "streamed.p7m", "contract.txt.p7s", "contract.txt.tsr", "alice.pem"];
    for file in files {
        let output = WORLD.with_all(&[file]);
        code(&output, 0)?;
        assert!(text(&output).contains(&format!("{file}: PASSED")), "{}", text(&output));
    }
    let token = WORLD.with_all(&["alone.tst", "--content", "contract.txt", "--details"]);
    code(&token, 0)?;
    assert!(text(&token).contains("by crl of"), "{}", text(&token));
    Ok(())
}

fn exit_codes() -> Result<(), Failed> {
    code(&WORLD.with_all(&["changed.p7m"]), 1)?;
    code(&WORLD.with_all(&["attached.p7m", "changed.p7m"]), 1)?;
    // Without revocation data it can't be told.
    code(&WORLD.verify(&["--offline", "--trust", "root.pem", "--held", "intermediate.pem", "attached.p7m"]), 2)?;
    code(&WORLD.verify(&["--offline", "attached.p7m"]), 2)?;
    for nothing in ["contract.txt", "missing.p7m", "held/intermediate.crl"] {
        code(&WORLD.with_all(&[nothing]), 3)?;
        code(&WORLD.with_all(&["changed.p7m", nothing, "attached.p7m"]), 3)?;
    }
    code(&WORLD.verify(&["--offline", "--trust", "contract.txt", "attached.p7m"]), 3)?;
    code(&WORLD.verify(&["--offline", "--trust", "missing", "attached.p7m"]), 3)
}

fn json_objects() -> Result<(), Failed> {
    let printed = WORLD.objects(&["attached.p7m", "contract.txt.tsr", "alice.pem", "contract.txt"]);
    assert_eq!(printed.len(), 4);
    let [message, timestamp, certificate, nothing] = &printed[..] else { unreachable!() };
    assert_eq!(message["file"], "attached.p7m");
    assert_eq!(message["verdict"], "passed");
    let signature = &message["signatures"][0];
    assert_eq!(signature["indication"], "TOTAL-PASSED");
    assert_eq!(signature["sub_indication"], Value::Null);
    assert_eq!(signature["signer"], "CN=Alice");
    assert_eq!(signature["level"], "B");
    assert_eq!(signature["best_signature_time"]["proven_by"], "presence");
    let chain = signature["chain"].as_array().ok_or("no chain")?;
    assert_eq!(chain.len(), 3, "{chain:?}");
    assert_eq!(chain[0]["status"]["status"], "good");
    assert_eq!(chain[0]["status"]["sources"][0]["source"], "held");
    assert_eq!(chain[2]["is_anchor"], true);
    assert_eq!(message["timestamps"], Value::Array(Vec::new()));
    assert_eq!(timestamp["timestamps"][0]["indication"], "PASSED");
    assert_eq!(timestamp["timestamps"][0]["compared"], true);
    assert_eq!(certificate["certificates"][0]["indication"], "PASSED");
    assert_eq!(nothing["signatures"], Value::Array(Vec::new()));
    assert!(nothing["error"].as_str().is_some_and(|error| error.contains("neither")), "{nothing}");
    Ok(())
}

fn contents() -> Result<(), Failed> {
    let first = |arguments: &[&str]| -> (String, String) {
        let object = WORLD.objects(arguments).remove(0);
        let of = if object["format"] == "cms" { &object["signatures"][0] } else { &object["timestamps"][0] };
        let word = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        (word("indication"), word("sub_indication"))
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(first(&["detached.p7s"]), pair("INDETERMINATE", "SIGNED_DATA_NOT_FOUND"));
    assert_eq!(first(&["detached.p7s", "--content", "contract.txt"]), pair("TOTAL-PASSED", ""));
    assert_eq!(first(&["detached.p7s", "--content", "other.txt"]), pair("TOTAL-FAILED", "HASH_FAILURE"));
    // The file beside it is found by its name.
    assert_eq!(first(&["contract.txt.p7s"]), pair("TOTAL-PASSED", ""));
    assert_eq!(first(&["contract.txt.tsr"]), pair("PASSED", ""));
    assert_eq!(first(&["contract.txt.tsr", "--content", "other.txt"]), pair("FAILED", "HASH_FAILURE"));
    let digest = |file: &str| {
        let printed = WORLD.ca.openssl(&["dgst", "-sha256", "-r", file]);
        format!("sha256:{}", printed.split_whitespace().next().unwrap())
    };
    assert_eq!(first(&["detached.p7s", "--content-digest", &digest("contract.txt")]), pair("TOTAL-PASSED", ""));
    let other = digest("other.txt");
    assert_eq!(first(&["detached.p7s", "--content-digest", &other]), pair("TOTAL-FAILED", "HASH_FAILURE"));
    assert_eq!(first(&["alone.tst", "--content-digest", &other]), pair("FAILED", "HASH_FAILURE"));
    let sha512 = format!("sha512:{}", "00".repeat(64));
    assert_eq!(first(&["alone.tst", "--content-digest", &sha512]), pair("INDETERMINATE", "SIGNED_DATA_NOT_FOUND"));
    // Another content than the one that the message carries.
    assert_eq!(first(&["attached.p7m", "--content", "other.txt"]), pair("TOTAL-FAILED", "HASH_FAILURE"));
    for wrong in ["sha256:00", "sha256", "md4:00", "sha256:zz"] {
        code(&WORLD.with_all(&["detached.p7s", "--content-digest", wrong]), 3)?;
    }
    code(&WORLD.with_all(&["detached.p7s", "attached.p7m", "--content", "contract.txt"]), 3)
}

fn anchors() -> Result<(), Failed> {
    let ca = &WORLD.ca;
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(at("password"), "secret words\n")?;
    std::fs::write(at("wrong"), "other words\n")?;
    let pass = format!("file:{}", at("password"));
    let p12 = ["pkcs12", "-export", "-nokeys", "-in", "root.pem", "-passout", &pass, "-out"];
    ca.openssl(&[&p12[..], &[&at("root.p12")]].concat());
    ca.openssl(&["crl2pkcs7", "-nocrl", "-certfile", "root.pem", "-out", &at("root.p7b")]);
    ca.openssl(&["x509", "-in", "root.pem", "-outform", "DER", "-out", &at("root.cer")]);
    std::fs::create_dir(at("anchors"))?;
    std::fs::copy(ca.path("root.pem"), at("anchors/one.pem"))?;
    // What lies beside them is passed over.
    std::fs::write(at("anchors/README"), "what these are")?;
    std::fs::copy(ca.path("held/root.crl"), at("anchors/root.crl"))?;
    std::fs::copy(ca.path("root.key"), at("anchors/root.key"))?;
    ca.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "root.key", "-outform", "DER", "-out", &at("anchors/key.der")]);
    let held = ["--offline", "--held", "held", "attached.p7m"];
    for file in ["root.p7b", "root.cer", "anchors"] {
        code(&WORLD.verify(&[&["--trust", &at(file)][..], &held].concat()), 0)?;
    }
    let with = |password: &str| {
        WORLD.verify(&[&["--trust", &at("root.p12"), "--trust-password-file", &at(password)][..], &held].concat())
    };
    code(&with("password"), 0)?;
    let wrong = with("wrong");
    code(&wrong, 3)?;
    assert!(text(&wrong).contains("password") && !text(&wrong).contains("other words"), "{}", text(&wrong));
    // An intermediate that is trusted is where the chain ends.
    code(&WORLD.verify(&[&["--trust", "intermediate.pem"][..], &held].concat()), 0)?;
    // A broken one is not.
    let root = std::fs::read(at("root.cer"))?;
    let mut broken = root;
    broken[40] = 0xff;
    std::fs::write(at("anchors/broken.cer"), broken)?;
    code(&WORLD.verify(&[&["--trust", &at("anchors")][..], &held].concat()), 3)?;
    std::fs::create_dir(at("empty"))?;
    let empty = WORLD.verify(&[&["--trust", &at("empty")][..], &held].concat());
    code(&empty, 3)
}

fn policies() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let write = |name: &str, policy: &str| -> String {
        let path = directory.path().join(name);
        std::fs::write(&path, policy).unwrap();
        path.display().to_string()
    };
    let without = ["--offline", "--trust", "root.pem", "--held", "intermediate.pem", "attached.p7m", "--policy"];
    code(&WORLD.verify(&[&without[..], &["without-revocation"]].concat()), 0)?;
    code(&WORLD.verify(&[&without[..], &["default"]].concat()), 2)?;
    let strict = write("strict.toml", "[levels]\nsignature-timestamp = \"fail\"\n");
    let output = WORLD.with_all(&["attached.p7m", "--json", "--policy", &strict]);
    code(&output, 2)?;
    let object = objects(&output).remove(0);
    assert_eq!(object["policy"], "strict");
    assert_eq!(object["signatures"][0]["sub_indication"], "SIG_CONSTRAINTS_FAILURE");
    let failed = |check: &&Value| check["outcome"] == "failed";
    let checks = object["signatures"][0]["checks"].as_array().ok_or("no checks")?;
    assert_eq!(checks.iter().find(failed).map(|check| &check["name"]), Some(&Value::from("signature-timestamp")));
    // Its anchors stand beside it.
    std::fs::copy(WORLD.path("root.pem"), directory.path().join("root.pem"))?;
    let own = write("own.toml", "[[anchors]]\npath = \"root.pem\"\nfor = \"signatures\"\n");
    code(&WORLD.verify(&["--offline", "--held", "held", "attached.p7m", "--policy", &own]), 0)?;
    // They are trusted for signatures alone.
    code(&WORLD.verify(&["--offline", "--held", "held", "contract.txt.tsr", "--policy", &own]), 2)?;
    let broken = write("broken.toml", "[levels]\nsignature-timestamps = \"fail\"\n");
    let output = WORLD.with_all(&["attached.p7m", "--policy", &broken]);
    code(&output, 3)?;
    assert!(text(&output).contains("signature-timestamp"), "{}", text(&output));
    let output = WORLD.with_all(&["attached.p7m", "--policy", "strickt"]);
    code(&output, 3)?;
    assert!(text(&output).contains("without-revocation"), "{}", text(&output));
    Ok(())
}

fn evidence() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("evidence.json").display().to_string();
    let output =
        WORLD.with_all(&["--json", "attached.p7m", "contract.txt.p7s", "contract.txt.tsr", "--evidence", &file]);
    code(&output, 0)?;
    let first = objects(&output);
    // In a directory with nothing else, without anything else.
    let again = |arguments: &[&str]| {
        Command::new(program())
            .args(["verify", "evidence.json", "--json"])
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let output = again(&[]);
    code(&output, 0)?;
    assert!(objects(&output) == first, "the reports are not the same to the last word");
    // At another time, by another policy, with other anchors.
    let far = again(&["--at", "2100-01-01"]);
    code(&far, 2)?;
    assert_eq!(objects(&far)[0]["time"], "2100-01-01T00:00:00Z");
    let lenient = again(&["--policy", "without-revocation"]);
    code(&lenient, 0)?;
    assert_eq!(objects(&lenient)[0]["policy"], "without-revocation");
    let bob = WORLD.path("bob.pem").display().to_string();
    let distrusted = again(&["--trust", &bob]);
    code(&distrusted, 2)?;
    assert_eq!(objects(&distrusted)[0]["signatures"][0]["sub_indication"], "NO_CERTIFICATE_CHAIN_FOUND");
    // By a policy of one's own, whose text is in the file.
    let policy = directory.path().join("mine.toml");
    std::fs::write(&policy, "[levels]\ncontent-timestamp = \"fail\"\n")?;
    let name = policy.display().to_string();
    code(&WORLD.with_all(&["attached.p7m", "--policy", &name, "--evidence", &file]), 2)?;
    std::fs::remove_file(&policy)?;
    let mine = again(&[]);
    code(&mine, 2)?;
    assert_eq!(objects(&mine)[0]["policy"], "mine");
    Ok(())
}

fn tampered_evidence() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("evidence.json");
    let name = path.display().to_string();
    code(&WORLD.with_all(&["attached.p7m", "--evidence", &name]), 0)?;
    let whole: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let judge = |change: &dyn Fn(&mut Value)| {
        let mut value = whole.clone();
        change(&mut value);
        let text = serde_json::to_string(&value).unwrap();
        // The form stands first, as it is written.
        let text = text.replacen(r#""noonmark_evidence":1,"#, "", 1).replacen('{', r#"{"noonmark_evidence":1,"#, 1);
        std::fs::write(&path, text).unwrap();
        WORLD.verify(&[&name])
    };
    code(&judge(&|_| ()), 0)?;
    // The CRLs are taken out: it can't be told any more.
    let without_crls = |value: &mut Value| {
        let crls: Vec<String> = value["pieces"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, piece)| piece["kind"] == "crl")
            .map(|(name, _)| name.clone())
            .collect();
        let used = value["documents"][0]["evidence"].as_array_mut().unwrap();
        used.retain(|one| !crls.iter().any(|name| one["sha256"] == **name));
    };
    code(&judge(&without_crls), 2)?;
    code(&judge(&|value| value["documents"][0]["evidence"][0]["sha256"] = Value::from("00".repeat(32))), 3)?;
    code(&judge(&|value| value["documents"][0]["document"] = Value::from("AAAA")), 3)?;
    code(&judge(&|value| value["more"] = Value::from(1)), 3)?;
    code(&judge(&|value| value["policy"]["name"] = Value::from("unknown")), 3)?;
    // A piece in place of another goes by its own octets, whatever it is called.
    let swapped = |value: &mut Value| {
        let pieces = value["pieces"].as_object_mut().unwrap();
        let crl = pieces.values().find(|piece| piece["kind"] == "crl").unwrap().clone();
        for piece in pieces.values_mut().filter(|piece| piece["kind"] == "crl") {
            *piece = crl.clone();
        }
    };
    let output = judge(&swapped);
    assert!(matches!(output.status.code(), Some(2 | 3)), "{}", text(&output));
    Ok(())
}

fn past() -> Result<(), Failed> {
    let of = |arguments: &[&str]| {
        let object = WORLD.objects(arguments).remove(0);
        object["signatures"][0]["sub_indication"].as_str().unwrap_or_default().to_owned()
    };
    // Before the certificates were there, and after their end.
    assert_eq!(of(&["attached.p7m", "--at", "2020-01-01"]), "OUT_OF_BOUNDS_NO_POE");
    assert_eq!(of(&["attached.p7m", "--at", "2100-01-01T00:00:00Z"]), "OUT_OF_BOUNDS_NO_POE");
    let output = WORLD.with_all(&["attached.p7m", "--at", "yesterday"]);
    code(&output, 3)?;
    assert!(text(&output).contains("2026-11-23T12:00:00Z"), "{}", text(&output));
    Ok(())
}

fn fetching() -> Result<(), Failed> {
    let port = WORLD.crls.url("").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let host = format!("127.0.0.1:{port}");
    let root_crl = WORLD.path("held/root.crl").display().to_string();
    let online = |arguments: &[&str]| {
        WORLD.verify(&[&["attached.p7m", "--trust", "root.pem", "--held", &root_crl, "--json"], arguments].concat())
    };
    WORLD.crls.answered();
    // A private address is not asked at a document's bidding.
    let refused = online(&[]);
    code(&refused, 2)?;
    let fetched = objects(&refused).remove(0)["evidence"]["fetched"].clone();
    assert!(fetched[0]["error"].as_str().is_some_and(|error| error.contains("127.0.0.1")), "{fetched}");
    let offline = online(&["--offline", "--allow-host", &host]);
    code(&offline, 2)?;
    assert_eq!(WORLD.crls.answered(), [], "nobody was asked");
    let allowed = online(&["--allow-host", &host]);
    code(&allowed, 0)?;
    let object = objects(&allowed).remove(0);
    assert_eq!(object["signatures"][0]["chain"][1]["source"], "fetched");
    assert_eq!(object["signatures"][0]["chain"][0]["status"]["sources"][0]["source"], "fetched");
    let asked: Vec<String> = WORLD.crls.answered().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, ["/intermediate.cer", "/intermediate.crl"]);
    Ok(())
}

fn many() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let mut names = Vec::new();
    for number in 0..40 {
        let name = directory.path().join(format!("{number}.p7m")).display().to_string();
        let from = if number % 7 == 3 { "changed.p7m" } else { "attached.p7m" };
        std::fs::copy(WORLD.path(from), &name)?;
        names.push(name);
    }
    let mut words: Vec<&str> = vec!["--json", "--jobs", "4"];
    words.extend(names.iter().map(String::as_str));
    let output = WORLD.with_all(&words);
    code(&output, 1)?;
    let printed = objects(&output);
    for (number, (name, object)) in names.iter().zip(&printed).enumerate() {
        assert_eq!(object["file"], **name);
        assert_eq!(object["verdict"] == "failed", number % 7 == 3, "{name}");
    }
    assert_eq!(printed.len(), names.len());
    assert!(printed.iter().all(|object| object["time"] == printed[0]["time"]), "one time for all");
    Ok(())
}

fn terminal() -> Result<(), Failed> {
    let ca = OpensslCa::new();
    ca.issue("eve", "/CN=Eve\u{1b}[2Jx/O=line\nfeed", "keyUsage=critical,digitalSignature\n");
    ca.write("text", "x");
    ca.openssl(&[
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-outform",
        "DER",
        "-in",
        "text",
        "-signer",
        "eve.pem",
        "-inkey",
        "eve.key",
        "-out",
        "eve.p7m",
    ]);
    let file = ca.path("eve.p7m").display().to_string();
    for words in [&[&*file][..], &[&*file, "--details"], &[&*file, "--json"]] {
        let output = WORLD.with_all(words);
        let printed = text(&output);
        assert!(printed.contains("Eve"), "{printed}");
        let has_control = printed.chars().any(|c| c.is_control() && c != '\n');
        assert!(!has_control, "{printed:?}");
    }
    Ok(())
}

fn words() -> Result<(), Failed> {
    let words = ["verify", "-", "--offline", "--trust", "root.pem", "--held", "held"];
    let mut child = Command::new(program())
        .args(words)
        .current_dir(WORLD.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let octets = std::fs::read(WORLD.path("attached.p7m"))?;
    child.stdin.take().ok_or("no standard input")?.write_all(&octets)?;
    code(&child.wait_with_output()?, 0)?;
    code(&WORLD.verify(&["attached.p7m", "--no-such-word"]), 3)?;
    code(&WORLD.verify(&[]), 3)?;
    let help = WORLD.verify(&["--help"]);
    code(&help, 0)?;
    assert!(text(&help).contains("Exit codes"), "{}", text(&help));
    let other = Command::new(program()).args(["crl", "--no-such-word"]).output()?;
    code(&other, 2)
}

//! Real clients ask a running server and verify its answers by their own means, the root alone being trusted.
//!
//! Every client must also refuse the token under the root of another installation, whose name is the same: a client
//! that verified nothing would be found out.
//!
//! Not every client takes every key. `openssl ts`, rfc3161-client and rfc3161ng know neither RSA-PSS nor Ed25519;
//! `openssl cms` knows PSS and, as of OpenSSL 3.0, not Ed25519. Tokens of such keys are verified by BouncyCastle, pyHanko
//! and Noonmark's own checker: see the table in tests/clients/README.md.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::support::clients::{
    self, House, KeyKind, POLICY, Workplace, has_module, house, installed, python, wrong_root,
};
use super::support::http::Response;
use super::support::server::{program, text};
use super::support::softhsm;

pub use clients::finish;

pub fn trials() -> Vec<Trial> {
    let softhsm = softhsm::module().is_some();
    let trial = |name: &str, kind: KeyKind, possible: bool, body: fn(&House)| {
        let name = format!("clients::{name}_{}", kind.name());
        let body = move || -> Result<(), Failed> {
            body(house(kind));
            Ok(())
        };
        Trial::test(name, body).with_ignored_flag(!(softhsm && possible))
    };
    let openssl = installed(&["openssl"]);
    let curl = openssl && installed(&["curl"]);
    let bouncycastle = clients::bouncycastle().is_some();
    let jarsigner = installed(&["jarsigner", "jar", "keytool"]);
    let osslsigncode = openssl && installed(&["osslsigncode", "python3"]);
    let pkilint = openssl && has_module("pkilint");
    let mut trials = vec![
        trial("openssl_ts_every_form", KeyKind::P256, curl, openssl_every_form),
        trial("openssl_cms", KeyKind::Pss, curl, openssl_cms),
        trial("http_1_0", KeyKind::P256, curl, http_1_0),
        trial("jarsigner", KeyKind::P256, jarsigner, |house| follow_recipe("jarsigner", house)),
        trial("osslsigncode", KeyKind::P256, osslsigncode, |house| follow_recipe("osslsigncode", house)),
        trial("noonmark_timestamp_keeps_and_refuses", KeyKind::P256, openssl, noonmark_keeps_and_refuses),
    ];
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa3072] {
        trials.extend([
            trial("openssl_ts", kind, curl, openssl_ts),
            trial("rfc3161_client", kind, has_module("rfc3161_client"), rfc3161_client),
            trial("rfc3161ng", kind, has_module("rfc3161ng"), rfc3161ng),
        ]);
    }
    for kind in KeyKind::ALL {
        trials.extend([
            trial("bouncycastle", kind, bouncycastle, bouncycastle_client),
            trial("pyhanko", kind, has_module("pyhanko"), pyhanko),
            trial("noonmark_timestamp", kind, true, noonmark_timestamp),
            trial("openssl_takes_the_certificates", kind, openssl, openssl_takes_certificates),
            trial("pkilint", kind, pkilint, pkilint_takes_certificates),
        ]);
    }
    trials
}

/// Posts a file as curl does, and writes the answer to another.
fn post(workplace: &Workplace, house: &House, query: &str, reply: &str) {
    let output = workplace
        .command("curl")
        .args(["-sS", "--fail", "-H", "Content-Type: application/timestamp-query", "--data-binary"])
        .args([&format!("@{query}"), "-o", reply, &house.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// One plain query, posted by curl.
fn openssl_ts(house: &House) {
    let workplace = Workplace::new();
    let (root, wrong) = (house.installation.root(), wrong_root());
    workplace.write("data", "x");
    workplace.run("openssl ts -query -data data -sha256 -cert -out q.tsq");
    post(&workplace, house, "q.tsq", "r.tsr");
    let verify = format!("openssl ts -verify -queryfile q.tsq -in r.tsr -CAfile {}", root.display());
    assert!(workplace.run(&verify).contains("Verification: OK"));
    workplace.fail(&verify.replace(&root.display().to_string(), &wrong.display().to_string()));
}

/// Each hash, with and without certReq, policy and nonce.
fn openssl_every_form(house: &House) {
    let workplace = Workplace::new();
    let root = house.installation.root();
    let root = root.display();
    workplace.write("data", "x");
    workplace.write("other", "y");
    workplace.run(&format!("curl -sS --fail -o chain.pem {}/certchain", house.url()));
    for hash in ["sha256", "sha384", "sha512"] {
        for certificates in [" -cert", ""] {
            for policy in [format!(" -tspolicy {POLICY}"), String::new()] {
                for nonce in [" -no_nonce", ""] {
                    let form = format!("-{hash}{certificates}{policy}{nonce}");
                    workplace.run(&format!("openssl ts -query -data data {form} -out q.tsq"));
                    post(&workplace, house, "q.tsq", "r.tsr");
                    let by_root = format!("-in r.tsr -CAfile {root}");
                    let trust = if certificates.is_empty() {
                        workplace.fail(&format!("openssl ts -verify -data data {by_root}"));
                        format!("{by_root} -untrusted chain.pem")
                    } else {
                        by_root
                    };
                    workplace.run(&format!("openssl ts -verify -queryfile q.tsq {trust}"));
                    workplace.run(&format!("openssl ts -verify -data data {trust}"));
                    workplace.fail(&format!("openssl ts -verify -data other {trust}"));

                    let read = workplace.run("openssl ts -reply -in r.tsr -text");
                    assert!(read.contains("Status: Granted."), "{form}: {read}");
                    assert!(read.contains(&format!("Policy OID: {POLICY}")), "{form}: {read}");
                    assert!(read.contains(&format!("Hash Algorithm: {hash}")), "{form}: {read}");
                    assert_eq!(read.contains("Nonce: unspecified"), !nonce.is_empty(), "{form}: {read}");
                    workplace.run("openssl ts -reply -in r.tsr -token_out -out token.der");
                    let printed = workplace.run("openssl pkcs7 -inform DER -in token.der -print_certs -noout");
                    // The unit's and the issuing CA's, never the root's.
                    let expected = if certificates.is_empty() { 0 } else { 2 };
                    assert_eq!(printed.matches("subject=").count(), expected, "{form}: {printed}");
                }
            }
        }
    }
    // Another query's nonce.
    workplace.run("openssl ts -query -data data -sha512 -out another.tsq");
    let said = workplace
        .fail(&format!("openssl ts -verify -queryfile another.tsq -in r.tsr -CAfile {root} -untrusted chain.pem"));
    assert!(said.contains("nonce mismatch"), "{said}");
}

/// The token as any CMS message, for what `openssl ts` can't verify.
fn openssl_cms(house: &House) {
    let workplace = Workplace::new();
    let (root, wrong) = (house.installation.root(), wrong_root());
    workplace.write("data", "x");
    workplace.run("openssl ts -query -data data -sha256 -cert -out q.tsq");
    post(&workplace, house, "q.tsq", "r.tsr");
    workplace.run("openssl ts -reply -in r.tsr -token_out -out token.der");
    let verify = |root: &Path| {
        let root = root.display();
        format!(
            "openssl cms -verify -binary -inform DER -in token.der -purpose timestampsign -CAfile {root} -out info.der"
        )
    };
    workplace.run(&verify(&root));
    workplace.fail(&verify(&wrong));
    assert!(workplace.run("openssl cms -cmsout -print -noout -inform DER -in token.der").contains("rsassaPss"));
}

/// A client that knows nothing newer than HTTP/1.0: curl held to it, and one that sends no more than it must.
fn http_1_0(house: &House) {
    let workplace = Workplace::new();
    let root = house.installation.root();
    workplace.write("data", "x");
    workplace.run("openssl ts -query -data data -sha256 -cert -out q.tsq");
    let verify = format!("openssl ts -verify -queryfile q.tsq -in r.tsr -CAfile {}", root.display());

    let output = workplace
        .command("curl")
        .args(["--http1.0", "-sS", "--fail", "-D", "head.txt", "-H", "Content-Type: application/timestamp-query"])
        .args(["--data-binary", "@q.tsq", "-o", "r.tsr", &house.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let head = std::fs::read_to_string(workplace.path("head.txt")).unwrap().to_ascii_lowercase();
    assert!(head.contains("content-length:") && !head.contains("transfer-encoding:"), "{head}");
    workplace.run(&verify);

    // No Host, no Connection; it reads until the server closes.
    let query = std::fs::read(workplace.path("q.tsq")).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", house.server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "POST /tsa HTTP/1.0\r\nContent-Type: application/timestamp-query\r\n").unwrap();
    write!(stream, "Content-Length: {}\r\n\r\n", query.len()).unwrap();
    stream.write_all(&query).unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("the server closes, nobody having asked it to keep the connection");
    let response = Response::parse(&raw).unwrap();
    assert_eq!((response.status, response.header("transfer-encoding")), (200, None));
    workplace.write("r.tsr", &response.body);
    workplace.run(&verify);
}

/// Runs a client's program as `COMMAND URL ROOT …`. That the wrong root makes it fail is asked over one kind of key.
fn ask(house: &House, command: &str, more: &str) -> String {
    let workplace = Workplace::new();
    let url = house.url();
    if house.kind == KeyKind::P256 {
        workplace.fail(&format!("{command} {url} {} {more}", wrong_root().display()));
    }
    workplace.run(&format!("{command} {url} {} {more}", house.installation.root().display()))
}

fn python_client(name: &str) -> String {
    format!("{} {}", python().display(), clients::programs().join(name).display())
}

fn rfc3161_client(house: &House) {
    let hashes: &[&str] = if house.kind == KeyKind::P256 { &["sha256", "sha512"] } else { &["sha256"] };
    for hash in hashes {
        let said = ask(house, &python_client("rfc3161_client_check.py"), hash);
        assert!(said.starts_with("rfc3161-client: "), "{said}");
    }
}

fn rfc3161ng(house: &House) {
    let said = ask(house, &python_client("rfc3161ng_check.py"), "");
    assert!(said.starts_with("rfc3161ng: "), "{said}");
}

fn pyhanko(house: &House) {
    let said = ask(house, &python_client("pyhanko_sign.py"), "signed.pdf");
    assert!(said.starts_with("pyhanko: ") && said.contains("Noonmark tsu-default-"), "{said}");
}

fn bouncycastle_client(house: &House) {
    let jars = clients::bouncycastle().expect("the trial is ignored without");
    let source = clients::programs().join("bouncycastle/TimestampClient.java");
    let said = ask(house, &format!("java -cp {jars} {}", source.display()), POLICY);
    assert!(said.starts_with("bouncycastle: "), "{said}");
}

/// Runs a recipe of tests/clients/README.md, with the right root and with the wrong one.
fn follow_recipe(heading: &str, house: &House) {
    let recipe = clients::recipe(heading);
    let follow = |root: &Path| {
        let workplace = Workplace::new();
        let mut command = workplace.command("sh");
        command.args(["-e", "-c", &recipe]);
        command.env("URL", house.url()).env("ROOT", root).env("CLIENTS", clients::programs()).output().unwrap()
    };
    let output = follow(&house.installation.root());
    assert!(output.status.success(), "{}", text(&output));
    let output = follow(&wrong_root());
    assert!(!output.status.success(), "another root verifies it too: {}", text(&output));
}

fn noonmark(file: &str, house: &House, root: &Path) -> String {
    format!("{} timestamp {file} --server {} --root {}", program().display(), house.url(), root.display())
}

/// The program's own client, over every key.
fn noonmark_timestamp(house: &House) {
    let workplace = Workplace::new();
    workplace.write("data", "x");
    let said = workplace.run(&noonmark("data", house, &house.installation.root()));
    assert!(said.starts_with("data.tsr: "), "{said}");
    assert!(!said.contains("the chain was not"), "{said}");
    workplace.fail(&format!("{} -o wrong.tsr", noonmark("data", house, &wrong_root())));
    assert!(!workplace.path("wrong.tsr").exists());
}

/// What it writes is what openssl reads; what exists stays; each refusal says what to do.
fn noonmark_keeps_and_refuses(house: &House) {
    let workplace = Workplace::new();
    let root = house.installation.root();
    workplace.write("data", "x");
    workplace.write("other", "y");
    let ask = noonmark("data", house, &root);
    for hash in ["sha256", "sha384", "sha512"] {
        let said = workplace.run(&format!("{ask} --hash {hash} -o {hash}.tsr"));
        assert!(said.contains(&format!("policy {POLICY}")), "{said}");
        let verify = |data: &str| format!("openssl ts -verify -data {data} -in {hash}.tsr -CAfile {}", root.display());
        workplace.run(&verify("data"));
        workplace.fail(&verify("other"));
    }

    let before = std::fs::read(workplace.path("sha256.tsr")).unwrap();
    let said = workplace.fail(&format!("{ask} -o sha256.tsr"));
    assert!(said.contains("never overwritten; name another file with -o"), "{said}");
    assert_eq!(std::fs::read(workplace.path("sha256.tsr")).unwrap(), before);

    let wrong = noonmark("data", house, &wrong_root());
    let said = workplace.fail(&format!("{wrong} -o wrong.tsr"));
    assert!(said.contains("does not lead to the root given: no certificate at hand issued CN=Noonmark Issuing CA"));
    assert!(said.contains("--root must name the certificate of the root"), "{said}");
    assert!(!workplace.path("wrong.tsr").exists());

    let said = workplace.fail(&noonmark("other", house, &workplace.path("data")));
    assert!(said.contains("--root ") && said.contains("no PEM block with the label \"CERTIFICATE\""), "{said}");
    let said = workplace.fail(&ask.replace(&house.url(), "http://127.0.0.1:1/tsa"));
    assert!(said.contains("is the server running? (`noonmark up` starts one here)"), "{said}");
    let said = workplace.fail(&ask.replace("/tsa", "/tsa/nobody"));
    assert!(said.contains("answered HTTP 404"), "{said}");
    assert!(!workplace.path("data.tsr").exists());
}

/// Every certificate of an installation: its name, without `.pem`.
fn certificates(house: &House) -> Vec<String> {
    let folder = house.installation.directory().join("certificates");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    names
}

/// openssl's reading of the certificates, and its verdict on what they are good for.
fn openssl_takes_certificates(house: &House) {
    let workplace = Workplace::new();
    let read =
        |name: &str| workplace.run(&format!("openssl x509 -noout -text -in {}", house.certificate(name).display()));
    let has = |name: &str, wanted: &[&str], unwanted: &[&str]| {
        let text = read(name);
        // One space between any two words, so that a value follows its extension's name.
        // OpenSSL from 3.2 on writes names without spaces around the sign of equality.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" = ", "=");
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "{name} lacks {wanted:?}: {text}"));
        unwanted.iter().for_each(|unwanted| assert!(!text.contains(unwanted), "{name} has {unwanted:?}: {text}"));
    };
    let ca = "X509v3 Key Usage: critical Certificate Sign, CRL Sign";
    let end = "X509v3 Key Usage: critical Digital Signature X509v3";
    let pointers = [
        "CRL Distribution Points: Full Name: URI:http://tsa.noonmark.example/crl/",
        "OCSP - URI:http://tsa.noonmark.example/ocsp/",
        "CA Issuers - URI:http://tsa.noonmark.example/ca/",
    ];
    let basic = "X509v3 Basic Constraints: critical CA:TRUE";
    has("root", &["Issuer: C=DE, O=Example, CN=Noonmark Root", ca, basic], &["pathlen", "URI:"]);
    has("issuing", &[&[ca, "critical CA:TRUE, pathlen:0"], &pointers[..]].concat(), &["Extended Key Usage"]);
    let unit = ["X509v3 Extended Key Usage: critical Time Stamping", "Private Key Usage Period", POLICY, end];
    for name in certificates(house).iter().filter(|name| name.starts_with("tsu-")) {
        has(name, &[&unit, &pointers[..]].concat(), &["CA:TRUE"]);
    }
    let responder = ["X509v3 Extended Key Usage: OCSP Signing", "OCSP No Check", end];
    has("ocsp-issuing-1", &responder, &["CA:TRUE", "OCSP - URI", "CRL Distribution"]);

    let [root, issuing] = ["root", "issuing"].map(|name| house.certificate(name).display().to_string());
    let verify = |purpose: &str, root: &str, name: &str| {
        let certificate = house.certificate(name);
        let certificate = certificate.display();
        format!("openssl verify -x509_strict -purpose {purpose} -CAfile {root} -untrusted {issuing} {certificate}")
    };
    for name in certificates(house).iter().filter(|name| name.starts_with("tsu-")) {
        workplace.run(&verify("timestampsign", &root, name));
        workplace.fail(&verify("timestampsign", &wrong_root().display().to_string(), name));
        workplace.fail(&verify("sslserver", &root, name));
    }
    workplace.run(&verify("ocsphelper", &root, "ocsp-issuing-1"));
    workplace.fail(&verify("timestampsign", &root, "ocsp-issuing-1"));
    workplace.run(&verify("crlsign", &root, "issuing"));
}

/// pkilint's findings above a notice: none, on any certificate.
fn pkilint_takes_certificates(house: &House) {
    let workplace = Workplace::new();
    let lint = |file: &Path| {
        let mut command = workplace.command(python());
        command.arg(clients::python_program("lint_pkix_cert")).args(["lint", "-s", "WARNING"]).arg(file);
        let output = command.output().unwrap();
        (output.status.success(), text(&output))
    };
    for name in certificates(house) {
        let (well, said) = lint(&house.certificate(&name));
        assert!(well && said.trim().is_empty(), "{name}: {said}");
    }
    // It does find what is wrong: openssl's own default is a CA without keyUsage.
    workplace.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out bad.pem -subj /CN=x",
    );
    let (well, said) = lint(&workplace.path("bad.pem"));
    assert!(!well && said.contains("pkix.ca_certificate_no_ku_extension (ERROR)"), "{said}");
}

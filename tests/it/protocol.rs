//! What the wire must say: every row of RFC 3161 that a client can provoke, each with its exact answer.

use libtest_mimic::{Failed, Trial};
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use noonmark::asn1::{FailureBit, writer};
use noonmark::crypto::DigestAlgorithm;

use super::support::mutation;
use super::support::server::{Installation, Server, read_response};
use super::support::timestamp::{Outcome, Request, outcome, token};

const QUERY: &str = "application/timestamp-query";

pub fn trials() -> Vec<Trial> {
    let with_server = |name: &str, test: fn(&Server)| {
        Trial::test(format!("protocol::{name}"), move || {
            test(shared());
            Ok(())
        })
    };
    vec![
        with_server("granted_as_the_standard_says", granted),
        with_server("one_failure_bit_a_refusal", refusals),
        with_server("every_hash_and_both_parameter_forms", hashes),
        with_server("nonces_come_back_octet_for_octet", nonces),
        with_server("paths_methods_and_media_types", paths),
        with_server("http_1_0_and_chunked", transports),
        with_server("bodies_oversized_slow_and_cut_off", bodies),
        with_server("a_hundred_thousand_mutated_requests", mutations),
        with_server("pages_and_operators", pages),
        Trial::test("protocol::profiles_callers_and_extensions", profiles_and_callers),
        Trial::test("protocol::idle_connections_up_to_the_limit", idle_connections),
        Trial::test("protocol::a_caller_above_its_limits", caller_limits),
    ]
}

static SHARED: OnceLock<(Installation, Server)> = OnceLock::new();

/// Ends the shared server: what is static is never dropped.
pub fn finish() {
    if let Some((installation, server)) = SHARED.get() {
        server.signal("-KILL");
        if let Some(home) = installation.directory().parent() {
            drop(std::fs::remove_dir_all(home));
        }
    }
}

/// One server for the tests that change nothing; it lives as long as the test process.
fn shared() -> &'static Server {
    &SHARED
        .get_or_init(|| {
            let installation = Installation::software();
            installation.reconfigure("[http]", "[http]\nbody_timeout_s = 2\nhead_timeout_s = 2");
            let server = installation.serve();
            (installation, server)
        })
        .1
}

fn refused(server: &Server, request: &[u8]) -> FailureBit {
    let response = server.stamp(request);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/timestamp-reply"));
    match outcome(&response.body) {
        Outcome::Refused(bit) => bit,
        Outcome::Granted(_) => panic!("granted"),
    }
}

fn granted(server: &Server) {
    let before = now_us();
    let response = server.stamp(&Request::over(b"x").to_der());
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/timestamp-reply"), "exactly, without parameters");
    assert!(response.header("content-length").is_some() && response.header("transfer-encoding").is_none());
    let read = token(&response.body);
    assert!(read.gen_time_us >= before / 1_000 * 1_000 && read.gen_time_us <= now_us());
    assert_eq!(read.policy, "0.4.0.2023.1.1");
    assert_eq!(read.accuracy_us, Some(1_000_000));
    assert_eq!(read.serial.len(), 17);
    assert_eq!(read.serial[0], 1);
    assert!(read.has_certificates && read.has_tsa && !read.ordering && read.extensions.is_none());

    let without = token(&server.stamp(&Request { cert_req: false, nonce: None, ..Request::over(b"x") }.to_der()).body);
    assert!(!without.has_certificates, "no certificates at all unless certReq (RFC 3161 §2.4.1)");
    assert_eq!(without.nonce, None);
    let asked = Request { policy: Some("0.4.0.2023.1.1".to_owned()), ..Request::over(b"x") };
    assert_eq!(token(&server.stamp(&asked.to_der()).body).policy, "0.4.0.2023.1.1");
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

fn refusals(server: &Server) {
    let request = || Request::over(b"x");
    let extension = writer::tlv(writer::SEQUENCE, &[&[6, 3, 0x2a, 3, 4], &[4, 1, 0]]);
    let critical = writer::tlv(writer::SEQUENCE, &[&[6, 3, 0x2a, 3, 4], &[1, 1, 0xff], &[4, 1, 0]]);
    let sha1 = DigestAlgorithm::Sha1.oid().as_bytes().to_vec();
    let md5 = vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5];
    let whole = request().to_der();
    let rows: Vec<(&str, Vec<u8>, FailureBit)> = vec![
        ("version 2", Request { version: 2, ..request() }.to_der(), FailureBit::BadRequest),
        ("version 0", Request { version: 0, ..request() }.to_der(), FailureBit::BadRequest),
        ("empty body", Vec::new(), FailureBit::BadDataFormat),
        ("not DER", b"hello".to_vec(), FailureBit::BadDataFormat),
        ("truncated", whole[..whole.len() - 1].to_vec(), FailureBit::BadDataFormat),
        ("trailing octet", [&whole[..], &[0]].concat(), FailureBit::BadDataFormat),
        ("imprint too short", Request { imprint: vec![1; 31], ..request() }.to_der(), FailureBit::BadDataFormat),
        ("imprint too long", Request { imprint: vec![1; 33], ..request() }.to_der(), FailureBit::BadDataFormat),
        ("empty imprint", Request { imprint: Vec::new(), ..request() }.to_der(), FailureBit::BadDataFormat),
        ("SHA-1", Request { hash_oid: sha1, imprint: vec![1; 20], ..request() }.to_der(), FailureBit::BadAlg),
        ("MD5", Request { hash_oid: md5, imprint: vec![1; 16], ..request() }.to_der(), FailureBit::BadAlg),
        ("unknown hash", Request { hash_oid: vec![0x2a, 3], ..request() }.to_der(), FailureBit::BadAlg),
        ("hash with parameters", Request { parameters: vec![4, 1, 0], ..request() }.to_der(), FailureBit::BadAlg),
        (
            "another policy",
            Request { policy: Some("1.2.3.4".into()), ..request() }.to_der(),
            FailureBit::UnacceptedPolicy,
        ),
        (
            "policy 2.999",
            Request { policy: Some("2.999.1".into()), ..request() }.to_der(),
            FailureBit::UnacceptedPolicy,
        ),
        ("extension", Request { extensions: Some(extension), ..request() }.to_der(), FailureBit::UnacceptedExtension),
        (
            "critical extension",
            Request { extensions: Some(critical), ..request() }.to_der(),
            FailureBit::UnacceptedExtension,
        ),
        ("empty extensions", Request { extensions: Some(vec![]), ..request() }.to_der(), FailureBit::BadDataFormat),
        ("padded nonce", Request { nonce: Some(vec![0, 1]), ..request() }.to_der(), FailureBit::BadDataFormat),
        ("empty nonce", Request { nonce: Some(vec![]), ..request() }.to_der(), FailureBit::BadDataFormat),
    ];
    for (what, der, bit) in rows {
        assert_eq!(refused(server, &der), bit, "{what}");
    }
}

fn hashes(server: &Server) {
    for hash in DigestAlgorithm::ALL.into_iter().filter(|hash| *hash != DigestAlgorithm::Sha1) {
        for parameters in [vec![], vec![5, 0]] {
            let request = Request {
                hash_oid: hash.oid().as_bytes().to_vec(),
                imprint: hash.digest(b"x").as_ref().to_vec(),
                parameters: parameters.clone(),
                ..Request::over(b"x")
            };
            let read = token(&server.stamp(&request.to_der()).body);
            // The MessageImprint is the request's own, octet for octet.
            let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[&request.hash_oid]);
            let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &parameters]);
            let expected = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(4, &[&request.imprint])]);
            assert_eq!(read.imprint, expected, "{hash}");
        }
    }
}

fn nonces(server: &Server) {
    for nonce in [vec![0], vec![1], vec![0, 0xff], vec![0x80], [vec![0x7f], vec![9; 7]].concat(), vec![0x11; 128]] {
        let request = Request { nonce: Some(nonce.clone()), ..Request::over(b"x") };
        let read = token(&server.stamp(&request.to_der()).body);
        assert_eq!(read.nonce, Some(writer::tlv(writer::INTEGER, &[&nonce])));
    }
}

fn paths(server: &Server) {
    let request = Request::over(b"x").to_der();
    for path in ["/tsa", "/tsa/default", "/", "/api/v1/timestamp"] {
        let response = server.post(path, QUERY, &request);
        assert_eq!(response.status, 200, "{path}");
        token(&response.body);
    }
    assert_eq!(server.post("/tsa", "Application/Timestamp-Query; x=y", &request).status, 200);
    assert_eq!(server.post("/tsa/other", QUERY, &request).status, 404);
    for path in ["/tsa", "/tsa/default", "/api/v1/timestamp"] {
        let response = server.get(path);
        assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{path}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
    }
    for media_type in ["application/octet-stream", "text/plain", "application/timestamp-reply"] {
        let response = server.post("/tsa", media_type, &request);
        assert_eq!(response.status, 415, "{media_type}");
        assert_eq!(response.json()["status"], 415);
    }
    assert_eq!(
        server.raw(b"POST /tsa HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").status,
        415
    );
    assert_eq!(server.post("/tsa/certchain", QUERY, b"").status, 405);
    for path in ["/tsa/certchain", "/tsa/default/certchain"] {
        let chain = server.get(path).text();
        let blocks = noonmark::ca::pem_decode("CERTIFICATE", &chain).unwrap();
        let chain: Vec<_> = blocks.iter().map(|der| noonmark::ca::Certificate::from_der(der).unwrap()).collect();
        assert!(chain.windows(2).all(|pair| pair[0].is_signed_by(&pair[1])), "leaf first, root last");
        assert!(chain.last().unwrap().is_self_issued());
    }
    assert_eq!(server.get("/ca/issuing.cer").header("content-type"), Some("application/pkix-cert"));
    noonmark::ca::Certificate::from_der(&server.get("/ca/issuing.cer").body).unwrap();
    assert_eq!(server.get("/ca/nobody.cer").status, 404);
    assert_eq!(server.get("/nowhere").status, 404);
}

fn transports(server: &Server) {
    let request = Request::over(b"x").to_der();
    let head = format!("POST /tsa HTTP/1.0\r\nContent-Type: {QUERY}\r\nContent-Length: {}\r\n\r\n", request.len());
    let response = server.raw(&[head.as_bytes(), &request].concat());
    assert_eq!(response.status, 200);
    assert!(response.header("content-length").is_some() && response.header("transfer-encoding").is_none());
    token(&response.body);

    let (first, second) = request.split_at(10);
    let mut chunked =
        format!("POST /tsa HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {QUERY}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in [first, second, &[]] {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    token(&server.raw(&chunked).body);

    // Two requests at once on one connection: both answered, in order.
    let mut stream = server.connect();
    let one =
        [head.replace("1.0", "1.1").replace("\r\nContent-Type", "\r\nHost: x\r\nContent-Type").as_bytes(), &request]
            .concat();
    let last = [
        head.replace("1.0", "1.1")
            .replace("\r\nContent-Type", "\r\nHost: x\r\nConnection: close\r\nContent-Type")
            .as_bytes(),
        &request,
    ]
    .concat();
    stream.write_all(&[one, last].concat()).unwrap();
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut raw).unwrap();
    assert_eq!(raw.windows(15).filter(|window| window == b"HTTP/1.1 200 OK").count(), 2);
}

fn bodies(server: &Server) {
    // Oversized by its own word: refused before it is read.
    let head = format!("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: {QUERY}\r\nContent-Length: 16385\r\n\r\n");
    let response = server.raw(head.as_bytes());
    assert_eq!(response.status, 413);
    assert_eq!(response.json()["title"], "Body too large");
    // Oversized without a word: refused when it is.
    let mut stream = server.connect();
    let head = format!("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: {QUERY}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"4001\r\n").unwrap();
    stream.write_all(&[0; 0x4001]).unwrap();
    assert_eq!(read_response(&mut stream).unwrap().status, 413);
    // As large as allowed is read, and is no request.
    assert_eq!(refused(server, &[0x30; 16_384]), FailureBit::BadDataFormat);
    // Half sent, then silence: 408 after the limit, not before.
    let began = Instant::now();
    let head = format!("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: {QUERY}\r\nContent-Length: 100\r\n\r\nhalf");
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_response(&mut stream).unwrap().status, 408);
    assert!(began.elapsed() >= Duration::from_secs(2));
    // Half sent, then gone: the server lives on.
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    // A head that never ends.
    let mut stream = server.connect();
    stream.write_all(b"POST /tsa HT").unwrap();
    let began = Instant::now();
    drop(read_response(&mut stream));
    assert!(began.elapsed() < Duration::from_secs(20), "a half-sent head is not waited for");
    token(&server.stamp(&Request::over(b"x").to_der()).body);
}

/// Changes octets of valid requests and sends them on kept connections: never a panic, never a 5xx, always a TimeStampResp.
fn mutations(server: &Server) {
    let seeds = [
        Request::over(b"x").to_der(),
        Request { policy: Some("0.4.0.2023.1.1".into()), ..Request::over(b"y") }.to_der(),
        Request {
            extensions: Some(writer::tlv(writer::SEQUENCE, &[&[6, 1, 0x2a], &[4, 1, 0]])),
            ..Request::over(b"z")
        }
        .to_der(),
    ];
    mutation::send_all(server, ("/tsa", QUERY), &seeds, 100_000, |body| drop(outcome(body)));
}

fn pages(server: &Server) {
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("/tsa/default") && page.text().contains("openssl ts -query"));
    assert!(!page.text().contains("{{"));
    assert_eq!(server.get("/healthz").text(), "ok\n");
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200);
    let checks = ready.json()["checks"].clone();
    let state = |name: &str| {
        checks
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("{name} in {checks}"))["state"]
            .clone()
    };
    assert_eq!(state("ledger"), "ok");
    assert_eq!(state("clock"), "warning", "the source \"system\" guards nothing, and readyz says so");
    assert_eq!(state("token service"), "warning", "the software tier protects against less, and readyz says so");
    server.stamp(&Request::over(b"x").to_der());
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("noonmark_timestamps_total{profile=\"default\",outcome=\"granted\"}"), "{metrics}");
}

fn profiles_and_callers() -> Result<(), Failed> {
    let installation = Installation::software();
    let hash = hex::encode(DigestAlgorithm::Sha256.digest(b"s3cret").as_ref());
    installation.configure(&format!(
        "[caller.acme]\nsecret_sha256 = \"{hash}\"\n[caller.other]\nsecret_sha256 = \"{}\"\n\
         [tsa.qualified]\npolicies = [\"1.2.3.4\", \"2.999.7\"]\nqualified = true\ntsa_name = false\nhashes = [\"sha512\"]\n\
         accuracy_us = 500000\nprecision_digits = 6\nkeep_tokens = true\ncallers = [\"acme\"]\n",
        "0".repeat(64)
    ));
    installation.run(&["key", "rotate", "--profile", "qualified"]);
    let server = installation.serve();
    let request = Request {
        hash_oid: DigestAlgorithm::Sha512.oid().as_bytes().to_vec(),
        imprint: vec![7; 64],
        policy: Some("2.999.7".to_owned()),
        ..Request::over(b"x")
    };
    let post = |authorization: Option<&str>| {
        let mut headers = vec![("Content-Type", QUERY)];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        server.post_with("/tsa/qualified", &headers, &request.to_der())
    };
    let anonymous = post(None);
    assert_eq!(anonymous.status, 401);
    assert!(anonymous.header("www-authenticate").is_some());
    assert_eq!(post(Some("Bearer wrong")).status, 401);
    assert_eq!(post(Some("Basic YWNtZTp3cm9uZw==")).status, 401);
    for authorization in ["Bearer s3cret", "Basic YWNtZTpzM2NyZXQ="] {
        let read = token(&post(Some(authorization)).body);
        assert_eq!(read.policy, "2.999.7");
        assert_eq!(read.accuracy_us, Some(500_000));
        assert!(!read.has_tsa);
        let extensions = read.extensions.expect("the qualified statement");
        let statement = "0.4.0.19422.1.1".parse::<noonmark::asn1::Oid>().unwrap().to_der();
        assert!(extensions.windows(statement.len()).any(|window| window == statement));
    }
    // The record names the caller and keeps the token.
    let found = installation.run(&["audit", "find", "--imprint", &hex::encode([7; 64])]);
    assert!(found.contains("name:acme"), "{found}");
    // The default profile is everybody's still.
    token(&server.stamp(&Request::over(b"x").to_der()).body);
    Ok(())
}

fn caller_limits() -> Result<(), Failed> {
    let installation = Installation::software();
    installation.reconfigure("[http]", "[http]\ncaller_rate_per_s = 1\ncaller_burst = 5");
    let server = installation.serve();
    let statuses: Vec<u16> = (0..12).map(|_| server.stamp(&Request::over(b"x").to_der()).status).collect();
    assert!(statuses.iter().filter(|status| **status == 200).count() >= 5, "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let limited = server.stamp(&Request::over(b"x").to_der());
    if limited.status == 429 {
        assert_eq!(limited.header("retry-after"), Some("1"));
    }
    assert_eq!(server.get("/healthz").status, 200, "operators are not limited");
    Ok(())
}

/// Opens as many idle connections as the process may hold files; the server keeps its descriptors for token and store,
/// sheds the idle ones, and serves again.
fn idle_connections() -> Result<(), Failed> {
    let (_, hard) = rlimit::Resource::NOFILE.get().map_err(|error| error.to_string())?;
    rlimit::Resource::NOFILE.set(hard, hard).map_err(|error| error.to_string())?;
    let installation = Installation::software();
    installation.reconfigure("[http]", "[http]\nhead_timeout_s = 3");
    let server = installation.serve();
    // The test needs some files of its own; what it can open beyond 30,000 proves nothing more.
    let count = usize::try_from(hard.min(30_000)).unwrap() - 200;
    let mut idle = Vec::with_capacity(count);
    for _ in 0..count {
        match std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], server.port).into(), Duration::from_secs(2)) {
            Ok(stream) => idle.push(stream),
            // The backlog is full as well: the server holds all it wants to.
            Err(_) => break,
        }
    }
    assert!(idle.len() > count / 2, "only {} connections", idle.len());
    // While they are held and after they were shed, a client gets its token in the end.
    let deadline = Instant::now() + Duration::from_secs(40);
    let request = Request::over(b"x").to_der();
    let head = format!(
        "POST /tsa HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {QUERY}\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    loop {
        let attempt =
            std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], server.port).into(), Duration::from_secs(5));
        if let Ok(mut stream) = attempt {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            if stream.write_all(&[head.as_bytes(), &request].concat()).is_ok()
                && let Some(response) = read_response(&mut stream)
            {
                token(&response.body);
                break;
            }
        }
        assert!(Instant::now() < deadline, "no token with {} idle connections; log:\n{}", idle.len(), server.log());
    }
    drop(idle);
    token(&server.stamp(&request).body);
    assert!(!server.log().contains("Too many open files"), "{}", server.log());
    Ok(())
}

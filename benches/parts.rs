//! The parts by criterion: reading a request, building and assembling a token or an OCSP answer, chaining and committing
//! a group.

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use noonmark::asn1::tst_info::{TstInfoFields, TstInfoTemplate};
use noonmark::asn1::{OcspRequest, TimeStampRequest, writer};
use noonmark::ca::Certificate;
use noonmark::crypto::{DigestAlgorithm, SignatureAlgorithm};
use noonmark::ledger::canonical;
use noonmark::ocsp::{CertStatus, IssuerHashes, ResponderTemplate, SingleAnswer, decode_get_path};
use noonmark::store::{CertIdHash, ChainEnd, LedgerRow, Store, StoreOptions, StoreUrl, TokenRow};
use noonmark::tsa::TokenTemplate;

fn request() -> Vec<u8> {
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[DigestAlgorithm::Sha256.oid().as_bytes()]);
    let algorithm = writer::tlv(writer::SEQUENCE, &[&oid, &[5, 0]]);
    let imprint = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&[7; 32]])]);
    writer::tlv(writer::SEQUENCE, &[&[2, 1, 1], &imprint, &[2, 8, 1, 2, 3, 4, 5, 6, 7, 8], &[1, 1, 0xff]])
}

/// A TSU's certificate and its issuer's, from an installation made for the purpose.
fn chain() -> Vec<Certificate> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path().join("var");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_noonmark"))
        .args(["init", "--tier", "software", "--clock", "system", "--dir"])
        .arg(&at)
        .output()
        .expect("noonmark init");
    assert!(status.status.success());
    ["tsu-default-1", "issuing"]
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(at.join(format!("certificates/{name}.pem"))).expect("a certificate");
            let der = noonmark::ca::pem_decode("CERTIFICATE", &text).expect("PEM").remove(0);
            Certificate::from_der(&der).expect("a certificate")
        })
        .collect()
}

fn parts(criterion: &mut Criterion) {
    let der = request();
    criterion.bench_function("request/read", |bencher| {
        bencher.iter(|| TimeStampRequest::from_der(black_box(&der)).expect("a request"));
    });

    let chain = chain();
    let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
    let token = TokenTemplate::new(&chain[0], &chain, algorithm).expect("a template");
    let info = TstInfoTemplate::new(3, 1_000_000, false, None, &[]);
    let read = TimeStampRequest::from_der(&der).expect("a request");
    let fields = TstInfoFields {
        policy: &[6, 6, 4, 0, 0x8f, 0x67, 1, 1],
        message_imprint: read.message_imprint,
        serial_number: &[1; 17],
        gen_time_us: 1_795_464_000_123_456,
        nonce: read.nonce,
    };
    let signature = [0x30; 71];
    criterion.bench_function("token/prepare", |bencher| {
        bencher.iter(|| token.prepare(info.build(black_box(&fields)).expect("a TSTInfo")));
    });
    let prepared = token.prepare(info.build(&fields).expect("a TSTInfo"));
    criterion.bench_function("token/assemble", |bencher| {
        bencher.iter(|| token.assemble(black_box(&prepared), &signature, true));
    });
}

/// An answer about one certificate, as it is built again from the store.
fn ocsp(criterion: &mut Criterion) {
    // The issuer stands for a responder: its certificate is about as long.
    let pem = include_str!("../testdata/ocsp/issuer.pem");
    let der = noonmark::ca::pem_decode("CERTIFICATE", pem).expect("PEM").remove(0);
    let issuer = Certificate::from_der(&der).expect("a certificate");
    let hashes = IssuerHashes::of(&issuer);
    let asked = include_bytes!("../fuzz/seeds/ocsp_request/openssl-sha256-nonce");
    let path = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(asked).replace('/', "%2F").replace('+', "%2B")
    };
    let mut group = criterion.benchmark_group("ocsp");
    group.bench_function("get path", |bencher| {
        bencher.iter(|| decode_get_path(black_box(path.as_bytes())).expect("a request"));
    });
    group.bench_function("request/read", |bencher| {
        bencher.iter(|| OcspRequest::from_der(black_box(asked)).expect("a request"));
    });
    let request = OcspRequest::from_der(asked).expect("a request");
    group.bench_function("request/match", |bencher| {
        bencher.iter(|| hashes.matches(black_box(request.cert_ids.first())).expect("the issuer"));
    });
    let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
    let template = ResponderTemplate::new(&issuer, std::slice::from_ref(&issuer), algorithm).expect("a template");
    let cert_id = hashes.cert_id_der(CertIdHash::Sha256, request.cert_ids.first().serial);
    let signature = [0x30; 71];
    for (name, status) in
        [("good", CertStatus::Good), ("revoked", CertStatus::Revoked { at_s: 1_795_464_000, reason: Some(1) })]
    {
        let answer = [SingleAnswer {
            cert_id: &cert_id,
            status,
            this_update_s: 1_795_464_000,
            next_update_s: 1_795_550_400,
            archive_cutoff_s: None,
        }];
        let prepare = || template.prepare(black_box(&answer), 1_795_464_000, None).expect("an answer");
        group.bench_function(format!("{name}/prepare"), |bencher| bencher.iter(prepare));
        let prepared = prepare();
        group.bench_function(format!("{name}/assemble"), |bencher| {
            bencher.iter(|| template.assemble(black_box(&prepared), &signature));
        });
        group.bench_function(format!("{name}/prepare and assemble"), |bencher| {
            bencher.iter(|| template.assemble(&prepare(), &signature));
        });
    }
    group.finish();
}

fn row(number: i64, previous_hash: [u8; 32]) -> LedgerRow {
    let mut serial = [1; 17];
    serial[9..].copy_from_slice(&number.to_be_bytes());
    LedgerRow {
        server_id: 1,
        number,
        kind: Cow::Borrowed("token"),
        recorded_at_us: 1_795_464_000_000_000,
        previous_hash,
        detail: None,
        token: Some(TokenRow {
            serial,
            gen_time_us: 1_795_464_000_000_000,
            profile: Arc::from("default"),
            hash_algorithm: Cow::Borrowed("sha256"),
            imprint: vec![7; 32],
            policy: Arc::from("0.4.0.2023.1.1"),
            key_name: Arc::from("tsu-default-1"),
            caller: Arc::from("address:127.0.0.1"),
            token_sha256: [3; 32],
            token: None,
        }),
    }
}

fn ledger(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = StoreUrl::Sqlite(directory.path().join("ledger.db"));
    let store = Store::open(&url, &StoreOptions::default()).expect("a store");
    store.migrate().expect("a schema");
    let lease = store.lease_server("serve").expect("a lease");
    let mut writer = store.ledger_writer(&lease).expect("a writer");
    let mut end = writer.chain_end().expect("the chain's end");
    let mut group = criterion.benchmark_group("ledger");
    for size in [1_i64, 8, 64, 512] {
        group.throughput(Throughput::Elements(u64::try_from(size).expect("positive")));
        group.bench_function(format!("sqlite group of {size}"), |bencher| {
            bencher.iter_batched(
                || (),
                |()| {
                    let before = end;
                    let mut rows = Vec::new();
                    for _ in 0..size {
                        let mut next = row(end.number + 1, end.hash);
                        next.server_id = lease.server_id();
                        end = ChainEnd { number: next.number, hash: canonical::hash(&next) };
                        rows.push(next);
                    }
                    writer.append(before, &rows, end).expect("an append");
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, parts, ocsp, ledger);
criterion_main!(benches);

//! An HTTP server of CRLs that answers well or badly, as it is told to, and a CA's key to sign CRLs with.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use crl::{CrlFields, CrlNumber, EntryFields, TbsCertList, walk};
use noonmark::ca::{Certificate, pem_decode};

use super::openssl_ca::OpensslCa;

/// How a path is answered.
#[derive(Clone)]
pub enum Route {
    /// These octets, or 304 where the request has this tag already.
    Crl(Vec<u8>, &'static str),
    /// This status.
    Status(u16),
    /// A redirection to this place.
    Redirect(String),
    /// Half of these octets, and then nothing more.
    Half(Vec<u8>),
    /// These octets, one every so often.
    Slow(Vec<u8>, Duration),
    /// An octet string without an end, of which no length is said.
    Endless,
}

#[derive(Default)]
struct State {
    routes: HashMap<String, Route>,
    /// Path and status of each answer.
    answered: Vec<(String, u16)>,
}

/// A server on a port of its own; it lives as long as the process, and answers nobody once `close` was called.
pub struct CrlServer {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl CrlServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A client that leaves early is none of the server's business.
                std::thread::spawn(move || answer(stream, &shared).ok());
            }
        });
        Self { port, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn route(&self, path: &str, route: Route) {
        self.state.lock().unwrap().routes.insert(path.to_owned(), route);
    }

    /// Every path is not found from now on.
    pub fn forget(&self) {
        self.state.lock().unwrap().routes.clear();
    }

    /// Path and status of each answer since the last call.
    pub fn answered(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.state.lock().unwrap().answered)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(b"\r\n\r\n") && request.len() < 16_384 {
        stream.read_exact(&mut octet)?;
        request.push(octet[0]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let route = state.lock().unwrap().routes.get(&path).cloned().unwrap_or(Route::Status(404));
    let has_tag = |tag: &str| {
        let mut lines = request.lines().filter_map(|line| line.split_once(": "));
        lines.any(|(name, value)| name.eq_ignore_ascii_case("if-none-match") && value == tag)
    };
    let status = match &route {
        Route::Crl(_, tag) if has_tag(tag) => 304,
        Route::Redirect(_) => 302,
        Route::Status(status) => *status,
        _ => 200,
    };
    state.lock().unwrap().answered.push((path, status));
    let head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n");
    let with_length = |octets: &[u8]| format!("{head}Content-Length: {}\r\n\r\n", octets.len());
    match route {
        Route::Crl(_, _) if status == 304 => write!(stream, "{head}\r\n"),
        Route::Crl(octets, tag) => {
            write!(stream, "{head}ETag: {tag}\r\nContent-Length: {}\r\n\r\n", octets.len())?;
            stream.write_all(&octets)
        }
        Route::Status(_) => write!(stream, "{head}Content-Length: 0\r\n\r\n"),
        Route::Redirect(location) => write!(stream, "{head}Location: {location}\r\nContent-Length: 0\r\n\r\n"),
        Route::Half(octets) => {
            write!(stream, "{}", with_length(&octets))?;
            stream.write_all(&octets[..octets.len() / 2])
        }
        Route::Slow(octets, pause) => {
            write!(stream, "{}", with_length(&octets))?;
            for octet in octets {
                stream.write_all(&[octet])?;
                std::thread::sleep(pause);
            }
            Ok(())
        }
        Route::Endless => {
            write!(stream, "{head}\r\n")?;
            loop {
                stream.write_all(&[0x30; 65_536])?;
            }
        }
    }
}

/// A CA's key and certificate, to sign CRLs of any number and time.
pub struct CrlSigner {
    key: EcdsaKeyPair,
    pub certificate: Certificate,
}

/// What a CRL says.
#[derive(Clone)]
pub struct Wanted {
    pub number: u64,
    pub base: Option<u64>,
    pub this_update_s: i64,
    pub next_update_s: i64,
    pub serials: Vec<u8>,
}

impl CrlSigner {
    /// The CA with this certificate and key, P-256.
    pub fn new(ca: &OpensslCa, name: &str) -> Self {
        let key = format!("{name}.p8");
        let pem = format!("{name}.key");
        ca.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &pem, "-outform", "DER", "-out", &key]);
        let key = std::fs::read(ca.path(&key)).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key).unwrap();
        let certificate = pem_decode("CERTIFICATE", &ca.read(&format!("{name}.pem"))).unwrap();
        Self { key, certificate: Certificate::from_der(&certificate[0]).unwrap() }
    }

    pub fn crl(&self, wanted: &Wanted) -> Vec<u8> {
        self.crl_with(wanted, |_| {})
    }

    /// A CRL with a change of its fields.
    pub fn crl_with(&self, wanted: &Wanted, change: impl FnOnce(&mut CrlFields)) -> Vec<u8> {
        let mut fields = CrlFields {
            issuer: self.certificate.subject_der.clone(),
            // ecdsa-with-SHA256
            signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            this_update_s: wanted.this_update_s,
            next_update_s: wanted.next_update_s,
            authority_key_identifier: self.certificate.subject_key_identifier.clone().unwrap(),
            crl_number: CrlNumber::from(wanted.number),
            base_crl_number: wanted.base.map(CrlNumber::from),
            issuing_distribution_point: None,
            freshest_crl: Vec::new(),
            expired_certs_on_crl_s: None,
        };
        change(&mut fields);
        let entries: Vec<EntryFields<'_>> =
            wanted.serials.chunks(1).map(|serial| EntryFields::new(serial, wanted.this_update_s)).collect();
        let mut tbs = TbsCertList::new(&fields, walk(&entries[..]).unwrap()).unwrap();
        let mut to_be_signed = Vec::new();
        tbs.for_each_tbs_chunk(|octets| to_be_signed.extend_from_slice(octets)).unwrap();
        let signature = self.key.sign(&SystemRandom::new(), &to_be_signed).unwrap();
        let mut octets = Vec::new();
        tbs.write_certificate_list(signature.as_ref(), &mut octets).unwrap();
        octets
    }
}

//! Which CRLs real clients take, seen with lists that the `crl` crate writes and a key of OpenSSL's signs.
//!
//! The lists have the fields of those that are published: AKI, CRLNumber, freshestCRL, critical deltaCRLIndicator, critical
//! IDP. A client that does not take one of the forms is named with what it says instead, so that a newer version that
//! does is noticed.

mod published;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crl::scope::{DistributionPoint, IssuingDistributionPoint, OnlyContains};
use crl::{CrlFields, CrlNumber, EntryFields, ReasonCode, TbsCertList, walk};
use der::{DecodePem as _, Encode as _};
use libtest_mimic::Trial;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::support::clients::{has_module, installed};
use super::support::crl_clients::{Client, Published, Verdict, openssl_download, pkilint};
use super::support::openssl_ca::OpensslCa;

/// A trial's name and what it does with a client.
type Body = (&'static str, fn(Client));

pub fn trials() -> Vec<Trial> {
    let openssl = installed(&["openssl"]);
    let mut trials = Vec::new();
    for client in Client::ALL {
        let with_deltas: [Body; 2] =
            [("lays_a_partitions_delta_over", partitions_delta), ("is_given_an_unnamed_delta", unnamed_delta)];
        let further = with_deltas.into_iter().filter(|_| client.takes_deltas());
        let bodies: [Body; 9] = [
            ("takes_a_complete_crl", complete),
            ("takes_freshest_crl", freshest),
            ("takes_an_empty_crl", empty),
            ("takes_a_partition", partition),
            ("refuses_another_partition", another_partition),
            ("refuses_a_strangers_crl", stranger),
            ("lays_a_delta_over", delta),
            ("takes_a_large_crl", large),
            ("takes_what_noonmark_publishes", published::taken),
        ];
        for (name, body) in bodies.into_iter().chain(further) {
            let body = move || {
                body(client);
                Ok(())
            };
            let trial = Trial::test(format!("crl_clients::{}_{name}", client.name()), body);
            trials.push(trial.with_ignored_flag(!(openssl && client.available())));
        }
    }
    let pkilint = openssl && has_module("pkilint");
    trials.extend([
        Trial::test("crl_clients::openssl_downloads", || {
            download();
            Ok(())
        })
        .with_ignored_flag(!(openssl && installed(&["timeout"]))),
        Trial::test("crl_clients::pkilint_finds_nothing", || {
            lint();
            Ok(())
        })
        .with_ignored_flag(!pkilint),
        Trial::test("crl_clients::pkilint_finds_nothing_published", || {
            published::linted();
            Ok(())
        })
        .with_ignored_flag(!pkilint),
    ]);
    trials
}

const CRL_URL: &str = "http://crl.example.com/crl/intermediate.crl";
const DELTA_URL: &str = "http://crl.example.com/crl/intermediate/delta.crl";

/// A certificate of the intermediate's for a TLS server, found revoked or not in the CRL at this address.
struct Leaf {
    path: PathBuf,
    serial: Vec<u8>,
}

/// An intermediate CA that signs CRLs.
struct Authority {
    ca: OpensslCa,
}

impl Authority {
    fn new() -> Self {
        Self { ca: OpensslCa::new() }
    }

    fn leaf(&self, name: &str) -> Leaf {
        self.leaf_of(name, CRL_URL)
    }

    fn leaf_of(&self, name: &str, crl_url: &str) -> Leaf {
        let extensions = format!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
             subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=DNS:{name}.example.com\n\
             crlDistributionPoints=URI:{crl_url}\n"
        );
        let pem = self.ca.issue(name, &format!("/CN={name}.example.com"), &extensions);
        let certificate = Certificate::from_pem(pem).unwrap();
        let serial = certificate.tbs_certificate.serial_number.as_bytes().to_vec();
        Leaf { path: self.ca.path(&format!("{name}.pem")), serial }
    }

    /// What a CRL of the intermediate's says, were it published now.
    fn fields(&self) -> CrlFields {
        let certificate = Certificate::from_pem(self.ca.read("intermediate.pem")).unwrap().tbs_certificate;
        let (_, identifier) = certificate.get::<SubjectKeyIdentifier>().unwrap().expect("a subjectKeyIdentifier");
        CrlFields {
            issuer: certificate.subject.to_der().unwrap(),
            // ecdsa-with-SHA256
            signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            this_update_s: now_s() - 60,
            next_update_s: now_s() + 6 * 86_400,
            authority_key_identifier: identifier.0.as_bytes().to_vec(),
            crl_number: CrlNumber::from(300),
            base_crl_number: None,
            issuing_distribution_point: None,
            freshest_crl: Vec::new(),
            expired_certs_on_crl_s: None,
        }
    }

    /// Writes a CRL whose signature is by `key`.
    fn write(&self, name: &str, fields: &CrlFields, entries: &[EntryFields<'_>], key: &str) -> PathBuf {
        let mut tbs = TbsCertList::new(fields, walk(entries).unwrap()).unwrap();
        let (to_be_signed, signature) = (format!("{name}.tbs"), format!("{name}.signature"));
        tbs.write_tbs(&mut std::fs::File::create(self.ca.path(&to_be_signed)).unwrap()).unwrap();
        self.ca.openssl(&["dgst", "-sha256", "-sign", key, "-out", &signature, &to_be_signed]);
        let signature = std::fs::read(self.ca.path(&signature)).unwrap();
        let path = self.ca.path(name);
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        tbs.write_certificate_list(&signature, &mut file).unwrap();
        file.flush().unwrap();
        path
    }

    fn sign(&self, name: &str, fields: &CrlFields, entries: &[EntryFields<'_>]) -> PathBuf {
        self.write(name, fields, entries, "intermediate.key")
    }

    /// Has the client judge these leaves by these CRLs.
    fn ask(&self, crl: &Path, delta: Option<&Path>, good: &[&Leaf], revoked: &[&Leaf], with: impl Fn(&Published<'_>)) {
        let paths = |leaves: &[&Leaf]| leaves.iter().map(|leaf| leaf.path.clone()).collect::<Vec<_>>();
        let (good, revoked) = (paths(good), paths(revoked));
        let good: Vec<&Path> = good.iter().map(PathBuf::as_path).collect();
        let revoked: Vec<&Path> = revoked.iter().map(PathBuf::as_path).collect();
        let (root, issuer) = (self.ca.path("root.pem"), self.ca.path("intermediate.pem"));
        with(&Published { root: &root, issuer: &issuer, crl, delta, good: &good, revoked: &revoked });
    }
}

fn now_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn entry(leaf: &Leaf, reason: ReasonCode) -> EntryFields<'_> {
    EntryFields { reason: Some(reason), ..EntryFields::new(&leaf.serial, now_s() - 3600) }
}

fn points_to_delta() -> Vec<DistributionPoint> {
    vec![DistributionPoint::from_uri(DELTA_URL).unwrap()]
}

/// As a partition has it.
fn user_certificates_at(uri: &str) -> Option<IssuingDistributionPoint> {
    let point = IssuingDistributionPoint::from_uri(uri).unwrap();
    Some(IssuingDistributionPoint { only_contains: OnlyContains::UserCerts, ..point })
}

fn complete(client: Client) {
    let authority = Authority::new();
    let (good, revoked) = (authority.leaf("good"), authority.leaf("revoked"));
    let crl = authority.sign("crl", &authority.fields(), &[entry(&revoked, ReasonCode::KeyCompromise)]);
    authority.ask(&crl, None, &[&good], &[&revoked], |published| client.accepts(published));
}

/// A complete CRL that points to deltas, and nobody has one at hand.
fn freshest(client: Client) {
    let authority = Authority::new();
    let (good, revoked) = (authority.leaf("good"), authority.leaf("revoked"));
    let fields = CrlFields { freshest_crl: points_to_delta(), ..authority.fields() };
    let crl = authority.sign("crl", &fields, &[entry(&revoked, ReasonCode::Superseded)]);
    authority.ask(&crl, None, &[&good], &[&revoked], |published| {
        if client.can_do_without_delta() {
            client.accepts(published);
        } else {
            let said = client.refuses(published);
            assert!(said.contains("Delta CRL matching Freshest CRL extension not available"), "{said}");
        }
    });
}

fn empty(client: Client) {
    let authority = Authority::new();
    let good = authority.leaf("good");
    let crl = authority.sign("crl", &authority.fields(), &[]);
    authority.ask(&crl, None, &[&good], &[], |published| client.accepts(published));
}

fn partition(client: Client) {
    let authority = Authority::new();
    let (good, revoked) = (authority.leaf("good"), authority.leaf("revoked"));
    let fields = CrlFields { issuing_distribution_point: user_certificates_at(CRL_URL), ..authority.fields() };
    let crl = authority.sign("crl", &fields, &[entry(&revoked, ReasonCode::CessationOfOperation)]);
    authority.ask(&crl, None, &[&good], &[&revoked], |published| {
        if client.takes_partitions() {
            client.accepts(published);
        } else {
            let said = client.refuses(published);
            assert!(said.contains("SEC_ERROR_CRL_UNKNOWN_CRITICAL_EXTENSION"), "{said}");
        }
    });
}

/// Of another address than the certificates', or of CA certificates alone: it says nothing of them.
fn another_partition(client: Client) {
    let authority = Authority::new();
    let good = authority.leaf("good");
    let elsewhere = user_certificates_at("http://crl.example.com/crl/intermediate/2.crl");
    let here = IssuingDistributionPoint::from_uri(CRL_URL).unwrap();
    let of_cas = Some(IssuingDistributionPoint { only_contains: OnlyContains::CaCerts, ..here });
    for (name, scope) in [("elsewhere", elsewhere), ("cas", of_cas)] {
        let fields = CrlFields { issuing_distribution_point: scope, ..authority.fields() };
        let crl = authority.sign(name, &fields, &[]);
        authority.ask(&crl, None, &[&good], &[], |published| {
            if client == Client::Certtool {
                // GnuTLS 3.7 does not look at the critical extension: it takes a partition for all there is.
                client.accepts(published);
            } else {
                client.refuses(published);
            }
        });
    }
}

/// Everything is right but the key that signed.
fn stranger(client: Client) {
    let authority = Authority::new();
    let (good, revoked) = (authority.leaf("good"), authority.leaf("revoked"));
    let entries = [entry(&revoked, ReasonCode::KeyCompromise)];
    let crl = authority.write("crl", &authority.fields(), &entries, "root.key");
    authority.ask(&crl, None, &[&good], &[&revoked], |published| drop(client.refuses(published)));
}

/// A base and a delta with the same scope; certificates revoked in the base, revoked since, on hold in the base and released
/// since, and never mentioned.
struct BaseAndDelta {
    authority: Authority,
    complete: PathBuf,
    delta: PathBuf,
    good: Leaf,
    revoked: Leaf,
    later: Leaf,
    released: Leaf,
}

impl BaseAndDelta {
    fn new(scope: Option<IssuingDistributionPoint>, names: Vec<DistributionPoint>) -> Self {
        let authority = Authority::new();
        let [good, revoked, later, released] =
            ["good", "revoked", "later", "released"].map(|name| authority.leaf(name));
        let fields = CrlFields { issuing_distribution_point: scope, ..authority.fields() };
        let base = CrlFields { freshest_crl: names, ..fields.clone() };
        let entries = [entry(&revoked, ReasonCode::KeyCompromise), entry(&released, ReasonCode::CertificateHold)];
        let complete = authority.sign("crl", &base, &entries);
        let number = CrlNumber::from(301);
        let delta = CrlFields { crl_number: number, base_crl_number: Some(CrlNumber::from(300)), ..fields };
        let entries = [entry(&later, ReasonCode::Superseded), entry(&released, ReasonCode::RemoveFromCrl)];
        let delta = authority.sign("delta.crl", &delta, &entries);
        Self { authority, complete, delta, good, revoked, later, released }
    }

    fn laid_over(&self, client: Client) {
        let (good, revoked) = ([&self.good, &self.released], [&self.revoked, &self.later]);
        self.authority.ask(&self.complete, Some(&self.delta), &good, &revoked, |published| client.accepts(published));
    }
}

fn delta(client: Client) {
    let lists = BaseAndDelta::new(None, points_to_delta());
    let BaseAndDelta { authority, complete, delta, good, revoked, later, released } = &lists;
    if client.takes_deltas() {
        lists.laid_over(client);
    }
    match client {
        // Both take a delta alone for a complete CRL, though its indicator is critical: GnuTLS 3.7 always, OpenSSL 3.0 unless
        // it is told -extended_crl.
        Client::Certtool | Client::Openssl => {
            authority.ask(delta, None, &[good], &[later], |published| client.accepts(published));
        }
        // It passes the delta over, and says what the base says.
        Client::Jdk => {
            let (good, revoked) = ([good, later], [revoked, released]);
            authority.ask(complete, Some(delta), &good, &revoked, |published| client.accepts(published));
            authority.ask(delta, None, &good, &revoked, |published| drop(client.refuses(published)));
        }
        // A delta alone is no answer.
        _ => authority.ask(delta, None, &[good], &[later], |published| drop(client.refuses(published))),
    }
}

/// RFC 5280 §5.2.4: a delta has the scope of its base.
fn partitions_delta(client: Client) {
    BaseAndDelta::new(user_certificates_at(CRL_URL), points_to_delta()).laid_over(client);
}

/// The complete CRL does not say that there are deltas.
fn unnamed_delta(client: Client) {
    let lists = BaseAndDelta::new(None, Vec::new());
    if client.takes_unnamed_deltas() {
        lists.laid_over(client);
    } else {
        let BaseAndDelta { authority, complete, delta, good, revoked, later, released } = &lists;
        let (good, revoked) = ([good, later], [revoked, released]);
        authority.ask(complete, Some(delta), &good, &revoked, |published| client.accepts(published));
    }
}

fn large(client: Client) {
    let authority = Authority::new();
    let (good, revoked) = (authority.leaf("good"), authority.leaf("revoked"));
    let serials: Vec<[u8; 16]> = (1..client.many_entries())
        .map(|number| {
            let mut serial = [0x40; 16];
            serial[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            serial
        })
        .collect();
    let date_s = now_s() - 86_400;
    let mut entries: Vec<EntryFields<'_>> = serials
        .iter()
        .map(|serial| EntryFields { reason: Some(ReasonCode::Superseded), ..EntryFields::new(serial, date_s) })
        .collect();
    entries.insert(entries.len() / 3 * 2, entry(&revoked, ReasonCode::KeyCompromise));
    let crl = authority.sign("crl", &authority.fields(), &entries);
    authority.ask(&crl, None, &[&good], &[&revoked], |published| client.accepts(published));
}

/// A server that gives the CRL to whoever asks, so long as the test runs.
fn download() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/crl/intermediate.crl", listener.local_addr().unwrap().port());
    let (good, revoked) = (authority.leaf_of("good", &url), authority.leaf_of("revoked", &url));
    let crl = authority.sign("crl", &authority.fields(), &[entry(&revoked, ReasonCode::KeyCompromise)]);
    let crl = std::fs::read(crl).unwrap();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut octet = [0];
                stream.read_exact(&mut octet).unwrap();
                request.extend(octet);
            }
            assert!(request.starts_with(b"GET /crl/intermediate.crl "), "{}", String::from_utf8_lossy(&request));
            let head = "HTTP/1.0 200 OK\r\nContent-Type: application/pkix-crl\r\nContent-Length";
            write!(stream, "{head}: {}\r\n\r\n", crl.len()).unwrap();
            stream.write_all(&crl).unwrap();
        }
    });
    let (root, issuer) = (authority.ca.path("root.pem"), authority.ca.path("intermediate.pem"));
    assert_eq!(openssl_download(&root, &issuer, &good.path), Verdict::Good);
    assert_eq!(openssl_download(&root, &issuer, &revoked.path), Verdict::Revoked);
    server.join().unwrap();
    // Without a server there is no CRL, and no verdict.
    assert!(matches!(openssl_download(&root, &issuer, &good.path), Verdict::Refused(_)));
}

fn lint() {
    let authority = Authority::new();
    let revoked = authority.leaf("revoked");
    let complete = CrlFields { freshest_crl: points_to_delta(), ..authority.fields() };
    let delta = CrlFields { base_crl_number: Some(CrlNumber::from(299)), ..authority.fields() };
    let partition = CrlFields { issuing_distribution_point: user_certificates_at(CRL_URL), ..authority.fields() };
    let entries = [entry(&revoked, ReasonCode::KeyCompromise)];
    for (name, fields) in [("complete", complete), ("delta", delta), ("partition", partition)] {
        assert_eq!(pkilint(&authority.sign(name, &fields, &entries), false), Vec::<String>::new(), "{name}");
    }
    let empty = authority.sign("empty", &authority.fields(), &[]);
    assert_eq!(pkilint(&empty, false), Vec::<String>::new(), "empty");
    // It does find what is wrong: eleven days are too long for end entities' CRLs, and not for CAs'.
    let long = CrlFields { next_update_s: now_s() + 11 * 86_400, ..authority.fields() };
    let long = authority.sign("long", &long, &[]);
    let found = pkilint(&long, false);
    assert!(found.iter().any(|finding| finding.contains("cabf.crl")), "{found:?}");
    assert_eq!(pkilint(&long, true), Vec::<String>::new(), "of CAs");
}

//! Every CRL of the shared corpus: what the reader says of it, file by file.
//!
//! The corpus lies outside the repository: NOONMARK_CORPUS, or shared/corpus beside the checkout. Without it the test is
//! shown as ignored.

use std::path::{Path, PathBuf};

use crl::lint::{Profile, lint, unreadable};
use crl::{Crl, Index, ReadError, Reader};
use libtest_mimic::{Arguments, Failed, Trial};

/// What is expected of a file.
enum Outcome {
    /// It reads, and nothing stands against its use.
    Reads,
    /// It reads, and so many obstacles stand against its use as a word for good.
    Obstacles(usize),
    /// It is refused with an error of which this is the text's end.
    Refused(&'static str),
    /// It reads although the manifest calls it malformed, or unsupported: why that is right.
    ReadsAlthough(&'static str),
    /// The same, and the lint finds what is wrong with it, by this rule.
    Found(&'static str),
    /// It is refused with this error although the manifest calls it well-formed: why that is right.
    RefusedAlthough(&'static str, &'static str),
    /// Its revokedCertificates is empty: refused as such, and read by a reader that tolerates it.
    EmptyList,
}

use Outcome::{EmptyList, Found, Obstacles, Reads, ReadsAlthough, Refused, RefusedAlthough};

/// Files that do not simply read as the manifest says. All others read without an obstacle.
const OUTCOMES: &[(&str, Outcome)] = &[
    ("dss-crl/DS_NA2_CA-B1.crl", EmptyList),
    ("dss-crl/infinite-loop.crl", Refused("is followed by 2 octets that do not belong to it")),
    ("pyca-crl/crl_all_reasons.pem", Obstacles(1)),
    ("pyca-crl/crl_bad_version.pem", Refused("is 2; a CRL has none, or 1 for v2 (RFC 5280 §5.1.2.1)")),
    ("pyca-crl/crl_dup_entry_ext.pem", Refused("has extension 2.5.29.21 twice (RFC 5280 §4.2)")),
    ("pyca-crl/crl_inner_outer_mismatch.der", Refused("differs from signature (RFC 5280 §5.1.1.2)")),
    (
        "pyca-crl/crl_inval_cert_issuer_entry_ext.pem",
        Refused("certificateIssuer at octet 102 ends too early, or its length goes past what holds it"),
    ),
    ("pyca-crl/crl_inval_date_fractional_seconds.der", Refused("invalidityDate at octet 38 has fractional seconds")),
    ("pyca-crl/crl_invalid_time.der", Refused("thisUpdate at octet 45 is not the digits of a time")),
    (
        "pyca-crl/crl_issuer_invalid_printable_string.der",
        ReadsAlthough("names are compared octet by octet and never shown, so their character sets are not looked at"),
    ),
    ("pyca-crl/crl_md2_unknown_crit_entry_ext.pem", Obstacles(1)),
    ("pyca-crl/crl_no_next_update.pem", Found("next-update")),
    ("pyca-crl/crl_unsupported_reason.pem", Found("reason-code")),
    ("pyca-crl/freshestcrl.pem", RefusedAlthough(CERTIFICATE, "it is a certificate")),
    ("pyhanko-ades/time-slide/interm-2020-10-01.crl", EmptyList),
    ("pyhanko-ades/time-slide/interm-2020-11-29.crl", EmptyList),
    ("pyhanko-ades/time-slide/root-2020-10-01.crl", EmptyList),
    ("pyhanko-ades/time-slide/root-2020-11-29.crl", EmptyList),
    ("pyhanko-freshness/root-2020-10-01.crl", EmptyList),
    ("pyhanko-freshness/root-2020-11-29.crl", EmptyList),
    ("webpki-client_auth_revocation/no_crl_ku_chain.ee.der", RefusedAlthough(CERTIFICATE, "it is a certificate")),
    ("webpki-client_auth_revocation/no_crl_ku_chain.int.a.ca.der", RefusedAlthough(CERTIFICATE, "it is a certificate")),
    ("webpki-crls/crl.delta.der", Found("delta-crl-indicator")),
    ("webpki-crls/crl.empty.der", Found("issuer")),
    ("webpki-crls/crl.entry.empty.ext.seq.der", Refused("crlEntryExtensions at octet 177 is empty")),
    ("webpki-crls/crl.entry.invalid.reason.der", Found("reason-code")),
    (
        "webpki-crls/crl.entry.invalidity.date.der",
        Refused("invalidityDate at octet 130 has tag 0x17 where 0x18 belongs"),
    ),
    ("webpki-crls/crl.entry.issuer.ext.der", Refused("certificateIssuer at octet 130 has tag 0x13 where 0x30 belongs")),
    ("webpki-crls/crl.entry.unknown.crit.ext.der", Obstacles(1)),
    ("webpki-crls/crl.idp.invalid.bool.der", RefusedAlthough("is a BOOLEAN of 0xab, neither 0x00 nor 0xff", BY_NAME)),
    ("webpki-crls/crl.idp.invalid.name.der", RefusedAlthough("has tag 0xa8 where 0xa0 belongs", BY_NAME)),
    ("webpki-crls/crl.idp.unknown.tag.der", RefusedAlthough("has tag 0x89 where 0x85 belongs", BY_NAME)),
    ("webpki-crls/crl.invalid.this.update.time.der", Found("next-update")),
    ("webpki-crls/crl.mismatched.sigalg.der", Refused("differs from signature (RFC 5280 §5.1.1.2)")),
    ("webpki-crls/crl.missing.exts.der", Found("crl-number")),
    ("webpki-crls/crl.missing.next.update.der", Found("next-update")),
    ("webpki-crls/crl.negative.crl.number.der", Refused("cRLNumber at octet 52: a negative CRL number")),
    ("webpki-crls/crl.negative.serial.der", Refused("userCertificate at octet 130 is negative")),
    ("webpki-crls/crl.no.entry.exts.der", ReadsAlthough("an entry needs no extensions (RFC 5280 §5.3)")),
    ("webpki-crls/crl.too.long.crl.number.der", Refused("a CRL number of 29 octets, more than 20")),
    (
        "webpki-crls/crl.topbit.serial.der",
        ReadsAlthough("a serial number of 20 octets or fewer, its zero in front included"),
    ),
    ("webpki-crls/crl.unknown.crit.ext.der", Obstacles(1)),
    (
        "webpki-crls/crl.valid.der",
        ReadsAlthough("the manifest has one line for its whole directory; this one is called valid"),
    ),
    ("webpki-crls/crl.wrong.version.der", Refused("is 0; a CRL has none, or 1 for v2 (RFC 5280 §5.1.2.1)")),
];

/// How a certificate fails that the manifest calls a CRL: its `[0]` version.
const CERTIFICATE: &str = "signature at octet 8 has tag 0xa0 where 0x30 belongs";
const BY_NAME: &str = "the manifest has one line for its whole directory; the file's name says what is wrong with it";

fn outcome(file: &str) -> &'static Outcome {
    OUTCOMES.iter().find(|(name, _)| *name == file).map_or(&Reads, |(_, outcome)| outcome)
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let corpus = std::env::var_os("NOONMARK_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"), PathBuf::from);
    let tokens = corpus.join("tokens");
    let present = tokens.join("manifest.json").is_file();
    let files = if present { files(&tokens) } else { Vec::new() };
    let mut trials = vec![
        Trial::test("corpus::the_table_names_no_other_file", {
            let files = files.clone();
            move || {
                let strange = OUTCOMES.iter().find(|(name, _)| !files.iter().any(|(file, _)| file == name));
                strange.map_or(Ok(()), |(name, _)| Err(Failed::from(format!("{name} is not in the corpus"))))
            }
        })
        .with_ignored_flag(!present),
    ];
    if !present {
        trials.push(Trial::test("corpus::every_crl", || Ok(())).with_ignored_flag(true));
    }
    for (file, expected) in files {
        let tokens = tokens.clone();
        trials.push(Trial::test(format!("corpus::{file}"), move || check(&tokens, &file, &expected)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The CRLs that the manifest names, each once, with what it expects of them.
fn files(tokens: &Path) -> Vec<(String, String)> {
    let manifest = std::fs::read(tokens.join("manifest.json")).expect("the manifest reads");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("the manifest is JSON");
    let mut files: Vec<_> = manifest["files"]
        .as_array()
        .expect("the manifest lists files")
        .iter()
        .filter(|entry| entry["kind"] == "crl")
        .map(|entry| ["file", "expected"].map(|field| entry[field].as_str().expect("text").to_owned()))
        .map(|[file, expected]| (file, expected))
        .collect();
    files.sort();
    files.dedup();
    files
}

fn check(tokens: &Path, file: &str, expected: &str) -> Result<(), Failed> {
    let octets = std::fs::read(tokens.join(file))?;
    let octets = match octets.first() {
        Some(b'-') => from_pem(&octets),
        // Base64 without a frame.
        Some(b'M') => from_pem(&[b"-----BEGIN-----\n", &octets[..]].concat()),
        _ => octets,
    };
    let by_slice = Reader::from_slice(&octets, u64::MAX, |_| {}).and_then(Reader::finish);
    let by_stream = Reader::from_read(&octets[..], u64::MAX, |_| {}).and_then(Reader::finish);
    let text = |read: &Result<Crl, ReadError>| match read {
        Ok(crl) => format!("{:?}", crl.obstacles()),
        Err(error) => error.to_string(),
    };
    if text(&by_slice) != text(&by_stream) {
        return Err(format!("by slice: {}; by stream: {}", text(&by_slice), text(&by_stream)).into());
    }
    let as_expected = match (outcome(file), &by_slice) {
        // What the manifest calls malformed and still reads needs a reason.
        (Reads, Ok(crl)) => crl.obstacles().is_empty() && !expected.starts_with("MALFORMED"),
        (ReadsAlthough(_), Ok(crl)) => crl.obstacles().is_empty(),
        (Found(rule), Ok(_)) => lint(Reader::from_slice(&octets, u64::MAX, |_| {})?, Profile::EndEntity)
            .iter()
            .any(|finding| finding.rule == *rule),
        (EmptyList, Err(ReadError::EmptyRevokedCertificates { .. })) => {
            let tolerant = Reader::from_slice(&octets, 0, |_| {})?.tolerating_empty_list().finish()?;
            tolerant.obstacles().is_empty()
        }
        (Obstacles(count), Ok(crl)) => crl.obstacles().len() == *count,
        (Refused(end) | RefusedAlthough(end, _), Err(error)) => error.to_string().ends_with(end),
        _ => false,
    };
    if !as_expected {
        let reason = match outcome(file) {
            ReadsAlthough(reason) => format!("; it was to read, since {reason}"),
            RefusedAlthough(end, reason) => format!("; it was to be refused ({end}), since {reason}"),
            _ => String::new(),
        };
        return Err(format!("manifest: {expected}; read: {}{reason}", text(&by_slice)).into());
    }
    deeper(&octets, by_slice)
}

/// What reads is indexed, all of it, and linted; what does not, is one finding of weight.
fn deeper(octets: &[u8], read: Result<Crl, ReadError>) -> Result<(), Failed> {
    let reader = || Reader::from_slice(octets, u64::MAX, |_| {});
    match read {
        Ok(crl) => {
            let (index, again) = Index::from_crl(reader()?)?;
            let held = u64::try_from(index.len())? + index.duplicates();
            if again != crl || held != crl.entries {
                return Err(format!("{} entries, {held} in the index", crl.entries).into());
            }
            let mut file = Vec::new();
            index.write_to(&mut file)?;
            let index = Index::read_from(&mut &file[..], u32::MAX)?;
            let mut reader = reader()?;
            while let Some(entry) = reader.next_entry()? {
                let issuer = entry.certificate_issuer.map_or(Some(crl::IssuerNumber::OWN), |name| index.issuer(name));
                if issuer.and_then(|issuer| index.find_of(issuer, entry.serial)).is_none() {
                    return Err(format!("the entry at octet {} is not in the index", entry.at).into());
                }
            }
            // Whatever it finds, it comes to an end.
            let _ = lint(self::Reader::from_slice(octets, u64::MAX, |_| {})?, Profile::EndEntity);
            Ok(())
        }
        Err(error) if unreadable(&error).severity == crl::lint::Severity::Error => Ok(()),
        Err(error) => Err(format!("{error} weighs too little").into()),
    }
}

/// The octets in a PEM file (RFC 7468).
fn from_pem(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).expect("PEM is text");
    let base64 = text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let digits: Vec<u8> = base64
        .take_while(|line| !line.starts_with("-----END"))
        .flat_map(str::bytes)
        .filter(|octet| !octet.is_ascii_whitespace() && *octet != b'=')
        .map(|octet| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            u8::try_from(alphabet.iter().position(|digit| *digit == octet).expect("a base64 digit")).expect("below 64")
        })
        .collect();
    let mut octets = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        octets.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    octets
}

//! `noonmark timestamp FILE`: ask, check, keep.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::asn1::writer;
use crate::ca::{Certificate, pem_decode};
use crate::crypto::DigestAlgorithm;
use crate::tsa::response::{self, Asked, ResponseError};

/// Arguments of `timestamp`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noonmark timestamp contract.pdf\n  noonmark timestamp data.zip --server https://tsa.example.org/tsa --root root.pem -o data.tsr\n\nThe answer is a TimeStampResp, which openssl reads:\n  openssl ts -verify -data contract.pdf -in contract.pdf.tsr -CAfile root.pem"
)]
pub struct TimestampArguments {
    /// The file to be timestamped; only its digest is sent
    pub file: PathBuf,
    /// The time-stamping authority's URL
    #[arg(long, env = "NOONMARK_SERVER", default_value = "http://127.0.0.1:3161/tsa", value_name = "URL")]
    pub server: String,
    /// Where to write the answer [default: FILE.tsr]
    #[arg(short, long, value_name = "FILE.tsr")]
    pub output: Option<PathBuf>,
    /// The digest
    #[arg(long, default_value = "sha256", value_name = "HASH")]
    pub hash: DigestAlgorithm,
    /// A PEM file with the root's certificate; the token's chain must lead to it
    #[arg(long, value_name = "ROOT.pem")]
    pub root: Option<PathBuf>,
    /// A PEM file with the CA of an https server; without it the platform's roots are trusted
    #[arg(long, value_name = "CA.pem")]
    pub server_ca: Option<PathBuf>,
    /// A file that holds a bearer token, for servers that want to know who asks
    #[arg(long, value_name = "FILE")]
    pub bearer_file: Option<PathBuf>,
}

/// Octets read at a time.
const CHUNK: usize = 1 << 16;
/// Larger than any token seen, chains included.
const MAX_ANSWER: u64 = 1 << 20;
/// A file from this size on gets a progress bar.
const BAR_FROM: u64 = 64 << 20;

pub(super) fn run(arguments: &TimestampArguments) -> Result<ExitCode, Failure> {
    let output = arguments.output.clone().unwrap_or_else(|| {
        let mut name = arguments.file.clone().into_os_string();
        name.push(".tsr");
        PathBuf::from(name)
    });
    let trusted = trusted(arguments.root.as_deref())?;
    // Told before the server is asked: a timestamp may have its price.
    if output.try_exists().map_err(Failure::doing(output.display()))? {
        return Err(Failure::new(format!(
            "{} exists, and an existing timestamp is never overwritten; name another file with -o",
            output.display()
        )));
    }
    let digest = hash_file(&arguments.file, arguments.hash)?;
    let oid = writer::tlv(writer::OBJECT_IDENTIFIER, &[arguments.hash.oid().as_bytes()]);
    let algorithm = writer::tlv(writer::SEQUENCE, &[&oid]);
    let imprint = writer::tlv(writer::SEQUENCE, &[&algorithm, &writer::tlv(writer::OCTET_STRING, &[&digest])]);
    let mut nonce = [0; 16];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::new("the system's random generator failed"))?;
    let nonce = writer::unsigned_integer(&nonce);
    let request =
        writer::tlv(writer::SEQUENCE, &[&[writer::INTEGER, 1, 1], &imprint, &nonce, &[writer::BOOLEAN, 1, 0xff]]);
    let answer = post(arguments, &request)?;
    let asked = Asked { message_imprint: &imprint, nonce: &nonce, trusted: &trusted };
    let token = response::check(&answer, &asked).map_err(|error| match error {
        ResponseError::Chain(_) => Failure::new(format!(
            "{error}. Nothing was written. --root must name the certificate of the root that this server's operator \
             published, or the answer came from another server"
        )),
        other => other.into(),
    })?;

    // A timestamp that exists may be the older, better proof: it is not written over.
    let mut file = std::fs::File::create_new(&output).map_err(Failure::doing(format!(
        "writing {} (an existing timestamp is never overwritten; -o names another)",
        output.display()
    )))?;
    std::io::Write::write_all(&mut file, &answer).map_err(Failure::doing(output.display()))?;
    println!("{}: {} by {}", output.display(), token.gen_time, token.signer.subject());
    println!(
        "  {} {}, policy {}, serial {}",
        arguments.hash,
        hex::encode(&digest),
        token.policy,
        hex::encode(&token.serial_number)
    );
    if !token.chain_verified {
        println!(
            "  The signature was checked, the chain was not: name the root's certificate with --root to check it."
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn hash_file(path: &Path, hash: DigestAlgorithm) -> Result<Vec<u8>, Failure> {
    let mut file = std::fs::File::open(path).map_err(Failure::doing(path.display()))?;
    let size = file.metadata().map_err(Failure::doing(path.display()))?.len();
    let bar = if size >= BAR_FROM { ProgressBar::new(size) } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {eta}")
            .map_err(|error| Failure::new(error.to_string()))?,
    );
    let mut context = aws_lc_rs::digest::Context::new(hash.implementation());
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = file.read(&mut chunk).map_err(Failure::doing(path.display()))?;
        if count == 0 {
            break;
        }
        context.update(&chunk[..count]);
        bar.inc(u64::try_from(count).unwrap_or(0));
    }
    bar.finish_and_clear();
    Ok(context.finish().as_ref().to_vec())
}

fn trusted(path: Option<&Path>) -> Result<Vec<Certificate>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(Failure::doing(path.display()))?;
    let named = |error: &dyn std::error::Error| Failure::new(format!("--root {}: {error}", path.display()));
    let blocks = pem_decode("CERTIFICATE", &text).map_err(|error| named(&error))?;
    blocks.iter().map(|der| Certificate::from_der(der).map_err(|error| named(&error))).collect()
}

/// The roots that an https server's certificate must lead to.
fn server_roots(path: Option<&Path>) -> Result<ureq::tls::RootCerts, Failure> {
    let Some(path) = path else { return Ok(ureq::tls::RootCerts::PlatformVerifier) };
    let text = std::fs::read_to_string(path).map_err(Failure::doing(path.display()))?;
    let roots = pem_decode("CERTIFICATE", &text)?;
    Ok(ureq::tls::RootCerts::new_with_certs(
        &roots.iter().map(|der| ureq::tls::Certificate::from_der(der).to_owned()).collect::<Vec<_>>(),
    ))
}

fn post(arguments: &TimestampArguments, request: &[u8]) -> Result<Vec<u8>, Failure> {
    let url = &arguments.server;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(server_roots(arguments.server_ca.as_deref())?)
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(Duration::from_secs(60)))
        .http_status_as_error(false)
        .build()
        .into();
    let mut call = agent.post(url).header("Content-Type", "application/timestamp-query");
    if let Some(path) = &arguments.bearer_file {
        let secret = std::fs::read_to_string(path).map_err(Failure::doing(path.display()))?;
        call = call.header("Authorization", format!("Bearer {}", secret.trim()));
    }
    let mut answer = call.send(request).map_err(|error| {
        let what_to_do = match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                "if the server has a certificate of your own CA, name that with --server-ca"
            }
            ureq::Error::Io(ref source) if source.to_string().contains("certificate") => {
                "if the server has a certificate of your own CA, name that with --server-ca"
            }
            _ => "is the server running? (`noonmark up` starts one here)",
        };
        Failure::new(format!("{url}: {error}; {what_to_do}"))
    })?;
    let status = answer.status();
    let body = answer
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_vec()
        .map_err(|error| Failure::new(format!("{url}: {error}")))?;
    if status.as_u16() != 200 {
        let text: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(300).collect();
        return Err(Failure::new(format!("{url} answered HTTP {status}: {text}")));
    }
    Ok(body)
}

//! `noonmark issuer set`, of somebody else's CRLs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::ca::registry::Issuer;
use crate::ca::{AnswersFrom, Certificate, ExternalCrlSettings, pem_decode};
use crate::cli::Failure;

/// Whose word on certificates' status is given.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CrlAnswers {
    /// The registry's; CRLs are fetched and held all the same
    Registry,
    /// The CRL's; what it does not list is good only if the registry knows it
    Crl,
    /// The CRL's; what it does not list is good, even if it was never issued: never for a public CA
    CrlAnySerial,
}

/// Arguments of `issuer set` about CRLs, of somebody else's issuer.
#[derive(Debug, Args)]
pub struct ExternalCrlArguments {
    /// Where an external issuer's complete CRL is fetched; further ones are mirrors of it, in the order they are tried
    #[arg(long, value_name = "URL")]
    pub crl_url: Vec<String>,
    /// The same as a certificate of the issuer's names it (cRLDistributionPoints); PEM
    #[arg(long, value_name = "CERT.pem", conflicts_with = "crl_url")]
    pub crl_url_of: Option<PathBuf>,
    /// Where its delta CRL is fetched; mirrors as above
    #[arg(long, value_name = "URL")]
    pub crl_delta_url: Vec<String>,
    /// How often they are fetched [default of a new one: 3600]
    #[arg(long, value_name = "SECONDS")]
    pub crl_fetch_seconds: Option<u32>,
    /// Whose word OCSP answers give for an external issuer
    #[arg(long)]
    pub crl_answers: Option<CrlAnswers>,
    /// Fetch no CRL of this issuer any more
    #[arg(long, conflicts_with_all = ["crl_url", "crl_url_of", "crl_delta_url", "crl_fetch_seconds", "crl_answers"])]
    pub no_crl_url: bool,
}

impl ExternalCrlArguments {
    /// The settings with what was named; what was not stays.
    ///
    /// # Errors
    /// A certificate that does not read, is not the issuer's, or names no CRL.
    pub(super) fn over(&self, issuer: &Issuer, before: ExternalCrlSettings) -> Result<ExternalCrlSettings, Failure> {
        if self.no_crl_url {
            return Ok(ExternalCrlSettings::default());
        }
        let named = match &self.crl_url_of {
            Some(path) => urls_of(path, &issuer.certificate)?,
            None => self.crl_url.clone(),
        };
        let urls = |named: &[String], before: Vec<String>| if named.is_empty() { before } else { named.to_vec() };
        Ok(ExternalCrlSettings {
            urls: urls(&named, before.urls),
            delta_urls: urls(&self.crl_delta_url, before.delta_urls),
            interval_s: self.crl_fetch_seconds.unwrap_or(before.interval_s),
            answers: self.crl_answers.map_or(before.answers, |answers| match answers {
                CrlAnswers::Registry => AnswersFrom::Registry,
                CrlAnswers::Crl => AnswersFrom::Crl,
                CrlAnswers::CrlAnySerial => AnswersFrom::CrlAnySerial,
            }),
        })
    }
}

/// Where a certificate of an issuer says that its CRL is: the operator vouches for the file, the signature for its words.
fn urls_of(path: &Path, issuer: &Certificate) -> Result<Vec<String>, Failure> {
    let failed = |text: &str| Failure::new(format!("{}: {text}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    let blocks = pem_decode("CERTIFICATE", &text).map_err(|error| failed(&error.to_string()))?;
    let der = blocks.first().ok_or_else(|| failed("no certificate"))?;
    let certificate = Certificate::from_der(der).map_err(|error| failed(&error.to_string()))?;
    if !certificate.is_signed_by(issuer) {
        return Err(failed("it was not signed by this issuer"));
    }
    let mut urls =
        certificate.crl_uris().map_err(|error| failed(&format!("its cRLDistributionPoints do not read: {error}")))?;
    urls.retain(|url| url.starts_with("http://") || url.starts_with("https://"));
    if urls.is_empty() { Err(failed("it names no CRL at an HTTP address; give --crl-url")) } else { Ok(urls) }
}

//! `noonmark issuer set`, of somebody else's CRLs.

use clap::{Args, ValueEnum};

use crate::ca::{AnswersFrom, ExternalCrlSettings};

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
    #[arg(long, conflicts_with_all = ["crl_url", "crl_delta_url", "crl_fetch_seconds", "crl_answers"])]
    pub no_crl_url: bool,
}

impl ExternalCrlArguments {
    /// The settings with what was named; what was not stays.
    pub(super) fn over(&self, before: ExternalCrlSettings) -> ExternalCrlSettings {
        if self.no_crl_url {
            return ExternalCrlSettings::default();
        }
        let urls = |named: &[String], before: Vec<String>| if named.is_empty() { before } else { named.to_vec() };
        ExternalCrlSettings {
            urls: urls(&self.crl_url, before.urls),
            delta_urls: urls(&self.crl_delta_url, before.delta_urls),
            interval_s: self.crl_fetch_seconds.unwrap_or(before.interval_s),
            answers: self.crl_answers.map_or(before.answers, |answers| match answers {
                CrlAnswers::Registry => AnswersFrom::Registry,
                CrlAnswers::Crl => AnswersFrom::Crl,
                CrlAnswers::CrlAnySerial => AnswersFrom::CrlAnySerial,
            }),
        }
    }
}

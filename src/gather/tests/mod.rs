//! Gathering from a server of its own: what is asked, what is taken, what is refused.

mod gathering;
mod pki;
mod refusals;
mod server;

use std::sync::Arc;

use pki::NOW_S;
use server::Server;

use super::{Exhausted, FetchError, FetchKind, GatherLimits, GatherSettings, Gathered, Gatherer};
use crate::verify::{Certificate, Evidence, TrustAnchor};

/// Settings that let the server be fetched from, and no other host.
fn only(server: &Server) -> GatherSettings {
    GatherSettings { allow: vec![server.address.to_string().parse().unwrap()], ..GatherSettings::default() }
}

fn gather(
    settings: GatherSettings,
    evidence: &mut Evidence,
    target: &Arc<Certificate>,
    anchor: &Arc<TrustAnchor>,
) -> Gathered {
    Gatherer::new(settings).gather(evidence, &[Arc::clone(target)], &[Arc::clone(anchor)], NOW_S)
}

/// The kinds and outcomes of a report, without the URLs.
fn outcomes(gathered: &Gathered) -> Vec<(FetchKind, Result<(), FetchError>)> {
    gathered.fetched.iter().map(|record| (record.what, record.outcome.clone())).collect()
}

//! `check`: is everything that serving needs in order? Asked of the parts themselves, without a running server.

use std::sync::Arc;
use std::time::Duration;

use super::Installation;
use super::answering::{IssuerPlan, external_crl_check};
use super::crl_publishing::crl_check;
use super::readiness::{check, clock_check, profile_check, tier_is_software};
use super::serving::external_crl_cache;
use super::toml_template::SOFTWARE_TIER_WARNING;
use super::verifying;
use crate::ca::IssuerSettings;
use crate::clock::MachineClock;
use crate::config::Configuration;
use crate::crls::external::IssuerCrl;
use crate::http::{CheckState, ReadyCheck};
use crate::keys::Token;
use crate::store::{CrlRow, CrlScope, IssuerOrigin, IssuerRow};

/// How long the clock's first check may take.
const CLOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Every part that serving needs; a store that can't be opened is one of them.
#[must_use]
pub fn run(configuration: Configuration) -> Vec<ReadyCheck> {
    let opened = Installation::with(configuration.clone());
    let mut checks = vec![match opened.as_ref().map(store_check) {
        Ok(check) => check,
        Err(error) => check("store", CheckState::Failed, error.to_string()),
    }];
    let configuration = &configuration;
    checks.push(match MachineClock::start(configuration.clock.settings(), Arc::new(|_| {})) {
        Ok(clock) => {
            let began = std::time::Instant::now();
            while crate::clock::Clock::read(&*clock).is_err() && began.elapsed() < CLOCK_PATIENCE {
                std::thread::sleep(Duration::from_millis(50));
            }
            let result = clock_check(&*clock);
            clock.stop();
            result
        }
        Err(error) => check("clock", CheckState::Failed, error.to_string()),
    });
    checks.push(token_check(configuration));
    let now_s = super::lifecycle::now_s().unwrap_or(0);
    for name in configuration.tsa.keys() {
        let Ok(installation) = &opened else {
            checks.push(check(format!("profile {name}"), CheckState::Failed, "its key stands in the store"));
            continue;
        };
        let unit = installation.unit_candidate(name, now_s);
        let mut result = profile_check(name, &unit, now_s);
        if let Ok(candidate) = &unit
            && let Err(reason) = held_against_token(installation, candidate)
        {
            result = check(format!("profile {name}"), CheckState::Failed, reason);
        }
        checks.push(result);
    }
    if let Ok(unknown) = opened.as_ref().map(Installation::unknown_callers)
        && let Some((profile, caller)) = unknown.unwrap_or_default().into_iter().next()
    {
        let reason = format!(
            "[tsa.{profile}] admits {caller:?}, whom nobody knows: write [caller.{caller}], or make an API key with \
             `noonmark api-key create {caller} --role client`"
        );
        checks.push(check("callers", CheckState::Warning, reason));
    }
    if let Ok(installation) = &opened {
        checks.extend(crl_checks(installation, now_s));
        checks.extend(external_crl_checks(installation, now_s));
    }
    if let Some(installation) = opened.as_ref().ok().filter(|_| configuration.verification.enabled) {
        checks.push(verification_check(installation));
    }
    if configuration.tsa.is_empty() {
        checks.push(check("profiles", CheckState::Failed, "noonmark.toml has no [tsa.NAME] section"));
    }
    checks
}

/// Every own issuer's CRLs; a store that does not answer is told by its own check.
fn crl_checks(installation: &Installation, now_s: i64) -> Vec<ReadyCheck> {
    let Ok((issuers, rows)) =
        installation.store.issuers().and_then(|issuers| Ok((issuers, installation.store.published_crls()?)))
    else {
        return Vec::new();
    };
    let own = issuers.into_iter().filter(|issuer| issuer.origin == IssuerOrigin::Own);
    own.map(|issuer| {
        let of_issuer: Vec<CrlRow> = rows.iter().filter(|row| row.issuer_id == issuer.id).cloned().collect();
        match IssuerSettings::from_json(&issuer.settings) {
            Ok(settings) => crl_check(
                &issuer.name,
                &settings.crl,
                &of_issuer,
                waiting_since_s(installation, &issuer, &of_issuer),
                now_s,
            ),
            Err(error) => check(format!("crl {}", issuer.name), CheckState::Failed, error.to_string()),
        }
    })
    .collect()
}

/// The time of the first change that is on no complete CRL yet.
fn waiting_since_s(installation: &Installation, issuer: &IssuerRow, rows: &[CrlRow]) -> Option<i64> {
    let complete = rows.iter().find(|row| row.scope == CrlScope::Complete)?;
    // A store that does not answer is told by its own check.
    let change = installation.store.first_listed_change(issuer.id, complete.change_number).ok()?;
    change.map(|change| change.changed_at_us / 1_000_000)
}

/// The policies, anchors and files of `[verification]`.
fn verification_check(installation: &Installation) -> ReadyCheck {
    let name = "verification";
    match verifying::prepare(&installation.configuration, &installation.store) {
        Err(error) => check(name, CheckState::Failed, format!("[verification] {error}")),
        Ok(prepared) if !prepared.has_anchors => {
            let reason = "[verification] names no anchors, and trust_own is false: no signature can pass";
            check(name, CheckState::Warning, reason)
        }
        Ok(prepared) => match prepared.skipped.first() {
            None => check(name, CheckState::Ok, ""),
            Some(skipped) => {
                let reason = format!("[verification] held: {} is left out: {}", skipped.path.display(), skipped.reason);
                check(name, CheckState::Warning, reason)
            }
        },
    }
}

fn store_check(installation: &Installation) -> ReadyCheck {
    match installation.store.ping() {
        Ok(()) => check("store", CheckState::Ok, ""),
        Err(error) => check("store", CheckState::Failed, error.to_string()),
    }
}

/// Others' CRLs, from what a server keeps of them; nothing is fetched.
fn external_crl_checks(installation: &Installation, now_s: i64) -> Vec<ReadyCheck> {
    let plans = match installation.issuer_plans(now_s) {
        Ok((plans, _)) => plans,
        Err(error) => return vec![check("issuers", CheckState::Warning, error.to_string())],
    };
    let directory = external_crl_cache(&installation.configuration);
    plans
        .iter()
        .filter_map(IssuerPlan::mirrored)
        .map(|issuer| {
            let crl = IssuerCrl::new(&directory, issuer.id, &issuer.name, issuer.certificate, issuer.settings);
            crl.load(now_s);
            external_crl_check(&crl.report(), now_s)
        })
        .collect()
}

fn token_check(configuration: &Configuration) -> ReadyCheck {
    let name = "token service";
    let opened = configuration
        .token_settings("service")
        .map_err(|error| error.to_string())
        .and_then(|settings| Token::open(&settings).map_err(|error| error.to_string()));
    match opened {
        Err(reason) => check(name, CheckState::Failed, reason),
        Ok(_) if tier_is_software(configuration) => check(name, CheckState::Warning, SOFTWARE_TIER_WARNING),
        Ok(_) => check(name, CheckState::Ok, ""),
    }
}

/// The key in the token must be the certificate's, and be kept as a key should be.
fn held_against_token(installation: &Installation, candidate: &super::units::Candidate) -> Result<(), String> {
    let settings =
        installation.configuration.token_settings(&candidate.row.token).map_err(|error| error.to_string())?;
    let token = Token::open(&settings).map_err(|error| error.to_string())?;
    let uri = super::units::uri(&candidate.row).map_err(|error| error.to_string())?;
    let signer = token.find(&uri).map_err(|error| error.to_string())?;
    if signer.public_key().spki_der() != candidate.certificate().public_key.spki_der() {
        return Err(format!(
            "the key {} in the token is not the one in its certificate; was the token replaced?",
            candidate.row.name
        ));
    }
    let challenge = b"noonmark check";
    let signature = signer.sign(candidate.algorithm, challenge).map_err(|error| error.to_string())?;
    candidate
        .certificate()
        .public_key
        .verify(candidate.algorithm, challenge, &signature)
        .map_err(|error| format!("the key {} signs, but not for its certificate: {error}", candidate.row.name))
}

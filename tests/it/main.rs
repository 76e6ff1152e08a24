//! The integration tests: one binary, so that it is linked once.
//!
//! A test that lacks a part (a client, a right, the corpus) is shown as ignored, never as passed: each module
//! hands out its trials and says which can't run here.

use libtest_mimic::{Arguments, Trial};

mod api;
mod ca_agent;
mod certificates;
mod cli;
mod clients;
mod clock;
mod cms;
mod crl_clients;
mod crls;
mod documentation;
mod external_crls;
mod faults;
mod issuers;
mod keys;
mod layers;
mod ledger;
mod lifecycle;
mod limbo;
mod ocsp_codec;
mod ocsp_paths;
mod ocsp_protocol;
mod orders;
mod pkits;
mod pkits_altered;
mod protocol;
mod relying;
mod responder;
mod status_faults;
mod store;
mod support;
mod tls;
mod wycheproof;

fn main() -> std::process::ExitCode {
    if let Some(code) = support::softhsm::enter() {
        return code;
    }
    if let Some(code) = crls::enter() {
        return code;
    }
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(layers::trials());
    trials.extend(keys::trials());
    trials.extend(store::trials());
    trials.extend(ledger::trials());
    trials.extend(clock::trials());
    trials.extend(protocol::trials());
    trials.extend(ocsp_codec::trials());
    trials.extend(api::trials());
    trials.extend(issuers::trials());
    trials.extend(orders::trials());
    trials.extend(ca_agent::trials());
    trials.extend(ocsp_protocol::trials());
    trials.extend(relying::trials());
    trials.extend(status_faults::trials());
    trials.extend(crls::trials());
    trials.extend(responder::trials());
    trials.extend(external_crls::trials());
    trials.extend(lifecycle::trials());
    trials.extend(certificates::trials());
    trials.extend(cli::trials());
    trials.extend(pkits::trials());
    trials.extend(pkits_altered::trials());
    trials.extend(limbo::trials());
    trials.extend(ocsp_paths::trials());
    trials.extend(cms::trials());
    trials.extend(wycheproof::trials());
    trials.extend(tls::trials());
    trials.extend(documentation::trials());
    trials.extend(clients::trials());
    trials.extend(crl_clients::trials());
    trials.extend(faults::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    protocol::finish();
    clients::finish();
    store::finish();
    conclusion.exit_code()
}

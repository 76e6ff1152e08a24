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
mod foreign;
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
mod verify_api;
mod verify_cli;
mod wycheproof;

/// A room's name and its trials.
type Room = (&'static str, fn() -> Vec<Trial>);

/// Each room with its trials, whose names begin with the room's.
const ROOMS: [Room; 34] = [
    ("layers", layers::trials),
    ("keys", keys::trials),
    ("store", store::trials),
    ("ledger", ledger::trials),
    ("clock", clock::trials),
    ("protocol", protocol::trials),
    ("ocsp_codec", ocsp_codec::trials),
    ("api", api::trials),
    ("verify_api", verify_api::trials),
    ("issuers", issuers::trials),
    ("orders", orders::trials),
    ("ca_agent", ca_agent::trials),
    ("ocsp_protocol", ocsp_protocol::trials),
    ("relying", relying::trials),
    ("status_faults", status_faults::trials),
    ("crls", crls::trials),
    ("responder", responder::trials),
    ("external_crls", external_crls::trials),
    ("lifecycle", lifecycle::trials),
    ("certificates", certificates::trials),
    ("cli", cli::trials),
    ("pkits", pkits::trials),
    ("pkits_altered", pkits_altered::trials),
    ("limbo", limbo::trials),
    ("ocsp_paths", ocsp_paths::trials),
    ("wycheproof", wycheproof::trials),
    ("cms", cms::trials),
    ("foreign", foreign::trials),
    ("verify_cli", verify_cli::trials),
    ("tls", tls::trials),
    ("documentation", documentation::trials),
    ("clients", clients::trials),
    ("crl_clients", crl_clients::trials),
    ("faults", faults::trials),
];

fn main() -> std::process::ExitCode {
    if let Some(code) = support::softhsm::enter() {
        return code;
    }
    if let Some(code) = crls::enter() {
        return code;
    }
    let arguments = Arguments::from_args();
    // A runner that starts a process a trial asks for one by name: the other rooms are not looked through then, since each asks
    // programs and modules whether they are there.
    let wanted = arguments.filter.as_deref().filter(|_| arguments.exact).and_then(|name| name.split_once("::"));
    let mut trials: Vec<Trial> = Vec::new();
    for (room, room_trials) in ROOMS {
        if wanted.is_none_or(|(first, _)| first == room) {
            let found = room_trials();
            let is_of_room = |trial: &Trial| trial.name().split_once("::").is_some_and(|(first, _)| first == room);
            assert!(found.iter().all(is_of_room), "a trial of {room} has another room's name");
            trials.extend(found);
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    protocol::finish();
    ocsp_protocol::finish();
    clients::finish();
    foreign::finish();
    store::finish();
    conclusion.exit_code()
}

//! The token: away, hanging, failing, exchanged.

use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Failed;
use noonmark::asn1::FailureBit;

use super::proof::{Ledger, assert_signed_by, unit_certificate};
use super::{PATIENCE, ask, assert_refuses, wait_for_end, wait_for_reason};
use crate::support::load::{Load, Tally};
use crate::support::server::{Installation, Server};
use crate::support::softhsm;
use crate::support::timestamp::Outcome;

const CHECK: &str = "token service";
const CLIENTS: usize = 4;

pub(super) fn directory_away() -> Result<(), Failed> {
    let installation = Installation::softhsm();
    let server = installation.serve();
    let (tokens, away) = (installation.directory().join("tokens"), installation.directory().join("away"));
    let load = Load::start(server.port, CLIENTS);
    load.wait_for(20, PATIENCE);
    std::fs::rename(&tokens, &away)?;
    let reason = wait_for_reason(&server, CHECK, "");
    assert!(!reason.is_empty());
    assert_refuses(&server, FailureBit::SystemFailure);
    std::fs::rename(&away, &tokens)?;
    server.wait_until_ready(PATIENCE);
    load.wait_for(20, PATIENCE);
    hold_against_all(&installation, &server, load.end());
    Ok(())
}

/// The load's answers were right, before, during and after the fault.
fn hold_against_all(installation: &Installation, server: &Server, tally: Tally) {
    assert!(matches!(ask(server), Outcome::Granted(_)));
    tally.assert_only_system_failures();
    assert_signed_by(&unit_certificate(server), &tally.granted);
    Ledger::read(installation.directory()).assert_holds(&tally.granted);
}

/// A server on the faulty module, whose calls may take half a second, and the file that tells the module what to do.
struct Faulty {
    // Dropped first, while its log is there.
    server: Server,
    installation: Installation,
    faults: PathBuf,
}

impl Faulty {
    fn start() -> Self {
        let installation = Installation::softhsm();
        let module = softhsm::compile_faulty_module(installation.directory());
        let faults = installation.directory().join("faults");
        installation.reconfigure(&softhsm::module().unwrap().display().to_string(), &module.display().to_string());
        installation.reconfigure("label = \"noonmark-service\"", "label = \"noonmark-service\"\ncall_timeout_ms = 500");
        installation.reconfigure(
            "[module_environment]",
            &format!("[module_environment]\n{} = \"{}\"", softhsm::FAULTS, faults.display()),
        );
        let server = installation.serve();
        Self { server, installation, faults }
    }

    fn fault(&self, command: &str) {
        softhsm::write_fault(&self.faults, command);
    }

    /// Lets a load run into the fault, awaits the reason, ends the fault and holds all that was granted against it.
    fn run_into(&self, command: &str, part: &str) -> Tally {
        let load = Load::start(self.server.port, CLIENTS);
        load.wait_for(20, PATIENCE);
        self.fault(command);
        wait_for_reason(&self.server, CHECK, part);
        assert_refuses(&self.server, FailureBit::SystemFailure);
        self.fault("ok");
        self.server.wait_until_ready(PATIENCE);
        load.wait_for(20, PATIENCE);
        let tally = load.end();
        hold_against_all(&self.installation, &self.server, tally.clone());
        tally
    }
}

pub(super) fn hanging_module() -> Result<(), Failed> {
    let faulty = Faulty::start();
    let tally = faulty.run_into("hang 1000", "hangs");
    // Half a second a call, and at most a few of them before the pool gives the token up.
    assert!(tally.slowest < Duration::from_secs(10), "{:?}", tally.slowest);
    Ok(())
}

pub(super) fn failing_module() -> Result<(), Failed> {
    let faulty = Faulty::start();
    faulty.run_into("error 0x30", "CKR_DEVICE_ERROR");
    // The loss and the return are in the chain.
    let ledger = Ledger::read(faulty.installation.directory());
    assert!(ledger.count_of("token") >= 2, "{:?}", ledger.events);
    Ok(())
}

/// The service token holds two keys: after a loss the module signs with the other one.
pub(super) fn swapped_key() -> Result<(), Failed> {
    let faulty = Faulty::start();
    let load = Load::start(faulty.server.port, CLIENTS);
    load.wait_for(20, PATIENCE);
    faulty.fault("error 0x30");
    wait_for_reason(&faulty.server, CHECK, "CKR_DEVICE_ERROR");
    faulty.fault("swap");
    let reason = wait_for_reason(&faulty.server, CHECK, "another key");
    assert!(reason.contains("tsu-default-1") && reason.contains("does not verify"), "{reason}");
    let before = load.granted();
    std::thread::sleep(Duration::from_secs(1));
    assert_refuses(&faulty.server, FailureBit::SystemFailure);
    assert_eq!(load.granted(), before, "a swapped key serves");
    faulty.fault("ok");
    faulty.server.wait_until_ready(PATIENCE);
    load.wait_for(20, PATIENCE);
    hold_against_all(&faulty.installation, &faulty.server, load.end());
    // A server does not start on such a module.
    faulty.fault("swap");
    assert!(faulty.server.stop());
    let mut server = faulty.installation.spawn(&[]);
    wait_for_end(&mut server);
    let log = server.log();
    assert!(log.contains("the key in the token and its certificate do not belong together"), "{log}");
    Ok(())
}

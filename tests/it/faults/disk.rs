//! The disk full: a SQLite installation on a tmpfs of a few MiB, in a mount namespace of the trial's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::Failed;
use noonmark::asn1::FailureBit;

use super::proof::Ledger;
use super::{PATIENCE, ask, assert_refuses, tier, wait_for_reason};
use crate::support::load::Load;
use crate::support::server::{Server, program, text};
use crate::support::timestamp::Outcome;

/// A namespace with a tmpfs in it; both end with the process that holds them.
struct SmallDisk {
    holder: Child,
    /// Where the tmpfs is mounted in the namespace; outside it an empty directory.
    home: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let home = tempfile::tempdir().ok()?;
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs '{}' && touch '{}' && exec cat",
            home.path().display(),
            home.path().join("mounted").display()
        );
        // `cat` reads what never comes, and ends when this process does.
        let holder = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut disk = Self { holder, home };
        loop {
            if disk.seen_from_outside("mounted").exists() {
                return Some(disk);
            }
            if disk.holder.try_wait().ok()?.is_some() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// A file of the tmpfs as the kernel shows it to processes of other namespaces.
    fn seen_from_outside(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.home.path().strip_prefix("/").unwrap()).join(name)
    }

    /// The program inside the namespace, on the installation there.
    fn noonmark(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string(), "--"]).arg(program());
        command.args(arguments).arg("--dir").arg(self.home.path().join("var")).stdin(Stdio::null());
        command
    }

    /// Leaves not one block free.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.seen_from_outside("filling")).unwrap();
        let error = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
    }

    fn free(&self) {
        std::fs::remove_file(self.seen_from_outside("filling")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Whether this process may make a namespace, mount in it and enter it.
pub(super) fn possible() -> bool {
    SmallDisk::mount("64k").is_some_and(|disk| {
        let inside = disk.home.path().join("mounted");
        let entered = Command::new("nsenter")
            .args(["-m", "-t", &disk.holder.id().to_string(), "--", "test", "-e"])
            .arg(inside)
            .stderr(Stdio::null())
            .status();
        entered.is_ok_and(|status| status.success())
    })
}

pub(super) fn full() -> Result<(), Failed> {
    let disk = SmallDisk::mount("6m").ok_or("no tmpfs")?;
    let output = disk.noonmark(&["init", "--clock", "system"]).args(tier()).output()?;
    assert!(output.status.success(), "{}", text(&output));
    let outside = tempfile::tempdir()?;
    let server = Server::spawn(&mut disk.noonmark(&["serve"]), outside.path(), &[]);
    server.wait_until_ready(PATIENCE);
    let load = Load::start(server.port, 4);
    for _ in 0..2 {
        load.wait_for(50, PATIENCE);
        disk.fill();
        wait_for_reason(&server, "ledger", "full");
        assert_refuses(&server, FailureBit::SystemFailure);
        disk.free();
        server.wait_until_ready(PATIENCE);
    }
    load.wait_for(50, PATIENCE);
    let tally = load.end();
    assert!(matches!(ask(&server), Outcome::Granted(_)));
    tally.assert_only_system_failures();
    assert!(server.stop(), "the server did not end well");
    let copy = copy_of(&disk, outside.path())?;
    Ledger::read(&copy).assert_holds(&tally.granted);
    let output = disk.noonmark(&["audit", "verify"]).output()?;
    assert!(output.status.success(), "{}", text(&output));
    Ok(())
}

/// The installation's configuration and database, where this process can open them: SQLite goes by real paths.
fn copy_of(disk: &SmallDisk, outside: &Path) -> std::io::Result<PathBuf> {
    let copy = outside.join("copy");
    std::fs::create_dir(&copy)?;
    for name in ["noonmark.toml", "noonmark.db", "noonmark.db-wal"] {
        let from = disk.seen_from_outside("var").join(name);
        if from.exists() {
            std::fs::copy(from, copy.join(name))?;
        }
    }
    Ok(copy)
}

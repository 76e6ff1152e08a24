//! A PostgreSQL cluster of a test's own: made by initdb in a temporary directory, killed and started again at will.
//!
//! PostgreSQL refuses to run as root: then the user `postgres` that Debian's package makes runs it.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::server::free_port;

/// Where Debian puts a directory a version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The superuser's name in the cluster.
const USER: &str = "noonmark";
/// How long a cluster may take to answer; after a crash it replays its log first.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A cluster; ended and removed when dropped.
pub struct Cluster {
    home: TempDir,
    port: u16,
    postmaster: Option<Child>,
}

/// The newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists()).max()
}

fn number_of(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The user and group that must run PostgreSQL, where that is not this process' own.
fn other_user() -> Option<(u32, u32)> {
    (number_of(&["-u"]) == Some(0))
        .then(|| number_of(&["-u", "postgres"]).zip(number_of(&["-g", "postgres"])))
        .flatten()
}

/// Whether PostgreSQL is installed, and a user is there who may run it.
pub fn available() -> bool {
    programs().is_some() && (number_of(&["-u"]) != Some(0) || other_user().is_some())
}

/// A program of PostgreSQL, run by the right user.
fn command(program: &str) -> Command {
    let mut command = Command::new(programs().unwrap().join(program));
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

impl Cluster {
    /// Makes a cluster and starts it as PostgreSQL comes: durable.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with settings such as `fsync=off`.
    pub fn start_with(settings: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        if let Some((user, group)) = other_user() {
            chown(home.path(), Some(user), Some(group)).unwrap();
        }
        let output = command("initdb")
            .args(["--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C", "-U", USER, "-D"])
            .arg(home.path().join("data"))
            .output()
            .unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let mut cluster = Self { home, port: free_port(), postmaster: None };
        cluster.restart_with(settings);
        cluster
    }

    /// The URL for `init --database`.
    pub fn url(&self) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Runs SQL behind everybody's back.
    pub fn sql(&self, text: &str) {
        let port = self.port.to_string();
        let words =
            ["-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", USER, "-d", "postgres", "-c", text];
        let output = command("psql").args(words).output().unwrap();
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// Kills the postmaster and all its children by SIGKILL: no farewell, no checkpoint.
    pub fn kill(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let children = children_of(postmaster.id());
        postmaster.kill().unwrap();
        postmaster.wait().unwrap();
        for child in children {
            // Some end by themselves when they see the postmaster gone; theirs is not a failure.
            drop(Command::new("kill").args(["-KILL", &child.to_string()]).stderr(Stdio::null()).status());
        }
    }

    /// Ends it as an operator would who can't wait for clients: PostgreSQL's fast shutdown, by SIGINT.
    fn stop(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        assert!(Command::new("kill").args(["-INT", &postmaster.id().to_string()]).status().unwrap().success());
        postmaster.wait().unwrap();
    }

    /// Starts it again on the same port, after [`Self::kill`] or in place of the running one.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// As [`Self::restart`], with settings; one that runs is stopped in good order.
    pub fn restart_with(&mut self, settings: &[&str]) {
        self.stop();
        let deadline = Instant::now() + START_LIMIT;
        self.spawn(settings);
        loop {
            let ready = command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap()
                .success();
            // Whoever took the port in between would answer something else: the process must live as well.
            let ended = self.postmaster.as_mut().unwrap().try_wait().unwrap().is_some();
            if ready && !ended {
                return;
            }
            if ended {
                // A child of the killed one may still hold the shared memory for a moment.
                self.spawn(settings);
            }
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&mut self, settings: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = command("postgres");
        command.arg("-D").arg(self.home.path().join("data")).args(["-p", &self.port.to_string()]);
        let sockets = format!("unix_socket_directories={}", self.home.path().display());
        for setting in ["listen_addresses=127.0.0.1", &sockets].iter().chain(settings) {
            command.args(["-c", setting]);
        }
        self.postmaster = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes whose parent this is, by `/proc`.
fn children_of(parent: u32) -> Vec<u32> {
    let parent_of = |process: &Path| -> Option<u32> {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        // The name stands in parentheses and may hold anything; state and parent follow it.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| parent_of(&entry.path()) == Some(parent))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

//! Real chronyds on loopback that never touch the machine's clock (`-x`).

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const CHRONYDS: [&str; 3] = ["/usr/sbin/chronyd", "/sbin/chronyd", "/usr/local/sbin/chronyd"];
const CHRONYCS: [&str; 3] = ["/usr/bin/chronyc", "/bin/chronyc", "/usr/local/bin/chronyc"];

/// How long a chronyd may take to serve a time, or to be heard.
const START_LIMIT: Duration = Duration::from_secs(15);

/// Where a chronyd has its time from.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// This machine's clock as it is: a right server, by definition of these tests.
    Own,
    /// The chronyd on this port, its time shifted by so many milliseconds.
    Other { port: u16, shifted_ms: i32 },
    /// None: it answers that it is not synchronised.
    None,
}

/// A chronyd with the two ports that it keeps when it is started again.
pub struct Chronyd {
    child: Option<Child>,
    directory: TempDir,
    pub port: u16,
    pub command_port: u16,
}

fn installed(paths: &[&'static str]) -> Option<&'static Path> {
    paths.iter().copied().map(Path::new).find(|path| path.exists())
}

/// Whether chrony is installed.
pub fn available() -> bool {
    installed(&CHRONYDS).is_some() && installed(&CHRONYCS).is_some()
}

/// The chronyc program.
pub fn chronyc() -> PathBuf {
    installed(&CHRONYCS).unwrap().to_owned()
}

/// A UDP port that nobody uses now.
pub fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Chronyd {
    /// Starts one and waits until it serves what its reference lets it serve.
    pub fn start(reference: Reference) -> Self {
        let mut chronyd =
            Self { child: None, directory: tempfile::tempdir().unwrap(), port: free_port(), command_port: free_port() };
        chronyd.restart(reference);
        chronyd
    }

    /// Ends it, and starts it on the same ports with another reference.
    pub fn restart(&mut self, reference: Reference) {
        self.stop();
        let directory = self.directory.path();
        let source = match reference {
            Reference::Own => "local stratum 1".to_owned(),
            Reference::Other { port, shifted_ms } => {
                let offset_s = f64::from(shifted_ms) / 1000.0;
                format!("server 127.0.0.1 port {port} iburst minpoll -6 maxpoll -4 offset {offset_s}")
            }
            Reference::None => String::new(),
        };
        std::fs::write(
            directory.join("chrony.conf"),
            format!(
                "port {}\ncmdport {}\nbindaddress 127.0.0.1\nbindcmdaddress 127.0.0.1\nbindcmdaddress /\n\
                 pidfile {}\nallow 127.0.0.1\n{source}\n",
                self.port,
                self.command_port,
                directory.join("chronyd.pid").display(),
            ),
        )
        .unwrap();
        self.spawn();
        self.await_state(!matches!(reference, Reference::None));
    }

    fn spawn(&mut self) {
        let directory = self.directory.path();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let child = Command::new(installed(&CHRONYDS).unwrap())
            .args(["-x", "-U", "-d", "-u", String::from_utf8(user).unwrap().trim(), "-f"])
            .arg(directory.join("chrony.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    fn await_state(&mut self, synchronised: bool) {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let answer = Command::new(chronyc())
                .args(["-c", "-n", "-h", "127.0.0.1", "-p", &self.command_port.to_string(), "tracking"])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&answer.stdout).into_owned();
            if answer.status.success() && synchronised != text.contains("Not synchronised") {
                return;
            }
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("chronyd does not serve: {text}\n{log}");
            }
            // A client's socket may have had its port for a moment.
            if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.spawn();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The server as it stands in a configuration.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
            // Killed, it can't take away its own; the next start would refuse.
            let _ = std::fs::remove_file(self.directory.path().join("chronyd.pid"));
        }
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        self.stop();
    }
}

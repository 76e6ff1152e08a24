//! A server for the benchmark.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{http, setup};

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A running `noonmark serve` as shipped but for its port.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(directory: &Path) -> Self {
        let port = free_port();
        let log = std::fs::File::create(directory.join("serve.log")).expect("a log");
        let child = setup::noonmark()
            .arg("serve")
            .arg("--dir")
            .arg(directory)
            .env("NOONMARK_HTTP__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("noonmark serve");
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    /// Where timestamps are asked for.
    pub(crate) fn url(&self) -> String {
        self.at("/tsa")
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tokens granted since the start, by the server's own count.
    pub(crate) fn granted(&self) -> u64 {
        self.metric("noonmark_timestamps_total", "granted")
    }

    /// A metric's value; `label` must stand in its line.
    pub(crate) fn metric(&self, name: &str, label: &str) -> u64 {
        let text = http::get(self.port, "/metrics").text();
        text.lines()
            .find(|line| line.starts_with(name) && line.contains(label))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

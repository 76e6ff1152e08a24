//! An installation in a temporary directory, and a server on it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::http::Response;

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_noonmark"))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An installation made by `noonmark init`.
pub struct Installation {
    _home: tempfile::TempDir,
    directory: PathBuf,
}

impl Installation {
    /// Made by `noonmark init` with these further arguments.
    pub fn new(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::inside(home, arguments)
    }

    /// As [`Self::new`], in a directory of the caller's choice.
    pub fn inside(home: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::make(home, arguments, &[])
    }

    /// As [`Self::new`], with variables for `init`.
    pub fn with_environment(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::make(tempfile::tempdir().unwrap(), arguments, variables)
    }

    fn make(home: tempfile::TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let directory = home.path().join("var");
        let installation = Self { _home: home, directory };
        let mut command = installation.command(&[&["init", "--clock", "system"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "init: {}", text(&output));
        installation
    }

    /// The one that was made as `var` in this directory.
    pub fn found(home: tempfile::TempDir) -> Self {
        let directory = home.path().join("var");
        Self { _home: home, directory }
    }

    /// With the keys in SoftHSM.
    pub fn softhsm() -> Self {
        Self::new(&[])
    }

    /// With the keys in encrypted files: quicker, where the tier does not matter.
    pub fn software() -> Self {
        Self::new(&["--tier", "software"])
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The root's certificate, PEM.
    pub fn root(&self) -> PathBuf {
        self.directory.join("certificates/root.pem")
    }

    /// Appends to noonmark.toml.
    pub fn configure(&self, text: &str) {
        let path = self.directory.join("noonmark.toml");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "{text}").unwrap();
    }

    /// Replaces text in noonmark.toml; it must be there.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let path = self.directory.join("noonmark.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs the program on this installation.
    pub fn noonmark(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed, and gives its standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.noonmark(arguments);
        assert!(output.status.success(), "noonmark {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A command of the program on this installation.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("--dir").arg(&self.directory).stdin(Stdio::null());
        command
    }

    /// Starts `noonmark serve` and waits until it is ready.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// As [`Self::serve`], with variables.
    pub fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        let server = self.spawn(variables);
        server.wait_until_ready(Duration::from_secs(20));
        server
    }

    /// As [`Self::serve`], on a port that the caller chose before: it may stand in certificates.
    pub fn serve_on(&self, port: u16) -> Server {
        let server = Server::spawn_on(port, &mut self.command(&["serve"]), &self.directory, &[]);
        server.wait_until_ready(Duration::from_secs(20));
        server
    }

    /// Starts a server that must end by itself, and gives what it says.
    pub fn refuses_to_serve(&self) -> String {
        let mut server = self.spawn(&[]);
        let deadline = Instant::now() + Duration::from_secs(20);
        while server.is_running() {
            assert!(Instant::now() < deadline, "it serves; log:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server.log()
    }

    /// Starts `noonmark serve` and does not wait.
    pub fn spawn(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        Server::spawn(&mut command, &self.directory, variables)
    }
}

/// Both outputs, for a message.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    log: PathBuf,
    pub started: Instant,
}

impl Server {
    /// Starts `command`, a `noonmark serve` or what wraps it, on a free port.
    pub fn spawn(command: &mut Command, directory: &Path, variables: &[(&str, &str)]) -> Self {
        Self::spawn_on(free_port(), command, directory, variables)
    }

    fn spawn_on(port: u16, command: &mut Command, directory: &Path, variables: &[(&str, &str)]) -> Self {
        let log = directory.join(format!("serve-{port}.log"));
        let file = std::fs::File::create(&log).unwrap();
        command.env("NOONMARK_HTTP__LISTEN", format!("127.0.0.1:{port}"));
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(file);
        let started = Instant::now();
        let child = command.spawn().unwrap();
        Self { child, port, log, started }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `/readyz`'s status and body, if the server answers at all.
    pub fn readiness(&self) -> Option<Response> {
        self.try_get("/readyz")
    }

    /// The value of the first line of `/metrics` that begins so.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn try_get(&self, path: &str) -> Option<Response> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).ok()?;
        Response::parse(&raw)
    }

    pub fn wait_until_ready(&self, limit: Duration) {
        self.wait_for(limit, "ready", |response| response.status == 200);
    }

    fn wait_for(&self, limit: Duration, what: &str, wanted: impl Fn(&Response) -> bool) {
        let deadline = Instant::now() + limit;
        let mut last = None;
        while Instant::now() < deadline {
            last = self.readiness();
            if last.as_ref().is_some_and(&wanted) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let last = last.map(|response| String::from_utf8_lossy(&response.body).into_owned());
        panic!("the server is not {what} after {limit:?}; readyz: {last:?}; log:\n{}", self.log());
    }

    pub fn get(&self, path: &str) -> Response {
        self.try_get(path).unwrap_or_else(|| panic!("no answer to GET {path}; log:\n{}", self.log()))
    }

    /// POSTs a timestamp request to `/tsa`.
    pub fn stamp(&self, request: &[u8]) -> Response {
        self.post("/tsa", "application/timestamp-query", request)
    }

    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> Response {
        self.post_with(path, &[("Content-Type", media_type)], body)
    }

    pub fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Sends octets as they are and reads until the server closes.
    pub fn raw(&self, octets: &[u8]) -> Response {
        let mut stream = self.connect();
        stream.write_all(octets).unwrap();
        read_response(&mut stream).unwrap_or_else(|| panic!("no response; log:\n{}", self.log()))
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends a signal by its number.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Stops by SIGTERM and waits; true if it ended by itself and well.
    pub fn stop(mut self) -> bool {
        self.signal("-TERM");
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Kills by SIGKILL and waits.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// Reads one whole response from a connection that the server closes after it.
pub fn read_response(stream: &mut TcpStream) -> Option<Response> {
    let mut raw = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => raw.extend_from_slice(&chunk[..count]),
            // A child of this process that ends interrupts a read that has a timeout.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) if Response::parse(&raw).is_some() => break,
            Err(_) => return None,
        }
    }
    Response::parse(&raw)
}

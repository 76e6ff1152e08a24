//! An HTTP server on the loopback address that ends with the test.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest that a server lives: a test that takes longer is broken.
const LIFE: Duration = Duration::from_secs(60);
/// Octets of a request that are read.
const MAX_REQUEST: usize = 64 * 1024;
/// Octets of an endless body, after which the server gives up on being hung up on.
const MAX_ENDLESS: usize = 64 * 1024 * 1024;
/// Octets of a slow body.
const MAX_SLOW: usize = 1000;

/// Makes an answer from what was posted.
pub(super) type Answer = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// What a path gives.
#[derive(Clone)]
pub(super) enum Reply {
    Body(Vec<u8>),
    Status(u16),
    Redirect(u16, String),
    /// An answer made from what was posted.
    Answer(Arc<Answer>),
    /// A SEQUENCE that does not end, without its length announced.
    Endless,
    /// The beginning of a SEQUENCE, an octet at a time.
    Slow,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    routes: Arc<Mutex<HashMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (routes, seen, stop) = (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let own = (Arc::clone(&routes), Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || serve(&listener, &own.0, &own.1, &own.2));
        Self { address, routes, seen, stop, thread: Some(thread) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn route(&self, path: &str, reply: Reply) {
        self.routes.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub(super) fn body(&self, path: &str, body: &[u8]) {
        self.route(path, Reply::Body(body.to_vec()));
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(listener: &TcpListener, routes: &Mutex<HashMap<String, Reply>>, seen: &Mutex<Vec<Seen>>, stop: &AtomicBool) {
    let end = Instant::now() + LIFE;
    while !stop.load(Ordering::Relaxed) && Instant::now() < end {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
                // Who hangs up early is a part of the tests.
                let _ = answer(stream, routes, seen, stop);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn answer(
    mut stream: TcpStream,
    routes: &Mutex<HashMap<String, Reply>>,
    seen: &Mutex<Vec<Seen>>,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let request = read_request(&mut stream)?;
    let reply = routes.lock().unwrap().get(&request.path).cloned().unwrap_or(Reply::Status(404));
    let posted = request.body.clone();
    seen.lock().unwrap().push(request);
    let whole = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let open = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    match reply {
        Reply::Body(body) => stream.write_all(&whole(&body)),
        Reply::Answer(make) => stream.write_all(&whole(&make(&posted))),
        Reply::Status(status) => stream
            .write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()),
        Reply::Redirect(status, to) => stream.write_all(
            format!("HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        ),
        Reply::Endless => {
            stream.write_all(open)?;
            let chunk = vec![0x30; 64 * 1024];
            for _ in 0..MAX_ENDLESS / chunk.len() {
                stream.write_all(&chunk)?;
            }
            Ok(())
        }
        Reply::Slow => {
            stream.write_all(open)?;
            for _ in 0..MAX_SLOW {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                stream.write_all(&[0x30])?;
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        }
    }
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<Seen> {
    let mut octets = Vec::new();
    let mut chunk = [0; 4096];
    while octets.len() < MAX_REQUEST {
        if let Some(request) = parse(&octets) {
            return Ok(request);
        }
        match stream.read(&mut chunk)? {
            0 => break,
            count => octets.extend_from_slice(&chunk[..count]),
        }
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

fn parse(octets: &[u8]) -> Option<Seen> {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&octets[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
    let body = octets.get(end + 4..end + 4 + length)?.to_vec();
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Seen { method, path, head, body })
}

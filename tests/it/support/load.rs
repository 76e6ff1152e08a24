//! A load of timestamp requests on kept connections that keeps count of every answer.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use noonmark::asn1::FailureBit;
use noonmark::crypto::DigestAlgorithm;

use super::http::Response;
use super::timestamp::{Outcome, Request, outcome, token};

/// How a request ended.
#[derive(Debug)]
pub enum Ending {
    /// A whole HTTP response.
    Answered(Response),
    /// The request was sent whole at this time, and no whole response came back.
    Unanswered(Instant),
    /// The request could not be sent whole.
    NotSent,
}

/// A client that keeps its connection.
pub struct Client {
    port: u16,
    path: String,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client of the server on this port of 127.0.0.1.
    pub fn new(port: u16, path: &str) -> Self {
        Self { port, path: path.to_owned(), stream: None }
    }

    /// Sends a request and waits for its answer; after a failure the next one connects anew.
    pub fn ask(&mut self, request: &[u8]) -> Ending {
        let Some(mut stream) = self.stream.take().or_else(|| self.connect()) else { return Ending::NotSent };
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/timestamp-query\r\nContent-Length: {}\r\n\r\n",
            self.path,
            request.len()
        );
        if stream.write_all(&[head.as_bytes(), request].concat()).is_err() {
            return Ending::NotSent;
        }
        let sent = Instant::now();
        let mut raw = Vec::new();
        let mut chunk = [0; 8_192];
        loop {
            match stream.read(&mut chunk) {
                // A child of this process that ends interrupts a read that has a timeout.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return Ending::Unanswered(sent),
                Ok(count) => raw.extend_from_slice(&chunk[..count]),
            }
            // One request at a time: what arrived is one response, whole when its Content-Length says so.
            if let Some(response) = Response::parse(&raw) {
                if response.header("connection") != Some("close") {
                    self.stream = Some(stream);
                }
                return Ending::Answered(response);
            }
        }
    }

    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }
}

/// A token that a client holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The token's DER.
    pub token: Vec<u8>,
    pub serial: Vec<u8>,
    pub gen_time_us: i64,
    /// The digest that was sent.
    pub imprint: Vec<u8>,
}

/// What a load's clients got.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub granted: Vec<Held>,
    /// TimeStampResp refusals by their failure bit's name.
    pub refused: BTreeMap<&'static str, usize>,
    /// Answers of another status than 200.
    pub other_statuses: BTreeMap<u16, usize>,
    /// When the requests that got no whole answer had been sent.
    pub unanswered: Vec<Instant>,
    /// The longest time from sending to the answer.
    pub slowest: Duration,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.granted.extend(other.granted);
        for (bit, count) in other.refused {
            *self.refused.entry(bit).or_default() += count;
        }
        for (status, count) in other.other_statuses {
            *self.other_statuses.entry(status).or_default() += count;
        }
        self.unanswered.extend(other.unanswered);
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Every answer was a token or a TimeStampResp with systemFailure, and there were some of each.
    pub fn assert_only_system_failures(&self) {
        assert!(!self.granted.is_empty(), "no token was granted");
        let bits: Vec<&str> = self.refused.keys().copied().collect();
        assert_eq!(bits, [FailureBit::SystemFailure.name()], "{:?}", self.refused);
        assert!(self.other_statuses.is_empty(), "{:?}", self.other_statuses);
        assert!(self.unanswered.is_empty(), "{} requests got no answer", self.unanswered.len());
    }
}

/// Threads that ask one request after the other until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    granted: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// So many clients of `/tsa` on this port.
    pub fn start(port: u16, clients: usize) -> Self {
        Self::start_at(port, "/tsa", clients)
    }

    /// As [`Self::start`], on another path.
    pub fn start_at(port: u16, path: &str, clients: usize) -> Self {
        let (stop, granted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..clients)
            .map(|number| {
                let (stop, granted) = (Arc::clone(&stop), Arc::clone(&granted));
                let client = Client::new(port, path);
                std::thread::spawn(move || run(client, number, &stop, &granted))
            })
            .collect();
        Self { stop, granted, threads }
    }

    /// How many tokens were granted until now.
    pub fn granted(&self) -> usize {
        self.granted.load(Ordering::SeqCst)
    }

    /// Waits until so many more were granted.
    pub fn wait_for(&self, more: usize, limit: Duration) {
        let (goal, deadline) = (self.granted() + more, Instant::now() + limit);
        while self.granted() < goal {
            assert!(Instant::now() < deadline, "{} of {goal} tokens after {limit:?}", self.granted());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets each client finish the request it is at, and gives what all got.
    pub fn end(mut self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut total = Tally::default();
        for thread in std::mem::take(&mut self.threads) {
            total.add(thread.join().unwrap());
        }
        total
    }
}

impl Drop for Load {
    /// A trial that fails leaves no client behind that would ask whoever has the port next.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn run(mut client: Client, number: usize, stop: &AtomicBool, granted: &AtomicUsize) -> Tally {
    let mut tally = Tally::default();
    let mut count = 0_usize;
    while !stop.load(Ordering::SeqCst) {
        count += 1;
        let data = format!("client {number}, request {count}");
        let request = Request { cert_req: false, ..Request::over(data.as_bytes()) };
        let began = Instant::now();
        match client.ask(&request.to_der()) {
            Ending::Answered(response) if response.status == 200 => {
                tally.slowest = tally.slowest.max(began.elapsed());
                match outcome(&response.body) {
                    Outcome::Granted(der) => {
                        let read = token(&response.body);
                        let imprint = DigestAlgorithm::Sha256.digest(data.as_bytes()).as_ref().to_vec();
                        assert!(read.imprint.ends_with(&imprint), "a token over something else");
                        tally.granted.push(Held {
                            token: der,
                            serial: read.serial,
                            gen_time_us: read.gen_time_us,
                            imprint,
                        });
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                    Outcome::Refused(bit) => {
                        *tally.refused.entry(bit.name()).or_default() += 1;
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            }
            Ending::Answered(response) => *tally.other_statuses.entry(response.status).or_default() += 1,
            Ending::Unanswered(sent) => tally.unanswered.push(sent),
            Ending::NotSent => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    tally
}

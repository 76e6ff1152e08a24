//! Valid requests with octets changed, sent on kept connections.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::server::Server;

const CONNECTIONS: usize = 16;
const PIPELINED: usize = 50;

/// Sends this many requests, each one of `seeds` changed in up to four places, and hands every answer's body to `judge`. Each
/// must be 200, and the server must not panic.
pub fn send_all(
    server: &Server,
    (path, media_type): (&str, &str),
    seeds: &[Vec<u8>],
    count: usize,
    judge: impl Fn(&[u8]) + Sync,
) {
    std::thread::scope(|scope| {
        for seed in 1..=CONNECTIONS {
            let judge = &judge;
            scope.spawn(move || {
                let mut mutator = Mutator::new(u64::try_from(seed).unwrap());
                let mut stream = server.connect();
                for _ in 0..count / CONNECTIONS / PIPELINED {
                    let mut batch = Vec::new();
                    for _ in 0..PIPELINED {
                        let der = mutator.mutate(seeds);
                        let head = format!(
                            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
                            der.len()
                        );
                        batch.extend(head.bytes());
                        batch.extend(der);
                    }
                    stream.write_all(&batch).unwrap();
                    for body in read_pipelined(&mut stream, PIPELINED) {
                        judge(&body);
                    }
                }
            });
        }
    });
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// A small generator with a fixed seed: a failure can be had again.
struct Mutator(u64);

impl Mutator {
    fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut der = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(3) {
            match self.below(4) {
                0 => der.truncate(self.below(der.len() + 1)),
                1 => der.insert(self.below(der.len() + 1), self.octet()),
                _ if der.is_empty() => {}
                2 => {
                    let at = self.below(der.len());
                    der[at] = self.octet();
                }
                _ => {
                    let at = self.below(der.len());
                    der[at] ^= 1 << self.below(8);
                }
            }
        }
        der
    }
}

/// Reads this many responses from a kept connection; each must be 200.
fn read_pipelined(stream: &mut TcpStream, count: usize) -> Vec<Vec<u8>> {
    let mut raw = Vec::new();
    let mut bodies = Vec::new();
    let mut chunk = [0; 65_536];
    while bodies.len() < count {
        let received = stream.read(&mut chunk).unwrap();
        assert!(received > 0, "the server closed a kept connection");
        raw.extend_from_slice(&chunk[..received]);
        while let Some(split) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = std::str::from_utf8(&raw[..split]).unwrap().to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let length: usize =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().trim().parse().unwrap();
            if raw.len() < split + 4 + length {
                break;
            }
            bodies.push(raw[split + 4..split + 4 + length].to_vec());
            raw.drain(..split + 4 + length);
        }
    }
    bodies
}

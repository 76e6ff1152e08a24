//! One exchange with one server.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::packet::{Answer, Exchange, PACKET_BYTES, PacketError, read_answer, request};
use crate::clock::instants::Instants;
use crate::clock::settings::ServerName;

/// Addresses of a name that are tried when the first can't be reached at all (IPv6 without a route, say).
const ADDRESS_LIMIT: usize = 4;

/// Datagrams that are looked at per request: forged ones must not hold the thread, nor the first one end the wait.
const DATAGRAM_LIMIT: usize = 32;

/// A server that refuses is left alone for this long (RFC 5905 §7.4: a client must slow down or stop).
const KISS_PAUSE: Duration = Duration::from_secs(64);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    #[error("no answer in time")]
    NoAnswer,
    #[error("its name does not resolve: {0}")]
    Name(io::Error),
    #[error("it can't be reached: {0}")]
    Socket(io::Error),
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("it refused and is left alone for {} s", KISS_PAUSE.as_secs())]
    Paused,
    #[error("this machine's clock moved during the exchange")]
    ClockMoved,
    #[error("this machine's clock or random numbers failed")]
    Machine,
}

/// A server and what was learnt of it.
pub(super) struct Server {
    name: ServerName,
    paused_until: Option<Instant>,
    random: SystemRandom,
}

impl Server {
    pub(super) fn new(name: ServerName) -> Self {
        Self { name, paused_until: None, random: SystemRandom::new() }
    }

    /// Asks once and waits until the deadline. Only the name's resolution may take longer.
    pub(super) fn ask(&mut self, deadline: Instant) -> Result<Answer, QueryError> {
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(QueryError::Paused);
        }
        let answer = self.exchange(deadline);
        self.paused_until = match &answer {
            Err(QueryError::Packet(PacketError::Kiss { .. })) => Some(Instant::now() + KISS_PAUSE),
            _ => None,
        };
        answer
    }

    fn exchange(&self, deadline: Instant) -> Result<Answer, QueryError> {
        let mut nonce = [0; 8];
        self.random.fill(&mut nonce).map_err(|_| QueryError::Machine)?;
        let nonce = u64::from_be_bytes(nonce);
        let request = request(nonce);

        let addresses = (self.name.host.as_str(), self.name.port).to_socket_addrs().map_err(QueryError::Name)?;
        let mut unreached = QueryError::NoAnswer;
        for address in addresses.take(ADDRESS_LIMIT) {
            match connect(address).and_then(|socket| {
                let before = Instants::now().map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
                socket.send(&request)?;
                Ok((socket, before))
            }) {
                Ok((socket, before)) => return await_answer(&socket, nonce, before, deadline),
                Err(error) => unreached = QueryError::Socket(error),
            }
        }
        Err(unreached)
    }
}

/// A socket that takes datagrams from this address only.
fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    Ok(socket)
}

fn await_answer(socket: &UdpSocket, nonce: u64, before: Instants, deadline: Instant) -> Result<Answer, QueryError> {
    // Longer datagrams are cut; what follows the header is not read.
    let mut packet = [0; PACKET_BYTES];
    for _ in 0..DATAGRAM_LIMIT {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(QueryError::NoAnswer);
        }
        socket.set_read_timeout(Some(left)).map_err(QueryError::Socket)?;
        let length = match socket.recv(&mut packet) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(QueryError::NoAnswer);
            }
            Err(error) => return Err(QueryError::Socket(error)),
        };
        let after = Instants::now().map_err(|_| QueryError::Machine)?;
        let took_us = after.raw_us.saturating_sub(before.raw_us);
        let exchange = Exchange { sent_unix_us: before.real_us, took_us };
        match read_answer(packet.get(..length).unwrap_or_default(), nonce, exchange) {
            Err(PacketError::NotOurs | PacketError::Short { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(_) if after.difference_us().abs_diff(before.difference_us()) > MOVED_LIMIT_US => {
                return Err(QueryError::ClockMoved);
            }
            Ok(answer) => return Ok(answer),
        }
    }
    Err(QueryError::NoAnswer)
}

/// What slewing and reading two clocks may change within a round; more was a step.
const MOVED_LIMIT_US: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn server_on(port: u16) -> Server {
        Server::new(ServerName { host: "127.0.0.1".to_owned(), port })
    }

    type MakeReply = fn(&[u8]) -> Vec<u8>;

    /// A server that answers one request with what each of these makes of it, in turn.
    fn play(replies: Vec<MakeReply>) -> (u16, std::thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 100];
            let (length, client) = socket.recv_from(&mut buffer).unwrap();
            for reply in replies {
                socket.send_to(&reply(&buffer[..length]), client).unwrap();
            }
        });
        (port, thread)
    }

    fn good(request: &[u8]) -> Vec<u8> {
        let now = Instants::now().unwrap();
        let seconds = u32::try_from(now.real_us / 1_000_000 + 2_208_988_800).unwrap();
        let fraction = u32::try_from(((now.real_us % 1_000_000) << 32) / 1_000_000).unwrap();
        let stamp = [seconds.to_be_bytes(), fraction.to_be_bytes()].concat();
        let mut packet = vec![0x24, 1, 0, 0xEC];
        packet.extend([0; 12]);
        packet.extend(&stamp);
        packet.extend(&request[40..48]);
        packet.extend(&stamp);
        packet.extend(&stamp);
        packet
    }

    fn forged(request: &[u8]) -> Vec<u8> {
        let mut packet = good(request);
        packet[24] ^= 1;
        packet[40..48].fill(0x77);
        packet
    }

    fn kiss(request: &[u8]) -> Vec<u8> {
        let mut packet = good(request);
        packet[1] = 0;
        packet[12..16].copy_from_slice(b"RATE");
        packet
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    #[test]
    fn forged_and_broken_datagrams_do_not_stand_in_for_the_answer() {
        let (port, thread) = play(vec![forged, |_| vec![1, 2, 3], forged, good]);
        let answer = server_on(port).ask(soon()).unwrap();
        assert!(answer.offset_us.abs() <= answer.error_us, "{answer:?}");
        thread.join().unwrap();

        let (port, thread) = play(vec![forged; DATAGRAM_LIMIT + 1]);
        assert!(matches!(server_on(port).ask(soon()), Err(QueryError::NoAnswer)));
        thread.join().unwrap();
    }

    #[test]
    fn a_server_that_refuses_is_left_alone() {
        let (port, thread) = play(vec![kiss]);
        let mut server = server_on(port);
        assert!(matches!(server.ask(soon()), Err(QueryError::Packet(PacketError::Kiss { .. }))));
        assert!(matches!(server.ask(soon()), Err(QueryError::Paused)));
        thread.join().unwrap();
    }

    #[test]
    fn a_silent_server_costs_no_more_than_the_deadline() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let started = Instant::now();
        let answer = server_on(silent.local_addr().unwrap().port()).ask(started + Duration::from_millis(100));
        assert!(matches!(answer, Err(QueryError::NoAnswer)));
        assert!(started.elapsed() < Duration::from_millis(250));
    }

    #[test]
    fn a_closed_port_is_told_at_once() {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(matches!(server_on(port).ask(soon()), Err(QueryError::Socket(_))));
    }
}

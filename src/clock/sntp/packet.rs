//! The NTP packet of a client's exchange (RFC 5905 §7.3, §8).
//!
//! Written here and not taken from an SNTP crate: those at hand drop root delay and root dispersion, without which a
//! server's word has no bound (a server that lost its own source still answers, with a growing dispersion).

use crate::clock::LeapKind;

/// A packet without extensions or authentication.
pub(super) const PACKET_BYTES: usize = 48;

/// Leap indicator 0, version 4, mode 3 (client).
const CLIENT_HEADER: u8 = 0x23;
const MODE_SERVER: u8 = 4;
const LEAP_ALARM: u8 = 3;
/// From 16 on a server is not synchronised (MAXSTRAT).
const STRATUM_LIMIT: u8 = 16;

/// The codes by which a server asks to be left alone (RFC 5905 §7.4).
const KISS_CODES: [(&[u8; 4], &str); 3] = [(b"DENY", "DENY"), (b"RSTR", "RSTR"), (b"RATE", "RATE")];

/// Seconds from 1900, where NTP's era 0 begins, to 1970.
const UNIX_IN_NTP_S: i128 = 2_208_988_800;

/// A server whose root distance is beyond this is not fit to synchronise with (MAXDISP, 16 s).
const ROOT_DISTANCE_LIMIT_US: i64 = 16_000_000;

/// A server that itself was last set longer ago than this is not synchronised (EN 319 421 TIS-7.7: every 24 h).
const REFERENCE_AGE_LIMIT_US: i64 = 24 * 3_600 * 1_000_000;

/// An NTP timestamp: seconds since 1900 in the upper half, modulo 2^32, and their fraction in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timestamp(u64);

impl Timestamp {
    fn from_unix_us(unix_us: i64) -> Self {
        let since_1900_us = i128::from(unix_us) + UNIX_IN_NTP_S * 1_000_000;
        let fixed = (since_1900_us << 32).div_euclid(1_000_000);
        // The era is dropped: differences are taken modulo 2^64, and mean the nearer way round (68 years each way).
        Self(u64::try_from(fixed & i128::from(u64::MAX)).unwrap_or(0))
    }

    /// This less `other`, in microseconds, rounded down.
    fn since_us(self, other: Self) -> i64 {
        let difference = i128::from(self.0.wrapping_sub(other.0).cast_signed());
        i64::try_from((difference * 1_000_000) >> 32).unwrap_or(i64::MAX)
    }
}

/// When a request left and its answer came, on this machine's wall clock, without a step in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) sent_unix_us: i64,
    pub(super) took_us: i64,
}

/// A server's word on this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The server's time less ours: what would have to be added to this clock.
    pub(super) offset_us: i64,
    /// The bound on the offset's error.
    pub(super) error_us: i64,
    /// A leap second at the end of the day.
    pub(super) leap: Option<LeapKind>,
}

/// Why a datagram is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PacketError {
    #[error("an answer of {length} octets is too short")]
    Short { length: usize },
    #[error("the answer is not to our request")]
    NotOurs,
    #[error("version {version}, mode {mode} is no server's answer")]
    NotAnAnswer { version: u8, mode: u8 },
    #[error("the server refuses (kiss code {code})")]
    Kiss { code: &'static str },
    #[error("the server is not synchronised (leap indicator {leap}, stratum {stratum})")]
    Unsynchronised { leap: u8, stratum: u8 },
    #[error("the server's times contradict each other")]
    Contradiction,
    #[error("the server's own distance to the true time is {distance_us} µs or more")]
    TooFar { distance_us: i64 },
    #[error("the server was last set {age_s} s ago")]
    Stale { age_s: i64 },
}

/// The request: nothing but a random number where the client's time would stand, so that an answer can't be forged
/// without seeing the request, and this clock's time is not told to anyone.
pub(super) fn request(nonce: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    let (head, transmit) = packet.split_at_mut(PACKET_BYTES - 8);
    transmit.copy_from_slice(&nonce.to_be_bytes());
    if let Some(first) = head.first_mut() {
        *first = CLIENT_HEADER;
    }
    packet
}

/// Reads an answer to the request with this nonce. Extensions after the header are ignored.
pub(super) fn read_answer(packet: &[u8], nonce: u64, exchange: Exchange) -> Result<Answer, PacketError> {
    let Some((header, _)) = packet.split_first_chunk::<PACKET_BYTES>() else {
        return Err(PacketError::Short { length: packet.len() });
    };
    let word = |at: usize| -> [u8; 4] { std::array::from_fn(|i| header.get(at + i).copied().unwrap_or(0)) };
    let stamp = |at: usize| -> Timestamp {
        Timestamp(u64::from_be_bytes(std::array::from_fn(|i| header.get(at + i).copied().unwrap_or(0))))
    };
    let [first, stratum, _poll, precision] = word(0);
    let (leap, version, mode) = (first >> 6, (first >> 3) & 7, first & 7);
    // Whose answer it is comes first: nothing in a datagram that may be forged is to be believed (§8).
    if stamp(24).0 != nonce {
        return Err(PacketError::NotOurs);
    }
    if !(3..=4).contains(&version) || mode != MODE_SERVER {
        return Err(PacketError::NotAnAnswer { version, mode });
    }
    if stratum == 0
        && let Some((_, code)) = KISS_CODES.iter().find(|(octets, _)| **octets == word(12))
    {
        return Err(PacketError::Kiss { code });
    }
    // Stratum 0 without such a code is a server that has no time yet.
    if leap == LEAP_ALARM || !(1..STRATUM_LIMIT).contains(&stratum) {
        return Err(PacketError::Unsynchronised { leap, stratum });
    }
    let (reference, receive, transmit) = (stamp(16), stamp(32), stamp(40));
    if reference.0 == 0 || receive.0 == 0 || transmit.0 == 0 {
        return Err(PacketError::Contradiction);
    }
    let age_us = transmit.since_us(reference);
    if age_us > REFERENCE_AGE_LIMIT_US {
        return Err(PacketError::Stale { age_s: age_us / 1_000_000 });
    }
    // §8: delay = (T4 − T1) − (T3 − T2), offset = ((T2 − T1) + (T3 − T4)) / 2.
    let sent = Timestamp::from_unix_us(exchange.sent_unix_us);
    let served_us = transmit.since_us(receive);
    let delay_us = exchange.took_us.saturating_sub(served_us);
    // One microsecond is lost to rounding on each side; more is a server that answers before it was asked.
    if served_us < 0 || delay_us < -2 {
        return Err(PacketError::Contradiction);
    }
    let there_us = receive.since_us(sent);
    let back_us = transmit.since_us(sent).saturating_sub(exchange.took_us);
    let offset_us = there_us / 2 + back_us / 2;
    let distance_us = short_us(word(4)) / 2 + short_us(word(8));
    if distance_us >= ROOT_DISTANCE_LIMIT_US {
        return Err(PacketError::TooFar { distance_us });
    }
    // The last four: rounding of the two stamps, of the two halves.
    let error_us = delay_us.max(0) / 2 + distance_us + precision_us(precision) + 4;
    let leap = match leap {
        1 => Some(LeapKind::Insert),
        2 => Some(LeapKind::Delete),
        _ => None,
    };
    Ok(Answer { offset_us, error_us, leap })
}

/// NTP's short format, 16 bits of seconds and 16 of fraction, in microseconds, rounded up.
fn short_us(short: [u8; 4]) -> i64 {
    (i64::from(u32::from_be_bytes(short)) * 1_000_000 + 0xFFFF) >> 16
}

/// The precision, a power of two in seconds, in microseconds, rounded up; at most 2 s, which the limit then refuses.
fn precision_us(log2_s: u8) -> i64 {
    match log2_s.cast_signed() {
        1.. => ROOT_DISTANCE_LIMIT_US,
        log2_s => (1_000_000_i64 >> log2_s.unsigned_abs().min(20)) + 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: u64 = 0x0123_4567_89AB_CDEF;
    const SENT_US: i64 = 1_795_468_000_000_000;
    const EXCHANGE: Exchange = Exchange { sent_unix_us: SENT_US, took_us: 10_000 };

    /// A stratum 2 server whose clock is `ahead_us` ahead, 4 ms of way there, 2 ms of work, 4 ms back.
    fn answer(ahead_us: i64) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 0x24;
        packet[1] = 2;
        packet[3] = 0xEC; // 2^-20 s
        packet[4..8].copy_from_slice(&0x0000_0148_u32.to_be_bytes()); // root delay 5.005 ms
        packet[8..12].copy_from_slice(&0x0000_0042_u32.to_be_bytes()); // root dispersion 1.008 ms
        for (at, unix_us) in
            [(16, SENT_US - 60_000_000), (32, SENT_US + 4_000 + ahead_us), (40, SENT_US + 6_000 + ahead_us)]
        {
            packet[at..at + 8].copy_from_slice(&Timestamp::from_unix_us(unix_us).0.to_be_bytes());
        }
        packet[24..32].copy_from_slice(&NONCE.to_be_bytes());
        packet
    }

    fn read(packet: &[u8]) -> Result<Answer, PacketError> {
        read_answer(packet, NONCE, EXCHANGE)
    }

    fn changed(change: impl FnOnce(&mut [u8; PACKET_BYTES])) -> Result<Answer, PacketError> {
        let mut packet = answer(0);
        change(&mut packet);
        read(&packet)
    }

    #[test]
    fn offset_and_error() {
        for ahead_us in [0, 700_000, -700_000, 3_600_000_000, -86_400_000_000] {
            let answer = read(&answer(ahead_us)).unwrap();
            assert!((answer.offset_us - ahead_us).abs() <= 2, "{answer:?}");
            // Half of 8 ms of way, half of 5.005 ms, 1.008 ms, the precision, the rounding.
            assert!((7_510..7_525).contains(&answer.error_us), "{answer:?}");
        }
    }

    #[test]
    fn the_next_era_is_no_obstacle() {
        // NTP's era 1 begins on 2036-02-07T06:28:16Z.
        let era_us = 2_085_978_496_000_000;
        let before = Timestamp::from_unix_us(era_us - 1);
        let after = Timestamp::from_unix_us(era_us + 1);
        assert!(before.0 > after.0);
        assert!((after.since_us(before) - 2).abs() <= 1);
        assert!((before.since_us(after) + 2).abs() <= 1);
    }

    #[test]
    fn each_refusal() {
        assert_eq!(read(&answer(0)[..47]), Err(PacketError::Short { length: 47 }));
        assert_eq!(changed(|p| p[31] ^= 1), Err(PacketError::NotOurs));
        assert_eq!(changed(|p| p[0] = 0x23), Err(PacketError::NotAnAnswer { version: 4, mode: 3 }));
        assert_eq!(changed(|p| p[0] = 0x14), Err(PacketError::NotAnAnswer { version: 2, mode: 4 }));
        let kissed = changed(|p| {
            p[1] = 0;
            p[12..16].copy_from_slice(b"RATE");
        });
        assert_eq!(kissed, Err(PacketError::Kiss { code: "RATE" }));
        assert_eq!(changed(|p| p[1] = 0), Err(PacketError::Unsynchronised { leap: 0, stratum: 0 }));
        assert_eq!(changed(|p| p[0] = 0xE4), Err(PacketError::Unsynchronised { leap: 3, stratum: 2 }));
        assert_eq!(changed(|p| p[1] = 16), Err(PacketError::Unsynchronised { leap: 0, stratum: 16 }));
        for at in [16, 32, 40] {
            assert_eq!(changed(|p| p[at..at + 8].fill(0)), Err(PacketError::Contradiction), "{at}");
        }
        // Sent before it was received; received after it came back here.
        assert_eq!(changed(|p| p.copy_within(16..24, 40)), Err(PacketError::Contradiction));
        let late = Timestamp::from_unix_us(SENT_US + 15_000).0.to_be_bytes();
        assert_eq!(changed(|p| p[40..48].copy_from_slice(&late)), Err(PacketError::Contradiction));
        let old = Timestamp::from_unix_us(SENT_US - 25 * 3_600 * 1_000_000).0.to_be_bytes();
        assert!(matches!(changed(|p| p[16..24].copy_from_slice(&old)), Err(PacketError::Stale { age_s: 90_000.. })));
        assert!(matches!(changed(|p| p[8] = 1), Err(PacketError::TooFar { .. })));
    }

    #[test]
    fn leap_indicators() {
        assert_eq!(changed(|p| p[0] = 0x64).unwrap().leap, Some(LeapKind::Insert));
        assert_eq!(changed(|p| p[0] = 0xA4).unwrap().leap, Some(LeapKind::Delete));
        assert_eq!(changed(|_| ()).unwrap().leap, None);
    }

    #[test]
    fn a_coarse_server_has_a_wide_error() {
        assert!(changed(|p| p[3] = 0xFF).unwrap().error_us > 500_000);
        assert!(changed(|p| p[3] = 0x7F).unwrap().error_us > 10_000_000);
        assert!(changed(|p| p[3] = 0x80).unwrap().error_us < 8_000);
    }

    #[test]
    fn a_request_tells_nothing() {
        let packet = request(NONCE);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|octet| *octet == 0));
        assert_eq!(packet[40..], NONCE.to_be_bytes());
    }

    proptest! {
        /// Whatever a server sends, a read answer has an error that is not negative.
        #[test]
        fn no_packet_makes_it_panic(
            mut packet in prop::collection::vec(any::<u8>(), 0..60),
            ours: bool,
            sent_unix_us: i64,
            took_us in 0_i64..10_000_000,
        ) {
            if ours && packet.len() >= 32 {
                packet[24..32].copy_from_slice(&NONCE.to_be_bytes());
                packet[0] = (packet[0] & 0xC0) | 0x24;
            }
            if let Ok(answer) = read_answer(&packet, NONCE, Exchange { sent_unix_us, took_us }) {
                prop_assert!(answer.error_us >= 0);
            }
        }

        /// The true offset is within the bound, however unequal the ways there and back.
        #[test]
        fn the_true_offset_is_within_the_error(
            ahead_us in -10_000_000_i64..10_000_000,
            there_us in 0_i64..500_000,
            work_us in 0_i64..100_000,
            back_us in 0_i64..500_000,
        ) {
            let mut packet = answer(0);
            for (at, unix_us) in [(32, SENT_US + there_us + ahead_us), (40, SENT_US + there_us + work_us + ahead_us)] {
                packet[at..at + 8].copy_from_slice(&Timestamp::from_unix_us(unix_us).0.to_be_bytes());
            }
            let exchange = Exchange { sent_unix_us: SENT_US, took_us: there_us + work_us + back_us };
            let answer = read_answer(&packet, NONCE, exchange).unwrap();
            prop_assert!((answer.offset_us - ahead_us).abs() <= answer.error_us);
        }
    }
}

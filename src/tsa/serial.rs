//! Token serial numbers: 17 octets, 0x01, 48 bits of Unix milliseconds, 80 random bits.
//!
//! Unique per TSA for ever, crashes and several servers included (RFC 3161 §2.4.2), and ascending,
//! so that the ledger's unique index stays cheap. Positive, minimal, and below the 160 bits that clients must take.

/// The serial's length in octets.
pub(crate) const LEN: usize = 17;

/// The random generator failed: nothing may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub(crate) struct RandomFailed;

/// A fresh serial number for a token of this time.
pub(crate) fn fresh(unix_us: i64) -> Result<[u8; LEN], RandomFailed> {
    let mut serial = [0; LEN];
    serial[0] = 1;
    let millis = u64::try_from(unix_us / 1_000).map_err(|_| RandomFailed)?.to_be_bytes();
    serial[1..7].copy_from_slice(&millis[2..]);
    aws_lc_rs::rand::fill(&mut serial[7..]).map_err(|_| RandomFailed)?;
    Ok(serial)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ascends_with_time_and_never_repeats() {
        let a = super::fresh(1_795_464_000_000_000).unwrap();
        let b = super::fresh(1_795_464_000_001_000).unwrap();
        let c = super::fresh(1_795_464_000_001_000).unwrap();
        assert!(a < b && b != c && b[..7] == c[..7]);
        assert_eq!(a[0], 1);
    }
}

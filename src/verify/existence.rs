//! Proofs of existence (EN 319 102-1 §5.6.2.3): since when a thing is proven to exist, and by which timestamp.

use std::collections::HashMap;

/// What proves that something existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProvenBy {
    /// It is here, now.
    Presence,
    /// A token, by the SHA-256 of its octets.
    Timestamp([u8; 32]),
}

/// A proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The time by which it existed, seconds since 1970.
    pub time_s: i64,
    /// What proves it.
    pub by: ProvenBy,
}

/// Since when things are proven to exist: signatures, certificates, revocation data and tokens, each by the SHA-256 of its
/// octets. Whatever nothing else is known of exists since now: it is here.
#[derive(Clone, Debug)]
pub struct ProofsOfExistence {
    now_s: i64,
    earliest: HashMap<[u8; 32], Proof>,
}

impl ProofsOfExistence {
    /// Nothing but presence, at this time.
    #[must_use]
    pub fn new(now_s: i64) -> Self {
        Self { now_s, earliest: HashMap::new() }
    }

    /// Adds a proof for everything that it covers; an earlier one stays.
    pub fn add<'s>(&mut self, proof: Proof, covered: impl IntoIterator<Item = &'s [u8; 32]>) {
        for sha256 in covered {
            let known = self.earliest.entry(*sha256).or_insert(proof);
            if proof.time_s < known.time_s {
                *known = proof;
            }
        }
    }

    /// The earliest proof.
    #[must_use]
    pub fn earliest(&self, sha256: &[u8; 32]) -> Proof {
        let present = Proof { time_s: self.now_s, by: ProvenBy::Presence };
        self.earliest.get(sha256).copied().filter(|proof| proof.time_s < self.now_s).unwrap_or(present)
    }

    /// The time of the earliest proof, seconds since 1970.
    #[must_use]
    pub fn earliest_s(&self, sha256: &[u8; 32]) -> i64 {
        self.earliest(sha256).time_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_proof_counts_and_presence_is_one() {
        let mut proofs = ProofsOfExistence::new(100);
        let (one, other) = ([1; 32], [2; 32]);
        let proof = |time_s, token| Proof { time_s, by: ProvenBy::Timestamp([token; 32]) };
        assert_eq!(proofs.earliest(&one), Proof { time_s: 100, by: ProvenBy::Presence });
        proofs.add(proof(50, 7), [&one]);
        proofs.add(proof(60, 8), [&one, &other]);
        assert_eq!(proofs.earliest(&one), proof(50, 7));
        assert_eq!(proofs.earliest(&other), proof(60, 8));
        // A token of the future proves nothing earlier than that the thing is here.
        proofs.add(proof(200, 9), [&[3; 32]]);
        assert_eq!(proofs.earliest_s(&[3; 32]), 100);
    }
}

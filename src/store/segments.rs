//! The search by imprint, kept out of the commit's cost.
//!
//! A closed segment of a chain is indexed after the fact: one blob of entries, 8 octets of the imprint and 4 of the
//! position within the segment, sorted. Imprints are hashes, so an entry lies near where its first octets say, and a
//! search reads one window of a blob; a window that misses is followed by the whole blob.

use std::ops::Range;

/// Octets of an entry.
pub(super) const ENTRY: usize = 12;
const PREFIX: usize = 8;
/// Entries on either side of the expected place: eight standard deviations for 65,536 random imprints.
const WINDOW: usize = 1_024;

/// The sorted entries of a segment; positions count from its first number.
pub(super) fn build(imprints: impl Iterator<Item = (u32, Vec<u8>)>) -> Vec<u8> {
    let mut entries: Vec<[u8; ENTRY]> = imprints
        .map(|(position, imprint)| {
            let mut entry = [0; ENTRY];
            entry[..PREFIX].copy_from_slice(&prefix(&imprint));
            entry[PREFIX..].copy_from_slice(&position.to_be_bytes());
            entry
        })
        .collect();
    entries.sort_unstable();
    entries.concat()
}

fn prefix(imprint: &[u8]) -> [u8; PREFIX] {
    let mut prefix = [0; PREFIX];
    for (to, from) in prefix.iter_mut().zip(imprint) {
        *to = *from;
    }
    prefix
}

/// The octets of a blob of `count` entries in which an imprint is to be looked for first.
pub(super) fn window(count: usize, imprint: &[u8]) -> Range<usize> {
    let key = u64::from_be_bytes(prefix(imprint));
    let expected = usize::try_from((u128::from(key) * u128::try_from(count).unwrap_or(0)) >> 64).unwrap_or(0);
    let start = expected.saturating_sub(WINDOW);
    start * ENTRY..(expected + WINDOW).min(count) * ENTRY
}

/// The positions of an imprint's entries in a part of a blob, and whether the part surely holds them all.
pub(super) fn search(part: &[u8], range: &Range<usize>, blob_len: usize, imprint: &[u8]) -> (Vec<u32>, bool) {
    let key = prefix(imprint);
    let entries: Vec<&[u8]> = part.chunks_exact(ENTRY).collect();
    let first = entries.partition_point(|entry| entry[..PREFIX] < key[..]);
    let last = entries.partition_point(|entry| entry[..PREFIX] <= key[..]);
    let positions = entries[first..last]
        .iter()
        .map(|entry| u32::from_be_bytes([entry[8], entry[9], entry[10], entry[11]]))
        .collect();
    let complete = (first > 0 || range.start == 0) && (last < entries.len() || range.end >= blob_len);
    (positions, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_entry_by_window_or_whole() {
        let imprint =
            |n: u32| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_be_bytes()).as_ref().to_vec();
        let count = 5_000;
        let blob = build((0..count).map(|n| (n, imprint(n))));
        for n in 0..count {
            let range = window(blob.len() / ENTRY, &imprint(n));
            let (mut found, complete) = search(&blob[range.clone()], &range, blob.len(), &imprint(n));
            if !complete {
                (found, _) = search(&blob, &(0..blob.len()), blob.len(), &imprint(n));
            }
            assert_eq!(found, [n]);
        }
        let range = window(blob.len() / ENTRY, &imprint(count));
        assert_eq!(search(&blob[range.clone()], &range, blob.len(), &imprint(count)), (vec![], true));
    }

    #[test]
    fn equal_imprints_are_all_found_though_they_crowd() {
        let blob = build((0..4_000).map(|n| (n, vec![if n < 3_000 { 0xee } else { 0x11 }; 32])));
        let range = window(blob.len() / ENTRY, &[0xee; 32]);
        let (_, complete) = search(&blob[range.clone()], &range, blob.len(), &[0xee; 32]);
        assert!(!complete, "the crowd is wider than a window");
        assert_eq!(search(&blob, &(0..blob.len()), blob.len(), &[0xee; 32]).0.len(), 3_000);
    }
}

//! PEM (RFC 7468), read leniently: text before and between blocks, any label, lines of any length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Why a block can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// It does not end.
    #[error("what begins on line {line} has no END")]
    Unended {
        /// The line of BEGIN, from 1.
        line: usize,
    },
    /// What it holds is not base64; encrypted PEM with its headers neither.
    #[error("what begins on line {line} is not base64")]
    Base64 {
        /// The line of BEGIN, from 1.
        line: usize,
    },
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PemBlock<'a> {
    /// What stands behind BEGIN.
    pub label: &'a [u8],
    /// The line of BEGIN, from 1.
    pub line: usize,
    /// What stands up to END; `None` where another block begins first, or nothing follows.
    body: Option<&'a [u8]>,
}

impl PemBlock<'_> {
    /// What it holds.
    ///
    /// # Errors
    /// It does not end, or is not base64; an encrypted key's headers are not read.
    pub fn decode(&self) -> Result<Vec<u8>, PemError> {
        let body = self.body.ok_or(PemError::Unended { line: self.line })?;
        let text: Vec<u8> = body.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        STANDARD.decode(text).map_err(|_| PemError::Base64 { line: self.line })
    }
}

/// Whether there is a block somewhere in it.
#[must_use]
pub fn is_pem(octets: &[u8]) -> bool {
    find(octets, BEGIN).is_some()
}

/// The blocks, in their order.
pub fn pem_blocks(octets: &[u8]) -> impl Iterator<Item = PemBlock<'_>> {
    let (mut rest, mut line) = (octets, 1);
    std::iter::from_fn(move || {
        let start = find(rest, BEGIN)?;
        line += lines(rest.get(..start)?);
        let block_line = line;
        let after = rest.get(start + BEGIN.len()..)?;
        let label_length = after.iter().position(|octet| matches!(octet, b'-' | b'\n')).unwrap_or(after.len());
        let label = after.get(..label_length)?;
        let body = after.get(label_length..)?;
        let body = body.strip_prefix(DASHES).unwrap_or(body);
        let next = find(body, BEGIN).unwrap_or(body.len());
        let end = find(body, END).filter(|end| *end < next);
        let length = end.map_or(next, |end| end + END.len());
        line += lines(label) + lines(body.get(..length)?);
        rest = body.get(length..)?;
        Some(PemBlock { label, line: block_line, body: end.and_then(|end| body.get(..end)) })
    })
}

fn lines(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| **octet == b'\n').count()
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(usize, Vec<u8>), PemError>> {
        pem_blocks(text.as_bytes()).map(|block| Ok((block.line, block.decode()?))).collect()
    }

    #[test]
    fn each_block_is_read_whatever_stands_between() {
        let two = "subject=x\r\n-----BEGIN CERTIFICATE-----\r\nMA\r\nA=\r\n-----END CERTIFICATE-----\r\nbetween\n\
            -----BEGIN X509 CRL-----\nMQA=\n-----END X509 CRL-----\n";
        assert_eq!(read(two), [Ok((2, vec![0x30, 0])), Ok((7, vec![0x31, 0]))]);
        assert!(is_pem(two.as_bytes()) && !is_pem(b"0-"));
        let block = pem_blocks(two.as_bytes()).next().unwrap();
        assert_eq!(block.label, b"CERTIFICATE");
    }

    #[test]
    fn what_has_no_end_or_is_not_base64_is_told() {
        let unended = "\n-----BEGIN CERTIFICATE-----\nMAA=";
        assert_eq!(read(unended), [Err(PemError::Unended { line: 2 })]);
        assert_eq!(read("-----BEGIN CERTIFICATE"), [Err(PemError::Unended { line: 1 })]);
        let two = "-----BEGIN X-----\nMAA=\n-----BEGIN Y-----\nMAA=\n-----END Y-----\n";
        assert_eq!(read(two), [Err(PemError::Unended { line: 1 }), Ok((3, vec![0x30, 0]))]);
        let encrypted = "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END X-----\n-----BEGIN Y-----\nMAA=\n-----END Y-----";
        assert_eq!(read(encrypted), [Err(PemError::Base64 { line: 1 }), Ok((6, vec![0x30, 0]))]);
    }
}

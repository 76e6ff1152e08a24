//! DER from what servers send as such: DER, or PEM against the standards (RFC 5280 §4.2.1.13, §4.2.2.1 want DER).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::FetchError;

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// Blocks of one file: an issuer's certificate and those above it.
const MAX_BLOCKS: usize = 16;

/// Whether octets begin as PEM does.
pub(super) fn is_pem(octets: &[u8]) -> bool {
    octets.trim_ascii_start().starts_with(BEGIN)
}

/// The values of a file, each DER perhaps: the whole of it, or each block of PEM.
pub(super) fn values(octets: Vec<u8>) -> Result<Vec<Vec<u8>>, FetchError> {
    if !is_pem(&octets) {
        return Ok(vec![octets]);
    }
    let mut blocks = Vec::new();
    let mut rest = octets.as_slice();
    while let Some(start) = find(rest, BEGIN) {
        if blocks.len() == MAX_BLOCKS {
            return Err(FetchError::TooManyCertificates { limit: MAX_BLOCKS });
        }
        let label = rest.get(start + BEGIN.len()..).unwrap_or_default();
        let body_at = find(label, DASHES).ok_or(FetchError::Pem)? + DASHES.len();
        let body = label.get(body_at..).unwrap_or_default();
        let end = find(body, END).ok_or(FetchError::Pem)?;
        let text: Vec<u8> = body.iter().take(end).copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        blocks.push(STANDARD.decode(text).map_err(|_| FetchError::Pem)?);
        rest = body.get(end + END.len()..).unwrap_or_default();
    }
    Ok(blocks)
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_stays_and_each_block_of_pem_is_a_value() {
        assert_eq!(values(vec![0x30, 0]), Ok(vec![vec![0x30, 0]]));
        let two = b"\r\n-----BEGIN CERTIFICATE-----\r\nMA\r\nA=\r\n-----END CERTIFICATE-----\r\nbetween\n\
            -----BEGIN X509 CRL-----\nMQA=\n-----END X509 CRL-----\n";
        assert_eq!(values(two.to_vec()), Ok(vec![vec![0x30, 0], vec![0x31, 0]]));
    }

    #[test]
    fn pem_that_is_none_is_refused() {
        for text in [
            "-----BEGIN CERTIFICATE",
            "-----BEGIN CERTIFICATE-----\nMAA=",
            "-----BEGIN CERTIFICATE-----\nM!A=\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(values(text.as_bytes().to_vec()), Err(FetchError::Pem), "{text}");
        }
        let many = "-----BEGIN X-----\nMAA=\n-----END X-----\n".repeat(MAX_BLOCKS + 1);
        assert_eq!(values(many.into_bytes()), Err(FetchError::TooManyCertificates { limit: MAX_BLOCKS }));
    }
}

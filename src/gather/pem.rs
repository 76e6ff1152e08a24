//! DER from what servers send as such: DER, or PEM against the standards (RFC 5280 §4.2.1.13, §4.2.2.1 want DER).

use super::FetchError;
use crate::asn1::pem_blocks;

const BEGIN: &[u8] = b"-----BEGIN ";
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
    let mut values = Vec::new();
    for block in pem_blocks(&octets) {
        if values.len() == MAX_BLOCKS {
            return Err(FetchError::TooManyCertificates { limit: MAX_BLOCKS });
        }
        values.push(block.decode().map_err(|_| FetchError::Pem)?);
    }
    Ok(values)
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

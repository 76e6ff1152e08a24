//! Certificates in PEM, one behind the other (RFC 7468); text between them is left out.

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ImportEntry, ImportError, ImportFault, good, next_line};
use crate::ca::Certificate;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// The lines of a certificate of 100,000 octets.
pub(super) const MAX_LINES: usize = 2_048;

pub(super) struct Bundle<R> {
    file: R,
    line: u64,
    text: String,
}

impl<R: BufRead> Bundle<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, line: 0, text: String::new() }
    }

    fn read_line(&mut self) -> Result<bool, ImportFault> {
        self.line += 1;
        Ok(next_line(&mut self.file, &mut self.text)?)
    }

    fn next_certificate(&mut self) -> Result<Option<ImportEntry>, ImportFault> {
        while self.read_line()? {
            if self.text.trim() == BEGIN {
                return self.rest_of_block().map(Some);
            }
        }
        Ok(None)
    }

    fn rest_of_block(&mut self) -> Result<ImportEntry, ImportFault> {
        let mut base64 = String::new();
        for _ in 0..MAX_LINES {
            if !self.read_line()? {
                break;
            }
            if self.text.trim() == END {
                let der = STANDARD.decode(&base64).map_err(|_| ImportFault::Base64)?;
                return Ok(good(Certificate::from_der(&der)?));
            }
            base64.push_str(self.text.trim());
        }
        Err(ImportFault::Unended)
    }
}

impl<R: BufRead> Iterator for Bundle<R> {
    type Item = Result<ImportEntry, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_certificate().map_err(|fault| fault.at(self.line)).transpose()
    }
}

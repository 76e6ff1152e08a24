//! Certificates and statuses from elsewhere, read from a file of any length: a row at a time, nothing is held.
//!
//! Owns: the forms ([`ImportFormat`]) and what is wrong with a file ([`ImportError`], with its line). Does not own: what a
//! row may do to the registry (see `registry`). Enter by [`entries`].

mod bounded;
mod index;
mod pem;
mod table;

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::str::FromStr;

use super::registry::ImportEntry;
use super::{Certificate, CertificateError};
use bounded::BoundedLines;

/// The most octets of a line. A PEM line has 64, a row of openssl's index some hundred, of CSV with long subjects a
/// thousand; a file without line ends is none of these.
const MAX_LINE_OCTETS: usize = 65_536;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// Certificates, PEM, one behind the other; each is good.
    Pem,
    /// CSV with a header row.
    Csv,
    /// The database of `openssl ca`, index.txt.
    OpensslIndex,
}

/// No format by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no format; choose pem, csv or openssl-index")]
pub struct UnknownFormat {
    /// As given.
    pub name: String,
}

impl ImportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Pem, Self::Csv, Self::OpensslIndex];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Csv => "csv",
            Self::OpensslIndex => "openssl-index",
        }
    }

    /// The format that a file's beginning shows: openssl's index has tabs after one letter, CSV names its columns.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Option<Self> {
        let line = beginning.split(|octet| *octet == b'\n').next().unwrap_or_default();
        if matches!(line, [b'V' | b'R' | b'E', b'\t', ..]) {
            Some(Self::OpensslIndex)
        } else if beginning.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            Some(Self::Pem)
        } else {
            line.split(|octet| *octet == b',').any(|name| name.trim_ascii() == b"serial").then_some(Self::Csv)
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImportFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ImportError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: ImportFault,
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportFault {
    /// The file can't be read on.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// CSV that is none.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// A column that must be there.
    #[error("there is no column {name}; the first row names the columns: {}", table::COLUMNS.join(", "))]
    NoColumn {
        /// The column.
        name: &'static str,
    },
    /// A column that nothing is known of.
    #[error("the column {name:?} is not known; there are {}", table::COLUMNS.join(", "))]
    UnknownColumn {
        /// As given.
        name: String,
    },
    /// A row of openssl's index without its six fields.
    #[error("{count} fields where openssl's index has 6, with tabs between")]
    Fields {
        /// How many there are.
        count: usize,
    },
    /// A value that can't be.
    #[error("{field} {value:?}: {demand}")]
    Value {
        /// Which.
        field: &'static str,
        /// As given.
        value: String,
        /// What it must be.
        demand: &'static str,
    },
    /// A certificate that does not read.
    #[error("the certificate that ends here does not read: {0}")]
    Certificate(#[from] CertificateError),
    /// A PEM block that does not end.
    #[error("a certificate begins here, and no END CERTIFICATE follows within {} lines", pem::MAX_LINES)]
    Unended,
    /// Base64 that is none.
    #[error("this is not base64")]
    Base64,
}

impl ImportFault {
    fn value(field: &'static str, value: &str, demand: &'static str) -> Self {
        // A hostile value is shown, not spread over the screen.
        Self::Value { field, value: value.chars().take(80).collect(), demand }
    }

    fn at(self, line: u64) -> ImportError {
        ImportError { line, fault: self }
    }
}

/// The rows of a file; after an error there are no more.
pub fn entries<'a>(
    format: ImportFormat,
    file: impl Read + 'a,
) -> Box<dyn Iterator<Item = Result<ImportEntry, ImportError>> + 'a> {
    let file = BufReader::with_capacity(1 << 18, BoundedLines::new(file, MAX_LINE_OCTETS));
    match format {
        ImportFormat::Pem => Box::new(UntilError::new(pem::Bundle::new(file))),
        ImportFormat::Csv => Box::new(UntilError::new(table::Table::new(file))),
        ImportFormat::OpensslIndex => Box::new(UntilError::new(index::Index::new(file))),
    }
}

/// Ends after the first error.
struct UntilError<I> {
    rows: I,
    has_ended: bool,
}

impl<I> UntilError<I> {
    fn new(rows: I) -> Self {
        Self { rows, has_ended: false }
    }
}

impl<I: Iterator<Item = Result<ImportEntry, ImportError>>> Iterator for UntilError<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.has_ended {
            return None;
        }
        let row = self.rows.next();
        self.has_ended = !matches!(row, Some(Ok(_)));
        row
    }
}

/// A line without its end; None at the file's end.
fn next_line(file: &mut impl BufRead, line: &mut String) -> Result<bool, std::io::Error> {
    line.clear();
    if file.read_line(line)? == 0 {
        return Ok(false);
    }
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(true)
}

/// A certificate that is good, as the registry takes it.
fn good(certificate: Certificate) -> ImportEntry {
    ImportEntry {
        serial: certificate.serial_number.clone(),
        subject: certificate.subject(),
        not_before_s: certificate.not_before_s,
        not_after_s: certificate.not_after_s,
        state: crate::store::CertificateState::Good,
        reason: None,
        revoked_at_s: None,
        invalidity_s: None,
        certificate: Some(certificate),
    }
}

#[cfg(test)]
mod tests;

//! CSV with a header row (RFC 4180), its columns by name.

use std::io::Read;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::{ImportEntry, ImportError, ImportFault};
use crate::ca::reason_from_name;
use crate::ca::registry::parse_serial;
use crate::clock::from_rfc3339;
use crate::store::CertificateState;

/// The columns that there are.
pub(super) const COLUMNS: [&str; 8] =
    ["serial", "subject", "not_before", "not_after", "state", "reason", "revoked_at", "invalidity_date"];
const REQUIRED: [usize; 3] = [0, 3, 4];

pub(super) struct Table<R> {
    reader: Reader<R>,
    record: StringRecord,
    /// Where each of [`COLUMNS`] stands; None before the header was read.
    places: Option<[Option<usize>; COLUMNS.len()]>,
}

impl<R: Read> Table<R> {
    pub(super) fn new(file: R) -> Self {
        let reader = ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        Self { reader, record: StringRecord::new(), places: None }
    }

    fn next_row(&mut self) -> Result<Option<ImportEntry>, ImportFault> {
        let places = match self.places {
            Some(places) => places,
            None => *self.places.insert(places(self.reader.headers()?)?),
        };
        if !self.reader.read_record(&mut self.record)? {
            return Ok(None);
        }
        let field = |column: usize| places[column].and_then(|at| self.record.get(at)).unwrap_or_default();
        row(field).map(Some)
    }
}

impl<R: Read> Iterator for Table<R> {
    type Item = Result<ImportEntry, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        // Of an error that the library finds it knows the line; else it is the record's.
        let line = match &row {
            Err(ImportFault::Csv(error)) => error.position().map(csv::Position::line),
            _ => self.record.position().map(csv::Position::line),
        };
        row.map_err(|fault| fault.at(line.unwrap_or(1))).transpose()
    }
}

fn places(header: &StringRecord) -> Result<[Option<usize>; COLUMNS.len()], ImportFault> {
    let mut places = [None; COLUMNS.len()];
    for (at, name) in header.iter().enumerate() {
        let column = COLUMNS.iter().position(|column| *column == name);
        let column = column.ok_or_else(|| ImportFault::UnknownColumn { name: name.chars().take(80).collect() })?;
        places[column] = Some(at);
    }
    match REQUIRED.into_iter().find(|column| places[*column].is_none()) {
        Some(column) => Err(ImportFault::NoColumn { name: COLUMNS[column] }),
        None => Ok(places),
    }
}

fn row<'a>(field: impl Fn(usize) -> &'a str) -> Result<ImportEntry, ImportFault> {
    let time = |column: usize| match field(column) {
        "" => Ok(None),
        text => from_rfc3339(text).map(Some).ok_or_else(|| {
            ImportFault::value(COLUMNS[column], text, "write RFC 3339 in whole seconds such as 2027-01-31T12:00:00Z")
        }),
    };
    let serial = parse_serial(field(0))
        .map_err(|_| ImportFault::value("serial", field(0), "write hexadecimal digits, positive, 32 octets at most"))?;
    let state = CertificateState::from_name(field(4)).filter(|state| *state != CertificateState::Intended);
    let reason = match field(5) {
        "" => None,
        name => Some(reason_from_name(name).ok_or_else(|| {
            ImportFault::value("reason", name, "write a name of RFC 5280 §5.3.1 such as keyCompromise")
        })?),
    };
    Ok(ImportEntry {
        serial,
        subject: field(1).to_owned(),
        not_before_s: time(2)?.unwrap_or(0),
        not_after_s: time(3)?.ok_or_else(|| ImportFault::value("not_after", "", "it must be there"))?,
        state: state.ok_or_else(|| ImportFault::value("state", field(4), "write good, held or revoked"))?,
        reason,
        revoked_at_s: time(6)?,
        invalidity_s: time(7)?,
        certificate: None,
    })
}

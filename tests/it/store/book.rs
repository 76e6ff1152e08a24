//! A chain that changes are recorded in, and rows to change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use noonmark::store::{
    AppendError, CertificateRow, CertificateState, ChainEnd, Change, IssuerOrigin, LedgerRow, LedgerWriter,
    RegistryRow, StatusRow, Store,
};

use super::backend::{row, token};
use super::leases::EMPTY;

/// One writer's chain, kept as `ledger` keeps it.
pub struct Book {
    writer: LedgerWriter,
    pub server_id: i64,
    pub end: ChainEnd,
}

impl Book {
    pub fn open(store: &Arc<Store>, purpose: &str) -> Self {
        let lease = store.lease_server(purpose).unwrap();
        let writer = store.ledger_writer(&lease).unwrap();
        Self { writer, server_id: lease.server_id(), end: EMPTY }
    }

    /// The record that comes next, and the end that it makes.
    pub fn next(&self) -> (LedgerRow, ChainEnd) {
        let number = self.end.number + 1;
        let event = LedgerRow {
            kind: "changed".into(),
            recorded_at_us: 1_000 + number,
            detail: Some("{}".to_owned()),
            token: None,
            ..row(self.server_id, number, token(0))
        };
        (event, ChainEnd { number, hash: [u8::try_from(number % 251).unwrap(); 32] })
    }

    pub fn change(&mut self, change: &Change) -> Result<u64, AppendError> {
        let (row, end) = self.next();
        let result = self.writer.append_with(self.end, &row, end, change);
        if result.is_ok() {
            self.end = end;
        }
        result
    }

    /// A change whose condition is not met; the chain stays, and a record without a change can follow.
    pub fn conflict(&mut self, change: &Change) -> String {
        let result = self.change(change);
        let Err(AppendError::Conflict { reason }) = result else { panic!("{change:?}: {result:?}") };
        assert_eq!(self.writer.chain_end().unwrap(), self.end);
        let (row, end) = self.next();
        self.writer.append(self.end, &[row], end).unwrap();
        self.end = end;
        reason
    }

    /// An issuer, of a store that has none yet by this name; gives its number.
    pub fn add_issuer(&mut self, store: &Store, name: &str) -> i64 {
        self.change(&add_issuer(name)).unwrap();
        store.issuers().unwrap().into_iter().find(|issuer| issuer.name == name).unwrap().id
    }

    /// Imports rows.
    pub fn import(&mut self, issuer_id: i64, rows: Vec<RegistryRow>) -> Result<u64, AppendError> {
        self.change(&Change::Import { issuer_id, rows, certificates: Vec::new() })
    }

    pub fn writer(&mut self) -> &mut LedgerWriter {
        &mut self.writer
    }
}

pub fn add_issuer(name: &str) -> Change {
    Change::AddIssuer {
        name: name.to_owned(),
        origin: IssuerOrigin::External,
        certificate: certificate(200),
        settings: "{\"a\":1}".to_owned(),
    }
}

pub fn certificate(n: u8) -> CertificateRow {
    CertificateRow {
        sha256: [n; 32],
        der: vec![0x30, n],
        subject: format!("CN=of the certificate {n}"),
        issuer: "CN=Issuing".to_owned(),
        serial: hex::encode(serial(u32::from(n))),
        not_before_s: 1_700_000_100,
        not_after_s: 1_900_000_100,
        role: "tls-server".to_owned(),
    }
}

/// Sixteen octets that begin with the number.
pub fn serial(n: u32) -> Vec<u8> {
    let mut serial = n.to_be_bytes().to_vec();
    serial.resize(16, 0x7f);
    serial
}

/// A good certificate that somebody else issued.
pub fn good(issuer_id: i64, n: u32) -> RegistryRow {
    RegistryRow {
        issuer_id,
        serial: serial(n),
        status: StatusRow {
            state: CertificateState::Good,
            reason: None,
            revoked_at_s: None,
            invalidity_s: None,
            change_number: 0,
        },
        profile: "imported".to_owned(),
        subject: format!("CN=host{n}.example"),
        not_before_s: 1_700_000_000,
        not_after_s: 1_900_000_000,
        crl_partition: 0,
        certificate_sha256: None,
        changed_by: "officer".to_owned(),
        changed_at_us: 77,
    }
}

/// The row as revoked.
pub fn revoked(row: &RegistryRow) -> RegistryRow {
    let status = StatusRow {
        state: CertificateState::Revoked,
        reason: Some(1),
        revoked_at_s: Some(1_750_000_000),
        invalidity_s: Some(1_749_000_000),
        ..row.status
    };
    RegistryRow { status, changed_by: "operator".to_owned(), changed_at_us: 99, ..row.clone() }
}

/// The row, under another change number.
pub fn at(row: RegistryRow, change_number: i64) -> RegistryRow {
    RegistryRow { status: StatusRow { change_number, ..row.status }, ..row }
}

/// Tells the threads of a race that it is over, also when the one that tells fails.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

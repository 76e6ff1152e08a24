//! What a client holds, held against the TSU's certificate and the ledger.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use noonmark::app;
use noonmark::asn1::{Reader, writer};
use noonmark::ca::{Certificate, pem_decode};
use noonmark::crypto::DigestAlgorithm;
use noonmark::store::LedgerRow;

use crate::support::load::Held;
use crate::support::server::Server;

/// The certificate of the unit that serves `/tsa`.
pub(super) fn unit_certificate(server: &Server) -> Certificate {
    let chain = pem_decode("CERTIFICATE", &server.get("/tsa/certchain").text()).unwrap();
    Certificate::from_der(&chain[0]).unwrap()
}

/// Every token's signature must verify under this certificate's key, over this very token's content.
pub(super) fn assert_signed_by(certificate: &Certificate, held: &[Held]) {
    for token in held {
        assert!(is_signed_by(certificate, &token.token), "token {} is not the unit's", hex::encode(&token.serial));
    }
}

/// Verifies by hand: RFC 5652 §5.4, the signature is over the signed attributes as a SET.
fn is_signed_by(certificate: &Certificate, token: &[u8]) -> bool {
    let mut content_info = Reader::only(token, writer::SEQUENCE).unwrap();
    content_info.expect(writer::OBJECT_IDENTIFIER).unwrap();
    let mut explicit = content_info.enter(writer::context(0)).unwrap();
    let mut data = explicit.enter(writer::SEQUENCE).unwrap();
    data.integer().unwrap();
    data.expect(writer::SET).unwrap();
    let mut encapsulated = data.enter(writer::SEQUENCE).unwrap();
    encapsulated.expect(writer::OBJECT_IDENTIFIER).unwrap();
    let content = encapsulated.enter(writer::context(0)).unwrap().expect(writer::OCTET_STRING).unwrap().content;
    data.optional(writer::context(0)).unwrap();
    let mut signer = data.enter(writer::SET).unwrap().enter(writer::SEQUENCE).unwrap();
    signer.integer().unwrap();
    signer.expect(writer::SEQUENCE).unwrap();
    signer.expect(writer::SEQUENCE).unwrap();
    let attributes = signer.expect(writer::context(0)).unwrap().content;
    signer.expect(writer::SEQUENCE).unwrap();
    let signature = signer.expect(writer::OCTET_STRING).unwrap().content;

    let digest = writer::tlv(writer::OCTET_STRING, &[DigestAlgorithm::Sha256.digest(content).as_ref()]);
    let names_content = attributes.windows(digest.len()).any(|window| window == digest);
    let signed = writer::tlv(writer::SET, &[attributes]);
    let algorithm = certificate.public_key.algorithm().default_signature();
    names_content && certificate.public_key.verify(algorithm, &signed, signature).is_ok()
}

/// An installation's ledger, read beside whatever server runs on it.
pub(super) struct Ledger {
    tokens: HashMap<Vec<u8>, LedgerRow>,
    /// The events' kinds, chain by chain.
    pub(super) events: Vec<String>,
}

impl Ledger {
    /// Reads every chain; no serial may stand there twice, and every chain must be whole.
    pub(super) fn read(directory: &Path) -> Self {
        const PAGE: u32 = 5_000;
        let installation = app::Installation::open(directory).unwrap();
        let report = noonmark::ledger::verify(&installation.store, |_, _| {}).unwrap();
        assert!(report.is_intact(), "{report}");
        let mut ledger = Self { tokens: HashMap::new(), events: Vec::new() };
        for server in installation.store.servers().unwrap() {
            let mut after = 0;
            loop {
                let rows = installation.store.ledger_rows(server.server_id, after, PAGE).unwrap();
                let Some(last) = rows.last() else { break };
                after = last.number;
                for row in rows {
                    match &row.token {
                        None => ledger.events.push(row.kind.to_string()),
                        Some(token) => {
                            let twice = ledger.tokens.insert(token.serial.to_vec(), row.clone());
                            assert!(twice.is_none(), "serial {} twice", hex::encode(token.serial));
                        }
                    }
                }
            }
        }
        ledger
    }

    /// How many tokens are on record.
    pub(super) fn count(&self) -> usize {
        self.tokens.len()
    }

    /// How many events of this kind are on record.
    pub(super) fn count_of(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| *event == kind).count()
    }

    /// Every token that clients hold is on record as it is, and no serial was given twice.
    pub(super) fn assert_holds(&self, held: &[Held]) {
        let mut serials = HashSet::new();
        for token in held {
            let serial = hex::encode(&token.serial);
            assert!(serials.insert(&token.serial), "serial {serial} was given twice");
            let row = self.tokens.get(&token.serial).unwrap_or_else(|| panic!("token {serial} is not on record"));
            let record = row.token.as_ref().unwrap();
            assert_eq!(record.token_sha256[..], *DigestAlgorithm::Sha256.digest(&token.token).as_ref(), "{serial}");
            assert_eq!((&record.imprint, record.gen_time_us), (&token.imprint, token.gen_time_us), "{serial}");
        }
    }
}

//! The tokens that are judged: many of one unit under a root, each over data of its own.

use std::path::PathBuf;

use noonmark::asn1::writer::{self, tlv};
use noonmark::verify::cms::oid;

use crate::signing::{Signer, Signing, Use, tst_info};

/// Tokens that are judged in turn: enough that no processor remembers them all.
const TOKENS: u8 = 250;
const DATA_OCTETS: usize = 1024;

/// A response, and the data that it stamps.
pub(crate) struct Stamp {
    pub(crate) response: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// All of them with what they are judged by, in memory and in files for the other programs.
pub(crate) struct Corpus {
    pub(crate) root: Vec<u8>,
    pub(crate) crl: Vec<u8>,
    pub(crate) stamps: Vec<Stamp>,
    directory: tempfile::TempDir,
}

impl Corpus {
    pub(crate) fn new(label: &str) -> Self {
        let [root_key, unit_key] = std::array::from_fn(|_| Signing::new(label));
        let root = root_key.certificate("Root", "Root", &root_key, 1, Use::Ca);
        let unit = root_key.certificate("Root", "Unit", &unit_key, 2, Use::TimestampingUnit);
        let crl = root_key.crl("Root");
        let signer = Signer { signing: &unit_key, certificate: &unit };
        let stamp = |serial| {
            let data = vec![serial; DATA_OCTETS];
            let info = tst_info(&data, &[serial]);
            let signature = signer.sign(oid::TST_INFO, &info);
            let token = signer.message(oid::TST_INFO, &info, &signature, &[&unit], None);
            let granted = tlv(writer::SEQUENCE, &[&[2, 1, 0]]);
            Stamp { response: tlv(writer::SEQUENCE, &[&granted, &token]), data }
        };
        let stamps: Vec<Stamp> = (1..=TOKENS).map(stamp).collect();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let corpus = Self { root, crl, stamps, directory };
        std::fs::write(corpus.path("root.der"), &corpus.root).expect("a file");
        std::fs::write(corpus.path("root.crl"), &corpus.crl).expect("a file");
        std::fs::write(corpus.path("stamps"), corpus.packed()).expect("a file");
        corpus
    }

    /// Where a file is: root.der, root.crl, or stamps.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Responses and data in turn, each after its length in four octets.
    fn packed(&self) -> Vec<u8> {
        let parts = self.stamps.iter().flat_map(|stamp| [&stamp.response, &stamp.data]);
        let length = |part: &Vec<u8>| u32::try_from(part.len()).expect("a short part").to_be_bytes();
        parts.flat_map(|part| [&length(part)[..], part].concat()).collect()
    }
}

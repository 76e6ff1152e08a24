//! Writes a large CRL to see what it takes: `cargo run --release --example large -- ENTRIES FILE`.
//!
//! Its signature is none: real ones come from a key over the octets of the first phase.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use crl::{CrlFields, CrlNumber, EntryFields, EntrySpool, ReasonCode, TbsCertList};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [entries, file] = arguments.as_slice() else { return Err("usage: large ENTRIES FILE".into()) };
    let entries: u64 = entries.parse()?;
    let file = PathBuf::from(file);

    let spool_path = file.with_extension("spool");
    let spool = File::options().create(true).truncate(true).read(true).write(true).open(&spool_path)?;
    let mut spool = EntrySpool::new(spool);
    for (number, date_s) in (1..=entries).zip((1_600_000_000..1_700_000_000).cycle()) {
        let mut serial = [0x40; 16];
        serial[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let reason = Some(ReasonCode::Superseded);
        spool.push(&EntryFields { reason, ..EntryFields::new(&serial, date_s) })?;
    }
    let fields = CrlFields {
        issuer: vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a'],
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 1_700_600_000,
        authority_key_identifier: vec![7; 20],
        crl_number: CrlNumber::from(1),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: None,
    };
    let mut tbs = TbsCertList::new(&fields, spool.finish()?)?;
    let mut octets = 0;
    tbs.for_each_tbs_chunk(|chunk| octets += chunk.len())?;
    tbs.write_certificate_list(&[0xa5; 70], &mut BufWriter::new(File::create(&file)?))?;
    std::fs::remove_file(spool_path)?;
    println!("{octets} octets to be signed");
    Ok(())
}

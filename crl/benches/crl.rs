//! Building, reading with indexing, and look-ups, at a thousand and a million entries.
//!
//! `cargo bench -p crl`. Throughput is in entries.

use std::hint::black_box;
use std::io::{Seek, Write};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crl::{CrlFields, CrlNumber, EntryFields, EntrySource, EntrySpool, Index, Reader, ReasonCode, TbsCertList, walk};

/// Entries whose 16-octet serials follow from their number, so that a source holds nothing.
struct Numbered(u64);

impl Numbered {
    fn serials(&self) -> impl Iterator<Item = [u8; 16]> {
        (0..self.0).map(|number| {
            let high = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut serial = [0; 16];
            serial[..8].copy_from_slice(&high.to_be_bytes());
            serial[8..].copy_from_slice(&number.to_be_bytes());
            serial[0] = serial[0] & 0x7f | 0x40;
            serial
        })
    }
}

fn fields() -> CrlFields {
    CrlFields {
        issuer: vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a'],
        signature_algorithm: vec![0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        this_update_s: 1_700_000_000,
        next_update_s: 1_700_600_000,
        authority_key_identifier: vec![7; 20],
        crl_number: CrlNumber::from(300),
        base_crl_number: None,
        issuing_distribution_point: None,
        freshest_crl: Vec::new(),
        expired_certs_on_crl_s: None,
    }
}

/// Half of the entries have a reason; a day has about two hundred of them.
fn entry(serial: &[u8; 16], number: i64) -> EntryFields<'_> {
    EntryFields {
        reason: (number % 2 == 0).then_some(ReasonCode::Superseded),
        ..EntryFields::new(serial, 1_600_000_000 + number * 400 % 100_000_000)
    }
}

/// The same entries as a source that lends.
struct Lending(Vec<[u8; 16]>);

impl EntrySource for Lending {
    fn entries(&self) -> std::io::Result<impl Iterator<Item = std::io::Result<EntryFields<'_>>>> {
        Ok(self.0.iter().zip(0..).map(|(serial, number)| Ok(entry(serial, number))))
    }
}

/// A whole CRL by way of a spool: each entry encoded once.
fn spooled(count: u64, spool: impl std::io::Read + Write + Seek, out: &mut dyn Write) {
    let mut spool = EntrySpool::new(spool);
    for (serial, number) in Numbered(count).serials().zip(0..) {
        spool.push(&entry(&serial, number)).unwrap();
    }
    let mut tbs = TbsCertList::new(&fields(), spool.finish().unwrap()).unwrap();
    tbs.for_each_tbs_chunk(|octets| {
        black_box(octets);
    })
    .unwrap();
    tbs.write_certificate_list(&[1; 256], out).unwrap();
}

fn whole(count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    spooled(count, std::io::Cursor::new(Vec::new()), &mut out);
    out
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    for count in [1_000, 1_000_000] {
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("spooled_to_a_file", count), &count, |bencher, count| {
            bencher.iter(|| spooled(*count, tempfile::tempfile().unwrap(), &mut std::io::sink()));
        });
        let source = Lending(Numbered(count).serials().collect());
        group.bench_with_input(BenchmarkId::new("walked_three_times", count), &count, |bencher, _| {
            bencher.iter(|| {
                let mut tbs = TbsCertList::new(&fields(), walk(&source).unwrap()).unwrap();
                tbs.for_each_tbs_chunk(|octets| {
                    black_box(octets);
                })
                .unwrap();
                tbs.write_certificate_list(&[1; 256], &mut std::io::sink()).unwrap();
            });
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    group.sample_size(20);
    for count in [1_000, 1_000_000] {
        let octets = whole(count);
        group.throughput(Throughput::Elements(count));
        group.bench_with_input(BenchmarkId::new("slice", count), &octets, |bencher, octets| {
            bencher.iter(|| Reader::from_slice(octets, u64::MAX, |_| {}).unwrap().finish().unwrap().entries);
        });
        group.bench_with_input(BenchmarkId::new("stream", count), &octets, |bencher, octets| {
            bencher.iter(|| Reader::from_read(&octets[..], u64::MAX, |_| {}).unwrap().finish().unwrap().entries);
        });
        group.bench_with_input(BenchmarkId::new("stream_and_index", count), &octets, |bencher, octets| {
            bencher
                .iter(|| Index::from_crl(Reader::from_read(&octets[..], u64::MAX, |_| {}).unwrap()).unwrap().0.len());
        });
        let (index, _) = Index::from_crl(Reader::from_slice(&octets, u64::MAX, |_| {}).unwrap()).unwrap();
        let mut file = Vec::new();
        index.write_to(&mut file).unwrap();
        group.bench_with_input(BenchmarkId::new("index_file", count), &file, |bencher, file| {
            bencher.iter(|| Index::read_from(&mut &file[..], u32::MAX).unwrap().len());
        });
    }
    group.finish();
}

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look_up");
    for count in [1_000_u64, 1_000_000] {
        let octets = whole(count);
        let (index, _) = Index::from_crl(Reader::from_slice(&octets, u64::MAX, |_| {}).unwrap()).unwrap();
        let mut serials: Vec<[u8; 16]> = Numbered(count).serials().collect();
        // In another order than they were built, so that the cache does not know what comes.
        serials.sort_unstable_by_key(|serial| {
            u64::from_be_bytes(serial[..8].try_into().unwrap()).wrapping_mul(0x2437_54a8_8b5f_0b2d)
        });
        let mut next = serials.iter().cycle();
        group.bench_function(BenchmarkId::new("revoked", count), |bencher| {
            bencher.iter(|| index.find(next.next().unwrap()).unwrap());
        });
        let absent: Vec<[u8; 16]> = serials.iter().map(|serial| serial.map(|octet| octet ^ 1)).collect();
        let mut next = absent.iter().cycle();
        group.bench_function(BenchmarkId::new("not_revoked", count), |bencher| {
            bencher.iter(|| index.find(next.next().unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, build, read, look_up);
criterion_main!(benches);

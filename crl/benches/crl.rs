//! Building, reading with indexing, and look-ups, at a thousand and a million entries.
//!
//! `cargo bench -p crl`. Throughput is in entries.

use std::hint::black_box;
use std::io::{Seek, Write};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crl::{EntryFields, EntrySource, EntrySpool, Index, Reader, TbsCertList, walk};
use entries::{entry, fields, serial};

#[path = "cost/entries.rs"]
#[expect(dead_code, reason = "the bench of costs lends the same few serials over and over, this one each its own")]
mod entries;

/// The same entries as a source that lends.
struct Lending(Vec<[u8; 16]>);

impl EntrySource for Lending {
    fn entries(&self) -> std::io::Result<impl Iterator<Item = std::io::Result<EntryFields<'_>>>> {
        Ok(self.0.iter().zip(0..).map(|(serial, number)| Ok(entry(serial, number))))
    }
}

/// A whole CRL by way of a spool: each entry encoded once.
fn spooled(count: u32, spool: impl std::io::Read + Write + Seek, out: &mut dyn Write) {
    let mut spool = EntrySpool::new(spool);
    for number in 0..count {
        spool.push(&entry(&serial(number), number)).unwrap();
    }
    let mut tbs = TbsCertList::new(&fields(), spool.finish().unwrap()).unwrap();
    tbs.for_each_tbs_chunk(|octets| {
        black_box(octets);
    })
    .unwrap();
    tbs.write_certificate_list(&[1; 256], out).unwrap();
}

fn whole(count: u32) -> Vec<u8> {
    let mut out = Vec::new();
    spooled(count, std::io::Cursor::new(Vec::new()), &mut out);
    out
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    for count in [1_000, 1_000_000] {
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_with_input(BenchmarkId::new("spooled_to_a_file", count), &count, |bencher, count| {
            bencher.iter(|| spooled(*count, tempfile::tempfile().unwrap(), &mut std::io::sink()));
        });
        let source = Lending((0..count).map(serial).collect());
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
        group.throughput(Throughput::Elements(u64::from(count)));
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
    for count in [1_000, 1_000_000] {
        let octets = whole(count);
        let (index, _) = Index::from_crl(Reader::from_slice(&octets, u64::MAX, |_| {}).unwrap()).unwrap();
        let mut serials: Vec<[u8; 16]> = (0..count).map(serial).collect();
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

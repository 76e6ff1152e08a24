//! What is measured, one thing a process.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write, sink};
use std::path::{Path, PathBuf};

use crl::{EntrySource as _, EntrySpool, Index, Reader, TbsCertList, walk};
use der::Decode as _;
use x509_cert::crl::CertificateList;

use super::entries::{Repeating, entry, fields, serial};
use super::others;

/// Look-ups between two looks at the clock.
const LOOK_UPS: u32 = 1_000_000;
/// The same where each walks a list.
const WALKS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// This program, doing nothing.
    Nothing,
    BuildSpooled,
    BuildWalked,
    /// OpenSSL, doing nothing.
    OpensslNothing,
    OpensslGencrl,
    ReadStream,
    ReadIndex,
    OpensslCrl,
    TypedDecoder,
    FindRevoked,
    FindAbsent,
    TypedFind,
    /// What memory costs here and now: a read whose place the read before tells, out of as much as the records take.
    BareRead,
}

impl Work {
    pub(crate) const ALL: [Self; 13] = [
        Self::Nothing,
        Self::BuildSpooled,
        Self::BuildWalked,
        Self::OpensslNothing,
        Self::OpensslGencrl,
        Self::ReadStream,
        Self::ReadIndex,
        Self::OpensslCrl,
        Self::TypedDecoder,
        Self::FindRevoked,
        Self::FindAbsent,
        Self::TypedFind,
        Self::BareRead,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::BuildSpooled => "build, spooled to a file, two phases, written to a file",
            Self::BuildWalked => "build, a source walked three times",
            Self::OpensslNothing => "`openssl version`",
            Self::OpensslGencrl => "`openssl ca -gencrl`, from index.txt",
            Self::ReadStream => "read, stream",
            Self::ReadIndex => "read and index, stream",
            Self::OpensslCrl => "`openssl crl -noout`",
            Self::TypedDecoder => "x509-cert, `CertificateList::from_der`",
            Self::FindRevoked => "look-up, revoked",
            Self::FindAbsent => "look-up, not revoked",
            Self::TypedFind => "x509-cert, a look-up that walks its list",
            Self::BareRead => "one bare read at random, from 36 octets an entry",
        }
    }

    /// Whether another program does it, as this one's child.
    pub(crate) const fn is_other_program(self) -> bool {
        matches!(self, Self::OpensslNothing | Self::OpensslGencrl | Self::OpensslCrl)
    }

    /// Whether it takes a CRL of so many octets: the `der` crate 0.7 refuses lengths of 256 MiB and more.
    pub(crate) fn takes(self, octets: u64) -> bool {
        !matches!(self, Self::TypedDecoder | Self::TypedFind) || octets < 0x1000_0000
    }

    pub(crate) fn prepare(self, count: u32, directory: &Path) -> Prepared {
        let crl = directory.join("crl");
        let held = match self {
            Self::FindRevoked | Self::FindAbsent => Held::Index(index(&crl)),
            Self::TypedFind => Held::Typed(decode(&crl)),
            // Nine words of four octets are a record's 36.
            Self::BareRead => Held::Numbers((0..count * 9).map(|number| number.wrapping_mul(0x9e37_79b1)).collect()),
            _ => Held::Nothing,
        };
        Prepared { work: self, count, directory: directory.to_owned(), held, state: 1 }
    }
}

enum Held {
    Nothing,
    Index(Index),
    Typed(CertificateList),
    Numbers(Vec<u32>),
}

pub(crate) struct Prepared {
    work: Work,
    count: u32,
    directory: PathBuf,
    held: Held,
    state: u64,
}

impl Prepared {
    /// How many operations a turn is.
    pub(crate) const fn operations(&self) -> u32 {
        match self.work {
            Work::FindRevoked | Work::FindAbsent | Work::BareRead => LOOK_UPS,
            Work::TypedFind => WALKS,
            _ => 1,
        }
    }

    pub(crate) fn turn(&mut self) {
        let crl = self.directory.join("crl");
        match self.work {
            Work::Nothing => {
                // As much of the clock as any other takes, and no memory.
                let mut product = 1_u32;
                (0..100_000).for_each(|number: u32| product = black_box(product.wrapping_mul(number | 1)));
            }
            Work::BuildSpooled => {
                let file = File::create(self.directory.join("built")).expect("a file");
                build_spooled(self.count, &self.directory, &mut BufWriter::new(file));
            }
            Work::BuildWalked => build_walked(self.count),
            Work::OpensslNothing => others::openssl(&self.directory, "version"),
            Work::OpensslGencrl => others::openssl(&self.directory, "ca -gencrl -config ca.cnf -out theirs.pem"),
            Work::OpensslCrl => others::openssl(&self.directory, "crl -inform DER -noout -in crl"),
            Work::ReadStream => {
                let reader = Reader::from_read(File::open(crl).expect("the CRL"), u64::MAX, signed).expect("a CRL");
                assert_eq!(reader.finish().expect("a CRL").entries, u64::from(self.count));
            }
            Work::ReadIndex => assert_eq!(index(&crl).len(), usize::try_from(self.count).expect("a length")),
            Work::TypedDecoder => drop(black_box(decode(&crl))),
            Work::FindRevoked => self.find(0, true),
            Work::FindAbsent => self.find(1, false),
            Work::TypedFind => self.walk(),
            Work::BareRead => self.read(),
        }
    }

    /// A number of an entry, in an order that no cache knows (an LCG of Knuth's).
    fn any(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(((self.state >> 32) * u64::from(self.count)) >> 32).expect("less than the count")
    }

    fn find(&mut self, change: u8, expected: bool) {
        for _ in 0..LOOK_UPS {
            let mut serial = serial(self.any());
            serial[7] ^= change;
            let Held::Index(index) = &self.held else { unreachable!("prepared so") };
            assert_eq!(index.find(&serial).is_some(), expected);
        }
    }

    fn read(&mut self) {
        for _ in 0..LOOK_UPS {
            let at = self.any();
            let Held::Numbers(numbers) = &self.held else { unreachable!("prepared so") };
            let place = usize::try_from(u64::from(at) * 9).expect("a place");
            self.state ^= u64::from(numbers[place]) << 32;
        }
    }

    fn walk(&mut self) {
        for _ in 0..WALKS {
            let serial = serial(self.any());
            let Held::Typed(list) = &self.held else { unreachable!("prepared so") };
            let revoked = list.tbs_cert_list.revoked_certificates.as_deref().unwrap_or_default();
            assert!(revoked.iter().any(|entry| entry.serial_number.as_bytes() == serial));
        }
    }
}

/// Where the octets that are signed go: a digest's place.
fn signed(octets: &[u8]) {
    black_box(octets);
}

pub(crate) fn build_spooled(count: u32, directory: &Path, out: &mut dyn Write) {
    let spool = tempfile::tempfile_in(directory).expect("a file");
    let mut spool = EntrySpool::new(spool);
    for number in 0..count {
        spool.push(&entry(&serial(number), number)).expect("an entry");
    }
    let mut tbs = TbsCertList::new(&fields(), spool.finish().expect("a spool")).expect("a CRL");
    tbs.for_each_tbs_chunk(signed).expect("the first phase");
    tbs.write_certificate_list(&[1; 70], out).expect("the second phase");
    out.flush().expect("written");
}

fn build_walked(count: u32) {
    let source = Repeating::new(count);
    debug_assert_eq!(source.entries().expect("entries").count(), usize::try_from(count).expect("a length"));
    let mut tbs = TbsCertList::new(&fields(), walk(&source).expect("entries")).expect("a CRL");
    tbs.for_each_tbs_chunk(signed).expect("the first phase");
    tbs.write_certificate_list(&[1; 70], &mut sink()).expect("the second phase");
}

fn index(crl: &Path) -> Index {
    let reader = Reader::from_read(File::open(crl).expect("the CRL"), u64::MAX, signed).expect("a CRL");
    Index::from_crl(reader).expect("a CRL").0
}

fn decode(crl: &Path) -> CertificateList {
    CertificateList::from_der(&std::fs::read(crl).expect("the CRL")).expect("a CRL")
}

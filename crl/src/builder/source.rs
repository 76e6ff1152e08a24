//! Where the entries come from: a source that can be walked again, or a spool that was written once.
//!
//! DER says a length before what it counts, so the entries' octets are counted before the first is written.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::BuildError;
use super::entry::{Demands, EntryEncoder, EntryFields};
use crate::der::octets_u64;

/// Octets that are gathered before they are written or hashed.
const CHUNK_OCTETS: usize = 64 * 1024;
/// Octets of one spooled entry with all its extensions but certificateIssuer, so that a chunk rarely grows.
const SLACK_OCTETS: usize = 128;

/// Entries that can be walked more than once, over one snapshot: each walk gives the same entries in the same order.
pub trait EntrySource {
    /// Starts a walk from the first entry.
    ///
    /// # Errors
    /// The snapshot can't be read.
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<EntryFields<'_>>>>;
}

impl EntrySource for [EntryFields<'_>] {
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<EntryFields<'_>>>> {
        Ok(self.iter().map(|entry| Ok(*entry)))
    }
}

impl<S: EntrySource + ?Sized> EntrySource for &S {
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<EntryFields<'_>>>> {
        (**self).entries()
    }
}

/// Encoded entries of a known number of octets. Made by [`walk`] and [`EntrySpool::finish`]; others can't be written.
pub trait EncodedEntries: sealed::EncodedEntries {}

pub(super) mod sealed {
    use super::{BuildError, Demands, Write};

    pub trait EncodedEntries {
        /// How many octets the entries take.
        fn octets(&self) -> u64;
        /// What they ask of their CRL.
        fn demands(&self) -> Demands;
        /// Writes every entry.
        fn copy_to(&mut self, out: &mut dyn Write) -> Result<(), BuildError>;
    }
}

/// Entries that are encoded anew at each walk: nothing is kept.
pub struct WalkedEntries<S> {
    source: S,
    octets: u64,
    demands: Demands,
}

/// Counts a source's octets by a first walk.
///
/// # Errors
/// The source fails, or has an entry that can't be written.
pub fn walk<S: EntrySource>(source: S) -> Result<WalkedEntries<S>, BuildError> {
    let (octets, demands) = encode(&source, &mut io::sink())?;
    Ok(WalkedEntries { source, octets, demands })
}

/// Encodes a source's entries; says how many octets they took.
fn encode(source: &impl EntrySource, out: &mut dyn Write) -> Result<(u64, Demands), BuildError> {
    let mut encoder = EntryEncoder::new();
    let mut chunk = Vec::with_capacity(CHUNK_OCTETS + SLACK_OCTETS);
    let mut octets = 0;
    for entry in source.entries()? {
        encoder.push(&mut chunk, &entry?)?;
        if chunk.len() >= CHUNK_OCTETS {
            out.write_all(&chunk)?;
            octets += octets_u64(chunk.len());
            chunk.clear();
        }
    }
    out.write_all(&chunk)?;
    Ok((octets + octets_u64(chunk.len()), encoder.demands))
}

impl<S: EntrySource> EncodedEntries for WalkedEntries<S> {}

impl<S: EntrySource> sealed::EncodedEntries for WalkedEntries<S> {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn demands(&self) -> Demands {
        self.demands
    }

    fn copy_to(&mut self, out: &mut dyn Write) -> Result<(), BuildError> {
        match encode(&self.source, out)?.0 {
            octets if octets == self.octets => Ok(()),
            octets => Err(BuildError::SourceChanged { first_octets: self.octets, octets }),
        }
    }
}

/// Takes entries one by one and keeps them encoded, in a file or in memory: for sources that can be walked only once.
pub struct EntrySpool<T> {
    spool: T,
    encoder: EntryEncoder,
    chunk: Vec<u8>,
    octets: u64,
}

impl<T: Read + Write + Seek> EntrySpool<T> {
    /// A spool that writes from the start of `spool`.
    #[must_use]
    pub fn new(spool: T) -> Self {
        let chunk = Vec::with_capacity(CHUNK_OCTETS + SLACK_OCTETS);
        Self { spool, encoder: EntryEncoder::new(), chunk, octets: 0 }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// An entry that can't be written, of which then nothing stays; the spool fails.
    #[inline]
    pub fn push(&mut self, entry: &EntryFields<'_>) -> Result<(), BuildError> {
        self.encoder.push(&mut self.chunk, entry)?;
        if self.chunk.len() >= CHUNK_OCTETS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), BuildError> {
        if self.octets == 0 {
            self.spool.seek(SeekFrom::Start(0))?;
        }
        self.spool.write_all(&self.chunk)?;
        self.octets += octets_u64(self.chunk.len());
        self.chunk.clear();
        Ok(())
    }

    /// All entries are there.
    ///
    /// # Errors
    /// The spool fails.
    pub fn finish(mut self) -> Result<SpooledEntries<T>, BuildError> {
        self.flush()?;
        self.spool.flush()?;
        Ok(SpooledEntries { spool: self.spool, octets: self.octets, demands: self.encoder.demands })
    }
}

/// Entries that were encoded once.
pub struct SpooledEntries<T> {
    spool: T,
    octets: u64,
    demands: Demands,
}

impl<T: Read + Seek> EncodedEntries for SpooledEntries<T> {}

impl<T: Read + Seek> sealed::EncodedEntries for SpooledEntries<T> {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn demands(&self) -> Demands {
        self.demands
    }

    fn copy_to(&mut self, out: &mut dyn Write) -> Result<(), BuildError> {
        self.spool.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; CHUNK_OCTETS];
        let mut left = self.octets;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(CHUNK_OCTETS).min(CHUNK_OCTETS);
            match self.spool.read(&mut chunk[..size]) {
                Ok(0) => {
                    return Err(BuildError::SourceChanged { first_octets: self.octets, octets: self.octets - left });
                }
                Ok(count) => {
                    out.write_all(&chunk[..count])?;
                    left -= octets_u64(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

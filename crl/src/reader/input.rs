//! Where a CRL's octets come from: a stream through a buffer, or a slice as it lies.

use std::io::{self, ErrorKind, Read};

/// Octets of a stream's buffer: the largest value that is read whole (`MAX_WHOLE_OCTETS`) fits twice.
const BUFFER_OCTETS: usize = 256 * 1024;

/// Octets of a slice that are handed to the sink at once, so that they are still in the processor's cache.
const SINK_OCTETS: usize = 64 * 1024;

/// Where octets are read from. Made by [`Reader::from_read`](crate::Reader::from_read) and
/// [`Reader::from_slice`](crate::Reader::from_slice); others can't be written.
pub trait Input: sealed::Input {}

pub(crate) mod sealed {
    use std::io;

    pub trait Input {
        /// Makes so many octets available if there are so many. Octets that are let go are handed to the sink.
        fn fill(&mut self, octets: usize, sink: &mut impl FnMut(&[u8])) -> io::Result<()>;
        /// What can be read without filling.
        fn available(&self) -> &[u8];
        /// Moves over octets that are available.
        fn consume(&mut self, octets: usize);
        /// The last octets that were consumed since the last `fill`.
        fn consumed(&self, octets: usize) -> &[u8];
        /// From here on, what is consumed is handed to the sink.
        fn open_sink(&mut self);
        /// Up to here; what was not handed over yet now is.
        fn close_sink(&mut self, sink: &mut impl FnMut(&[u8]));
    }
}

/// A stream and its buffer.
pub struct Stream<R> {
    read: R,
    buffer: Box<[u8]>,
    /// The first octet not consumed.
    start: usize,
    /// The first octet not read.
    end: usize,
    /// The first octet that the sink has not seen, while it is open.
    unsunk: Option<usize>,
}

impl<R: Read> Stream<R> {
    pub(crate) fn new(read: R) -> Self {
        Self { read, buffer: vec![0; BUFFER_OCTETS].into_boxed_slice(), start: 0, end: 0, unsunk: None }
    }

    #[cold]
    fn refill(&mut self, octets: usize, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(unsunk) = self.unsunk {
            sink(&self.buffer[unsunk..self.start]);
            self.unsunk = Some(0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // Bounded: each turn reads at least an octet or ends.
        while self.end < octets.min(self.buffer.len()) {
            match self.read.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Read> Input for Stream<R> {}

impl<R: Read> sealed::Input for Stream<R> {
    #[inline]
    fn fill(&mut self, octets: usize, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if self.end - self.start >= octets { Ok(()) } else { self.refill(octets, sink) }
    }

    #[inline]
    fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    fn consume(&mut self, octets: usize) {
        self.start += octets;
    }

    #[inline]
    fn consumed(&self, octets: usize) -> &[u8] {
        &self.buffer[self.start - octets..self.start]
    }

    fn open_sink(&mut self) {
        self.unsunk = Some(self.start);
    }

    fn close_sink(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(unsunk) = self.unsunk.take() {
            sink(&self.buffer[unsunk..self.start]);
        }
    }
}

/// A slice, as of a mapped file: nothing is copied.
pub struct Slice<'a> {
    octets: &'a [u8],
    start: usize,
    unsunk: Option<usize>,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, start: 0, unsunk: None }
    }
}

impl Input for Slice<'_> {}

impl sealed::Input for Slice<'_> {
    #[inline]
    fn fill(&mut self, _: usize, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(unsunk) = self.unsunk.filter(|unsunk| self.start - unsunk >= SINK_OCTETS) {
            sink(&self.octets[unsunk..self.start]);
            self.unsunk = Some(self.start);
        }
        Ok(())
    }

    #[inline]
    fn available(&self) -> &[u8] {
        &self.octets[self.start..]
    }

    #[inline]
    fn consume(&mut self, octets: usize) {
        self.start += octets;
    }

    #[inline]
    fn consumed(&self, octets: usize) -> &[u8] {
        &self.octets[self.start - octets..self.start]
    }

    fn open_sink(&mut self) {
        self.unsunk = Some(self.start);
    }

    fn close_sink(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(unsunk) = self.unsunk.take() {
            sink(&self.octets[unsunk..self.start]);
        }
    }
}

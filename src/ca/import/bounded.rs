//! A reader that refuses lines without an end.

use std::io::{Error, ErrorKind, Read, Result};

/// Gives an error once a line is longer than it may be.
pub(super) struct BoundedLines<R> {
    inner: R,
    limit: usize,
    length: usize,
}

impl<R> BoundedLines<R> {
    pub(super) fn new(inner: R, limit: usize) -> Self {
        Self { inner, limit, length: 0 }
    }
}

impl<R: Read> Read for BoundedLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        // So small a part that a line above the limit is noticed before it is given out whole.
        let part = buffer.len().min(self.limit);
        let count = self.inner.read(&mut buffer[..part])?;
        for octet in &buffer[..count] {
            self.length = if *octet == b'\n' { 0 } else { self.length + 1 };
            if self.length > self.limit {
                let text = format!("a line has more than {} octets; is it the right file?", self.limit);
                return Err(Error::new(ErrorKind::InvalidData, text));
            }
        }
        Ok(count)
    }
}

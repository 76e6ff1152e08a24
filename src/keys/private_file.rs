//! Files with secrets: readable by their owner alone, written once, never overwritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::PinError;

/// The permission bits that group and others may not have.
const OTHERS_MASK: u32 = 0o077;

/// Reads a file that only its owner may read. The check is on the opened file, so that it can't be exchanged between.
pub(super) fn read_text(path: &Path, max_bytes: u64) -> Result<SecretString, PinError> {
    let unreadable = |error: io::Error| PinError::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.mode() & OTHERS_MASK != 0 {
        return Err(PinError::TooOpen { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    // Allocated once at its full size: a buffer that grows would leave copies of the secret behind.
    let capacity = usize::try_from(max_bytes).map_err(|_| PinError::TooLarge { path: path.to_owned(), max_bytes })?;
    let mut octets = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(2)));
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() > capacity {
        return Err(PinError::TooLarge { path: path.to_owned(), max_bytes });
    }
    let text = std::str::from_utf8(&octets).map_err(|_| PinError::NotText { path: path.to_owned() })?;
    Ok(SecretString::from(text))
}

/// The text without one trailing newline; None if nothing is left.
pub(super) fn without_newline(text: SecretString) -> Option<SecretString> {
    let whole = text.expose_secret();
    let trimmed = whole.strip_suffix('\n').unwrap_or(whole);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    if trimmed.is_empty() {
        return None;
    }
    if trimmed.len() == whole.len() {
        return Some(text);
    }
    Some(SecretString::from(trimmed))
}

/// Writes a new file of mode 0600 and makes it durable, its directory entry included. An existing file is an error.
pub(super) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

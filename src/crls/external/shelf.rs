//! Where fetched CRLs are kept: a file each, and what the next request needs, so that a restart fetches nothing.
//!
//! Nothing here is believed: a CRL is verified each time it is read. No index is kept beside it, since the verification reads
//! it whole anyway, and an index alone would have no signature.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fetch::Validators;
use super::held::Kind;

/// Octets of a state file: eighteen URLs of 2,000 characters at most, and two sets of validators.
const MAX_STATE_OCTETS: u64 = 64 * 1024;

/// What is remembered beside the CRLs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct State {
    /// When everything was last fetched or found unchanged, in seconds since 1970.
    pub(super) fetched_at_s: Option<i64>,
    /// From which URLs, complete CRL's and delta's.
    pub(super) fetched_from: Vec<String>,
    /// What made the complete CRL's request conditional.
    pub(super) complete: Option<Validators>,
    /// The delta's.
    pub(super) delta: Option<Validators>,
}

impl State {
    /// From a file's octets; what does not read, or could not stand in a request, is as if it were not there.
    fn read(octets: &[u8]) -> Self {
        let state: Self = serde_json::from_slice(octets).unwrap_or_default();
        let sound = |validators: &Validators| validators.are_sound();
        Self { complete: state.complete.filter(sound), delta: state.delta.filter(sound), ..state }
    }

    pub(super) fn validators(&mut self, kind: Kind) -> &mut Option<Validators> {
        match kind {
            Kind::Complete => &mut self.complete,
            Kind::Delta => &mut self.delta,
        }
    }
}

/// The files of one issuer.
pub(super) struct Shelf {
    directory: PathBuf,
    /// The issuer's name, which is one that URLs carry: no path leads out of the directory.
    name: String,
}

impl Shelf {
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        Self { directory: directory.to_owned(), name: name.to_owned() }
    }

    pub(super) fn path(&self, kind: Kind) -> PathBuf {
        self.directory.join(match kind {
            Kind::Complete => format!("{}.crl", self.name),
            Kind::Delta => format!("{}.delta.crl", self.name),
        })
    }

    fn state_path(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    fn part_path(&self) -> PathBuf {
        self.directory.join(format!("{}.part", self.name))
    }

    /// The CRL of a kind, if one is kept.
    pub(super) fn open(&self, kind: Kind) -> io::Result<Option<File>> {
        match File::open(self.path(kind)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is remembered.
    pub(super) fn state(&self) -> State {
        let mut octets = Vec::new();
        match File::open(self.state_path()).and_then(|file| file.take(MAX_STATE_OCTETS).read_to_end(&mut octets)) {
            Ok(_) => State::read(&octets),
            // Everything is fetched anew then.
            Err(_) => State::default(),
        }
    }

    pub(super) fn put_state(&self, state: &State) -> io::Result<()> {
        let part = self.part_path();
        fs::write(&part, serde_json::to_vec(state)?)?;
        fs::rename(part, self.state_path())
    }

    /// An empty file that what is fetched goes into. There is one fetch at a time, so one name is enough.
    pub(super) fn part(&self) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        File::options().read(true).write(true).create(true).truncate(true).open(self.part_path())
    }

    /// What was fetched is kept from now on; readers see the old file or the new one.
    pub(super) fn keep(&self, part: &File, kind: Kind) -> io::Result<()> {
        part.sync_data()?;
        fs::rename(self.part_path(), self.path(kind))
    }

    pub(super) fn drop_part(&self) {
        // The next fetch empties it.
        fs::remove_file(self.part_path()).ok();
    }

    pub(super) fn drop_delta(&self) {
        // One that does not go with the complete CRL is not taken when it is read again.
        fs::remove_file(self.path(Kind::Delta)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let validators = Validators {
            url: "http://crl.example.org/ca.crl".to_owned(),
            etag: Some("\"abc\"".to_owned()),
            last_modified: None,
        };
        let fetched_from = vec![validators.url.clone()];
        State { fetched_at_s: Some(1_795_464_000), fetched_from, complete: Some(validators), delta: None }
    }

    #[test]
    fn a_state_survives_its_file_and_a_broken_one_is_none() {
        let home = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(home.path(), "partner");
        assert_eq!(shelf.state(), State::default());
        shelf.put_state(&state()).unwrap();
        assert_eq!(shelf.state(), state());
        fs::write(shelf.state_path(), b"{\"fetched_at_s\": \"x\"}").unwrap();
        assert_eq!(shelf.state(), State::default());
        fs::write(shelf.state_path(), vec![b' '; 70_000]).unwrap();
        assert_eq!(shelf.state(), State::default());
    }

    /// Whoever can write the file can make us ask once too often, or not in vain: never put words into a request.
    #[test]
    fn every_mutation_of_a_state_reads_as_one_that_can_be_used() {
        let octets = serde_json::to_vec(&state()).unwrap();
        for at in 0..octets.len() {
            for value in 0..=255 {
                let mut mutated = octets.clone();
                mutated[at] = value;
                let read = State::read(&mutated);
                assert!(read.complete.as_ref().is_none_or(Validators::are_sound));
            }
            let _ = State::read(&octets[..at]);
        }
        let injected = String::from_utf8(octets).unwrap().replace("abc", "a\\r\\nHost: x");
        assert_eq!(State::read(injected.as_bytes()).complete, None);
    }
}

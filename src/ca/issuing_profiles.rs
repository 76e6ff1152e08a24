//! The issuing profiles of an installation: those that Noonmark comes with, and the operator's own in place of or beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::issuing_profile::{IssuingProfile, ProfileError, shipped};

/// Why an installation's profiles can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfilesError {
    /// A profile that is not in order.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file or the folder.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Profiles by name, each checked as a whole.
#[derive(Clone, Debug)]
pub struct IssuingProfiles {
    by_name: BTreeMap<String, IssuingProfile>,
}

impl IssuingProfiles {
    /// The shipped profiles, with these texts (name and TOML) in place of or beside them.
    ///
    /// # Errors
    /// The first profile that is not in order: with one broken file nothing is issued by guesswork.
    pub fn new<'a>(own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ProfileError> {
        let mut by_name = BTreeMap::new();
        for (name, text) in shipped().into_iter().chain(own) {
            by_name.insert(name.to_owned(), IssuingProfile::parse(name, text)?);
        }
        Ok(Self { by_name })
    }

    /// The shipped profiles, with the folder's `NAME.toml` files in place of or beside them. A folder that is not there
    /// holds none.
    ///
    /// # Errors
    /// A file that can't be read, or is not in order.
    pub fn read(directory: &Path) -> Result<Self, ProfilesError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ProfilesError::File { path, source }
        };
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::new([])?),
            entries => entries.map_err(failed(directory))?,
        };
        let mut own = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed(directory))?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                own.push((name, std::fs::read_to_string(&path).map_err(failed(&path))?));
            }
        }
        Ok(Self::new(own.iter().map(|(name, text)| (name.as_str(), text.as_str())))?)
    }

    /// The profile by this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&IssuingProfile> {
        self.by_name.get(name)
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &IssuingProfile> {
        self.by_name.values()
    }

    /// The names, for messages.
    #[must_use]
    pub fn names(&self) -> String {
        self.by_name.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_profile_replaces_a_shipped_one_and_a_broken_one_stops_all() {
        let text = shipped().into_iter().find(|(name, _)| *name == "tsu").unwrap().1;
        let changed = text.replace("\nvalidity_days = 3650", "\nvalidity_days = 730");
        let profiles = IssuingProfiles::new([("tsu", changed.as_str()), ("tsu-short", changed.as_str())]).unwrap();
        assert_eq!(profiles.iter().count(), shipped().len() + 1);
        assert_eq!(profiles.get("tsu").unwrap().validity_days(), (730, 3650));
        assert_eq!(profiles.names(), "document-signer, intermediate, ocsp-responder, tls-server, tsu, tsu-short");
        assert!(profiles.get("nobody").is_none());
        let broken = IssuingProfiles::new([("mine", "kind = \"ca\"")]);
        assert!(matches!(broken, Err(ProfileError::File { profile, .. }) if profile == "mine"));
    }
}

//! The store's URL.

use std::path::{Path, PathBuf};

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite database's file.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, without a password.
    Postgres(String),
}

/// Why a store's URL is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// Neither sqlite: nor postgresql://.
    #[error("{scheme:?} is no store; use sqlite:FILE or postgresql://USER@HOST/DATABASE")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// PostgreSQL's library does not read it.
    #[error("the PostgreSQL URL does not read: {reason}")]
    Postgres {
        /// What it says.
        reason: String,
    },
    /// A password stands in the URL.
    #[error(
        "a password stands in the URL, where `ps` and logs may show it; put it into a file and name that in password_file"
    )]
    Password,
}

impl StoreUrl {
    /// Reads a URL; a relative SQLite file starts at `directory`.
    ///
    /// # Errors
    /// Another scheme, or a password in it.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(directory.join(path)));
        }
        if text.starts_with("postgresql://") || text.starts_with("postgres://") {
            let parsed: tokio_postgres::Config = text
                .parse()
                .map_err(|error: tokio_postgres::Error| StoreUrlError::Postgres { reason: error.to_string() })?;
            if parsed.get_password().is_some() {
                return Err(StoreUrlError::Password);
            }
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(StoreUrlError::Scheme { scheme: text.split(':').next().unwrap_or_default().chars().take(20).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_and_refuses_a_password() {
        let parse = |text| StoreUrl::parse(text, Path::new("/d"));
        assert_eq!(parse("sqlite:a.db"), Ok(StoreUrl::Sqlite("/d/a.db".into())));
        assert_eq!(parse("sqlite:/x/a.db"), Ok(StoreUrl::Sqlite("/x/a.db".into())));
        assert!(matches!(parse("postgresql://u@h/d"), Ok(StoreUrl::Postgres(_))));
        assert_eq!(parse("postgresql://u:secret@h/d"), Err(StoreUrlError::Password));
        assert!(matches!(parse("mysql://x"), Err(StoreUrlError::Scheme { .. })));
    }
}

//! `[store]`: SQLite or PostgreSQL.

use std::path::PathBuf;

use serde::Deserialize;

/// Where records and certificates are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// `sqlite:FILE`, relative to the installation's directory, or `postgresql://USER@HOST/DATABASE`.
    pub url: String,
    /// A file that holds PostgreSQL's password; not readable by others. Default none.
    pub password_file: Option<PathBuf>,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { url: "sqlite:noonmark.db".to_owned(), password_file: None }
    }
}

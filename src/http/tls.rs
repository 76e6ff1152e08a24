//! TLS by rustls; client certificates tell callers apart and are never demanded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::TlsSection;

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("[http.tls] {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key may be read by others.
    #[error("[http.tls] {} may be read by others; run `chmod 600 {}`", path.display(), path.display())]
    KeyReadable {
        /// The file.
        path: PathBuf,
    },
    /// rustls refuses the certificate, key or client CA.
    #[error("[http.tls] {reason}")]
    Refused {
        /// What rustls says.
        reason: String,
    },
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |reason: String| TlsError::File { path: path.to_owned(), reason };
    let list = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file(error.to_string()))?;
    if list.is_empty() { Err(file("no certificate in it".to_owned())) } else { Ok(list) }
}

/// Refuses a key file that group or others may read.
fn check_mode(path: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|error| TlsError::File { path: path.to_owned(), reason: error.to_string() })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(TlsError::KeyReadable { path: path.to_owned() })
    }
}

/// The server's side of TLS; `resolve` makes the section's paths absolute.
pub(super) fn server_config(
    section: &TlsSection,
    resolve: impl Fn(&Path) -> PathBuf,
) -> Result<ServerConfig, TlsError> {
    let refused = |error: &dyn std::fmt::Display| TlsError::Refused { reason: error.to_string() };
    let chain = certificates(&resolve(&section.certificate))?;
    let key_path = resolve(&section.key);
    check_mode(&key_path)?;
    let key = PrivateKeyDer::from_pem_file(&key_path)
        .map_err(|error| TlsError::File { path: key_path, reason: error.to_string() })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?;
    let builder = match &section.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&resolve(path))? {
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| refused(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map_err(|error| refused(&error))
}

//! TLS by rustls; client certificates tell callers apart and are never demanded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
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

/// The server's certificate with its key; a reload exchanges them, for those who connect from then on.
#[derive(Debug)]
pub struct TlsIdentity {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl TlsIdentity {
    /// Reads certificate and key; `resolve` makes the section's paths absolute.
    ///
    /// # Errors
    /// Files that don't read or don't belong together, a key that others may read.
    pub fn read(section: &TlsSection, resolve: impl Fn(&Path) -> PathBuf) -> Result<Arc<Self>, TlsError> {
        let (certificate, key) = (resolve(&section.certificate), resolve(&section.key));
        let current = ArcSwap::from(certified_key(&certificate, &key)?);
        Ok(Arc::new(Self { certificate, key, current }))
    }

    /// What stands in the files now, to be used by [`Self::exchange`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_again(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        certified_key(&self.certificate, &self.key)
    }

    /// Shows this one to everybody who connects from now on.
    pub fn exchange(&self, with: Arc<CertifiedKey>) {
        self.current.store(with);
    }
}

impl ResolvesServerCert for TlsIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified_key(certificate: &Path, key_path: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(certificate)?;
    check_mode(key_path)?;
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|error| TlsError::File { path: key_path.to_owned(), reason: error.to_string() })?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Also that the key is the certificate's.
    let certified = CertifiedKey::from_der(chain, key, &provider);
    certified.map(Arc::new).map_err(|error| TlsError::Refused { reason: error.to_string() })
}

/// The server's side of TLS; `resolve` makes the section's paths absolute.
pub(super) fn server_config(
    section: &TlsSection,
    identity: Arc<TlsIdentity>,
    resolve: impl Fn(&Path) -> PathBuf,
) -> Result<ServerConfig, TlsError> {
    let refused = |error: &dyn std::fmt::Display| TlsError::Refused { reason: error.to_string() };
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
    Ok(builder.with_cert_resolver(identity))
}

//! Names to addresses: the ones that are looked at are the ones that are connected to, so that a name which resolves to
//! another address the second time gains nothing.

use std::fmt;
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::destination::check_addresses;
use super::{FetchError, GatherSettings};

/// Resolves by another resolver, and gives no address that the rules refuse.
pub(super) struct GuardedResolver<R> {
    settings: Arc<GatherSettings>,
    inner: R,
}

impl<R: Resolver> GuardedResolver<R> {
    pub(super) fn new(settings: Arc<GatherSettings>, inner: R) -> Self {
        Self { settings, inner }
    }
}

impl<R: Resolver> Resolver for GuardedResolver<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refused = |why: FetchError| ureq::Error::Other(Box::new(why));
        let host = uri.host().ok_or_else(|| refused(FetchError::Url))?;
        let default = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            other => return Err(refused(FetchError::Scheme { scheme: other.unwrap_or_default().to_owned() })),
        };
        let port = uri.port_u16().unwrap_or(default);
        // Nobody's name is asked for whose address would not be used.
        check_addresses(&self.settings, host, port, []).map_err(refused)?;
        let addresses = self.inner.resolve(uri, config, timeout)?;
        check_addresses(&self.settings, host, port, addresses.iter().map(std::net::SocketAddr::ip)).map_err(refused)?;
        Ok(addresses)
    }
}

impl<R> fmt::Debug for GuardedResolver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedResolver").finish_non_exhaustive()
    }
}

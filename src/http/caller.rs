//! Who a caller is: its TLS client certificate, else its credentials, else its address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine as _;
use subtle::ConstantTimeEq as _;

use super::api_keys::ApiKeys;
use super::problem::Problem;
use super::role::Role;
use crate::config::CallerSection;
use crate::crypto::sha256;

/// A caller, as limits, records and profiles know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What stands in records: `name:acme`, `certificate:{sha256}` or `address:192.0.2.1`.
    pub id: Arc<str>,
    /// The name in the configuration or of its API key, if the caller has one.
    pub name: Option<Arc<str>>,
    /// The role that its API key has; nobody else has one.
    pub role: Option<Role>,
}

/// The SHA-256 of a TLS client certificate that the handshake verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientCertificate(pub(super) [u8; 32]);

/// The callers known by name, and the proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    by_certificate: BTreeMap<[u8; 32], Arc<str>>,
    secrets: Vec<(Arc<str>, [u8; 32])>,
    trusted_proxies: Vec<IpAddr>,
}

/// The most addresses read from X-Forwarded-For: proxies in a row, not a list of everybody.
const MAX_FORWARDED: usize = 16;

impl Callers {
    /// From the configuration.
    #[must_use]
    pub fn new(sections: &BTreeMap<String, CallerSection>, trusted_proxies: &[IpAddr]) -> Self {
        let mut callers = Self { trusted_proxies: trusted_proxies.to_vec(), ..Self::default() };
        for (name, section) in sections {
            let name: Arc<str> = Arc::from(name.as_str());
            if let Some(hash) = section.certificate() {
                callers.by_certificate.insert(hash, Arc::clone(&name));
            }
            if let Some(hash) = section.secret() {
                callers.secrets.push((name, hash));
            }
        }
        callers
    }

    /// Tells who asks.
    pub(super) fn identify(&self, request: &HttpRequest, keys: &ApiKeys) -> Result<Caller, Problem> {
        if let Some(ClientCertificate(hash)) = request.conn_data::<ClientCertificate>() {
            return Ok(match self.by_certificate.get(hash) {
                Some(name) => Caller::named(name),
                None => Caller::unnamed(format!("certificate:{}", hex::encode(hash))),
            });
        }
        if let Some(value) = request.headers().get(header::AUTHORIZATION) {
            let caller = value.to_str().ok().and_then(|text| self.by_credentials(text, keys));
            // Wrong credentials are not an anonymous caller: who shows some wants to be known.
            return caller.ok_or(Problem::Unauthorized);
        }
        let peer = request.peer_addr().map(|address| address.ip());
        let address = match peer {
            Some(peer) if self.trusted_proxies.contains(&peer) => self.forwarded(request).unwrap_or(peer),
            Some(peer) => peer,
            None => return Err(Problem::Unauthorized),
        };
        Ok(Caller::unnamed(format!("address:{}", address.to_canonical())))
    }

    fn by_credentials(&self, value: &str, keys: &ApiKeys) -> Option<Caller> {
        let (scheme, rest) = value.split_once(' ')?;
        let (name, secret) = if scheme.eq_ignore_ascii_case("bearer") {
            (None, rest.trim().as_bytes().to_vec())
        } else if scheme.eq_ignore_ascii_case("basic") {
            let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
            let colon = decoded.iter().position(|octet| *octet == b':')?;
            let name = std::str::from_utf8(&decoded[..colon]).ok()?.to_owned();
            (Some(name), decoded[colon + 1..].to_vec())
        } else {
            return None;
        };
        // The secrets are random tokens of 256 bits: one SHA-256 is enough at rest.
        let hash = sha256(&secret);
        let mut found = None;
        // Every known hash is compared in constant time, so that time tells nothing of which one came close.
        for (known_name, known_hash) in &self.secrets {
            let same = bool::from(known_hash.ct_eq(&hash));
            if same && name.as_deref().is_none_or(|name| name == &**known_name) {
                found = Some(Caller::named(known_name));
            }
        }
        found.or_else(|| {
            let holder = keys.holder(&hash)?;
            let is_meant = name.as_deref().is_none_or(|name| name == &*holder.name);
            is_meant.then(|| Caller { role: Some(holder.role), ..Caller::named(&holder.name) })
        })
    }

    /// The last address in X-Forwarded-For that is no trusted proxy: what the outermost trusted one saw.
    fn forwarded(&self, request: &HttpRequest) -> Option<IpAddr> {
        let mut addresses = Vec::new();
        for value in request.headers().get_all("x-forwarded-for") {
            addresses.extend(value.to_str().ok()?.split(','));
        }
        for text in addresses.iter().rev().take(MAX_FORWARDED) {
            let address: IpAddr = text.trim().parse().ok()?;
            if !self.trusted_proxies.contains(&address) {
                return Some(address);
            }
        }
        None
    }
}

impl Caller {
    fn named(name: &Arc<str>) -> Self {
        Self { id: Arc::from(format!("name:{name}")), name: Some(Arc::clone(name)), role: None }
    }

    fn unnamed(id: String) -> Self {
        Self { id: Arc::from(id), name: None, role: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn callers() -> Callers {
        let hash = hex::encode(sha256(b"secret"));
        let section = CallerSection { secret_sha256: Some(hash), certificate_sha256: None };
        Callers::new(&BTreeMap::from([("acme".to_owned(), section)]), &["127.0.0.1".parse().unwrap()])
    }

    fn identify(peer: &str, headers: &[(&'static str, &'static str)]) -> Result<String, Problem> {
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        for header in headers {
            request = request.append_header(*header);
        }
        callers().identify(&request.to_http_request(), &ApiKeys::default()).map(|caller| caller.id.to_string())
    }

    #[test]
    fn credentials_name_a_caller_and_wrong_ones_none() {
        assert_eq!(identify("10.0.0.1", &[("authorization", "Bearer secret")]), Ok("name:acme".into()));
        assert_eq!(identify("10.0.0.1", &[("authorization", "Basic YWNtZTpzZWNyZXQ=")]), Ok("name:acme".into()));
        // other:secret
        assert_eq!(identify("10.0.0.1", &[("authorization", "Basic b3RoZXI6c2VjcmV0")]), Err(Problem::Unauthorized));
        assert_eq!(identify("10.0.0.1", &[("authorization", "Bearer wrong")]), Err(Problem::Unauthorized));
        assert_eq!(identify("10.0.0.1", &[("authorization", "Digest x")]), Err(Problem::Unauthorized));
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        assert_eq!(identify("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")]), Ok("address:10.0.0.1".into()));
        assert_eq!(identify("127.0.0.1", &[("x-forwarded-for", "1.2.3.4")]), Ok("address:1.2.3.4".into()));
        assert_eq!(
            identify("127.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 127.0.0.1")]),
            Ok("address:1.2.3.4".into())
        );
        assert_eq!(identify("127.0.0.1", &[("x-forwarded-for", "rubbish")]), Ok("address:127.0.0.1".into()));
    }
}

//! Whether a URL may be fetched, as far as it says itself; its addresses are looked at when it is connected to.

use std::net::IpAddr;

use url::Url;

use super::address::not_public;
use super::host_rule::USUAL_PORTS;
use super::{FetchError, GatherSettings};

/// Characters of a URL: longer ones are nobody's (RFC 9110 §4.1 asks for 8000 of servers, CAs' have some hundred).
pub(super) const MAX_URL: usize = 2048;

/// Reads a URL and holds it against the rules.
pub(super) fn destination(settings: &GatherSettings, text: &str) -> Result<Url, FetchError> {
    if text.len() > MAX_URL {
        return Err(FetchError::Url);
    }
    let url = Url::parse(text).map_err(|_| FetchError::Url)?;
    check_destination(settings, &url)?;
    Ok(url)
}

/// Holds a URL, a redirection's too, against the rules.
pub(super) fn check_destination(settings: &GatherSettings, url: &Url) -> Result<(), FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Scheme { scheme: url.scheme().chars().take(40).collect() });
    }
    if url.as_str().len() > MAX_URL {
        return Err(FetchError::Url);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Userinfo);
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Err(FetchError::Url) };
    if is_named(settings, host, port) {
        return Ok(());
    }
    if !settings.any_public_host {
        return Err(FetchError::HostNotAllowed { host: host.to_owned() });
    }
    if !USUAL_PORTS.contains(&port) {
        return Err(FetchError::Port { host: host.to_owned(), port });
    }
    Ok(())
}

/// Whether a rule names the host: its addresses may be any then.
pub(super) fn is_named(settings: &GatherSettings, host: &str, port: u16) -> bool {
    settings.allow.iter().any(|rule| rule.names(host, port))
}

/// Holds the addresses that a connection is to be made to against the rules: one that is not public refuses the host.
pub(super) fn check_addresses(
    settings: &GatherSettings,
    host: &str,
    port: u16,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Result<(), FetchError> {
    if is_named(settings, host, port) {
        return Ok(());
    }
    if !settings.any_public_host {
        return Err(FetchError::HostNotAllowed { host: host.to_owned() });
    }
    for address in addresses {
        if let Some(why) = not_public(address) {
            return Err(FetchError::Address { host: host.to_owned(), address, why });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allow: &[&str], any_public_host: bool) -> GatherSettings {
        let allow = allow.iter().map(|rule| rule.parse().unwrap()).collect();
        GatherSettings { allow, any_public_host, ..GatherSettings::default() }
    }

    fn why(settings: &GatherSettings, url: &str) -> Option<FetchError> {
        destination(settings, url).err()
    }

    #[test]
    fn only_http_without_a_user_at_the_usual_ports() {
        let open = settings(&[], true);
        for url in ["http://a.example/x.crl", "https://a.example/", "HTTP://A.example:80/", "http://a.example:443/"] {
            assert_eq!(why(&open, url), None, "{url}");
        }
        for (url, scheme) in [
            ("ldap://a.example/cn=x", "ldap"),
            ("ldaps://a.example/", "ldaps"),
            ("file:///etc/passwd", "file"),
            ("ftp://a.example/", "ftp"),
            ("gopher://a.example:80/", "gopher"),
            ("data:,x", "data"),
        ] {
            assert_eq!(why(&open, url), Some(FetchError::Scheme { scheme: scheme.to_owned() }), "{url}");
        }
        for url in ["http://u@a.example/", "http://u:p@a.example/", "http://:p@a.example/"] {
            assert_eq!(why(&open, url), Some(FetchError::Userinfo), "{url}");
        }
        for port in [22, 25, 6379, 8080] {
            let refused = FetchError::Port { host: "a.example".to_owned(), port };
            assert_eq!(why(&open, &format!("http://a.example:{port}/")), Some(refused));
        }
        let long = format!("http://a.example/{}", "x".repeat(MAX_URL));
        // Within the limit as it is written, beyond it as it is sent.
        let grows = format!("http://a.example/{}", " x".repeat(MAX_URL / 2 - 20));
        for url in ["", "x", "http://", "//a.example/", &long, &grows] {
            assert_eq!(why(&open, url), Some(FetchError::Url), "{url}");
        }
    }

    #[test]
    fn rules_open_hosts_and_ports() {
        let closed = settings(&[], false);
        let refused = Some(FetchError::HostNotAllowed { host: "a.example".to_owned() });
        assert_eq!(why(&closed, "http://a.example/"), refused);
        let ruled = settings(&["a.example:8080", "10.0.0.5"], false);
        assert_eq!(why(&ruled, "http://a.example:8080/"), None);
        assert_eq!(why(&ruled, "http://a.example/"), refused);
        // The same address in other words.
        for url in ["http://10.0.0.5/", "http://0xa.5/", "http://167772165/"] {
            assert_eq!(why(&ruled, url), None, "{url}");
        }
    }

    #[test]
    fn one_address_that_is_not_public_refuses_the_host() {
        let addresses = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>();
        let open = settings(&["b.example"], true);
        assert_eq!(check_addresses(&open, "a.example", 80, addresses(&["8.8.8.8", "2a00::1"])), Ok(()));
        let (host, address, why) =
            ("a.example".to_owned(), "10.0.0.1".parse().unwrap(), super::super::NotPublic::Private);
        let refused = Err(FetchError::Address { host, address, why });
        assert_eq!(check_addresses(&open, "a.example", 80, addresses(&["8.8.8.8", "10.0.0.1"])), refused);
        assert_eq!(check_addresses(&open, "b.example", 80, addresses(&["10.0.0.1"])), Ok(()));
        assert!(check_addresses(&open, "b.example", 81, addresses(&["10.0.0.1"])).is_err());
        let closed = check_addresses(&settings(&[], false), "a.example", 80, addresses(&["8.8.8.8"]));
        assert_eq!(closed, Err(FetchError::HostNotAllowed { host: "a.example".to_owned() }));
    }
}

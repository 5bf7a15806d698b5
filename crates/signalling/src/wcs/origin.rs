//! Which web pages may open a session.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, Uri, header, uri::Authority};
use parking_lot::RwLock;

/// The pages that may open a session, by their origin. Browsers name it; other programs do not, and are let in.
///
/// A session has no rights but those that its messages bring, so pages of any site may open one, as is usual for media.
/// It is not so over loopback: there, being on the machine is a right of its own, which a page of another site must
/// not borrow from the browser that shows it (cross-site WebSocket hijacking).
///
/// Clones share them, and they may be others later.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<RwLock<Vec<String>>>);

impl Origins {
    /// Origins such as `https://example.org`, or `*` for all. None: all pages, but over loopback only those of
    /// this machine.
    pub fn new(allowed: &[String]) -> Origins {
        let origins = Origins::default();
        origins.replace(allowed);
        origins
    }

    /// Others take their place for pages that come from now on.
    pub fn replace(&self, allowed: &[String]) {
        *self.0.write() = allowed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
    }

    /// Whether a page may, by the headers of its request and the address that it comes from.
    pub fn allow(&self, headers: &HeaderMap, remote: IpAddr) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let allowed = self.0.read();
        if allowed.iter().any(|allowed| allowed == "*" || *allowed == origin) {
            return true;
        }
        let over_loopback = remote.to_canonical().is_loopback();
        if allowed.is_empty() && !over_loopback {
            return true;
        }
        let page = origin.parse().ok().and_then(|origin: Uri| origin.into_parts().authority);
        let Some(page) = page else {
            return false;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let is_own = host.is_some_and(|host| host.host().eq_ignore_ascii_case(page.host()));
        is_own || over_loopback && is_loopback(page.host())
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let named = host == "localhost" || host.ends_with(".localhost");
    named || address.is_some_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1";
    const ELSEWHERE: &str = "192.0.2.7";

    fn check(allowed: &[&str], remote: &str, host: &str, origin: Option<&str>, expected: bool) {
        let allowed: Vec<String> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let found = Origins::new(&allowed).allow(&headers, remote.parse().unwrap());
        assert_eq!(found, expected, "{allowed:?} {remote} {host} {origin:?}");
    }

    #[test]
    fn over_loopback_only_pages_of_this_machine_get_in() {
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443", "http://app.localhost"] {
            check(&[], LOOPBACK, "127.0.0.1:8080", Some(origin), true);
        }
        for origin in
            ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1.evil.example", ""]
        {
            check(&[], LOOPBACK, "127.0.0.1:8080", Some(origin), false);
        }
        check(&[], LOOPBACK, "127.0.0.1:8080", None, true);
        check(&[], "::ffff:127.0.0.1", "localhost:8080", Some("https://evil.example"), false);
    }

    #[test]
    fn over_a_network_all_pages_get_in_unless_some_are_named() {
        check(&[], ELSEWHERE, "media.example:8080", Some("https://shop.example"), true);
        let named = &["https://shop.example/"];
        check(named, ELSEWHERE, "media.example:8080", Some("https://shop.example"), true);
        check(named, ELSEWHERE, "media.example:8080", Some("https://SHOP.example"), true);
        check(named, ELSEWHERE, "media.example:8080", Some("https://evil.example"), false);
        check(named, ELSEWHERE, "media.example:8080", Some("http://localhost:3000"), false);
        check(named, ELSEWHERE, "media.example:8080", Some("https://media.example:8444"), true);
        check(named, ELSEWHERE, "media.example:8080", None, true);
        check(named, LOOPBACK, "127.0.0.1:8080", Some("https://shop.example"), true);
        check(&["*"], LOOPBACK, "127.0.0.1:8080", Some("https://evil.example"), true);
    }
}

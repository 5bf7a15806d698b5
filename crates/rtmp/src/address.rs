//! Where a stream is: RTMP URLs, and the stream names that application and key stand for.

use std::fmt;

use headwater_access::{Credentials, Secret};
use headwater_media::{InvalidName, StreamName};
use url::Url;

use crate::wire::server::ConnectRequest;

/// The application whose streams need no prefix.
const DEFAULT_APP: &str = "live";
/// The instance name that Flash-era clients append to an application.
const DEFAULT_INSTANCE: &str = "_definst_";
/// What Flash-era players put before a name to tell its container.
const NAME_PREFIXES: [&str; 3] = ["flv:", "mp4:", "mp3:"];

/// What a client asks for: a stream, and what it brings to be let in.
#[derive(Clone, Debug)]
pub struct Address {
    /// The stream.
    pub name: StreamName,
    /// The parameters of the key.
    pub credentials: Credentials,
}

impl Address {
    /// The stream that an application and a key stand for: `live` and `NAME` give `NAME`, any other application
    /// gives `APP/NAME`. Both may have more parts, and a query.
    ///
    /// # Errors
    /// What is left is no stream name.
    pub fn new(app: &str, key: &str) -> Result<Address, InvalidName> {
        let app = app.split_once('?').map_or(app, |(app, _)| app);
        let (key, key_query) = key.split_once('?').unwrap_or((key, ""));
        let key = NAME_PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
        let whole = format!("{app}/{key}");
        let mut parts: Vec<&str> = whole
            .split('/')
            .filter(|part| !part.is_empty() && *part != DEFAULT_INSTANCE)
            .take(StreamName::SEGMENTS_MAX + 2)
            .collect();
        if parts.first() == Some(&DEFAULT_APP) {
            parts.remove(0);
        }
        Ok(Address { name: StreamName::new(&parts.join("/"))?, credentials: Credentials::of_query(key_query) })
    }
}

impl ConnectRequest {
    /// What the client brings: the parameters of the application, or of the address that it connects to where it has
    /// left them out of the application; and name and password of that address.
    pub fn credentials(&self) -> Credentials {
        let query = |text: &str| text.split_once('?').map(|(_, query)| query.to_owned());
        let tc_url = self.tc_url.as_deref().unwrap_or_default();
        let query = query(&self.app).or_else(|| query(tc_url)).unwrap_or_default();
        let mut credentials = Credentials::of_query(&query);
        if credentials.user.is_none() {
            credentials.user = Url::parse(tc_url).ok().and_then(|url| user(&url));
        }
        credentials
    }
}

/// The address that a client connected to, at another server: `ws://HOST:PORT` or the same with `wss`, of which the host
/// is taken, as the ports of RTMP are the same at all servers that work together.
pub(crate) fn elsewhere(request: &ConnectRequest, server: Option<&str>) -> Option<String> {
    let server = Url::parse(server?).ok()?;
    let mut url = Url::parse(request.tc_url.as_deref()?).ok()?;
    url.set_host(server.host_str()).ok()?;
    Some(url.into())
}

fn user(url: &Url) -> Option<(String, Secret)> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let is_there = !url.username().is_empty();
    is_there.then(|| (decoded(url.username()), Secret::new(decoded(url.password().unwrap_or_default()))))
}

/// An RTMP URL taken apart, for connecting to other servers.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpUrl {
    /// Whether it is `rtmps`.
    pub tls: bool,
    /// The host to connect to.
    pub host: String,
    /// The port to connect to: 1935, for `rtmps` 443, if the URL does not say.
    pub port: u16,
    /// The application: all of the path but its last part.
    pub app: String,
    /// The key: the last part of the path, with the query.
    pub key: String,
}

/// Why a text is no RTMP URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is no URL at all.
    #[error("not a URL: {0}")]
    Syntax(#[from] url::ParseError),
    /// Another scheme.
    #[error("an RTMP URL begins with rtmp:// or rtmps://, not {0}://")]
    Scheme(String),
    /// No host.
    #[error("the URL names no host")]
    NoHost,
    /// No application and key.
    #[error("the URL needs an application and a key: rtmp://HOST/APP/KEY")]
    NoKey,
}

impl RtmpUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<RtmpUrl, InvalidUrl> {
        let url = Url::parse(text)?;
        let tls = match url.scheme() {
            "rtmp" => false,
            "rtmps" => true,
            other => return Err(InvalidUrl::Scheme(other.to_owned())),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidUrl::NoHost)?.to_owned();
        let path = url.path().trim_matches('/');
        let (app, key) =
            path.rsplit_once('/').filter(|(app, key)| !app.is_empty() && !key.is_empty()).ok_or(InvalidUrl::NoKey)?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let port = url.port().unwrap_or(if tls { 443 } else { 1935 });
        Ok(RtmpUrl { tls, host, port, app: app.to_owned(), key: format!("{key}{query}") })
    }

    /// The URL up to the application, as the connect command carries it.
    pub fn tc_url(&self) -> String {
        let scheme = if self.tls { "rtmps" } else { "rtmp" };
        format!("{scheme}://{}:{}/{}", self.host, self.port, self.app)
    }
}

/// Without the query, which may hold a secret; nor the key, which is one.
impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.tc_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_and_key_give_the_stream_name() {
        let cases = [
            ("live", "cam", "cam"),
            ("live/", "cam", "cam"),
            ("live", "a/b", "a/b"),
            ("live/a", "b", "a/b"),
            ("studio", "cam", "studio/cam"),
            ("studio/one", "cam", "studio/one/cam"),
            ("live/_definst_", "cam", "cam"),
            ("live", "flv:cam", "cam"),
            ("live", "mp4:cam.mp4", "cam.mp4"),
            ("cam", "", "cam"),
            ("live?user=x", "cam?pass=y", "cam"),
        ];
        for (app, key, name) in cases {
            assert_eq!(Address::new(app, key).unwrap().name.as_str(), name, "{app} {key}");
        }
    }

    #[test]
    fn hostile_names_never_become_stream_names() {
        let long = "x".repeat(10_000);
        for key in ["", "../../etc/passwd", "a/../b", "a b", "%2e%2e", "a/b/c/d/e", "<script>", long.as_str()] {
            assert!(Address::new("live", key).is_err(), "{key:.20}");
        }
    }

    #[test]
    fn credentials_of_application_and_key_are_kept_apart_and_never_shown() {
        let address = Address::new("live?user=ann", "cam?pass=can%20ary&token=a%2Fb").unwrap();
        assert_eq!(address.credentials.token, Some(Secret::new("a/b")));
        assert_eq!((address.credentials.parameters.len(), address.credentials.user.is_none()), (2, true));
        assert!(!format!("{address:?}").contains("ary"));
    }

    #[test]
    fn a_client_shows_who_it_is_in_the_application_or_in_its_address() {
        let cases = [
            ("live?user=ann&pass=x&token=t", None, Some(("ann", "x")), Some("t")),
            ("live", Some("rtmp://h/live?token=t"), None, Some("t")),
            ("live?token=t", Some("rtmp://h/live?token=u"), None, Some("t")),
            ("live", Some("rtmp://ann:se%40cret@h/live"), Some(("ann", "se@cret")), None),
            ("live?user=eve&pass=x", Some("rtmp://ann:y@h/live"), Some(("eve", "x")), None),
            ("live", Some("no address"), None, None),
            ("live", None, None, None),
        ];
        for (app, tc_url, user, token) in cases {
            let request = ConnectRequest { app: app.into(), tc_url: tc_url.map(Into::into), ..Default::default() };
            let found = request.credentials();
            let named = found.user.as_ref().map(|(user, password)| (user.as_str(), password.reveal()));
            assert_eq!((named, found.token.as_ref().map(Secret::reveal)), (user, token), "{app} {tc_url:?}");
        }
    }

    #[test]
    fn urls_come_apart_and_show_no_key() {
        let url = RtmpUrl::parse("rtmps://example.org/app/inst/key?token=1").unwrap();
        assert_eq!((url.tls, url.port, url.app.as_str(), url.key.as_str()), (true, 443, "app/inst", "key?token=1"));
        assert_eq!(url.tc_url(), "rtmps://example.org:443/app/inst");
        assert!(!format!("{url:?}").contains("key"));
        assert_eq!(RtmpUrl::parse("rtmp://h:19/live/k").unwrap().port, 19);
        for bad in ["http://h/live/k", "rtmp://h/live", "rtmp:///live/k", "cam"] {
            assert!(RtmpUrl::parse(bad).is_err(), "{bad}");
        }
    }
}

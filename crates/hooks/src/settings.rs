//! What an operator says of hooks.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use headwater_access::Secret;
use thiserror::Error;
use url::{Host, Url};

use crate::{
    method::Method,
    policy::{OnError, Policy},
};

/// What an operator says of hooks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the server calls itself: an id, an at sign, an address.
    pub node: String,
    /// Applications by key, each with the address that its hooks stand below.
    pub applications: Vec<(String, Url)>,
    /// The time that a hook has in all.
    pub timeout: Duration,
    /// The time that a connection has, TLS included.
    pub connect_timeout: Duration,
    /// The key that requests are signed with.
    pub secret_key: Option<Secret>,
    /// Whether requests are signed in WCS's way as well.
    pub with_wcs_hash: bool,
    /// What holds where an application's answer to `connect` says nothing.
    pub policy: Policy,
    /// The hooks that are sent; all, if empty.
    pub methods: Vec<Method>,
    /// How often to ask whether a stream may go on.
    pub keep_alive: Option<Duration>,
    /// A file of further certificate authorities in PEM.
    pub authorities: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            node: "headwater".into(),
            applications: Vec::new(),
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(2),
            secret_key: None,
            with_wcs_hash: false,
            policy: Policy { on_error: OnError::Fail, ..Policy::default() },
            methods: Vec::new(),
            keep_alive: None,
            authorities: None,
        }
    }
}

/// Configuration: what is wrong with an application, to end the sentence "applications holds …, …".
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// No equals sign, or nothing before it.
    #[error("which has no key and address")]
    NoKey,
    /// A key that no client could name.
    #[error("whose key has other characters than letters, digits, '.', '_' and '-'")]
    BadKey,
    /// Not a URL.
    #[error("whose address is no URL: {0}")]
    BadUrl(#[from] url::ParseError),
    /// Another scheme than http and https, or a user, a query or a fragment.
    #[error("whose address is not of the form https://host/path")]
    BadForm,
    /// Not encrypted, to another machine.
    #[error("which sends what clients show unencrypted to another machine")]
    Plain,
}

/// Reads `key=https://host/path`.
///
/// # Errors
/// Says what is wrong with it. Plain HTTP is for this machine only, unless `plain_http` says otherwise.
pub fn read_application(text: &str, plain_http: bool) -> Result<(String, Url), SettingsError> {
    let (key, url) = text.split_once('=').ok_or(SettingsError::NoKey)?;
    let (key, url) = (key.trim(), Url::parse(url.trim()));
    if key.is_empty() {
        return Err(SettingsError::NoKey);
    }
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(SettingsError::BadKey);
    }
    let url = url?;
    let is_bare = url.username().is_empty() && url.password().is_none();
    if !is_bare || url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
        return Err(SettingsError::BadForm);
    }
    match url.scheme() {
        "https" => Ok((key.to_owned(), url)),
        "http" if plain_http || is_here(&url) => Ok((key.to_owned(), url)),
        "http" => Err(SettingsError::Plain),
        _ => Err(SettingsError::BadForm),
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_are_read_and_those_that_are_none_refused() {
        for (text, plain, expected) in [
            ("defaultApp=https://example.org/hooks", false, Ok("https://example.org/hooks")),
            (" shop = http://127.0.0.1:3000/ ", false, Ok("http://127.0.0.1:3000/")),
            ("shop=http://localhost/a/b", false, Ok("http://localhost/a/b")),
            ("shop=http://[::1]:8/", false, Ok("http://[::1]:8/")),
            ("shop=http://back-end:3000", true, Ok("http://back-end:3000/")),
            ("shop=http://back-end:3000", false, Err(SettingsError::Plain)),
            ("shop=http://localhost.example.org", false, Err(SettingsError::Plain)),
            ("https://example.org/hooks", false, Err(SettingsError::NoKey)),
            ("=https://example.org/hooks", false, Err(SettingsError::NoKey)),
            ("a b=https://example.org", false, Err(SettingsError::BadKey)),
            ("shop=file:///etc/passwd", false, Err(SettingsError::BadForm)),
            ("shop=https://user:pass@example.org", false, Err(SettingsError::BadForm)),
            ("shop=https://example.org/?a=b", false, Err(SettingsError::BadForm)),
            ("shop=example.org", false, Err(SettingsError::BadUrl(url::ParseError::RelativeUrlWithoutBase))),
        ] {
            let read = read_application(text, plain);
            assert_eq!(read.as_ref().map(|(_, url)| url.as_str()), expected.as_ref().copied(), "{text}");
        }
    }
}

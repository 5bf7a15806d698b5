//! The servers beside this one, which are let in as such.

use http::HeaderMap;

/// Knows the servers that work together with this one.
pub trait Servers: Send + Sync + 'static {
    /// The id of the server that shows this, if it is one of them.
    fn recognise(&self, shown: &str) -> Option<String>;

    /// How the path of an address begins that leads to what this server alone has, on whichever of them it is asked
    /// for: a slash and a part that no name of a stream has. Empty where they do not ask each other.
    fn home(&self) -> &str {
        ""
    }
}

/// The header in which a server shows that it is one, in each request that begins a session.
pub const SERVER_HEADER: &str = "headwater-server";

/// What a request shows of that.
pub(crate) fn shown(headers: &HeaderMap) -> Option<&str> {
    headers.get(SERVER_HEADER)?.to_str().ok()
}

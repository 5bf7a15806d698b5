//! An edge as the list names it.

use headwater_media::limits;
use headwater_net::Reach;
use url::Url;

/// The longest address that is taken, in bytes.
const ADDRESS_BYTES_MAX: usize = 512;

/// A server of the list, with the ports where it takes sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    host: String,
    ws: Option<u16>,
    wss: Option<u16>,
}

/// What is wrong with a list of edges: whoever wrote it has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// It is none, or one with parts that a page cannot be told.
    #[error("{0:?} is no address such as \"wss://edge1.example:8443\"")]
    Address(String),
    /// It is there already.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// The limit `BALANCER_EDGES`.
    #[error("there are more than {limit} edges")]
    TooMany {
        /// The limit.
        limit: u64,
    },
}

impl Edge {
    /// The edges of a list of addresses (`ws`, `wss`). An edge that takes sessions with and without TLS stands there
    /// with both addresses, of the same host.
    ///
    /// # Errors
    /// Names the entry that is wrong.
    pub fn parse_list(addresses: &[String]) -> Result<Vec<Edge>, EdgeError> {
        let mut edges: Vec<Edge> = Vec::new();
        for address in addresses {
            let edge = Edge::parse(address).ok_or_else(|| EdgeError::Address(address.chars().take(100).collect()))?;
            if edges.iter().any(|other| other.has(&edge)) {
                return Err(EdgeError::Twice(address.clone()));
            }
            match edges.iter_mut().find(|other| other.completes(&edge)) {
                Some(other) => (other.ws, other.wss) = (other.ws.or(edge.ws), other.wss.or(edge.wss)),
                None => edges.push(edge),
            }
        }
        let limit = limits::BALANCER_EDGES.get();
        if edges.len() as u64 > limit {
            limits::BALANCER_EDGES.hit();
            return Err(EdgeError::TooMany { limit });
        }
        Ok(edges)
    }

    fn parse(address: &str) -> Option<Edge> {
        let url = Url::parse(address).ok().filter(|_| address.len() <= ADDRESS_BYTES_MAX)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        Reach::new([bare(&host)]).ok()?;
        match url.scheme() {
            "ws" => Some(Edge { host, ws: Some(port), wss: None }),
            "wss" => Some(Edge { host, ws: None, wss: Some(port) }),
            _ => None,
        }
    }

    fn has(&self, other: &Edge) -> bool {
        let is_same = |ours: Option<u16>, theirs: Option<u16>| theirs.is_some() && ours == theirs;
        self.host == other.host && (is_same(self.ws, other.ws) || is_same(self.wss, other.wss))
    }

    /// Whether this one's address is all that the other, of one address, lacks.
    fn completes(&self, other: &Edge) -> bool {
        self.host == other.host
            && (self.ws.is_none() && other.ws.is_some() || self.wss.is_none() && other.wss.is_some())
    }

    /// The host as it stands in a URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of plain WebSocket.
    pub fn ws(&self) -> Option<u16> {
        self.ws
    }

    /// The port of WebSocket within TLS.
    pub fn wss(&self) -> Option<u16> {
        self.wss
    }

    /// The port to ask at and whether that is within TLS, which it is where it can be.
    pub(crate) fn door(&self) -> (u16, bool) {
        match (self.wss, self.ws) {
            (Some(port), _) => (port, true),
            (None, port) => (port.unwrap_or_default(), false),
        }
    }

    /// The address that it is told apart by.
    pub fn id(&self) -> String {
        let (port, is_secure) = self.door();
        format!("{}://{}:{port}", if is_secure { "wss" } else { "ws" }, self.host)
    }
}

/// A host without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(addresses: &[&str]) -> Result<Vec<Edge>, EdgeError> {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        Edge::parse_list(&addresses)
    }

    fn edge(host: &str, ws: Option<u16>, wss: Option<u16>) -> Edge {
        Edge { host: host.to_owned(), ws, wss }
    }

    #[test]
    fn two_addresses_of_one_host_are_one_edge_if_they_do_not_clash() {
        let addresses = ["wss://a.example:8443", "ws://b.example:8080", "ws://a.example:8080", "wss://A.example:9443"];
        let expected = [
            edge("a.example", Some(8080), Some(8443)),
            edge("b.example", Some(8080), None),
            edge("a.example", None, Some(9443)),
        ];
        assert_eq!(parse(&addresses).unwrap(), expected);
        assert_eq!(parse(&["wss://[2001:db8::1]"]).unwrap(), [edge("[2001:db8::1]", None, Some(443))]);
        assert_eq!(parse(&[]).unwrap(), []);
    }

    #[test]
    fn what_a_page_could_not_be_told_is_refused() {
        for address in [
            "",
            "edge1",
            "edge1:8443",
            "https://a.example",
            "wss://",
            "wss://a.example/live",
            "wss://a.example?x=1",
            "wss://user@a.example",
            "wss://u:p@a.example",
            "wss://a.example#x",
            "wss://a.example:70000",
            "wss://a%20b",
        ] {
            assert_eq!(parse(&[address]), Err(EdgeError::Address(address.to_owned())), "{address}");
        }
        let long = format!("wss://{}.example", "a".repeat(ADDRESS_BYTES_MAX));
        assert!(matches!(parse(&[&long]), Err(EdgeError::Address(_))));
        let twice = ["wss://a.example", "wss://a.example:443"];
        assert_eq!(parse(&twice), Err(EdgeError::Twice(twice[1].to_owned())));
        let many: Vec<String> = (0..300).map(|number| format!("ws://edge{number}.example")).collect();
        assert_eq!(Edge::parse_list(&many), Err(EdgeError::TooMany { limit: 256 }));
    }
}

//! Where a stream is, and what is spoken there.

use headwater_media::{InvalidName, StreamName, limits};
use headwater_webrtc::Transport;
use http::HeaderValue;
use url::Url;

/// The longest URL that is taken, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// The longest label of a rendition (RFC 8851 §10).
const LABEL_BYTES_MAX: usize = 16;
/// Stands where something is not shown.
const HIDDEN: &str = "***";

/// A stream of another server.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    url: Url,
    host: String,
    port: u16,
    /// `None` where the URL says it.
    name: Option<StreamName>,
    /// Shows that this server is one that works together with it.
    proof: Option<HeaderValue>,
    transport: Transport,
    /// The labels of those that are wanted; all where there are none.
    renditions: Vec<String>,
}

/// Why a URL leads to no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRemote {
    /// It is no URL.
    #[error("not a URL: {0}")]
    Syntax(#[from] url::ParseError),
    /// Nothing is spoken there that is known here.
    #[error("{0:?} is not a URL of ws, wss, http or https")]
    Scheme(String),
    /// It has no host.
    #[error("it has no host")]
    NoHost,
    /// User and password stand before the host.
    #[error("it has a user before its host; put a token into its query, as ?token=TOKEN")]
    Userinfo,
    /// The session protocol needs the name of a stream.
    #[error("the name of the stream on the other server is missing")]
    NoName,
    /// No rendition can have that label.
    #[error("{0:?} is no size of a picture: they have names of letters, digits, - and _, such as h")]
    Rendition(String),
    /// Those are more renditions than one session carries.
    #[error("no more than {0} sizes can be wanted at once")]
    TooManyRenditions(usize),
    /// WHIP and WHEP know one rendition only.
    #[error("by WHIP and WHEP a picture goes in one size; use the wss address of the other server")]
    OneSize,
    /// No stream can have that name.
    #[error("not a stream name: {0}")]
    Name(#[from] InvalidName),
}

/// What is spoken at a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signalling {
    Wcs,
    /// WHEP or WHIP.
    Http,
}

impl Remote {
    /// A stream by the URL of its server, and by its name where the URL does not say it.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn parse(url: &str, name: Option<&str>) -> Result<Remote, InvalidRemote> {
        if url.len() > URL_BYTES_MAX {
            return Err(url::ParseError::Overflow.into());
        }
        let url = Url::parse(url)?;
        let is_wcs = match url.scheme() {
            "ws" | "wss" => true,
            "http" | "https" => false,
            other => return Err(InvalidRemote::Scheme(other.chars().take(32).collect())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidRemote::Userinfo);
        }
        let name = name.filter(|name| !name.is_empty()).map(StreamName::new).transpose()?;
        if is_wcs && name.is_none() {
            return Err(InvalidRemote::NoName);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidRemote::NoHost)?.to_owned();
        // The ports at which servers of the session protocol listen, where the URL has none.
        let port = match (url.port(), url.scheme()) {
            (Some(port), _) => port,
            (None, "ws") => 8080,
            (None, "wss") => 8443,
            (None, "https") => 443,
            (None, _) => 80,
        };
        Ok(Remote { url, host, port, name, proof: None, transport: Transport::Udp, renditions: Vec::new() })
    }

    /// The same of a server that this one works together with, and shows it by this: see
    /// [`headwater_access::SERVER_HEADER`].
    pub fn with_proof(mut self, proof: String) -> Remote {
        self.proof = HeaderValue::try_from(proof).ok();
        self
    }

    /// The same with media over this transport.
    pub fn over(mut self, transport: Transport) -> Remote {
        self.transport = transport;
        self
    }

    /// What media goes over.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The same with these renditions of the picture alone, by their labels, and not with all that there are; with all
    /// where there are none. A server of the session protocol alone can be asked for that, or brought it.
    ///
    /// # Errors
    /// There are too many, one is no label, or the URL is that of WHIP or WHEP.
    pub fn with_renditions(mut self, labels: Vec<String>) -> Result<Remote, InvalidRemote> {
        let is_label = |label: &str| {
            let fits = (1..=LABEL_BYTES_MAX).contains(&label.len());
            fits && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if let Some(wrong) = labels.iter().find(|label| !is_label(label)) {
            return Err(InvalidRemote::Rendition(wrong.chars().take(LABEL_BYTES_MAX).collect()));
        }
        let most = limits::HOP_RENDITIONS.get_usize();
        if labels.len() > most {
            return Err(InvalidRemote::TooManyRenditions(most));
        }
        if !labels.is_empty() && self.signalling() == Signalling::Http {
            return Err(InvalidRemote::OneSize);
        }
        self.renditions.clear();
        for label in labels {
            if !self.renditions.contains(&label) {
                self.renditions.push(label);
            }
        }
        Ok(self)
    }

    /// The labels of the renditions that are wanted; all where there are none.
    pub fn renditions(&self) -> &[String] {
        &self.renditions
    }

    pub(crate) fn proof(&self) -> Option<&HeaderValue> {
        self.proof.as_ref()
    }

    pub(crate) fn signalling(&self) -> Signalling {
        if self.url.scheme().starts_with("ws") { Signalling::Wcs } else { Signalling::Http }
    }

    /// The host of its server.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether its server is spoken to within TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self.url.scheme(), "wss" | "https")
    }

    /// Its name there, where that is not part of the URL.
    pub fn name(&self) -> Option<&StreamName> {
        self.name.as_ref()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The URL without what may be a secret.
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        if url.query().is_some() {
            url.set_query(Some(HIDDEN));
        }
        url.set_fragment(None);
        url.to_string()
    }

    /// Whether a text is its URL, whole or as it is shown.
    pub fn is_at(&self, text: &str) -> bool {
        let shown = self.shown();
        let bare = |text: &str| text.trim_end_matches('/').to_owned();
        bare(text) == bare(&shown) || bare(text) == bare(self.url.as_str())
    }

    /// Words of the other server without what it may have repeated of the secrets.
    pub fn hide(&self, words: &str) -> String {
        let values = self.url.query_pairs().map(|(_, value)| value.into_owned());
        let secrets = values.filter(|secret| secret.len() > 4);
        let hidden = secrets.fold(words.to_owned(), |words, secret| words.replace(&secret, HIDDEN));
        hidden.chars().filter(|letter| !letter.is_control()).take(300).collect()
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.shown(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_host_port_and_what_is_spoken() {
        let cases = [
            ("wss://a.example:8443", Some("cam"), "a.example", 8443, true, Signalling::Wcs),
            ("ws://a.example", Some("cam"), "a.example", 8080, false, Signalling::Wcs),
            ("wss://[2001:db8::1]/x", Some("cam"), "[2001:db8::1]", 8443, true, Signalling::Wcs),
            ("https://a.example/cam/whep", None, "a.example", 443, true, Signalling::Http),
            ("http://10.0.0.1:8081/cam/whep?token=x", None, "10.0.0.1", 8081, false, Signalling::Http),
        ];
        for (url, name, host, port, secure, signalling) in cases {
            let remote = Remote::parse(url, name).unwrap();
            let seen = (remote.host(), remote.port(), remote.is_secure(), remote.signalling());
            assert_eq!(seen, (host, port, secure, signalling), "{url}");
        }
    }

    #[test]
    fn renditions_are_wanted_by_their_labels_up_to_the_limit_and_by_the_session_protocol_alone() {
        let remote = |url: &str| Remote::parse(url, Some("cam")).unwrap();
        let wanting = |url: &str, labels: &[&str]| {
            remote(url).with_renditions(labels.iter().map(|label| (*label).to_owned()).collect())
        };
        assert_eq!(wanting("wss://a.example", &["h", "q", "h"]).unwrap().renditions(), ["h", "q"]);
        assert!(wanting("https://a.example/cam/whep", &[]).unwrap().renditions().is_empty());
        assert_eq!(wanting("https://a.example/cam/whep", &["h"]), Err(InvalidRemote::OneSize));
        let most = limits::HOP_RENDITIONS.get_usize();
        assert_eq!(wanting("wss://a.example", &vec!["h"; most + 1]), Err(InvalidRemote::TooManyRenditions(most)));
        for wrong in ["", "a b", "a\r\nm=video", "seventeen-letters"] {
            assert!(matches!(wanting("wss://a.example", &[wrong]), Err(InvalidRemote::Rendition(_))), "{wrong:?}");
        }
    }

    #[test]
    fn what_leads_to_no_stream_is_refused() {
        let long = format!("wss://a.example/{}", "x".repeat(3_000));
        let refused = |url: &str, name| Remote::parse(url, name).unwrap_err();
        assert!(matches!(refused("cam", Some("cam")), InvalidRemote::Syntax(_)));
        assert!(matches!(refused(&long, Some("cam")), InvalidRemote::Syntax(_)));
        assert_eq!(refused("rtmp://a.example/live/x", Some("cam")), InvalidRemote::Scheme("rtmp".into()));
        assert_eq!(refused("wss://a:b@c.example", Some("cam")), InvalidRemote::Userinfo);
        assert_eq!(refused("wss://c.example", None), InvalidRemote::NoName);
        assert_eq!(refused("wss://c.example", Some("")), InvalidRemote::NoName);
        assert!(matches!(refused("wss://c.example", Some("a b\n")), InvalidRemote::Name(_)));
    }

    #[test]
    fn secrets_are_not_shown() {
        let remote = Remote::parse("wss://a.example:8443/?token=secret-one", Some("cam")).unwrap();
        assert_eq!(remote.shown(), "wss://a.example:8443/?***");
        assert!(!format!("{remote:?}").contains("secret-one"));
        assert_eq!(remote.hide("no secret-one\n here"), "no *** here");
        assert!(remote.is_at("wss://a.example:8443/?token=secret-one") && remote.is_at(&remote.shown()));
        let plain = Remote::parse("wss://a.example:8443", Some("cam")).unwrap();
        assert!(plain.is_at("wss://a.example:8443") && !plain.is_at("wss://a.example:8444"));
    }
}

//! What is spoken at a URL.

use std::fmt;

use headwater_agent::{InvalidRemote, Remote};
use headwater_rtmp::{InvalidUrl, RtmpUrl};
use url::Url;

use super::{HlsPlan, NUMBER, TaskPlan, What};

/// What an agent speaks with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// WHEP (draft-ietf-wish-whep-03).
    Whep,
    /// WHIP (RFC 9725).
    Whip,
    /// The session protocol of WCS.
    Session,
    /// RTMP.
    Rtmp,
    /// HLS (RFC 8216).
    Hls,
    /// Fragmented MP4 over WebSocket.
    Mse,
    /// Coded frames over WebSocket.
    WsPlayer,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Whep => "WHEP",
            Protocol::Whip => "WHIP",
            Protocol::Session => "the session protocol",
            Protocol::Rtmp => "RTMP",
            Protocol::Hls => "HLS",
            Protocol::Mse => "MSE",
            Protocol::WsPlayer => "WSPlayer",
        })
    }
}

/// Where one agent goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it speaks there.
    pub protocol: Protocol,
    /// The URL, with the agent's number, without its token.
    pub url: Url,
    /// The name of the stream, for the session protocol.
    pub stream: Option<String>,
    /// Who says which server it is.
    pub(crate) balancer: Option<Url>,
    /// How it plays, where that is by HLS.
    pub hls: HlsPlan,
    /// Shown to the server.
    token: Option<String>,
}

/// Why a URL is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is no URL.
    #[error("not a URL: {0}")]
    Syntax(#[from] url::ParseError),
    /// It has no host.
    #[error("it has no host")]
    NoHost,
    /// Nothing is spoken there that is known here.
    #[error("{0:?} is no scheme that agents speak; there are http, https, ws, wss, rtmp and rtmps")]
    Scheme(String),
    /// The server is spoken to by the session protocol, which needs a name.
    #[error("the session protocol needs the name of the stream: say `stream`")]
    NoStream,
    /// It cannot be done by this protocol.
    #[error("agents cannot {what} by {protocol}")]
    Unable {
        /// What is asked for.
        what: What,
        /// By what.
        protocol: Protocol,
    },
    /// It leads to no stream.
    #[error(transparent)]
    Remote(#[from] InvalidRemote),
    /// It leads to no stream of RTMP.
    #[error(transparent)]
    Rtmp(#[from] InvalidUrl),
}

impl Target {
    /// Where this agent of a task publishes or plays; for a pair where it publishes.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub(crate) fn of(task: &TaskPlan, agent: u32) -> Result<Target, InvalidTarget> {
        let what = if task.what == What::Pairs { What::Publish } else { task.what };
        Target::parse(task, &task.target, what, agent)
    }

    /// Where this pair plays what it publishes.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub(crate) fn of_playback(task: &TaskPlan, agent: u32) -> Result<Target, InvalidTarget> {
        let whep = || task.target.strip_suffix("/whip").map(|start| format!("{start}/whep"));
        let url = task.playback.clone().or_else(whep).unwrap_or_else(|| task.target.clone());
        Target::parse(task, &url, What::Play, agent)
    }

    fn parse(task: &TaskPlan, url: &str, what: What, agent: u32) -> Result<Target, InvalidTarget> {
        let number = task.number(agent).to_string();
        let url = Url::parse(&url.replace(NUMBER, &number))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidTarget::NoHost);
        }
        let protocol = protocol(&url, what)?;
        if !is_able(what, protocol) {
            return Err(InvalidTarget::Unable { what, protocol });
        }
        let stream = task.stream.as_ref().map(|stream| stream.replace(NUMBER, &number));
        if protocol == Protocol::Session && what != What::Websocket && stream.is_none() {
            return Err(InvalidTarget::NoStream);
        }
        let balancer = task.balancer.as_deref().map(Url::parse).transpose()?;
        let target = Target { protocol, url, stream, balancer, hls: task.hls, token: task.token.clone() };
        match protocol {
            Protocol::Rtmp => drop(target.rtmp()?),
            _ if what == What::Publish => drop(target.remote()?),
            _ => {}
        }
        Ok(target)
    }

    /// The same taken apart as RTMP has it.
    pub(crate) fn rtmp(&self) -> Result<RtmpUrl, InvalidUrl> {
        RtmpUrl::parse(self.with_token().as_str())
    }

    /// The same for the agent of the workspace that publishes.
    pub(crate) fn remote(&self) -> Result<Remote, InvalidRemote> {
        Remote::parse(self.with_token().as_str(), self.stream.as_deref())
    }

    /// The URL with the token in its query, where the server reads it.
    pub(crate) fn with_token(&self) -> Url {
        let mut url = self.url.clone();
        if let Some(token) = &self.token {
            url.query_pairs_mut().append_pair("token", token);
        }
        url
    }

    /// What is shown to the server, as a bearer.
    pub(crate) fn token(&self) -> Option<String> {
        let in_query = || self.url.query_pairs().find(|(key, _)| key == "token").map(|(_, token)| token.into_owned());
        self.token.clone().or_else(in_query)
    }

    /// The same at another server.
    pub(crate) fn at(&self, host: &str, port: u16) -> Result<Target, InvalidTarget> {
        let mut url = self.url.clone();
        url.set_host(Some(host))?;
        // Nothing but a URL without a host has no port.
        url.set_port(Some(port)).map_err(|()| InvalidTarget::NoHost)?;
        Ok(Target { url, ..self.clone() })
    }

    /// Words of the server without the token, which it may have repeated.
    pub(crate) fn hide(&self, words: &str) -> String {
        match self.token().filter(|token| token.len() > 4) {
            Some(token) => words.replace(&token, "***"),
            None => words.to_owned(),
        }
    }

    /// The host, and the port that is connected to.
    pub(crate) fn place(&self) -> (&str, u16) {
        let port = match self.url.scheme() {
            "ws" if self.protocol == Protocol::Session => 8_080,
            "wss" if self.protocol == Protocol::Session => 8_443,
            "rtmp" => 1_935,
            "rtmps" | "https" | "wss" => 443,
            _ => 80,
        };
        // What has no port in its URL may stand at the one its scheme is known for.
        (self.url.host_str().unwrap_or_default(), self.url.port().unwrap_or(port))
    }

    /// Whether it is spoken to within TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.url.scheme(), "https" | "wss" | "rtmps")
    }
}

fn protocol(url: &Url, what: What) -> Result<Protocol, InvalidTarget> {
    Ok(match url.scheme() {
        "http" | "https" if url.path().ends_with(".m3u8") => Protocol::Hls,
        "http" | "https" if what == What::Publish => Protocol::Whip,
        "http" | "https" => Protocol::Whep,
        "ws" | "wss" if url.path().starts_with("/mse/") => Protocol::Mse,
        "ws" | "wss" if url.path().starts_with("/ws/") => Protocol::WsPlayer,
        "ws" | "wss" => Protocol::Session,
        "rtmp" | "rtmps" => Protocol::Rtmp,
        other => return Err(InvalidTarget::Scheme(other.chars().take(32).collect())),
    })
}

/// What agents can do.
fn is_able(what: What, protocol: Protocol) -> bool {
    match what {
        What::Play => protocol != Protocol::Whip,
        What::Publish | What::Pairs => matches!(protocol, Protocol::Whip | Protocol::Session | Protocol::Rtmp),
        What::Websocket => protocol == Protocol::Session,
    }
}

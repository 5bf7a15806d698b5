//! Answers, with what caches and browsers may do with them.

use std::time::SystemTime;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use headwater_access::{Refused, Why};
use headwater_graph::SubscribeError;

use super::body::Pieces;
use crate::{error::HlsError, hls::Denied, names::HOME_COOKIE, playlist::CONTENT_TYPE};

/// What an address holds never changes, and is forgotten when its stream is.
const IMMUTABLE: &str = "public, max-age=3600, immutable";

/// An answer with content.
pub(super) struct Reply {
    status: StatusCode,
    body: Pieces,
    fields: Vec<(HeaderName, HeaderValue)>,
}

/// An answer without content.
#[derive(Debug)]
pub(super) enum Trouble {
    NotFound(&'static str),
    BadRequest(&'static str),
    TooMany(String),
    Range(u64),
    /// What was waited for did not come.
    Late,
    /// The viewer was told to go.
    Dismissed(Refused),
    Access(Refused),
    Media(HlsError),
}

impl From<Denied> for Trouble {
    fn from(denied: Denied) -> Trouble {
        match denied {
            Denied::Access(refused) => Trouble::Access(refused),
            Denied::Media(error) => Trouble::Media(error),
        }
    }
}

impl From<HlsError> for Trouble {
    fn from(error: HlsError) -> Trouble {
        Trouble::Media(error)
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

/// Players live on other sites than the media; no cookies are taken from them (Fetch standard, CORS protocol).
fn open(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

pub(super) fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    open(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, range"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

impl Reply {
    pub(super) fn new(content_type: &'static str, pieces: Vec<Bytes>) -> Reply {
        let fields = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Reply { status: StatusCode::OK, body: Pieces::new(pieces), fields }
    }

    /// A playlist; one that was waited for may be kept by caches for so many seconds.
    pub(super) fn playlist(text: Bytes, is_compressed: bool, kept: Option<u64>) -> Reply {
        let reply = Reply::new(CONTENT_TYPE, vec![text]).compressed(is_compressed);
        match kept {
            Some(seconds) => reply.cached(seconds),
            None => reply.revalidated(),
        }
    }

    /// What stands for an answer that has been written past this conversation; nobody sees it.
    pub(super) fn passed() -> Reply {
        Reply::new(CONTENT_TYPE, Vec::new())
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.fields.push((name, value));
        self
    }

    /// Says to players that keep cookies (RFC 6265) by what the server is found again that has the rest. ffmpeg keeps none
    /// without a path.
    pub(super) fn at_home(self, home: &str) -> Reply {
        let mark = home.trim_start_matches(['/', '~']);
        self.with(header::SET_COOKIE, text(&format!("{HOME_COOKIE}={mark}; Path=/; HttpOnly; SameSite=Lax")))
    }

    /// Another one for everybody who comes.
    pub(super) fn uncached(self) -> Reply {
        self.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// Old as soon as something is added.
    pub(super) fn revalidated(self) -> Reply {
        self.with(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
    }

    /// Good for so many seconds.
    pub(super) fn cached(self, seconds: u64) -> Reply {
        self.with(header::CACHE_CONTROL, text(&format!("max-age={seconds}")))
    }

    pub(super) fn immutable(self) -> Reply {
        self.with(header::CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE))
    }

    pub(super) fn compressed(self, is_compressed: bool) -> Reply {
        let reply = self.with(header::VARY, HeaderValue::from_static("accept-encoding"));
        if is_compressed { reply.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { reply }
    }

    /// The bytes that one range asks for (RFC 9110 §14); several at once, and what is no range, give all.
    pub(super) fn with_range(self, headers: &HeaderMap) -> Result<Reply, Trouble> {
        let reply = self.with(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let all = reply.body.len();
        let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let Some((from, to)) = asked.and_then(|asked| range(asked, all)) else { return Ok(reply) };
        if from >= to {
            return Err(Trouble::Range(all));
        }
        let mut reply = reply.with(header::CONTENT_RANGE, text(&format!("bytes {from}-{}/{all}", to - 1)));
        reply.body = reply.body.cut(from, to);
        reply.status = StatusCode::PARTIAL_CONTENT;
        Ok(reply)
    }

    /// The answer as it goes over a connection that stays open (RFC 9112 §4), at a time of day.
    pub(super) fn write(self, now: SystemTime) -> Bytes {
        let (reason, length) = (self.status.canonical_reason().unwrap_or_default(), self.body.len());
        let date = jiff::Timestamp::try_from(now).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut out = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        let mut field = |name: &HeaderName, value: &[u8]| {
            for piece in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(piece);
            }
        };
        self.fields.iter().for_each(|(name, value)| field(name, value.as_bytes()));
        field(&header::CONTENT_LENGTH, length.to_string().as_bytes());
        field(&header::ACCESS_CONTROL_ALLOW_ORIGIN, b"*");
        field(&header::DATE, date.as_bytes());
        out.extend_from_slice(b"\r\n");
        self.body.pieces().for_each(|piece| out.extend_from_slice(piece));
        out.into()
    }

    pub(super) fn into_response(self) -> Response {
        let length = self.body.len();
        let mut response = Response::new(Body::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.fields);
        headers.insert(header::CONTENT_LENGTH, length.into());
        open(headers);
        response
    }
}

/// From where to before where.
fn range(asked: &str, all: u64) -> Option<(u64, u64)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let last: u64 = last.trim().parse().ok()?;
        return Some((all.saturating_sub(last), all));
    }
    let first: u64 = first.trim().parse().ok()?;
    let to = match last.trim() {
        "" => all,
        last => last.parse::<u64>().ok()?.saturating_add(1).min(all),
    };
    Some((first, to))
}

impl Trouble {
    pub(super) fn into_response(self) -> Response {
        let (status, sentence) = match &self {
            Trouble::NotFound(sentence) => (StatusCode::NOT_FOUND, (*sentence).to_owned()),
            Trouble::BadRequest(sentence) => (StatusCode::BAD_REQUEST, (*sentence).to_owned()),
            Trouble::TooMany(sentence) => (StatusCode::TOO_MANY_REQUESTS, sentence.clone()),
            Trouble::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "there are not so many bytes".to_owned()),
            Trouble::Late => (StatusCode::SERVICE_UNAVAILABLE, "the source has sent nothing new in time".to_owned()),
            Trouble::Dismissed(refused) if refused.why == Why::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, refused.sentence.clone())
            }
            Trouble::Dismissed(refused) => (StatusCode::FORBIDDEN, refused.sentence.clone()),
            Trouble::Access(refused) => (status_of(refused), refused.sentence.clone()),
            Trouble::Media(error) => (status_of_media(error), error.to_string()),
        };
        let mut response = (status, format!("{sentence}.\n")).into_response();
        let headers = response.headers_mut();
        open(headers);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match status {
            StatusCode::UNAUTHORIZED => {
                // Players that have name and password in the address send them only when they are asked for.
                for scheme in ["Bearer", "Basic realm=\"streams\""] {
                    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
                }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && matches!(self, Trouble::Dismissed(_) | Trouble::Access(_)) {
            // Whatever stands before several servers sends the next request to another.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Trouble::Range(all) = self {
            headers.insert(header::CONTENT_RANGE, text(&format!("bytes */{all}")));
        }
        response
    }
}

fn status_of(refused: &Refused) -> StatusCode {
    match refused.why {
        Why::Unknown => StatusCode::UNAUTHORIZED,
        Why::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    }
}

fn status_of_media(error: &HlsError) -> StatusCode {
    match error {
        HlsError::Stream(SubscribeError::NotFound { .. }) => StatusCode::NOT_FOUND,
        HlsError::Stream(_) => StatusCode::BAD_GATEWAY,
        HlsError::Convert(_) | HlsError::Container(_) => StatusCode::NOT_ACCEPTABLE,
        HlsError::Full(_) | HlsError::Late(_) | HlsError::Empty => StatusCode::SERVICE_UNAVAILABLE,
    }
}

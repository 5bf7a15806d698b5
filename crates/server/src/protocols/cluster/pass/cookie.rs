//! Players that forget where they were led.
//!
//! A description of DASH says where it is read again, and by a mark where all is that it leads to. ffmpeg reads it again
//! where it did before, and takes the new times for addresses of the old: it has to be answered by the server that
//! answered first. It keeps cookies, so one of them has the mark of that server.

use axum::http::{HeaderMap, Request, Uri, header, uri::PathAndQuery};
use headwater_hls::{HOME_COOKIE, is_dash};

use super::{PREFIX, Passing, is_owned};

impl Passing {
    /// Leads a request for a description to the server that its cookie names, if that is another that lives.
    pub(crate) fn lead<B>(&self, mut request: Request<B>) -> Request<B> {
        let path = request.uri().path();
        if !is_dash(path) || is_owned(path) {
            return request;
        }
        let other =
            mark_of(request.headers()).filter(|mark| *mark != self.0.mark && self.0.owners.find(mark).is_some());
        if let Some(uri) = other.and_then(|mark| with_mark(request.uri(), mark)) {
            *request.uri_mut() = uri;
        }
        request
    }
}

/// What the cookie says (RFC 6265 §4.2.1).
fn mark_of(headers: &HeaderMap) -> Option<&str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == HOME_COOKIE).then_some(value))
}

fn with_mark(uri: &Uri, mark: &str) -> Option<Uri> {
    let path: PathAndQuery = format!("{PREFIX}{mark}{}", uri.path_and_query()?).parse().ok()?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_among_other_cookies() {
        for (fields, expected) in [
            (&[][..], None),
            (&["a=b"], None),
            (&["headwater-home=0a1b"], Some("0a1b")),
            (&["a=b; headwater-home=0a1b; c=d"], Some("0a1b")),
            (&["a=b", "headwater-home=0a1b"], Some("0a1b")),
            (&["not-headwater-home=0a1b; headwater-home"], None),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(header::COOKIE, field.parse().unwrap());
            }
            assert_eq!(mark_of(&headers), expected, "{fields:?}");
        }
        let uri = "/room/manifest.mpd?token=a".parse().unwrap();
        assert_eq!(with_mark(&uri, "0a1b").unwrap(), "/~0a1b/room/manifest.mpd?token=a");
        assert!(with_mark(&uri, "a b\r\n").is_none());
    }
}

//! From an HTTP request to a WebSocket.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// How long the HTTP server may take to hand the connection over.
const HAND_OVER_TIME: Duration = Duration::from_secs(10);

/// The connection of a WebSocket.
pub type Socket = TokioIo<Upgraded>;

/// Whether a request asks for a WebSocket (RFC 6455 §4.1).
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    let has = |name: header::HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    has(header::UPGRADE, "websocket") && has(header::CONNECTION, "upgrade")
}

/// Answers a request for a WebSocket; yields the answer, and the connection as soon as that has been sent. There is
/// none if the HTTP server has not handed it over in time.
///
/// # Errors
/// The request is none for a WebSocket that is spoken here.
pub fn upgrade(
    request: &mut Request,
) -> Result<(Response, impl Future<Output = Option<Socket>> + Send + 'static), Refused> {
    let key = check(request)?;
    let upgraded = hyper::upgrade::on(request);
    let socket = async {
        let upgraded = tokio::time::timeout(HAND_OVER_TIME, upgraded).await;
        upgraded.ok().and_then(Result::ok).map(TokioIo::new)
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    Ok((response, socket))
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What to answer.
    pub status: StatusCode,
    /// Why, for people.
    pub sentence: &'static str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let fields = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::SEC_WEBSOCKET_VERSION, "13")];
        (self.status, fields, format!("{}.\n", self.sentence)).into_response()
    }
}

/// Checks a request by RFC 6455 §4.2.1; yields what to answer to its key.
fn check(request: &Request) -> Result<String, Refused> {
    let refused = |status, sentence| Err(Refused { status, sentence });
    let headers = request.headers();
    if request.method() != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return refused(StatusCode::UPGRADE_REQUIRED, "only version 13 of WebSocket is spoken here");
    }
    match headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).filter(|key| key.len() == 24) {
        Some(key) => Ok(derive_accept_key(key)),
        None => refused(StatusCode::BAD_REQUEST, "the Sec-WebSocket-Key is missing or not of 16 bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455 §1.3, with one field changed.
    fn request(name: &str, value: Option<&str>) -> Request {
        let fields = [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::new(Body::empty());
        for (field, usual) in fields {
            let value = if field == name { value } else { Some(usual) };
            if let Some(value) = value {
                request.headers_mut().insert(field, HeaderValue::from_str(value).unwrap());
            }
        }
        request
    }

    fn status(name: &str, value: Option<&str>) -> u16 {
        match upgrade(&mut request(name, value)) {
            Ok((response, _)) => response.status().as_u16(),
            Err(refused) => refused.into_response().status().as_u16(),
        }
    }

    #[tokio::test]
    async fn the_handshake_of_the_specification_is_answered_as_it_says() {
        let (response, _) = upgrade(&mut request("", None)).unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_upgrade(request("", None).headers()));
    }

    #[tokio::test]
    async fn what_is_no_handshake_is_refused() {
        assert!(!is_upgrade(request("upgrade", None).headers()));
        assert!(!is_upgrade(request("connection", Some("keep-alive")).headers()));
        assert_eq!(status("sec-websocket-version", Some("8")), 426);
        assert_eq!(status("sec-websocket-key", Some("short")), 400);
        assert_eq!(status("sec-websocket-key", None), 400);
        let mut post = request("", None);
        *post.method_mut() = Method::POST;
        assert_eq!(upgrade(&mut post).err().unwrap().status, 405);
    }
}

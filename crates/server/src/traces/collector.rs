//! The way to a collector: OTLP over HTTP/1.1 with protocol buffers (OTLP 1.9 §OTLP/HTTP).

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Request, StatusCode, Uri, header},
};
use headwater_media::limits;
use headwater_net::{Dialer, Reach};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use tokio::time::timeout;

/// Where traces are taken, below the address of a collector.
const PATH: &str = "/v1/traces";
/// What an answer may have: a sentence about spans that were not taken.
const ANSWER_BYTES: usize = 64 << 10;

/// A collector, and the connection to it that is kept.
pub(super) struct Collector {
    dialer: Dialer,
    address: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    connection: Option<SendRequest<Body>>,
}

/// Why spans were not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// They may be taken later.
    Later(String),
    /// They will not be.
    Never(String),
}

impl Collector {
    pub(super) fn new(endpoint: &str, headers: &[String]) -> Result<Collector, String> {
        // The operator names the address, so it may be anywhere.
        let anywhere = Reach::new(["0.0.0.0/0", "::/0"]).map_err(|entry| format!("{entry} is no network"))?;
        let dialer = Dialer::new(anywhere, None).map_err(|error| error.to_string())?;
        let headers = headers.iter().filter_map(|entry| header(entry)).collect();
        Ok(Collector { dialer, address: address(endpoint)?, headers, connection: None })
    }

    /// Sends spans; says how many of them the collector does not want.
    pub(super) async fn send(&mut self, spans: &ExportTraceServiceRequest) -> Result<u64, Failure> {
        let time = limits::TRACE_SEND_MS.get_duration();
        timeout(time, self.exchange(spans.encode_to_vec().into())).await.unwrap_or_else(|_| {
            limits::TRACE_SEND_MS.hit();
            Err(Failure::Later(format!("no answer within {time:?}")))
        })
    }

    async fn exchange(&mut self, body: Bytes) -> Result<u64, Failure> {
        let mut sender = match self.connection.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        let mut request = Request::post(self.address.path_and_query().map_or(PATH, |path| path.as_str()))
            .header(header::HOST, self.address.authority().map_or("", |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::USER_AGENT, concat!("headwater/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body)).map_err(|error| Failure::Never(error.to_string()))?;
        let lost = |error: hyper::Error| Failure::Later(error.to_string());
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let answer = axum::body::to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await;
        let answer = answer.map_err(|error| Failure::Later(error.to_string()))?;
        self.connection = Some(sender);
        judge(status, &answer)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, Failure> {
        let is_tls = self.address.scheme_str() == Some("https");
        let port = self.address.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let dialed = self.dialer.dial(self.address.host().unwrap_or_default(), port, is_tls).await;
        let dialed = dialed.map_err(|error| Failure::Later(error.to_string()))?;
        let begun = http1::handshake(TokioIo::new(dialed)).await;
        let (sender, connection) = begun.map_err(|error| Failure::Later(error.to_string()))?;
        // Ends with the sender.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// OTLP 1.9: 429, 502, 503 and 504 may pass, other errors do not; a success may leave spans out.
fn judge(status: StatusCode, answer: &[u8]) -> Result<u64, Failure> {
    if status.is_success() {
        let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
        return Ok(partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)));
    }
    let said = format!("the collector answers {status}");
    match status.as_u16() {
        429 | 502..=504 => Err(Failure::Later(said)),
        _ => Err(Failure::Never(said)),
    }
}

/// Reads the address of a collector. The error ends a sentence that begins with its key.
pub(super) fn address(endpoint: &str) -> Result<Uri, String> {
    let uri: Uri = endpoint.parse().map_err(|_| "is no address that can be read".to_owned())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    let (true, Some(_)) = (is_web, host) else {
        return Err("is no http:// or https:// address without a user".to_owned());
    };
    if uri.path().len() > 1 {
        return Ok(uri);
    }
    format!("{}{PATH}", endpoint.trim_end_matches('/')).parse().map_err(|_| "holds more than an address".to_owned())
}

/// Reads a header, `NAME=VALUE`. Its value is nobody's business.
pub(super) fn header(entry: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = entry.split_once('=')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_that_of_a_collector() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://example.org/", "https://example.org/v1/traces"),
            ("https://example.org/otlp/v1/traces", "https://example.org/otlp/v1/traces"),
        ] {
            assert_eq!(address(endpoint).unwrap().to_string(), expected);
        }
        for wrong in ["", "collector:4317", "grpc://example.org", "http://ann:secret@example.org", "http://a b"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_keep_their_values_to_themselves() {
        let (name, value) = header("Authorization = Bearer a=b").unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes(), value.is_sensitive()),
            ("authorization", &b"Bearer a=b"[..], true)
        );
        assert!(header("authorization").is_none() && header("a b=c").is_none() && header("a=b\nc").is_none());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap(), b"");
        assert_eq!(judged(200), Ok(0));
        for status in [429, 502, 503, 504] {
            assert!(matches!(judged(status), Err(Failure::Later(_))), "{status}");
        }
        for status in [400, 401, 404, 413, 500] {
            assert!(matches!(judged(status), Err(Failure::Never(_))), "{status}");
        }
    }
}

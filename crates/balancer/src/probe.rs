//! Asks one edge how it is: whether it wants viewers (`/readyz`) and how busy it is (`/?action=stat`).

use bytes::Bytes;
use headwater_media::limits;
use headwater_net::{DialError, Dialer};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::edge::Edge;

const READY: &str = "/readyz";
const STATISTICS: &str = "/?action=stat&format=json&groups=streams_stats,system_stats";

/// How an edge is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Whether it wants viewers.
    pub(crate) accepts: bool,
    /// How busy it is, or why that is not known.
    pub(crate) load: Result<Load, String>,
}

/// How busy an edge is; what it does not say is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) viewers: Option<u64>,
    /// In percent.
    pub(crate) cpu: Option<f64>,
}

/// Why an edge does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// Network or edge: there is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Edge: it speaks no HTTP, or has hung up.
    #[error("it gave no answer: {0}")]
    Http(#[from] hyper::Error),
    /// Edge: the limit `BALANCER_ANSWER_BYTES`.
    #[error("its answer is longer than {0} bytes")]
    TooLong(u64),
    /// Network or edge: the body has not come whole.
    #[error("its answer broke off: {0}")]
    Broken(String),
    /// Network or edge: the limit `BALANCER_ANSWER_MS`.
    #[error("it did not answer within {0} ms")]
    TimedOut(u64),
    /// The request cannot be written, as with a token that no header can hold.
    #[error("it cannot be asked: {0}")]
    Request(#[from] http::Error),
}

/// The way to an edge; one connection is kept.
pub(crate) struct Probe {
    edge: Edge,
    dialer: Dialer,
    token: Option<String>,
    open: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Probe {
    pub(crate) fn new(edge: Edge, dialer: Dialer, token: Option<String>) -> Probe {
        Probe { edge, dialer, token, open: None }
    }

    /// Asks, within the time that an edge has to answer.
    pub(crate) async fn measure(&mut self) -> Result<Measured, ProbeError> {
        let limit = &limits::BALANCER_ANSWER_MS;
        let asked = timeout(limit.get_duration(), self.ask()).await.unwrap_or_else(|_| {
            limit.hit();
            Err(ProbeError::TimedOut(limit.get()))
        });
        if asked.is_err() {
            self.open = None;
        }
        asked
    }

    async fn ask(&mut self) -> Result<Measured, ProbeError> {
        let (status, _) = match self.get(READY).await {
            // A connection that has rested may be closed by the edge at the very moment it is used again.
            Err(ProbeError::Http(_)) if self.open.take().is_some_and(|open| open.sender.is_closed()) => {
                self.get(READY).await?
            }
            answer => answer?,
        };
        let accepts = status != StatusCode::SERVICE_UNAVAILABLE;
        let (status, body) = self.get(STATISTICS).await?;
        let load = match status {
            StatusCode::OK => Load::read(&body).ok_or_else(|| "its statistics are not in the form of WCS".to_owned()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err("it wants a token for its statistics: `token` below [balancer]".to_owned())
            }
            status => Err(format!("it answers {status} for its statistics")),
        };
        Ok(Measured { accepts, load })
    }

    async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), ProbeError> {
        let request = self.request(path)?;
        let open = match self.open.take().filter(|open| !open.sender.is_closed()) {
            Some(open) => open,
            None => self.connect().await?,
        };
        let sender = &mut self.open.insert(open).sender;
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let limit = &limits::BALANCER_ANSWER_BYTES;
        let body = Limited::new(body, limit.get_usize()).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                limit.hit();
                return ProbeError::TooLong(limit.get());
            }
            ProbeError::Broken(error.to_string())
        })?;
        Ok((head.status, body.to_bytes()))
    }

    async fn connect(&self) -> Result<Connection, ProbeError> {
        let (port, is_secure) = self.edge.door();
        let io = self.dialer.dial(self.edge.host(), port, is_secure).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        let driver = tokio::spawn(async move {
            // Whoever asks by it is told the same.
            let _ = connection.await;
        });
        Ok(Connection { sender, _driver: AbortOnDropHandle::new(driver) })
    }

    fn request(&self, path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
        let (port, _) = self.edge.door();
        let mut request = Request::get(path)
            .header(header::HOST, format!("{}:{port}", self.edge.host()))
            .header(header::USER_AGENT, concat!("headwater/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Empty::new())
    }
}

impl Load {
    /// What stands in the statistics of WCS, in JSON. Figures may be written as text.
    pub(crate) fn read(statistics: &[u8]) -> Option<Load> {
        let groups: Value = serde_json::from_slice(statistics).ok()?;
        let groups = groups.as_object()?;
        let figure = |group: &str, key: &str| match groups.get(group)?.get(key)? {
            Value::String(text) => text.trim().parse::<f64>().ok(),
            other => other.as_f64(),
        };
        let is_sound = |figure: &f64| figure.is_finite() && *figure >= 0.0;
        Some(Load {
            viewers: figure("streams_stats", "streams_viewers").filter(is_sound).map(|viewers| viewers as u64),
            cpu: figure("system_stats", "system_java_cpu_usage").filter(is_sound),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_read_from_whatever_an_edge_says() {
        let cases: &[(&str, Option<Load>)] = &[
            (
                r#"{"streams_stats": {"streams_viewers": 7}, "system_stats": {"system_java_cpu_usage": 12.5}}"#,
                Some(Load { viewers: Some(7), cpu: Some(12.5) }),
            ),
            (
                r#"{"streams_stats": {"streams_viewers": "7"}, "system_stats": {"system_java_cpu_usage": "0.5 "}}"#,
                Some(Load { viewers: Some(7), cpu: Some(0.5) }),
            ),
            (r#"{"streams_stats": {"streams_viewers": -1}, "system_stats": 5}"#, Some(Load::default())),
            (r#"{"streams_stats": {"streams_viewers": 1e300}}"#, Some(Load { viewers: Some(u64::MAX), cpu: None })),
            ("{}", Some(Load::default())),
            ("[]", None),
            ("-----Stream Stats-----", None),
            ("", None),
        ];
        for (statistics, expected) in cases {
            assert_eq!(Load::read(statistics.as_bytes()), *expected, "{statistics}");
        }
    }
}

//! Requests of one viewer: a connection of its own, kept for the next request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{task::JoinHandle, time::timeout};
use url::Url;

use super::playlist::Resource;
use crate::{Failure, agents::http as words, failure::Reason, plan::Target, worker::Worker};

/// Redirections that are followed, one after the other.
const REDIRECTIONS_MAX: usize = 4;

/// Asks for what one viewer loads.
pub(super) struct Fetcher<'a> {
    worker: &'a Worker,
    target: &'a Target,
    connection: Option<Connection>,
}

/// What was loaded.
pub(super) struct Loaded {
    pub(super) body: Bytes,
    /// Where it was in the end.
    pub(super) url: Url,
}

/// Why nothing was.
pub(super) enum Missed {
    /// The server says that it is not there.
    NotFound(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Missed> for Failure {
    fn from(missed: Missed) -> Failure {
        match missed {
            Missed::NotFound(failure) | Missed::Failed(failure) => failure,
        }
    }
}

struct Connection {
    origin: url::Origin,
    sender: SendRequest<Empty<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(worker: &'a Worker, target: &'a Target) -> Fetcher<'a> {
        Fetcher { worker, target, connection: None }
    }

    /// Loads what an address relative to another leads to, of at most so many bytes, within this time.
    ///
    /// # Errors
    /// It is not there, not whole, or not in time.
    pub(super) async fn load(
        &mut self,
        base: &Url,
        what: &Resource,
        bytes_max: usize,
        time: Duration,
    ) -> Result<Loaded, Missed> {
        let url = base.join(&what.uri);
        let url = url.map_err(|error| failed(Reason::Protocol, format!("a playlist leads to no address: {error}")))?;
        let loading = timeout(time, self.follow(url, what, bytes_max)).await;
        loading.unwrap_or_else(|_| {
            // An answer that still comes would be taken for that to the next request.
            self.connection = None;
            Err(failed(Reason::NoAnswer, format!("the server has not answered a request within {time:?}")))
        })
    }

    async fn follow(&mut self, mut url: Url, what: &Resource, bytes_max: usize) -> Result<Loaded, Missed> {
        for _ in 0..=REDIRECTIONS_MAX {
            let (status, headers, body) = self.ask(&url, what, bytes_max).await?;
            if status.is_redirection() {
                let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
                let next = place.and_then(|place| url.join(place).ok());
                url = next.ok_or_else(|| failed(Reason::Protocol, "a redirection leads nowhere"))?;
                continue;
            }
            let failure = || words::refusal(status, &String::from_utf8_lossy(&body), self.target);
            return match status {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Loaded { body, url }),
                StatusCode::NOT_FOUND | StatusCode::GONE => Err(Missed::NotFound(failure())),
                _ => Err(Missed::Failed(failure())),
            };
        }
        Err(failed(Reason::Protocol, format!("more than {REDIRECTIONS_MAX} redirections")))
    }

    /// One request. A connection that the server has closed since the one before is made anew, once.
    async fn ask(
        &mut self,
        url: &Url,
        what: &Resource,
        bytes_max: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Missed> {
        let kept = self.connection.take().filter(|kept| kept.origin == url.origin() && !kept.sender.is_closed());
        let was_kept = kept.is_some();
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect(url).await?,
        };
        let request = || self.request(url, what);
        let mut answer = connection.sender.send_request(request()?).await;
        if was_kept && answer.is_err() {
            connection = self.connect(url).await?;
            answer = connection.sender.send_request(request()?).await;
        }
        let wrong = |error: hyper::Error| {
            let reason = if error.is_parse() { Reason::Protocol } else { Reason::Lost };
            failed(reason, format!("no answer of HTTP: {error}"))
        };
        let (head, body) = answer.map_err(wrong)?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await.map_err(|error| {
            let is_long = error.downcast_ref::<LengthLimitError>().is_some();
            failed(if is_long { Reason::Protocol } else { Reason::Lost }, format!("the answer breaks off: {error}"))
        })?;
        if connection.sender.ready().await.is_ok() {
            self.connection = Some(connection);
        }
        Ok((head.status, head.headers, body.to_bytes()))
    }

    async fn connect(&self, url: &Url) -> Result<Connection, Missed> {
        let is_secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(failed(Reason::Protocol, format!("a playlist leads to {other:?}"))),
        };
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        let io = self.worker.dialer.dial(host, port, is_secure).await;
        let io = io.map_err(|error| Missed::Failed(error.into()))?;
        let shaken = http1::handshake(TokioIo::new(io)).await;
        let (sender, connection) = shaken.map_err(|error| failed(Reason::Protocol, error))?;
        // What goes wrong is told to whoever waits for an answer.
        let task = tokio::task::spawn_local(async move { drop(connection.await) });
        Ok(Connection { origin: url.origin(), sender, task })
    }

    fn request(&self, url: &Url, what: &Resource) -> Result<Request<Empty<Bytes>>, Missed> {
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder().uri(path).header(header::HOST, host);
        request = request.header(header::USER_AGENT, "Headwater load agent").header(header::ACCEPT, "*/*");
        if let Some(range) = &what.range {
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            request = request.header(header::RANGE, bytes);
        }
        // Nobody else is to see what opens the server's door.
        if let Some(token) = self.target.token().filter(|_| url.origin() == self.target.url.origin()) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Empty::new()).map_err(|error| Missed::Failed(Failure::generator(error)))
    }
}

fn failed(reason: Reason, words: impl ToString) -> Missed {
    Missed::Failed(Failure::new(reason, words))
}

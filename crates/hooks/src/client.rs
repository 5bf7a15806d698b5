//! The way to an application: HTTP/1.1 over connections that are kept, within the time that it has.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use headwater_access::Facts;
use headwater_graph::BoxFuture;
use headwater_media::limits;
use headwater_net::{Dialed, Dialer};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::rt;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::time::timeout;
use url::Url;

use crate::{
    error::HookError,
    method::Method,
    observer::Observation,
    signature::{SIGNATURE, Signer},
};

/// Connections that wait for their next use. Back ends close idle ones after five seconds, often; whoever sends into
/// that moment gets no answer.
const IDLE: Duration = Duration::from_secs(4);
const IDLE_MAX: usize = 16;

/// What an answer's head may take.
const HEAD_BYTES: usize = 16 << 10;

/// The back end of one application.
pub(crate) struct Backend {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    signer: Option<Signer>,
    with_wcs_hash: bool,
}

/// How a back end is reached.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) dialer: Dialer,
    pub(crate) connect_timeout: Duration,
    pub(crate) signer: Option<Signer>,
    pub(crate) with_wcs_hash: bool,
}

impl Backend {
    /// The back end whose hooks stand below an address.
    pub(crate) fn new(base: &Url, way: Way) -> Backend {
        let Way { dialer, connect_timeout, signer, with_wcs_hash } = way;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES)
            .build(Connector { dialer, timeout: connect_timeout });
        Backend { client, base: base.as_str().trim_end_matches('/').to_owned(), signer, with_wcs_hash }
    }

    /// Asks; gives back what a 200 answers, which may be nothing.
    pub(crate) async fn ask(
        &self,
        method: Method,
        body: Bytes,
        observed: Option<&dyn Observation>,
    ) -> Result<Facts, HookError> {
        let response = self.client.request(self.request(method, body, observed)?).await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(HookError::Status(response.status().as_u16()));
        }
        let max = limits::HOOK_ANSWER_BYTES.get();
        let limited = Limited::new(response.into_body(), limits::HOOK_ANSWER_BYTES.get_usize());
        let answer = limited.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                limits::HOOK_ANSWER_BYTES.hit();
                return HookError::TooLong(max);
            }
            HookError::Unreachable(error.to_string())
        })?;
        let answer = answer.to_bytes();
        if answer.trim_ascii().is_empty() {
            return Ok(Facts::new());
        }
        serde_json::from_slice(&answer).map_err(|_| HookError::NotJson)
    }

    /// Tells; any status of success will do, and what else it answers is not read.
    pub(crate) async fn tell(
        &self,
        method: Method,
        body: Bytes,
        time: Duration,
        observed: Option<&dyn Observation>,
    ) -> Result<(), HookError> {
        let told = async {
            let response = self.client.request(self.request(method, body, observed)?).await.map_err(unreachable)?;
            let status = response.status();
            // A connection is kept only when its answer has been read.
            let max = limits::HOOK_ANSWER_BYTES.get_usize();
            let _ = Limited::new(response.into_body(), max).collect().await;
            if status.is_success() { Ok(()) } else { Err(HookError::Status(status.as_u16())) }
        };
        timeout(time, told).await.unwrap_or(Err(HookError::TimedOut(time)))
    }

    fn request(
        &self,
        method: Method,
        body: Bytes,
        observed: Option<&dyn Observation>,
    ) -> Result<Request<Full<Bytes>>, HookError> {
        let mut request = Request::post(format!("{}/{}", self.base, method.name()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("headwater/", env!("CARGO_PKG_VERSION")));
        if let Some(observed) = observed {
            request = request.header("traceparent", observed.parent());
        }
        if let Some(signer) = &self.signer {
            request = request.header(SIGNATURE, signer.sign(SystemTime::now(), &body));
            if self.with_wcs_hash {
                request = request.header(header::AUTHORIZATION, signer.sign_as_wcs(&body));
            }
        }
        request.body(Full::new(body)).map_err(|error| HookError::Unreachable(error.to_string()))
    }
}

/// The whole of a chain of errors, since the outermost only says that something failed.
fn unreachable(error: impl std::error::Error) -> HookError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    HookError::Unreachable(text)
}

/// Connects by way of the server's own dialer.
#[derive(Clone)]
struct Connector {
    dialer: Dialer,
    timeout: Duration,
}

impl tower::Service<Uri> for Connector {
    type Response = Link;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Link>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { dialer, timeout: time } = self.clone();
        Box::pin(async move {
            let is_tls = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
            let dialed = timeout(time, dialer.dial(uri.host().unwrap_or_default(), port, is_tls)).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {time:?}"));
            let dialed = dialed.map_err(|_| late())?.map_err(|error| io::Error::other(error.to_string()))?;
            Ok(Link(TokioIo::new(dialed)))
        })
    }
}

/// A connection, as hyper wants it.
struct Link(TokioIo<Dialed>);

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl rt::Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl rt::Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

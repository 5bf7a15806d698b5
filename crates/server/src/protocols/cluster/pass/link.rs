//! Connections over which requests are passed on: kept for the next, and dialled as all to other nodes are.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Bytes, http::Uri};
use headwater_graph::BoxFuture;
use headwater_net::{DialError, Dialed, Dialer};
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower::Service;

/// Passes requests on.
pub(super) type Client = legacy::Client<Connector, Full<Bytes>>;

/// Shorter than any node keeps a connection without a request (limit `HTTP_HEADER_MS`).
const IDLE_TIME: Duration = Duration::from_secs(4);
const IDLE_MAX: usize = 64;

pub(super) fn client(dialer: Dialer) -> Client {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIME).pool_max_idle_per_host(IDLE_MAX);
    builder.build(Connector(dialer))
}

/// Connects to a node.
#[derive(Clone)]
pub(super) struct Connector(Dialer);

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<Link, DialError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move {
            let is_secure = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
            let dialed = dialer.dial(uri.host().unwrap_or_default(), port, is_secure).await?;
            Ok(Link(TokioIo::new(dialed)))
        })
    }
}

/// A connection to a node.
pub(super) struct Link(TokioIo<Dialed>);

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

//! The web server: one router on every port, under limits of size and time.

mod leftover;
mod timed;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit},
    http::Request,
    response::Response,
};
use headwater_control::{Hosts, LocalAddress};
use headwater_graph::BoxFuture;
use headwater_media::limits;
use headwater_net::{Conversation, Listener, PeerCertificate, Shortcut, TlsAcceptor, TlsError};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use leftover::Leftover;
use timed::Timed;

use crate::{
    protocols::{
        Passing,
        pass::{self, Owner, Way},
    },
    routes::Direct,
};

/// Serves until the token is cancelled; requests at work are then finished, idle connections closed.
pub(crate) async fn serve(
    listener: Listener,
    acceptor: Option<TlsAcceptor>,
    front: Arc<Front>,
    stopping: CancellationToken,
    tasks: TaskTracker,
) {
    let builder = Arc::new(builder());
    while let Some(connection) = stopping.run_until_cancelled(listener.accept()).await {
        let (front, builder, stopping) = (front.clone(), builder.clone(), stopping.clone());
        let acceptor = acceptor.clone();
        tasks.spawn(async move {
            let remote = connection.remote();
            let Ok(local) = connection.local() else {
                return;
            };
            let ends = Ends { local, remote, shown: None };
            let Some(acceptor) = acceptor else {
                let connection = Conversation::new(connection, HEAD_ENDS);
                let shortcut = Some(connection.shortcut());
                return converse(connection, ends, shortcut, &builder, &front, stopping).await;
            };
            match stopping.run_until_cancelled(acceptor.accept(connection)).await {
                Some(Ok(stream)) => {
                    let ends = Ends { shown: PeerCertificate::of_client(&stream).map(Arc::new), ..ends };
                    converse(stream, ends, None, &builder, &front, stopping).await;
                }
                Some(Err(error @ (TlsError::NoPeerCertificate | TlsError::PeerCertificate(_)))) => {
                    tracing::warn!(%remote, %error, "a connection within TLS is refused; see mutual_tls in [cluster]");
                }
                Some(Err(error)) => tracing::debug!(%remote, %error, "an HTTPS connection has not begun"),
                None => {}
            }
        });
    }
}

/// Only HTTP/1.1 is spoken; that leaves out the kinds of attack that HTTP/2 brings.
fn builder() -> http1::Builder {
    const HEADER_BYTES_MIN: usize = 8_192;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HTTP_HEADER_MS.get_duration())
        .max_buf_size(limits::HTTP_HEADER_BYTES.get_usize().max(HEADER_BYTES_MIN));
    builder
}

/// What answers requests.
pub(crate) struct Front {
    router: Router,
    direct: Direct,
    hosts: Hosts,
    /// Where this server is one of several.
    passing: Option<Passing>,
}

/// The empty line behind the fields of a message (RFC 9112 §2.1). What stands for an answer that was written past its
/// conversation has no content, and so ends with this.
const HEAD_ENDS: &[u8] = b"\r\n\r\n";

/// The addresses of a connection, and the certificate that its client has shown.
#[derive(Clone)]
struct Ends {
    local: SocketAddr,
    remote: SocketAddr,
    shown: Option<Arc<PeerCertificate>>,
}

async fn converse(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ends: Ends,
    shortcut: Option<Shortcut>,
    builder: &http1::Builder,
    front: &Front,
    stopping: CancellationToken,
) {
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Relaxed);
        front.answer(request, ends.clone(), shortcut.clone())
    });
    let mut conversation =
        pin!(builder.serve_connection(TokioIo::new(Timed::new(connection)), service).with_upgrades());
    let result = tokio::select! {
        result = conversation.as_mut() => result,
        () = stopping.cancelled() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = result {
        count_limits(&error, asked.load(Relaxed));
        tracing::debug!(remote = %ends.remote, error = ?error.to_string(), "an HTTP connection has ended early");
    }
}

impl Front {
    /// What answers requests: some without a router.
    pub(crate) fn new(router: Router, direct: Direct, hosts: Hosts) -> Arc<Front> {
        Front::passing(router, direct, hosts, None)
    }

    /// The same, and what passes requests on to other servers.
    pub(crate) fn passing(router: Router, direct: Direct, hosts: Hosts, passing: Option<Passing>) -> Arc<Front> {
        let router = router.layer(DefaultBodyLimit::max(limits::HTTP_BODY_BYTES.get_usize()));
        Arc::new(Front { router, direct, hosts, passing })
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        shortcut: Option<Shortcut>,
    ) -> Result<Response, Infallible> {
        let request = match &self.passing {
            Some(passing) => passing.lead(request),
            None => request,
        };
        let (request, ends) = match &self.passing {
            Some(passing) if pass::is_owned(request.uri().path()) => match passing.find(request, ends.remote) {
                Way::Here(request, remote) => (request, Ends { remote, ..ends }),
                Way::There(request, owner) => return Ok(self.pass(passing.clone(), request, owner, ends).await),
                Way::Nowhere(response) => return Ok(response),
            },
            _ => (request, ends),
        };
        let Some(answer) = self.direct.find(&request) else { return self.route(request, ends).await };
        let (head, body) = request.into_parts();
        drop(Leftover::of(&head.headers, body));
        match self.hosts.refuse(&head.uri, &head.headers, Some(ends.local.ip())) {
            Some(refused) => Ok(refused),
            None => Ok(answer(ends.remote, head, shortcut).await),
        }
    }

    /// Has another server answer, to a request under a name that this server has.
    fn pass(
        &self,
        passing: Passing,
        request: Request<Incoming>,
        owner: Owner,
        ends: Ends,
    ) -> BoxFuture<'static, Response> {
        let refused = self.hosts.refuse(request.uri(), request.headers(), Some(ends.local.ip()));
        let request = in_time(request);
        Box::pin(async move {
            match refused {
                Some(refused) => refused,
                None => passing.pass(request, owner, ends.remote).await,
            }
        })
    }

    /// Boxed, so that those who wait for an answer without a router take no more memory than that needs.
    fn route(&self, request: Request<Incoming>, ends: Ends) -> BoxFuture<'static, Result<Response, Infallible>> {
        let mut request = in_time(request);
        request.extensions_mut().insert(LocalAddress(ends.local));
        request.extensions_mut().insert(ConnectInfo(ends.remote));
        if let Some(shown) = ends.shown {
            request.extensions_mut().insert(PeerCertificate::clone(&shown));
        }
        Box::pin(self.router.clone().oneshot(request))
    }
}

/// Gives up on a body that does not come, and reads what nobody else reads of it.
fn in_time(request: Request<Incoming>) -> Request<Body> {
    let (head, body) = request.into_parts();
    let body = Leftover::of(&head.headers, body);
    Request::from_parts(head, Body::new(TimeoutBody::new(limits::HTTP_BODY_MS.get_duration(), body)))
}

fn count_limits(error: &hyper::Error, asked: bool) {
    if error.is_parse_too_large() {
        limits::HTTP_HEADER_BYTES.hit();
    }
    // A connection that rests between requests is closed by the same timer, which is nobody's fault.
    if error.is_timeout() && !asked {
        limits::HTTP_HEADER_MS.hit();
    }
}

#[cfg(test)]
mod tests;

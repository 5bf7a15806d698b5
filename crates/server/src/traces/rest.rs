//! REST calls: one span each, in the caller's trace if it names one (W3C Trace Context).

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware::{self, Next},
    response::Response,
};
use headwater_control::is_call;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{Position, Traces};

const PREFIX: &str = "/rest-api/";

/// Traces the calls that a router answers.
pub(crate) fn trace(traces: &Traces, router: Router) -> Router {
    if !traces.is_on() {
        return router;
    }
    let traces = traces.clone();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let traces = traces.clone();
        async move {
            let path = request.uri().path();
            let Some(call) = path.strip_prefix(PREFIX) else {
                return next.run(request).await;
            };
            // Whoever asks for what there is not must not make up names.
            let name = if is_call(path) { format!("REST {call}") } else { "REST".to_owned() };
            answer(&traces, &name, request, next).await
        }
    }))
}

async fn answer(traces: &Traces, name: &str, request: Request, next: Next) -> Response {
    let named = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).and_then(Position::parse);
    let (at, parent) = match named {
        Some((parent, is_recorded)) => (is_recorded.then(|| parent.child()), Some(parent)),
        None => (traces.root(), None),
    };
    let span = at.and_then(|at| traces.begin(name, SpanKind::Server, at, parent));
    let Some(mut span) = span else {
        return next.run(request).await;
    };
    span.set("http.request.method", request.method().as_str());
    span.set("url.path", request.uri().path());
    if let Some(ConnectInfo(remote)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        span.set("client.address", remote.ip().to_string().as_str());
        span.set("client.port", i64::from(remote.port()));
    }
    let response = next.run(request).await;
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str());
    }
    response
}

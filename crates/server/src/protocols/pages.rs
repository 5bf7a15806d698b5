//! Which web pages may open the WebSockets of those who only watch: the same as may open a session.
//!
//! Browsers let every page open a WebSocket to anywhere, and tell only its origin. Over loopback, being on the machine
//! is a right of its own, which a page of another site must not borrow from the browser that shows it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use headwater_signalling::wcs::Origins;

use super::Context;

const REFUSED: &str = "pages of this origin may not open a WebSocket here; \
                       the server's operator can allow it with `origins` below [wcs] in its configuration.\n";

/// Lets pages of the origins that `[wcs]` names, or takes where it names none, reach a router, and no others.
pub(super) fn guard(router: Router, context: &mut Context) -> Router {
    let origins = context.offered.get_or_insert_default::<Origins>().clone();
    router.layer(middleware::from_fn_with_state(origins, check))
}

async fn check(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let remote = remote.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if origins.allow(request.headers(), remote) {
        return next.run(request).await;
    }
    tracing::info!(%remote, "a page of another site may not watch");
    (StatusCode::FORBIDDEN, REFUSED).into_response()
}

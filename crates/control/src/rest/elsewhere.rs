//! Calls that are meant for another server of the cluster are passed on to it.
//!
//! Whoever makes them has shown here already that they may; the other server asks for the same credentials again, and
//! answers by its own.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Api, input::shorten};
use crate::error::ApiError;

/// The field that names the server that is to answer.
const NODE: HeaderName = HeaderName::from_static("headwater-node");
/// What a browser says of its page, which was looked at here, and which the other server would not understand.
const OF_PAGES: [HeaderName; 6] = [
    header::ORIGIN,
    header::REFERER,
    header::COOKIE,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-dest"),
];
/// It never ends, and what is passed on does.
const ENDLESS: &str = "/rest-api/events";

/// Answers here what names no server, or this one.
pub(super) async fn pass(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    match find(&api, request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(node)) => {
            let client = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(client)| *client);
            for name in OF_PAGES.iter().chain([&NODE]) {
                request.headers_mut().remove(name);
            }
            match (client, request.uri().path() == ENDLESS) {
                (_, true) => {
                    ApiError::bad_request("bad_node", "Events are told by their own server alone.").into_response()
                }
                (None, _) => unknown(&node).into_response(),
                (Some(client), _) => match api.cdn.as_ref().and_then(|cdn| cdn.ask(&node, request, client)) {
                    Some(answer) => answer.await,
                    None => unknown(&node).into_response(),
                },
            }
        }
        Err(error) => error.into_response(),
    }
}

/// The other server that is meant, if it is another.
fn find(api: &Api, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(wanted) = headers.get(NODE) else { return Ok(None) };
    let bad = |_| ApiError::bad_request("bad_node", "The header Headwater-Node is not readable.");
    let wanted = wanted.to_str().map_err(bad)?;
    let own = api.cdn.as_ref().map_or_else(|| api.node.name.clone(), |cdn| cdn.own().0);
    Ok((wanted != own).then(|| wanted.to_owned()))
}

fn unknown(node: &str) -> ApiError {
    let message =
        format!("There is no node {:?} that can be reached from here; see /rest-api/cdn/show_nodes.", shorten(node));
    ApiError::with_status(axum::http::StatusCode::NOT_FOUND, "unknown_node", message)
}

//! `/rest-api`: the calls, named and answered as those of WCS.

mod cdn;
mod config;
mod connection;
mod console;
mod elsewhere;
pub(crate) mod input;
mod load;
pub(crate) mod missing;
pub(crate) mod openapi;
mod pull;
mod push;
mod stream;

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, Request, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use headwater_graph::Hub;
use headwater_relay::{RelayError, Relays, SoundError};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access_lists::AccessListing,
    accounts::Accounts,
    cdn::Cdn,
    clients::Clients,
    drain::Drain,
    error::ApiError,
    events::{self, Journal},
    guard::check_origin,
    load::Loads,
    metrics::{Metrics, Node},
    settings::Settings,
    statistics,
};

/// What the calls work on.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) hub: Hub,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) clients: Arc<dyn Clients>,
    pub(crate) loads: Option<Arc<dyn Loads>>,
    pub(crate) relays: Option<Relays>,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Option<Arc<dyn Settings>>,
    pub(crate) cdn: Option<Arc<dyn Cdn>>,
    pub(crate) access_lists: Option<Arc<dyn AccessListing>>,
    pub(crate) drain: Option<Arc<dyn Drain>>,
    pub(crate) node: Node,
    pub(crate) started: Instant,
}

impl Api {
    fn relays(&self) -> Result<&Relays, ApiError> {
        self.relays.as_ref().ok_or_else(|| ApiError::not_implemented("This server has no relays."))
    }
}

pub(crate) fn router(api: Api) -> Router {
    let (router, description) = calls().split_for_parts();
    let description = openapi::finish(description);
    router
        .route("/rest-api/openapi.json", get(move || async move { Json(description) }))
        .method_not_allowed_fallback(wrong_method)
        .route("/rest-api/{*call}", any(unknown_call))
        .layer(middleware::from_fn_with_state(api.clone(), elsewhere::pass))
        .layer(middleware::from_fn(require_json))
        .layer(middleware::from_fn(check_origin))
        .with_state(api)
}

/// Every call that there is; the description is made from the same list.
pub(crate) fn calls() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::introduction())
        .routes(routes!(stream::find_all, stream::get_all))
        .routes(routes!(stream::find))
        .routes(routes!(console::page::page))
        .routes(routes!(stream::terminate))
        .routes(routes!(stream::send_event))
        .routes(routes!(connection::find_all, connection::get_all))
        .routes(routes!(connection::find))
        .routes(routes!(connection::terminate))
        .routes(routes!(connection::set_log_level))
        .routes(routes!(connection::send_data))
        .routes(routes!(push::startup))
        .routes(routes!(push::find_all, push::get_all))
        .routes(routes!(push::find))
        .routes(routes!(push::terminate))
        .routes(routes!(push::mute))
        .routes(routes!(push::unmute))
        .routes(routes!(push::sound_on))
        .routes(routes!(push::sound_off))
        .routes(routes!(pull::webrtc::startup))
        .routes(routes!(pull::webrtc::pull))
        .routes(routes!(pull::webrtc::push))
        .routes(routes!(pull::webrtc::find_all, pull::webrtc::get_all))
        .routes(routes!(pull::webrtc::terminate))
        .routes(routes!(pull::rtmp::pull))
        .routes(routes!(pull::rtmp::find_all, pull::rtmp::get_all))
        .routes(routes!(pull::rtmp::find))
        .routes(routes!(pull::rtmp::terminate))
        .routes(routes!(load::abilities))
        .routes(routes!(load::startup))
        .routes(routes!(load::find_all, load::get_all))
        .routes(routes!(load::find))
        .routes(routes!(load::results))
        .routes(routes!(load::terminate))
        .routes(routes!(cdn::show_nodes))
        .routes(routes!(cdn::show_routes))
        .routes(routes!(cdn::show_stream_routes))
        .routes(routes!(cdn::trace_route))
        .routes(routes!(cdn::remove_node))
        .routes(routes!(cdn::access::add))
        .routes(routes!(cdn::access::remove))
        .routes(routes!(cdn::access::delete))
        .routes(routes!(cdn::access::print))
        .routes(routes!(cdn::drain::drain))
        .routes(routes!(events::events))
        .routes(routes!(statistics::statistics))
        .routes(routes!(console::figures))
        .routes(routes!(config::find_all, config::get_all))
        .routes(routes!(config::reload))
        .routes(routes!(config::set))
}

/// Says in the API's own way that a call takes another method.
async fn wrong_method(request: Request) -> impl IntoResponse {
    let (method, message) = match request.uri().path() {
        "/rest-api/events" | "/rest-api/statistics" => ("GET", "This call takes GET."),
        _ => ("POST", "This call takes POST with a JSON body."),
    };
    let error = ApiError::with_status(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message);
    ([(header::ALLOW, method)], error)
}

/// Tells calls that this server lacks from those that nobody knows.
async fn unknown_call(call: Result<Path<String>, PathRejection>) -> ApiError {
    let call = call.map(|Path(call)| call).unwrap_or_default();
    let shown: String = call.chars().take(128).collect();
    if missing::is_missing(&call) {
        return ApiError::not_implemented(format!("This server does not have the call {shown:?} yet."));
    }
    let message = format!("There is no call {shown:?}. /rest-api/ shows those that there are.");
    ApiError::with_status(StatusCode::NOT_FOUND, "unknown_call", message)
}

/// Why a relay does not begin, and which field is at fault.
fn relay_error(error: RelayError, url: &'static str, stream: &'static str) -> ApiError {
    use headwater_agent::InvalidRemote;
    use headwater_net::DialError;

    let message = sentence(&error.to_string());
    let with = |status, code, message, field: &str| ApiError::with_status(status, code, message).in_field(field);
    match error {
        RelayError::Dial(DialError::Forbidden { .. }) => {
            let message = format!("{message} An operator may allow it by `allow` in [relay].");
            with(StatusCode::FORBIDDEN, "forbidden_address", message, url)
        }
        RelayError::Dial(_) => with(StatusCode::BAD_REQUEST, "unknown_host", message, url),
        RelayError::Remote(InvalidRemote::NoName | InvalidRemote::Name(_)) => {
            with(StatusCode::BAD_REQUEST, "bad_value", message, "remoteStreamName")
        }
        RelayError::Remote(
            InvalidRemote::Rendition(_) | InvalidRemote::TooManyRenditions(_) | InvalidRemote::OneSize,
        ) => with(StatusCode::BAD_REQUEST, "bad_value", message, "renditions"),
        RelayError::Url(_) | RelayError::Remote(_) | RelayError::Userinfo => {
            with(StatusCode::BAD_REQUEST, "bad_url", message, url)
        }
        RelayError::NoStream(_) => with(StatusCode::NOT_FOUND, "not_found", message, stream),
        RelayError::NameTaken(_) => with(StatusCode::CONFLICT, "name_taken", message, stream),
        RelayError::NoName => with(StatusCode::BAD_REQUEST, "missing_field", message, stream),
        RelayError::NoWebRtc => ApiError::with_status(StatusCode::NOT_IMPLEMENTED, "not_implemented", message),
        RelayError::NoPush(_) => with(StatusCode::NOT_FOUND, "not_found", message, "mediaSessionId"),
        RelayError::SoundStays => with(StatusCode::CONFLICT, "not_replaceable", message, "options"),
        RelayError::Sound(error) => sound_error(&error, message),
        RelayError::Exists => ApiError::with_status(StatusCode::CONFLICT, "exists", message),
        RelayError::TooMany { .. } => ApiError::with_status(StatusCode::SERVICE_UNAVAILABLE, "too_many", message),
        _ => ApiError::bad_request("bad_value", message),
    }
}

/// Why a sound file is not played; the file is at fault, or the stream that it is for.
fn sound_error(error: &SoundError, message: String) -> ApiError {
    let (status, code) = match error {
        SoundError::NoFolder => (StatusCode::NOT_FOUND, "no_sounds"),
        SoundError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        SoundError::Track(_) => (StatusCode::CONFLICT, "not_replaceable"),
        SoundError::TooMany { .. } => (StatusCode::SERVICE_UNAVAILABLE, "too_many"),
        SoundError::Read { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "unreadable"),
        _ => (StatusCode::BAD_REQUEST, "bad_sound"),
    };
    ApiError::with_status(status, code, message).in_field("soundFile")
}

/// An error's words as a sentence: first letter upper case, full stop at the end.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// Forms and plain text, which any web page can send anywhere, are not taken; JSON is.
async fn require_json(request: Request, next: Next) -> Response {
    if has_body(request.headers()) && !is_json(request.headers()) {
        let message = "Send the body as JSON, with the header Content-Type: application/json.";
        return ApiError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message).into_response();
    }
    next.run(request).await
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING) || typed(headers)
}

/// A body over HTTP/2 may come without a length, but then it comes with a type, or is found to be empty.
fn typed(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_TYPE)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

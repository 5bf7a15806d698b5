//! `/rest-api`: the calls, named and answered as those of WCS.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get, post},
};
use headwater_graph::Hub;
use headwater_media::limits;

use crate::{
    accounts::Accounts,
    error::ApiError,
    filter::Filter,
    guard::check_origin,
    stream_object::{StreamObject, Subject, describe, metrics},
};

/// What the calls work on.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) hub: Hub,
    pub(crate) accounts: Arc<Accounts>,
}

/// What viewers and publishers are told when a call ends them; the words that WCS uses.
const REASON: &str = "Stopped by rest /terminate";

pub(crate) fn router(api: Api) -> Router {
    let streams = Router::new()
        .route("/find_all", only(get(find_all).post(find_all)))
        .route("/find", only(post(find)))
        .route("/terminate", only(post(terminate)));
    Router::new()
        .nest("/rest-api/stream", streams)
        .route("/rest-api/{*call}", any(unknown_call))
        .layer(middleware::from_fn(require_json))
        .layer(middleware::from_fn(check_origin))
        .with_state(api)
}

/// Says in the API's own way that a call takes another method.
fn only(methods: MethodRouter<Api>) -> MethodRouter<Api> {
    methods.fallback(|| async {
        ApiError::with_status(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "This call takes POST with a JSON body.")
    })
}

async fn find_all(State(api): State<Api>) -> Result<Response, ApiError> {
    Ok(list(api.select(&Filter::default())?, false))
}

async fn find(State(api): State<Api>, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let filter = read(body)?;
    Ok(list(api.select(&filter)?, filter.with_metrics))
}

async fn terminate(State(api): State<Api>, body: Result<Bytes, BytesRejection>) -> Result<StatusCode, ApiError> {
    let filter = read(body)?;
    for (object, subject) in api.select(&filter)? {
        tracing::info!(
            stream = object.name,
            session = object.session_id,
            media_type = object.media_type,
            "terminated by REST"
        );
        subject.terminate(REASON);
    }
    Ok(StatusCode::OK)
}

async fn unknown_call(request: Request) -> ApiError {
    let call: String = request.uri().path().chars().take(128).collect();
    ApiError::not_implemented(format!(
        "This server has no call {call:?} yet. There are /rest-api/stream/find_all, /find and /terminate."
    ))
}

impl Api {
    fn select(&self, filter: &Filter) -> Result<Vec<(StreamObject, Subject)>, ApiError> {
        let mut streams = self.hub.streams();
        streams.sort_by(|a, b| a.name().cmp(b.name()));
        let all = streams.iter().flat_map(|stream| describe(stream, &self.accounts)).collect();
        let found = filter.select(all);
        if found.is_empty() {
            return Err(ApiError::not_found(format!("There is no stream and no viewer with {}.", filter.words())));
        }
        Ok(found)
    }
}

fn list(found: Vec<(StreamObject, Subject)>, with_metrics: bool) -> Response {
    let objects = found.into_iter().map(|(mut object, _)| {
        object.metrics = with_metrics.then(|| metrics(&object));
        object
    });
    Json(objects.collect::<Vec<_>>()).into_response()
}

fn read(body: Result<Bytes, BytesRejection>) -> Result<Filter, ApiError> {
    match body {
        Ok(body) => Filter::parse(&body),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            limits::HTTP_BODY_BYTES.hit();
            let message = format!("The body may have at most {} bytes.", limits::HTTP_BODY_BYTES.get());
            Err(ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message))
        }
        Err(_) => Err(ApiError::bad_request("bad_body", "The body could not be read.")),
    }
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

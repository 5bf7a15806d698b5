//! `/load`: load agents of this server, which try what another one holds.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Api,
    input::{Input, shorten},
};
use crate::{
    error::ApiError,
    load::{LoadAbilitiesObject, LoadObject, LoadOrder, LoadRefused, LoadResultsObject, Loads},
};

/// Which run of load agents is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LoadReference)]
pub(super) struct One {
    /// What the run is called.
    #[schema(example = "load://evening")]
    uri: String,
}

/// What load agents of this server can do, where they may go, and how many there may be.
#[utoipa::path(post, path = "/rest-api/load/abilities", tag = "load", responses(
    (status = 200, description = "What they can do.", body = LoadAbilitiesObject),
))]
pub(super) async fn abilities(State(api): State<Api>) -> Result<Json<LoadAbilitiesObject>, ApiError> {
    Ok(Json(loads(&api)?.abilities()))
}

/// Has load agents publish to a server or play from it, and notes what they see. Only where `allowed` of [load] lets them go.
#[utoipa::path(post, path = "/rest-api/load/startup", tag = "load", request_body = LoadOrder, responses(
    (status = 200, description = "It has begun.", body = LoadObject),
    (status = 400, description = "The order makes no sense, or a host has no address."),
    (status = 403, description = "Load may not go there."),
    (status = 409, description = "A run of this name is not over."),
    (status = 503, description = "There are as many runs or agents as there may be."),
))]
pub(super) async fn startup(
    State(api): State<Api>,
    Input(order): Input<LoadOrder>,
) -> Result<Json<LoadObject>, ApiError> {
    loads(&api)?.start(order).await.map(Json).map_err(refuse)
}

/// The runs of load agents that go on, and the last of those that are over; the newest first.
#[utoipa::path(post, path = "/rest-api/load/find_all", tag = "load", responses(
    (status = 200, description = "All of them; there may be none.", body = Vec<LoadObject>),
))]
pub(super) async fn find_all(State(api): State<Api>) -> Result<Json<Vec<LoadObject>>, ApiError> {
    Ok(Json(loads(&api)?.list()))
}

/// The runs of load agents that go on, and the last of those that are over; the newest first.
#[utoipa::path(get, path = "/rest-api/load/find_all", tag = "load", responses(
    (status = 200, description = "All of them; there may be none.", body = Vec<LoadObject>),
))]
pub(super) async fn get_all(State(api): State<Api>) -> Result<Json<Vec<LoadObject>>, ApiError> {
    Ok(Json(loads(&api)?.list()))
}

/// One run of load agents.
#[utoipa::path(post, path = "/rest-api/load/find", tag = "load", request_body = One, responses(
    (status = 200, description = "The run.", body = LoadObject),
    (status = 404, description = "There is no such run."),
))]
pub(super) async fn find(State(api): State<Api>, Input(one): Input<One>) -> Result<Json<LoadObject>, ApiError> {
    let results = loads(&api)?.results(&one.uri).ok_or_else(|| not_found(&one))?;
    Ok(Json(results.run))
}

/// What a run of load agents has found so far, second by second.
#[utoipa::path(post, path = "/rest-api/load/results", tag = "load", request_body = One, responses(
    (status = 200, description = "All that it has found.", body = LoadResultsObject),
    (status = 404, description = "There is no such run."),
))]
pub(super) async fn results(
    State(api): State<Api>,
    Input(one): Input<One>,
) -> Result<Json<LoadResultsObject>, ApiError> {
    loads(&api)?.results(&one.uri).map(Json).ok_or_else(|| not_found(&one))
}

/// Has all agents of a run leave. What they have found is kept.
#[utoipa::path(post, path = "/rest-api/load/terminate", tag = "load", request_body = One, responses(
    (status = 200, description = "They leave.", body = LoadObject),
    (status = 404, description = "There is no such run."),
))]
pub(super) async fn terminate(State(api): State<Api>, Input(one): Input<One>) -> Result<Json<LoadObject>, ApiError> {
    loads(&api)?.terminate(&one.uri).map(Json).ok_or_else(|| not_found(&one))
}

fn loads(api: &Api) -> Result<&dyn Loads, ApiError> {
    api.loads.as_deref().ok_or_else(|| ApiError::not_implemented("This server has no load agents."))
}

fn not_found(one: &One) -> ApiError {
    ApiError::not_found(format!("There is no run of load agents called {:?}.", shorten(&one.uri))).in_field("uri")
}

fn refuse(refused: LoadRefused) -> ApiError {
    let (status, code, message, field) = match refused {
        LoadRefused::Order(message) => (StatusCode::BAD_REQUEST, "bad_value", message, None),
        LoadRefused::Forbidden(message) => (StatusCode::FORBIDDEN, "forbidden_address", message, Some("tasks")),
        LoadRefused::UnknownHost(message) => (StatusCode::BAD_REQUEST, "unknown_host", message, Some("tasks")),
        LoadRefused::NameTaken(message) => (StatusCode::CONFLICT, "name_taken", message, Some("uri")),
        LoadRefused::TooMany(message) => (StatusCode::SERVICE_UNAVAILABLE, "too_many", message, None),
    };
    let error = ApiError::with_status(status, code, message);
    match field {
        Some(field) => error.in_field(field),
        None => error,
    }
}

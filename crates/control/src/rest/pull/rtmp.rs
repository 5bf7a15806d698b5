//! `/pull/rtmp`: streams of other servers, fetched by RTMP.

use axum::{Json, extract::State, http::StatusCode};
use headwater_relay::{PullFacts, PullKind, Status};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    rest::{Api, input::Input, relay_error, stream::stream_name},
};

/// What is to be fetched.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PullStartup)]
pub(crate) struct Startup {
    /// The address of the stream: `rtmp://HOST/APP/KEY` or `rtmps://HOST/APP/KEY`.
    #[schema(example = "rtmp://media.example.org/live/camera")]
    uri: String,
    /// What it is called here; without it, a name is made from the address.
    local_stream_name: Option<String>,
    /// Must be false: this server does not record yet.
    record: Option<bool>,
}

/// Which pulls are meant: those whose fields have these values.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PullFilter)]
pub(crate) struct Which {
    /// The address, as it was given or as it is shown.
    uri: Option<String>,
    /// What the stream is called here.
    local_stream_name: Option<String>,
    /// The id of the pull.
    local_media_session_id: Option<String>,
    /// What it is at.
    status: Option<String>,
}

/// A stream of another server that is published here.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Pull)]
pub(crate) struct PullObject {
    /// The id of the pull, and of the publication that it is.
    local_media_session_id: String,
    /// What the stream is called here.
    local_stream_name: String,
    /// The address, without what may be a secret in it.
    uri: String,
    /// "NEW", "PENDING" while it connects or waits to try again, "CONNECTED", "PROCESSED_REMOTE" while media comes, "STOPPED", "FAILED".
    status: &'static str,
    /// What went wrong last, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
    /// Attempts in a row that have failed.
    failures: u64,
    /// Whether audio has come.
    has_audio: bool,
    /// Whether video has come.
    has_video: bool,
    /// Whether it is recorded.
    record: bool,
    /// Whether it was begun by a viewer, and so ends when nobody watches.
    on_demand: bool,
}

impl From<PullFacts> for PullObject {
    fn from(facts: PullFacts) -> PullObject {
        PullObject {
            local_media_session_id: facts.id,
            local_stream_name: facts.name.to_string(),
            uri: facts.url,
            status: Status::as_str(facts.status),
            info: facts.problem,
            failures: facts.failures,
            has_audio: facts.has_audio,
            has_video: facts.has_video,
            record: false,
            on_demand: facts.on_demand,
        }
    }
}

/// Fetches a stream from another server and publishes it here, until it is told to stop.
#[utoipa::path(post, path = "/rest-api/pull/rtmp/pull", tag = "pull", request_body = Startup, responses(
    (status = 200, description = "It is being connected."),
    (status = 400, description = "The address cannot be used, or its host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 409, description = "It is fetched already, or somebody publishes under the name."),
))]
pub(crate) async fn pull(State(api): State<Api>, Input(startup): Input<Startup>) -> Result<StatusCode, ApiError> {
    let name = startup.local_stream_name.map(|name| stream_name("localStreamName", &name)).transpose()?;
    if startup.record == Some(true) {
        return Err(ApiError::not_implemented("This server does not record yet.").in_field("record"));
    }
    let pulled = api.relays()?.pull(&startup.uri, name).await;
    pulled.map(|_| StatusCode::OK).map_err(|error| relay_error(error, "uri", "localStreamName"))
}

/// All pulls.
#[utoipa::path(post, path = "/rest-api/pull/rtmp/find_all", tag = "pull", responses(
    (status = 200, description = "All pulls.", body = Vec<PullObject>),
    (status = 404, description = "There is none."),
))]
pub(crate) async fn find_all(State(api): State<Api>) -> Result<Json<Vec<PullObject>>, ApiError> {
    select(&api, &Which::default())
}

/// All pulls.
#[utoipa::path(get, path = "/rest-api/pull/rtmp/find_all", tag = "pull", responses(
    (status = 200, description = "All pulls.", body = Vec<PullObject>),
    (status = 404, description = "There is none."),
))]
pub(crate) async fn get_all(State(api): State<Api>) -> Result<Json<Vec<PullObject>>, ApiError> {
    select(&api, &Which::default())
}

/// Pulls that fit a description.
#[utoipa::path(post, path = "/rest-api/pull/rtmp/find", tag = "pull", request_body = Which, responses(
    (status = 200, description = "The pulls that fit.", body = Vec<PullObject>),
    (status = 404, description = "None fits."),
))]
pub(crate) async fn find(
    State(api): State<Api>,
    Input(which): Input<Which>,
) -> Result<Json<Vec<PullObject>>, ApiError> {
    select(&api, &which)
}

/// Ends pulls that fit a description, which must not be empty.
#[utoipa::path(post, path = "/rest-api/pull/rtmp/terminate", tag = "pull", request_body = Which, responses(
    (status = 200, description = "The order is given."),
    (status = 404, description = "None fits."),
))]
pub(crate) async fn terminate(State(api): State<Api>, Input(which): Input<Which>) -> Result<StatusCode, ApiError> {
    if which.uri.is_none() && which.local_stream_name.is_none() && which.local_media_session_id.is_none() {
        return Err(ApiError::bad_request("missing_field", "Say which pull is meant, by its uri.").in_field("uri"));
    }
    match api.relays()?.stop_pulls(|pull| fits(&which, pull)) {
        0 => Err(ApiError::not_found("There is no such pull.")),
        _ => Ok(StatusCode::OK),
    }
}

fn select(api: &Api, which: &Which) -> Result<Json<Vec<PullObject>>, ApiError> {
    let found = api.relays()?.pulls().into_iter().filter(|pull| fits(which, pull));
    let found: Vec<PullObject> = found.map(PullObject::from).collect();
    if found.is_empty() {
        return Err(ApiError::not_found("There is no such pull."));
    }
    Ok(Json(found))
}

fn fits(which: &Which, pull: &PullFacts) -> bool {
    pull.kind == PullKind::Rtmp
        && which.uri.as_ref().is_none_or(|url| pull.comes_from(url))
        && which.local_stream_name.as_ref().is_none_or(|name| pull.name.as_str() == name)
        && which.local_media_session_id.as_ref().is_none_or(|id| pull.id == *id)
        && which.status.as_ref().is_none_or(|status| pull.status.as_str() == status)
}

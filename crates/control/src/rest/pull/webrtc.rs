//! `/pull`: streams of other servers, fetched by WebRTC, and streams of this server, sent to others by WebRTC.

use axum::{Json, extract::State, http::StatusCode};
use headwater_relay::{Hop, PullFacts, PullKind, PushFacts, PushKind, Status, Transport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    rest::{
        Api,
        input::{Input, transport},
        relay_error,
        stream::stream_name,
    },
};

/// What is to be fetched.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebRtcPullStartup)]
pub(crate) struct Startup {
    /// The other server: `wss://HOST:PORT` or `ws://HOST:PORT` to ask it by the session protocol, or the `https://` or `http://` address of a WHEP endpoint. A token stands in the query, as `?token=TOKEN`.
    #[schema(example = "wss://origin.example.org:8443")]
    uri: String,
    /// What the stream is called at the other server. Not needed with a WHEP address, which says it.
    remote_stream_name: Option<String>,
    /// What it is called here; without it, as it is called there.
    local_stream_name: Option<String>,
    /// What media comes over: "UDP", as where nothing is said, or "TCP" for a network that lets no UDP through. The other server has to take ICE over TCP.
    #[schema(example = "TCP")]
    transport: Option<String>,
    /// The sizes of the picture that are wanted, by the names that they have there, such as `["h"]`; without this, all. The other server has to be one of this kind and asked by the session protocol.
    #[serde(default)]
    #[schema(example = json!(["h"]))]
    renditions: Vec<String>,
}

/// What is to be sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebRtcPushStartup)]
pub(crate) struct PushStartup {
    /// The other server: `wss://HOST:PORT` or `ws://HOST:PORT` to publish there by the session protocol, or the `https://` or `http://` address of a WHIP endpoint. A token stands in the query, as `?token=TOKEN`.
    #[schema(example = "wss://origin.example.org:8443")]
    uri: String,
    /// What the stream is called here.
    #[schema(example = "camera")]
    local_stream_name: String,
    /// What it is to be called at the other server; without it, as it is called here. Not needed with a WHIP address, which says it.
    remote_stream_name: Option<String>,
    /// What media goes over: "UDP", as where nothing is said, or "TCP" for a network that lets no UDP through. The other server has to take ICE over TCP.
    #[schema(example = "TCP")]
    transport: Option<String>,
    /// The sizes of the picture that are sent, by the names that they have here, such as `["h"]`; without this, all. The other server has to be one of this kind and asked by the session protocol.
    #[serde(default)]
    #[schema(example = json!(["h"]))]
    renditions: Vec<String>,
}

/// Which pulls and pushes are meant: those whose fields have these values.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WebRtcPullFilter)]
pub(crate) struct Which {
    /// The address, as it was given or as it is shown.
    uri: Option<String>,
    /// What the stream is called at the other server.
    remote_stream_name: Option<String>,
    /// What the stream is called here.
    local_stream_name: Option<String>,
    /// The id of the pull or push.
    local_media_session_id: Option<String>,
}

/// A stream of another server that is published here, or a stream of this server that is published there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebRtcPull)]
pub(crate) struct PullObject {
    /// The id of the pull or push, and of the publication or the viewer that it is.
    local_media_session_id: String,
    /// What the other server calls the session: its media session id, or the path of its WHEP or WHIP session.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_media_session_id: Option<String>,
    /// What the stream is called here.
    local_stream_name: String,
    /// What the stream is called at the other server, where its address does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_stream_name: Option<String>,
    /// The address, without what may be a secret in it.
    uri: String,
    /// "NEW", "PENDING" while it connects or waits to try again, "CONNECTED", "PROCESSED_REMOTE" while media comes, "PROCESSED_LOCAL" while it is sent, "STOPPED", "FAILED".
    status: &'static str,
    /// What went wrong last, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
    /// Attempts in a row that have failed.
    failures: u64,
    /// Whether audio has come, or is there to be sent.
    has_audio: bool,
    /// Whether video has come, or is there to be sent.
    has_video: bool,
    /// Whether the stream is sent to the other server, and not fetched from it.
    published: bool,
    /// What media goes over: "UDP" or "TCP".
    transport: &'static str,
    /// The sizes of the picture that are wanted, where not all are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    renditions: Vec<String>,
}

impl From<PullFacts> for PullObject {
    fn from(facts: PullFacts) -> PullObject {
        PullObject {
            local_media_session_id: facts.id,
            remote_media_session_id: facts.remote_session,
            local_stream_name: facts.name.to_string(),
            remote_stream_name: facts.remote_name.map(|name| name.to_string()),
            uri: facts.url,
            status: Status::as_str(facts.status),
            info: facts.problem,
            failures: facts.failures,
            has_audio: facts.has_audio,
            has_video: facts.has_video,
            published: false,
            transport: facts.transport.map_or("TCP", Transport::as_str),
            renditions: facts.renditions,
        }
    }
}

impl From<PushFacts> for PullObject {
    fn from(facts: PushFacts) -> PullObject {
        PullObject {
            local_media_session_id: facts.id,
            remote_media_session_id: facts.remote_session,
            local_stream_name: facts.stream.to_string(),
            remote_stream_name: facts.remote_name,
            uri: facts.url,
            status: Status::as_str(facts.status),
            info: facts.problem,
            failures: facts.failures,
            has_audio: facts.has_audio,
            has_video: facts.has_video,
            published: true,
            transport: facts.transport.map_or("TCP", Transport::as_str),
            renditions: facts.renditions,
        }
    }
}

/// Fetches a stream from another server and publishes it here, until it is told to stop.
#[utoipa::path(post, path = "/rest-api/pull/startup", tag = "pull", request_body = Startup, responses(
    (status = 200, description = "It is being connected."),
    (status = 400, description = "The address or a name cannot be used, or the host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 409, description = "It is fetched already, or somebody publishes under the name."),
))]
pub(crate) async fn startup(State(api): State<Api>, input: Input<Startup>) -> Result<StatusCode, ApiError> {
    begin(&api, input).await
}

/// The same as `/pull/startup`.
#[utoipa::path(post, path = "/rest-api/pull/pull", tag = "pull", request_body = Startup, responses(
    (status = 200, description = "It is being connected."),
    (status = 400, description = "The address or a name cannot be used, or the host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 409, description = "It is fetched already, or somebody publishes under the name."),
))]
pub(crate) async fn pull(State(api): State<Api>, input: Input<Startup>) -> Result<StatusCode, ApiError> {
    begin(&api, input).await
}

async fn begin(api: &Api, Input(startup): Input<Startup>) -> Result<StatusCode, ApiError> {
    let local = startup.local_stream_name.filter(|name| !name.is_empty());
    let local = local.map(|name| stream_name("localStreamName", &name)).transpose()?;
    let remote = startup.remote_stream_name.as_deref();
    let hop = Hop { transport: transport(startup.transport.as_deref())?, renditions: startup.renditions };
    let pulled = api.relays()?.pull_webrtc(&startup.uri, remote, local, hop).await;
    pulled.map(|_| StatusCode::OK).map_err(|error| relay_error(error, "uri", "localStreamName"))
}

/// Publishes a stream of this server at another, until it is told to stop or the stream ends.
#[utoipa::path(post, path = "/rest-api/pull/push", tag = "pull", request_body = PushStartup, responses(
    (status = 200, description = "It is being connected."),
    (status = 400, description = "The address or a name cannot be used, or the host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 404, description = "There is no such stream."),
    (status = 409, description = "The stream is sent there already."),
))]
pub(crate) async fn push(State(api): State<Api>, Input(startup): Input<PushStartup>) -> Result<StatusCode, ApiError> {
    let stream = stream_name("localStreamName", &startup.local_stream_name)?;
    let remote = startup.remote_stream_name.as_deref().filter(|name| !name.is_empty());
    let hop = Hop { transport: transport(startup.transport.as_deref())?, renditions: startup.renditions };
    let pushed = api.relays()?.push_webrtc(&startup.uri, stream, remote, hop).await;
    pushed.map(|_| StatusCode::OK).map_err(|error| relay_error(error, "uri", "localStreamName"))
}

/// All pulls and pushes by WebRTC.
#[utoipa::path(post, path = "/rest-api/pull/find_all", tag = "pull", responses(
    (status = 200, description = "All pulls and pushes.", body = Vec<PullObject>),
    (status = 404, description = "There is none."),
))]
pub(crate) async fn find_all(State(api): State<Api>) -> Result<Json<Vec<PullObject>>, ApiError> {
    select(&api)
}

/// All pulls and pushes by WebRTC.
#[utoipa::path(get, path = "/rest-api/pull/find_all", tag = "pull", responses(
    (status = 200, description = "All pulls and pushes.", body = Vec<PullObject>),
    (status = 404, description = "There is none."),
))]
pub(crate) async fn get_all(State(api): State<Api>) -> Result<Json<Vec<PullObject>>, ApiError> {
    select(&api)
}

fn select(api: &Api) -> Result<Json<Vec<PullObject>>, ApiError> {
    let pulls = api.relays()?.pulls().into_iter().filter(|pull| pull.kind == PullKind::WebRtc);
    let pushes = api.relays()?.pushes().into_iter().filter(|push| push.kind == PushKind::WebRtc);
    let found: Vec<PullObject> = pulls.map(PullObject::from).chain(pushes.map(PullObject::from)).collect();
    match found.is_empty() {
        true => Err(ApiError::not_found("There is no such pull or push.")),
        false => Ok(Json(found)),
    }
}

/// Ends pulls and pushes by WebRTC that fit a description, which must not be empty.
#[utoipa::path(post, path = "/rest-api/pull/terminate", tag = "pull", request_body = Which, responses(
    (status = 200, description = "The order is given."),
    (status = 400, description = "Nothing says which pull or push is meant."),
    (status = 404, description = "None fits."),
))]
pub(crate) async fn terminate(State(api): State<Api>, Input(which): Input<Which>) -> Result<StatusCode, ApiError> {
    let Which { uri, remote_stream_name, local_stream_name, local_media_session_id } = &which;
    if [uri, remote_stream_name, local_stream_name, local_media_session_id].iter().all(|field| field.is_none()) {
        let message = "Say which pull or push is meant, by its localStreamName.";
        return Err(ApiError::bad_request("missing_field", message).in_field("localStreamName"));
    }
    let relays = api.relays()?;
    let pulls = relays.stop_pulls(|pull| pull.kind == PullKind::WebRtc && fits(&which, pull));
    let pushes = relays.stop_pushes(|push| push.kind == PushKind::WebRtc && fits_push(&which, push));
    match pulls + pushes {
        0 => Err(ApiError::not_found("There is no such pull or push.")),
        _ => Ok(StatusCode::OK),
    }
}

fn fits(which: &Which, pull: &PullFacts) -> bool {
    let remote_name = pull.remote_name.as_ref().map(|name| name.as_str());
    which.uri.as_ref().is_none_or(|url| pull.comes_from(url))
        && which.remote_stream_name.as_deref().is_none_or(|name| remote_name == Some(name))
        && which.local_stream_name.as_ref().is_none_or(|name| pull.name.as_str() == name)
        && which.local_media_session_id.as_ref().is_none_or(|id| pull.id == *id)
}

fn fits_push(which: &Which, push: &PushFacts) -> bool {
    which.uri.as_ref().is_none_or(|url| push.goes_to(url))
        && which.remote_stream_name.as_ref().is_none_or(|name| push.remote_name.as_ref() == Some(name))
        && which.local_stream_name.as_ref().is_none_or(|name| push.stream.as_str() == name)
        && which.local_media_session_id.as_ref().is_none_or(|id| push.id == *id)
}

//! `/push`: streams of this server that are sent to others by RTMP.

use axum::{Json, extract::State, http::StatusCode};
use headwater_relay::{PushFacts, PushRequest, Status};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    input::{Input, shorten},
    relay_error,
    stream::stream_name,
};
use crate::error::ApiError;

/// What is to be sent where.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushStartup)]
pub(super) struct Startup {
    /// The stream.
    #[schema(example = "camera")]
    stream_name: String,
    /// The address of the other server: `rtmp://HOST/APP` or `rtmps://HOST/APP`; with the key if `rtmpTransponderFullUrl`.
    #[schema(example = "rtmp://media.example.org/live")]
    rtmp_url: String,
    /// Whether the address has the key. If not, the stream is called `rtmp_` and its name there.
    #[serde(default)]
    rtmp_transponder_full_url: bool,
    /// How it begins.
    options: Option<Options>,
}

/// How a push begins.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushOptions)]
pub(super) struct Options {
    /// "mute" begins with silence in place of sound.
    #[schema(example = "mute")]
    action: Option<String>,
}

/// Which pushes are meant: those whose fields have these values.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PushFilter)]
pub(super) struct Which {
    /// The name of the stream, here or there.
    stream_name: Option<String>,
    /// The address, as it was given or as it is shown.
    rtmp_url: Option<String>,
    /// The id of the push.
    media_session_id: Option<String>,
}

/// One push.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushReference)]
pub(super) struct One {
    /// The id of the push.
    media_session_id: String,
}

/// A stream that is sent to another server.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Push)]
pub(crate) struct PushObject {
    /// The id of the push, and of the viewer of the stream that it is.
    media_session_id: String,
    /// What the stream is called there; its name here where that is a secret key.
    stream_name: String,
    /// What it is called here.
    local_stream_name: String,
    /// The address, without what may be a secret in it.
    rtmp_url: String,
    /// "NEW", "PENDING" while it connects or waits to try again, "CONNECTED", "PROCESSED_LOCAL" while media flows, "STOPPED", "FAILED".
    status: &'static str,
    /// What went wrong last, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
    /// Attempts in a row that have failed.
    failures: u64,
    /// Width of the picture in pixels; 0 where it is not known.
    width: u32,
    /// Height of the picture in pixels; 0 where it is not known.
    height: u32,
    /// Whether silence is sent in place of sound.
    muted: bool,
    /// Whether a sound file is played into it.
    sound_enabled: bool,
}

impl From<PushFacts> for PushObject {
    fn from(facts: PushFacts) -> PushObject {
        let (width, height) = facts.size.unwrap_or_default();
        PushObject {
            media_session_id: facts.id,
            stream_name: facts.remote_name.unwrap_or_else(|| facts.stream.to_string()),
            local_stream_name: facts.stream.to_string(),
            rtmp_url: facts.url,
            status: Status::as_str(facts.status),
            info: facts.problem,
            failures: facts.failures,
            width,
            height,
            muted: facts.is_muted,
            sound_enabled: false,
        }
    }
}

/// Sends a live stream to another server, and goes on until it is told to stop or the stream ends.
#[utoipa::path(post, path = "/rest-api/push/startup", tag = "push", request_body = Startup, responses(
    (status = 200, description = "It is being connected.", body = PushObject),
    (status = 400, description = "The address cannot be used, or its host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 404, description = "There is no such stream."),
    (status = 409, description = "The stream is sent there already."),
))]
pub(super) async fn startup(
    State(api): State<Api>,
    Input(startup): Input<Startup>,
) -> Result<Json<PushObject>, ApiError> {
    let stream = stream_name("streamName", &startup.stream_name)?;
    let is_muted = match startup.options.and_then(|options| options.action).as_deref() {
        None | Some("") => false,
        Some("mute") => true,
        Some("sound_on") => {
            return Err(ApiError::not_implemented(SOUND).in_field("options"));
        }
        Some(_) => return Err(ApiError::bad_request("bad_value", "options.action is mute.").in_field("options")),
    };
    let request = PushRequest { stream, url: startup.rtmp_url, is_whole: startup.rtmp_transponder_full_url, is_muted };
    let facts = api.relays()?.push(request).await.map_err(|error| relay_error(error, "rtmpUrl", "streamName"))?;
    Ok(Json(facts.into()))
}

/// Why no sound file is played.
pub(super) const SOUND: &str = "This server has nothing that reads sound files, so that it cannot play one into a push. A push without sound, or with silence in its place, is there: /push/mute, and \"action\": \"mute\" at its start.";

/// All pushes.
#[utoipa::path(post, path = "/rest-api/push/find_all", tag = "push", responses(
    (status = 200, description = "All pushes.", body = Vec<PushObject>),
    (status = 404, description = "There is none."),
))]
pub(super) async fn find_all(State(api): State<Api>) -> Result<Json<Vec<PushObject>>, ApiError> {
    select(&api, &Which::default())
}

/// All pushes.
#[utoipa::path(get, path = "/rest-api/push/find_all", tag = "push", responses(
    (status = 200, description = "All pushes.", body = Vec<PushObject>),
    (status = 404, description = "There is none."),
))]
pub(super) async fn get_all(State(api): State<Api>) -> Result<Json<Vec<PushObject>>, ApiError> {
    select(&api, &Which::default())
}

/// Pushes that fit a description.
#[utoipa::path(post, path = "/rest-api/push/find", tag = "push", request_body = Which, responses(
    (status = 200, description = "The pushes that fit.", body = Vec<PushObject>),
    (status = 404, description = "None fits."),
))]
pub(super) async fn find(
    State(api): State<Api>,
    Input(which): Input<Which>,
) -> Result<Json<Vec<PushObject>>, ApiError> {
    select(&api, &which)
}

/// Ends a push.
#[utoipa::path(post, path = "/rest-api/push/terminate", tag = "push", request_body = One, responses(
    (status = 200, description = "The order is given."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn terminate(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    done(api.relays()?.stop_push(&one.media_session_id), &one)
}

/// Sends silence in place of a push's sound.
#[utoipa::path(post, path = "/rest-api/push/mute", tag = "push", request_body = One, responses(
    (status = 200, description = "It is muted."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn mute(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    done(api.relays()?.mute_push(&one.media_session_id, true), &one)
}

/// Sends a push's sound again.
#[utoipa::path(post, path = "/rest-api/push/unmute", tag = "push", request_body = One, responses(
    (status = 200, description = "It is not muted."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn unmute(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    done(api.relays()?.mute_push(&one.media_session_id, false), &one)
}

fn done(found: bool, one: &One) -> Result<StatusCode, ApiError> {
    let id = shorten(&one.media_session_id);
    let gone = || ApiError::not_found(format!("There is no push {id:?}.")).in_field("mediaSessionId");
    found.then_some(StatusCode::OK).ok_or_else(gone)
}

fn select(api: &Api, which: &Which) -> Result<Json<Vec<PushObject>>, ApiError> {
    let found = api.relays()?.pushes().into_iter().filter(|push| fits(which, push));
    let found: Vec<PushObject> = found.map(PushObject::from).collect();
    if found.is_empty() {
        return Err(ApiError::not_found("There is no such push."));
    }
    Ok(Json(found))
}

fn fits(which: &Which, push: &PushFacts) -> bool {
    let is_named = |name: &String| push.stream.as_str() == name || push.remote_name.as_ref() == Some(name);
    which.stream_name.as_ref().is_none_or(is_named)
        && which.rtmp_url.as_ref().is_none_or(|url| push.goes_to(url))
        && which.media_session_id.as_ref().is_none_or(|id| push.id == *id)
}

//! `/push`: streams of this server that are sent to others by RTMP, and by WebRTC.

use axum::{Json, extract::State, http::StatusCode};
use headwater_relay::{PushFacts, PushRequest, SoundRequest, Status, Transport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    input::{Input, shorten, transport},
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
    /// The address of the other server: `rtmp://HOST/APP` or `rtmps://HOST/APP`; with the key if `rtmpTransponderFullUrl`. By WebRTC: `wss://HOST:PORT` or `ws://HOST:PORT`, where the stream keeps its name, or the address of a WHIP endpoint.
    #[schema(example = "rtmp://media.example.org/live")]
    rtmp_url: String,
    /// Whether the address has the key; of RTMP only. If not, the stream is called `rtmp_` and its name there.
    #[serde(default)]
    rtmp_transponder_full_url: bool,
    /// How it begins.
    options: Option<Options>,
    /// What media goes over by WebRTC: "UDP", as where nothing is said, or "TCP" for a network that lets no UDP through. RTMP always goes over TCP.
    #[schema(example = "TCP")]
    transport: Option<String>,
}

/// How a push begins.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushOptions)]
pub(super) struct Options {
    /// "mute" begins with silence in place of sound, "sound_on" with a sound file.
    #[schema(example = "mute")]
    action: Option<String>,
    /// The sound file of "sound_on".
    #[schema(example = "wait.wav")]
    sound_file: Option<String>,
    /// Whether the sound file begins again at its end. If not, silence follows it.
    #[serde(default, rename = "loop")]
    is_looped: bool,
}

impl Options {
    /// What sound a push begins with: whether it is muted, and the file.
    fn sound(self) -> Result<(bool, Option<SoundRequest>), ApiError> {
        match self.action.as_deref() {
            None | Some("") => Ok((false, None)),
            Some("mute") => Ok((true, None)),
            Some("sound_on") => {
                let missing = || ApiError::bad_request("missing_field", "sound_on needs options.soundFile.");
                let file = self.sound_file.ok_or_else(|| missing().in_field("options"))?;
                Ok((false, Some(SoundRequest { file, is_looped: self.is_looped })))
            }
            Some(_) => {
                Err(ApiError::bad_request("bad_value", "options.action is mute or sound_on.").in_field("options"))
            }
        }
    }
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

/// Which sound file is to be played into which push.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushSound)]
pub(super) struct SoundOn {
    /// The id of the push.
    media_session_id: String,
    /// The name of a WAV file in the folder that `sounds` of `[relay]` names, or in a folder below it.
    #[schema(example = "wait.wav")]
    sound_file: String,
    /// Whether it begins again at its end. If not, silence follows it until `sound_off`.
    #[serde(default, rename = "loop")]
    is_looped: bool,
}

/// What is done to the sound of a push.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushSoundState)]
struct OptionsObject {
    /// "mute" while silence is sent, "sound_on" while a sound file is played, else not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    /// The sound file.
    #[serde(skip_serializing_if = "Option::is_none")]
    sound_file: Option<String>,
    /// Whether it begins again at its end.
    #[serde(rename = "loop")]
    is_looped: bool,
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
    /// The same in the words of `options` of `startup`, with the file.
    options: OptionsObject,
    /// What media goes over: "UDP" or "TCP".
    transport: &'static str,
}

impl From<PushFacts> for PushObject {
    fn from(facts: PushFacts) -> PushObject {
        let (width, height) = facts.size.unwrap_or_default();
        let action = match (facts.is_muted, &facts.sound) {
            (true, _) => Some("mute"),
            (false, Some(_)) => Some("sound_on"),
            (false, None) => None,
        };
        let is_looped = facts.sound.as_ref().is_some_and(|sound| sound.is_looped);
        PushObject {
            transport: facts.transport.map_or("TCP", Transport::as_str),
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
            sound_enabled: facts.sound.is_some(),
            options: OptionsObject { action, sound_file: facts.sound.map(|sound| sound.file), is_looped },
        }
    }
}

/// Sends a live stream to another server, and goes on until it is told to stop or the stream ends.
#[utoipa::path(post, path = "/rest-api/push/startup", tag = "push", request_body = Startup, responses(
    (status = 200, description = "It is being connected.", body = PushObject),
    (status = 400, description = "The address cannot be used, or its host cannot be found."),
    (status = 403, description = "The host is not on the public internet and not in `allow` of `[relay]`."),
    (status = 404, description = "There is no such stream, or no such sound file."),
    (status = 409, description = "The stream is sent there already, or no file can be played in place of its sound."),
))]
pub(super) async fn startup(
    State(api): State<Api>,
    Input(startup): Input<Startup>,
) -> Result<Json<PushObject>, ApiError> {
    let stream = stream_name("streamName", &startup.stream_name)?;
    let (is_muted, sound) = startup.options.map(Options::sound).transpose()?.unwrap_or_default();
    let is_whole = startup.rtmp_transponder_full_url;
    let transport = transport(startup.transport.as_deref())?;
    let request = PushRequest { stream, url: startup.rtmp_url, is_whole, is_muted, sound, transport };
    let facts = api.relays()?.push(request).await.map_err(|error| relay_error(error, "rtmpUrl", "streamName"))?;
    Ok(Json(facts.into()))
}

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

/// Sends silence in place of a push's sound. It goes before a sound file, which goes on unheard.
#[utoipa::path(post, path = "/rest-api/push/mute", tag = "push", request_body = One, responses(
    (status = 200, description = "It is muted."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn mute(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    mute_or_not(&api, &one, true)
}

/// Sends a push's sound again.
#[utoipa::path(post, path = "/rest-api/push/unmute", tag = "push", request_body = One, responses(
    (status = 200, description = "It is not muted."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn unmute(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    mute_or_not(&api, &one, false)
}

/// Plays a sound file, from its beginning, in place of a push's own sound, until `sound_off`.
///
/// The other side sees no change but what is heard. A push that is muted stays so: the file is heard once it is not. A stream without sound gets a track of it, which goes on with silence after `sound_off`.
#[utoipa::path(post, path = "/rest-api/push/sound_on", tag = "push", request_body = SoundOn, responses(
    (status = 200, description = "The file is played."),
    (status = 400, description = "The file cannot be used."),
    (status = 404, description = "There is no such push, or no such file."),
    (status = 409, description = "No file can be played in place of this stream's sound, as MP3, HE-AAC and surround sound."),
    (status = 503, description = "So many files are being played that no other is taken."),
))]
pub(super) async fn sound_on(State(api): State<Api>, Input(on): Input<SoundOn>) -> Result<StatusCode, ApiError> {
    let request = SoundRequest { file: on.sound_file, is_looped: on.is_looped };
    play_into(&api, &on.media_session_id, Some(request)).await
}

/// Sends a push's own sound again.
#[utoipa::path(post, path = "/rest-api/push/sound_off", tag = "push", request_body = One, responses(
    (status = 200, description = "No file is played."),
    (status = 404, description = "There is no such push."),
))]
pub(super) async fn sound_off(State(api): State<Api>, Input(one): Input<One>) -> Result<StatusCode, ApiError> {
    play_into(&api, &one.media_session_id, None).await
}

async fn play_into(api: &Api, id: &str, sound: Option<SoundRequest>) -> Result<StatusCode, ApiError> {
    let played = api.relays()?.play_into_push(id, sound).await;
    played.map_err(|error| relay_error(error, "mediaSessionId", "soundFile"))?;
    Ok(StatusCode::OK)
}

fn mute_or_not(api: &Api, one: &One, is_muted: bool) -> Result<StatusCode, ApiError> {
    let done = api.relays()?.mute_push(&one.media_session_id, is_muted);
    done.map_err(|error| relay_error(error, "mediaSessionId", "mediaSessionId"))?;
    Ok(StatusCode::OK)
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

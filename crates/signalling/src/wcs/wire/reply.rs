//! What the server says.

use serde::Serialize;
use serde_json::{Value, json};

use super::request::{Connection, StreamRequest, Transport};
use crate::layer::Layer;

/// A message of the server.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The client is taken: its own words, and its token.
    UserData { connection: Box<Connection>, auth_token: String, session: String },
    /// The answer to the offer of a stream.
    Answer { media_session_id: String, sdp: String },
    /// What a stream is at.
    Status(Box<StreamStatus>),
    /// Something about a stream while it goes on.
    Event { media_session_id: String, event: Event },
    /// The size of the picture.
    VideoFormat { media_session_id: String, width: u32, height: u32 },
    /// Whether a stream is live.
    Available { media_session_id: String, problem: Option<&'static str> },
    /// The renditions of a stream, and why the choice among them is not as the client wants it.
    Renditions { media_session_id: String, renditions: Vec<Layer>, problem: Option<String> },
    /// What became of data for the application.
    DataStatus { operation_id: String, problem: Option<String> },
    /// Data from the application behind the server.
    Data { operation_id: Option<String>, payload: Value },
    /// Something could not be done.
    Fail { method: String, sentence: String },
    /// A telephone call is over.
    CallOver { call: String, sentence: &'static str },
    /// Are you there?
    Ping,
}

/// Something that happens to a stream while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) payload: Option<Value>,
}

/// What a stream is at, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Pending,
    Publishing,
    Playing,
    Unpublished,
    Stopped,
    Failed,
}

impl Status {
    /// The text.
    pub(crate) fn text(self) -> String {
        text(self)
    }
}

/// Why a stream is at what it is at. Pages compare these texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Info {
    #[serde(rename = "Failed by ICE timeout")]
    IceTimeout,
    #[serde(rename = "Failed by ICE keep alive")]
    IceKeepAlive,
    #[serde(rename = "Failed by DTLS error")]
    Dtls,
    #[serde(rename = "Failed by error")]
    Error,
    #[serde(rename = "Failed to add stream to proxy")]
    NotAdded,
    #[serde(rename = "Publish stream is not ready")]
    NotReady,
    #[serde(rename = "Stream not found")]
    NotFound,
    #[serde(rename = "Stream name is already in use")]
    NameInUse,
    #[serde(rename = "MediaSessionId is null")]
    NoId,
    #[serde(rename = "MediaSessionId is already in use")]
    IdInUse,
    #[serde(rename = "Session not ready")]
    SessionNotReady,
    #[serde(rename = "No common codecs")]
    NoCommonCodecs,
    #[serde(rename = "Failed to get agent storage")]
    NoAgent,
    #[serde(rename = "Stopped by user")]
    ByUser,
    #[serde(rename = "Stopped by publisher stop")]
    ByPublisher,
    #[serde(rename = "Stopped by rest /terminate")]
    ByRest,
    #[serde(rename = "Stopped by session disconnect")]
    ByDisconnect,
    #[serde(rename = "Requested stream shutdown")]
    Shutdown,
    #[serde(rename = "Restricted access")]
    Restricted,
    #[serde(rename = "Terminated by keep-alive")]
    KeepAlive,
}

impl Info {
    /// The text.
    pub(crate) fn text(self) -> String {
        text(self)
    }
}

fn text(word: impl Serialize) -> String {
    serde_json::to_value(word).ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The state of a stream: what its client asked for, and what became of it. What is not known is left out.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamStatus {
    pub(crate) app_key: String,
    pub(crate) session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_session_id: Option<String>,
    pub(crate) name: String,
    pub(crate) published: bool,
    pub(crate) has_video: bool,
    pub(crate) has_audio: bool,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) info: Option<Info>,
    /// A sentence for people, where the text of `info` does not say all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) record: bool,
    pub(crate) media_type: &'static str,
    pub(crate) media_provider: String,
    pub(crate) transport: &'static str,
    pub(crate) cvo_extension: bool,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) bitrate: u64,
    pub(crate) min_bitrate: u64,
    pub(crate) max_bitrate: u64,
    pub(crate) quality: u64,
    /// Milliseconds since 1970.
    pub(crate) create_date: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio_state: Option<Mute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video_state: Option<Mute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom: Option<Value>,
}

/// Whether a medium is switched off by its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mute {
    pub(crate) muted: bool,
}

impl StreamStatus {
    /// The state of a stream as it was asked for.
    pub(crate) fn of(request: &StreamRequest, published: bool, status: Status) -> StreamStatus {
        StreamStatus {
            app_key: String::new(),
            session_id: String::new(),
            media_session_id: request.media_session_id.clone(),
            name: request.name.clone(),
            published,
            has_video: request.has_video,
            has_audio: request.has_audio,
            status,
            info: None,
            reason: None,
            record: request.record,
            media_type: if published { "publish" } else { "play" },
            media_provider: request.media_provider.clone(),
            transport: if request.transport == Transport::Tcp { "TCP" } else { "UDP" },
            cvo_extension: request.cvo_extension,
            width: request.width,
            height: request.height,
            bitrate: request.bitrate,
            min_bitrate: request.min_bitrate,
            max_bitrate: request.max_bitrate,
            quality: request.quality,
            create_date: 0,
            audio_state: None,
            video_state: None,
            custom: request.custom.clone(),
        }
    }
}

impl Reply {
    /// The message as text.
    pub(crate) fn write(&self) -> String {
        let (name, data) = match self {
            Reply::UserData { connection, auth_token, session } => {
                ("getUserData", user_data(connection, auth_token, session))
            }
            Reply::Answer { media_session_id, sdp } => ("setRemoteSDP", json!([media_session_id, sdp])),
            Reply::Status(status) => ("notifyStreamStatusEvent", json!([status])),
            Reply::Event { media_session_id, event } => {
                let Event { kind, payload } = event;
                ("notifyStreamEvent", json!([{ "mediaSessionId": media_session_id, "type": kind, "payload": payload }]))
            }
            Reply::VideoFormat { media_session_id, width, height } => {
                let size = json!([{
                    "mediaSessionId": media_session_id, "status": "RESIZE",
                    "streamerVideoWidth": width, "streamerVideoHeight": height,
                }]);
                ("notifyVideoFormat", size)
            }
            Reply::Available { media_session_id, problem } => {
                // The page compares with the text "true".
                let status = if problem.is_none() { "true" } else { "false" };
                ("availableStream", json!([{ "id": media_session_id, "status": status, "info": problem }]))
            }
            Reply::Renditions { media_session_id, renditions, problem } => {
                let rendition =
                    |layer: &Layer| json!({ "label": layer.encoding_id, "width": layer.width, "height": layer.height });
                let renditions: Vec<Value> = renditions.iter().map(rendition).collect();
                let told = json!([{ "mediaSessionId": media_session_id, "renditions": renditions, "info": problem }]);
                ("renditions", told)
            }
            Reply::DataStatus { operation_id, problem } => {
                let status = if problem.is_none() { "ACCEPTED" } else { "FAILED" };
                ("DataStatusEvent", json!([{ "operationId": operation_id, "status": status, "info": problem }]))
            }
            Reply::Data { operation_id, payload } => {
                ("OnDataEvent", json!([{ "operationId": operation_id, "payload": payload }]))
            }
            Reply::Fail { method, sentence } => ("fail", json!([{ "apiMethod": method, "info": sentence }])),
            Reply::CallOver { call, sentence } => {
                ("finish", json!([{ "callId": call, "status": "FAILED", "info": sentence }]))
            }
            Reply::Ping => ("ping", json!([null])),
        };
        json!({ "message": name, "data": data }).to_string()
    }
}

fn user_data(connection: &Connection, auth_token: &str, session: &str) -> Value {
    json!([{
        "appKey": connection.app_key,
        "sessionId": session,
        "authToken": auth_token,
        "mediaProviders": connection.media_providers,
        "keepAlive": connection.keep_alive,
        "clientVersion": connection.client_version,
        "custom": connection.custom,
        "status": "ESTABLISHED",
        // For servers that fetch streams or bring them: each rendition of a picture may be asked for, or sent, in a
        // section of its own.
        "sendsRenditions": true,
        "takesRenditions": true,
    }])
}

//! What a client says.

use headwater_media::limits;
use serde_json::Value;

use super::{
    bounds::{self, Malformed},
    fields::Fields,
};

/// A message of a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// The first message: who it is.
    Connection(Box<Connection>),
    /// It wants to send a stream.
    Publish(Box<StreamRequest>),
    /// It wants to receive a stream.
    Play(Box<StreamRequest>),
    /// The first message of a connection that carries the media of a stream: the token of the client's session.
    MediaTransport(String),
    /// It sends or receives a stream no more.
    Stop(Reference),
    /// It wants a picture of a stream.
    Snapshot(Reference),
    /// It asks whether a stream is live.
    Available(Reference),
    /// It asks for the renditions of a stream that it plays, or chooses one.
    Renditions(Renditions),
    /// It has something to tell the viewers of its stream.
    Tell(Tell),
    /// It has something to tell the application behind the server.
    Data(Data),
    /// It wants to make or answer a telephone call.
    Call { method: String, call: String },
    /// It is there.
    Alive,
    /// A word of its own log.
    Log,
    /// Something that is not known here.
    Unknown(String),
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Connection {
    pub(crate) app_key: String,
    pub(crate) auth_token: Option<String>,
    pub(crate) media_providers: Vec<String>,
    pub(crate) keep_alive: bool,
    pub(crate) client_version: Option<String>,
    pub(crate) os_version: Option<String>,
    pub(crate) browser_version: Option<String>,
    pub(crate) custom: Option<Value>,
    /// It wants to be registered with a telephone exchange.
    pub(crate) wants_registration: bool,
}

/// Which way media is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    /// As the two sides find.
    #[default]
    Any,
    /// By UDP alone.
    Udp,
    /// By TCP alone.
    Tcp,
}

/// A stream that a client wants to send or to receive.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StreamRequest {
    /// Chosen by the client.
    pub(crate) media_session_id: Option<String>,
    pub(crate) name: String,
    pub(crate) has_video: bool,
    pub(crate) has_audio: bool,
    pub(crate) record: bool,
    pub(crate) media_provider: String,
    pub(crate) sdp: String,
    pub(crate) custom: Option<Value>,
    /// Pixels; 0 is as sent. The same for the next three.
    pub(crate) width: u64,
    pub(crate) height: u64,
    /// Kilobits in a second.
    pub(crate) bitrate: u64,
    /// 1 to 100.
    pub(crate) quality: u64,
    /// Kilobits in a second; 0 is no bound. The same for the next.
    pub(crate) min_bitrate: u64,
    pub(crate) max_bitrate: u64,
    pub(crate) transport: Transport,
    /// Whether it knows the extension that tells the rotation of pictures.
    pub(crate) cvo_extension: bool,
    /// Where the stream is to be sent on to.
    pub(crate) rtmp_url: Option<String>,
    /// The label of the rendition that a player wants.
    pub(crate) rendition: Option<String>,
}

/// A stream that is spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) media_session_id: Option<String>,
    pub(crate) name: String,
    pub(crate) published: bool,
}

/// What a client wants to know of the renditions of a stream, or to have of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Renditions {
    pub(crate) media_session_id: Option<String>,
    /// The label that it chooses, or `auto`; none if it asks for the list alone.
    pub(crate) chosen: Option<String>,
}

/// Something for the viewers of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tell {
    pub(crate) media_session_id: Option<String>,
    pub(crate) kind: String,
    pub(crate) payload: Option<Value>,
}

/// Something for the application behind the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Data {
    pub(crate) operation_id: String,
    pub(crate) payload: Option<Value>,
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub(crate) fn read(text: &str) -> Result<Request, Malformed> {
        bounds::check(text)?;
        let message: Value = serde_json::from_str(text).map_err(|error| Malformed::NotJson(error.to_string()))?;
        let mut message = Fields::new(message);
        let name = message.text("message").ok_or(Malformed::NoName)?;
        let first = match message.take("data") {
            Some(Value::Array(values)) => values.into_iter().next(),
            other => other,
        };
        let mut data = Fields::new(first.unwrap_or_default());
        Ok(match name.as_str() {
            "connection" => Request::Connection(Box::new(read_connection(data)?)),
            "publishStream" => Request::Publish(Box::new(read_stream(data)?)),
            "playStream" => Request::Play(Box::new(read_stream(data)?)),
            "connectMediaTransport" => Request::MediaTransport(data.text("authToken").unwrap_or_default()),
            "unPublishStream" => Request::Stop(Reference { published: true, ..read_reference(&data) }),
            "stopStream" => Request::Stop(read_reference(&data)),
            "snapshot" => Request::Snapshot(read_reference(&data)),
            "availableStream" => Request::Available(read_reference(&data)),
            "getRenditions" => {
                Request::Renditions(Renditions { media_session_id: data.text("mediaSessionId"), chosen: None })
            }
            "setRendition" => Request::Renditions(Renditions {
                media_session_id: data.text("mediaSessionId"),
                chosen: Some(data.text("rendition").unwrap_or_default()),
            }),
            "sendStreamEvent" => Request::Tell(Tell {
                media_session_id: data.text("mediaSessionId"),
                kind: data.text("type").unwrap_or_default(),
                payload: data.take("payload"),
            }),
            "sendData" => Request::Data(Data {
                operation_id: data.text("operationId").unwrap_or_default(),
                payload: data.take("payload"),
            }),
            "call" | "answer" | "hangup" | "hold" | "unhold" | "sendDtmf" | "transfer" => {
                Request::Call { call: data.text("callId").unwrap_or_default(), method: name }
            }
            "ping" | "pong" => Request::Alive,
            "pushLogs" => Request::Log,
            _ => Request::Unknown(name),
        })
    }
}

fn read_connection(mut data: Fields) -> Result<Connection, Malformed> {
    Ok(Connection {
        app_key: data.text("appKey").filter(|key| !key.is_empty()).unwrap_or_else(|| "defaultApp".to_owned()),
        auth_token: data.text("authToken").filter(|token| !token.is_empty()),
        media_providers: data.texts("mediaProviders"),
        keep_alive: data.flag("keepAlive"),
        client_version: data.text("clientVersion"),
        os_version: data.text("clientOSVersion"),
        browser_version: data.text("clientBrowserVersion"),
        custom: custom(&mut data)?,
        wants_registration: data.text("sipLogin").is_some() || data.flag("sipRegisterRequired"),
    })
}

fn read_stream(mut data: Fields) -> Result<StreamRequest, Malformed> {
    Ok(StreamRequest {
        media_session_id: data.text("mediaSessionId"),
        name: data.text("name").unwrap_or_default(),
        has_video: data.flag("hasVideo"),
        has_audio: data.flag("hasAudio"),
        record: data.flag("record"),
        media_provider: data.text("mediaProvider").unwrap_or_else(|| "WebRTC".to_owned()),
        sdp: data.text("sdp").unwrap_or_default(),
        custom: custom(&mut data)?,
        width: data.number("width"),
        height: data.number("height"),
        bitrate: data.number("bitrate"),
        quality: data.number("quality"),
        min_bitrate: data.number("minBitrate"),
        max_bitrate: data.number("maxBitrate"),
        transport: match data.text("transport").as_deref() {
            Some("TCP") => Transport::Tcp,
            Some("UDP") => Transport::Udp,
            _ => Transport::Any,
        },
        cvo_extension: data.flag("cvoExtension"),
        rtmp_url: data.text("rtmpUrl"),
        rendition: data.text("rendition"),
    })
}

fn read_reference(data: &Fields) -> Reference {
    Reference {
        media_session_id: data.text("mediaSessionId"),
        name: data.text("name").unwrap_or_default(),
        published: data.flag("published"),
    }
}

fn custom(data: &mut Fields) -> Result<Option<Value>, Malformed> {
    let custom = data.take("custom");
    let limit = &limits::WCS_CUSTOM_BYTES;
    if custom.as_ref().is_some_and(|custom| custom.to_string().len() > limit.get_usize()) {
        limit.hit();
        return Err(Malformed::CustomTooLarge(limit.get()));
    }
    Ok(custom)
}

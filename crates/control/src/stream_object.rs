//! Streams and viewers as the REST API shows them.

mod metrics;

use std::{sync::Arc, time::SystemTime};

use headwater_graph::{Rendition, Stream, StreamState, Track, Viewer};
use headwater_media::{Codec, TrackKind, TrackParameters};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::Accounts;

use metrics::Measured;
pub(crate) use metrics::metrics;

/// A publisher's stream, or one viewer's stay at it. Fields that are not known are left out.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Stream)]
pub(crate) struct StreamObject {
    /// The name of the stream.
    pub(crate) name: String,
    /// The id by which this publication, or this viewer's stay, is found and terminated.
    pub(crate) media_session_id: String,
    /// The id of the peer's session, as it stands in the log.
    pub(crate) session_id: String,
    /// True for a publisher, false for a viewer.
    pub(crate) published: bool,
    /// "publish" or "play".
    pub(crate) media_type: &'static str,
    /// "PENDING" until the tracks are known, "PUBLISHING", "PAUSED" while the publisher is away, "PLAYING" for viewers.
    pub(crate) status: &'static str,
    /// What the peer speaks: "RTMP", "WebRTC", "HTTP-FLV", ….
    pub(crate) media_provider: &'static str,
    /// Whether the stream has video.
    pub(crate) has_video: bool,
    /// Whether the stream has audio.
    pub(crate) has_audio: bool,
    /// The source's video codec, such as "H264".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video_codec: Option<String>,
    /// The source's audio codec with sample rate and channels, such as "mpeg4-generic/48000/2".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio_codec: Option<String>,
    /// Width of the picture in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    /// Height of the picture in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
    /// Degrees by which viewers over WebRTC turn the picture clockwise, where its publisher says so: 90, 180 or 270. Width and height are as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rotation: Option<u16>,
    /// Pictures in a second, as counted; as announced before there was time to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fps: Option<f64>,
    /// Bits in a second: of all media of a publisher, or sent to this viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bitrate: Option<u64>,
    /// Bits in a second of the audio alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio_bitrate: Option<u64>,
    /// How loud a publisher's newest sound is, where its packets say so (WebRTC): dBov from 0, the loudest, to -127, silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio_level: Option<i8>,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub(crate) create_date: u64,
    /// Where the peer comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remote_address: Option<String>,
    /// What the peer calls itself. Chosen by the peer: show it as text only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<String>,
    /// How many watch the stream now; for publishers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) viewers: Option<usize>,
    /// Bytes that this viewer has been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_sent: Option<u64>,
    /// Whether pictures come in another order than they are shown (B-frames); for publishers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b_frames: Option<bool>,
    /// Codec conversions at work, each with what needs it; for publishers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) conversions: Vec<Conversion>,
    /// What an operator should know about the stream, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Figures under the names that WCS uses, such as VIDEO_RATE; only when asked for by `"display": ["metrics"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) metrics: Option<serde_json::Map<String, serde_json::Value>>,
    /// What those figures are made from.
    #[serde(skip)]
    pub(crate) measured: Measured,
}

/// A codec conversion that is made once for all who need it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Conversion {
    /// "audio" or "video".
    pub(crate) kind: &'static str,
    /// The source's codec.
    pub(crate) from: &'static str,
    /// The codec that it is converted to.
    pub(crate) to: &'static str,
    /// How many read the result; the conversion stops with the last.
    pub(crate) readers: usize,
    /// Why it runs, in a sentence.
    pub(crate) reason: String,
}

/// Either a publication or a viewer's stay, with the means to end it.
pub(crate) enum Subject {
    Publication(Arc<Stream>),
    Stay(Arc<Viewer>),
}

impl Subject {
    pub(crate) fn terminate(&self, reason: &str) {
        match self {
            Subject::Publication(stream) => stream.terminate(reason),
            Subject::Stay(viewer) => viewer.terminate(reason),
        }
    }
}

/// A stream with all who watch it: the publication first.
pub(crate) fn describe(stream: &Arc<Stream>, accounts: &Accounts) -> Vec<(StreamObject, Subject)> {
    let publication = describe_publication(stream, accounts);
    let stays = stream.viewers().into_iter().map(|viewer| describe_stay(&publication, viewer, accounts));
    let stays: Vec<_> = stays.collect();
    std::iter::once((publication, Subject::Publication(stream.clone()))).chain(stays).collect()
}

/// A stream without those who watch it.
pub(crate) fn describe_publication(stream: &Arc<Stream>, accounts: &Accounts) -> StreamObject {
    let source = stream.source();
    let video = stream.track(TrackKind::Video);
    let audio = stream.track(TrackKind::Audio);
    let mut object = StreamObject {
        name: stream.name().to_string(),
        media_session_id: source.session.clone(),
        session_id: source.session.clone(),
        published: true,
        media_type: "publish",
        status: status(stream.state()),
        media_provider: source.protocol,
        has_video: video.is_some(),
        has_audio: audio.is_some(),
        create_date: milliseconds(stream.created()),
        remote_address: source.remote.map(|remote| remote.to_string()),
        user_agent: source.user_agent.clone(),
        viewers: Some(stream.viewer_count()),
        conversions: stream.tracks().iter().flat_map(conversions).collect(),
        measured: Measured::of(stream),
        ..StreamObject::default()
    };
    object.bitrate = sum_of_rates(stream, accounts);
    if let Some(audio) = audio {
        object.audio_codec = audio.native().parameters().map(|parameters| audio_codec(&parameters));
        object.audio_bitrate = accounts.rendition_rate(audio.native()).map(|rate| rate.bits as u64);
        object.audio_level = audio.native().audio_level();
    }
    if let Some(video) = video {
        describe_video(&mut object, video.native(), accounts);
    }
    object
}

fn describe_video(object: &mut StreamObject, video: &Arc<Rendition>, accounts: &Accounts) {
    object.b_frames = Some(video.reorders());
    if video.reorders() {
        object.remarks.push(B_FRAMES.to_owned());
    }
    let Some(parameters) = video.parameters() else {
        return;
    };
    object.video_codec = Some(parameters.codec.name().to_owned());
    let Some(format) = parameters.video() else {
        return;
    };
    object.width = Some(format.width).filter(|width| *width > 0);
    object.height = Some(format.height).filter(|height| *height > 0);
    object.rotation = Some(video.orientation().degrees()).filter(|degrees| *degrees > 0);
    let counted = accounts.rendition_rate(video).map(|rate| rate.frames).filter(|frames| *frames > 0.0);
    object.fps = counted.or(format.frame_rate).map(|fps| (fps * 10.0).round() / 10.0);
}

const B_FRAMES: &str = "The encoder sends B-frames, pictures out of order. Players by RTMP and HTTP-FLV show them \
                        as they are; browsers by WebRTC may show them unevenly or later. \
                        Set B-frames to 0 in the encoder for the least latency.";

fn describe_stay(publication: &StreamObject, viewer: Arc<Viewer>, accounts: &Accounts) -> (StreamObject, Subject) {
    let peer = viewer.peer();
    let object = StreamObject {
        media_session_id: peer.session.clone(),
        session_id: peer.session.clone(),
        published: false,
        media_type: "play",
        status: "PLAYING",
        media_provider: peer.protocol,
        bitrate: accounts.viewer_rate(&viewer).map(|rate| rate.bits as u64),
        audio_bitrate: None,
        audio_level: None,
        create_date: milliseconds(viewer.since()),
        remote_address: peer.remote.map(|remote| remote.to_string()),
        user_agent: peer.user_agent.clone(),
        viewers: None,
        bytes_sent: Some(viewer.bytes_sent()),
        b_frames: None,
        conversions: Vec::new(),
        remarks: Vec::new(),
        measured: publication.measured.of_viewer(),
        ..publication.clone()
    };
    (object, Subject::Stay(viewer))
}

fn status(state: StreamState) -> &'static str {
    match state {
        StreamState::Starting => "PENDING",
        StreamState::Live => "PUBLISHING",
        StreamState::Paused => "PAUSED",
        StreamState::Ended => "UNPUBLISHED",
    }
}

fn conversions(track: &Arc<Track>) -> Vec<Conversion> {
    track.renditions().iter().filter_map(conversion).collect()
}

fn conversion(rendition: &Arc<Rendition>) -> Option<Conversion> {
    let from = rendition.converted_from()?;
    let to = rendition.parameters()?.codec;
    let readers = rendition.demand().readers();
    let kind = match to.kind() {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    };
    let who = if readers == 1 { "1 viewer takes".to_owned() } else { format!("{readers} viewers take") };
    let reason = format!("{who} {} and the source sends {}.", spoken(to), spoken(from));
    Some(Conversion { kind, from: from.name(), to: to.name(), readers, reason })
}

fn spoken(codec: Codec) -> &'static str {
    if codec == Codec::Opus { "Opus" } else { codec.name() }
}

/// Named as in an SDP, since that is what WCS's clients expect.
fn audio_codec(parameters: &TrackParameters) -> String {
    let name = if parameters.codec == Codec::Aac { "mpeg4-generic" } else { parameters.codec.name() };
    match parameters.audio() {
        Some(audio) => format!("{name}/{}/{}", audio.sample_rate, audio.channels),
        None => name.to_owned(),
    }
}

fn sum_of_rates(stream: &Arc<Stream>, accounts: &Accounts) -> Option<u64> {
    let tracks = stream.tracks();
    let rates = tracks.iter().filter_map(|track| accounts.rendition_rate(track.native()));
    rates.map(|rate| rate.bits as u64).reduce(|sum, more| sum + more)
}

pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! What is known of a stream that flows, by the names that WCS gives it.

use headwater_graph::Stream;
use headwater_media::{Codec, TrackKind};

use crate::asking::Facts;

/// Codecs, and the size of the picture, as far as they are known: `hasVideo`, `videoCodec`, `width`, `height`,
/// `hasAudio`, `audioCodec`.
pub fn stream_facts(stream: &Stream) -> Facts {
    let mut facts = Facts::new();
    let (video, audio) = (stream.track(TrackKind::Video), stream.track(TrackKind::Audio));
    facts.insert("hasVideo".into(), video.is_some().into());
    facts.insert("hasAudio".into(), audio.is_some().into());
    if let Some(parameters) = video.and_then(|track| track.native().parameters()) {
        facts.insert("videoCodec".into(), parameters.codec.name().into());
        if let Some(format) = parameters.video().filter(|format| format.width > 0 && format.height > 0) {
            facts.insert("width".into(), format.width.into());
            facts.insert("height".into(), format.height.into());
        }
    }
    if let Some(parameters) = audio.and_then(|track| track.native().parameters()) {
        let codec = parameters.codec;
        // As in an SDP, which is what clients of WCS expect.
        let name = if codec == Codec::Aac { "mpeg4-generic" } else { codec.name() };
        facts.insert("audioCodec".into(), name.into());
    }
    facts
}

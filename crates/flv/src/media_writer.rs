//! Media -> bodies of audio and video tags, without touching the coded bytes.

use std::ops::Deref;

use bytes::Bytes;
use headwater_media::{AudioFormat, Codec, TrackParameters};

use crate::FourCc;

/// Longest header in front of a tag's coded bytes that is ever written.
const PREFIX_BYTES_MAX: usize = 8;

/// The header in front of the coded bytes of a tag body; the coded bytes follow unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; PREFIX_BYTES_MAX],
    length: u8,
}

impl Prefix {
    /// The first `length` of these bytes.
    fn new(bytes: [u8; PREFIX_BYTES_MAX], length: u8) -> Prefix {
        Prefix { bytes, length }
    }

    /// One byte, then the FourCC.
    fn enhanced(head: u8, fourcc: FourCc) -> Prefix {
        let [a, b, c, d] = fourcc.0;
        Prefix::new([head, a, b, c, d, 0, 0, 0], 5)
    }
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Writes the tag bodies of one track in the form that most players take.
///
/// H.264, AAC, MP3 and G.711 get the legacy headers, which every player knows; H.265, AV1, VP9, VP8 and Opus
/// the enhanced ones.
#[derive(Clone, Debug)]
pub struct MediaWriter {
    codec: Codec,
    form: Form,
    config: Bytes,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Avc,
    Aac,
    /// Legacy sound without configuration: the one header byte.
    Plain(u8),
    EnhancedVideo(FourCc),
    EnhancedAudio(FourCc),
}

impl MediaWriter {
    /// A writer for a track, or `None` if FLV has no form for its codec (G.722).
    pub fn new(parameters: &TrackParameters) -> Option<MediaWriter> {
        let sound = parameters.audio().unwrap_or(AudioFormat { sample_rate: 44_100, channels: 2 });
        let form = match parameters.codec {
            Codec::H264 => Form::Avc,
            Codec::Aac => Form::Aac,
            Codec::Mp3 => Form::Plain(mp3_header(sound)),
            Codec::Pcma => Form::Plain(0x72 | stereo_bit(sound)),
            Codec::Pcmu => Form::Plain(0x82 | stereo_bit(sound)),
            codec @ (Codec::H265 | Codec::Av1 | Codec::Vp9 | Codec::Vp8) => Form::EnhancedVideo(FourCc::of(codec)?),
            Codec::Opus => Form::EnhancedAudio(FourCc::of(Codec::Opus)?),
            _ => return None,
        };
        Some(MediaWriter { codec: parameters.codec, form, config: parameters.config.clone() })
    }

    /// Whether players need to know enhanced RTMP for this track.
    pub fn is_enhanced(&self) -> bool {
        matches!(self.form, Form::EnhancedVideo(_) | Form::EnhancedAudio(_))
    }

    /// The codec number for metadata: the legacy number, or the FourCC as a number.
    pub fn codec_number(&self) -> f64 {
        match self.form {
            Form::Avc => 7.0,
            Form::Aac => 10.0,
            Form::Plain(header) => f64::from(header >> 4),
            Form::EnhancedVideo(fourcc) | Form::EnhancedAudio(fourcc) => f64::from(fourcc.number()),
        }
    }

    /// The body that announces the decoder configuration, as header and record; `None` for codecs without one.
    pub fn config(&self) -> Option<(Prefix, Bytes)> {
        let prefix = match self.form {
            Form::Plain(_) => return None,
            Form::Avc => Prefix::new([0x17, 0, 0, 0, 0, 0, 0, 0], 5),
            Form::Aac => Prefix::new([0xaf, 0, 0, 0, 0, 0, 0, 0], 2),
            Form::EnhancedVideo(fourcc) | Form::EnhancedAudio(fourcc) => Prefix::enhanced(0x90, fourcc),
        };
        (!self.config.is_empty()).then(|| (prefix, self.config.clone()))
    }

    /// The header of a frame. Composition times beyond 24 bits are cut to the nearest that fits.
    pub fn frame(&self, key: bool, composition_ms: i64) -> Prefix {
        let frame_type: u8 = if key { 0x10 } else { 0x20 };
        let [_, c0, c1, c2] = (composition_ms.clamp(-0x80_0000, 0x7f_ffff) as i32).to_be_bytes();
        match self.form {
            Form::Avc => Prefix::new([frame_type | 7, 1, c0, c1, c2, 0, 0, 0], 5),
            Form::Aac => Prefix::new([0xaf, 1, 0, 0, 0, 0, 0, 0], 2),
            Form::Plain(header) => Prefix::new([header, 0, 0, 0, 0, 0, 0, 0], 1),
            Form::EnhancedVideo(FourCc([f0, f1, f2, f3])) if self.codec == Codec::H265 => {
                Prefix::new([0x80 | frame_type | 1, f0, f1, f2, f3, c0, c1, c2], 8)
            }
            Form::EnhancedVideo(fourcc) => Prefix::enhanced(0x80 | frame_type | 1, fourcc),
            Form::EnhancedAudio(fourcc) => Prefix::enhanced(0x91, fourcc),
        }
    }

    /// The body that says that no more frames follow; `None` where the format has no such thing.
    pub fn end(&self) -> Option<Prefix> {
        match self.form {
            Form::Avc => Some(Prefix::new([0x17, 2, 0, 0, 0, 0, 0, 0], 5)),
            Form::EnhancedVideo(fourcc) | Form::EnhancedAudio(fourcc) => Some(Prefix::enhanced(0x92, fourcc)),
            Form::Aac | Form::Plain(_) => None,
        }
    }
}

fn stereo_bit(sound: AudioFormat) -> u8 {
    u8::from(sound.channels > 1)
}

fn mp3_header(sound: AudioFormat) -> u8 {
    let (format, rate) = match sound.sample_rate {
        8_000 => (14, 0),
        ..8_000 => (2, 0),
        8_001..16_500 => (2, 1),
        16_500..33_000 => (2, 2),
        _ => (2, 3),
    };
    format << 4 | rate << 2 | 2 | stereo_bit(sound)
}

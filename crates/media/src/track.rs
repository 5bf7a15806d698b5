//! What a decoder must know about a track before its first frame.

use bytes::Bytes;

use crate::{ClockRate, Codec, TrackKind};

/// The picture format of a video track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoFormat {
    /// Width in pixels after cropping; zero when unknown.
    pub width: u32,
    /// Height in pixels after cropping; zero when unknown.
    pub height: u32,
    /// Pictures in a second, where the source says.
    pub frame_rate: Option<f64>,
}

/// The sound format of an audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples in a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
}

/// The format of a track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Picture.
    Video(VideoFormat),
    /// Sound.
    Audio(AudioFormat),
}

/// Everything a decoder must know before the first frame; changes travel in the lane.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackParameters {
    /// The coding format.
    pub codec: Codec,
    /// The clock that the track's timestamps count in.
    ///
    /// This is the RTP clock of the codec: 90 kHz for video, 48 kHz for Opus, 8 kHz for G.711 and G.722, the
    /// sample rate for AAC.
    pub clock_rate: ClockRate,
    /// Picture size or sound format.
    pub format: Format,
    /// The decoder configuration record; empty where the codec has none or carries it in band.
    ///
    /// | codec | record |
    /// |---|---|
    /// | H.264 | `AVCDecoderConfigurationRecord`, ISO/IEC 14496-15 §5.3.3.1 |
    /// | H.265 | `HEVCDecoderConfigurationRecord`, ISO/IEC 14496-15 §8.3.3.1 |
    /// | AV1 | `AV1CodecConfigurationRecord`, AV1 in ISOBMFF §2.3.3 |
    /// | VP9 | `VPCodecConfigurationRecord`, VP codec ISO media file format binding |
    /// | AAC | `AudioSpecificConfig`, ISO/IEC 14496-3 §1.6.2.1 |
    /// | Opus | identification header, RFC 7845 §5.1 |
    pub config: Bytes,
}

impl TrackParameters {
    /// Whether the track carries sound or picture.
    pub fn kind(&self) -> TrackKind {
        self.codec.kind()
    }

    /// The picture format, for video.
    pub fn video(&self) -> Option<VideoFormat> {
        match self.format {
            Format::Video(video) => Some(video),
            Format::Audio(_) => None,
        }
    }

    /// The sound format, for audio.
    pub fn audio(&self) -> Option<AudioFormat> {
        match self.format {
            Format::Audio(audio) => Some(audio),
            Format::Video(_) => None,
        }
    }
}

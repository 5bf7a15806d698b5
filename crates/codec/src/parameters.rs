//! From a configuration record to the parameters of a track.

use bytes::Bytes;
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters, VideoFormat};

use crate::CodecError;
use crate::aac::AudioSpecificConfig;
use crate::av1::{Av1Config, SequenceHeader};
use crate::h264::{self, AvcConfig};
use crate::h265::{self, HevcConfig};
use crate::opus::OpusHead;
use crate::vp9::VpConfig;

/// The parameters of a track with this configuration record.
///
/// An empty record is taken for what it means: video whose headers are in band has an unknown size, Opus is stereo.
/// A record of H.264 or H.265 that announces shorter lengths comes back with lengths of four bytes, as frames have
/// them; [`nal_length_size`] tells what the source uses.
///
/// # Errors
/// When the record cannot be read or breaks a limit, and for MP3, whose parameters are in its frames.
pub fn from_config(codec: Codec, config: Bytes) -> Result<TrackParameters, CodecError> {
    match codec {
        Codec::H264 if !config.is_empty() => h264(&config),
        Codec::H265 if !config.is_empty() => h265(&config),
        Codec::Av1 if !config.is_empty() => av1(config),
        Codec::Vp9 if !config.is_empty() => {
            VpConfig::parse(&config)?;
            Ok(video(codec, VideoFormat::default(), config))
        }
        Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Vp8 | Codec::Vp9 => {
            Ok(video(codec, VideoFormat::default(), config))
        }
        Codec::Aac => aac(config),
        Codec::Opus if config.is_empty() => Ok(audio(codec, ClockRate::OPUS, 48_000, 2, config)),
        Codec::Opus => {
            let head = OpusHead::parse(&config)?;
            Ok(audio(codec, ClockRate::OPUS, 48_000, head.channels, config))
        }
        Codec::Pcmu | Codec::Pcma => Ok(audio(codec, telephony()?, 8_000, 1, config)),
        // RFC 3551 §4.5.2: the clock of G.722 is 8 kHz by an old mistake, though it samples at 16 kHz.
        Codec::G722 => Ok(audio(codec, telephony()?, 16_000, 1, config)),
        _ => Err(CodecError::Unsupported { what: "a codec without a configuration record" }),
    }
}

/// Bytes of the length before each NAL unit of a source with this record; `None` for other codecs and bad records.
pub fn nal_length_size(codec: Codec, config: &Bytes) -> Option<u8> {
    match codec {
        Codec::H264 => Some(AvcConfig::parse(config).ok()?.length_size),
        Codec::H265 => Some(HevcConfig::parse(config).ok()?.length_size()),
        _ => None,
    }
}

fn h264(config: &Bytes) -> Result<TrackParameters, CodecError> {
    let mut record = AvcConfig::parse(config)?;
    let mut format = VideoFormat::default();
    if let Some(sps) = record.sps.first() {
        let sps = h264::Sps::parse(sps)?;
        format = VideoFormat { width: sps.width, height: sps.height, frame_rate: sps.frame_rate };
    }
    let mut config = config.clone();
    if record.length_size != 4 {
        record.length_size = 4;
        config = record.write();
    }
    Ok(video(Codec::H264, format, config))
}

fn h265(config: &Bytes) -> Result<TrackParameters, CodecError> {
    let mut record = HevcConfig::parse(config)?;
    let mut format = VideoFormat::default();
    if let Some(sps) = record.nals(h265::nal_type::SPS).next() {
        let sps = h265::Sps::parse(sps)?;
        format = VideoFormat { width: sps.width, height: sps.height, frame_rate: None };
    }
    let mut config = config.clone();
    if record.length_size() != 4 {
        record.set_length_size(4);
        config = record.write();
    }
    Ok(video(Codec::H265, format, config))
}

fn av1(config: Bytes) -> Result<TrackParameters, CodecError> {
    let record = Av1Config::parse(&config)?;
    let mut format = VideoFormat::default();
    if let Some(obu) = record.sequence_header() {
        let header = SequenceHeader::parse(obu.payload)?;
        format = VideoFormat { width: header.width, height: header.height, frame_rate: header.frame_rate };
    }
    Ok(video(Codec::Av1, format, config))
}

fn aac(config: Bytes) -> Result<TrackParameters, CodecError> {
    let facts = AudioSpecificConfig::parse(&config)?;
    let rate = facts.sample_rate();
    let clock_rate = ClockRate::new(rate).ok_or(CodecError::Unsupported { what: "a sample rate of zero" })?;
    Ok(audio(Codec::Aac, clock_rate, rate, facts.channels(), config))
}

fn telephony() -> Result<ClockRate, CodecError> {
    ClockRate::new(8_000).ok_or(CodecError::Unsupported { what: "a sample rate of zero" })
}

fn video(codec: Codec, format: VideoFormat, config: Bytes) -> TrackParameters {
    TrackParameters { codec, clock_rate: ClockRate::VIDEO, format: Format::Video(format), config }
}

fn audio(codec: Codec, clock_rate: ClockRate, sample_rate: u32, channels: u8, config: Bytes) -> TrackParameters {
    TrackParameters { codec, clock_rate, format: Format::Audio(AudioFormat { sample_rate, channels }), config }
}

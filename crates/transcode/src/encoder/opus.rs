//! Sound to Opus, by libopus: 48 kHz, 20 ms a frame. Source: RFC 6716, RFC 7845 §5.1.

use bytes::Bytes;
use headwater_codec::opus::OpusHead;
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters};
use opus::{Application, Bitrate, Channels};

use super::Encoder;
use crate::Error;

const FRAME: usize = 960;
/// The longest packet of one frame. Source: RFC 6716 §3.4, requirement R2.
const PACKET_BYTES_MAX: usize = 1_276;
const STEREO_BITRATE: i32 = 128_000;
const MONO_BITRATE: i32 = 80_000;

pub(super) struct OpusEncoder {
    encoder: opus::Encoder,
    channels: u8,
    delay: u16,
}

impl OpusEncoder {
    pub(super) fn new(stereo: bool) -> Result<OpusEncoder, Error> {
        OpusEncoder::open(stereo).map_err(|error| Error::coder(Codec::Opus, error))
    }

    fn open(stereo: bool) -> Result<OpusEncoder, opus::Error> {
        let (channels, layout, bitrate) =
            if stereo { (2, Channels::Stereo, STEREO_BITRATE) } else { (1, Channels::Mono, MONO_BITRATE) };
        let mut encoder = opus::Encoder::new(ClockRate::OPUS.hertz(), layout, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Bits(bitrate))?;
        let delay = encoder.get_lookahead()?;
        Ok(OpusEncoder { encoder, channels, delay: u16::try_from(delay).unwrap_or(0) })
    }
}

impl Encoder for OpusEncoder {
    fn parameters(&self) -> TrackParameters {
        TrackParameters {
            codec: Codec::Opus,
            clock_rate: ClockRate::OPUS,
            format: Format::Audio(AudioFormat { sample_rate: ClockRate::OPUS.hertz(), channels: self.channels }),
            config: OpusHead { pre_skip: self.delay, ..OpusHead::new(self.channels, ClockRate::OPUS.hertz()) }.write(),
        }
    }

    fn frame_length(&self) -> usize {
        FRAME
    }

    fn delay(&self) -> usize {
        usize::from(self.delay)
    }

    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        let packet = self.encoder.encode_vec_float(samples, PACKET_BYTES_MAX);
        packet.map(Bytes::from).map_err(|error| Error::coder(Codec::Opus, error))
    }
}

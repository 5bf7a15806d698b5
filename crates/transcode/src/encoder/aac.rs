//! Sound to AAC-LC, by fdk-aac: 1,024 samples a frame. Source: ISO/IEC 14496-3 §1.6.2.1.

use bytes::Bytes;
use fdk_aac::enc::{AudioObjectType, BitRate, ChannelMode, EncoderError, EncoderParams, Transport};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters};

use super::Encoder;
use crate::{Error, pcm::to_i16};

const FRAME: usize = 1_024;
/// The longest access unit: 6,144 bits a channel. Source: ISO/IEC 14496-3 §4.5.3.1.
const FRAME_BYTES_MAX: usize = 2 * 768;
const STEREO_BITRATE: u32 = 160_000;
const MONO_BITRATE: u32 = 96_000;

pub(crate) struct AacEncoder {
    encoder: fdk_aac::enc::Encoder,
    rate: ClockRate,
    channels: u8,
    delay: usize,
    config: Bytes,
    input: Vec<i16>,
    output: Vec<u8>,
}

impl AacEncoder {
    pub(crate) fn new(rate: ClockRate, stereo: bool) -> Result<AacEncoder, Error> {
        AacEncoder::open(rate, stereo).map_err(|error| Error::coder(Codec::Aac, error))
    }

    fn open(rate: ClockRate, stereo: bool) -> Result<AacEncoder, EncoderError> {
        let encoder = fdk_aac::enc::Encoder::new(EncoderParams {
            bit_rate: BitRate::Cbr(if stereo { STEREO_BITRATE } else { MONO_BITRATE }),
            sample_rate: rate.hertz(),
            transport: Transport::Raw,
            channels: if stereo { ChannelMode::Stereo } else { ChannelMode::Mono },
            audio_object_type: AudioObjectType::Mpeg4LowComplexity,
        })?;
        let info = encoder.info()?;
        let config = info.confBuf.iter().take(usize::try_from(info.confSize).unwrap_or(0)).copied().collect();
        Ok(AacEncoder {
            encoder,
            rate,
            channels: if stereo { 2 } else { 1 },
            delay: usize::try_from(info.nDelay).unwrap_or(0),
            config,
            input: Vec::new(),
            output: vec![0; FRAME_BYTES_MAX],
        })
    }
}

impl Encoder for AacEncoder {
    fn parameters(&self) -> TrackParameters {
        TrackParameters {
            codec: Codec::Aac,
            clock_rate: self.rate,
            format: Format::Audio(AudioFormat { sample_rate: self.rate.hertz(), channels: self.channels }),
            config: self.config.clone(),
        }
    }

    fn frame_length(&self) -> usize {
        FRAME
    }

    fn delay(&self) -> usize {
        self.delay
    }

    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        self.input.clear();
        self.input.extend(samples.iter().map(|&sample| to_i16(sample)));
        let done = self.encoder.encode(&self.input, &mut self.output);
        let size = done.map_err(|error| Error::coder(Codec::Aac, error))?.output_size;
        match self.output.get(..size) {
            Some(frame) if size > 0 => Ok(Bytes::copy_from_slice(frame)),
            _ => Err(Error::coder(Codec::Aac, "it gave no frame")),
        }
    }
}

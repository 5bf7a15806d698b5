//! Sound to G.711: 8 kHz, mono, 20 ms a frame.

use audio_codec_algorithms::{encode_alaw, encode_ulaw};
use bytes::Bytes;
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters};

use super::Encoder;
use crate::{Error, pcm::to_i16};

const RATE: ClockRate = ClockRate::new(8_000).unwrap();
const FRAME: usize = 160;

pub(super) struct G711Encoder {
    codec: Codec,
    law: fn(i16) -> u8,
}

impl G711Encoder {
    pub(super) fn new(codec: Codec) -> G711Encoder {
        G711Encoder { codec, law: if codec == Codec::Pcma { encode_alaw } else { encode_ulaw } }
    }
}

impl Encoder for G711Encoder {
    fn parameters(&self) -> TrackParameters {
        TrackParameters {
            codec: self.codec,
            clock_rate: RATE,
            format: Format::Audio(AudioFormat { sample_rate: RATE.hertz(), channels: 1 }),
            config: Bytes::new(),
        }
    }

    fn frame_length(&self) -> usize {
        FRAME
    }

    fn delay(&self) -> usize {
        0
    }

    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        Ok(samples.iter().map(|&sample| (self.law)(to_i16(sample))).collect())
    }
}

//! G.711 to sound: one table look-up a sample.

use audio_codec_algorithms::{decode_alaw, decode_ulaw};
use headwater_media::{Codec, TrackParameters};

use super::Decoder;
use crate::{Error, Pcm, pcm::from_i16};

pub(super) struct G711Decoder {
    law: fn(u8) -> i16,
    rate: u32,
    channels: usize,
}

impl G711Decoder {
    pub(super) fn new(parameters: &TrackParameters) -> G711Decoder {
        let channels = parameters.audio().map_or(1, |audio| usize::from(audio.channels));
        G711Decoder {
            law: if parameters.codec == Codec::Pcma { decode_alaw } else { decode_ulaw },
            rate: parameters.clock_rate.hertz(),
            channels: channels.clamp(1, 2),
        }
    }
}

impl Decoder for G711Decoder {
    fn decode(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), Error> {
        pcm.reset(self.rate, self.channels);
        let whole = frame.len() - frame.len() % self.channels;
        pcm.samples.extend(frame.iter().take(whole).map(|&byte| from_i16((self.law)(byte))));
        Ok(())
    }
}

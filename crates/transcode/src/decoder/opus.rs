//! Opus to sound, by libopus. Source: RFC 6716; RFC 7845 §5.1 for the number of channels.

use headwater_media::{Codec, TrackParameters};
use opus::Channels;

use super::Decoder;
use crate::{Error, Pcm};

/// All Opus decoders run at this rate, whatever the source was.
const RATE: u32 = 48_000;
/// The longest packet, 120 ms. Source: RFC 6716 §3.4, requirement R5.
const PACKET_SAMPLES_MAX: usize = 5_760;
/// libopus conceals in steps of this length, 2.5 ms.
const CONCEAL_STEP: usize = 120;

pub(super) struct OpusDecoder {
    decoder: opus::Decoder,
    channels: usize,
}

impl OpusDecoder {
    pub(super) fn new(parameters: &TrackParameters) -> Result<OpusDecoder, Error> {
        let mono = parameters.audio().is_some_and(|audio| audio.channels == 1);
        let (channels, layout) = if mono { (1, Channels::Mono) } else { (2, Channels::Stereo) };
        let decoder = opus::Decoder::new(RATE, layout).map_err(|error| Error::coder(Codec::Opus, error))?;
        Ok(OpusDecoder { decoder, channels })
    }

    fn run(&mut self, packet: &[u8], length: usize, pcm: &mut Pcm) -> Result<(), opus::Error> {
        pcm.reset(RATE, self.channels);
        pcm.samples.resize(length * self.channels, 0.0);
        let decoded = self.decoder.decode_float(packet, &mut pcm.samples, false)?;
        pcm.samples.truncate(decoded * self.channels);
        Ok(())
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), Error> {
        // To libopus an empty packet means a lost one.
        if frame.is_empty() {
            return Err(Error::broken(Codec::Opus, "it is empty"));
        }
        self.run(frame, PACKET_SAMPLES_MAX, pcm).map_err(|error| Error::broken(Codec::Opus, error))
    }

    fn conceal(&mut self, length: usize, pcm: &mut Pcm) {
        let steps = (length.min(PACKET_SAMPLES_MAX) / CONCEAL_STEP) * CONCEAL_STEP;
        if steps == 0 || self.run(&[], steps, pcm).is_err() {
            pcm.reset(RATE, self.channels);
        }
    }
}

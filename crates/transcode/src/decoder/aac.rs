//! AAC to sound, by fdk-aac. Source: ISO/IEC 14496-3.

use headwater_media::{Codec, TrackParameters};

use self::fdk::{Fault, Fdk};
use super::Decoder;
use crate::{Error, Pcm, pcm::from_i16};

mod fdk;

/// Delay of spectral band replication, in samples, which timestamps have in them already.
///
/// The library would have us take it out, as it is the decoder's by the standard; but what encoders stamp and players
/// play leaves it in.
const REPLICATION_DELAY: usize = 962;
/// The longest access unit that the decoder's buffer takes.
const FRAME_BYTES_MAX: usize = 8_191;
/// After so many broken frames in a row the decoder starts afresh.
const BROKEN_MAX: u32 = 8;
/// Sound is made up for this long at most, in samples; silence follows.
const CONCEAL_MAX: usize = 4_096;

pub(super) struct AacDecoder {
    decoder: Fdk,
    config: bytes::Bytes,
    surround: bool,
    delay: usize,
    broken: u32,
}

impl AacDecoder {
    pub(super) fn new(parameters: &TrackParameters) -> Result<AacDecoder, Error> {
        check(&parameters.config)?;
        let surround = parameters.audio().is_none_or(|audio| audio.channels > 2);
        let config = parameters.config.clone();
        Ok(AacDecoder { decoder: open(&config, surround)?, config, surround, delay: 0, broken: 0 })
    }

    /// Takes the decoded block over; says whether there was one.
    fn take(&mut self, pcm: &mut Pcm) -> bool {
        let block = self.decoder.block();
        pcm.rate = block.rate;
        pcm.channels = block.channels;
        pcm.samples.extend(block.samples.iter().map(|&sample| from_i16(sample)));
        let replication = if block.replicated { REPLICATION_DELAY } else { 0 };
        self.delay = block.delay.saturating_sub(replication);
        block.rate > 0 && !block.samples.is_empty()
    }
}

impl Decoder for AacDecoder {
    fn decode(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), Error> {
        if frame.is_empty() || frame.len() > FRAME_BYTES_MAX {
            return Err(Error::broken(Codec::Aac, format_args!("it has {} bytes", frame.len())));
        }
        pcm.samples.clear();
        let outcome = self.decoder.decode(frame);
        if outcome.is_ok() && self.take(pcm) {
            self.broken = 0;
            return Ok(());
        }
        self.broken += 1;
        if self.broken >= BROKEN_MAX {
            self.decoder = open(&self.config, self.surround)?;
            self.broken = 0;
        }
        Err(match outcome {
            Err(fault) => Error::broken(Codec::Aac, fault),
            Ok(()) => Error::broken(Codec::Aac, "it holds no sound"),
        })
    }

    fn conceal(&mut self, length: usize, pcm: &mut Pcm) {
        let format = (pcm.rate, pcm.channels);
        pcm.samples.clear();
        while pcm.len() < length.min(CONCEAL_MAX) && self.decoder.conceal().is_ok() && self.take(pcm) {
            if (pcm.rate, pcm.channels) != format {
                return pcm.reset(format.0, format.1);
            }
        }
        pcm.samples.truncate(length.saturating_mul(pcm.channels));
    }

    fn delay(&self) -> usize {
        self.delay
    }
}

/// Lets through only what broadcasters send: AAC-LC (2), HE-AAC (5) and HE-AAC v2 (29).
///
/// The library knows many more object types, which would only be more code for an attacker to reach.
fn check(config: &[u8]) -> Result<(), Error> {
    let reason = match config.first().map(|byte| byte >> 3) {
        Some(2 | 5 | 29) => return Ok(()),
        Some(other) => format!("audio object type {other} is not AAC-LC or HE-AAC"),
        None => "it is missing".into(),
    };
    Err(Error::Configuration { codec: Codec::Aac, reason })
}

/// Only the sum of many channels is louder than sound may be: only surround sound needs the limiter.
fn open(config: &[u8], surround: bool) -> Result<Fdk, Error> {
    let refuse = |fault: Fault| Error::Configuration { codec: Codec::Aac, reason: fault.to_string() };
    Fdk::open(config, surround).map_err(refuse)
}

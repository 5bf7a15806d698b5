//! AAC to sound, by fdk-aac. Source: ISO/IEC 14496-3.

use fdk_aac::dec::{DecoderError, Transport};
use headwater_media::{Codec, TrackParameters};

use super::Decoder;
use crate::{Error, Pcm, pcm::from_i16};

/// Two channels of the longest block, 2,048 samples of HE-AAC, with room to spare.
const SAMPLES_MAX: usize = 2 * 4_096;
/// Delay of spectral band replication, in samples, which timestamps have in them already.
///
/// The library would have us take it out, as it is the decoder's by the standard; but what encoders stamp and players
/// play leaves it in.
const REPLICATION_DELAY: usize = 962;
/// The longest access unit that the decoder's buffer takes.
const FRAME_BYTES_MAX: usize = 8_191;
/// After so many broken frames in a row the decoder starts afresh.
const BROKEN_MAX: u32 = 8;

pub(super) struct AacDecoder {
    decoder: fdk_aac::dec::Decoder,
    config: bytes::Bytes,
    block: Vec<i16>,
    delay: usize,
    broken: u32,
}

impl AacDecoder {
    pub(super) fn new(parameters: &TrackParameters) -> Result<AacDecoder, Error> {
        check(&parameters.config)?;
        Ok(AacDecoder {
            decoder: open(&parameters.config)?,
            config: parameters.config.clone(),
            block: vec![0; SAMPLES_MAX],
            delay: 0,
            broken: 0,
        })
    }

    fn run(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), DecoderError> {
        self.decoder.fill(frame)?;
        self.decoder.decode_frame(&mut self.block)?;
        let info = self.decoder.stream_info();
        let channels = usize::try_from(info.numChannels).unwrap_or(0);
        let length = usize::try_from(info.frameSize).unwrap_or(0) * channels;
        let samples = self.block.get(..length).unwrap_or(&[]);
        pcm.reset(u32::try_from(info.sampleRate).unwrap_or(0), channels);
        pcm.samples.extend(samples.iter().map(|&sample| from_i16(sample)));
        let replicated = if info.sampleRate == info.aacSampleRate { 0 } else { REPLICATION_DELAY };
        self.delay = usize::try_from(info.outputDelay).unwrap_or(0).saturating_sub(replicated);
        Ok(())
    }
}

impl Decoder for AacDecoder {
    fn decode(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), Error> {
        if frame.is_empty() || frame.len() > FRAME_BYTES_MAX {
            return Err(Error::broken(Codec::Aac, format_args!("it has {} bytes", frame.len())));
        }
        match self.run(frame, pcm) {
            Ok(()) if pcm.rate > 0 && !pcm.is_empty() => {
                self.broken = 0;
                Ok(())
            }
            outcome => {
                self.broken += 1;
                if self.broken >= BROKEN_MAX {
                    self.decoder = open(&self.config)?;
                    self.broken = 0;
                }
                Err(Error::broken(Codec::Aac, outcome.err().map_or("it holds no sound", |error| error.message())))
            }
        }
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

fn open(config: &[u8]) -> Result<fdk_aac::dec::Decoder, Error> {
    let refuse = |error: DecoderError| Error::Configuration { codec: Codec::Aac, reason: error.message().into() };
    let mut decoder = fdk_aac::dec::Decoder::new(Transport::Raw);
    // The library knows which speaker each channel belongs to, so it mixes surround sound down itself.
    decoder.set_max_output_channels(2).map_err(refuse)?;
    decoder.config_raw(config).map_err(refuse)?;
    Ok(decoder)
}

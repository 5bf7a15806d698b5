//! `AudioSpecificConfig` (ISO/IEC 14496-3 §1.6.2.1).

use bytes::Bytes;

use crate::CodecError;
use crate::bits::{BitSink, Bits};

use super::{CHANNELS, SAMPLE_RATES};

const WHAT: &str = "AudioSpecificConfig";
const AAC_LC: u8 = 2;
const SBR: u8 = 5;
const PS: u8 = 29;
/// Object types whose configuration is `GASpecificConfig`.
const GENERAL_AUDIO: [u8; 12] = [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23];

/// What a decoder must know of an AAC track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// The audio object type of the core coder; 2 is AAC-LC.
    pub object_type: u8,
    /// Samples in a second of the core coder.
    pub core_sample_rate: u32,
    /// Channels of the core coder.
    pub core_channels: u8,
    /// Samples in a second that come out if spectral band replication is signalled (HE-AAC).
    pub sbr_sample_rate: Option<u32>,
    /// Whether parametric stereo is signalled (HE-AAC v2).
    pub parametric_stereo: bool,
    /// Samples of the core coder in one frame: 1,024, or 960.
    pub core_frame_samples: u32,
}

impl AudioSpecificConfig {
    /// A configuration of AAC-LC.
    pub fn low_complexity(sample_rate: u32, channels: u8) -> AudioSpecificConfig {
        AudioSpecificConfig {
            object_type: AAC_LC,
            core_sample_rate: sample_rate,
            core_channels: channels,
            sbr_sample_rate: None,
            parametric_stereo: false,
            core_frame_samples: 1_024,
        }
    }

    /// Reads a configuration, with HE-AAC signalled explicitly, hierarchically or backward compatibly.
    ///
    /// # Errors
    /// When it ends early, has no channels or samples, or is no AAC.
    pub fn parse(config: &[u8]) -> Result<AudioSpecificConfig, CodecError> {
        let bits = &mut Bits::new(WHAT, config);
        let mut object_type = read_object_type(bits)?;
        let core_sample_rate = read_sample_rate(bits)?;
        let channel_configuration = bits.u(4)?;
        let mut sbr_sample_rate = None;
        let mut parametric_stereo = false;
        if matches!(object_type, SBR | PS) {
            parametric_stereo = object_type == PS;
            sbr_sample_rate = Some(read_sample_rate(bits)?);
            object_type = read_object_type(bits)?;
        }
        if !GENERAL_AUDIO.contains(&object_type) {
            return Err(CodecError::Unsupported { what: "an audio object type other than AAC" });
        }
        let short_frames = bits.flag()?;
        if bits.flag()? {
            bits.skip(14)?; // coreCoderDelay
        }
        bits.flag()?; // extensionFlag
        let core_channels = match CHANNELS.get(channel_configuration as usize) {
            Some(0) if channel_configuration == 0 => read_program_config(bits)?,
            Some(&channels) if channels > 0 => channels,
            _ => {
                return Err(CodecError::malformed(WHAT, "its channel configuration is reserved"));
            }
        };
        if sbr_sample_rate.is_none() {
            (sbr_sample_rate, parametric_stereo) = read_sync_extension(bits).unwrap_or_default();
        }
        Ok(AudioSpecificConfig {
            object_type,
            core_sample_rate,
            core_channels,
            sbr_sample_rate,
            parametric_stereo,
            core_frame_samples: if short_frames { 960 } else { 1_024 },
        })
    }

    /// Samples in a second that a decoder puts out.
    pub fn sample_rate(&self) -> u32 {
        self.sbr_sample_rate.unwrap_or(self.core_sample_rate)
    }

    /// Channels that a decoder puts out.
    pub fn channels(&self) -> u8 {
        if self.parametric_stereo && self.core_channels == 1 { 2 } else { self.core_channels }
    }

    /// How long one frame lasts, in samples of [`sample_rate`](Self::sample_rate).
    pub fn frame_samples(&self) -> u32 {
        let samples = u64::from(self.core_frame_samples) * u64::from(self.sample_rate());
        u32::try_from(samples / u64::from(self.core_sample_rate.max(1))).unwrap_or(self.core_frame_samples)
    }

    /// The bytes of the configuration; HE-AAC is signalled explicitly and hierarchically.
    ///
    /// Channel layouts that need a program config element are written as the nearest channel configuration.
    pub fn write(&self) -> Bytes {
        let mut bits = BitSink::default();
        let channels = CHANNELS.iter().position(|&c| c != 0 && c >= self.core_channels).unwrap_or(2);
        match self.sbr_sample_rate {
            Some(rate) => {
                put_object_type(&mut bits, if self.parametric_stereo { PS } else { SBR });
                put_sample_rate(&mut bits, self.core_sample_rate);
                bits.put(channels as u32, 4);
                put_sample_rate(&mut bits, rate);
                put_object_type(&mut bits, self.object_type);
            }
            None => {
                put_object_type(&mut bits, self.object_type);
                put_sample_rate(&mut bits, self.core_sample_rate);
                bits.put(channels as u32, 4);
            }
        }
        bits.put(u32::from(self.core_frame_samples == 960), 1);
        bits.put(0, 2); // no core coder, no extension
        bits.into_bytes().into()
    }
}

fn read_object_type(bits: &mut Bits<'_>) -> Result<u8, CodecError> {
    const ESCAPE: u8 = 31;
    match bits.u8(5)? {
        ESCAPE => Ok(bits.u8(6)? + 32),
        object_type => Ok(object_type),
    }
}

fn read_sample_rate(bits: &mut Bits<'_>) -> Result<u32, CodecError> {
    const ESCAPE: u32 = 15;
    let rate = match bits.u(4)? {
        ESCAPE => bits.u(24)?,
        index => SAMPLE_RATES.get(index as usize).copied().unwrap_or(0),
    };
    if (1..=192_000).contains(&rate) {
        Ok(rate)
    } else {
        Err(CodecError::malformed(WHAT, "its sample rate is reserved"))
    }
}

/// Counts the channels of `program_config_element()` (ISO/IEC 14496-3 §4.4.1.1).
fn read_program_config(bits: &mut Bits<'_>) -> Result<u8, CodecError> {
    bits.skip(10)?; // element_instance_tag, object_type, sampling_frequency_index
    let (front, side, back, lfe) = (bits.u(4)?, bits.u(4)?, bits.u(4)?, bits.u(2)?);
    let (data, coupling) = (bits.u(3)?, bits.u(4)?);
    for mixdown_bits in [4, 4, 3] {
        if bits.flag()? {
            bits.skip(mixdown_bits)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += if bits.flag()? { 2 } else { 1 };
        bits.skip(4)?;
    }
    bits.skip(4 * lfe + 4 * data + 5 * coupling)?;
    let to_byte = (8 - bits.position() % 8) % 8;
    bits.skip(to_byte as u32)?;
    let comment = bits.u(8)?;
    bits.skip(8 * comment)?;
    match u8::try_from(channels) {
        Ok(channels @ 1..) => Ok(channels),
        _ => Err(CodecError::malformed(WHAT, "its program config element has no channels")),
    }
}

/// The extension after the configuration that decoders without SBR never see (ISO/IEC 14496-3 §1.6.6.1).
fn read_sync_extension(bits: &mut Bits<'_>) -> Option<(Option<u32>, bool)> {
    const SBR_SYNC: u32 = 0x2b7;
    const PS_SYNC: u32 = 0x548;
    if bits.u(11).ok()? != SBR_SYNC || read_object_type(bits).ok()? != SBR || !bits.flag().ok()? {
        return None;
    }
    let rate = read_sample_rate(bits).ok()?;
    let stereo = bits.u(11).is_ok_and(|sync| sync == PS_SYNC) && bits.flag().unwrap_or(false);
    Some((Some(rate), stereo))
}

fn put_object_type(out: &mut BitSink, object_type: u8) {
    match object_type.checked_sub(32) {
        Some(rest) => {
            out.put(31, 5);
            out.put(u32::from(rest), 6);
        }
        None => out.put(u32::from(object_type), 5),
    }
}

fn put_sample_rate(out: &mut BitSink, rate: u32) {
    match SAMPLE_RATES.iter().position(|&r| r == rate) {
        Some(index) => out.put(index as u32, 4),
        None => {
            out.put(15, 4);
            out.put(rate, 24);
        }
    }
}

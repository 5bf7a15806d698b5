//! The FDK library's decoder behind a safe wall, without the delay that it has by default.
//!
//! The crate `fdk-aac` wraps it as well, but leaves two settings at values that delay the sound by 36 ms, and with
//! it, where lips are kept in sync, the picture: concealment that waits for the next frame, and a limiter.
//!
//! This is the one place of the crate with unsafe code. Its invariant: the handle is valid from `open` to `drop` and
//! never leaves this module.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use fdk_aac_sys as sys;

/// Two channels of the longest block, 2,048 samples of HE-AAC, with room to spare.
const SAMPLES_MAX: usize = 2 * 4_096;
/// Concealment by noise like the sound before: it needs nothing of the frame after.
const CONCEAL_BY_NOISE: i32 = 1;

/// A number of the library that says what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the library says {0:#x}")]
pub(super) struct Fault(u32);

/// What a decoded block is.
pub(super) struct Block<'a> {
    pub(super) samples: &'a [i16],
    pub(super) rate: u32,
    pub(super) channels: usize,
    /// Samples by which the library delays the sound, band replication included.
    pub(super) delay: usize,
    /// Whether band replication is at work, which makes the rate twice that of the coded sound.
    pub(super) replicated: bool,
}

pub(super) struct Fdk {
    handle: NonNull<sys::AAC_DECODER_INSTANCE>,
    samples: Vec<i16>,
}

// SAFETY: the library keeps no state outside the instance, and the instance is used by one owner at a time.
unsafe impl Send for Fdk {}

impl Fdk {
    /// A decoder of raw access units with this AudioSpecificConfig.
    ///
    /// The limiter keeps loud sound from clipping and delays it by 15 ms.
    pub(super) fn open(config: &[u8], limiter: bool) -> Result<Fdk, Fault> {
        // SAFETY: no preconditions; null means that there is no memory.
        let handle = unsafe { sys::aacDecoder_Open(sys::TRANSPORT_TYPE_TT_MP4_RAW, 1) };
        let handle = NonNull::new(handle).ok_or(Fault(sys::AAC_DECODER_ERROR_AAC_DEC_OUT_OF_MEMORY))?;
        let mut fdk = Fdk { handle, samples: vec![0; SAMPLES_MAX] };
        fdk.set(sys::AACDEC_PARAM_AAC_CONCEAL_METHOD, CONCEAL_BY_NOISE)?;
        // The library knows which speaker each channel belongs to, so it mixes surround sound down itself.
        fdk.set(sys::AACDEC_PARAM_AAC_PCM_MAX_OUTPUT_CHANNELS, 2)?;
        fdk.set(sys::AACDEC_PARAM_AAC_PCM_LIMITER_ENABLE, i32::from(limiter))?;
        fdk.configure(config)?;
        Ok(fdk)
    }

    /// Decodes one access unit.
    pub(super) fn decode(&mut self, frame: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(frame.len()).map_err(|_| Fault(sys::AAC_DECODER_ERROR_AAC_DEC_UNKNOWN))?;
        let (mut data, mut rest) = (frame.as_ptr().cast_mut(), length);
        // SAFETY: the library copies at most `length` bytes from `data` and does not write them.
        check(unsafe { sys::aacDecoder_Fill(self.handle.as_ptr(), &mut data, &length, &mut rest) })?;
        self.run(0)
    }

    /// Makes up the sound of a lost access unit.
    pub(super) fn conceal(&mut self) -> Result<(), Fault> {
        self.run(sys::AACDEC_CONCEAL)
    }

    /// What the last successful call made.
    pub(super) fn block(&self) -> Block<'_> {
        // SAFETY: the structure lives as long as the instance; it is copied before the instance changes again.
        let info = unsafe { *sys::aacDecoder_GetStreamInfo(self.handle.as_ptr()) };
        let channels = usize::try_from(info.numChannels).unwrap_or(0);
        let length = usize::try_from(info.frameSize).unwrap_or(0).saturating_mul(channels);
        Block {
            samples: self.samples.get(..length).unwrap_or(&[]),
            rate: u32::try_from(info.sampleRate).unwrap_or(0),
            channels,
            delay: usize::try_from(info.outputDelay).unwrap_or(0),
            replicated: info.sampleRate != info.aacSampleRate,
        }
    }

    fn run(&mut self, flags: u32) -> Result<(), Fault> {
        let capacity = i32::try_from(self.samples.len()).unwrap_or(0);
        // SAFETY: the library writes at most `capacity` samples, which is the length of the buffer.
        check(unsafe { sys::aacDecoder_DecodeFrame(self.handle.as_ptr(), self.samples.as_mut_ptr(), capacity, flags) })
    }

    fn configure(&mut self, config: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(config.len()).map_err(|_| Fault(sys::AAC_DECODER_ERROR_AAC_DEC_UNKNOWN))?;
        let mut data = config.as_ptr().cast_mut();
        // SAFETY: the library reads at most `length` bytes from `data` and does not write them.
        check(unsafe { sys::aacDecoder_ConfigRaw(self.handle.as_ptr(), &mut data, &length) })
    }

    fn set(&mut self, parameter: sys::AACDEC_PARAM, value: i32) -> Result<(), Fault> {
        // SAFETY: any number is allowed; the library checks both.
        check(unsafe { sys::aacDecoder_SetParam(self.handle.as_ptr(), parameter, value) })
    }
}

impl Drop for Fdk {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and not used again.
        unsafe { sys::aacDecoder_Close(self.handle.as_ptr()) };
    }
}

fn check(code: sys::AAC_DECODER_ERROR) -> Result<(), Fault> {
    if code == sys::AAC_DECODER_ERROR_AAC_DEC_OK { Ok(()) } else { Err(Fault(code)) }
}

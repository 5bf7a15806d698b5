//! Coded silence: frames with nothing to be heard in them.

use bytes::Bytes;
use headwater_media::{Codec, TrackParameters};

/// One frame of AAC-LC without any coefficient: a single channel element. ISO/IEC 14496-3 §4.4.2.1.
const AAC_MONO: &[u8] = &[0x00, 0x00, 0x00, 0x07];
/// The same for a pair of channels with a common window.
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];
/// The A-law and µ-law samples nearest to zero. ITU-T G.711.
const PCMA_ZERO: u8 = 0xd5;
const PCMU_ZERO: u8 = 0xff;

/// A silent frame of so many samples; nothing where the codec has none that is known.
///
/// MP3 has none, since its frames depend on each other.
pub(super) fn silence(track: &TrackParameters, samples: usize) -> Option<Bytes> {
    match track.codec {
        Codec::Pcma => Some(vec![PCMA_ZERO; samples].into()),
        Codec::Pcmu => Some(vec![PCMU_ZERO; samples].into()),
        Codec::Aac => silence_of_aac(&track.config).map(Bytes::from_static),
        _ => None,
    }
}

/// A silent frame for a decoder with this configuration: AAC-LC of one or two channels. ISO/IEC 14496-3 §1.6.2.1.
fn silence_of_aac(config: &[u8]) -> Option<&'static [u8]> {
    const LC: u8 = 2;
    const RATE_IS_WRITTEN_OUT: u8 = 15;
    let (first, second) = (*config.first()?, *config.get(1)?);
    let rate = (first & 7) << 1 | second >> 7;
    if first >> 3 != LC || rate == RATE_IS_WRITTEN_OUT {
        return None;
    }
    match second >> 3 & 15 {
        1 => Some(AAC_MONO),
        2 => Some(AAC_STEREO),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::track::g711, *};

    /// Writes fields of so many bits, and fills up the last byte.
    fn pack(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<u8> = fields
            .iter()
            .flat_map(|(value, count)| (0..*count).rev().map(move |bit| (value >> bit & 1) as u8))
            .collect();
        let byte = |bits: &[u8]| (0..8).fold(0, |byte, index| byte << 1 | bits.get(index).unwrap_or(&0));
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn silent_frames_are_what_the_specification_writes() {
        // Reserved bit, window sequence, window shape, number of scale factor bands, no prediction.
        let ics = [(0, 1), (0, 2), (0, 1), (0, 6), (0, 1)];
        // No pulses, no temporal noise shaping, no gain control.
        let tools = [(0, 1), (0, 1), (0, 1)];
        let mono = [&[(0, 3), (0, 4), (0, 8)], &ics[..], &tools, &[(7, 3)]].concat();
        assert_eq!(pack(&mono), AAC_MONO);
        let stereo = [&[(1, 3), (0, 4), (1, 1)], &ics[..], &[(0, 2), (0, 8)], &tools, &[(0, 8)], &tools, &[(7, 3)]];
        assert_eq!(pack(&stereo.concat()), AAC_STEREO);
    }

    #[test]
    fn silence_fits_the_sound_that_it_stands_for() {
        assert_eq!(silence_of_aac(&[0x12, 0x10]), Some(AAC_STEREO));
        assert_eq!(silence_of_aac(&[0x12, 0x08]), Some(AAC_MONO));
        for other in [&[0x12, 0x30][..], &[0x2b, 0x10], &[0x17, 0x90], &[0x12], &[]] {
            assert_eq!(silence_of_aac(other), None, "{other:x?}");
        }
        let track = |codec, config: &'static [u8]| TrackParameters { config: config.into(), ..g711(codec) };
        assert_eq!(silence(&track(Codec::Pcmu, &[]), 3).unwrap(), [0xff; 3][..]);
        assert_eq!(silence(&track(Codec::Pcma, &[]), 3).unwrap(), [0xd5; 3][..]);
        assert_eq!(silence(&track(Codec::Aac, &[0x12, 0x08]), 1_024).unwrap(), AAC_MONO);
        assert_eq!(silence(&track(Codec::Aac, &[0x2b, 0x10]), 1_024), None);
        assert_eq!(silence(&track(Codec::Mp3, &[]), 1_152), None);
    }
}

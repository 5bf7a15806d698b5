//! Sound that is switched off while a stream is sent on: silence in place of each frame.
//!
//! Services that take a stream want sound without gaps, so its frames stay, with nothing to be heard in them.
//! MP3 is left out instead, since its frames depend on each other.

use bytes::Bytes;
use headwater_flv::Prefix;
use headwater_media::TrackKind;

use crate::{from_stream::Sink, outbox::Outbox};

/// One frame of AAC-LC without any coefficient: a single channel element. ISO/IEC 14496-3 §4.4.2.1.
const AAC_MONO: &[u8] = &[0x00, 0x00, 0x00, 0x07];
/// The same for a pair of channels with a common window.
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];
/// The A-law and µ-law samples nearest to zero. ITU-T G.711.
const PCMA_ZERO: u8 = 0xd5;
const PCMU_ZERO: u8 = 0xff;

/// Knows what silence is in the sound that goes by.
#[derive(Debug, Default)]
pub(crate) struct Mute {
    aac: Option<&'static [u8]>,
}

impl Mute {
    /// Where media goes now: as it is, or with its sound switched off.
    pub(crate) fn sink<'a>(&'a mut self, outbox: &'a mut Outbox, is_muted: bool) -> Muted<'a> {
        Muted { mute: self, outbox, is_muted }
    }
}

/// An outbox that media is put into with or without its sound.
pub(crate) struct Muted<'a> {
    mute: &'a mut Mute,
    outbox: &'a mut Outbox,
    is_muted: bool,
}

impl Sink for Muted<'_> {
    fn metadata(&mut self, body: Bytes) {
        self.outbox.metadata(body);
    }

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        if kind == TrackKind::Audio && **prefix == [0xaf, 0] {
            self.mute.aac = silence_of_aac(payload);
        } else if kind == TrackKind::Audio && self.is_muted {
            if let Some(silence) = silence(prefix, payload, self.mute.aac) {
                self.outbox.media(kind, timestamp, prefix, &silence);
            }
            return;
        }
        self.outbox.media(kind, timestamp, prefix, payload);
    }

    fn is_full(&self) -> bool {
        self.outbox.is_full()
    }
}

fn silence(prefix: &[u8], payload: &Bytes, aac: Option<&'static [u8]>) -> Option<Bytes> {
    match prefix.first()? >> 4 {
        7 => Some(vec![PCMA_ZERO; payload.len()].into()),
        8 => Some(vec![PCMU_ZERO; payload.len()].into()),
        10 => aac.map(Bytes::from_static),
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
    use super::*;

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
        let frame = Bytes::from_static(&[1, 2, 3]);
        assert_eq!(silence(&[0x82], &frame, None).unwrap(), [0xff; 3][..]);
        assert_eq!(silence(&[0x72], &frame, None).unwrap(), [0xd5; 3][..]);
        assert_eq!(silence(&[0xaf, 1], &frame, Some(AAC_MONO)).unwrap(), AAC_MONO);
        assert_eq!(silence(&[0xaf, 1], &frame, None), None);
        assert_eq!(silence(&[0x2f], &frame, Some(AAC_MONO)), None);
    }
}

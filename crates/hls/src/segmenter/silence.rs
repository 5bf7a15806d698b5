//! Sound that stops while the picture goes on: silence takes its place.
//!
//! Players that feed Media Source Extensions play no further than both sound and picture reach, so they would stand still
//! for good.

use std::time::Duration;

use bytes::Bytes;
use headwater_codec::aac::AudioSpecificConfig;
use headwater_media::{Codec, Frame, TrackParameters};

use super::Track;

/// Sound that is behind the picture by more has stopped.
const STOPPED: Duration = Duration::from_secs(1);
/// Silence stays so far behind the picture, so that sound that comes back late is not in its way.
const BEHIND: Duration = Duration::from_millis(300);

/// One channel, and two: a block in which no band has any energy (ISO/IEC 14496-3 §4.4.2.1, raw_data_block with
/// max_sfb 0).
const MONO: &[u8] = &[0x00, 0x00, 0x00, 0x07];
const STEREO: &[u8] = &[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];

/// Frames of silence of one track.
#[derive(Debug)]
pub(super) struct Silence {
    data: Bytes,
    /// How long one lasts.
    length: Duration,
    /// Whether it stands in for the sound now.
    is_heard: bool,
}

impl Silence {
    /// Nothing for a picture, and for sound that silence cannot be made of.
    pub(super) fn of(parameters: &TrackParameters) -> Option<Silence> {
        let is_aac = parameters.codec == Codec::Aac;
        let config = is_aac.then(|| AudioSpecificConfig::parse(&parameters.config).ok()).flatten()?;
        let data = match config.core_channels {
            1 => MONO,
            2 => STEREO,
            _ => return None,
        };
        let length =
            Duration::from_secs_f64(f64::from(config.frame_samples()) / f64::from(config.sample_rate().max(1)));
        Some(Silence { data: Bytes::from_static(data), length, is_heard: false })
    }
}

impl Track {
    /// Fills up a sound that has stopped, nearly up to where the picture is. Nothing is filled before `since`.
    pub(super) fn fill(&mut self, since: Duration, end: Duration) {
        let next = self.next();
        let Some(silence) = &mut self.silence else { return };
        if !silence.is_heard && end.saturating_sub(next.max(since)) < STOPPED {
            return;
        }
        silence.is_heard = true;
        self.fill_until(since, end.saturating_sub(BEHIND));
    }

    /// Sound has come: says whether it is to be taken. What came too late for its place is not.
    pub(super) fn hears(&mut self, frame: &Frame, since: Duration) -> bool {
        let time = self.rate.duration(frame.dts);
        let next = self.next();
        match &mut self.silence {
            Some(silence) if silence.is_heard => {
                let is_late = time < next && next.saturating_sub(time) < STOPPED * 2;
                silence.is_heard = is_late;
                if !is_late && time >= next && time.saturating_sub(next) < STOPPED * 2 {
                    self.fill_until(since, time);
                }
                !is_late
            }
            _ => true,
        }
    }

    fn fill_until(&mut self, since: Duration, end: Duration) {
        let Some((data, length)) = self.silence.as_ref().map(|silence| (silence.data.clone(), silence.length)) else {
            return;
        };
        if length.is_zero() {
            return;
        }
        let mut at = (self.next() + length).max(since);
        while at + length <= end {
            let ticks = self.rate.ticks(at);
            let frame = Frame { dts: ticks, pts: ticks, random_access: true, data: data.clone() };
            self.samples.extend(self.timeline.push(frame).sample);
            at += length;
        }
    }
}

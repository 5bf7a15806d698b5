//! Source times -> samples that follow each other without a hole, an overlap or a drift.

mod rules;

use headwater_codec::{aac::AudioSpecificConfig, opus::packet_samples};
use headwater_media::{Codec, Frame, Ticks, TrackKind, TrackParameters};

use self::rules::Rules;
pub use self::rules::{GAP_MAX, RETURN_MAX};
use crate::Sample;

/// Turns the frames of one track into samples.
///
/// Samples count in the track's clock rate from an origin on the stream's time line, which all tracks that are
/// played together share. A sample's decode time is the sum of the durations before it, without exception but a
/// [`Break`]; because each duration is chosen so that the *next* sample begins when the source says, errors do not
/// add up, however long it runs.
///
/// How long a frame lasts is known when the next one comes. Whoever cannot wait for that, such as a live viewer,
/// calls [`Timeline::close`] after each frame: its duration is then foretold, from the last step of a picture or the
/// samples of a packet of sound, and the next duration makes up for what was wrong. Presentation times of pictures
/// stay exact all the same, as the composition offset makes up for the rest.
///
/// | the next frame comes | pictures | sound |
/// |---|---|---|
/// | about when it should | last until the next | last as long as they have samples; up to 60 ms of jitter are made up for by at most 1/64 of each packet |
/// | late, by up to [`GAP_MAX`] | last until the next | the last before the gap lasts until the next |
/// | not after the one before, by up to [`RETURN_MAX`] | last one tick | last one tick |
/// | later or earlier than that | a break: time goes on where the source does | the same |
///
/// Frames from before the origin are taken for frames at the origin.
#[derive(Debug)]
pub struct Timeline {
    rules: Rules,
    origin: Ticks,
    /// The frame whose end is not known yet.
    pending: Option<Frame>,
    /// When the next sample begins.
    next: u64,
    /// Source time of the frame that came last, from the origin.
    last: Option<u64>,
}

/// What comes of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// The frame before it, now that its end is known.
    pub sample: Option<Sample>,
    /// What lies between that and the new frame, if they do not follow each other: a new fragment has to begin, and
    /// players have to be told.
    pub discontinuity: Option<Break>,
}

/// Why decode times do not go on where they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Nothing came for longer than [`GAP_MAX`]: so many ticks after the frame before.
    Gap(u64),
    /// The source's time went back by more than [`RETURN_MAX`]: so many ticks before the frame before.
    Return(u64),
    /// The source said so, by [`Timeline::interrupt`].
    Told,
}

impl Timeline {
    /// A time line that begins at a point of the stream's, in ticks of the track's clock rate.
    pub fn new(parameters: &TrackParameters, origin: Ticks) -> Timeline {
        Timeline { rules: Rules::new(parameters), origin, pending: None, next: 0, last: None }
    }

    /// Takes the next frame; gives back the one before it.
    pub fn push(&mut self, frame: Frame) -> Pushed {
        let time = self.since_origin(frame.dts);
        let discontinuity = self.last.and_then(|last| self.rules.break_between(last, time));
        let sample = match (discontinuity, self.last) {
            (Some(_), _) => self.close(),
            (None, Some(last)) => {
                self.rules.learn(last, time);
                self.finish(|rules, start, samples| rules.duration(start, time, samples))
            }
            (None, None) => None,
        };
        if discontinuity.is_some() || self.last.is_none() {
            self.next = time;
        }
        self.last = Some(time);
        self.pending = Some(frame);
        Pushed { sample, discontinuity }
    }

    /// Gives back the frame that came last without waiting for the next: its duration is foretold.
    pub fn close(&mut self) -> Option<Sample> {
        let time = self.last?;
        self.finish(|rules, start, samples| rules.foretold(start, time, samples))
    }

    /// Gives back the frame that came last, which lasts until then, in ticks of the track from the origin.
    pub fn close_at(&mut self, end: u64) -> Option<Sample> {
        self.finish(|_, start, _| u32::try_from(end.saturating_sub(start).max(1)).unwrap_or(u32::MAX))
    }

    /// Takes note that what follows does not continue what came before. Gives back the last frame; the next one
    /// begins where the source says.
    pub fn interrupt(&mut self) -> Pushed {
        let sample = self.close();
        let discontinuity = self.last.take().map(|_| Break::Told);
        Pushed { sample, discontinuity }
    }

    /// Goes on with other parameters. Gives back the last frame that was of the old ones.
    pub fn change(&mut self, parameters: &TrackParameters) -> Option<Sample> {
        let sample = self.close();
        let (from, to) = (self.rules.rate(), parameters.clock_rate);
        let rescale = |time: u64| {
            let time = from.rescale(i64::try_from(time).unwrap_or(i64::MAX), to);
            u64::try_from(time).unwrap_or(0)
        };
        self.origin = from.rescale(self.origin, to);
        self.next = rescale(self.next);
        self.last = self.last.map(rescale);
        self.rules = Rules::new(parameters);
        sample
    }

    /// When the next sample begins, in ticks of the track from the origin.
    pub fn next_decode_time(&self) -> u64 {
        self.next
    }

    fn finish(&mut self, duration: impl FnOnce(&Rules, u64, Option<u32>) -> u32) -> Option<Sample> {
        let frame = self.pending.take()?;
        let decode_time = self.next;
        let samples = self.rules.samples(&frame);
        let duration = duration(&self.rules, decode_time, samples);
        let composition_offset = match self.rules.kind() {
            TrackKind::Audio => 0,
            TrackKind::Video => offset(frame.pts.saturating_sub(self.origin), decode_time),
        };
        self.next = decode_time.saturating_add(u64::from(duration));
        Some(Sample { decode_time, duration, composition_offset, sync: frame.random_access, data: frame.data })
    }

    fn since_origin(&self, time: Ticks) -> u64 {
        u64::try_from(time.saturating_sub(self.origin)).unwrap_or(0)
    }
}

fn offset(presentation: Ticks, decode_time: u64) -> i32 {
    let offset = i128::from(presentation) - i128::from(decode_time);
    i32::try_from(offset.clamp(i128::from(i32::MIN), i128::from(i32::MAX))).unwrap_or(0)
}

/// Samples of a packet of sound, where its codec says.
fn samples_of(codec: Codec, aac: Option<&AudioSpecificConfig>, frame: &Frame) -> Option<u32> {
    match codec {
        Codec::Aac => aac.map(AudioSpecificConfig::frame_samples),
        Codec::Opus => packet_samples(&frame.data).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

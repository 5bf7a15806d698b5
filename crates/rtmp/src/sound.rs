//! What sound is sent on with a stream: its own, silence, or a substitute.
//!
//! ```text
//!  own         |f0|f1|f2|f3|f4|f5|f6|f7|      frames of the stream, each with its time
//!  substitute        |s0|s1|s2|               begins where f1 ends, each as long as its samples
//!  sent        |f0|f1|s0|s1|s2|f5|f6|f7|      up to the time that the stream has come to
//! ```
//!
//! The substitute is coded as the stream's own sound is, so that the other side sees one track without a change. It
//! goes by the time stamps of the stream, of its pictures too, and by no clock.
//! Services that take a stream want sound without gaps; so silence is frames with nothing to be heard in them.

mod silence;
mod track;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use headwater_flv::Prefix;
use headwater_media::{ClockRate, TrackKind, TrackParameters};

use self::track::{SoundTrack, is_config, made};
use crate::from_stream::Sink;

/// Where the stream's time jumps by more, in milliseconds, the gap stays one and is not filled.
const GAP_MAX_MS: i32 = 1_000;
/// Samples of a silent frame in a track that was made.
const SILENCE_SAMPLES: usize = 1_024;

/// Sound that is sent in place of a stream's own.
pub trait Substitute: Send + Sync {
    /// Begins or, after another connection, goes on; nothing where it cannot be coded for such a track.
    fn begin(&self, track: &TrackParameters) -> Option<Box<dyn CodedSound>>;
}

/// A substitute that is coded for a track.
pub trait CodedSound: Send {
    /// How many samples of the track each frame stands for.
    fn frame_length(&self) -> usize;

    /// The next frame; nothing when it is over, after which silence takes its place.
    fn next_frame(&mut self) -> Option<Bytes>;
}

/// Decides frame by frame what sound goes out.
#[derive(Default)]
pub(crate) struct SoundSwitch {
    is_muted: bool,
    substitute: Option<Arc<dyn Substitute>>,
    /// What codes the substitute; the inner is nothing where it cannot be coded.
    coded: Option<Option<Box<dyn CodedSound>>>,
    /// Whether the stream has sound of its own.
    has_own: bool,
    track: Option<SoundTrack>,
    /// When the sound sent so far ends.
    end: Option<SampleClock>,
}

impl SoundSwitch {
    /// Says what is wanted from now on.
    pub(crate) fn set(&mut self, is_muted: bool, substitute: Option<Arc<dyn Substitute>>) {
        self.is_muted = is_muted;
        let is_same = match (&self.substitute, &substitute) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            self.substitute = substitute;
            self.coded = None;
        }
    }

    /// Says whether the stream has sound of its own.
    pub(crate) fn set_own(&mut self, has_own: bool) {
        self.has_own = has_own;
    }

    /// The track that is sent although the stream has none of its own.
    pub(crate) fn made_track(&self) -> Option<TrackParameters> {
        let is_made = self.track.as_ref().is_some_and(|track| track.is_made);
        (!self.has_own && (is_made || self.substitute.is_some())).then(made)
    }

    /// Where media goes now.
    pub(crate) fn sink<'a, S: Sink>(&'a mut self, outbox: &'a mut S) -> Switched<'a, S> {
        Switched { switch: self, outbox }
    }

    /// Takes note of what the stream's own sound is.
    fn learn(&mut self, prefix: &[u8], payload: &Bytes) {
        if is_config(prefix) || self.track.as_ref().is_none_or(|track| track.is_made || !track.has_frame(prefix)) {
            self.track = SoundTrack::read(prefix, payload);
            self.coded = None;
        }
    }

    /// Makes ready what codes the substitute, and a track if the stream has none.
    fn prepare(&mut self, time: u32, outbox: &mut impl Sink) {
        let Some(substitute) = &self.substitute else { return };
        if self.coded.is_some() {
            return;
        }
        let made = if self.track.is_none() && !self.has_own { SoundTrack::made() } else { None };
        let Some(track) = self.track.as_ref().or(made.as_ref()) else { return };
        let coded = substitute.begin(&track.parameters);
        if coded.is_some()
            && let Some(track) = made
        {
            if let Some((prefix, config)) = track.writer.config() {
                outbox.media(TrackKind::Audio, time, &prefix, &config);
            }
            self.track = Some(track);
        }
        self.coded = Some(coded);
    }

    /// Sends what has to be heard up to this time in place of the stream's own sound.
    fn fill(&mut self, time: u32, outbox: &mut impl Sink) {
        self.prepare(time, outbox);
        let Some(track) = &self.track else { return };
        if self.substitute.is_none() && !track.is_made {
            return;
        }
        if self.substitute.is_some() && !matches!(self.coded, Some(Some(_))) {
            return;
        }
        let rate = track.rate();
        let end = self.end.get_or_insert(SampleClock::new(time));
        if time.wrapping_sub(end.milliseconds()) as i32 > GAP_MAX_MS {
            *end = SampleClock::new(time);
        }
        while time.wrapping_sub(end.milliseconds()) as i32 >= 0 {
            let coded = self.coded.as_mut().and_then(Option::as_mut);
            let length = coded.as_ref().map_or(SILENCE_SAMPLES, |coded| coded.frame_length()).max(1);
            let frame = coded.and_then(|coded| coded.next_frame()).filter(|_| !self.is_muted);
            if let Some(frame) = frame.or_else(|| track.silence(length)) {
                outbox.media(TrackKind::Audio, end.milliseconds(), &track.prefix(), &frame);
            }
            end.advance(length, rate);
        }
    }

    /// What is sent of a frame of the stream's own.
    fn own(&mut self, time: u32, payload: &Bytes) -> Option<Bytes> {
        if self.substitute.is_some() {
            return None;
        }
        let Some(track) = &self.track else { return (!self.is_muted).then(|| payload.clone()) };
        let (samples, rate) = (track.samples(payload), track.rate());
        // A substitute seldom ends between two frames: one of which more than half has been heard is left out.
        let ahead = self.end.map_or(0, |end| end.milliseconds().wrapping_sub(time) as i32);
        if ahead > SampleClock::new(0).advance(samples, rate).milliseconds() as i32 / 2 && ahead <= GAP_MAX_MS {
            return None;
        }
        self.end = Some(*SampleClock::new(time).advance(samples, rate));
        if self.is_muted { track.silence(samples) } else { Some(payload.clone()) }
    }
}

/// An outbox that media is put into with the sound that is wanted.
pub(crate) struct Switched<'a, S> {
    switch: &'a mut SoundSwitch,
    outbox: &'a mut S,
}

impl<S: Sink> Sink for Switched<'_, S> {
    fn metadata(&mut self, body: Bytes) {
        self.outbox.metadata(body);
    }

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        if kind == TrackKind::Audio {
            self.switch.learn(prefix, payload);
            if is_config(prefix) {
                return self.outbox.media(kind, timestamp, prefix, payload);
            }
        }
        self.switch.fill(timestamp, self.outbox);
        if kind == TrackKind::Video {
            self.outbox.media(kind, timestamp, prefix, payload);
        } else if let Some(payload) = self.switch.own(timestamp, payload) {
            self.outbox.media(kind, timestamp, prefix, &payload);
        }
    }

    fn is_full(&self) -> bool {
        self.outbox.is_full()
    }
}

/// A point in time, counted in samples from a time stamp on, so that nothing is lost by rounding.
#[derive(Clone, Copy)]
struct SampleClock {
    start: u32,
    samples: u64,
    rate: ClockRate,
}

impl SampleClock {
    fn new(start: u32) -> SampleClock {
        SampleClock { start, samples: 0, rate: ClockRate::MILLISECONDS }
    }

    fn milliseconds(&self) -> u32 {
        let passed = self.samples.saturating_mul(1_000) / u64::from(self.rate.hertz());
        // Time stamps have 32 bits that wrap.
        self.start.wrapping_add(passed as u32)
    }

    fn advance(&mut self, samples: usize, rate: ClockRate) -> &SampleClock {
        if self.rate != rate {
            *self = SampleClock { start: self.milliseconds(), samples: 0, rate };
        }
        self.samples = self.samples.saturating_add(samples as u64);
        self
    }
}

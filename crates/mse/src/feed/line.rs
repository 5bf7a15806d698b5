//! One track as a feed reads it.

use std::{sync::Arc, time::Duration};

use headwater_graph::{Cursor, Next, Track};
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackKind, TrackParameters};
use headwater_mp4::{Sample, Timeline, needs_new_init};

/// A track that is behind the others by more brings nothing.
const SILENCE: Duration = Duration::from_secs(3);
/// After a discontinuity, a step of the source's time up to this is none.
const STEP_MAX: Duration = Duration::from_millis(500);
const MICROSECONDS: i128 = 1_000_000;

/// One track as a feed reads it.
pub(crate) struct Line {
    id: u32,
    kind: TrackKind,
    cursor: Cursor<Frame>,
    parameters: Arc<TrackParameters>,
    timeline: Timeline,
    /// Time of the last frame in microseconds.
    last_time: Option<i64>,
    is_silent: bool,
    /// The source has said that what follows does not continue what came before.
    has_discontinuity: bool,
}

/// What comes of the next thing in a line.
pub(super) enum Step {
    Nothing,
    Ended,
    /// The source has changed to another codec: another feed is due.
    OtherCodec,
    /// Another init segment is due.
    OtherParameters {
        last: Option<Sample>,
    },
    Frame(Framed),
}

/// A frame, and perhaps the one before it.
pub(super) struct Framed {
    pub(super) before: Option<Sample>,
    /// Whether time makes a jump between both.
    pub(super) has_break: bool,
    pub(super) now: Option<Sample>,
    /// Whether the track has been silent until now.
    pub(super) has_begun: bool,
}

impl Line {
    /// Reads a track whose parameters are known. Nothing for one whose parameters are not.
    pub(crate) fn new(track: &Arc<Track>, mut cursor: Cursor<Frame>) -> Option<Line> {
        while cursor.parameters().is_none() && cursor.next_ticks() == Some(Ticks::MIN) {
            cursor.next();
        }
        let parameters = cursor.parameters().cloned().or_else(|| track.native().parameters())?;
        Some(Line {
            // Pictures are track 1, sound is track 2.
            id: if track.kind() == TrackKind::Video { 1 } else { 2 },
            kind: track.kind(),
            cursor,
            timeline: Timeline::new(&parameters, 0),
            parameters,
            last_time: None,
            is_silent: true,
            has_discontinuity: false,
        })
    }

    pub(crate) fn codec(&self) -> Codec {
        self.parameters.codec
    }

    /// The time of the next frame in ticks of a clock, if it is there.
    pub(crate) fn next_frame_ticks(&mut self) -> Option<(Ticks, ClockRate)> {
        let ticks = self.cursor.next_ticks().filter(|ticks| *ticks != Ticks::MIN)?;
        Some((ticks, self.parameters.clock_rate))
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn parameters(&self) -> &Arc<TrackParameters> {
        &self.parameters
    }

    pub(super) fn request_key_frame(&self) {
        self.cursor.demand().request_key_frame();
    }

    /// Counts it as present from the beginning, if it has a frame.
    pub(super) fn begin(&mut self) {
        self.last_time = self.next_time().filter(|time| *time != i64::MIN);
        self.is_silent = self.last_time.is_none();
    }

    /// The time of what comes next in microseconds, the earliest for a change; nothing if nothing is there.
    pub(super) fn next_time(&mut self) -> Option<i64> {
        match self.cursor.next_ticks()? {
            Ticks::MIN => Some(i64::MIN),
            ticks => Some(microseconds(self.parameters.clock_rate, ticks)),
        }
    }

    /// Time of the last frame in microseconds.
    pub(super) fn last_time(&self) -> Option<i64> {
        self.last_time
    }

    /// Whether it brings nothing now.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Falls silent if it is too far behind; says whether it did.
    pub(super) fn fall_silent(&mut self, now: i64) -> bool {
        let silence = i64::try_from(SILENCE.as_micros()).unwrap_or(i64::MAX);
        let is_behind = self.last_time.is_none_or(|last| now.saturating_sub(last) > silence);
        let falls = is_behind && !self.is_silent;
        if falls {
            // It begins anew where the source then is. Decode times that had to catch up would be taken for those of a
            // viewer who is far behind.
            self.timeline.interrupt();
        }
        self.is_silent |= is_behind;
        falls
    }

    /// Takes what is next.
    pub(super) fn step(&mut self) -> Step {
        match self.cursor.next() {
            Next::Item(frame) => {
                let frame = frame.clone();
                self.frame(frame)
            }
            Next::Parameters(parameters) => {
                let parameters = parameters.clone();
                self.change(parameters)
            }
            Next::Discontinuity | Next::Lost { .. } => {
                self.has_discontinuity = true;
                Step::Nothing
            }
            Next::Empty => Step::Nothing,
            Next::Ended => Step::Ended,
        }
    }

    fn change(&mut self, parameters: Arc<TrackParameters>) -> Step {
        if parameters.codec != self.parameters.codec {
            return Step::OtherCodec;
        }
        if !needs_new_init(&self.parameters, &parameters) {
            return Step::Nothing;
        }
        let last = self.timeline.change(&parameters);
        self.parameters = parameters;
        Step::OtherParameters { last }
    }

    fn frame(&mut self, frame: Frame) -> Step {
        let (mut before, mut has_break) = (None, false);
        if std::mem::take(&mut self.has_discontinuity) && self.is_far(frame.dts) {
            let told = self.timeline.interrupt();
            (before, has_break) = (told.sample, told.discontinuity.is_some());
        }
        self.last_time = Some(microseconds(self.parameters.clock_rate, frame.dts));
        let pushed = self.timeline.push(frame);
        has_break |= pushed.discontinuity.is_some();
        // A picture is sent at once: its duration is foretold. Sound waits for the next packet, as a gap in it could
        // not be closed any more; that costs a packet's time, of which there is enough.
        let now = if self.kind == TrackKind::Video { self.timeline.close() } else { None };
        let has_begun = std::mem::replace(&mut self.is_silent, false);
        Step::Frame(Framed { before: before.or(pushed.sample), has_break, now, has_begun })
    }

    fn is_far(&self, dts: Ticks) -> bool {
        let next = i64::try_from(self.timeline.next_decode_time()).unwrap_or(i64::MAX);
        let far = self.parameters.clock_rate.ticks(STEP_MAX);
        dts.abs_diff(next) > far.unsigned_abs()
    }
}

fn microseconds(rate: ClockRate, ticks: Ticks) -> i64 {
    let scaled = i128::from(ticks).saturating_mul(MICROSECONDS).div_euclid(i128::from(rate.hertz()));
    i64::try_from(scaled).unwrap_or(if ticks < 0 { i64::MIN + 1 } else { i64::MAX })
}

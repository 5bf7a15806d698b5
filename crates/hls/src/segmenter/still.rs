//! A picture that stops while the sound goes on: its last random access point is shown again until it is back.
//!
//! Players that feed Media Source Extensions play no further than both sound and picture reach, so they would stand still
//! for good. Each part gets one frame that lasts as long as the part. In H.264 it begins each segment, and is repeated
//! within by pictures of some tens of bytes; in other codecs it is written again and again. The picture that comes back
//! begins with a random access point, as what lies before that is not decodable after the still one.

use std::time::Duration;

use bytes::Bytes;
use headwater_codec::h264::{AvcConfig, Repeat};
use headwater_media::{Codec, Frame, Ticks, TrackKind, TrackParameters};
use headwater_mp4::GAP_MAX;

use super::{Segmenter, Track};
use crate::{container::ContainerError, window::Window};

/// Without a frame of the track that leads for so long, the other one leads.
const LEAD_WAIT: Duration = Duration::from_secs(1);
/// Where pictures come seldom, one has not stopped before so many of its last steps.
const STEPS: u32 = 3;
/// A picture that has not come for longer has stopped, whatever its steps were.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// The still picture stays so far behind the sound, so that a picture that comes back late is not in its way.
const BEHIND: Duration = Duration::from_millis(300);
/// Packets of sound that wait for a picture whose time has not jumped as theirs has.
const WAITING_MAX: usize = 64;

/// The last random access point of a picture.
#[derive(Debug, Default)]
pub(super) struct Still {
    data: Bytes,
    /// From its decode time to its presentation time.
    offset: Ticks,
    last: Option<Ticks>,
    /// Between the last two pictures, if there have been two.
    step: Option<Ticks>,
    is_shown: bool,
    /// What repeats it, where that is known.
    repeat: Option<Repeat>,
    /// Frames of it since it began, or since the segment did.
    count: u32,
}

impl Still {
    /// A picture has come.
    pub(super) fn learn(&mut self, frame: &Frame) {
        self.step = self.last.map(|last| frame.dts.saturating_sub(last));
        self.last = Some(frame.dts);
        if frame.random_access {
            (self.data, self.offset) = (frame.data.clone(), frame.pts.saturating_sub(frame.dts));
        }
    }

    fn begin(&mut self, parameters: &TrackParameters) {
        let is_h264 = parameters.codec == Codec::H264;
        let config = is_h264.then(|| AvcConfig::parse(&parameters.config).ok()).flatten();
        self.repeat = config.and_then(|config| Repeat::of(&config, &self.data));
        (self.is_shown, self.count) = (true, 0);
    }

    /// Its next frame at this decode time.
    fn next(&mut self, dts: Ticks) -> Frame {
        let repeat = self.repeat.as_ref().filter(|_| self.count > 0).map(|repeat| repeat.write(self.count));
        self.count = self.count.saturating_add(1);
        let (random_access, pts) = (repeat.is_none(), dts.saturating_add(self.offset));
        Frame { dts, pts, random_access, data: repeat.unwrap_or_else(|| self.data.clone()) }
    }

    /// Whether it stands in for the picture now.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }
}

impl Track {
    /// Without a picture for so long, it has stopped.
    fn patience(&self) -> Duration {
        self.still.step.map_or(WAIT_MAX, |step| (self.rate.duration(step) * STEPS).clamp(LEAD_WAIT, WAIT_MAX))
    }

    /// Shows the still picture until then, in stream time; `from` is where it begins if the track has no time yet.
    fn show_until(&mut self, from: Duration, end: Duration) {
        let next = self.next();
        let from = if from.saturating_sub(next) > GAP_MAX { self.rate.ticks(from) } else { self.rate.ticks(next) };
        let until = self.rate.ticks(end);
        if until <= from {
            return;
        }
        let frame = self.still.next(from);
        self.samples.extend(self.timeline.push(frame).sample);
        self.samples.extend(self.timeline.close_at(until.unsigned_abs()));
    }

    pub(super) fn leave_still(&mut self) {
        self.still.is_shown = false;
    }
}

impl Segmenter {
    /// The stream has come to this time, whether pictures have or not.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn outlast(&mut self, now: Duration, window: &mut Window) -> Result<(), ContainerError> {
        let (Some(begun), Some(lead)) = (self.begun, self.tracks.first_mut()) else { return Ok(()) };
        let behind = now.saturating_sub(lead.next().max(begun.segment));
        if behind < LEAD_WAIT && !lead.still.is_shown && !lead.is_idle {
            return Ok(());
        }
        if behind > GAP_MAX {
            return self.outlast_jump(now, window);
        }
        if lead.still.is_shown || (lead.parameters.kind() == TrackKind::Video && behind >= lead.patience()) {
            if !lead.still.is_shown {
                // It goes on for as long as it would have.
                lead.samples.extend(lead.timeline.close());
                lead.is_idle = false;
                lead.still.begin(&lead.parameters);
            }
            return self.show_still(now.saturating_sub(BEHIND), window);
        }
        if self.tracks.len() == 1 {
            return Ok(());
        }
        let Some(lead) = self.tracks.first_mut() else { return Ok(()) };
        if !lead.is_idle {
            lead.close();
            lead.is_idle = true;
        }
        if now.saturating_sub(begun.segment) >= self.options.segment {
            let written = self.cut_part(now, window);
            self.begin(now, window);
            return written;
        }
        if now.saturating_sub(begun.part) >= self.part_length() { self.cut_part(now, window) } else { Ok(()) }
    }

    /// The time of the sound has jumped. That of the picture does as well, or there is none, and the still picture begins
    /// after a discontinuity.
    fn outlast_jump(&mut self, now: Duration, window: &mut Window) -> Result<(), ContainerError> {
        let has_come = |other: &Track| other.samples.len() >= WAITING_MAX;
        if !self.tracks.get(1).is_some_and(has_come) {
            return Ok(());
        }
        let written = self.flush(window);
        let Some(lead) = self.tracks.first_mut() else { return written };
        if lead.parameters.kind() == TrackKind::Video {
            lead.still.begin(&lead.parameters);
        }
        self.begin(now, window);
        written
    }

    /// Makes parts of the still picture, and of the sound, up to this time.
    fn show_still(&mut self, until: Duration, window: &mut Window) -> Result<(), ContainerError> {
        let part = self.part_length();
        loop {
            let (Some(begun), Some(lead)) = (self.begun, self.tracks.first_mut()) else { return Ok(()) };
            let end = begun.part + part;
            if end > until {
                return Ok(());
            }
            lead.show_until(begun.part, end);
            self.cut_part(end, window)?;
            let is_whole = end + part / 2 >= begun.due + self.options.segment / 10;
            if is_whole || self.begun.is_some_and(|begun| self.is_large(begun.bytes)) {
                self.begin(end, window);
                self.tracks.iter_mut().for_each(|track| track.still.count = 0);
            }
        }
    }

    /// A picture comes while the still one is shown: says whether it is back, which it is with one that a decoder can
    /// start at.
    pub(super) fn comes_back(&mut self, frame: &Frame, window: &mut Window) -> Result<bool, ContainerError> {
        let Some(lead) = self.tracks.first_mut() else { return Ok(false) };
        if !frame.random_access {
            return Ok(false);
        }
        let time = lead.rate.duration(frame.dts);
        lead.leave_still();
        if time.saturating_sub(lead.next()) > GAP_MAX {
            return Ok(true);
        }
        let shown = self.show_still(time, window);
        if let (Some(begun), Some(lead)) = (self.begun, self.tracks.first_mut()) {
            lead.show_until(begun.part, time);
        }
        shown.map(|()| true)
    }
}

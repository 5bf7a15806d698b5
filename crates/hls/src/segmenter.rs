//! Frames -> parts and segments: where they are cut. No clock, no I/O.
//!
//! The picture leads, or the sound where there is no picture:
//!
//! | a frame of it comes | what is cut before it |
//! |---|---|
//! | a decoder can start at it, and the segment is long enough | a segment |
//! | the segment is as long, or as large, as one may be | a segment, at which no decoder can start |
//! | the part is as long as one should be, to the nearest frame | a part |
//!
//! A picture that stops while the sound goes on is shown still, and sound that stops is silent, as players wait for both.
//!
//! What changes, what is not continued and what the source leaves out for long makes a discontinuity: all that has
//! come is given out, and nothing is taken until a decoder can start.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use headwater_media::{ClockRate, Frame, TrackKind, TrackParameters, limits};
use headwater_mp4::{Sample, Timeline};

mod grid;
mod silence;
mod still;

pub(crate) use self::grid::Grid;
use self::{silence::Silence, still::Still};
use crate::{
    container::{Container, ContainerError},
    window::{Begin, Init, Part, Window, WindowOptions},
};

/// No part but the last of a segment is shorter than 85 % of PART-TARGET (rfc8216bis §4.4.4.9), which is a tenth more than
/// what is asked for.
const PART_MIN: (u32, u32) = (94, 100);

/// Cuts the frames of one rendition.
#[derive(Debug)]
pub struct Segmenter {
    options: WindowOptions,
    grid: Option<Grid>,
    container: Container,
    /// The first one leads.
    tracks: Vec<Track>,
    /// The wall clock at the beginning of the stream's time.
    epoch: SystemTime,
    init: Option<Arc<Init>>,
    begun: Option<Begun>,
    /// What was written last does not go on.
    is_broken: bool,
    /// Since when it has, in stream time.
    since: Duration,
}

#[derive(Debug)]
struct Track {
    parameters: Arc<TrackParameters>,
    rate: ClockRate,
    timeline: Timeline,
    /// Of the part that is being gathered.
    samples: Vec<Sample>,
    /// Nothing has come for long.
    is_idle: bool,
    still: Still,
    silence: Option<Silence>,
}

/// In stream time.
#[derive(Clone, Copy, Debug)]
struct Begun {
    segment: Duration,
    part: Duration,
    /// When a key frame is asked for to end it.
    due: Duration,
    /// Bytes in the segment.
    bytes: u64,
}

impl Track {
    fn new(parameters: Arc<TrackParameters>) -> Track {
        let timeline = Timeline::new(&parameters, 0);
        let silence = Silence::of(&parameters);
        let (rate, samples, still) = (parameters.clock_rate, Vec::new(), Still::default());
        Track { rate, timeline, parameters, samples, is_idle: false, still, silence }
    }

    fn time(&self, ticks: u64) -> Duration {
        self.rate.duration(i64::try_from(ticks).unwrap_or(i64::MAX))
    }

    /// When what is not yet a sample begins.
    fn next(&self) -> Duration {
        self.time(self.timeline.next_decode_time())
    }

    fn close(&mut self) {
        self.samples.extend(self.timeline.interrupt().sample);
        self.leave_still();
    }
}

impl Segmenter {
    /// Begins with these tracks, of which the first one leads.
    ///
    /// # Errors
    /// The container does not carry one of their codecs.
    pub fn new(
        options: WindowOptions,
        mut container: Container,
        tracks: Vec<Arc<TrackParameters>>,
        epoch: SystemTime,
    ) -> Result<Segmenter, ContainerError> {
        let init = make_init(&mut container, &tracks)?;
        let tracks = tracks.into_iter().map(Track::new).collect();
        Ok(Segmenter {
            options,
            grid: None,
            container,
            tracks,
            epoch,
            init,
            begun: None,
            is_broken: false,
            since: Duration::ZERO,
        })
    }

    /// Cuts by the slots of a grid, as the other renditions of the stream do.
    pub fn on(self, grid: Option<Grid>) -> Segmenter {
        Segmenter { grid, ..self }
    }

    /// Takes the next frame of a track and gives out what it completes.
    ///
    /// # Errors
    /// What had come could not be written; it is left out.
    pub fn push(&mut self, track: usize, frame: Frame, window: &mut Window) -> Result<(), ContainerError> {
        if track == 0 { self.push_lead(frame, window) } else { self.push_other(track, frame, window) }
    }

    fn push_lead(&mut self, frame: Frame, window: &mut Window) -> Result<(), ContainerError> {
        if self.begun.is_none() && !frame.random_access {
            return Ok(());
        }
        let is_still = self.tracks.first().is_some_and(|lead| lead.still.is_shown());
        if is_still && !self.comes_back(&frame, window)? {
            return Ok(());
        }
        let Some(lead) = self.tracks.first_mut() else { return Ok(()) };
        lead.still.learn(&frame);
        let can_start = frame.random_access;
        let pushed = lead.timeline.push(frame);
        let half_frame = pushed.sample.as_ref().map_or(Duration::ZERO, |sample| lead.time(sample.duration.into()) / 2);
        lead.samples.extend(pushed.sample);
        lead.is_idle = false;
        let start = lead.next();
        if pushed.discontinuity.is_some() && self.begun.is_some() {
            return self.resume_after_break(can_start, start, window);
        }
        let Some(begun) = self.begun else {
            self.begin(start, window);
            return Ok(());
        };
        let segment = start.saturating_sub(begun.segment) + half_frame;
        let is_whole = can_start && self.is_whole(begun, start, half_frame);
        let is_too_much = segment >= limits::HLS_SEGMENT_MS.get_duration() || self.is_large(begun.bytes);
        if is_whole || is_too_much {
            let written = self.cut_part(start, window);
            self.begin(start, window);
            return written;
        }
        let part = start.saturating_sub(begun.part);
        if part + half_frame >= self.part_length() && part >= self.part_length() * PART_MIN.0 / PART_MIN.1 {
            return self.cut_part(start, window);
        }
        Ok(())
    }

    /// The lead's time jumped with this frame, which begins what comes next if a decoder can start at it.
    fn resume_after_break(
        &mut self,
        can_start: bool,
        start: Duration,
        window: &mut Window,
    ) -> Result<(), ContainerError> {
        let Some((lead, others)) = self.tracks.split_first_mut() else { return Ok(()) };
        others.iter_mut().for_each(Track::close);
        let end = lead.samples.last().map_or(start, |last| lead.time(last.end()));
        let written = self.cut_part(end, window);
        window.close();
        self.is_broken = true;
        self.begun = None;
        for track in &mut self.tracks {
            track.samples.clear();
        }
        if can_start {
            self.begin(start, window);
        } else if let Some(lead) = self.tracks.first_mut() {
            lead.timeline.interrupt();
        }
        written
    }

    fn push_other(&mut self, track: usize, frame: Frame, window: &mut Window) -> Result<(), ContainerError> {
        let Some(begun) = self.begun else { return Ok(()) };
        let Some(other) = self.tracks.get_mut(track) else { return Ok(()) };
        if other.rate.duration(frame.dts) < begun.segment && other.samples.is_empty() {
            // From before the picture begins.
            return Ok(());
        }
        if !other.hears(&frame, self.since) {
            return Ok(());
        }
        other.samples.extend(other.timeline.push(frame).sample);
        let now = other.next();
        self.outlast(now, window)
    }

    /// What follows on a track does not continue what came before.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn interrupt(&mut self, track: usize, window: &mut Window) -> Result<(), ContainerError> {
        if track == 0 {
            return self.flush(window);
        }
        if let Some(track) = self.tracks.get_mut(track) {
            track.close();
        }
        Ok(())
    }

    /// Goes on with another set of tracks, or with other parameters.
    ///
    /// # Errors
    /// As [`new`](Self::new); nothing more is taken then.
    pub fn change(&mut self, tracks: Vec<Arc<TrackParameters>>, window: &mut Window) -> Result<(), ContainerError> {
        let flushed = self.flush(window);
        self.init = make_init(&mut self.container, &tracks)?;
        self.tracks = tracks.into_iter().map(Track::new).collect();
        flushed
    }

    /// Gives out all that has come, and ends the segment.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn flush(&mut self, window: &mut Window) -> Result<(), ContainerError> {
        if self.begun.is_none() {
            return Ok(());
        }
        self.tracks.iter_mut().for_each(Track::close);
        let end = self.tracks.first().map_or(Duration::ZERO, Track::next);
        let written = self.cut_part(end, window);
        window.close();
        for track in &mut self.tracks {
            track.samples.clear();
        }
        self.begun = None;
        self.is_broken = true;
        written
    }

    /// Whether the segment is long enough to be ended, or none has begun, so that a source that makes key frames when
    /// asked should.
    pub fn wants_key_frame(&self) -> bool {
        let (Some(begun), Some(lead)) = (self.begun, self.tracks.first()) else { return true };
        lead.still.is_shown() || lead.next() >= begun.due
    }

    /// The parameters of its tracks.
    pub fn parameters(&self) -> impl Iterator<Item = &Arc<TrackParameters>> {
        self.tracks.iter().map(|track| &track.parameters)
    }

    fn begin(&mut self, start: Duration, window: &mut Window) {
        let is_discontinuous = std::mem::take(&mut self.is_broken);
        if is_discontinuous || self.since.is_zero() {
            self.since = start;
        }
        if let Some(grid) = &self.grid {
            window.skip_to(grid.sequence(start));
        }
        window.begin(Begin { init: self.init.clone(), is_discontinuous, time: self.epoch + start });
        self.begun = Some(Begun { segment: start, part: start, due: self.due(start), bytes: 0 });
    }

    /// Gives out what has come up to this time.
    fn cut_part(&mut self, end: Duration, window: &mut Window) -> Result<(), ContainerError> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        let duration = end.saturating_sub(begun.part);
        if duration.is_zero() {
            return Ok(());
        }
        begun.part = end;
        if self.tracks.first().is_some_and(|lead| !lead.is_idle && lead.parameters.kind() == TrackKind::Video) {
            self.tracks.iter_mut().skip(1).for_each(|other| other.fill(self.since, end));
        }
        let is_independent = self.tracks.first().and_then(|lead| lead.samples.first()).is_none_or(|first| first.sync);
        let samples: Vec<Vec<Sample>> = self.tracks.iter_mut().map(|track| take_until(track, end)).collect();
        if samples.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let frames = samples.first().map_or(0, |lead| u32::try_from(lead.len()).unwrap_or(u32::MAX));
        let data = self.container.part(&samples, begun.bytes == 0)?;
        begun.bytes += data.len() as u64;
        window.push(Part { duration, is_independent, frames, data });
        Ok(())
    }

    /// Whether the next segment may begin then, to the nearest frame.
    fn is_whole(&self, begun: Begun, next: Duration, half_frame: Duration) -> bool {
        let near = next + half_frame;
        self.grid.as_ref().map_or(near >= begun.due, |grid| {
            grid.ends(begun.segment, near) && grid.is_long(next.saturating_sub(begun.segment))
        })
    }

    /// When a segment that begins then is long enough. A key frame that is asked for comes when it comes, and encoders
    /// round: it may be a tenth shorter. By a grid the first one may be half as long.
    fn due(&self, start: Duration) -> Duration {
        let end = self.grid.as_ref().map_or(start + self.options.segment, |grid| grid.end(start));
        end.saturating_sub(self.options.segment / 10).max(start + self.options.segment / 2)
    }

    fn part_length(&self) -> Duration {
        // Without parts, the media of a segment is written in pieces all the same, so that it is not gathered at once.
        self.options.part.unwrap_or(Duration::from_millis(500))
    }

    fn is_large(&self, bytes: u64) -> bool {
        let is_large = bytes >= limits::HLS_SEGMENT_BYTES.get();
        if is_large {
            limits::HLS_SEGMENT_BYTES.hit();
        }
        is_large
    }
}

/// Samples that begin before this time; what is later goes into the next part.
fn take_until(track: &mut Track, end: Duration) -> Vec<Sample> {
    let rest = track.samples.partition_point(|sample| track.time(sample.decode_time) < end);
    let later = track.samples.split_off(rest);
    std::mem::replace(&mut track.samples, later)
}

fn make_init(container: &mut Container, tracks: &[Arc<TrackParameters>]) -> Result<Option<Arc<Init>>, ContainerError> {
    let parameters = || tracks.to_vec();
    Ok(container.begin(tracks)?.map(|data| Arc::new(Init { key: rand::random(), data, parameters: parameters() })))
}

#[cfg(test)]
mod tests;

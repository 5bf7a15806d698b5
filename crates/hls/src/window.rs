//! What there is of one rendition now: the segments that its playlist lists, those that may still be fetched, and the
//! one that is being made. No clock, no I/O.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use headwater_media::TrackParameters;

mod fetch;
mod position;
mod target;

pub use position::{Ahead, Position};
pub(crate) use target::Target;

/// How much is kept, and how it is cut.
#[derive(Clone, Copy, Debug)]
pub struct WindowOptions {
    /// A segment is at least as long, so far as groups allow. TARGETDURATION is at least this.
    pub segment: Duration,
    /// Parts are about as long; none are listed where this is `None`.
    pub part: Option<Duration>,
    /// As much media time stays in the playlist.
    pub keep: Duration,
    /// As many bytes stay in memory at most, whatever `keep` says.
    pub bytes_max: u64,
}

/// The initialization section of fragmented MP4 (RFC 8216 §3.3), shared by the segments that need it.
#[derive(Debug)]
pub struct Init {
    /// Makes its address one that cannot be guessed.
    pub key: u64,
    /// Its bytes.
    pub data: Bytes,
    /// The tracks that it describes.
    pub parameters: Vec<Arc<TrackParameters>>,
}

/// A partial segment (rfc8216bis §3.2).
#[derive(Clone, Debug)]
pub struct Part {
    /// How long it plays.
    pub duration: Duration,
    /// Whether a decoder can start in it.
    pub is_independent: bool,
    /// Frames of the track that leads.
    pub frames: u32,
    /// Its bytes.
    pub data: Bytes,
}

/// A media segment, whole or in the making.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its media sequence number.
    pub sequence: u64,
    /// Makes its address, and those of its parts, ones that cannot be guessed.
    pub key: u64,
    /// What a decoder needs before it; transport streams carry that in band.
    pub init: Option<Arc<Init>>,
    /// Whether it does not continue the segment before.
    pub is_discontinuous: bool,
    /// When its first frame was taken, by the wall clock.
    pub time: SystemTime,
    /// How long it plays, so far.
    pub duration: Duration,
    /// What it is made of; all of it is in these.
    pub parts: Vec<Part>,
}

impl Segment {
    /// Frames of the track that leads.
    pub fn frames(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.frames)).sum()
    }

    /// Bytes of all its parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.data.len() as u64).sum()
    }
}

/// Where a stream's numbers go on when it is packaged anew, so that no player sees them run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of the next segment.
    pub sequence: u64,
    /// Of the discontinuities before it.
    pub discontinuity: u64,
}

impl Numbers {
    /// Those that lie after both.
    pub fn later(self, other: Numbers) -> Numbers {
        let discontinuity = self.discontinuity.max(other.discontinuity);
        Numbers { sequence: self.sequence.max(other.sequence), discontinuity }
    }
}

/// How a segment begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What a decoder needs.
    pub init: Option<Arc<Init>>,
    /// Whether it does not continue the segment before.
    pub is_discontinuous: bool,
    /// When its first frame was taken.
    pub time: SystemTime,
}

/// Everything that there is of one rendition now.
#[derive(Debug)]
pub struct Window {
    options: WindowOptions,
    /// Listed, the oldest first.
    segments: VecDeque<Arc<Segment>>,
    /// No longer listed, but players that have read an older playlist may fetch them.
    held: VecDeque<Arc<Segment>>,
    open: Option<Segment>,
    /// Of the segment that will be open next, so that its first part can be announced.
    next_key: u64,
    next_sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE: discontinuities that have left the playlist.
    discontinuities: u64,
    target: Target,
    /// Without parts that are longer.
    part_target: Option<Duration>,
    independent: bool,
    bytes: u64,
    has_ended: bool,
    /// Why nothing can be made of what comes.
    problem: Option<String>,
    is_paused: bool,
    is_keyed_by_init: bool,
}

/// How much longer than asked for a part may be, in tenths of percent: frames do not fit evenly.
const PART_SLACK_PERCENT: u32 = 10;

impl Window {
    /// An empty one, whose numbers begin here.
    pub fn new(options: WindowOptions, numbers: Numbers) -> Window {
        Window {
            segments: VecDeque::new(),
            held: VecDeque::new(),
            open: None,
            next_key: rand::random(),
            next_sequence: numbers.sequence,
            discontinuities: numbers.discontinuity,
            target: Target::new(options.segment),
            part_target: options.part.map(|part| part + part * PART_SLACK_PERCENT / 100),
            independent: true,
            bytes: 0,
            has_ended: false,
            problem: None,
            is_paused: false,
            is_keyed_by_init: false,
            options,
        }
    }

    /// Shares the target duration of the other renditions of its stream.
    pub(crate) fn sharing(self, target: &Target) -> Window {
        Window { target: target.clone(), ..self }
    }

    /// Has all segments of one initialization section share its key: a template of addresses in DASH has room for their
    /// times alone (ISO/IEC 23009-1 §5.3.9.4).
    pub(crate) fn keyed_by_init(self) -> Window {
        Window { is_keyed_by_init: true, ..self }
    }

    /// Whether this is the segment that comes next of those that share a key; players may know its address before it is
    /// whole.
    pub(crate) fn is_coming(&self, sequence: u64, key: u64) -> bool {
        let last = || self.segments.back().filter(|last| last.sequence + 1 == sequence);
        let open = self.open.as_ref().filter(|open| open.sequence == sequence).map(|open| open.key);
        let is_sent = self.is_keyed_by_init && !self.has_ended && !self.is_paused;
        is_sent && open.or_else(|| last().map(|last| last.key)) == Some(key) && self.segment(sequence, key).is_none()
    }

    /// Has the first segment of all begin with this number, if that lies ahead.
    pub fn skip_to(&mut self, sequence: u64) {
        if self.segments.is_empty() && self.held.is_empty() && self.open.is_none() {
            self.next_sequence = self.next_sequence.max(sequence);
        }
    }

    /// Begins the next segment. One that is open must be closed before.
    pub fn begin(&mut self, begin: Begin) {
        self.close();
        let key = std::mem::replace(&mut self.next_key, rand::random());
        let Begin { init, is_discontinuous, time } = begin;
        let shared = init.as_ref().filter(|_| self.is_keyed_by_init);
        let key = shared.map_or(key, |init| init.key);
        let (sequence, duration, parts) = (self.next_sequence, Duration::ZERO, Vec::new());
        // The first segment of all continues nothing, and is none the less no discontinuity.
        let is_discontinuous = is_discontinuous && !self.segments.is_empty();
        self.open = Some(Segment { sequence, key, init, is_discontinuous, time, duration, parts });
        self.next_sequence += 1;
        self.has_ended = false;
    }

    /// Adds a part to the segment that is open.
    pub fn push(&mut self, part: Part) {
        let Some(open) = &mut self.open else { return };
        if open.parts.is_empty() && !part.is_independent {
            self.independent = false;
        }
        self.is_paused = false;
        self.bytes += part.data.len() as u64;
        open.duration += part.duration;
        open.parts.push(part);
        self.drop_old();
    }

    /// Ends the segment that is open and lists it; one without parts is forgotten, and its number is not used.
    pub fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.parts.is_empty() {
            self.next_sequence = open.sequence;
            self.next_key = open.key;
            return;
        }
        self.target.raise(open.duration);
        self.segments.push_back(Arc::new(open));
        self.drop_old();
    }

    /// There will be nothing more.
    pub fn end(&mut self) {
        self.close();
        self.has_ended = true;
    }

    /// Nothing can be made of what comes, or can again.
    pub fn set_problem(&mut self, problem: Option<String>) {
        self.problem = problem;
    }

    /// Why nothing can be made of what comes now.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Nothing of it is sent now, while other renditions of its stream go on. Ends with the next part.
    pub fn pause(&mut self) {
        self.close();
        self.is_paused = true;
    }

    /// Whether nothing of it is sent now.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Listed segments, the oldest first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> + ExactSizeIterator {
        self.segments.iter().map(|segment| &**segment)
    }

    /// The segment that is being made.
    pub fn open(&self) -> Option<&Segment> {
        self.open.as_ref()
    }

    /// The number and key of the segment after the last one that is listed or open.
    pub fn next(&self) -> (u64, u64) {
        (self.next_sequence, self.next_key)
    }

    /// EXT-X-TARGETDURATION.
    pub fn target(&self) -> Duration {
        self.target.get()
    }

    /// PART-TARGET, where parts are listed: that of the options, or the longest part that may still be listed. A source
    /// that has paused once must not keep its players as far behind for ever.
    pub fn part_target(&self) -> Option<Duration> {
        let recent = self.segments().rev().take(SEGMENTS_MIN).chain(self.open());
        let longest = recent.flat_map(|segment| &segment.parts).map(|part| part.duration).max();
        self.part_target.map(|target| target.max(longest.unwrap_or_default()))
    }

    /// EXT-X-DISCONTINUITY-SEQUENCE.
    pub fn discontinuity_sequence(&self) -> u64 {
        self.discontinuities
    }

    /// Whether a decoder can start at each segment that there has been.
    pub fn is_independent(&self) -> bool {
        self.independent
    }

    /// Whether there will be nothing more.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a window that follows this one has to begin.
    pub fn numbers(&self) -> Numbers {
        let left = self.segments.iter().filter(|segment| segment.is_discontinuous).count() as u64;
        let open = u64::from(self.open.as_ref().is_some_and(|open| open.is_discontinuous));
        Numbers { sequence: self.next_sequence, discontinuity: self.discontinuities + left + open + 1 }
    }

    fn drop_old(&mut self) {
        let mut listed: Duration = self.segments.iter().map(|segment| segment.duration).sum();
        while let Some(first) = self.segments.front() {
            let rest = listed.saturating_sub(first.duration);
            let spare = self.segments.len() > SEGMENTS_MIN && rest >= self.options.keep;
            let too_big = self.segments.len() > 1 && self.bytes > self.options.bytes_max;
            if !spare && !too_big {
                break;
            }
            listed = rest;
            if let Some(first) = self.segments.pop_front() {
                self.discontinuities += u64::from(first.is_discontinuous);
                self.held.push_back(first);
            }
        }
        self.drop_held();
    }

    /// A segment that has left the playlist stays for as long as a player may come for it: three target durations.
    fn drop_held(&mut self) {
        let time = self.target.get() * 3;
        let mut held: Duration = self.held.iter().map(|segment| segment.duration).sum();
        while let Some(first) = self.held.front() {
            held = held.saturating_sub(first.duration);
            if held < time && self.bytes <= self.options.bytes_max {
                break;
            }
            self.bytes = self.bytes.saturating_sub(first.bytes());
            self.held.pop_front();
        }
    }
}

/// RFC 8216 §6.2.2: a live playlist has at least three target durations of media.
const SEGMENTS_MIN: usize = 3;

#[cfg(test)]
mod tests;

//! A reader of a lane: a position, and nothing queued behind it.

mod fork;

mod recall;

use headwater_media::{Ticks, TrackParameters};

use super::{
    bell::Bell,
    demand::Demand,
    item::LaneItem,
    next::{Join, Lag, Next},
    segment::{Entry, Position, SLOTS, Segment},
    shared::Shared,
};
use crate::sync::{Arc, Ordering};

/// A position in a lane. Never blocks; dropping it leaves the lane.
#[derive(Debug)]
pub struct Cursor<T: LaneItem> {
    shared: Arc<Shared<T>>,
    bell: Bell,
    /// None while waiting for a group to start at.
    segment: Option<Arc<Segment<T>>>,
    index: usize,
    /// While waiting: the group must begin here or later.
    from: Position,
    /// Items before this time, and those that start no group, are passed over.
    skip_until: Option<Ticks>,
    /// Of the next media item, once one has been read.
    ordinal: Option<u64>,
    parameters: Option<Arc<TrackParameters>>,
    announce_parameters: bool,
    lost: u64,
    /// The source has been asked for a group to start at.
    asked: bool,
}

/// What stands at the cursor; [`Cursor::next`] consumes it.
#[derive(Clone, Copy)]
enum Step {
    Parameters,
    Item,
    Discontinuity,
    Lost,
    Empty,
    Ended,
}

impl<T: LaneItem> Cursor<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, bell: &Bell, join: Join) -> Cursor<T> {
        shared.reader_came(bell);
        let mut cursor = Cursor {
            from: Position(0),
            bell: bell.clone(),
            segment: None,
            index: 0,
            skip_until: None,
            ordinal: None,
            parameters: None,
            announce_parameters: false,
            lost: 0,
            asked: false,
            shared,
        };
        match join {
            Join::NewestGroup => {}
            Join::Live => cursor.from = cursor.shared.head(),
            Join::At(ticks) => cursor.seek(ticks),
        }
        cursor
    }

    /// Yields what comes next.
    #[inline]
    #[allow(clippy::should_implement_trait)] // what it yields borrows from the cursor
    pub fn next(&mut self) -> Next<'_, T> {
        match self.advance() {
            Step::Item => {
                self.index += 1;
                match self.segment.as_deref().and_then(|segment| segment.entry(self.index - 1)) {
                    Some(Entry::Media { item, ordinal, .. }) => {
                        self.ordinal = Some(ordinal + 1);
                        Next::Item(item)
                    }
                    _ => Next::Empty,
                }
            }
            Step::Parameters => {
                self.announce_parameters = false;
                self.parameters.as_ref().map_or(Next::Empty, Next::Parameters)
            }
            Step::Discontinuity => {
                self.index += 1;
                Next::Discontinuity
            }
            Step::Lost => Next::Lost { items: std::mem::take(&mut self.lost) },
            Step::Empty => Next::Empty,
            Step::Ended => Next::Ended,
        }
    }

    /// The time of the next item, without reading it; `Ticks::MIN` where something else comes first.
    ///
    /// For interleaving tracks: read the cursor whose next time is the smallest.
    pub fn next_ticks(&mut self) -> Option<Ticks> {
        match self.advance() {
            Step::Item => self.media().map(|(item, ..)| item.ticks()),
            Step::Parameters | Step::Discontinuity | Step::Lost => Some(Ticks::MIN),
            Step::Empty | Step::Ended => None,
        }
    }

    /// Whether the lane has ended and all of it has been read. Reads nothing: after [`Cursor::next_ticks`] has found
    /// nothing, [`Cursor::next`] may find what was written since.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.advance(), Step::Ended)
    }

    /// How far the cursor is behind the newest item.
    pub fn lag(&self) -> Lag {
        let Some((item, ordinal, bytes_before)) = self.media() else {
            return Lag::default();
        };
        Lag {
            items: self.shared.items.load(Ordering::Acquire).saturating_sub(ordinal),
            bytes: self.shared.bytes.load(Ordering::Acquire).saturating_sub(bytes_before),
            ticks: self.shared.ticks.load(Ordering::Acquire).saturating_sub(item.ticks()),
        }
    }

    /// For readers that cannot keep up: goes to the newest group, or, if it is in that already, waits for the
    /// next one. Says how many items were passed over so far.
    pub fn skip_to_newest_group(&mut self) -> u64 {
        let newest = self.shared.position_of_newest_group();
        let here = self.segment.as_ref().map(|segment| Position::new(segment.number, self.index));
        let ahead = newest != Position::NONE && here.is_none_or(|here| newest > here);
        let head_ordinal = self.shared.items.load(Ordering::Acquire);
        self.from = if ahead { newest } else { self.shared.head() };
        self.segment = None;
        self.skip_until = None;
        let before = self.ordinal;
        if self.take_position() {
            return std::mem::take(&mut self.lost);
        }
        let skipped = before.map_or(0, |ordinal| head_ordinal.saturating_sub(ordinal));
        self.ordinal = None;
        skipped
    }

    /// What readers want of the source.
    pub fn demand(&self) -> &Arc<Demand> {
        &self.shared.demand
    }

    /// The parameters in force at the cursor, once it has yielded any.
    pub fn parameters(&self) -> Option<&Arc<TrackParameters>> {
        self.parameters.as_ref()
    }

    fn media(&self) -> Option<(&T, u64, u64)> {
        match self.segment.as_deref()?.entry(self.index)? {
            Entry::Media { item, ordinal, bytes_before } => Some((item, *ordinal, *bytes_before)),
            _ => None,
        }
    }

    /// Comes to what is to be yielded next, without consuming it.
    #[inline]
    fn advance(&mut self) -> Step {
        let mut saw_end = false;
        loop {
            if self.segment.is_none() && !self.take_position() {
                if saw_end {
                    return Step::Ended;
                }
                if !self.shared.ended.load(Ordering::Acquire) {
                    return Step::Empty;
                }
                saw_end = true;
                continue;
            }
            if self.lost > 0 {
                return Step::Lost;
            }
            if self.announce_parameters {
                return Step::Parameters;
            }
            let Some(segment) = self.segment.as_deref() else {
                return Step::Empty;
            };
            match segment.entry(self.index) {
                Some(Entry::Media { item, .. }) => match self.skip_until {
                    Some(time) if !item.starts_group() || item.ticks() < time => self.index += 1,
                    _ => {
                        self.skip_until = None;
                        return Step::Item;
                    }
                },
                Some(Entry::Parameters(parameters)) => {
                    let parameters = parameters.clone();
                    self.index += 1;
                    self.meet_parameters(parameters);
                }
                Some(Entry::Discontinuity) if self.skip_until.is_some() => self.index += 1,
                Some(Entry::Discontinuity) => return Step::Discontinuity,
                None => match self.at_empty_slot(saw_end) {
                    Some(step) => return step,
                    None => saw_end = self.shared.ended.load(Ordering::Acquire),
                },
            }
        }
    }

    /// What an empty slot means; `None` is to look again.
    fn at_empty_slot(&mut self, saw_end: bool) -> Option<Step> {
        if self.next_segment() {
            None
        } else if saw_end {
            Some(Step::Ended)
        } else if self.shared.ended.load(Ordering::Acquire) {
            None
        } else {
            Some(Step::Empty)
        }
    }

    /// Goes on if the writer has gone on. Says whether to look again.
    fn next_segment(&mut self) -> bool {
        let Some(segment) = &self.segment else {
            return false;
        };
        let number = segment.number;
        if self.shared.head().number() <= number {
            return false;
        }
        if self.index < SLOTS && segment.entry(self.index).is_some() {
            return true;
        }
        let (next, first) = self.shared.directory.read(|d| (d.find(number + 1).cloned(), d.first_number()));
        match next {
            Some(next) => {
                self.index = 0;
                self.segment = Some(next);
                true
            }
            None if first > number + 1 => {
                self.segment = None;
                self.from = Position(0);
                true
            }
            None => false,
        }
    }

    /// Goes to the newest group if it is where it may be. Says whether it is there.
    #[cold]
    fn take_position(&mut self) -> bool {
        let position = self.shared.position_of_newest_group();
        let may_be_there = position != Position::NONE && position >= self.from;
        let find = |position: Position| self.shared.directory.read(|d| d.find(position.number()).cloned());
        let Some(segment) = may_be_there.then(|| find(position)).flatten() else {
            // A source that makes key frames only when asked would leave the reader waiting for ever.
            if !std::mem::replace(&mut self.asked, true) {
                self.shared.demand.request_key_frame();
            }
            return false;
        };
        self.asked = false;
        self.index = position.index();
        if let Some(Entry::Media { ordinal, .. }) = segment.entry(self.index) {
            self.lost += self.ordinal.map_or(0, |expected| ordinal.saturating_sub(expected));
            self.ordinal = Some(*ordinal);
        }
        if let Some(parameters) = segment.parameters_before(self.index).cloned() {
            self.meet_parameters(parameters);
        }
        self.segment = Some(segment);
        true
    }

    fn meet_parameters(&mut self, parameters: Arc<TrackParameters>) {
        let known = self.parameters.as_ref().is_some_and(|known| Arc::ptr_eq(known, &parameters));
        if !known {
            self.parameters = Some(parameters);
            self.announce_parameters = true;
        }
    }

    /// Begins in the last segment that starts before `ticks`, passing over what is earlier.
    fn seek(&mut self, ticks: Ticks) {
        let segment = self.shared.directory.read(|d| {
            let before = d.segments.iter().rev().find(|s| s.first_ticks().is_some_and(|first| first <= ticks));
            before.or(d.segments.first()).cloned()
        });
        self.skip_until = Some(ticks);
        if let Some(parameters) = segment.as_ref().and_then(|segment| segment.parameters.clone()) {
            self.meet_parameters(parameters);
        }
        self.segment = segment;
    }
}

impl<T: LaneItem> Drop for Cursor<T> {
    fn drop(&mut self) {
        self.shared.reader_left(&self.bell);
    }
}

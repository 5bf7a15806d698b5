//! The writing side of a lane, and the window that bounds it.

use std::{collections::VecDeque, time::Duration};

use headwater_media::{Ticks, TrackParameters, limits};

use super::{
    bell::Bell,
    cursor::{Cursor, Join},
    demand::Demand,
    item::LaneItem,
    segment::{Directory, Entry, Position, SLOTS, Segment},
};
use crate::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Mutex, Ordering, Published};

/// How much a lane keeps.
#[derive(Clone, Debug)]
pub struct LaneOptions {
    /// Media bytes kept; the newest segment is kept whatever its size.
    pub window_bytes: u64,
    /// Media time kept.
    pub window: Duration,
}

impl Default for LaneOptions {
    fn default() -> LaneOptions {
        LaneOptions {
            window_bytes: limits::STREAM_WINDOW_BYTES.get(),
            window: limits::STREAM_WINDOW_MS.get_duration(),
        }
    }
}

/// What is known of a rendition, counted by whoever writes it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) parameters: Published<Option<Arc<TrackParameters>>>,
    pub(crate) items: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) reorders: AtomicBool,
}

impl Facts {
    pub(crate) fn new() -> Facts {
        Facts {
            parameters: Published::new(None),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            reorders: AtomicBool::new(false),
        }
    }
}

/// What writer and cursors share.
#[derive(Debug)]
pub(super) struct Shared<T> {
    pub(super) directory: Published<Directory<T>>,
    /// The next slot to be filled.
    pub(super) head: AtomicU64,
    pub(super) newest_group: AtomicU64,
    pub(super) items: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) ticks: AtomicI64,
    pub(super) ended: AtomicBool,
    pub(super) demand: Arc<Demand>,
    readers: AtomicUsize,
    bells: Mutex<Vec<(Bell, usize)>>,
    ringing: Published<Vec<Bell>>,
    /// Rung when the last reader leaves: whoever derives this lane may stop.
    owner: Option<Bell>,
    facts: Option<Arc<Facts>>,
    options: LaneOptions,
    writing: Mutex<Writing<T>>,
}

/// What only the writer touches.
#[derive(Debug)]
struct Writing<T> {
    /// Writers of earlier generations no longer write: another publisher has taken over.
    generation: u64,
    segment: Arc<Segment<T>>,
    index: usize,
    segment_bytes: u64,
    directory: Directory<T>,
    /// Bytes of the lane before each segment of the directory.
    bytes_before: VecDeque<u64>,
    parameters: Option<Arc<TrackParameters>>,
    last_presentation: Ticks,
}

/// A lane as its readers see it.
#[derive(Debug)]
pub struct Lane<T>(Arc<Shared<T>>);

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Lane(self.0.clone())
    }
}

/// The right to write a lane.
#[derive(Debug)]
pub struct LaneWriter<T> {
    shared: Arc<Shared<T>>,
    generation: u64,
}

/// A lane of its own, outside any stream; for tools and tests.
pub fn lane<T: LaneItem>(options: LaneOptions) -> (LaneWriter<T>, Lane<T>) {
    let lane = Lane::new(options, Arc::new(Demand::new()), None, None);
    (lane.writer(), lane)
}

impl<T: LaneItem> Lane<T> {
    pub(crate) fn new(
        options: LaneOptions,
        demand: Arc<Demand>,
        owner: Option<Bell>,
        facts: Option<Arc<Facts>>,
    ) -> Lane<T> {
        let segment = Arc::new(Segment::new(0, None));
        let directory = Directory {
            segments: vec![segment.clone()],
        };
        Lane(Arc::new(Shared {
            directory: Published::new(directory.clone()),
            head: AtomicU64::new(0),
            newest_group: AtomicU64::new(Position::NONE.0),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            ticks: AtomicI64::new(0),
            ended: AtomicBool::new(false),
            demand,
            readers: AtomicUsize::new(0),
            bells: Mutex::new(Vec::new()),
            ringing: Published::new(Vec::new()),
            owner,
            facts,
            options,
            writing: Mutex::new(Writing {
                generation: 0,
                segment,
                index: 0,
                segment_bytes: 0,
                directory,
                bytes_before: VecDeque::from([0]),
                parameters: None,
                last_presentation: Ticks::MIN,
            }),
        }))
    }

    /// The right to write; takes it from whoever had it.
    pub(crate) fn writer(&self) -> LaneWriter<T> {
        let mut writing = self.0.writing.lock();
        writing.generation += 1;
        LaneWriter {
            shared: self.0.clone(),
            generation: writing.generation,
        }
    }

    /// A new reader, woken by `bell`.
    pub fn cursor(&self, bell: &Bell, join: Join) -> Cursor<T> {
        Cursor::new(self.0.clone(), bell, join)
    }

    /// How many cursors read it now.
    pub fn readers(&self) -> usize {
        self.0.readers.load(Ordering::Acquire)
    }

    /// Time of the newest item.
    pub(crate) fn newest_ticks(&self) -> Option<Ticks> {
        (self.0.items.load(Ordering::Acquire) > 0).then(|| self.0.ticks.load(Ordering::Acquire))
    }

    /// Ends the lane: readers see what is there, then the end.
    pub(crate) fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.ring();
    }
}

impl<T: LaneItem> LaneWriter<T> {
    /// Appends an item. Readers see it at once; they are woken by [`LaneWriter::ring`].
    pub fn push(&mut self, item: T) {
        self.shared.push(self.generation, item);
    }

    /// Says what a decoder must know from here on. Does nothing if that has not changed.
    pub fn set_parameters(&mut self, parameters: TrackParameters) {
        self.share_parameters(&Arc::new(parameters));
    }

    /// The same as [`LaneWriter::set_parameters`], where the parameters are shared already.
    pub fn share_parameters(&mut self, parameters: &Arc<TrackParameters>) {
        self.shared.set_parameters(self.generation, parameters);
    }

    /// Marks a break: what follows does not continue what came before.
    pub fn discontinuity(&mut self) {
        self.shared.mark_discontinuity(self.generation);
    }

    /// Wakes the readers; called once per burst.
    pub fn ring(&self) {
        self.shared.ring();
    }

    /// What the readers want.
    pub fn demand(&self) -> &Arc<Demand> {
        &self.shared.demand
    }

    /// How many cursors read this lane now.
    pub fn readers(&self) -> usize {
        self.shared.readers.load(Ordering::Acquire)
    }

    /// Ends the lane: readers see what is there, then the end.
    pub fn end(self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.ring();
    }
}

impl<T: LaneItem> Shared<T> {
    fn push(&self, generation: u64, item: T) {
        let mut writing = self.writing.lock();
        if writing.generation != generation {
            return;
        }
        let (bytes, ticks) = (item.bytes() as u64, item.ticks());
        let (ordinal, bytes_before) = (
            self.items.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        );
        self.count(&mut writing, &item);
        writing.make_room(self, bytes);
        let group = item
            .starts_group()
            .then(|| Position::new(writing.segment.number, writing.index));
        self.items.store(ordinal + 1, Ordering::Release);
        self.bytes.store(bytes_before + bytes, Ordering::Release);
        self.ticks.store(ticks, Ordering::Release);
        writing.segment_bytes += bytes;
        writing.fill(
            self,
            Entry::Media {
                item,
                ordinal,
                bytes_before,
            },
        );
        if let Some(position) = group {
            self.newest_group.store(position.0, Ordering::Release);
        }
    }

    fn count(&self, writing: &mut Writing<T>, item: &T) {
        let Some(facts) = &self.facts else { return };
        facts.items.fetch_add(1, Ordering::Relaxed);
        facts
            .bytes
            .fetch_add(item.bytes() as u64, Ordering::Relaxed);
        if item.starts_group() {
            facts.groups.fetch_add(1, Ordering::Relaxed);
        }
        if T::ORDERED_BY_DECODING {
            if item.presentation() < writing.last_presentation
                && !facts.reorders.load(Ordering::Relaxed)
            {
                facts.reorders.store(true, Ordering::Relaxed);
            }
            writing.last_presentation = writing.last_presentation.max(item.presentation());
        }
    }

    fn set_parameters(&self, generation: u64, parameters: &Arc<TrackParameters>) {
        let mut writing = self.writing.lock();
        if writing.generation != generation || writing.parameters.as_deref() == Some(&**parameters)
        {
            return;
        }
        writing.make_room(self, 0);
        writing.parameters = Some(parameters.clone());
        if let Some(facts) = &self.facts {
            facts.parameters.replace(Some(parameters.clone()));
            facts.reorders.store(false, Ordering::Relaxed);
        }
        writing.fill(self, Entry::Parameters(parameters.clone()));
    }

    fn mark_discontinuity(&self, generation: u64) {
        let mut writing = self.writing.lock();
        if writing.generation != generation {
            return;
        }
        writing.make_room(self, 0);
        writing.last_presentation = Ticks::MIN;
        writing.fill(self, Entry::Discontinuity);
    }

    fn ring(&self) {
        self.ringing.read(|bells| bells.iter().for_each(Bell::ring));
    }

    pub(super) fn reader_came(&self, bell: &Bell) {
        let mut bells = self.bells.lock();
        match bells.iter_mut().find(|(known, _)| known.is(bell)) {
            Some((_, count)) => *count += 1,
            None => {
                bells.push((bell.clone(), 1));
                self.ringing
                    .replace(bells.iter().map(|(bell, _)| bell.clone()).collect());
            }
        }
        drop(bells);
        self.readers.fetch_add(1, Ordering::AcqRel);
        self.demand.reader_came();
    }

    pub(super) fn reader_left(&self, bell: &Bell) {
        let mut bells = self.bells.lock();
        if let Some(index) = bells.iter().position(|(known, _)| known.is(bell)) {
            bells[index].1 -= 1;
            if bells[index].1 == 0 {
                bells.swap_remove(index);
                self.ringing
                    .replace(bells.iter().map(|(bell, _)| bell.clone()).collect());
            }
        }
        drop(bells);
        self.demand.reader_left();
        if self.readers.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(owner) = &self.owner
        {
            owner.ring();
        }
    }

    pub(super) fn position_of_newest_group(&self) -> Position {
        Position(self.newest_group.load(Ordering::Acquire))
    }

    pub(super) fn head(&self) -> Position {
        Position(self.head.load(Ordering::Acquire))
    }
}

impl<T: LaneItem> Writing<T> {
    /// Goes to a new segment if this one is full, or holds so much that the window could not be kept.
    fn make_room(&mut self, shared: &Shared<T>, bytes: u64) {
        let share = shared.options.window_bytes / 16;
        let heavy = self.index > 0 && self.segment_bytes + bytes > share;
        if self.index < SLOTS && !heavy {
            return;
        }
        let number = self.segment.number + 1;
        self.segment = Arc::new(Segment::new(number, self.parameters.clone()));
        self.index = 0;
        self.segment_bytes = 0;
        self.directory.segments.push(self.segment.clone());
        self.bytes_before
            .push_back(shared.bytes.load(Ordering::Relaxed));
        self.drop_old_segments(shared);
        shared.directory.replace(self.directory.clone());
        shared
            .head
            .store(Position::new(number, 0).0, Ordering::Release);
    }

    fn drop_old_segments(&mut self, shared: &Shared<T>) {
        let total = shared.bytes.load(Ordering::Relaxed);
        let newest = shared.ticks.load(Ordering::Relaxed);
        let span = self
            .parameters
            .as_ref()
            .map(|p| p.clock_rate.ticks(shared.options.window));
        let mut dropped = 0;
        while self.directory.segments.len() - dropped > 2 {
            let bytes = total - self.bytes_before.get(dropped).copied().unwrap_or(total);
            let too_big = bytes > shared.options.window_bytes;
            let next_begins = self
                .directory
                .segments
                .get(dropped + 1)
                .and_then(|segment| segment.first_ticks());
            let too_old = match (span, next_begins) {
                (Some(span), Some(begins)) => newest.saturating_sub(begins) > span,
                _ => false,
            };
            if !too_big && !too_old {
                break;
            }
            dropped += 1;
        }
        self.directory.segments.drain(..dropped);
        self.bytes_before.drain(..dropped);
    }

    fn fill(&mut self, shared: &Shared<T>, entry: Entry<T>) {
        self.segment.fill(self.index, entry);
        self.index += 1;
        shared.head.store(
            Position::new(self.segment.number, self.index).0,
            Ordering::Release,
        );
    }
}

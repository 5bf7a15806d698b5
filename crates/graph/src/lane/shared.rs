//! What the writer and the cursors of a lane share.

use headwater_media::{Ticks, TrackParameters};

use super::{
    bell::Bell,
    demand::Demand,
    facts::Facts,
    item::LaneItem,
    segment::{Directory, Entry, Position},
    window::Window,
    writer::LaneOptions,
};
use crate::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Mutex, Ordering, Published};

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
    pub(super) readers: AtomicUsize,
    bells: Mutex<Vec<(Bell, usize)>>,
    ringing: Published<Vec<Bell>>,
    /// Rung when the last reader leaves: whoever derives this lane may stop.
    owner: Option<Bell>,
    facts: Option<Arc<Facts>>,
    pub(super) options: LaneOptions,
    window: Mutex<Window<T>>,
}

impl<T: LaneItem> Shared<T> {
    pub(super) fn new(
        options: LaneOptions,
        demand: Arc<Demand>,
        owner: Option<Bell>,
        facts: Option<Arc<Facts>>,
    ) -> Shared<T> {
        let window = Window::new();
        Shared {
            directory: Published::new(window.directory.clone()),
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
            window: Mutex::new(window),
        }
    }

    /// Takes the right to write from whoever had it.
    pub(super) fn next_generation(&self) -> u64 {
        let mut window = self.window.lock();
        window.generation += 1;
        window.generation
    }

    pub(super) fn push(&self, generation: u64, item: T) {
        let mut window = self.window.lock();
        if window.generation != generation {
            return;
        }
        let (bytes, ticks) = (item.bytes() as u64, item.ticks());
        let (ordinal, bytes_before) = (self.items.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        if let Some(facts) = &self.facts {
            facts.count(&item, &mut window.last_presentation);
        }
        window.make_room(self, item.bytes());
        let group = item.starts_group().then(|| Position::new(window.segment.number, window.index));
        self.items.store(ordinal + 1, Ordering::Release);
        self.bytes.store(bytes_before + bytes, Ordering::Release);
        self.ticks.store(ticks, Ordering::Release);
        window.fill(self, Entry::Media { item, ordinal, bytes_before });
        if let Some(position) = group {
            self.newest_group.store(position.0, Ordering::Release);
        }
    }

    pub(super) fn set_parameters(&self, generation: u64, parameters: &Arc<TrackParameters>) {
        let mut window = self.window.lock();
        if window.generation != generation || window.parameters.as_deref() == Some(&**parameters) {
            return;
        }
        window.make_room(self, parameters.config.len());
        window.parameters = Some(parameters.clone());
        if let Some(facts) = &self.facts {
            facts.parameters.replace(Some(parameters.clone()));
            facts.reorders.store(false, Ordering::Relaxed);
        }
        window.fill(self, Entry::Parameters(parameters.clone()));
    }

    pub(super) fn mark_discontinuity(&self, generation: u64) {
        let mut window = self.window.lock();
        if window.generation != generation {
            return;
        }
        window.make_room(self, 0);
        window.last_presentation = Ticks::MIN;
        self.set_audio_level(None);
        window.fill(self, Entry::Discontinuity);
    }

    pub(super) fn set_audio_level(&self, level: Option<u8>) {
        if let Some(facts) = &self.facts {
            facts.set_audio_level(level);
        }
    }

    pub(super) fn facts(&self) -> Option<&Facts> {
        self.facts.as_deref()
    }

    pub(super) fn ring(&self) {
        self.ringing.read(|bells| bells.iter().for_each(Bell::ring));
    }

    pub(super) fn reader_came(&self, bell: &Bell) {
        let mut bells = self.bells.lock();
        match bells.iter_mut().find(|(known, _)| known.is(bell)) {
            Some((_, count)) => *count += 1,
            None => {
                bells.push((bell.clone(), 1));
                self.ringing.replace(bells.iter().map(|(bell, _)| bell.clone()).collect());
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
                self.ringing.replace(bells.iter().map(|(bell, _)| bell.clone()).collect());
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

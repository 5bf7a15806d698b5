//! A lane as its owners see it: to write it, to open readers, to end it.

use std::time::Duration;

use headwater_media::{Ticks, TrackParameters, limits};

use super::{bell::Bell, cursor::Cursor, demand::Demand, facts::Facts, item::LaneItem, next::Join, shared::Shared};
use crate::sync::{Arc, Ordering};

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
        LaneOptions { window_bytes: limits::STREAM_WINDOW_BYTES.get(), window: limits::STREAM_WINDOW_MS.get_duration() }
    }
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
        Lane(Arc::new(Shared::new(options, demand, owner, facts)))
    }

    /// The right to write; takes it from whoever had it.
    pub(crate) fn writer(&self) -> LaneWriter<T> {
        LaneWriter { generation: self.0.next_generation(), shared: self.0.clone() }
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

    /// Says how loud the newest sound is: −dBov from 0, the loudest, to 127, silence. Forgotten at a discontinuity.
    ///
    /// Source: RFC 6464 §3.
    pub fn set_audio_level(&mut self, level: u8) {
        self.shared.set_audio_level(Some(level));
    }

    /// Says how many packets of the source never came, as far as that is known.
    pub fn set_lost(&mut self, packets: u64) {
        if let Some(facts) = self.shared.facts() {
            facts.lost.store(packets, Ordering::Relaxed);
        }
    }

    /// Says how often the source was asked for packets that did not come (NACK, RFC 4585 §6.2.1).
    pub fn set_nacks(&mut self, requests: u64) {
        if let Some(facts) = self.shared.facts() {
            facts.nacks.store(requests, Ordering::Relaxed);
        }
    }

    /// Counts that the source has been asked for a key frame.
    pub fn count_key_frame_request(&mut self) {
        if let Some(facts) = self.shared.facts() {
            facts.key_frames_requested.fetch_add(1, Ordering::Relaxed);
        }
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

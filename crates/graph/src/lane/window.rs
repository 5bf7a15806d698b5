//! What the writer alone touches: the segment it fills, and which segments the window keeps.

use std::collections::VecDeque;

use headwater_media::{Ticks, TrackParameters};

use super::{
    item::LaneItem,
    segment::{Directory, Entry, Position, SLOTS, Segment},
    shared::Shared,
};
use crate::sync::{Arc, Ordering};

/// What an entry takes besides its media, so that a flood of tiny items or of changes is bounded too.
const ENTRY_BYTES: u64 = 256;

/// The segments that the lane keeps, and where its writer stands.
#[derive(Debug)]
pub(super) struct Window<T> {
    /// Writers of earlier generations no longer write: another publisher has taken over.
    pub(super) generation: u64,
    pub(super) segment: Arc<Segment<T>>,
    pub(super) index: usize,
    segment_bytes: u64,
    pub(super) directory: Directory<T>,
    /// Everything that the lane ever held, in bytes.
    bytes: u64,
    /// The same before each segment of the directory.
    bytes_before: VecDeque<u64>,
    pub(super) parameters: Option<Arc<TrackParameters>>,
    pub(super) last_presentation: Ticks,
}

impl<T: LaneItem> Window<T> {
    pub(super) fn new() -> Window<T> {
        let segment = Arc::new(Segment::new(0, None));
        Window {
            generation: 0,
            directory: Directory { segments: vec![segment.clone()] },
            segment,
            index: 0,
            segment_bytes: 0,
            bytes: 0,
            bytes_before: VecDeque::from([0]),
            parameters: None,
            last_presentation: Ticks::MIN,
        }
    }

    /// Makes room for something of that many bytes: goes to a new segment if this one is full, or holds so much that
    /// the window could not be kept.
    pub(super) fn make_room(&mut self, shared: &Shared<T>, bytes: usize) {
        let bytes = bytes as u64 + ENTRY_BYTES;
        let share = shared.options.window_bytes / 16;
        let heavy = self.index > 0 && self.segment_bytes + bytes > share;
        if self.index == SLOTS || heavy {
            self.next_segment(shared);
        }
        self.segment_bytes += bytes;
        self.bytes += bytes;
    }

    fn next_segment(&mut self, shared: &Shared<T>) {
        let number = self.segment.number + 1;
        self.segment = Arc::new(Segment::new(number, self.parameters.clone()));
        self.index = 0;
        self.segment_bytes = 0;
        self.directory.segments.push(self.segment.clone());
        self.bytes_before.push_back(self.bytes);
        self.drop_old_segments(shared);
        shared.directory.replace(self.directory.clone());
        shared.head.store(Position::new(number, 0).0, Ordering::Release);
    }

    fn drop_old_segments(&mut self, shared: &Shared<T>) {
        let newest = shared.ticks.load(Ordering::Relaxed);
        let span = self.parameters.as_ref().map(|p| p.clock_rate.ticks(shared.options.window));
        let mut dropped = 0;
        while self.directory.segments.len() - dropped > 2 {
            let bytes = self.bytes - self.bytes_before.get(dropped).copied().unwrap_or(self.bytes);
            let too_big = bytes > shared.options.window_bytes;
            let next_begins = self.directory.segments.get(dropped + 1).and_then(|segment| segment.first_ticks());
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

    pub(super) fn fill(&mut self, shared: &Shared<T>, entry: Entry<T>) {
        self.segment.fill(self.index, entry);
        self.index += 1;
        shared.head.store(Position::new(self.segment.number, self.index).0, Ordering::Release);
    }
}

//! What is known of a rendition, counted where it is written.

use headwater_media::{Orientation, Ticks, TrackParameters};

use super::item::LaneItem;
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering, Published};

/// What is known of a rendition, counted by whoever writes it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) parameters: Published<Option<Arc<TrackParameters>>>,
    pub(crate) items: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) b_frames: AtomicU64,
    /// Frames before the newest group, and in the group before it.
    frames_before: AtomicU64,
    pub(crate) group_frames: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) nacks: AtomicU64,
    pub(crate) key_frames_requested: AtomicU64,
    pub(crate) reorders: AtomicBool,
    /// As `LaneWriter::set_audio_level` takes it; more than `QUIETEST` is not known.
    audio_level: AtomicU64,
    /// Of the newest picture that says it, as its byte.
    orientation: AtomicU64,
}

/// The least audio level that can be told, in −dBov: silence (RFC 6464 §3).
const QUIETEST: u64 = 127;

impl Facts {
    pub(crate) fn new() -> Facts {
        Facts {
            parameters: Published::new(None),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            b_frames: AtomicU64::new(0),
            frames_before: AtomicU64::new(0),
            group_frames: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            nacks: AtomicU64::new(0),
            key_frames_requested: AtomicU64::new(0),
            reorders: AtomicBool::new(false),
            audio_level: AtomicU64::new(u64::MAX),
            orientation: AtomicU64::new(0),
        }
    }

    /// The level of the newest sound in dBov, 0 to −127.
    pub(crate) fn audio_level(&self) -> Option<i8> {
        let level = self.audio_level.load(Ordering::Relaxed);
        (level <= QUIETEST).then(|| i8::try_from(level).map_or(i8::MIN, |level| -level))
    }

    pub(super) fn set_audio_level(&self, level: Option<u8>) {
        self.audio_level.store(level.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }

    /// How the newest picture is to be turned.
    pub(crate) fn orientation(&self) -> Orientation {
        Orientation::read(self.orientation.load(Ordering::Relaxed) as u8)
    }

    /// Counts an item, and sees whether pictures are shown in another order than they come.
    pub(super) fn count<T: LaneItem>(&self, item: &T, last_presentation: &mut Ticks) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(item.bytes() as u64, Ordering::Relaxed);
        if item.starts_group() {
            self.count_group();
        }
        if let Some(orientation) = item.orientation() {
            self.orientation.store(u64::from(orientation.byte()), Ordering::Relaxed);
        }
        let is_shown_later = item.presentation() > *last_presentation;
        // The packets of a frame have one time, and come late one by one; a frame is one item.
        if is_shown_later || T::ORDERED_BY_DECODING {
            self.frames.fetch_add(1, Ordering::Relaxed);
        }
        if T::ORDERED_BY_DECODING && item.presentation() < *last_presentation {
            self.b_frames.fetch_add(1, Ordering::Relaxed);
            self.reorders.store(true, Ordering::Relaxed);
        }
        if is_shown_later {
            *last_presentation = item.presentation();
        }
    }

    fn count_group(&self) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        let frames = self.frames.load(Ordering::Relaxed);
        let before = self.frames_before.swap(frames, Ordering::Relaxed);
        self.group_frames.store(frames.saturating_sub(before), Ordering::Relaxed);
    }
}

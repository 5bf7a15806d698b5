//! What readers want of the source: state that it polls, not messages that it receives.

use super::bell::Bell;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};

/// The wishes of all readers of a rendition, added up: ten thousand key-frame requests become one flag.
#[derive(Debug)]
pub struct Demand {
    key_frame: AtomicBool,
    readers: AtomicUsize,
    bell: Mutex<Option<Bell>>,
}

impl Demand {
    pub(crate) fn new() -> Demand {
        Demand { key_frame: AtomicBool::new(false), readers: AtomicUsize::new(0), bell: Mutex::new(None) }
    }

    /// Asks for a random access point as soon as possible.
    pub fn request_key_frame(&self) {
        if !self.key_frame.swap(true, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// For the source: whether a random access point has been asked for since the last call.
    pub fn take_key_frame_request(&self) -> bool {
        self.key_frame.swap(false, Ordering::AcqRel)
    }

    /// How many cursors read the rendition now, converters included.
    pub fn readers(&self) -> usize {
        self.readers.load(Ordering::Acquire)
    }

    /// For the source: the bell to ring when the demand changes.
    pub fn set_bell(&self, bell: &Bell) {
        *self.bell.lock() = Some(bell.clone());
    }

    pub(crate) fn reader_came(&self) {
        if self.readers.fetch_add(1, Ordering::AcqRel) == 0 {
            self.ring();
        }
    }

    pub(crate) fn reader_left(&self) {
        if self.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ring();
        }
    }

    fn ring(&self) {
        if let Some(bell) = &*self.bell.lock() {
            bell.ring();
        }
    }
}

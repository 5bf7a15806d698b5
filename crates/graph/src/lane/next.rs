//! Where a reader begins, what it finds, and how far it is behind.

use headwater_media::{Ticks, TrackParameters};

use crate::sync::Arc;

/// Where a new reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At the newest item that a decoder can start at; if there is none yet, at the next.
    NewestGroup,
    /// At the next item to come that a decoder can start at.
    Live,
    /// At the first item from this time on that a decoder can start at; if that time has left the window, at the
    /// oldest such item. Aligns the sound with the picture.
    At(Ticks),
}

/// What a cursor finds.
#[derive(Debug)]
pub enum Next<'a, T> {
    /// What a decoder must know from here on; the first thing that a cursor yields, and then at each change.
    Parameters(&'a Arc<TrackParameters>),
    /// The next item.
    Item(&'a T),
    /// What follows does not continue what came before.
    Discontinuity,
    /// The reader was too slow and fell out of the window; it goes on at the newest group.
    Lost {
        /// How many items it missed.
        items: u64,
    },
    /// Nothing new: wait for the bell.
    Empty,
    /// There will be nothing more.
    Ended,
}

/// How far a cursor is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Items not yet read.
    pub items: u64,
    /// Bytes of media not yet read.
    pub bytes: u64,
    /// Media time not yet read.
    pub ticks: Ticks,
}

//! A lane: an append-only log of one rendition's items, with one writer and any number of cursors.
//!
//! ```text
//!  directory ──► [ segment 7 ] [ segment 8 ] [ segment 9 ]      replaced when a segment is added or dropped
//!                                  ▲              ▲
//!                              a cursor        the writer
//! ```
//!
//! A segment is a fixed row of slots that are written once and never changed, so readers need no lock. A cursor
//! holds its segment and nothing behind it: a stalled reader keeps at most one segment alive. When it comes to
//! the end of its segment it looks the next one up in the directory; if that has left the window, the cursor is
//! told what it lost and goes on at the newest group.

mod bell;
mod cursor;
mod demand;
mod facts;
mod item;
mod next;
mod segment;
mod shared;
mod window;
mod writer;

pub use bell::Bell;
pub use cursor::Cursor;
pub use demand::Demand;
pub use item::LaneItem;
pub use next::{Join, Lag, Next};
pub use writer::{Lane, LaneOptions, LaneWriter, lane};

#[cfg(not(loom))]
pub(crate) use facts::Facts;

#[cfg(all(test, loom))]
mod model;

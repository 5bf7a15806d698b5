//! MPEG-DASH (ISO/IEC 23009-1): the same windows, as media presentation descriptions.
//!
//! ```text
//!  Window (video.dash) ┐
//!  Window (audio.dash) ┴─► Presentation: Periods ──► Mpd ──► text, written once for each change
//! ```

mod mpd;
mod periods;
mod presentation;
mod write;

pub use mpd::{AdaptationSet, Mpd, PeriodElement, Representation};
pub(crate) use presentation::{Anchor, Presentation, Style};
pub(crate) use write::date;

/// The media type of media presentation descriptions (ISO/IEC 23009-1, annex C).
pub(crate) const CONTENT_TYPE: &str = "application/dash+xml";

//! Fragmented MP4: init segments, fragments, and the time line that turns frames into samples; and all of it back.
//!
//! ```text
//! TrackParameters ──init──────────────────────────► ftyp moov        once, and again when they change
//! Frame ──Timeline::push──► Sample ──fragment─────► moof mdat        one for any run of samples
//! ```
//!
//! Pure functions of bytes: no I/O, no clock. Frames are not copied: a fragment is a head and the frames' own bytes.
//!
//! | module | writes |
//! |---|---|
//! | [`init`] | file type, movie and movie-extends boxes (ISO/IEC 14496-12 §4.3, §8.2, §8.8.1); the sample entries avc1 and hvc1 (ISO/IEC 14496-15 §5.4.2, §8.4.1), av01 (AV1 in ISOBMFF §2.2), vp09 (VP codec ISO media file format binding), mp4a (ISO/IEC 14496-14 §5.6), Opus (Encapsulation of Opus in ISOBMFF §4.3) |
//! | [`fragment`] | movie fragments (ISO/IEC 14496-12 §8.8.4 to §8.8.12) |
//!
//! [`Movie`] reads both.

mod error;
mod fragment;
mod init;
mod reader;
mod sample;
mod timeline;

pub use error::Mp4Error;
pub use fragment::{Fragment, Run, fragment};
pub use init::{InitTrack, init, needs_new_init};
pub use reader::{Movie, MovieTrack, ReadError};
pub use sample::Sample;
pub use timeline::{Break, GAP_MAX, Pushed, RETURN_MAX, Timeline};

//! The words every Headwater crate shares: media time, codec parameters, frames, packets, names and limits.
//!
//! This crate holds data only: no parser, no protocol, no socket, no clock.

mod codec;
mod frame;
mod name;
mod orientation;
mod packet;
mod time;
mod times;
mod track;

pub mod limits;

pub use codec::{Codec, TrackKind};
pub use frame::Frame;
pub use name::{InvalidName, StreamName};
pub use orientation::Orientation;
pub use packet::Packet;
pub use time::{ClockRate, Ticks};
pub use times::{TIME_BOUNDS, Times, TimesRead};
pub use track::{AudioFormat, Format, TrackParameters, VideoFormat};

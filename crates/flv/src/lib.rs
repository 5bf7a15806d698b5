//! FLV tags and files, with the enhanced (FourCC) audio and video headers, and AMF.
//!
//! Pure functions of bytes: no socket, no clock, no stream graph. RTMP carries the same tag bodies and the
//! same AMF values, so its crate stands on this one.
//!
//! | specification | where |
//! |---|---|
//! | Adobe Flash Video File Format 10.1, annex E | [`tag`], [`MediaReader`], [`MediaWriter`] |
//! | Enhanced RTMP v1 and v2 (FourCC codecs, multitrack, ModEx) | [`MediaReader`], [`MediaWriter`], [`FourCc`] |
//! | AMF 0 | [`amf::read_amf0`], [`amf::write_amf0`] |
//! | AMF 3 | [`amf::read_amf3`], [`amf::write_amf3`] |
//! | ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1 (length of NAL unit lengths) | [`MediaReader`] |
//!
//! ```
//! use bytes::Bytes;
//! use headwater_flv::{Media, MediaReader};
//!
//! // Opus by FourCC: packet type 1, coded frames.
//! let body = Bytes::from_static(b"\x91Opus\xfc\xff\xfe");
//! let events = MediaReader::new().audio(body).unwrap();
//! assert!(matches!(&events[0].media, Media::Frame(frame) if frame.data == b"\xfc\xff\xfe"[..]));
//! ```

mod error;
mod event;
mod fourcc;
mod media_reader;
mod media_writer;
mod metadata;
mod nal;
mod reader;

pub mod amf;
pub mod tag;

pub use error::FlvError;
pub use event::{CodedFrame, Events, Media, MediaEvent};
pub use fourcc::FourCc;
pub use media_reader::MediaReader;
pub use media_writer::{MediaWriter, Prefix};
pub use metadata::{Metadata, read_script, write_metadata};
pub use reader::Reader;

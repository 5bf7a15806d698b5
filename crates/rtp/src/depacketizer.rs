//! From packets to frames.

use headwater_media::{Codec, Frame, Packet, TrackParameters};

use crate::audio::AudioDepacketizer;
use crate::video::VideoDepacketizer;
use crate::{aac, av1, h264, h265, opus, sampled, vp8, vp9};

/// Puts the frames of one track together.
///
/// Takes packets in the order of their numbers (see [`Reorder`](crate::Reorder)); a gap in them is a loss. After a
/// loss, video is dropped until the next frame that a decoder can start at.
pub trait Depacketizer: Send {
    /// Takes a packet; older ones than the last are ignored.
    fn push(&mut self, packet: &Packet);

    /// What has become complete, in order; to be called until it is empty after each push.
    fn pull(&mut self) -> Option<Depacketized>;

    /// What follows does not continue what came before.
    fn reset(&mut self);

    /// What did not become a frame.
    fn losses(&self) -> Losses;
}

/// What comes out of a depacketizer.
#[derive(Clone, Debug, PartialEq)]
pub enum Depacketized {
    /// What a decoder must know from the next frame on, found in band.
    Parameters(TrackParameters),
    /// A frame.
    Frame(Frame),
}

/// What a depacketizer could not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Packets that never came.
    pub packets_lost: u64,
    /// Packets that do not follow their payload format.
    pub packets_malformed: u64,
    /// Frames dropped because they or ones they refer to are incomplete or malformed.
    pub frames_dropped: u64,
}

/// A depacketizer for a track; `None` for a codec without a payload format here.
pub fn depacketizer(parameters: &TrackParameters) -> Option<Box<dyn Depacketizer>> {
    let parameters = parameters.clone();
    Some(match parameters.codec {
        Codec::H264 => Box::new(VideoDepacketizer::new(h264::builder(parameters))),
        Codec::H265 => Box::new(VideoDepacketizer::new(h265::builder(parameters))),
        Codec::Vp8 => Box::new(VideoDepacketizer::new(vp8::Vp8Builder::new(parameters))),
        Codec::Vp9 => Box::new(VideoDepacketizer::new(vp9::Vp9Builder::new(parameters))),
        Codec::Av1 => Box::new(VideoDepacketizer::new(av1::Av1Builder::new(parameters))),
        Codec::Aac => Box::new(AudioDepacketizer::new(aac::AacReader::new(&parameters))),
        Codec::Opus => Box::new(AudioDepacketizer::new(opus::OpusReader)),
        Codec::Pcmu | Codec::Pcma | Codec::G722 => Box::new(AudioDepacketizer::new(sampled::SampledReader)),
        _ => return None,
    })
}

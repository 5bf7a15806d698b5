//! From frames to packets.

use headwater_media::{Codec, Frame, Packet, TrackParameters};

use crate::{aac, av1, h264, h265, opus, sampled, vp8, vp9};

/// Cuts the frames of one track into RTP packets.
///
/// All packets of a frame have equal payload size but for the last, which may be shorter, as far as the payload
/// format permits, so that they leave a socket in one call; `docs/design/packets-and-frames.md` says what it does
/// not permit.
pub trait Packetizer: Send {
    /// Takes note of what a decoder must know; called before the first frame and at each change.
    fn set_parameters(&mut self, parameters: &TrackParameters);

    /// Appends the packets of a frame; none for a frame that is malformed or left out.
    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>);

    /// What follows does not continue the time line of what came before.
    fn discontinuity(&mut self) {}

    /// Whether frames have come that are shown before ones that came earlier (B-frames).
    fn has_reordered(&self) -> bool {
        false
    }

    /// Frames left out: malformed ones, and those that [`Reordering`] excludes.
    fn frames_dropped(&self) -> u64;
}

/// What to do with frames that are shown before ones that came earlier (B-frames).
///
/// An RTP packet carries one time only, and WebRTC receivers take packets in the order of decoding and expect time
/// to go forward in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reordering {
    /// Send every frame with its presentation time; time runs backwards in the lane. For RTSP and the like.
    Keep,
    /// Time runs forward strictly: leave such frames out.
    ///
    /// Browsers' decoders put out a picture for each one that goes in, or fail; a frame that is shown before one that
    /// came earlier gives none. Pictures after it seldom refer to it; where they do, the decoder conceals the loss
    /// until the next key frame.
    #[default]
    Drop,
    /// Time runs forward strictly: send every frame, timed by when it is to be decoded.
    DecodeOrder,
}

/// How to packetize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketizerOptions {
    /// The longest payload in bytes; 128 to 16,000.
    ///
    /// The default leaves room for header, extensions and authentication tag in a datagram of 1,232 bytes, which
    /// passes every IPv6 path.
    pub payload_bytes_max: usize,
    /// What to do with B-frames.
    pub reordering: Reordering,
    /// Whether to send H.264 sequence parameter sets with the promise that nothing is reordered, so that decoders
    /// do not hold pictures back. True only with [`Reordering::Drop`] or for streams without B-frames.
    pub promise_no_reordering: bool,
}

impl Default for PacketizerOptions {
    fn default() -> PacketizerOptions {
        PacketizerOptions { payload_bytes_max: 1_172, reordering: Reordering::default(), promise_no_reordering: true }
    }
}

impl PacketizerOptions {
    pub(crate) fn payload_max(&self) -> usize {
        self.payload_bytes_max.clamp(128, 16_000)
    }
}

/// A packetizer for a track; `None` for a codec without a payload format here.
pub fn packetizer(parameters: &TrackParameters, options: PacketizerOptions) -> Option<Box<dyn Packetizer>> {
    let mut packetizer: Box<dyn Packetizer> = match parameters.codec {
        Codec::H264 => Box::new(h264::packetizer(options)),
        Codec::H265 => Box::new(h265::packetizer(options)),
        Codec::Vp8 => Box::new(vp8::Vp8Packetizer::new(options)),
        Codec::Vp9 => Box::new(vp9::Vp9Packetizer::new(options)),
        Codec::Av1 => Box::new(av1::Av1Packetizer::new(options)),
        Codec::Aac => Box::new(aac::AacPacketizer::new(options)),
        Codec::Opus => Box::new(opus::OpusPacketizer::default()),
        Codec::Pcmu | Codec::Pcma | Codec::G722 => Box::new(sampled::SampledPacketizer::new(options)),
        _ => return None,
    };
    packetizer.set_parameters(parameters);
    Some(packetizer)
}

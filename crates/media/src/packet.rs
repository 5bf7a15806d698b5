//! An RTP packet on its way through the graph.

use std::sync::Arc;

use crate::{Orientation, Ticks};

/// The payload of one RTP packet, with what a viewer needs to write its own header.
///
/// Payload type, SSRC, and the numbers actually sent belong to the viewer; nobody changes a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The source's sequence number, extended to 64 bits so it does not wrap.
    ///
    /// A gap means that the source's packet was lost. Lanes hold packets in order of arrival, so a late packet
    /// has a lower number than the one before it: viewers map numbers, they do not count packets.
    ///
    /// Source: RFC 3550 §5.1, sequence number; appendix A.1 for the extension.
    pub sequence: u64,
    /// Presentation time of the frame that this packet is part of.
    pub timestamp: Ticks,
    /// The marker bit: for video the last packet of a frame, for audio the first after silence.
    ///
    /// Source: RFC 3551 §4.1 and the payload formats.
    pub marker: bool,
    /// Whether this is the first packet of a frame at which a decoder can start.
    pub random_access: bool,
    /// How the picture that this packet is part of is to be turned; it counts where `marker` is set, at the picture's
    /// last packet.
    ///
    /// It stands in each packet and not in the parameters of the track: a viewer that turns pictures does so from the
    /// right one on, also where packets are sent again, and for all who do not, nothing changes.
    pub orientation: Orientation,
    /// The RTP payload, in the payload format of the codec.
    pub payload: Arc<[u8]>,
}

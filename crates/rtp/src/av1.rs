//! AV1 (RTP Payload Format for AV1, Alliance for Open Media, version 1.0).

mod builder;
mod packetizer;

pub(crate) use builder::Av1Builder;
pub(crate) use packetizer::Av1Packetizer;

const NAME: &str = "AV1";

/// Bits of the aggregation header (§4.4).
mod aggregation {
    /// The first element continues the last one of the packet before.
    pub(super) const CONTINUES: u8 = 0x80;
    /// The last element goes on in the next packet.
    pub(super) const GOES_ON: u8 = 0x40;
    /// How far left the number of elements stands; zero says that each has its length before it.
    pub(super) const COUNT_SHIFT: u8 = 4;
    /// A coded video sequence begins.
    pub(super) const NEW_SEQUENCE: u8 = 0x08;
}

//! Finding a packet that a reader has passed.

use headwater_media::Packet;

use super::Cursor;
use crate::lane::segment::{Entry, SLOTS, Segment};

/// How far a late packet may stand behind those of later numbers.
const LATE_PACKETS: u64 = 64;

impl Cursor<Packet> {
    /// The packet of this number, if the window holds it: for viewers that have missed it. Takes no lock and moves
    /// nothing; the newest packets are found first.
    pub fn recall(&self, sequence: u64) -> Option<Packet> {
        self.shared
            .directory
            .read(|directory| directory.segments.iter().rev().find_map(|segment| find(segment, sequence)))
    }
}

fn find(segment: &Segment<Packet>, sequence: u64) -> Option<Packet> {
    let packets = || {
        (0..SLOTS).filter_map(|index| match segment.entry(index) {
            Some(Entry::Media { item, .. }) => Some(item),
            _ => None,
        })
    };
    let first = packets().next()?.sequence;
    if first > sequence.saturating_add(LATE_PACKETS) {
        return None;
    }
    packets().find(|packet| packet.sequence == sequence).cloned()
}

//! Cuts temporal units into packets of OBU elements.

use headwater_codec::av1::{self, Av1Config, Obu, Obus, leb128_bytes, obu_type};
use headwater_media::{Frame, Packet, TrackParameters};
use smallvec::SmallVec;

use crate::writer::{FrameWriter, PacketWriter, spread};
use crate::{Packetizer, PacketizerOptions};

use super::aggregation;

/// Fills each packet of a temporal unit to the same size, but for the last.
pub(crate) struct Av1Packetizer {
    payload_max: usize,
    writer: PacketWriter,
    /// Sent before each key frame that does not bring its own.
    config: Option<Av1Config>,
    dropped: u64,
}

impl Av1Packetizer {
    pub(crate) fn new(options: PacketizerOptions) -> Av1Packetizer {
        Av1Packetizer { payload_max: options.payload_max(), writer: PacketWriter::default(), config: None, dropped: 0 }
    }
}

impl Packetizer for Av1Packetizer {
    fn set_parameters(&mut self, parameters: &TrackParameters) {
        self.config = Av1Config::parse(&parameters.config).ok();
    }

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        let mut elements = Elements::default();
        if frame.random_access && !av1::has_sequence_header(&frame.data) {
            elements.extend(self.config.as_ref().and_then(Av1Config::sequence_header).map(Element::new));
        }
        for obu in Obus::new(&frame.data) {
            match obu {
                Ok(obu) if is_sent(&obu) => elements.push(Element::new(obu)),
                Ok(_) => {}
                Err(_) => elements.clear(),
            }
        }
        if elements.is_empty() {
            self.dropped += 1;
            return;
        }
        let mut packets = self.writer.frame(frame.pts, frame.random_access, out);
        write_elements(&elements, self.payload_max, frame.random_access, &mut packets);
        packets.finish();
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// §5: temporal delimiters and tile lists must not be sent, padding should not.
fn is_sent(obu: &Obu<'_>) -> bool {
    !matches!(obu.obu_type(), obu_type::TEMPORAL_DELIMITER | obu_type::TILE_LIST | obu_type::PADDING)
}

type Elements<'a> = SmallVec<[Element<'a>; 8]>;

/// An OBU without size field.
struct Element<'a> {
    header: SmallVec<[u8; 2]>,
    payload: &'a [u8],
}

impl<'a> Element<'a> {
    fn new(obu: Obu<'a>) -> Element<'a> {
        const HAS_SIZE: u8 = 0x02;
        let mut header = SmallVec::from_slice(obu.header);
        if let Some(first) = header.first_mut() {
            *first &= !HAS_SIZE;
        }
        Element { header, payload: obu.payload }
    }

    fn len(&self) -> usize {
        self.header.len() + self.payload.len()
    }

    /// The bytes from `from`, at most `count`, as they lie in header and payload.
    fn part(&self, from: usize, count: usize) -> [&[u8]; 2] {
        let header = self.header.get(from..).unwrap_or_default();
        let header = header.get(..count).unwrap_or(header);
        let payload = self.payload.get(from.saturating_sub(self.header.len())..).unwrap_or_default();
        let payload = payload.get(..count - header.len()).unwrap_or(payload);
        [header, payload]
    }
}

/// A part of an element in a packet.
struct Piece<'a> {
    prefix: SmallVec<[u8; 4]>,
    parts: [&'a [u8]; 2],
}

fn write_elements(elements: &[Element<'_>], payload_max: usize, begins_sequence: bool, packets: &mut FrameWriter<'_>) {
    let total: usize = elements.iter().map(Element::len).sum();
    let prefixes: usize = elements.iter().rev().skip(1).map(|element| leb128_bytes(element.len())).sum();
    let room = spread(total + prefixes, payload_max - 1);
    let mut position = Position { elements, from: 0 };
    let mut new_sequence = if begins_sequence { aggregation::NEW_SEQUENCE } else { 0 };
    while !position.elements.is_empty() {
        let continues = if position.from > 0 { aggregation::CONTINUES } else { 0 };
        let (pieces, count) = fill(&mut position, room);
        let goes_on = if position.from > 0 { aggregation::GOES_ON } else { 0 };
        let head = continues | goes_on | (count << aggregation::COUNT_SHIFT) | std::mem::take(&mut new_sequence);
        let body = pieces.iter().flat_map(|piece| [&piece.prefix[..], piece.parts[0], piece.parts[1]]);
        packets.push(std::iter::once(&[head][..]).chain(body));
    }
}

/// Where in the elements the next packet begins.
struct Position<'e, 'a> {
    elements: &'e [Element<'a>],
    from: usize,
}

impl<'e, 'a> Position<'e, 'a> {
    /// The bytes left of the element at the front, and whether it is the last.
    fn front(&self) -> Option<(usize, bool)> {
        let element = self.elements.first()?;
        Some((element.len() - self.from, self.elements.len() == 1))
    }

    /// Takes bytes off the element at the front, with their length in `prefix_bytes` before them.
    fn take(&mut self, count: usize, prefix_bytes: usize) -> Option<Piece<'e>> {
        let (element, rest) = self.elements.split_first()?;
        let parts = element.part(self.from, count);
        self.from += count;
        if self.from >= element.len() {
            (self.elements, self.from) = (rest, 0);
        }
        Some(Piece { prefix: leb128(count, prefix_bytes), parts })
    }
}

/// Fills a packet with exactly `room` bytes after its header, or with all that is left if that is less.
///
/// Gives the number of elements to write in the header: the last of up to three needs no length, which makes any
/// size reachable; of more, and where the last ends too close to the end of the packet, each has one (zero).
fn fill<'e>(position: &mut Position<'e, '_>, mut room: usize) -> (SmallVec<[Piece<'e>; 4]>, u8) {
    const COUNTED_MAX: usize = 3;
    let mut pieces = SmallVec::new();
    while let Some((left, is_last)) = position.front() {
        let may_be_bare = pieces.len() < COUNTED_MAX;
        if may_be_bare && (left >= room || is_last) {
            pieces.extend(position.take(left.min(room), 0));
            let count = pieces.len() as u8;
            return (pieces, count);
        }
        let prefix = leb128_bytes(left);
        if left + prefix < room {
            // A single byte left over would hold a length but no element: lengthen the length instead.
            let must_prefix_next = pieces.len() + 1 >= COUNTED_MAX;
            let prefix = if must_prefix_next && left + prefix + 1 == room { prefix + 1 } else { prefix };
            pieces.extend(position.take(left, prefix));
            room -= left + prefix;
            if room > 0 {
                continue;
            }
            break;
        }
        let prefix = if room <= 128 { 1 } else { 2 };
        pieces.extend(position.take(left.min(room - prefix), prefix));
        break;
    }
    (pieces, 0)
}

/// A number in exactly so many bytes, or none (AV1 §4.10.5 allows more bytes than needed).
fn leb128(value: usize, bytes: usize) -> SmallVec<[u8; 4]> {
    let byte = |index: usize| {
        let more = if index + 1 < bytes { 0x80 } else { 0 };
        ((value >> (7 * index)) & 0x7f) as u8 | more
    };
    (0..bytes).map(byte).collect()
}

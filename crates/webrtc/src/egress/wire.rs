//! The RTP header that this side writes.

use headwater_media::Orientation;

/// Fixed header, and the extension that is the same in each packet: a name of up to 16 bytes (RFC 8285 §4.2).
const HEADER_BYTES_MAX: usize = FIXED_BYTES + EXTENSION_HEAD_BYTES + 20;
const FIXED_BYTES: usize = 12;
const EXTENSION_HEAD_BYTES: usize = 4;
const NUMBER_BYTES: usize = 3;
const ORIENTATION_BYTES: usize = 2;

/// What differs from packet to packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) source: u32,
}

/// The number of a packet among all of its transport, and the number of the extension that carries it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransportNumber {
    pub(super) extension: u8,
    pub(super) number: u16,
}

/// How the picture that ends with a packet is to be turned, and the number of the extension that says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) extension: u8,
    pub(super) orientation: Orientation,
}

/// Which extensions a packet has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extensions {
    /// The name of the media section.
    pub(super) named: bool,
    pub(super) number: Option<TransportNumber>,
    pub(super) turn: Option<Turn>,
}

/// The header of a stream's packets, with and without the name of its media section.
///
/// Source: RFC 3550 §5.1; RFC 8285 §4.2, RFC 9143 §15 for the name;
/// draft-holmer-rmcat-transport-wide-cc-extensions-01 §2 for the number; 3GPP TS 26.114 §7.4.5 for the orientation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    /// Of the element that holds the name; 0 where there is none.
    name_length: u8,
}

impl Header {
    /// A header that names the media section `mid` under the extension's number, if there is one.
    ///
    /// A name that does not fit the short form of extensions is left out.
    pub(super) fn new(extension: Option<u8>, mid: &str) -> Header {
        let mut header = Header { bytes: [0; HEADER_BYTES_MAX], name_length: 0 };
        let fits = |number: &u8| is_short_form(*number) && (1..=16).contains(&mid.len());
        let name = extension.filter(fits).map(|number| (number << 4 | (mid.len() - 1) as u8, mid.bytes()));
        let element = name.into_iter().flat_map(|(head, name)| std::iter::once(head).chain(name));
        for (to, from) in header.bytes.iter_mut().skip(FIXED_BYTES + EXTENSION_HEAD_BYTES).zip(element) {
            *to = from;
            header.name_length += 1;
        }
        header
    }

    /// How long it is with these extensions: the name, the number, the orientation.
    #[inline]
    pub(super) fn length(&self, named: bool, numbered: bool, turned: bool) -> usize {
        let name = if named { usize::from(self.name_length) } else { 0 };
        let number = if numbered { NUMBER_BYTES } else { 0 };
        let turn = if turned { ORIENTATION_BYTES } else { 0 };
        match name + number + turn {
            0 => FIXED_BYTES,
            bytes => FIXED_BYTES + EXTENSION_HEAD_BYTES + bytes.next_multiple_of(4),
        }
    }

    /// Writes it to the front of a datagram.
    #[inline]
    pub(super) fn write(&self, extensions: Extensions, fields: &Fields, datagram: &mut [u8]) {
        let length = self.length(extensions.named, extensions.number.is_some(), extensions.turn.is_some());
        let is_extended = length > FIXED_BYTES;
        if let Some(fixed) = datagram.first_chunk_mut::<FIXED_BYTES>() {
            let [s0, s1] = (fields.sequence as u16).to_be_bytes();
            let [t0, t1, t2, t3] = fields.timestamp.to_be_bytes();
            let [o0, o1, o2, o3] = fields.source.to_be_bytes();
            let first = 0x80 | u8::from(is_extended) << 4;
            let second = u8::from(fields.marker) << 7 | fields.payload_type & 0x7f;
            *fixed = [first, second, s0, s1, t0, t1, t2, t3, o0, o1, o2, o3];
        }
        if is_extended && let Some(place) = datagram.get_mut(FIXED_BYTES..length) {
            self.write_extensions(extensions, place);
        }
    }

    fn write_extensions(&self, extensions: Extensions, place: &mut [u8]) {
        let Extensions { named, number, turn } = extensions;
        let words = (place.len() - EXTENSION_HEAD_BYTES.min(place.len())) / 4;
        place.fill(0);
        if let Some(head) = place.first_chunk_mut::<EXTENSION_HEAD_BYTES>() {
            *head = [0xbe, 0xde, 0, words as u8];
        }
        let name = if named { usize::from(self.name_length) } else { 0 };
        let element = self.bytes.iter().skip(FIXED_BYTES + EXTENSION_HEAD_BYTES).take(name).copied();
        let number = number.into_iter().flat_map(|TransportNumber { extension, number }| {
            let [high, low] = number.to_be_bytes();
            [extension << 4 | 1, high, low]
        });
        let turn = turn.into_iter().flat_map(|Turn { extension, orientation }| [extension << 4, orientation.byte()]);
        for (to, from) in place.iter_mut().skip(EXTENSION_HEAD_BYTES).zip(element.chain(number).chain(turn)) {
            *to = from;
        }
    }
}

/// Whether an extension of this number has a place in the one-byte form.
pub(super) fn is_short_form(extension: u8) -> bool {
    (1..=14).contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(extension: Option<u8>, mid: &str, named: bool, number: Option<u16>) -> Vec<u8> {
        written_turned(extension, mid, named, number, None)
    }

    fn written_turned(extension: Option<u8>, mid: &str, named: bool, number: Option<u16>, turn: Option<u8>) -> Vec<u8> {
        let header = Header::new(extension, mid);
        let mut datagram = vec![0xaa; header.length(named, number.is_some(), turn.is_some())];
        let fields = Fields { marker: true, payload_type: 96, sequence: 0x1_0203, timestamp: 0x0405_0607, source: 8 };
        let number = number.map(|number| TransportNumber { extension: 3, number });
        let turn = turn.map(|byte| Turn { extension: 5, orientation: Orientation::read(byte) });
        header.write(Extensions { named, number, turn }, &fields, &mut datagram);
        datagram
    }

    #[test]
    fn a_header_names_its_media_section_in_whole_words() {
        let plain = [0x80, 0xe0, 2, 3, 4, 5, 6, 7, 0, 0, 0, 8];
        assert_eq!(written(Some(4), "0", false, None), plain);
        assert_eq!(written(None, "0", true, None), plain);
        assert_eq!(written(Some(4), "a name of 17 char", true, None), plain);
        let mut named = plain.to_vec();
        named[0] = 0x90;
        named.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x40, b'0', 0, 0]);
        assert_eq!(written(Some(4), "0", true, None), named);
        for length in 1..=16 {
            let header = written(Some(14), &"m".repeat(length), true, None);
            assert_eq!(header.len(), 16 + usize::from(header[15]) * 4);
            assert_eq!(header[16], 0xe0 | (length as u8 - 1));
        }
    }

    #[test]
    fn a_header_numbers_the_packet_behind_the_name() {
        let fixed = [0x90, 0xe0, 2, 3, 4, 5, 6, 7, 0, 0, 0, 8];
        let alone = [&fixed[..], &[0xbe, 0xde, 0, 1, 0x31, 0xab, 0xcd, 0]].concat();
        assert_eq!(written(Some(4), "0", false, Some(0xabcd)), alone);
        assert_eq!(written(None, "0", true, Some(0xabcd)), alone);
        let both = [&fixed[..], &[0xbe, 0xde, 0, 2, 0x40, b'0', 0x31, 0xab, 0xcd, 0, 0, 0]].concat();
        assert_eq!(written(Some(4), "0", true, Some(0xabcd)), both);
        for length in 1..=16 {
            let header = written(Some(14), &"m".repeat(length), true, Some(0xabcd));
            assert_eq!(header.len(), 16 + usize::from(header[15]) * 4);
            assert_eq!(header[17 + length..][..3], [0x31, 0xab, 0xcd]);
        }
    }

    #[test]
    fn a_header_says_how_the_picture_is_turned_behind_all_else() {
        let fixed = [0x90, 0xe0, 2, 3, 4, 5, 6, 7, 0, 0, 0, 8];
        for byte in 0..16 {
            let alone = [&fixed[..], &[0xbe, 0xde, 0, 1, 0x50, byte, 0, 0]].concat();
            assert_eq!(written_turned(Some(4), "0", false, None, Some(byte)), alone);
        }
        let named = [&fixed[..], &[0xbe, 0xde, 0, 1, 0x40, b'0', 0x50, 3]].concat();
        assert_eq!(written_turned(Some(4), "0", true, None, Some(3)), named);
        let numbered = [&fixed[..], &[0xbe, 0xde, 0, 2, 0x31, 0xab, 0xcd, 0x50, 1, 0, 0, 0]].concat();
        assert_eq!(written_turned(Some(4), "0", false, Some(0xabcd), Some(1)), numbered);
        for length in 1..=16 {
            let header = written_turned(Some(14), &"m".repeat(length), true, Some(0xabcd), Some(2));
            assert_eq!(header.len(), 16 + usize::from(header[15]) * 4);
            assert_eq!(header[17 + length..][..5], [0x31, 0xab, 0xcd, 0x50, 2]);
        }
    }
}

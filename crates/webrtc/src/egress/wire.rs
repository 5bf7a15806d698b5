//! The RTP header that this side writes.

/// Fixed header, and an extension with a name of up to 16 bytes (RFC 8285 §4.2).
const HEADER_BYTES_MAX: usize = 12 + 4 + 20;
const FIXED_BYTES: usize = 12;

/// What differs from packet to packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) source: u32,
}

/// The header of a stream's packets, with and without the name of its media section.
///
/// Source: RFC 3550 §5.1; RFC 8285 §4.2, RFC 9143 §15 for the name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

impl Header {
    /// A header that names the media section `mid` under the extension's number, if there is one.
    ///
    /// A name that does not fit the short form of extensions is left out.
    pub(super) fn new(extension: Option<u8>, mid: &str) -> Header {
        let mut header = Header { bytes: [0; HEADER_BYTES_MAX], length: FIXED_BYTES as u8 };
        let Some(number) = extension.filter(|number| (1..=14).contains(number) && (1..=16).contains(&mid.len())) else {
            return header;
        };
        let words = (1 + mid.len()).div_ceil(4);
        let extension = [0xbe, 0xde, 0, words as u8, number << 4 | (mid.len() - 1) as u8];
        let rest = header.bytes.iter_mut().skip(FIXED_BYTES);
        for (to, from) in rest.zip(extension.into_iter().chain(mid.bytes())) {
            *to = from;
        }
        header.length = (FIXED_BYTES + 4 + words * 4) as u8;
        header
    }

    /// How long it is with the name, or without.
    #[inline]
    pub(super) fn length(&self, named: bool) -> usize {
        if named { usize::from(self.length) } else { FIXED_BYTES }
    }

    /// Writes it to the front of a datagram.
    #[inline]
    pub(super) fn write(&self, named: bool, fields: &Fields, datagram: &mut [u8]) {
        let length = self.length(named);
        if let (Some(to), Some(from)) = (datagram.get_mut(..length), self.bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        if let Some(fixed) = datagram.first_chunk_mut::<FIXED_BYTES>() {
            let is_extended = length > FIXED_BYTES;
            let [s0, s1] = (fields.sequence as u16).to_be_bytes();
            let [t0, t1, t2, t3] = fields.timestamp.to_be_bytes();
            let [o0, o1, o2, o3] = fields.source.to_be_bytes();
            let first = 0x80 | u8::from(is_extended) << 4;
            let second = u8::from(fields.marker) << 7 | fields.payload_type & 0x7f;
            *fixed = [first, second, s0, s1, t0, t1, t2, t3, o0, o1, o2, o3];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(extension: Option<u8>, mid: &str, named: bool) -> Vec<u8> {
        let header = Header::new(extension, mid);
        let mut datagram = vec![0; header.length(named)];
        let fields = Fields { marker: true, payload_type: 96, sequence: 0x1_0203, timestamp: 0x0405_0607, source: 8 };
        header.write(named, &fields, &mut datagram);
        datagram
    }

    #[test]
    fn a_header_names_its_media_section_in_whole_words() {
        let plain = [0x80, 0xe0, 2, 3, 4, 5, 6, 7, 0, 0, 0, 8];
        assert_eq!(written(Some(4), "0", false), plain);
        assert_eq!(written(None, "0", true), plain);
        assert_eq!(written(Some(4), "a name of 17 char", true), plain);
        let mut named = plain.to_vec();
        named[0] = 0x90;
        named.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x40, b'0', 0, 0]);
        assert_eq!(written(Some(4), "0", true), named);
        for length in 1..=16 {
            let header = written(Some(14), &"m".repeat(length), true);
            assert_eq!(header.len(), 16 + usize::from(header[15]) * 4);
            assert_eq!(header[16], 0xe0 | (length as u8 - 1));
        }
    }
}

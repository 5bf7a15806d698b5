//! The RTP header of a packet that is still sealed.

/// The fixed part.
const FIXED_BYTES: usize = 12;
/// The form of extensions with one byte before each (RFC 8285 §4.2).
const SHORT_FORM: u16 = 0xbede;

/// The fields of a header.
///
/// Source: RFC 3550 §5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) is_padded: bool,
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) source: u32,
    /// Bytes with the list of contributing sources and extensions: from there on it is sealed.
    pub(super) length: usize,
    /// The number of the packet among all of the transport.
    pub(super) transport_number: Option<u16>,
}

impl Header {
    /// Reads a header. `transport_extension` is the number of the extension that carries the transport's number; 0
    /// where there is none. `None` if it is no RTP, or reaches beyond the datagram.
    #[inline]
    pub(super) fn read(datagram: &[u8], transport_extension: u8) -> Option<Header> {
        let ([first, second, s0, s1, t0, t1, t2, t3, o0, o1, o2, o3], rest) =
            datagram.split_first_chunk::<FIXED_BYTES>()?;
        if first >> 6 != 2 {
            return None;
        }
        let contributing = usize::from(first & 0xf) * 4;
        let rest = rest.get(contributing..)?;
        let mut header = Header {
            is_padded: first & 0x20 != 0,
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([*s0, *s1]),
            timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            source: u32::from_be_bytes([*o0, *o1, *o2, *o3]),
            length: FIXED_BYTES + contributing,
            transport_number: None,
        };
        if first & 0x10 != 0 {
            let ([f0, f1, w0, w1], rest) = rest.split_first_chunk::<4>()?;
            let bytes = usize::from(u16::from_be_bytes([*w0, *w1])) * 4;
            let extensions = rest.get(..bytes)?;
            header.length += 4 + bytes;
            if transport_extension != 0 && u16::from_be_bytes([*f0, *f1]) == SHORT_FORM {
                header.transport_number = find(extensions, transport_extension);
            }
        }
        Some(header)
    }
}

/// The number in an extension of two bytes.
fn find(mut extensions: &[u8], wanted: u8) -> Option<u16> {
    while let Some((head, rest)) = extensions.split_first() {
        let (number, length) = (head >> 4, usize::from(head & 0xf) + 1);
        match number {
            // Padding; it has no length.
            0 => extensions = rest,
            // RFC 8285 §4.2: nothing behind it is to be read.
            15 => return None,
            _ => {
                let (data, rest) = rest.split_at_checked(length)?;
                if number == wanted {
                    return data.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                }
                extensions = rest;
            }
        }
    }
    None
}

/// The payload without its padding (RFC 3550 §5.1). `None` if the padding is longer than the payload, or says nothing.
#[inline]
pub(super) fn unpad(payload: &[u8], is_padded: bool) -> Option<&[u8]> {
    if !is_padded {
        return Some(payload);
    }
    let padding = usize::from(*payload.last()?);
    payload.get(..payload.len().checked_sub(padding)?).filter(|_| padding > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 12] = [0x80, 0xe0, 1, 2, 0, 0, 0, 9, 0, 0, 0, 7];

    fn extended(elements: &[u8]) -> Vec<u8> {
        let mut datagram = PLAIN.to_vec();
        datagram[0] |= 0x10;
        datagram.extend_from_slice(&[0xbe, 0xde, 0, (elements.len() / 4) as u8]);
        datagram.extend_from_slice(elements);
        datagram
    }

    #[test]
    fn fields_and_length_are_read() {
        let expected = Header {
            is_padded: false,
            marker: true,
            payload_type: 96,
            sequence: 0x0102,
            timestamp: 9,
            source: 7,
            length: 12,
            transport_number: None,
        };
        assert_eq!(Header::read(&PLAIN, 2), Some(expected));
        let mut contributed = PLAIN.to_vec();
        contributed[0] |= 2;
        contributed.extend_from_slice(&[0; 8]);
        assert_eq!(Header::read(&contributed, 2).unwrap().length, 20);
    }

    #[test]
    fn the_number_of_the_transport_is_found_among_extensions() {
        let cases: [(&[u8], Option<u16>); 6] = [
            (&[0x21, 1, 2, 0], Some(0x102)),
            (&[0x10, b'0', 0, 0x21, 1, 2, 0, 0], Some(0x102)),
            (&[0x10, b'0', 0, 0], None),
            (&[0xf0, 0, 0x21, 1], None),
            (&[0x20, 1, 0, 0], None),
            (&[0, 0, 0, 0x2f], None),
        ];
        for (elements, expected) in cases {
            let header = Header::read(&extended(elements), 2).unwrap();
            assert_eq!(header.transport_number, expected, "{elements:x?}");
            assert_eq!(header.length, 16 + elements.len());
            assert_eq!(Header::read(&extended(elements), 0).unwrap().transport_number, None);
        }
    }

    #[test]
    fn what_is_cut_off_is_none() {
        let mut whole = extended(&[0x21, 1, 2, 0]);
        whole[0] |= 1;
        whole.extend_from_slice(&[0; 4]);
        for length in 0..whole.len() {
            assert_eq!(Header::read(&whole[..length], 2), None, "{length}");
        }
        let mut other = PLAIN;
        other[0] = 0x40;
        assert_eq!(Header::read(&other, 2), None);
    }

    #[test]
    fn padding_is_taken_off_where_it_makes_sense() {
        // How many bytes are left.
        let cases: [(&[u8], bool, Option<usize>); 6] = [
            (&[1, 2, 3], false, Some(3)),
            (&[1, 2, 2], true, Some(1)),
            (&[1, 2, 3], true, Some(0)),
            (&[1, 2, 4], true, None),
            (&[1, 2, 0], true, None),
            (&[], true, None),
        ];
        for (payload, is_padded, expected) in cases {
            assert_eq!(unpad(payload, is_padded).map(<[u8]>::len), expected, "{payload:?}");
        }
    }
}

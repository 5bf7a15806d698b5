//! The time of sending, within the picture: a message of the H.264 stream, which every protocol carries.
//!
//! ```text
//! NAL unit 6 │ payload type 5 │ size 25 │ UUID, 16 bytes │ version 1 │ microseconds since 1970, 8 bytes │ trailing bits
//! ```
//!
//! Source: ITU-T H.264 §7.3.2.3, §D.1.6 (user data unregistered).

use bytes::{BufMut, Bytes, BytesMut};
use headwater_codec::h264::nal_type;

/// Names the message as one of Headwater's load agents.
const UUID: [u8; 16] = [0x68, 0x77, 0x6c, 0x6f, 0x61, 0x64, 0x4a, 0x8e, 0x9f, 0x6d, 0x3b, 0xc1, 0x5e, 0x72, 0xd4, 0xa7];
const USER_DATA_UNREGISTERED: u8 = 5;
const VERSION: u8 = 1;
/// UUID, version and time, where no byte had to be escaped.
const SIZE: u8 = 25;
/// Header, type, size, and the trailing bits.
const NAL_BYTES: usize = 3 + SIZE as usize + 1;
/// Groups of seven bits that the time is written in.
const TIME_GROUPS: usize = 8;

/// A picture with a stamp before its units, in the layout of `headwater_media::Frame`.
///
/// The time is written in eight groups of seven bits with the highest bit set: no emulation prevention is ever needed.
pub(crate) fn with_stamp(picture: &[u8], micros: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + NAL_BYTES + picture.len());
    out.put_u32(NAL_BYTES as u32);
    out.put_u8(nal_type::SEI);
    out.put_u8(USER_DATA_UNREGISTERED);
    out.put_u8(SIZE);
    out.put_slice(&UUID);
    out.put_u8(VERSION);
    for group in (0..TIME_GROUPS).rev() {
        out.put_u8(0x80 | (micros >> (7 * group)) as u8 & 0x7f);
    }
    out.put_u8(0x80);
    out.put_slice(picture);
    out.freeze()
}

/// The time that a NAL unit says, in microseconds since 1970, if it is such a message.
pub(crate) fn of_nal(nal: &[u8]) -> Option<u64> {
    let [header, USER_DATA_UNREGISTERED, SIZE, rest @ ..] = nal else { return None };
    if header & 0x1f != nal_type::SEI {
        return None;
    }
    let [VERSION, rest @ ..] = rest.strip_prefix(&UUID)? else { return None };
    let groups = rest.get(..TIME_GROUPS)?;
    let is_written = groups.iter().all(|group| group & 0x80 != 0);
    is_written.then(|| groups.iter().fold(0, |time, group| time << 7 | u64::from(group & 0x7f)))
}

/// The time that an RTP payload of H.264 says: a single unit, or one of several in it (RFC 6184 §5.6, §5.7.1).
pub(crate) fn of_payload(payload: &[u8]) -> Option<u64> {
    const STAP_A: u8 = 24;
    let (header, mut rest) = payload.split_first()?;
    match header & 0x1f {
        nal_type::SEI => of_nal(payload),
        STAP_A => {
            while let Some((size, after)) = rest.split_first_chunk::<2>() {
                let (nal, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
                if let Some(time) = of_nal(nal) {
                    return Some(time);
                }
                rest = after;
            }
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use headwater_codec::nal::Nals;

    use super::*;

    const TIMES: [u64; 5] = [0, 1, 1_795_000_000_000_000, (1 << 56) - 1, 0x0000_0300_0001_0002];
    const SLICE: &[u8] = &[0, 0, 0, 3, 0x65, 1, 2];

    #[test]
    fn a_stamp_is_read_back_from_frame_and_payload() {
        for time in TIMES {
            let frame = with_stamp(SLICE, time);
            let nals: Vec<&[u8]> = Nals::new(&frame).map(Result::unwrap).collect();
            assert_eq!(nals.len(), 2);
            assert_eq!((of_nal(nals[0]), of_nal(nals[1])), (Some(time), None));
            assert_eq!(of_payload(nals[0]), Some(time));
            let together = [&[24, 0, 2, 0x67, 1][..], &(nals[0].len() as u16).to_be_bytes(), nals[0], &[0, 1, 0x68]];
            assert_eq!(of_payload(&together.concat()), Some(time));
        }
    }

    #[test]
    fn no_stamp_has_to_be_escaped() {
        for time in TIMES {
            let frame = with_stamp(&[], time);
            let escaped = frame[4..].windows(3).any(|bytes| bytes[0] == 0 && bytes[1] == 0 && bytes[2] <= 3);
            assert!(!escaped, "{time}: {frame:?}");
        }
    }

    #[test]
    fn what_is_no_stamp_says_no_time_and_does_no_harm() {
        let frame = with_stamp(SLICE, 7);
        let whole = [&[24][..], &[0, 2, 0x67, 1], &frame[2..]].concat();
        for length in 0..whole.len() {
            let _ = of_payload(&whole[..length]);
        }
        for length in 0..NAL_BYTES - 1 {
            assert_eq!(of_nal(&frame[4..4 + length]), None, "{length}");
        }
        let mut other = frame[4..].to_vec();
        other[5] ^= 1;
        assert_eq!(of_nal(&other), None);
    }
}

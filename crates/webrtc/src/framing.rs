//! Datagrams on a TCP connection: each behind its length in two bytes.
//!
//! Source: RFC 4571 §2, used by ICE-TCP as RFC 6544 §3 says.

use headwater_media::limits;

/// Cuts what comes in on a connection into datagrams.
#[derive(Debug, Default)]
pub(crate) struct Unframer {
    bytes: Vec<u8>,
    /// Bytes at the front that have been yielded.
    taken: usize,
}

/// The peer announced a datagram beyond [`limits::WEBRTC_DATAGRAM_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer announced a datagram of {0} bytes, more than this server takes")]
pub(crate) struct TooLong(usize);

impl Unframer {
    /// Takes bytes as they come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole datagram.
    ///
    /// # Errors
    /// It is announced to be too long; the connection is of no use any more.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let length = self.peek()?.map(<[u8]>::len);
        let begin = self.taken.saturating_add(2);
        let Some(end) = length.map(|length| begin.saturating_add(length)) else {
            return Ok(None);
        };
        self.taken = end;
        Ok(self.bytes.get(begin..end))
    }

    /// The same, which comes once more then.
    pub(crate) fn peek(&self) -> Result<Option<&[u8]>, TooLong> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > limits::WEBRTC_DATAGRAM_BYTES.get_usize() {
            limits::WEBRTC_DATAGRAM_BYTES.hit();
            return Err(TooLong(length));
        }
        Ok(rest.get(..length))
    }
}

/// Appends a datagram of this length, which `write` fills, in its frame. Says `false`, and appends nothing, where it
/// does not fit into one, or `write` says so.
pub(crate) fn frame(length: usize, write: impl FnOnce(&mut [u8]) -> bool, into: &mut Vec<u8>) -> bool {
    let Ok(prefix) = u16::try_from(length) else {
        return false;
    };
    let before = into.len();
    into.extend_from_slice(&prefix.to_be_bytes());
    let begin = into.len();
    into.resize(begin.saturating_add(length), 0);
    let is_written = into.get_mut(begin..).is_some_and(write);
    if !is_written {
        into.truncate(before);
    }
    is_written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unframe(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut unframer = Unframer::default();
        let mut datagrams = Vec::new();
        for piece in pieces {
            unframer.push(piece);
            while let Some(datagram) = unframer.next().unwrap() {
                datagrams.push(datagram.to_vec());
            }
        }
        datagrams
    }

    #[test]
    fn datagrams_come_out_as_they_went_in_wherever_the_stream_is_cut() {
        let datagrams: [&[u8]; 4] = [b"one", b"", &[7; 1_500], b"four"];
        let mut stream = Vec::new();
        for datagram in datagrams {
            let copy = |to: &mut [u8]| {
                to.copy_from_slice(datagram);
                true
            };
            assert!(frame(datagram.len(), copy, &mut stream));
        }
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(unframe(&[head, tail]), datagrams, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_ends_the_connection() {
        let mut unframer = Unframer::default();
        unframer.push(&1_501u16.to_be_bytes());
        assert_eq!(unframer.next(), Err(TooLong(1_501)));
        let mut stream = vec![7];
        assert!(!frame(65_536, |_| true, &mut stream));
        assert!(!frame(10, |_| false, &mut stream));
        assert_eq!(stream, [7]);
    }
}

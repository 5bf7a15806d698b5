//! Datagrams that wait to be taken.

use std::net::SocketAddr;

/// Bytes that wait at most; what is beyond is dropped, as a network would. A handshake takes a few thousand.
const BYTES_MAX: usize = 16 << 10;
/// Bytes that are kept to write the next ones into.
const BYTES_KEPT: usize = 1 << 10;

/// Datagrams that wait to be taken, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// Where each goes, and where it ends.
    datagrams: Vec<(SocketAddr, usize)>,
}

impl Outbox {
    pub(super) fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.write(to, |bytes| {
            bytes.extend_from_slice(datagram);
            true
        });
    }

    /// Lets `write` append a datagram. It says `false` to take it back.
    pub(super) fn write(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let begin = self.bytes.len();
        if begin >= BYTES_MAX {
            return;
        }
        if write(&mut self.bytes) && self.bytes.len() > begin {
            self.datagrams.push((to, self.bytes.len()));
        } else {
            self.bytes.truncate(begin);
        }
    }

    /// Hands all of them out, in their order.
    pub(super) fn drain(&mut self, send: &mut impl FnMut(SocketAddr, &[u8])) {
        let mut begin = 0;
        for (to, end) in self.datagrams.drain(..) {
            if let Some(datagram) = self.bytes.get(begin..end) {
                send(to, datagram);
            }
            begin = end;
        }
        self.bytes.clear();
        if self.bytes.capacity() > 2 * BYTES_KEPT {
            self.bytes.shrink_to(BYTES_KEPT);
            self.datagrams.shrink_to(4);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_as_they_went_in_and_are_bounded() {
        let mut outbox = Outbox::default();
        let to = |port| SocketAddr::from(([192, 0, 2, 1], port));
        outbox.push(to(1), &[1, 2]);
        outbox.write(to(2), |bytes| {
            bytes.push(9);
            false
        });
        outbox.push(to(3), &[3]);
        let mut sent = Vec::new();
        outbox.drain(&mut |to, datagram| sent.push((to.port(), datagram.to_vec())));
        assert_eq!(sent, [(1, vec![1, 2]), (3, vec![3])]);
        assert!(outbox.is_empty());
        (0..1_000).for_each(|_| outbox.push(to(1), &[0; 1_000]));
        let mut bytes = 0;
        outbox.drain(&mut |_, datagram| bytes += datagram.len());
        assert!((BYTES_MAX..BYTES_MAX + 1_000).contains(&bytes));
        assert!(outbox.bytes.capacity() <= 2 * BYTES_KEPT);
    }
}

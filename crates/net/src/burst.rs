//! Datagrams for one destination, gathered so that one system call sends them all.

use std::net::{IpAddr, SocketAddr};

/// Datagrams for one destination, back to back in one buffer, as generic segmentation offload wants them: all of
/// equal size but for the last, which may be shorter.
///
/// The buffer is kept between uses, so a burst that is reused does not allocate. Datagrams may be written where they
/// are sent from ([`Burst::write`]), so none has to be copied.
#[derive(Debug)]
pub struct Burst {
    destination: SocketAddr,
    source: Option<IpAddr>,
    /// As long as it has ever been needed.
    buffer: Vec<u8>,
    filled: usize,
    segment: usize,
    count: usize,
    closed: bool,
}

impl Burst {
    /// The most datagrams of one burst; the kernel takes 64 (`UDP_MAX_SEGMENTS` of linux/udp.h).
    pub const DATAGRAMS_MAX: usize = 64;
    /// The most bytes of one burst: an IP packet with its headers has to stay below 65,536.
    pub const BYTES_MAX: usize = 65_000;

    /// An empty burst to `destination`, leaving from `source` if the socket has several addresses.
    pub fn new(destination: SocketAddr, source: Option<IpAddr>) -> Burst {
        Burst { destination, source, buffer: Vec::new(), filled: 0, segment: 0, count: 0, closed: false }
    }

    /// Empties it for another destination and keeps its memory.
    pub fn reset(&mut self, destination: SocketAddr, source: Option<IpAddr>) {
        self.destination = destination;
        self.source = source;
        self.filled = 0;
        self.segment = 0;
        self.count = 0;
        self.closed = false;
    }

    /// Whether a datagram of this length may be added, or has to begin another burst.
    #[inline]
    pub fn fits(&self, length: usize) -> bool {
        self.count == 0
            || (!self.closed
                && length > 0
                && length <= self.segment
                && self.count < Self::DATAGRAMS_MAX
                && self.filled.saturating_add(length) <= Self::BYTES_MAX)
    }

    /// Adds a datagram of this length, which `fill` writes; it may say `false` to take it back. What it finds in its
    /// slice is left from earlier datagrams. Says whether the datagram was added.
    #[must_use]
    #[inline]
    pub fn write(&mut self, length: usize, fill: impl FnOnce(&mut [u8]) -> bool) -> bool {
        if !self.fits(length) {
            return false;
        }
        let end = self.filled.saturating_add(length);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        if !self.buffer.get_mut(self.filled..end).is_some_and(fill) {
            return false;
        }
        if self.count == 0 {
            self.segment = length;
        }
        self.closed = length < self.segment || length == 0;
        self.filled = end;
        self.count += 1;
        true
    }

    /// Adds a datagram. Says `false`, and adds nothing, where this datagram has to begin another burst.
    #[must_use]
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        self.write(datagram.len(), |slice| {
            slice.copy_from_slice(datagram);
            true
        })
    }

    /// Moves the datagrams into a burst of their own, which is no larger than they are, and leaves this one empty.
    pub fn take(&mut self) -> Burst {
        let taken = Burst {
            destination: self.destination,
            source: self.source,
            buffer: self.bytes().to_vec(),
            filled: self.filled,
            segment: self.segment,
            count: self.count,
            closed: self.closed,
        };
        self.reset(self.destination, self.source);
        taken
    }

    /// Where it goes.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// The local address it leaves from, where that has been said.
    pub fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// The datagrams, back to back.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// The size of each datagram but the last.
    pub fn segment(&self) -> usize {
        self.segment
    }

    /// How many datagrams it holds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The datagrams one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes().chunks(self.segment.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst() -> Burst {
        Burst::new("127.0.0.1:9".parse().unwrap(), None)
    }

    #[test]
    fn equal_datagrams_join_and_a_shorter_one_ends_the_burst() {
        let mut burst = burst();
        assert!(burst.push(&[1; 100]));
        assert!(burst.push(&[2; 100]));
        assert!(burst.push(&[3; 40]));
        assert!(!burst.push(&[4; 100]), "nothing may follow a shorter one");
        assert!(!burst.push(&[4; 40]));
        assert_eq!((burst.count(), burst.segment(), burst.bytes().len()), (3, 100, 240));
        let sizes: Vec<usize> = burst.datagrams().map(<[u8]>::len).collect();
        assert_eq!(sizes, [100, 100, 40]);
    }

    #[test]
    fn a_longer_datagram_begins_another_burst() {
        let mut burst = burst();
        assert!(burst.push(&[1; 100]));
        assert!(!burst.push(&[2; 101]));
        burst.reset("127.0.0.1:10".parse().unwrap(), None);
        assert!(burst.is_empty());
        assert!(burst.push(&[2; 101]));
    }

    #[test]
    fn a_datagram_that_is_taken_back_leaves_nothing() {
        let mut burst = burst();
        assert!(!burst.write(100, |slice| {
            slice.fill(9);
            false
        }));
        assert!(burst.is_empty());
        assert!(burst.push(&[1; 50]));
        assert!(!burst.write(50, |_| false));
        assert!(burst.push(&[2; 50]));
        let taken = burst.take();
        assert_eq!((taken.bytes(), taken.count()), (&[[1; 50], [2; 50]].concat()[..], 2));
        assert!(burst.is_empty() && burst.bytes().is_empty());
    }

    #[test]
    fn the_kernels_limits_are_kept() {
        let mut burst = burst();
        let taken = (0..100).take_while(|_| burst.push(&[0; 1200])).count();
        assert_eq!(taken, 54, "65,000 bytes");
        burst.reset("127.0.0.1:9".parse().unwrap(), None);
        let taken = (0..100).take_while(|_| burst.push(&[0; 100])).count();
        assert_eq!(taken, Burst::DATAGRAMS_MAX);
    }
}

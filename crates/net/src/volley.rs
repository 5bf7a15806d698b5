//! Bursts for several destinations, gathered so that one system call sends them all.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use crate::Burst;

/// [Bursts](Burst) in the order they are to leave in, for [`UdpSocket::send_all`](crate::UdpSocket::send_all).
///
/// What it has needed once it keeps, so a volley that is reused does not allocate.
#[derive(Debug, Default)]
pub struct Volley {
    bursts: Vec<Burst>,
    /// Of these, those from here on have not been sent,
    first: usize,
    /// and those from here on are in no use.
    end: usize,
    bytes: usize,
}

impl Volley {
    /// The most bursts of one volley.
    pub const BURSTS_MAX: usize = 32;
    /// Bytes from which on no further burst is begun, about one picture of 2 Mbit/s: the kernel should find what it
    /// copies in the processor's nearest cache.
    pub const BYTES_MAX: usize = 8 << 10;

    /// An empty one.
    pub fn new() -> Volley {
        Volley::default()
    }

    /// Whether a datagram of this length may be added, or has to wait until this volley has been sent.
    #[inline]
    pub fn has_room(&self, destination: SocketAddr, source: Option<IpAddr>, length: usize) -> bool {
        self.open(destination, source, length).is_some()
            || (self.end < Self::BURSTS_MAX && self.bytes < Self::BYTES_MAX)
    }

    /// The last burst, if this datagram may go with it.
    #[inline]
    fn open(&self, destination: SocketAddr, source: Option<IpAddr>, length: usize) -> Option<usize> {
        let last = self.end.checked_sub(1)?;
        let burst = self.bursts.get(last)?;
        (burst.destination() == destination && burst.source() == source && burst.fits(length)).then_some(last)
    }

    /// Adds a datagram of this length, which `fill` writes; it may say `false` to take it back. What it finds in its
    /// slice is left from earlier datagrams. Says whether the datagram was added, which it is not where there is [no
    /// room](Self::has_room).
    #[must_use]
    #[inline]
    pub fn write(
        &mut self,
        destination: SocketAddr,
        source: Option<IpAddr>,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let open = self.open(destination, source, length).or_else(|| self.begin(destination, source));
        let is_written =
            open.and_then(|index| self.bursts.get_mut(index)).is_some_and(|burst| burst.write(length, fill));
        if is_written {
            self.bytes = self.bytes.saturating_add(length);
        }
        is_written
    }

    /// Begins another burst, where there is room for one.
    fn begin(&mut self, destination: SocketAddr, source: Option<IpAddr>) -> Option<usize> {
        let last = self.end.checked_sub(1).filter(|last| self.bursts.get(*last).is_some_and(Burst::is_empty));
        if last.is_none() && (self.end >= Self::BURSTS_MAX || self.bytes >= Self::BYTES_MAX) {
            return None;
        }
        let index = last.unwrap_or(self.end);
        match self.bursts.get_mut(index) {
            Some(burst) => burst.reset(destination, source),
            None => self.bursts.push(Burst::new(destination, source)),
        }
        self.end = index + 1;
        Some(index)
    }

    /// The bursts that have not been sent. The last may be empty.
    pub fn rest(&self) -> &[Burst] {
        self.bursts.get(self.first..self.end).unwrap_or_default()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.rest().iter().all(Burst::is_empty)
    }

    /// Empties it by `send`, which takes as many of the bursts it is shown as it can, from the first on, and says how
    /// many; or that none can be taken now, by zero; or what is wrong with the first, which is shown to `refused` and left
    /// out. Says whether all are gone.
    pub(crate) fn drain(
        &mut self,
        mut send: impl FnMut(&[Burst]) -> io::Result<usize>,
        mut refused: impl FnMut(&Burst, io::Error),
    ) -> bool {
        while let Some(first) = self.rest().first() {
            match if first.is_empty() { Ok(1) } else { send(self.rest()) } {
                Ok(0) => return false,
                Ok(count) => self.pass(count),
                Err(error) => {
                    refused(first, error);
                    self.pass(1);
                }
            }
        }
        true
    }

    /// So many bursts more have been sent. When all have been, it is empty.
    fn pass(&mut self, count: usize) {
        self.first = self.first.saturating_add(count).min(self.end);
        if self.first == self.end {
            self.clear();
        }
    }

    /// Takes out the next burst that has not been sent.
    pub fn take(&mut self) -> Option<Burst> {
        let burst = self.bursts.get_mut(self.first..self.end).and_then(<[Burst]>::first_mut)?.take();
        self.pass(1);
        Some(burst)
    }

    fn clear(&mut self) {
        (self.first, self.end, self.bytes) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        SocketAddr::new([127, 0, 0, 1].into(), port)
    }

    fn write(volley: &mut Volley, port: u16, datagram: &[u8]) -> bool {
        volley.write(to(port), None, datagram.len(), |slice| {
            slice.copy_from_slice(datagram);
            true
        })
    }

    fn shape(volley: &Volley) -> Vec<(u16, usize)> {
        volley.rest().iter().map(|burst| (burst.destination().port(), burst.count())).collect()
    }

    #[test]
    fn what_one_call_can_carry_to_a_destination_is_a_burst() {
        let mut volley = Volley::new();
        assert!(volley.is_empty() && volley.rest().is_empty());
        for (port, length) in [(1, 100), (1, 100), (1, 50), (1, 100), (2, 100), (2, 101)] {
            assert!(write(&mut volley, port, &vec![7; length]));
        }
        assert_eq!(shape(&volley), [(1, 3), (1, 1), (2, 1), (2, 1)]);
        assert!(volley.write(to(2), Some(to(0).ip()), 101, |_| true));
        assert_eq!(shape(&volley).len(), 5, "another source is another burst");
    }

    #[test]
    fn it_has_room_for_so_many_bursts_and_is_used_again_without_what_it_held() {
        let mut volley = Volley::new();
        for port in 0..Volley::BURSTS_MAX as u16 {
            assert!(volley.has_room(to(port), None, 9) && write(&mut volley, port, &[1; 9]));
        }
        assert!(!volley.has_room(to(99), None, 9) && !write(&mut volley, 99, &[1; 9]));
        assert!(write(&mut volley, Volley::BURSTS_MAX as u16 - 1, &[2; 9]), "the last one is still open");
        volley.pass(10);
        assert_eq!(volley.rest().len(), Volley::BURSTS_MAX - 10);
        assert_eq!(volley.take().unwrap().destination(), to(10));
        assert_eq!(volley.rest().first().unwrap().destination(), to(11));
        volley.pass(1_000);
        assert!(volley.is_empty() && volley.take().is_none());
        assert!(write(&mut volley, 5, &[3; 4]));
        assert_eq!((shape(&volley), volley.rest()[0].bytes()), (vec![(5, 1)], [3; 4].as_slice()));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut volley = Volley::new();
        let mut port = 0;
        while volley.has_room(to(port), None, 1_200) {
            assert!(write(&mut volley, port, &[0; 1_200]));
            port += 1;
        }
        let held: usize = volley.rest().iter().map(|burst| burst.bytes().len()).sum();
        assert!((Volley::BYTES_MAX..Volley::BYTES_MAX + 1_200).contains(&held), "{held}");
    }

    #[test]
    fn what_is_not_taken_stays_and_what_is_refused_is_told_and_left_out() {
        let mut volley = Volley::new();
        (0..10).for_each(|port| assert!(write(&mut volley, port, &[1; 9])));
        let mut answers = [Ok(4), Err(io::ErrorKind::PermissionDenied.into()), Ok(2), Ok(0)].into_iter();
        let (mut shown, mut refused) = (Vec::new(), Vec::new());
        let is_empty = volley.drain(
            |bursts| {
                shown.push((bursts[0].destination().port(), bursts.len()));
                answers.next().unwrap()
            },
            |burst, error| refused.push((burst.destination().port(), error.kind())),
        );
        assert!(!is_empty);
        assert_eq!(shown, [(0, 10), (4, 6), (5, 5), (7, 3)]);
        assert_eq!(refused, [(4, io::ErrorKind::PermissionDenied)]);
        assert_eq!(shape(&volley), [(7, 1), (8, 1), (9, 1)]);
        assert!(volley.drain(|bursts| Ok(bursts.len()), |_, _| panic!("refused")));
        assert!(volley.is_empty());
    }

    #[test]
    fn a_datagram_that_is_taken_back_leaves_nothing() {
        let mut volley = Volley::new();
        assert!(!volley.write(to(1), None, 9, |_| false));
        assert!(volley.is_empty());
        assert!(write(&mut volley, 2, &[1; 9]));
        assert_eq!(shape(&volley), [(2, 1)], "its place is given to another");
        assert!(!volley.write(to(3), None, 9, |_| false));
        assert!(!volley.is_empty());
    }
}

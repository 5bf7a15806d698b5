//! One port for all shards: the first of them reads it, and hands over what is for another.
//!
//! A STUN message says by its user name which shard it is for. Once its sender has proved itself there, its address
//! stands for that shard. Nothing of this is asked where there is one shard only.

use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use headwater_media::limits;
use headwater_net::{Datagram, IdleConnection};
use parking_lot::RwLock;
use str0m::ice::StunMessage;
use tokio::sync::mpsc;

use crate::framing::Unframer;

use super::{
    demux::{Content, content},
    rest::Rest,
};

/// Characters of a user name fragment that say which shard it belongs to.
const MARK: usize = 2;
/// What one of these characters is worth.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// What one shard hands over to another.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// Datagrams that came together.
    Datagrams(Parcel),
    /// An ICE-TCP connection, with what has been read from it.
    Connection(Box<(IdleConnection, Unframer)>),
}

/// Datagrams for another shard.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    heads: Vec<Head>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Head {
    source: SocketAddr,
    destination: Option<IpAddr>,
    length: usize,
}

impl Parcel {
    fn add(&mut self, datagram: &Datagram<'_>) {
        let Datagram { source, destination, bytes } = *datagram;
        self.heads.push(Head { source, destination, length: bytes.len() });
        self.bytes.extend_from_slice(bytes);
    }

    /// What is in it, in order of arrival.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let mut rest = self.bytes.as_slice();
        self.heads.iter().map(move |head| {
            let (bytes, behind) = rest.split_at_checked(head.length).unwrap_or_default();
            rest = behind;
            Datagram { source: head.source, destination: head.destination, bytes }
        })
    }
}

/// What all shards know together.
#[derive(Debug)]
struct Common {
    rest: Rest,
    /// Which shard a proven address belongs to.
    shards: RwLock<HashMap<SocketAddr, usize>>,
    doors: Vec<Door>,
}

/// Where a shard takes what is handed over to it.
#[derive(Debug)]
struct Door {
    queue: mpsc::Sender<Inbound>,
    /// Bytes of datagrams that wait.
    waiting: AtomicUsize,
}

impl Door {
    fn has_room_for(&self, parcel: &Parcel) -> bool {
        let waiting = self.waiting.load(Relaxed).saturating_add(parcel.bytes.len());
        waiting <= limits::WEBRTC_HANDED_OVER_BYTES.get_usize()
    }
}

/// One shard's part in it.
#[derive(Clone, Debug)]
pub(crate) struct Sorting {
    own: usize,
    common: Arc<Common>,
}

/// Sorts what comes in by a socket.
#[derive(Debug)]
pub(super) struct Sorter {
    sorting: Sorting,
    /// One for each shard.
    parcels: Vec<Parcel>,
}

impl Sorting {
    /// The parts of so many shards, each with what is handed over to it.
    pub(crate) fn new(shards: usize) -> Vec<(Sorting, mpsc::Receiver<Inbound>)> {
        let queue = |_| mpsc::channel(limits::WEBRTC_HANDED_OVER.get_usize());
        let (queues, inbound): (Vec<_>, Vec<_>) = (0..shards).map(queue).unzip();
        let door = |queue| Door { queue, waiting: AtomicUsize::new(0) };
        let doors = queues.into_iter().map(door).collect();
        let common = Arc::new(Common { rest: Rest::new(super::now()), shards: RwLock::default(), doors });
        let part = |own| Sorting { own, common: common.clone() };
        inbound.into_iter().enumerate().map(|(own, inbound)| (part(own), inbound)).collect()
    }

    /// Whether any of the shards has something to carry.
    #[inline]
    pub(super) fn rest(&self) -> &Rest {
        &self.common.rest
    }

    /// Whether there is one shard only.
    pub(super) fn is_alone(&self) -> bool {
        self.common.doors.len() < 2
    }

    /// What a user name fragment of this shard begins with.
    pub(super) fn mark(&self) -> String {
        if self.is_alone() {
            return String::new();
        }
        let digit = |value: usize| char::from(DIGITS.get(value % DIGITS.len()).copied().unwrap_or(b'0'));
        [digit(self.own / DIGITS.len()), digit(self.own)].iter().collect()
    }

    fn marked(&self, fragment: &str) -> Option<usize> {
        let mark = fragment.as_bytes().get(..MARK)?;
        let value = |digit: &u8| DIGITS.iter().position(|known| known == digit);
        let shard = mark.iter().try_fold(0_usize, |sum, digit| Some(sum * DIGITS.len() + value(digit)?))?;
        (shard < self.common.doors.len()).then_some(shard)
    }

    /// The other shard that a STUN message is for.
    fn other_of_stun(&self, datagram: &[u8]) -> Option<usize> {
        let message = StunMessage::parse(datagram).ok()?;
        let (fragment, _) = message.split_username()?;
        self.marked(fragment).filter(|shard| *shard != self.own)
    }

    /// The other shard that a connection is for, by the first that came over it.
    pub(super) fn other_of(&self, first: &[u8]) -> Option<usize> {
        match !self.is_alone() && content(first) == Content::Stun {
            true => self.other_of_stun(first),
            false => None,
        }
    }

    /// The other shard that a datagram is for.
    fn other_of_datagram(&self, datagram: &Datagram<'_>) -> Option<usize> {
        match content(datagram.bytes) {
            Content::Stun => self.other_of_stun(datagram.bytes),
            Content::Session => {
                let shard = self.common.shards.read().get(&datagram.source).copied();
                shard.filter(|shard| *shard != self.own)
            }
            Content::Unknown => None,
        }
    }

    /// Hands a connection over. One that the other shard has no room for is closed.
    pub(super) fn hand_over_connection(&self, other: usize, connection: IdleConnection, read: Unframer) {
        let inbound = Inbound::Connection(Box::new((connection, read)));
        let sent = self.common.doors.get(other).map(|door| door.queue.try_send(inbound));
        if !matches!(sent, Some(Ok(()))) {
            limits::WEBRTC_HANDED_OVER.hit();
        }
    }

    /// This shard has taken what was handed over to it.
    pub(super) fn has_taken(&self, parcel: &Parcel) {
        if let Some(door) = self.common.doors.get(self.own) {
            door.waiting.fetch_sub(parcel.bytes.len(), Relaxed);
        }
    }

    /// A peer of this shard has proved its address.
    pub(super) fn learn(&self, address: SocketAddr) {
        if !self.is_alone() {
            self.common.shards.write().insert(address, self.own);
        }
    }

    /// It is no longer this shard's, unless it is another's by now.
    pub(super) fn forget(&self, address: SocketAddr) {
        if self.is_alone() {
            return;
        }
        if let Entry::Occupied(known) = self.common.shards.write().entry(address)
            && *known.get() == self.own
        {
            known.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.common.shards.read().len()
    }
}

impl Sorter {
    pub(super) fn new(sorting: Sorting) -> Sorter {
        let parcels = sorting.common.doors.iter().map(|_| Parcel::default()).collect();
        Sorter { sorting, parcels }
    }

    pub(super) fn sorting(&self) -> &Sorting {
        &self.sorting
    }

    /// Puts what is for others into their parcels, and yields the rest. [`Sorter::hand_over`] is to follow.
    pub(super) fn sort<'a>(
        &mut self,
        datagrams: impl Iterator<Item = Datagram<'a>>,
    ) -> impl Iterator<Item = Datagram<'a>> {
        let is_alone = self.sorting.is_alone();
        datagrams.filter(move |datagram| {
            let other = if is_alone { None } else { self.sorting.other_of_datagram(datagram) };
            let parcel = other.and_then(|other| self.parcels.get_mut(other));
            parcel.is_none_or(|parcel| {
                parcel.add(datagram);
                false
            })
        })
    }

    /// Sends off the parcels that hold something. Yields how many datagrams were lost because a shard is behind.
    pub(super) fn hand_over(&mut self) -> usize {
        let mut lost = 0;
        for (parcel, door) in self.parcels.iter_mut().zip(&self.sorting.common.doors) {
            if parcel.heads.is_empty() {
                continue;
            }
            let parcel = mem::take(parcel);
            let (datagrams, bytes) = (parcel.heads.len(), parcel.bytes.len());
            if !door.has_room_for(&parcel) {
                limits::WEBRTC_HANDED_OVER_BYTES.hit();
                lost += datagrams;
                continue;
            }
            // Before it is sent, as it may be taken before this call is over.
            door.waiting.fetch_add(bytes, Relaxed);
            if door.queue.try_send(Inbound::Datagrams(parcel)).is_err() {
                door.waiting.fetch_sub(bytes, Relaxed);
                limits::WEBRTC_HANDED_OVER.hit();
                lost += datagrams;
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), port)
    }

    #[test]
    fn a_mark_says_which_shard_it_is_of() {
        let all = Sorting::new(256);
        for (own, (sorting, _)) in all.iter().enumerate() {
            let fragment = format!("{}AbCd", sorting.mark());
            assert_eq!(all[0].0.marked(&fragment), Some(own));
        }
        let few = &Sorting::new(2)[0].0;
        for foreign in ["02AbCd", "zzAbCd", "0", "", "A1AbCd", "é1AbCd"] {
            assert_eq!(few.marked(foreign), None, "{foreign}");
        }
        assert_eq!(Sorting::new(1)[0].0.mark(), "");
    }

    fn sorted(sorter: &mut Sorter, datagrams: &[(u16, &[u8])]) -> Vec<u16> {
        let datagrams =
            datagrams.iter().map(|(port, bytes)| Datagram { source: address(*port), destination: None, bytes });
        sorter.sort(datagrams).map(|datagram| datagram.source.port()).collect()
    }

    /// Two shards: a sorter of the first, both their parts, and what is handed over to the second.
    fn two() -> (Sorter, Sorting, Sorting, mpsc::Receiver<Inbound>) {
        let mut all = Sorting::new(2);
        let (second, inbound) = all.pop().unwrap();
        let (first, _) = all.pop().unwrap();
        (Sorter::new(first.clone()), first, second, inbound)
    }

    #[test]
    fn an_address_stands_for_the_shard_where_it_was_proved_last() {
        let (mut sorter, first, second, mut inbound) = two();
        second.learn(address(5));
        assert_eq!(sorted(&mut sorter, &[(5, &[0x80, 1]), (6, &[0x80, 2]), (5, &[22, 3, 4]), (5, &[200])]), [6, 5]);
        assert_eq!(sorter.hand_over(), 0);
        let Ok(Inbound::Datagrams(parcel)) = inbound.try_recv() else { panic!("nothing was handed over") };
        let seen: Vec<_> = parcel.datagrams().map(|datagram| (datagram.source, datagram.bytes.to_vec())).collect();
        assert_eq!(seen, [(address(5), vec![0x80, 1]), (address(5), vec![22, 3, 4])]);

        first.learn(address(5));
        second.forget(address(5));
        assert_eq!(first.known(), 1, "it is not the second's to forget any more");
        assert_eq!(sorted(&mut sorter, &[(5, &[0x80, 1])]), [5]);
        first.forget(address(5));
        assert_eq!(first.known(), 0);
    }

    #[test]
    fn what_a_shard_that_is_behind_has_no_room_for_is_lost_and_counted() {
        let (mut sorter, _, second, _inbound) = two();
        second.learn(address(5));
        for _ in 0..limits::WEBRTC_HANDED_OVER.get() {
            sorted(&mut sorter, &[(5, &[0x80])]);
            assert_eq!(sorter.hand_over(), 0);
        }
        sorted(&mut sorter, &[(5, &[0x80]), (5, &[0x81])]);
        assert_eq!(sorter.hand_over(), 2);
    }

    #[test]
    fn what_waits_for_a_shard_is_bounded_in_bytes_as_well() {
        let (mut sorter, _, second, mut inbound) = two();
        second.learn(address(5));
        let large = [0x80; 60_000];
        let fitting = limits::WEBRTC_HANDED_OVER_BYTES.get_usize() / large.len();
        let mut hand_over = || {
            let datagram = Datagram { source: address(5), destination: None, bytes: &large };
            assert_eq!(sorter.sort([datagram].into_iter()).count(), 0);
            sorter.hand_over()
        };
        assert!((0..fitting).all(|_| hand_over() == 0));
        assert_eq!(hand_over(), 1);
        let Ok(Inbound::Datagrams(parcel)) = inbound.try_recv() else { panic!("nothing was handed over") };
        second.has_taken(&parcel);
        assert_eq!(hand_over(), 0, "there is room again");
    }
}

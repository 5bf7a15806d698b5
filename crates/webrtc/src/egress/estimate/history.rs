//! The packets that were sent last, and what has become of them.

use headwater_media::limits;

/// What the configuration may make of [`limits::WEBRTC_AWAITED_PACKETS`]: numbers have 16 bits, and those that are
/// awaited have to be told from those to come.
const PACKETS: std::ops::RangeInclusive<usize> = 64..=16_384;

/// A ring of the packets that were sent last, by their numbers.
#[derive(Debug)]
pub(super) struct History {
    /// As many as a power of two.
    ring: Box<[Entry]>,
    next: u16,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Microseconds on the estimator's clock.
    pub(super) sent: i64,
    pub(super) bytes: u16,
    /// The probe that it belongs to; 0 for none.
    pub(super) probe: u8,
    /// It had been reported as lost.
    pub(super) was_lost: bool,
}

/// Eight bytes for each packet. The time wraps after 71 minutes; nothing is awaited for so long.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    sent: u32,
    bytes: u16,
    probe: u8,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    NeverSent,
    Awaited,
    Lost,
    Arrived,
}

impl History {
    pub(super) fn new() -> History {
        let length = limits::WEBRTC_AWAITED_PACKETS.get_usize().clamp(*PACKETS.start(), *PACKETS.end());
        History { ring: vec![Entry::default(); length.next_power_of_two()].into(), next: 0 }
    }

    /// Remembers a packet, in the place of the oldest, and says its number.
    #[inline]
    pub(super) fn push(&mut self, bytes: usize, now: i64, probe: u8) -> u16 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        if let Some(entry) = self.entry(number) {
            let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
            *entry = Entry { sent: now as u32, bytes, probe, fate: Fate::Awaited };
        }
        number
    }

    /// A packet has arrived. `None` if that is known already, or no such packet is remembered.
    pub(super) fn arrived(&mut self, number: u16, now: i64) -> Option<Packet> {
        if !self.holds(number) {
            return None;
        }
        let entry = self.entry(number)?;
        let was_lost = match entry.fate {
            Fate::Awaited => false,
            Fate::Lost => true,
            Fate::NeverSent | Fate::Arrived => return None,
        };
        entry.fate = Fate::Arrived;
        Some(entry.packet(was_lost, now))
    }

    /// So many packets from this number on have not arrived; tells of those that were awaited.
    pub(super) fn missing(&mut self, first: u16, count: u16, now: i64, mut tell: impl FnMut(Packet)) {
        let oldest = self.oldest();
        let before = if self.holds(first) { 0 } else { oldest.wrapping_sub(first) };
        let first = first.wrapping_add(before);
        let after = usize::from(first.wrapping_sub(oldest));
        let count = usize::from(count.saturating_sub(before)).min(self.ring.len().saturating_sub(after));
        for place in 0..count {
            if let Some(entry) = self.entry(first.wrapping_add(place as u16))
                && entry.fate == Fate::Awaited
            {
                entry.fate = Fate::Lost;
                tell(entry.packet(false, now));
            }
        }
    }

    /// The number that is forgotten next.
    fn oldest(&self) -> u16 {
        self.next.wrapping_sub(self.ring.len() as u16)
    }

    fn holds(&self, number: u16) -> bool {
        usize::from(number.wrapping_sub(self.oldest())) < self.ring.len()
    }

    fn entry(&mut self, number: u16) -> Option<&mut Entry> {
        let place = usize::from(number) & (self.ring.len() - 1);
        self.ring.get_mut(place)
    }
}

impl Entry {
    fn packet(&self, was_lost: bool, now: i64) -> Packet {
        let age = (now as u32).wrapping_sub(self.sent);
        Packet { sent: now - i64::from(age), bytes: self.bytes, probe: self.probe, was_lost }
    }
}

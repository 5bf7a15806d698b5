//! What happens to datagrams on their way. A seed repeats it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How bad it is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Conditions {
    /// Of a thousand.
    pub(in super::super) lost: u64,
    pub(in super::super) doubled: u64,
    pub(in super::super) delay_ms: u64,
    /// One of twenty is later, up to so much, so that others overtake it.
    pub(in super::super) jitter_ms: u64,
}

/// The way between a source and a viewer.
///
/// What becomes of a packet of media that is sent for the first time depends on the seed and on the packet alone, so
/// that two sources lose the same ones.
#[derive(Debug)]
pub(in super::super) struct Network {
    seed: u64,
    pub(in super::super) conditions: Conditions,
    /// Packets of media that are lost besides, the first time.
    pub(in super::super) victims: BTreeSet<(usize, u16)>,
    /// Packets of media that were lost the first time, and when.
    pub(in super::super) losses: Vec<((usize, u16), Instant)>,
    /// Packets that were sent again.
    pub(super) again: u64,
    pub(super) to_viewer: Way,
    pub(super) to_source: Way,
    counter: u64,
}

/// Datagrams on their way, by when they arrive.
#[derive(Debug, Default)]
pub(super) struct Way(BTreeMap<(Instant, u64), Vec<u8>>);

impl Way {
    pub(super) fn arrives(&mut self, now: Instant) -> Option<Vec<u8>> {
        let first = self.0.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

/// A number by chance (splitmix64).
pub(in super::super) fn chance(seed: u64, what: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(what.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Network {
    pub(super) fn new(seed: u64, conditions: Conditions) -> Network {
        Network {
            seed,
            conditions,
            victims: BTreeSet::new(),
            losses: Vec::new(),
            again: 0,
            to_viewer: Way::default(),
            to_source: Way::default(),
            counter: 0,
        }
    }

    /// From the source to the viewer.
    pub(super) fn post_media(&mut self, place: Option<(usize, u16)>, datagram: Vec<u8>, now: Instant) {
        let luck = match place {
            Some((stream, number)) => chance(self.seed, 1 << 40 | (stream as u64) << 32 | u64::from(number)),
            None => self.next_chance(),
        };
        let is_victim = place.is_some_and(|place| self.victims.remove(&place));
        let is_media = matches!(datagram[..], [128..=191, 0..=191 | 224..=255, ..]);
        self.again += u64::from(is_media && place.is_none());
        if is_victim || is_lost(&datagram, self.conditions.lost, luck) {
            self.losses.extend(place.map(|place| (place, now)));
            return;
        }
        let arrivals = self.arrivals(luck, now);
        self.to_viewer.0.extend(arrivals.map(|at| (at, datagram.clone())));
    }

    /// From the viewer to the source.
    pub(super) fn post_back(&mut self, datagram: Vec<u8>, now: Instant) {
        let luck = self.next_chance();
        if !is_lost(&datagram, self.conditions.lost, luck) {
            let arrivals = self.arrivals(luck, now);
            self.to_source.0.extend(arrivals.map(|at| (at, datagram.clone())));
        }
    }

    fn next_chance(&mut self) -> u64 {
        self.counter += 1;
        chance(self.seed, self.counter)
    }

    fn arrivals(&mut self, luck: u64, now: Instant) -> impl Iterator<Item = (Instant, u64)> + use<> {
        let Conditions { doubled, delay_ms, jitter_ms, .. } = self.conditions;
        let (copies, first) = (1 + u64::from((luck >> 16) % 1_000 < doubled), self.counter);
        self.counter += copies;
        (1..=copies).map(move |copy| {
            let is_late = (luck >> 50).is_multiple_of(20) || copy > 1;
            let late = delay_ms + if is_late { (luck >> (24 + copy)) % (jitter_ms + 1) } else { 0 };
            (now + Duration::from_millis(late), first + copy)
        })
    }
}

/// ICE and DTLS go on as they can; what is lost is media and reports.
fn is_lost(datagram: &[u8], lost: u64, luck: u64) -> bool {
    matches!(datagram, [128..=191, ..]) && luck % 1_000 < lost
}

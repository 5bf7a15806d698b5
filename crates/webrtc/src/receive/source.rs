//! One synchronisation source: which of its packets have come, and what reports say of it.

use std::time::{Duration, Instant};

use super::header::Header;

/// Packets up to the newest whose coming is remembered: four seconds of 2 Mbit/s. A multiple of 64.
const WIDTH: u64 = 1_024;
const WORDS: usize = (WIDTH / 64) as usize;

/// How a packet's number stands to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The newest. So many between it and the newest before have not come.
    Newest { missing: u64 },
    /// One that was missing.
    Late,
    /// It has come before, or is too old to tell.
    Known,
}

/// Which of the latest numbers have come.
///
/// It is the replay list of SRTP as well (RFC 3711 §3.3.2): only numbers of packets that have been opened are given to
/// [`Window::accept`].
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// `None` before the first.
    newest: Option<u64>,
    /// Bit `n % WIDTH` stands for number `n`, of those not older than the window.
    seen: [u64; WORDS],
}

impl Window {
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The extended form of a number: that closest to the newest. `None` if it would be before the first of all.
    ///
    /// Source: RFC 3711 §3.3.1. A source begins in cycle 0.
    #[inline]
    pub(super) fn extend(&self, sequence: u16) -> Option<u64> {
        let Some(newest) = self.newest else {
            return Some(u64::from(sequence));
        };
        let ahead = sequence.wrapping_sub(newest as u16) as i16;
        newest.checked_add_signed(i64::from(ahead))
    }

    /// Takes note of a number.
    #[inline]
    pub(super) fn accept(&mut self, number: u64) -> Place {
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            self.set(number);
            return Place::Newest { missing: 0 };
        };
        if number > newest {
            let missing = number - newest - 1;
            (0..missing.min(WIDTH)).for_each(|behind| self.clear(number - 1 - behind));
            self.newest = Some(number);
            self.set(number);
            return Place::Newest { missing };
        }
        if newest - number >= WIDTH || self.is_set(number) {
            return Place::Known;
        }
        self.set(number);
        Place::Late
    }

    fn bit(number: u64) -> (usize, u64) {
        let place = number % WIDTH;
        ((place / 64) as usize, 1 << (place % 64))
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = Window::bit(number);
        if let Some(word) = self.seen.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = Window::bit(number);
        if let Some(word) = self.seen.get_mut(word) {
            *word &= !bit;
        }
    }

    fn is_set(&self, number: u64) -> bool {
        let (word, bit) = Window::bit(number);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// What a source sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Media,
    /// What was lost, again (RFC 4588).
    Retransmissions,
}

/// One synchronisation source of the peer.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) number: u32,
    /// The index of its media section.
    pub(super) section: usize,
    pub(super) role: Role,
    pub(super) window: Window,
    first: u64,
    /// Packets of its own that have come, each once.
    received: u64,
    before: Before,
    /// In ticks, times 16 (RFC 3550 appendix A.8).
    jitter: u32,
    /// Arrival less timestamp of the packet before, in ticks.
    transit: Option<u32>,
    /// The newest timestamp, extended.
    timestamp: Option<u64>,
    sender_report: Option<SenderReport>,
}

/// What had come when the report before was made.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    expected: u64,
    received: u64,
}

#[derive(Clone, Copy, Debug)]
struct SenderReport {
    /// The middle of its NTP time.
    time: u32,
    at: Instant,
}

/// A reception report block, as it is written (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) source: u32,
    /// Share of packets lost since the last report, in 256ths.
    pub(super) fraction: u8,
    pub(super) lost: u32,
    pub(super) newest: u32,
    /// In ticks.
    pub(super) jitter: u32,
    pub(super) last_report: u32,
    /// In 65,536ths of a second.
    pub(super) delay: u32,
}

impl Source {
    pub(super) fn new(number: u32, section: usize, role: Role) -> Source {
        Source {
            number,
            section,
            role,
            window: Window::default(),
            first: 0,
            received: 0,
            before: Before::default(),
            jitter: 0,
            transit: None,
            timestamp: None,
            sender_report: None,
        }
    }

    /// Takes note of a packet of the source's own that has been opened. `arrival` is in ticks of its clock.
    #[inline]
    pub(super) fn accept(&mut self, number: u64, header: &Header, arrival: u32) -> Place {
        if self.window.newest().is_none() {
            self.first = number;
        }
        let place = self.window.accept(number);
        if place == Place::Known {
            return place;
        }
        self.received += 1;
        self.first = self.first.min(number);
        if matches!(place, Place::Newest { .. }) {
            self.measure(header.timestamp, arrival);
        }
        place
    }

    /// Source: RFC 3550 appendix A.8.
    #[inline]
    fn measure(&mut self, timestamp: u32, arrival: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let smoothed = i64::from(self.jitter) + i64::from(difference) - ((i64::from(self.jitter) + 8) >> 4);
            self.jitter = u32::try_from(smoothed).unwrap_or(0);
        }
    }

    /// In ticks.
    #[inline]
    pub(super) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    /// The extended form of a timestamp: that closest to the newest.
    #[inline]
    pub(super) fn extend_timestamp(&mut self, timestamp: u32) -> u64 {
        // It begins in cycle 1, so that one before the first is no less than 0.
        let newest = *self.timestamp.get_or_insert((1 << 32) | u64::from(timestamp));
        let ahead = timestamp.wrapping_sub(newest as u32) as i32;
        let extended = newest.saturating_add_signed(i64::from(ahead));
        self.timestamp = Some(newest.max(extended));
        extended
    }

    /// A sender report has come.
    pub(super) fn reported(&mut self, time: u32, at: Instant) {
        self.sender_report = Some(SenderReport { time, at });
    }

    /// What a report says of it now. `None` before its first packet.
    ///
    /// Source: RFC 3550 appendix A.3.
    pub(super) fn report(&mut self, now: Instant) -> Option<Block> {
        let newest = self.window.newest()?;
        let now_counted = Before { expected: (newest - self.first).saturating_add(1), received: self.received };
        let before = std::mem::replace(&mut self.before, now_counted);
        let expected = now_counted.expected.saturating_sub(before.expected);
        let received = now_counted.received.saturating_sub(before.received);
        let fraction = (expected.saturating_sub(received) << 8).checked_div(expected).unwrap_or(0).min(255);
        let lost = now_counted.expected.saturating_sub(now_counted.received).min(0x7f_ffff);
        let (last_report, delay) = self.sender_report.map_or((0, 0), |report| {
            let since = now.saturating_duration_since(report.at).min(Duration::from_secs(3_600));
            (report.time, ((since.as_micros() << 16) / 1_000_000) as u32)
        });
        Some(Block {
            source: self.number,
            fraction: fraction as u8,
            lost: lost as u32,
            newest: newest as u32,
            jitter: self.jitter(),
            last_report,
            delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_extended_over_wraps_both_ways() {
        let mut window = Window::default();
        assert_eq!(window.extend(65_530), Some(65_530));
        window.accept(65_530);
        assert_eq!(window.extend(3), Some(65_539));
        window.accept(65_539);
        assert_eq!(window.extend(65_535), Some(65_535));
        let mut young = Window::default();
        young.accept(3);
        assert_eq!(young.extend(65_535), None, "before the first of all");
    }

    #[test]
    fn every_number_is_taken_once_whatever_the_order() {
        let (mut window, mut taken) = (Window::default(), HashSet::new());
        let (mut head, mut seed) = (5_000u64, 1u64);
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = match seed >> 33 & 63 {
                0 => head + (seed >> 40) % 3_000,
                1..20 => head - (seed >> 40) % 1_500,
                _ => head + 1,
            };
            head = head.max(number);
            if window.accept(number) != Place::Known {
                assert!(taken.insert(number), "{number} is taken twice");
            }
        }
        assert!(taken.len() > 100_000);
    }

    #[test]
    fn places_say_what_is_missing_and_what_is_late() {
        let mut window = Window::default();
        let newest = |missing| Place::Newest { missing };
        let steps = [
            (10, newest(0)),
            (11, newest(0)),
            (11, Place::Known),
            (14, newest(2)),
            (12, Place::Late),
            (12, Place::Known),
            (9, Place::Late),
            (14 + WIDTH, newest(WIDTH - 1)),
            (14, Place::Known),
            (15, Place::Late),
            (10_000_000, newest(10_000_000 - 14 - WIDTH - 1)),
            (9_999_999, Place::Late),
        ];
        for (number, expected) in steps {
            assert_eq!(window.accept(number), expected, "{number}");
        }
    }

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header {
            is_padded: false,
            marker: false,
            payload_type: 96,
            sequence,
            timestamp,
            source: 7,
            length: 12,
            transport_number: None,
        }
    }

    #[test]
    fn reports_count_losses_and_jitter_as_the_specification_does() {
        let (mut source, now) = (Source::new(7, 0, Role::Media), Instant::now());
        assert_eq!(source.report(now), None);
        // One in four is lost, and every other comes 90 ticks later than it should.
        for number in (100..200u64).filter(|number| number % 4 != 3) {
            let late = if number % 8 < 4 { 90 } else { 0 };
            source.accept(number, &header(number as u16, number as u32 * 3_000), number as u32 * 3_000 + late);
        }
        source.reported(0x1234_5678, now);
        let block = source.report(now + Duration::from_millis(500)).unwrap();
        assert_eq!((block.fraction, block.lost, block.newest), (62, 24, 198), "25 of 100, the last not known yet");
        assert_eq!((block.last_report, block.delay), (0x1234_5678, 32_768));
        assert!((20..=50).contains(&block.jitter), "{}", block.jitter);
        // Nothing more, then one that was missing.
        source.accept(103, &header(103, 0), 0);
        let block = source.report(now).unwrap();
        assert_eq!((block.fraction, block.lost), (0, 23));
    }

    #[test]
    fn timestamps_are_extended_over_wraps_both_ways() {
        let mut source = Source::new(7, 0, Role::Media);
        let first = source.extend_timestamp(u32::MAX - 10);
        assert_eq!(source.extend_timestamp(5) - first, 16);
        assert_eq!(source.extend_timestamp(u32::MAX - 12), first - 2);
        let mut young = Source::new(7, 0, Role::Media);
        let first = young.extend_timestamp(5);
        assert_eq!(young.extend_timestamp(u32::MAX), first - 6);
    }
}

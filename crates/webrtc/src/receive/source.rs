//! One synchronisation source: which of its packets have come, and what reports say of it.

use std::time::{Duration, Instant};

use super::{
    header::Header,
    window::{Place, Window},
};

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
        let mut place = self.window.accept(number);
        if place == Place::Known {
            return place;
        }
        self.received += 1;
        if number < self.first {
            place = Place::Before;
            self.first = number;
        }
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
        assert_eq!(source.accept(103, &header(103, 0), 0), Place::Late);
        let block = source.report(now).unwrap();
        assert_eq!((block.fraction, block.lost), (0, 23));
        assert_eq!(source.accept(99, &header(99, 0), 0), Place::Before);
        assert_eq!(source.report(now).unwrap().lost, 23, "it was not known to be missing");
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

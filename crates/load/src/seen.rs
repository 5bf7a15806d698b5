//! What one agent sees of what it plays: counted as it comes, without a lock, and handed over once in a second.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_media::TrackKind;

/// Pictures whose distances say what is usual (WebRTC statistics, `freezeCount`).
const USUAL_PICTURES: usize = 30;
/// Added to what is usual before a gap is a freeze.
pub(crate) const FREEZE_MARGIN: Duration = Duration::from_millis(150);
/// Latencies kept until they are handed over; what comes beyond it is left out.
const LATENCIES_MAX: usize = 256;

/// What one agent has seen since it last handed it over.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What has been counted since then.
    pub(crate) counts: Counts,
    /// Microseconds from sending to receiving.
    pub(crate) latencies: Vec<u32>,
    /// When it was asked for; nothing once the times from there on have been handed over.
    asked: Option<Instant>,
    /// When what was played before was lost.
    missed: Option<Instant>,
    /// The same in microseconds since 1970: older pictures were kept for those who join, and say nothing of the way.
    since_us: u64,
    first_packet: Option<Duration>,
    first_picture: Option<Duration>,
    pictures: Pictures,
    last_media: Option<Instant>,
}

/// What is added up over agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets, or frames where a protocol has none.
    pub(crate) packets: u64,
    /// Bytes of media.
    pub(crate) bytes: u64,
    /// Packets that have not come so far; fewer than before where some came late.
    pub(crate) lost: i64,
    /// Packets that came after later ones.
    pub(crate) reordered: u64,
    /// Packets that came twice.
    pub(crate) duplicates: u64,
    /// Packets that came again because they were asked for.
    pub(crate) recovered: u64,
    /// Whole pictures.
    pub(crate) pictures: u64,
    /// Gaps between pictures that a person would notice.
    pub(crate) freezes: u64,
    /// How long all those gaps were, in microseconds.
    pub(crate) frozen_us: u64,
    /// Requests for a key frame.
    pub(crate) key_frame_requests: u64,
    /// Playlists loaded.
    pub(crate) playlists: u64,
    /// Segments loaded whole.
    pub(crate) segments: u64,
    /// Parts of segments loaded.
    pub(crate) parts: u64,
}

impl Counts {
    /// The sum of both.
    pub(crate) fn add(&mut self, other: &Counts) {
        let Counts { packets, bytes, lost, reordered, duplicates, recovered, pictures, freezes, frozen_us, .. } = other;
        let Counts { key_frame_requests, playlists, segments, parts, .. } = other;
        self.packets += packets;
        self.bytes += bytes;
        self.lost += lost;
        self.reordered += reordered;
        self.duplicates += duplicates;
        self.recovered += recovered;
        self.pictures += pictures;
        self.freezes += freezes;
        self.frozen_us += frozen_us;
        self.key_frame_requests += key_frame_requests;
        self.playlists += playlists;
        self.segments += segments;
        self.parts += parts;
    }
}

/// The distances of pictures.
#[derive(Debug, Default)]
struct Pictures {
    last: Option<Instant>,
    distances: [Duration; USUAL_PICTURES],
    count: usize,
    sum: Duration,
}

impl Seen {
    /// Nothing yet; the stream is asked for now, because it was lost then, or for the first time.
    pub(crate) fn new(now: Instant, missed: Option<Instant>) -> Seen {
        let since = Duration::from_micros(micros_of_day()).saturating_sub(now.elapsed());
        let since_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Seen { asked: Some(now), missed, since_us, latencies: Vec::with_capacity(64), ..Seen::default() }
    }

    /// A packet has come, or a frame.
    pub(crate) fn packet(&mut self, bytes: usize, now: Instant) {
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
        self.last_media = Some(now);
        if self.first_packet.is_none() {
            self.first_packet = self.asked.map(|asked| now.saturating_duration_since(asked));
        }
    }

    /// A picture is whole, and shown as it comes.
    pub(crate) fn picture(&mut self, now: Instant) {
        let frozen = self.pictures.next(now).unwrap_or_default();
        self.picture_after(frozen, now);
    }

    /// A picture is whole, and is shown after a freeze of this length; of zero, where there was none.
    pub(crate) fn picture_after(&mut self, frozen: Duration, now: Instant) {
        self.counts.pictures += 1;
        if self.first_picture.is_none() {
            self.first_picture = self.asked.map(|asked| now.saturating_duration_since(asked));
        }
        if !frozen.is_zero() {
            self.counts.freezes += 1;
            self.counts.frozen_us += u64::try_from(frozen.as_micros()).unwrap_or(u64::MAX);
        }
    }

    /// A picture said when it was sent, in microseconds since 1970.
    pub(crate) fn stamp(&mut self, sent: u64) {
        if sent >= self.since_us {
            self.latency(sent, Duration::ZERO);
        }
    }

    /// A picture said when it was sent, in microseconds since 1970, and is shown after this time. It counts however old
    /// it is: a player that keeps behind shows each picture as late as the others.
    pub(crate) fn latency(&mut self, sent: u64, shown_after: Duration) {
        if self.latencies.len() < LATENCIES_MAX {
            // A clock that lags behind the sender's shows nothing, rather than less.
            let passed = micros_of_day().saturating_sub(sent);
            let whole = passed.saturating_add(u64::try_from(shown_after.as_micros()).unwrap_or(u64::MAX));
            self.latencies.push(u32::try_from(whole).unwrap_or(u32::MAX));
        }
    }

    /// How long nothing has come.
    pub(crate) fn silence(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.last_media?))
    }

    /// The kind of track that pictures are counted by: where a stream has only sound, there are none.
    pub(crate) fn of_packet(&mut self, kind: TrackKind, marker: bool, bytes: usize, now: Instant) {
        self.packet(bytes, now);
        if kind == TrackKind::Video && marker {
            self.picture(now);
        }
    }

    /// Whether there is what [`Seen::take_firsts`] hands over.
    pub(crate) fn has_firsts(&self) -> bool {
        self.asked.is_some() && self.first_picture.is_some()
    }

    /// The times to the first packet and picture, handed over once, when there is a picture.
    pub(crate) fn take_firsts(&mut self) -> Option<Firsts> {
        let picture = self.first_picture?;
        let asked = self.asked.take()?;
        let waited = self.missed.map(|missed| asked.saturating_duration_since(missed));
        Some(Firsts { packet: self.first_packet, picture, back: waited.map(|waited| waited + picture) })
    }
}

/// How long some things took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Firsts {
    /// From asking to the first packet.
    pub(crate) packet: Option<Duration>,
    /// From asking to the first whole picture.
    pub(crate) picture: Duration,
    /// From losing what was played before to the first whole picture.
    pub(crate) back: Option<Duration>,
}

/// Whether a person would notice a gap between two pictures that are usually so far apart: it is longer than three
/// times what is usual, and than that and 150 ms.
///
/// Source: W3C Identifiers for WebRTC's Statistics API, `freezeCount`.
pub(crate) fn is_freeze(gap: Duration, usual: Duration) -> bool {
    gap > (usual * 3).max(usual + FREEZE_MARGIN)
}

/// Microseconds since 1970.
fn micros_of_day() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Pictures {
    /// How long the gap before this picture was, if it was a freeze.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        let last = self.last.replace(now)?;
        let distance = now.saturating_duration_since(last);
        let known = self.count.min(USUAL_PICTURES);
        let usual = self.sum.checked_div(known as u32);
        let is_freeze = usual.is_some_and(|usual| is_freeze(distance, usual));
        let place = self.distances.get_mut(self.count % USUAL_PICTURES)?;
        self.sum = self.sum.saturating_add(distance).saturating_sub(std::mem::replace(place, distance));
        self.count += 1;
        is_freeze.then_some(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(33);

    #[test]
    fn a_gap_is_a_freeze_where_it_is_longer_than_usual_by_the_rule() {
        // Distances after sixty usual ones; how many freezes.
        for (gap_ms, freezes) in [(33, 0), (100, 0), (182, 0), (184, 1), (1_000, 1)] {
            let mut now = Instant::now();
            let mut seen = Seen::new(now, None);
            for _ in 0..60 {
                now += STEP;
                seen.picture(now);
            }
            now += Duration::from_millis(gap_ms);
            seen.picture(now);
            assert_eq!(seen.counts.freezes, freezes, "{gap_ms} ms");
            assert_eq!(seen.counts.frozen_us, freezes * gap_ms * 1_000);
        }
    }

    #[test]
    fn slow_pictures_are_no_freeze() {
        let mut now = Instant::now();
        let mut seen = Seen::new(now, None);
        for _ in 0..50 {
            now += Duration::from_secs(1);
            seen.picture(now);
        }
        assert_eq!((seen.counts.freezes, seen.counts.pictures), (0, 50));
    }

    #[test]
    fn the_first_packet_and_the_first_picture_are_told_once() {
        let start = Instant::now();
        let lost = start.checked_sub(STEP).unwrap();
        for (missed, back) in [(None, None), (Some(lost), Some(3 * STEP))] {
            let mut seen = Seen::new(start, missed);
            assert_eq!(seen.take_firsts(), None);
            seen.of_packet(TrackKind::Video, false, 10, start + STEP);
            assert!(seen.take_firsts().is_none() && !seen.has_firsts());
            seen.of_packet(TrackKind::Video, true, 10, start + 2 * STEP);
            assert!(seen.has_firsts());
            assert_eq!(seen.take_firsts(), Some(Firsts { packet: Some(STEP), picture: 2 * STEP, back }));
            seen.of_packet(TrackKind::Video, true, 10, start + 3 * STEP);
            assert!(seen.take_firsts().is_none() && !seen.has_firsts());
        }
        let mut seen = Seen::new(start, None);
        (1..=3).for_each(|step| seen.of_packet(TrackKind::Video, step > 1, 10, start + step * STEP));
        assert_eq!((seen.counts.packets, seen.counts.bytes, seen.counts.pictures), (3, 30, 2));
    }

    #[test]
    fn latencies_are_bounded_and_never_below_zero_and_not_those_of_pictures_from_before() {
        let asked = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let mut seen = Seen::new(asked, None);
        let now = micros_of_day();
        seen.stamp(now - 1_100_000);
        assert!(seen.latencies.is_empty());
        seen.stamp(now + 10_000_000);
        seen.stamp(now - 5_000);
        assert_eq!(seen.latencies[0], 0);
        assert!(seen.latencies[1] >= 5_000);
        for _ in 0..1_000 {
            seen.stamp(now);
        }
        assert_eq!(seen.latencies.len(), LATENCIES_MAX);
    }
}

//! How the way from the peer fares: what has come over it in the last seconds, and whether media is lost on it.

use std::{
    collections::VecDeque,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use headwater_media::limits;

use super::ReceivedCounters;

/// Looks that are compared, a second apart.
const SAMPLES: usize = 10;

/// What came in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Flow {
    samples: VecDeque<Sample>,
}

/// What had come at one look.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    packets: u64,
    lost: u64,
    bytes: u64,
}

impl Flow {
    /// Looks at what has come so far, and says in the counters what the last seconds have brought.
    pub(super) fn look(&mut self, counters: &ReceivedCounters, now: Instant) {
        let received = counters.read();
        let newest = Sample { at: now, packets: received.packets, lost: received.packets_lost, bytes: received.bytes };
        if let Some(oldest) = self.samples.front() {
            let millis = u64::try_from(now.saturating_duration_since(oldest.at).as_millis()).unwrap_or(u64::MAX);
            let bits = newest.bytes.saturating_sub(oldest.bytes).saturating_mul(8_000);
            counters.bits_per_second.store(bits / millis.max(1), Relaxed);
            // Some that were taken for lost may have come late.
            let lost = newest.lost.saturating_sub(oldest.lost);
            let sent = newest.packets.saturating_sub(oldest.packets).saturating_add(lost);
            counters.lost_per_mille.store(lost.saturating_mul(1_000) / sent.max(1), Relaxed);
        }
        self.samples.push_back(newest);
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }
}

/// Whether the reports of a peer tell of media that does not arrive.
///
/// Who is silent tells so: its reports count no more packets than before (RFC 3550 §6.4.1).
#[derive(Debug, Default)]
pub(super) struct Unheard {
    since: Option<Instant>,
    /// What the first reports since media came have counted, by source.
    counted: Vec<(u32, u32)>,
}

impl Unheard {
    /// Media has come.
    #[inline]
    pub(super) fn hear(&mut self) {
        if self.since.is_some() {
            *self = Unheard::default();
        }
    }

    /// Takes the count of a report. Says whether media is sent that has not arrived for so long.
    pub(super) fn is_lost(&mut self, ssrc: u32, packets: u32, time: Duration, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        match self.counted.iter().find(|(source, _)| *source == ssrc) {
            Some((_, before)) => *before != packets && now.saturating_duration_since(since) >= time,
            None if self.counted.len() < limits::WEBRTC_SOURCES.get_usize() => {
                self.counted.push((ssrc, packets));
                false
            }
            None => false,
        }
    }
}

/// Whether a datagram is media rather than what is said of it (RFC 7983 §7, RFC 5761 §4).
pub(super) fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_count_and_what_was_before_them_does_not() {
        let (counters, mut flow, start) = (ReceivedCounters::default(), Flow::default(), Instant::now());
        for second in 0..30 {
            counters.packets.fetch_add(if second < 15 { 50 } else { 100 }, Relaxed);
            counters.packets_lost.fetch_add(if second < 15 { 50 } else { 1 }, Relaxed);
            counters.bytes.fetch_add(if second < 15 { 1_000 } else { 125_000 }, Relaxed);
            flow.look(&counters, start + Duration::from_secs(second));
            let received = counters.read();
            match second {
                14 => assert_eq!((received.lost_per_mille, received.bits_per_second), (500, 8_000)),
                29 => assert_eq!((received.lost_per_mille, received.bits_per_second), (9, 1_000_000)),
                _ => {}
            }
        }
        assert_eq!(flow.samples.len(), SAMPLES);
    }

    #[test]
    fn media_that_is_reported_and_does_not_come_is_lost_and_silence_is_not() {
        let (start, time) = (Instant::now(), Duration::from_secs(2));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut unheard = Unheard::default();
        let silent = (0..60).any(|second| unheard.is_lost(1, 500, time, at(second)));
        assert!(!silent, "a muted publisher");
        assert!(unheard.is_lost(1, 501, time, at(61)));
        unheard.hear();
        assert!(!unheard.is_lost(1, 501, time, at(62)) && !unheard.is_lost(1, 540, time, at(63)));
        assert!(!unheard.is_lost(2, 7, time, at(64)), "the first word of another source");
        assert!(unheard.is_lost(1, 580, time, at(64)) && unheard.is_lost(2, 8, time, at(65)));
    }

    #[test]
    fn media_is_told_from_reports_checks_and_handshakes() {
        for (datagram, expected) in [(&[0x80, 96][..], true), (&[0x90, 224], true), (&[0x80, 200], false)] {
            assert_eq!(is_media(datagram), expected, "{datagram:?}");
        }
        assert!(!is_media(&[]) && !is_media(&[0x80]) && !is_media(&[0, 1, 2]) && !is_media(&[22, 254]));
    }
}

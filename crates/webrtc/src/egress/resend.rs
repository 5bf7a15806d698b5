//! Sending again what a viewer has missed, within bounds.
//!
//! Source: RFC 4588 §4, §8.6.

use std::time::{Duration, Instant};

use headwater_media::limits;

use crate::srtp::Sealer;

use super::{
    OutPacket, Path, Sink,
    echo::Asked,
    wire::{Extensions, Fields, Header, TransportNumber, Turn},
};

/// The most that can be saved up, and what a stream begins with.
const SAVED_BYTES_MAX: i64 = 256 << 10;
const SAVED_BYTES_FIRST: i64 = 32 << 10;
/// A packet is not sent again before the last time can have arrived, whatever the viewer asks: half a round trip,
/// within these bounds.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_millis(200);
/// Bytes put aside for a packet whose size is not known yet.
const ASIDE_BYTES: i64 = 1_200;
/// Nor more often than this.
const TIMES_MAX: u8 = 10;
/// Packets whose resending is remembered.
const REMEMBERED: usize = 64;

/// The stream of retransmissions that goes with a stream.
#[derive(Debug)]
pub(super) struct Resend {
    source: u32,
    header: Header,
    /// Payload types, and what they are sent again as.
    payload_types: Vec<(u8, u8)>,
    next_sequence: u64,
    /// Bytes that may be sent; below 0 where the last packet was larger than what was left.
    saved: i64,
    /// What has been sent of the media that pays for it.
    media_bytes: u32,
    recent: Vec<Again>,
    oldest: usize,
    asked: Asked,
}

/// A packet that has been sent again.
#[derive(Clone, Copy, Debug)]
struct Again {
    sequence: u64,
    at: Instant,
    times: u8,
}

impl Resend {
    pub(super) fn new(source: u32, header: Header, payload_types: Vec<(u8, u8)>, first_sequence: u16) -> Resend {
        Resend {
            source,
            header,
            payload_types,
            next_sequence: u64::from(first_sequence),
            saved: SAVED_BYTES_FIRST,
            media_bytes: 0,
            recent: Vec::new(),
            oldest: 0,
            asked: Asked::default(),
        }
    }

    pub(super) fn source(&self) -> u32 {
        self.source
    }

    /// So many bytes of media have been sent by now, counted from the beginning and modulo 2^32: what has been added
    /// since the last time pays for sending again. Asked when something is to be sent again, so that media need not
    /// touch what stands here.
    pub(super) fn earn(&mut self, media_bytes: u32) {
        let added = media_bytes.wrapping_sub(std::mem::replace(&mut self.media_bytes, media_bytes));
        let earned = u64::from(added).saturating_mul(limits::WEBRTC_RESENDS.get()) / 100;
        let earned = i64::try_from(earned).unwrap_or(SAVED_BYTES_MAX);
        self.saved = self.saved.saturating_add(earned).min(SAVED_BYTES_MAX);
    }

    /// Whether a packet may be sent again now that so many have been sent; counts that it is, and puts bytes for it
    /// aside, which [`Resend::push`] settles. Cheap, so that a storm of requests is.
    pub(super) fn allows(&mut self, sequence: u64, sent: u32, round_trip: Option<Duration>, now: Instant) -> bool {
        if self.saved <= 0 {
            limits::WEBRTC_RESENDS.hit();
            return false;
        }
        match self.recent.iter_mut().find(|again| again.sequence == sequence) {
            Some(again) => {
                let interval = (round_trip.unwrap_or_default() / 2).clamp(INTERVAL_MIN, INTERVAL_MAX);
                let is_early = now.saturating_duration_since(again.at) < interval;
                if is_early || again.times >= TIMES_MAX {
                    return false;
                }
                *again = Again { sequence, at: now, times: again.times + 1 };
            }
            None => {
                self.remember(Again { sequence, at: now, times: 1 });
                self.asked.add(sent);
            }
        }
        self.saved -= ASIDE_BYTES;
        true
    }

    /// Whether a second copy is to follow what is sent again.
    pub(super) fn wants_echo(&self) -> bool {
        self.asked.are_few()
    }

    /// Whether there is room for a second copy now; puts bytes for it aside, as [`Resend::allows`] does.
    pub(super) fn allows_echo(&mut self) -> bool {
        let is_allowed = self.saved > ASIDE_BYTES;
        if is_allowed {
            self.saved -= ASIDE_BYTES;
        }
        is_allowed
    }

    fn remember(&mut self, again: Again) {
        match self.recent.get_mut(self.oldest) {
            Some(oldest) => *oldest = again,
            None => self.recent.push(again),
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
    }

    /// Sends a packet again that was allowed, if it was found. Says whether it has.
    ///
    /// One that was not found costs what had been put aside for it, as the search is work too.
    pub(super) fn push(
        &mut self,
        packet: Option<&OutPacket<'_>>,
        turn: Option<Turn>,
        number: impl FnOnce(usize) -> Option<TransportNumber>,
        sealer: &Sealer,
        path: &Path,
        out: &mut impl Sink,
    ) -> bool {
        let Some(packet) = packet else {
            return false;
        };
        self.saved += ASIDE_BYTES;
        let sent = self.write(packet, turn, number, sealer, path, out);
        self.saved = self.saved.saturating_sub(i64::try_from(sent).unwrap_or(SAVED_BYTES_MAX));
        sent > 0
    }

    /// Sends a packet again that nobody has asked for, to find out what the network carries. Says how many bytes it
    /// was on the wire; 0 where it was not sent.
    pub(super) fn write(
        &mut self,
        packet: &OutPacket<'_>,
        turn: Option<Turn>,
        number: impl FnOnce(usize) -> Option<TransportNumber>,
        sealer: &Sealer,
        path: &Path,
        out: &mut impl Sink,
    ) -> usize {
        let Some((_, payload_type)) = self.payload_types.iter().find(|(of, _)| *of == packet.payload_type) else {
            return 0;
        };
        let fields = Fields {
            marker: packet.marker,
            payload_type: *payload_type,
            sequence: self.next_sequence,
            timestamp: packet.timestamp,
            source: self.source,
        };
        // RFC 4588 §4: the payload begins with the number that the packet had.
        let [high, low] = (packet.sequence as u16).to_be_bytes();
        let mut payload = Vec::with_capacity(packet.payload.len() + 2);
        payload.extend_from_slice(&[high, low]);
        payload.extend_from_slice(packet.payload);
        if let (Some(patch), Some(original)) = (packet.patch, payload.get_mut(2..)) {
            patch.apply(original);
        }
        let header = &self.header;
        let length = |numbered| header.length(true, numbered, turn.is_some()) + payload.len() + sealer.media_overhead();
        let number = number(length(true));
        let length = length(number.is_some());
        let is_sent = out.write(path, length, |datagram| {
            header.write(Extensions { named: true, number, turn }, &fields, datagram);
            sealer.seal_media(fields.source, fields.sequence, &payload, datagram)
        });
        if !is_sent {
            return 0;
        }
        self.next_sequence += 1;
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resend() -> Resend {
        Resend::new(2, Header::new(None, ""), vec![(96, 97)], 1)
    }

    fn sealer() -> Sealer {
        use crate::srtp::{Master, Profile};
        let (master, _) = Master::split(Profile::Aes128Gcm, &[7; 56]).unwrap();
        Sealer::new(Profile::Aes128Gcm, &master).unwrap()
    }

    #[test]
    fn attack_w14_one_packet_is_not_sent_again_at_once_nor_for_ever() {
        let mut resend = resend();
        let start = Instant::now();
        let mut times = 0;
        for ms in 0..1_000 {
            resend.earn(1_200 * ms);
            times += u8::from(resend.allows(5, 0, None, start + Duration::from_millis(ms.into())));
        }
        assert_eq!(times, TIMES_MAX);
        assert!(resend.allows(6, 0, None, start));
    }

    #[test]
    fn attack_w14_the_requests_of_one_datagram_are_bounded_before_any_is_answered() {
        let mut resend = resend();
        let now = Instant::now();
        let allowed = (0..6_000).filter(|sequence| resend.allows(*sequence, 0, None, now)).count();
        assert!((10..=30).contains(&allowed), "{allowed}");
    }

    #[test]
    fn attack_w14_requests_for_what_is_not_there_are_not_searched_for_without_end() {
        let sealer = sealer();
        let mut resend = resend();
        let now = Instant::now();
        let mut searched = 0;
        for sequence in 0..6_000 {
            if resend.allows(sequence, 0, None, now) {
                searched += 1;
                let mut sink: Vec<Vec<u8>> = Vec::new();
                assert!(!resend.push(None, None, |_| None, &sealer, &crate::egress::tests::path(), &mut sink));
            }
        }
        assert!((10..=30).contains(&searched), "{searched}");
        resend.earn(12_000);
        assert!(resend.allows(6_000, 0, None, now), "more media pays for more");
    }

    #[test]
    fn attack_w14_a_storm_of_requests_is_answered_in_proportion_to_the_media() {
        let sealer = sealer();
        let mut resend = resend();
        let (mut media, mut again) = (0, 0i64);
        let now = Instant::now();
        for sequence in 0..20_000u64 {
            if sequence % 10 == 0 {
                media += 1_200;
                resend.earn(media as u32);
            }
            let payload = [0; 1_000];
            let packet = OutPacket {
                payload_type: 96,
                sequence,
                timestamp: 0,
                marker: false,
                orientation: Default::default(),
                payload: &payload,
                patch: None,
            };
            if resend.allows(sequence, 0, None, now) {
                let mut sink: Vec<Vec<u8>> = Vec::new();
                resend.push(Some(&packet), None, |_| None, &sealer, &crate::egress::tests::path(), &mut sink);
                again += sink.iter().map(|datagram| datagram.len() as i64).sum::<i64>();
            }
        }
        assert!(again > media, "as much as is allowed");
        assert!(again <= media * 5 / 4 + SAVED_BYTES_FIRST + 1_200, "{again} for {media}");
        assert_eq!(resend.recent.len(), REMEMBERED);
    }

    #[test]
    fn media_pays_once_also_where_its_count_begins_anew() {
        let mut resend = resend();
        let percent = i64::try_from(limits::WEBRTC_RESENDS.get()).unwrap();
        resend.earn(u32::MAX - 999);
        assert_eq!(resend.saved, SAVED_BYTES_MAX, "no more than may be saved");
        resend.saved = 0;
        resend.earn(1_000);
        assert_eq!(resend.saved, 2_000 * percent / 100);
        resend.earn(1_000);
        assert_eq!(resend.saved, 2_000 * percent / 100, "the same bytes pay once");
    }
}

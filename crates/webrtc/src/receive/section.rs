//! One media section: what its packets come to, and what is asked of its sender.

use std::time::{Duration, Instant};

use headwater_media::{ClockRate, Codec, TrackKind};

use super::{
    Arrived, ReceivedMedia,
    header::{Header, unpad},
    key_frames::{self, KeyFrames},
    losses::Losses,
    reports::{self, LostWriter},
    source::Source,
    window::Place,
};

/// Numbers asked for in one message.
const ASKED_MAX: usize = 128;

/// What the peer has agreed to be told of a section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Feedback {
    pub(super) lost_packets: bool,
    pub(super) lost_pictures: bool,
    pub(super) intra_requests: bool,
    /// Lost packets come again in a stream of their own (RFC 4588).
    pub(super) retransmissions_apart: bool,
}

/// One media section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) media: ReceivedMedia,
    feedback: Feedback,
    /// The source of its media that sent last.
    pub(super) source: Option<u32>,
    losses: Losses,
    key_frames: KeyFrames,
    clock_rate: u32,
    intra_requests: u8,
}

impl Section {
    pub(super) fn new(kind: TrackKind, feedback: Feedback) -> Section {
        Section {
            media: ReceivedMedia::new(kind),
            feedback,
            source: None,
            losses: Losses::default(),
            key_frames: KeyFrames::default(),
            clock_rate: 0,
            intra_requests: 0,
        }
    }

    /// A moment in ticks of the section's clock.
    #[inline]
    pub(super) fn ticks(&self, since: Duration) -> u32 {
        ((since.as_micros() as u64).wrapping_mul(u64::from(self.clock_rate)) / 1_000_000) as u32
    }

    /// Packets of this source and codec come from now on.
    #[inline]
    pub(super) fn carries(&mut self, source: u32, codec: Codec) {
        if self.source != Some(source) {
            self.source = Some(source);
            // Its numbers have nothing to do with those of the one before.
            self.losses.forget();
            self.key_frames = KeyFrames::default();
        }
        if self.media.codec != Some(codec) {
            self.media.codec = Some(codec);
            self.clock_rate = clock_rate(codec);
        }
    }

    /// A packet of the section's own source has been opened. Hands it on, unless it has come before.
    #[inline]
    pub(super) fn take_media(
        &mut self,
        source: &mut Source,
        packet: Packet<'_>,
        place: Place,
        take: &mut impl FnMut(&Arrived<'_>),
    ) {
        match place {
            Place::Known => {
                self.media.duplicates += 1;
                return;
            }
            Place::Newest { missing: 0 } => {}
            Place::Newest { missing } => self.miss(packet.number, missing, packet.now),
            Place::Before => self.media.reordered += 1,
            Place::Late => {
                self.media.lost = self.media.lost.saturating_sub(1);
                let is_apart = self.feedback.retransmissions_apart;
                let requests = self.losses.found(packet.number, !is_apart, packet.now);
                // Where retransmissions come in the same stream, what was asked for is taken to be one.
                if requests > 0 && !is_apart {
                    self.media.recovered += 1;
                } else {
                    self.media.reordered += 1;
                }
            }
        }
        let ticks = u64::from(source.jitter());
        self.media.jitter = Duration::from_micros(ticks * 1_000_000 / u64::from(self.clock_rate.max(1)));
        self.hand_on(source, packet, false, take);
    }

    /// A retransmission has been opened; `source` is that of the media.
    #[cold]
    pub(super) fn take_again(&mut self, source: &mut Source, packet: Packet<'_>, take: &mut impl FnMut(&Arrived<'_>)) {
        // A number beyond the newest cannot have been missed.
        let is_old = source.window.newest().is_some_and(|newest| packet.number <= newest);
        if !is_old || source.window.accept(packet.number) == Place::Known {
            self.media.redundant += 1;
            return;
        }
        self.losses.found(packet.number, true, packet.now);
        self.media.recovered += 1;
        self.hand_on(source, packet, true, take);
    }

    #[inline]
    fn hand_on(
        &mut self,
        source: &mut Source,
        packet: Packet<'_>,
        is_retransmission: bool,
        take: &mut impl FnMut(&Arrived<'_>),
    ) {
        let Packet { header, number, codec, payload, now } = packet;
        let Some(payload) = unpad(payload, header.is_padded) else { return };
        self.media.packets += 1;
        self.media.bytes += payload.len() as u64;
        if self.media.kind == TrackKind::Video {
            if key_frames::begins(codec, payload) {
                self.key_frames.came(number);
            } else {
                self.key_frames.begin(now);
            }
        }
        take(&Arrived {
            kind: self.media.kind,
            codec,
            ssrc: source.number,
            sequence: number,
            timestamp: source.extend_timestamp(header.timestamp),
            marker: header.marker,
            is_retransmission,
            payload,
        });
    }

    #[cold]
    fn miss(&mut self, newest: u64, missing: u64, now: Instant) {
        self.media.lost = self.media.lost.saturating_add(missing);
        let is_asked = self.feedback.lost_packets && self.losses.miss(newest, missing, now);
        if !is_asked && self.media.kind == TrackKind::Video {
            self.key_frames.lost(newest.saturating_sub(1), now);
        }
    }

    /// Somebody wants a key frame.
    pub(super) fn want_key_frame(&mut self, now: Instant) {
        if self.media.kind == TrackKind::Video {
            self.key_frames.want(now);
        }
    }

    /// When there is something to ask for, once there is somebody to ask.
    pub(super) fn due(&self) -> Option<Instant> {
        self.source?;
        let picture = self.key_frames.due().filter(|_| self.asks_for_pictures());
        self.losses.due().into_iter().chain(picture).min()
    }

    fn asks_for_pictures(&self) -> bool {
        self.feedback.lost_pictures || self.feedback.intra_requests
    }

    /// Asks for what is due.
    pub(super) fn ask(&mut self, own: u32, now: Instant, into: &mut Vec<u8>) {
        let Some(source) = self.source else { return };
        if self.losses.due().is_some_and(|due| due <= now) {
            if let Some(newest) = self.losses.give_up(now) {
                self.key_frames.lost(newest, now);
            }
            let mut writer = LostWriter::new(own, source, into);
            let mut count = 0;
            self.losses.ask(self.media.round_trip, now, ASKED_MAX, |number| {
                writer.push(number);
                count += 1;
            });
            writer.finish();
            self.media.nacks += count;
        }
        if self.asks_for_pictures() && self.key_frames.ask(now) {
            self.media.key_frame_requests += 1;
            if self.feedback.lost_pictures {
                reports::write_picture_lost(own, source, into);
            } else {
                self.intra_requests = self.intra_requests.wrapping_add(1);
                reports::write_intra_request(own, source, self.intra_requests, into);
            }
        }
    }
}

/// A packet that has been opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) header: &'a Header,
    /// Its sequence number, extended.
    pub(super) number: u64,
    pub(super) codec: Codec,
    /// With padding.
    pub(super) payload: &'a [u8],
    pub(super) now: Instant,
}

/// The clock of a codec's RTP timestamps. G.722 counts 8,000 by an old mistake (RFC 3551 §4.5.2).
fn clock_rate(codec: Codec) -> u32 {
    match codec {
        Codec::Opus => ClockRate::OPUS.hertz(),
        Codec::G722 | Codec::Pcma | Codec::Pcmu => 8_000,
        _ => ClockRate::VIDEO.hertz(),
    }
}

//! Packets of a lane become packets of a viewer's own: which number, which time, when captured.

use std::time::{Duration, Instant};

use headwater_media::{ClockRate, Codec, Packet, Ticks, TrackKind, TrackParameters};

use crate::{
    egress::{OutPacket, Sink, Writer},
    rewrite::Rewriter,
    sdp::Format,
};

use super::pictures::Pictures;

/// What the next packet is written with.
#[derive(Debug)]
pub(super) struct Flow {
    /// `None` while the source sends a codec that was not agreed on.
    pub(super) payload_type: Option<u8>,
    pub(super) clock_rate: ClockRate,
    pub(super) rewriter: Rewriter,
    pub(super) pictures: Pictures,
    /// Packets are passed over until a decoder can start.
    awaits_random_access: bool,
    /// The latest packet that has been written, by its timestamp and its time in the lane.
    latest: Option<(u32, Ticks)>,
}

/// Where capture times come from.
#[derive(Debug)]
pub(crate) struct CaptureClock {
    epoch: Instant,
    /// How far the source has run ahead of the clock; all media of a viewer are moved back alike.
    ahead: Duration,
}

impl CaptureClock {
    pub(crate) fn new(epoch: Instant) -> CaptureClock {
        CaptureClock { epoch, ahead: Duration::ZERO }
    }

    /// When a time of the lane was captured; never later than `now`, as a sender report of the future is of no use.
    fn captured(&mut self, clock_rate: ClockRate, ticks: Ticks, now: Instant) -> Instant {
        let at = self.epoch.checked_add(clock_rate.duration(ticks)).and_then(|at| at.checked_sub(self.ahead));
        match at {
            Some(at) if at <= now => at,
            Some(at) => {
                self.ahead += at.duration_since(now);
                now
            }
            None => now,
        }
    }
}

impl Flow {
    pub(super) fn new(codec: Codec, clock_rate: ClockRate) -> Flow {
        let first_sequence = rand::random_range(1..=0x7fff);
        Flow {
            payload_type: None,
            clock_rate,
            rewriter: Rewriter::new(clock_rate, first_sequence, rand::random()),
            pictures: Pictures::new(codec),
            awaits_random_access: codec.kind() == TrackKind::Video,
            latest: None,
        }
    }

    pub(super) fn take_parameters(&mut self, parameters: &TrackParameters, formats: &[Format]) {
        let format = formats.iter().find(|format| format.codec == parameters.codec);
        let payload_type = format.map(|format| format.payload_type);
        if payload_type.is_none() {
            tracing::debug!(codec = %parameters.codec, "the source now sends a codec that this viewer did not offer");
        }
        if self.payload_type.is_some() && payload_type != self.payload_type {
            self.start_over();
        }
        self.payload_type = payload_type;
        self.pictures.set_codec(parameters.codec);
        self.clock_rate = parameters.clock_rate;
        self.rewriter.set_clock_rate(parameters.clock_rate);
    }

    /// Some of the source has been missed.
    pub(super) fn jump(&mut self) {
        self.rewriter.jump();
        self.awaits_random_access = true;
    }

    /// The source numbers its packets anew, or sends something else.
    pub(super) fn start_over(&mut self) {
        self.rewriter.forget_origins();
        self.pictures.go_over();
        self.awaits_random_access = true;
    }

    /// Another rendition of the same source goes on from here, by the same clock.
    pub(super) fn go_over(&mut self) {
        self.rewriter.go_over();
        self.pictures.go_over();
        self.awaits_random_access = true;
    }

    /// Writes one packet; says how many it wrote.
    #[inline]
    pub(super) fn send(&mut self, writer: &mut Writer<'_, impl Sink>, packet: &Packet, ticks: Ticks) -> u64 {
        if self.awaits_random_access && !packet.random_access {
            return 0;
        }
        self.awaits_random_access = false;
        let Some(payload_type) = self.payload_type else {
            return 0;
        };
        let Some((sequence, timestamp)) = self.rewriter.rewrite(packet.sequence, ticks) else {
            return 0;
        };
        self.latest = Some((timestamp, ticks));
        let Packet { marker, orientation, .. } = *packet;
        let payload = &*packet.payload;
        let patch = self.pictures.take(payload);
        let packet = OutPacket { payload_type, sequence, timestamp, marker, orientation, payload, patch };
        u64::from(writer.push(&packet))
    }

    /// Tells when the latest of the packets written was captured, once for all of them.
    pub(super) fn mark(&mut self, writer: &mut Writer<'_, impl Sink>, clock: &mut CaptureClock, now: Instant) {
        if let Some((timestamp, ticks)) = self.latest.take() {
            writer.captured(timestamp, self.clock_rate, clock.captured(self.clock_rate, ticks, now));
        }
    }
}

//! One medium of a viewer: from a cursor in a lane to packets of the viewer's own.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::{Bell, ConvertError, Cursor, Join, Next, Subscription, Track};
use headwater_media::{ClockRate, Codec, Packet, Ticks, TrackKind, TrackParameters, limits};

use crate::{
    backlog::{Backlog, Past},
    egress::{Egress, OutPacket, Sink, Sources, Writer},
    rewrite::Rewriter,
    sdp::Format,
    statistics::Counters,
};

/// One medium of a viewer.
#[derive(Debug)]
pub(crate) struct Outlet {
    track: Arc<Track>,
    codec: Codec,
    formats: Vec<Format>,
    sources: Sources,
    cursor: Cursor<Packet>,
    flow: Flow,
    backlog: Option<Backlog>,
    /// The times of the backlog that was sent last, until nobody can ask for it again.
    past: Option<(Past, Instant)>,
}

/// How long after a backlog its packets may be asked for again.
const PAST_KEPT: Duration = Duration::from_secs(3);

/// What the next packet is written with.
#[derive(Debug)]
struct Flow {
    /// `None` while the source sends a codec that was not agreed on.
    payload_type: Option<u8>,
    clock_rate: ClockRate,
    rewriter: Rewriter,
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

/// How a reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Packets were handed over.
    Packets(u64),
    /// There was nothing new.
    Nothing,
    /// The lane has ended.
    Ended,
}

impl Outlet {
    /// An outlet that waits at the lane of `codec` until its viewer has connected.
    ///
    /// # Errors
    /// The track cannot be had in this codec.
    pub(crate) fn open(
        subscription: &Subscription,
        track: Arc<Track>,
        codec: Codec,
        formats: Vec<Format>,
        bell: &Bell,
    ) -> Result<Outlet, ConvertError> {
        let cursor = subscription.packets(&track, &[codec], bell, join(track.kind()))?;
        let clock_rate = clock_rate(codec);
        let first_sequence = rand::random_range(1..=0x7fff);
        let rewriter = Rewriter::new(clock_rate, first_sequence, rand::random());
        let awaits_random_access = track.kind() == TrackKind::Video;
        let flow = Flow { payload_type: None, clock_rate, rewriter, awaits_random_access, latest: None };
        let sources = Sources { index: 0, main: 0, retransmissions: None };
        Ok(Outlet { track, codec, formats, sources, cursor, flow, backlog: None, past: None })
    }

    /// The payload types agreed on, the one in use first.
    pub(crate) fn formats(&self) -> &[Format] {
        &self.formats
    }

    pub(crate) fn sources(&self) -> Sources {
        self.sources
    }

    pub(crate) fn set_sources(&mut self, sources: Sources) {
        self.sources = sources;
    }

    /// The viewer cannot decode without a random access point.
    pub(crate) fn request_key_frame(&self) {
        self.cursor.demand().request_key_frame();
    }

    /// When it wants to be read again without new packets.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.backlog.as_ref().and_then(Backlog::due)
    }

    /// The viewer has connected. A cursor takes its place when it is first read, so this is where the lane is now.
    pub(crate) fn start(&mut self) {
        self.catch_up();
    }

    /// The lane has ended and the stream has not: another publisher may have brought the track in another form.
    pub(crate) fn reopen(&mut self, subscription: &Subscription, bell: &Bell) -> bool {
        let Some(track) = subscription.stream().track(self.track.kind()) else {
            return false;
        };
        let Ok(cursor) = subscription.packets(&track, &[self.codec], bell, join(track.kind())) else {
            return false;
        };
        self.track = track;
        self.cursor = cursor;
        self.flow.start_over();
        self.catch_up();
        true
    }

    /// Puts what is already there aside, to be sent faster than it happened.
    fn catch_up(&mut self) {
        let mut packets = VecDeque::new();
        loop {
            match self.cursor.next() {
                Next::Item(packet) => packets.push_back(packet.clone()),
                Next::Parameters(parameters) => self.flow.take_parameters(parameters, &self.formats),
                Next::Discontinuity => {
                    packets.clear();
                    self.flow.start_over();
                }
                Next::Lost { .. } => {
                    packets.clear();
                    self.flow.jump();
                }
                Next::Empty | Next::Ended => break,
            }
        }
        let backlog = Backlog::new(packets, self.flow.clock_rate);
        self.backlog = Some(backlog).filter(|backlog| !backlog.is_empty());
    }

    /// The packet that the viewer knows by this number, and the time that it had, if it may still be sent again.
    pub(crate) fn recall(&self, sequence: u64) -> Option<(Packet, u32)> {
        let origin = self.flow.rewriter.origin(sequence)?;
        let packet = self.cursor.recall(origin.sequence)?;
        let ticks = self.past.as_ref().map_or(packet.timestamp, |(past, _)| past.time(&packet));
        let timestamp = origin.timestamp(ticks);
        Some((packet, timestamp))
    }

    /// The payload type in use.
    pub(crate) fn payload_type(&self) -> Option<u8> {
        self.flow.payload_type
    }

    /// Hands all new packets over to the session.
    pub(crate) fn read(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
        counters: &Counters,
    ) -> Reading {
        if self.backlog.is_some() {
            return self.read_backlog(egress, out, clock, now);
        }
        if self.cursor.next_ticks().is_none() {
            return match self.cursor.next() {
                Next::Ended => Reading::Ended,
                _ => Reading::Nothing,
            };
        }
        if self.is_too_slow() {
            counters.skips.add(1);
            self.cursor.skip_to_newest_group();
            self.flow.jump();
            self.catch_up();
            return Reading::Packets(0);
        }
        self.read_live(egress, out, clock, now, counters)
    }

    #[cold]
    fn read_backlog(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
    ) -> Reading {
        let Some(mut backlog) = self.backlog.take() else {
            return Reading::Nothing;
        };
        let slice = backlog.slice(now);
        let mut count = 0;
        egress.write(self.sources.index, out, |writer| {
            for (packet, time) in &slice {
                count += self.flow.send(writer, packet, *time);
            }
            self.flow.mark(writer, clock, now);
        });
        match backlog.is_empty() {
            true => self.past = Some((backlog.into_past(), now + PAST_KEPT)),
            false => self.backlog = Some(backlog),
        }
        if slice.is_empty() { Reading::Nothing } else { Reading::Packets(count) }
    }

    fn is_too_slow(&self) -> bool {
        let lag = self.cursor.lag();
        let ticks = self.flow.clock_rate.ticks(limits::VIEWER_LAG_MS.get_duration());
        let is_too_slow = lag.bytes > limits::VIEWER_LAG_BYTES.get() || lag.ticks > ticks;
        if is_too_slow {
            limits::VIEWER_LAG_MS.hit();
        }
        is_too_slow
    }

    fn read_live(
        &mut self,
        egress: &mut Egress,
        out: &mut impl Sink,
        clock: &mut CaptureClock,
        now: Instant,
        counters: &Counters,
    ) -> Reading {
        let (cursor, flow, formats) = (&mut self.cursor, &mut self.flow, &self.formats);
        let (mut count, mut lost) = (0, false);
        egress.write(self.sources.index, out, |writer| {
            loop {
                match cursor.next() {
                    Next::Item(packet) => count += flow.send(writer, packet, packet.timestamp),
                    Next::Parameters(parameters) => flow.take_parameters(parameters, formats),
                    Next::Discontinuity => flow.start_over(),
                    Next::Lost { .. } => {
                        lost = true;
                        break;
                    }
                    Next::Empty | Next::Ended => break,
                }
            }
            flow.mark(writer, clock, now);
        });
        if lost {
            counters.skips.add(1);
            self.flow.jump();
            self.catch_up();
        }
        if self.past.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.past = None;
        }
        Reading::Packets(count)
    }
}

impl Flow {
    fn take_parameters(&mut self, parameters: &TrackParameters, formats: &[Format]) {
        let format = formats.iter().find(|format| format.codec == parameters.codec);
        let payload_type = format.map(|format| format.payload_type);
        if payload_type.is_none() {
            tracing::debug!(codec = %parameters.codec, "the source now sends a codec that this viewer did not offer");
        }
        if self.payload_type.is_some() && payload_type != self.payload_type {
            self.start_over();
        }
        self.payload_type = payload_type;
        self.clock_rate = parameters.clock_rate;
        self.rewriter.set_clock_rate(parameters.clock_rate);
    }

    /// Some of the source has been missed.
    fn jump(&mut self) {
        self.rewriter.jump();
        self.awaits_random_access = true;
    }

    /// The source numbers its packets anew, or sends something else.
    fn start_over(&mut self) {
        self.rewriter.forget_origins();
        self.awaits_random_access = true;
    }

    /// Writes one packet; says how many it wrote.
    #[inline]
    fn send(&mut self, writer: &mut Writer<'_, impl Sink>, packet: &Packet, ticks: Ticks) -> u64 {
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
        let (marker, payload) = (packet.marker, &*packet.payload);
        u64::from(writer.push(&OutPacket { payload_type, sequence, timestamp, marker, payload }))
    }

    /// Tells when the latest of the packets written was captured, once for all of them.
    fn mark(&mut self, writer: &mut Writer<'_, impl Sink>, clock: &mut CaptureClock, now: Instant) {
        if let Some((timestamp, ticks)) = self.latest.take() {
            writer.captured(timestamp, self.clock_rate, clock.captured(self.clock_rate, ticks, now));
        }
    }
}

/// Pictures begin at the newest one that a decoder can start at, sound begins with what comes next.
fn join(kind: TrackKind) -> Join {
    match kind {
        TrackKind::Video => Join::NewestGroup,
        TrackKind::Audio => Join::Live,
    }
}

/// The clock of a codec over RTP, until the lane says it.
fn clock_rate(codec: Codec) -> ClockRate {
    match codec {
        Codec::Opus => ClockRate::OPUS,
        Codec::Pcmu | Codec::Pcma | Codec::G722 => ClockRate::new(8_000).unwrap_or(ClockRate::OPUS),
        _ => ClockRate::VIDEO,
    }
}

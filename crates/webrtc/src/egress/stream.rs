//! One outgoing stream: its header, its counts, and its place in time.

use std::time::{Duration, Instant, SystemTime};

use headwater_media::{ClockRate, Orientation, limits};

use crate::srtp::{ReplayWindow, Sealer};

use super::{
    OutPacket, Outgoing, Path, Sink, Sources,
    estimate::Estimator,
    resend::Resend,
    rtcp::SenderReport,
    wire::{self, Extensions, Fields, Header, TransportNumber, Turn},
};

/// The largest RTP payload: beyond it a datagram would not fit a path of 1,500 bytes.
const PAYLOAD_BYTES_MAX: usize = 1_400;
/// Time between two sender reports. A browser aligns sound with picture once it has one of each.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The same for the first few, as sound and picture seldom begin together.
pub(super) const FIRST_REPORT_INTERVAL: Duration = Duration::from_millis(200);
/// The number of those.
pub(super) const FIRST_REPORTS: u32 = 4;

/// One outgoing stream. What each packet touches stands together.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) source: u32,
    header: Header,
    /// Where packets tell their number among all of the transport, while that is of use.
    transport_extension: Option<u8>,
    /// Where the last packet of a picture says how it is to be turned.
    orientation_extension: Option<u8>,
    /// One was to be turned: from then on each says it, those that are upright again too. What comes before needs to
    /// say nothing.
    has_turned: bool,
    /// The receiver has told that it knows the source, so packets need not name their media section any more.
    is_known: bool,
    packets: u32,
    bytes: u32,
    /// So that no number is ever sealed twice, whatever a lane holds.
    sent: ReplayWindow,
    latest: u64,
    place: Option<Place>,
    resend: Option<Box<Resend>>,
}

/// Where the stream is in time.
#[derive(Clone, Copy, Debug)]
struct Place {
    timestamp: u32,
    clock_rate: ClockRate,
    captured: Instant,
}

impl Stream {
    /// A stream for a medium, under numbers that none of the session's other streams has.
    pub(super) fn declare(media: &Outgoing, mid_extension: Option<u8>, others: &[Stream]) -> Stream {
        let mut taken: Vec<u32> = vec![0];
        for sources in others.iter().map(|stream| stream.sources(0)) {
            taken.extend([Some(sources.main), sources.retransmissions].into_iter().flatten());
        }
        let mut fresh = || loop {
            let number = rand::random();
            if !taken.contains(&number) {
                taken.push(number);
                break number;
            }
        };
        let header = Header::new(mid_extension, &media.mid);
        let formats = media.formats.iter();
        let again: Vec<(u8, u8)> =
            formats.filter_map(|format| Some((format.payload_type, format.retransmission?))).collect();
        let told = media.sources;
        let source = told.map_or_else(&mut fresh, |told| told.main);
        let resend = (!again.is_empty()).then(|| {
            let source = told.and_then(|told| told.retransmissions).unwrap_or_else(&mut fresh);
            Resend::new(source, header, again, rand::random_range(1..=0x7fff))
        });
        Stream {
            source,
            header,
            transport_extension: media.transport_extension.filter(|number| wire::is_short_form(*number)),
            orientation_extension: media.orientation_extension.filter(|number| wire::is_short_form(*number)),
            has_turned: false,
            is_known: false,
            packets: 0,
            bytes: 0,
            sent: ReplayWindow::default(),
            latest: 0,
            place: None,
            resend: resend.map(Box::new),
        }
    }

    pub(super) fn sources(&self, index: usize) -> Sources {
        Sources { index, main: self.source, retransmissions: self.resend.as_ref().map(|resend| resend.source()) }
    }

    /// A report has named the source.
    pub(super) fn is_received(&mut self) {
        self.is_known = true;
    }

    /// How many packets have been sent, those sent again not counted.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Whether anything has been sent.
    pub(super) fn has_begun(&self) -> bool {
        self.place.is_some()
    }

    /// The newest number that was sent.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// The extended form of a number that was sent not long ago.
    pub(super) fn extend(&self, sequence: u16) -> Option<u64> {
        let behind = (self.latest as u16).wrapping_sub(sequence);
        if behind > u16::MAX / 2 {
            return None;
        }
        self.latest.checked_sub(u64::from(behind))
    }

    /// Whether what the network carries can be estimated by this stream's packets.
    pub(super) fn is_numbered(&self) -> bool {
        self.transport_extension.is_some()
    }

    /// What a packet says of how its picture is to be turned.
    #[inline]
    fn turn(&self, packet: &OutPacket<'_>) -> Option<Turn> {
        let extension = self.orientation_extension?;
        let orientation = packet.orientation;
        let says_it = packet.marker && (self.has_turned || orientation != Orientation::default());
        says_it.then_some(Turn { extension, orientation })
    }

    #[inline]
    fn push(
        &mut self,
        packet: &OutPacket<'_>,
        estimator: Option<(&mut Estimator, Instant)>,
        sealer: &Sealer,
        path: &Path,
        out: &mut impl Sink,
    ) -> bool {
        let payload = packet.payload;
        if payload.len() > PAYLOAD_BYTES_MAX {
            limits::WEBRTC_DATAGRAM_BYTES.hit();
            return false;
        }
        if !self.sent.accept(packet.sequence) {
            return false;
        }
        self.latest = self.latest.max(packet.sequence);
        let header = &self.header;
        let (named, turn) = (!self.is_known, self.turn(packet));
        self.has_turned |= turn.is_some();
        let fields = Fields {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            source: self.source,
        };
        let estimator = estimator.zip(self.transport_extension);
        let length =
            header.length(named, estimator.is_some(), turn.is_some()) + payload.len() + sealer.media_overhead();
        let number = number(estimator, length, false);
        let is_sent = out.write(path, length, |datagram| {
            header.write(Extensions { named, number, turn }, &fields, datagram);
            sealer.seal_patched(fields.source, fields.sequence, (payload, packet.patch), datagram)
        });
        if is_sent {
            self.packets = self.packets.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(payload.len() as u32);
        }
        is_sent
    }

    /// What may be sent again, with what the media sent by now pays for.
    pub(super) fn paid_resend(&mut self) -> Option<&mut Resend> {
        let bytes = self.bytes;
        let resend = self.resend.as_deref_mut()?;
        resend.earn(bytes);
        Some(resend)
    }

    /// Sends a packet again: one that is missed, or, with `probe`, one that is to find out what the network carries.
    /// Says how many bytes it was on the wire; 0 where it was not sent.
    pub(super) fn send_again(
        &mut self,
        packet: Option<&OutPacket<'_>>,
        probe: bool,
        estimator: Option<(&mut Estimator, Instant)>,
        sealer: &Sealer,
        path: &Path,
        out: &mut impl Sink,
    ) -> usize {
        let estimator = estimator.zip(self.transport_extension);
        let number = |bytes| number(estimator, bytes, probe);
        let turn = packet.and_then(|packet| self.turn(packet));
        match (&mut self.resend, packet) {
            (Some(resend), Some(packet)) if probe => resend.write(packet, turn, number, sealer, path, out),
            (Some(resend), packet) if !probe => usize::from(resend.push(packet, turn, number, sealer, path, out)),
            _ => 0,
        }
    }

    /// What a sender report says now. `None` before the first packet.
    pub(super) fn report(&self, now: Instant, time: SystemTime) -> Option<SenderReport> {
        let place = self.place?;
        let since = now.saturating_duration_since(place.captured);
        Some(SenderReport {
            source: self.source,
            time,
            timestamp: place.timestamp.wrapping_add(place.clock_rate.ticks(since) as u32),
            packets: self.packets,
            bytes: self.bytes,
        })
    }
}

/// Numbers a packet of this many bytes among all of the transport, where that is of use.
#[inline]
fn number(estimator: Option<((&mut Estimator, Instant), u8)>, bytes: usize, probe: bool) -> Option<TransportNumber> {
    let ((estimator, now), extension) = estimator?;
    Some(TransportNumber { extension, number: estimator.sent(bytes, now, probe) })
}

/// Takes the packets of one stream.
pub(crate) struct Writer<'a, S> {
    pub(super) stream: &'a mut Stream,
    pub(super) sealer: &'a Sealer,
    pub(super) path: &'a Path,
    pub(super) out: &'a mut S,
    pub(super) estimator: Option<&'a mut Estimator>,
    pub(super) now: Instant,
}

impl<S: Sink> Writer<'_, S> {
    /// Seals and sends a packet. Says `false` of one that is not sent: it is too large for a datagram, which is
    /// counted, or its number has been sent before.
    #[inline]
    pub(crate) fn push(&mut self, packet: &OutPacket<'_>) -> bool {
        let estimator = self.estimator.as_deref_mut().map(|estimator| (estimator, self.now));
        self.stream.push(packet, estimator, self.sealer, self.path, self.out)
    }

    /// Says when the latest packet was captured, for sender reports.
    pub(crate) fn captured(&mut self, timestamp: u32, clock_rate: ClockRate, captured: Instant) {
        self.stream.place = Some(Place { timestamp, clock_rate, captured });
    }
}

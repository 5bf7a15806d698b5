//! One medium of a viewer: from a cursor in a lane to packets of the viewer's own.

mod reading;
mod renditions;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::{Bell, ConvertError, Cursor, Join, Next, Rendition, Subscription, Track};
use headwater_media::{ClockRate, Codec, Packet, TrackKind};

use crate::{
    backlog::{Backlog, Past},
    egress::{OutPacket, Sources},
    sdp::Format,
    srtp::Patch,
};

use super::flow::Flow;

pub(super) use reading::Reading;
use renditions::Waiting;

/// One medium of a viewer. What is there for a while only stands apart, as all of this is fetched for each packet.
#[derive(Debug)]
pub(crate) struct Outlet {
    track: Arc<Track>,
    codec: Codec,
    formats: Vec<Format>,
    sources: Sources,
    /// The rendition that the peer takes by this medium, where it takes several at once.
    label: Option<Arc<str>>,
    /// `None` while it is held, or the source does not send that rendition.
    cursor: Option<Cursor<Packet>>,
    /// What the cursor reads of the renditions that the source sends at once; `None` for the best that comes.
    rendition: Option<Arc<Rendition>>,
    /// What is read instead as soon as a decoder can start there.
    next: Option<Box<Waiting>>,
    flow: Flow,
    backlog: Option<Box<Backlog>>,
    /// The times of the backlog that was sent last, until nobody can ask for it again.
    past: Option<Box<(Past, Instant)>>,
    /// When more may be sent of what is there already.
    more_at: Option<Instant>,
}

/// How long after a backlog its packets may be asked for again.
const PAST_KEPT: Duration = Duration::from_secs(3);

/// A packet that has been sent before.
#[derive(Debug)]
pub(crate) struct Recalled {
    packet: Packet,
    payload_type: u8,
    sequence: u64,
    timestamp: u32,
    patch: Option<Patch>,
}

impl Recalled {
    pub(crate) fn packet(&self) -> OutPacket<'_> {
        OutPacket {
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.packet.marker,
            orientation: self.packet.orientation,
            payload: &self.packet.payload,
            patch: self.patch,
        }
    }
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
        let mut outlet = Outlet::new(track, None, codec, formats);
        outlet.cursor = Some(subscription.packets(&outlet.track, &[codec], bell, join(outlet.track.kind()))?);
        Ok(outlet)
    }

    /// The same for the rendition of that label alone, whether it comes yet or not.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn open_rendition(
        subscription: &Subscription,
        track: Arc<Track>,
        label: &str,
        codec: Codec,
        formats: Vec<Format>,
        bell: &Bell,
    ) -> Result<Outlet, ConvertError> {
        let mut outlet = Outlet::new(track, Some(label.into()), codec, formats);
        outlet.open_labelled(subscription, bell)?;
        Ok(outlet)
    }

    fn new(track: Arc<Track>, label: Option<Arc<str>>, codec: Codec, formats: Vec<Format>) -> Outlet {
        let flow = Flow::new(codec, clock_rate(codec));
        let sources = Sources { index: 0, main: 0, retransmissions: None };
        Outlet {
            track,
            codec,
            formats,
            sources,
            label,
            cursor: None,
            rendition: None,
            next: None,
            flow,
            backlog: None,
            past: None,
            more_at: None,
        }
    }

    /// The rendition that the peer takes by this medium, where it takes several at once.
    pub(crate) fn label(&self) -> Option<&str> {
        self.label.as_deref()
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
        if let Some(cursor) = &self.cursor {
            cursor.demand().request_key_frame();
        }
    }

    /// When it wants to be read again without new packets.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.backlog.as_deref().and_then(Backlog::due).or(self.more_at)
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
        if self.label.is_some() && self.rendition.is_some() {
            self.hold();
            self.track = track;
            let is_open = self.open_labelled(subscription, bell).is_ok();
            self.catch_up();
            return is_open;
        }
        let Ok(cursor) = subscription.packets(&track, &[self.codec], bell, join(track.kind())) else {
            return false;
        };
        self.track = track;
        self.cursor = Some(cursor);
        (self.rendition, self.next) = (None, None);
        self.flow.start_over();
        self.catch_up();
        true
    }

    /// The track that it sends.
    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.track
    }

    /// Puts what is already there aside, to be sent faster than it happened.
    fn catch_up(&mut self) {
        let Some(cursor) = &mut self.cursor else {
            return;
        };
        let mut packets = VecDeque::new();
        loop {
            match cursor.next() {
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
        self.backlog = (!backlog.is_empty()).then(|| Box::new(backlog));
    }

    /// The packet that the viewer knows by this number, and the time that it had, if it may still be sent again.
    pub(crate) fn recall(&self, sequence: u64) -> Option<Recalled> {
        let payload_type = self.flow.payload_type?;
        let origin = self.flow.rewriter.origin(sequence)?;
        let packet = self.cursor.as_ref()?.recall(origin.sequence)?;
        let past = self.past.as_deref().map(|(past, _)| past);
        let past = self.backlog.as_deref().map(Backlog::past).or(past);
        let ticks = past.map_or(packet.timestamp, |past| past.time(&packet));
        let patch = self.flow.pictures.again(&packet.payload);
        Some(Recalled { timestamp: origin.timestamp(ticks), packet, payload_type, sequence, patch })
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

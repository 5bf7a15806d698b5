//! One encoding that a publisher sends: from its packets to a lane.

use std::time::{Duration, Instant, SystemTime};

use headwater_graph::{Bell, LaneWriter};
use headwater_media::{Codec, Packet, Ticks, TrackKind, TrackParameters};
use headwater_rtp::EntryFinder;

use crate::sdp::Format;

use super::{
    clock::{Placed, SourceClock},
    ingress::Incoming,
    key_frames::KeyFrames,
    numbers::Numbers,
    orientation::Said,
    untold::{Untold, Window},
};

/// A packet that was written to a lane.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) packet: Packet,
    /// Whether it does not continue what came before.
    pub(crate) after_break: bool,
}

/// One encoding that a publisher sends, and the lane that it is written to.
#[derive(Debug)]
pub(crate) struct Source {
    /// The media section of the offer that it belongs to.
    pub(crate) section: usize,
    /// The name of the rendition, where there are several.
    pub(crate) rid: Option<String>,
    pub(crate) ssrc: u32,
    codec: Codec,
    /// Those found in its packets.
    parameters: Option<TrackParameters>,
    writer: LaneWriter<Packet>,
    clock: SourceClock,
    numbers: Numbers,
    entries: EntryFinder,
    key_frames: KeyFrames,
    orientation: Said,
    /// What was written that the lane's readers have not been told of.
    untold: Untold,
}

impl Source {
    /// A source that writes to this lane, whose readers' wishes ring `bell`.
    pub(crate) fn new(
        (section, rid): (usize, Option<String>),
        ssrc: u32,
        parameters: &TrackParameters,
        writer: LaneWriter<Packet>,
        bell: &Bell,
    ) -> Source {
        writer.demand().set_bell(bell);
        Source {
            section,
            rid,
            ssrc,
            codec: parameters.codec,
            parameters: None,
            writer,
            clock: SourceClock::new(parameters.clock_rate),
            numbers: Numbers::default(),
            entries: EntryFinder::new(parameters.codec),
            key_frames: KeyFrames::new(),
            orientation: Said::default(),
            untold: Untold::default(),
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.codec.kind() == TrackKind::Video
    }

    /// Writes a packet that arrives now, in stream time, in a payload type of `format`. `None` if it holds no media.
    pub(crate) fn write(
        &mut self,
        incoming: &Incoming,
        format: &Format,
        arrived: Duration,
        now: Instant,
    ) -> Option<Written> {
        let mut after_break = incoming.ssrc != self.ssrc;
        if after_break {
            self.ssrc = incoming.ssrc;
            self.clock.restart(self.clock.rate());
            self.begin_anew();
        }
        if format.codec != self.codec {
            let parameters = parameters(format.codec)?;
            self.codec = format.codec;
            self.parameters = None;
            self.entries = EntryFinder::new(format.codec);
            if parameters.clock_rate != self.clock.rate() {
                self.clock.restart(parameters.clock_rate);
                self.writer.discontinuity();
            }
            self.writer.set_parameters(parameters);
        }
        let sequence = self.numbers.number(incoming.sequence, incoming.payload.is_empty())?;
        let timestamp = match self.clock.place(incoming.timestamp, arrived) {
            Placed::At(ticks) => ticks,
            Placed::Jumped(ticks) => {
                self.begin_anew();
                after_break = true;
                ticks
            }
        };
        if let Some(parameters) = self.entries.parameters(&incoming.payload) {
            self.writer.set_parameters(parameters.clone());
            self.parameters = Some(parameters);
        }
        let random_access = self.entries.is_entry(timestamp, &incoming.payload);
        if random_access {
            self.key_frames.came();
        }
        if let Some(level) = incoming.audio_level {
            self.writer.set_audio_level(level);
        }
        let orientation =
            self.orientation.take(incoming.timestamp, incoming.marker, random_access, incoming.orientation);
        let (marker, payload) = (incoming.marker, incoming.payload.clone());
        let packet = Packet { sequence, timestamp, marker, random_access, orientation, payload };
        self.writer.push(packet.clone());
        self.writer.set_lost(self.numbers.missing());
        self.untold.add(packet.marker || !self.is_video(), now);
        Some(Written { packet, after_break })
    }

    /// What is known of it by now.
    pub(crate) fn parameters(&self) -> Option<TrackParameters> {
        self.parameters.clone().or_else(|| parameters(self.codec))
    }

    /// Its next key frame is needed soon.
    pub(crate) fn want_key_frame(&mut self) {
        self.key_frames.want();
    }

    /// What follows does not continue what came before.
    fn begin_anew(&mut self) {
        self.writer.discontinuity();
        self.numbers = Numbers::after(&self.numbers);
        self.orientation = Said::default();
        self.key_frames.want();
    }

    /// Wakes the lane's readers, if there is something new that does not wait for more of its picture.
    pub(crate) fn ring(&mut self, window: Window, now: Instant) {
        if self.untold.take(window, now) {
            self.writer.ring();
        }
    }

    /// When readers are to be told at the latest of what has been written.
    pub(crate) fn told_by(&self, window: Window) -> Option<Instant> {
        self.untold.due(window)
    }

    /// Whether the publisher is to be asked for a key frame now.
    pub(crate) fn wants_key_frame(&mut self, now: Instant) -> bool {
        if self.writer.demand().take_key_frame_request() && self.is_video() {
            self.key_frames.want();
        }
        self.key_frames.ask(now)
    }

    /// Notes that it has been asked.
    pub(crate) fn count_key_frame_request(&mut self) {
        self.writer.count_key_frame_request();
    }

    /// When it is to be asked again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.key_frames.due()
    }

    /// How often the peer was asked for packets that did not come.
    pub(crate) fn set_nacks(&mut self, requests: u64) {
        self.writer.set_nacks(requests);
    }

    /// Packets that have not come.
    pub(crate) fn lost(&self) -> u64 {
        self.numbers.missing()
    }

    /// Takes a sender report of this source.
    pub(crate) fn report(&mut self, timestamp: u32, captured: SystemTime) {
        self.clock.report(timestamp, captured);
    }

    /// Takes what one of its packets says of its capture. Says whether that is news.
    pub(crate) fn captured(&mut self, timestamp: Ticks, captured: SystemTime) -> bool {
        self.clock.captured(timestamp, captured)
    }
}

/// Brings sources together that have been captured together: all follow the first sound, or else the first picture.
pub(crate) fn align(sources: &mut [Source]) {
    let reported = |source: &&Source| source.clock.has_report();
    let sound = sources.iter().filter(reported).find(|source| !source.is_video());
    let Some(master) = sound.or_else(|| sources.iter().find(reported)) else {
        return;
    };
    let (ssrc, clock) = (master.ssrc, master.clock.clone());
    for source in sources.iter_mut().filter(|source| source.ssrc != ssrc && source.clock.has_report()) {
        source.clock.follow(&clock);
    }
}

/// What is known of a track before its first frame.
pub(crate) fn parameters(codec: Codec) -> Option<TrackParameters> {
    headwater_codec::parameters::from_config(codec, bytes::Bytes::new()).ok()
}

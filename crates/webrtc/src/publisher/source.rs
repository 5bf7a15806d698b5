//! One encoding that a publisher sends: from its packets to a lane.

use std::time::{Duration, Instant, SystemTime};

use headwater_graph::{Bell, LaneWriter};
use headwater_media::{Codec, Packet, TrackKind, TrackParameters};
use headwater_rtp::EntryFinder;

use crate::sdp::Format;

use super::{
    clock::{Placed, SourceClock},
    ingress::Incoming,
    key_frames::KeyFrames,
    numbers::Numbers,
};

/// One encoding that a publisher sends, and the lane that it is written to.
#[derive(Debug)]
pub(crate) struct Source {
    /// The media section of the offer that it belongs to.
    pub(crate) section: usize,
    /// The name of the rendition, where there are several.
    pub(crate) rid: Option<String>,
    pub(crate) ssrc: u32,
    codec: Codec,
    writer: LaneWriter<Packet>,
    clock: SourceClock,
    numbers: Numbers,
    entries: EntryFinder,
    key_frames: KeyFrames,
    /// Whether something was written that the lane's readers have not been told of.
    unrung: bool,
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
            writer,
            clock: SourceClock::new(parameters.clock_rate),
            numbers: Numbers::default(),
            entries: EntryFinder::new(parameters.codec),
            key_frames: KeyFrames::new(),
            unrung: false,
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.codec.kind() == TrackKind::Video
    }

    /// Writes a packet that arrives now, in stream time, in a payload type of `format`.
    pub(crate) fn write(&mut self, incoming: &Incoming, format: &Format, arrived: Duration) {
        if incoming.ssrc != self.ssrc {
            self.ssrc = incoming.ssrc;
            self.clock.restart(self.clock.rate());
            self.begin_anew();
        }
        if format.codec != self.codec {
            let Some(parameters) = parameters(format.codec) else { return };
            self.codec = format.codec;
            self.entries = EntryFinder::new(format.codec);
            if parameters.clock_rate != self.clock.rate() {
                self.clock.restart(parameters.clock_rate);
                self.writer.discontinuity();
            }
            self.writer.set_parameters(parameters);
        }
        let Some(sequence) = self.numbers.number(incoming.sequence, incoming.payload.is_empty()) else {
            return;
        };
        let timestamp = match self.clock.place(incoming.timestamp, arrived) {
            Placed::At(ticks) => ticks,
            Placed::Jumped(ticks) => {
                self.begin_anew();
                ticks
            }
        };
        let random_access = self.entries.is_entry(timestamp, &incoming.payload);
        if random_access {
            self.key_frames.came();
        }
        let payload = incoming.payload.clone();
        self.writer.push(Packet { sequence, timestamp, marker: incoming.marker, random_access, payload });
        self.unrung = true;
    }

    /// What follows does not continue what came before.
    fn begin_anew(&mut self) {
        self.writer.discontinuity();
        self.numbers = Numbers::after(&self.numbers);
        self.key_frames.want();
    }

    /// Wakes the lane's readers, if there is something new.
    pub(crate) fn ring(&mut self) {
        if std::mem::take(&mut self.unrung) {
            self.writer.ring();
        }
    }

    /// Whether the publisher is to be asked for a key frame now.
    pub(crate) fn wants_key_frame(&mut self, now: Instant) -> bool {
        if self.writer.demand().take_key_frame_request() && self.is_video() {
            self.key_frames.want();
        }
        self.key_frames.ask(now)
    }

    /// When it is to be asked again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.key_frames.due()
    }

    /// Packets that have not come.
    pub(crate) fn lost(&self) -> u64 {
        self.numbers.missing()
    }

    /// Takes a sender report of this source.
    pub(crate) fn report(&mut self, timestamp: u32, captured: SystemTime) {
        self.clock.report(timestamp, captured);
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

//! One encoding of a track, with its two lanes: the source's own, and the one derived from it on demand.

use std::sync::{Arc, Weak, atomic::Ordering};

use headwater_media::{Codec, Frame, Orientation, Packet, TrackKind, TrackParameters};
use parking_lot::Mutex;

use crate::{
    conversion::{Conversion, Running},
    error::ConvertError,
    hub::Services,
    lane::{Bell, Cursor, Demand, Facts, Join, Lane, LaneItem, LaneWriter},
};

/// One encoding of a track.
pub struct Rendition {
    kind: TrackKind,
    /// The codec of the source that it is converted from, if it is.
    converted_from: Option<Codec>,
    /// The name that the source gives it, where it sends several.
    label: Option<Arc<str>>,
    facts: Arc<Facts>,
    demand: Arc<Demand>,
    native: Form,
    lanes: Mutex<Lanes>,
    services: Arc<Services>,
}

/// What a rendition has carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenditionStatistics {
    /// Items (frames or packets) that the source has written.
    pub items: u64,
    /// Bytes of media in them.
    pub bytes: u64,
    /// Random access points among them.
    pub groups: u64,
    /// Frames, whole or not.
    pub frames: u64,
    /// Frames shown before one that came earlier (B-frames); not known of packets.
    pub b_frames: u64,
    /// Frames of the newest group that is complete.
    pub group_frames: u64,
    /// Packets that never came, where the source says so.
    pub lost: u64,
    /// Requests for packets that did not come (NACK), as the source was sent them.
    pub nacks: u64,
    /// Key frames that the source was asked for.
    pub key_frames_requested: u64,
}

/// Which of the two lanes the source writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Frames,
    Packets,
}

#[derive(Default)]
struct Lanes {
    frames: Option<Lane<Frame>>,
    packets: Option<Lane<Packet>>,
}

impl std::fmt::Debug for Rendition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendition").field("kind", &self.kind).field("parameters", &self.parameters()).finish()
    }
}

impl Rendition {
    pub(crate) fn new(
        kind: TrackKind,
        native: Form,
        converted_from: Option<Codec>,
        owner: Option<Bell>,
        services: Arc<Services>,
    ) -> Arc<Rendition> {
        let (facts, demand) = (Arc::new(Facts::new()), Arc::new(Demand::new()));
        let options = services.options.lane.clone();
        let mut lanes = Lanes::default();
        match native {
            Form::Frames => lanes.frames = Some(Lane::new(options, demand.clone(), owner, Some(facts.clone()))),
            Form::Packets => lanes.packets = Some(Lane::new(options, demand.clone(), owner, Some(facts.clone()))),
        }
        let lanes = Mutex::new(lanes);
        Arc::new(Rendition { kind, converted_from, label: None, facts, demand, native, lanes, services })
    }

    /// One of several that the source sends of a track, as packets.
    pub(crate) fn named(label: &str, kind: TrackKind, services: Arc<Services>) -> Arc<Rendition> {
        let (facts, demand) = (Arc::new(Facts::new()), Arc::new(Demand::new()));
        let lane = Lane::new(services.options.lane.clone(), demand.clone(), None, Some(facts.clone()));
        let lanes = Mutex::new(Lanes { frames: None, packets: Some(lane) });
        let (native, label) = (Form::Packets, Some(label.into()));
        Arc::new(Rendition { kind, converted_from: None, label, facts, demand, native, lanes, services })
    }

    /// What a decoder must know; `None` before the source has said it.
    pub fn parameters(&self) -> Option<Arc<TrackParameters>> {
        self.facts.parameters.read(Clone::clone)
    }

    /// What its readers want of the source.
    pub fn demand(&self) -> &Arc<Demand> {
        &self.demand
    }

    /// The codec of the source, if this rendition is converted from it.
    pub fn converted_from(&self) -> Option<Codec> {
        self.converted_from
    }

    /// The name that the source gives it, where it sends several at once (simulcast).
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether pictures have come in another order than they are shown (B-frames).
    pub fn reorders(&self) -> bool {
        self.facts.reorders.load(Ordering::Relaxed)
    }

    /// How loud the newest sound is, where the source says it: dBov from 0, the loudest, to −127, silence.
    pub fn audio_level(&self) -> Option<i8> {
        self.facts.audio_level()
    }

    /// How viewers who can are to turn the newest picture, where its packets say so. Frames are as the camera sees
    /// them and say nothing of it.
    pub fn orientation(&self) -> Orientation {
        self.facts.orientation()
    }

    /// What it has carried so far.
    pub fn statistics(&self) -> RenditionStatistics {
        RenditionStatistics {
            items: self.facts.items.load(Ordering::Relaxed),
            bytes: self.facts.bytes.load(Ordering::Relaxed),
            groups: self.facts.groups.load(Ordering::Relaxed),
            frames: self.facts.frames.load(Ordering::Relaxed),
            b_frames: self.facts.b_frames.load(Ordering::Relaxed),
            group_frames: self.facts.group_frames.load(Ordering::Relaxed),
            lost: self.facts.lost.load(Ordering::Relaxed),
            nacks: self.facts.nacks.load(Ordering::Relaxed),
            key_frames_requested: self.facts.key_frames_requested.load(Ordering::Relaxed),
        }
    }

    /// Whether the other lane than the source's own is being derived now.
    pub fn derives(&self) -> bool {
        let lanes = self.lanes.lock();
        lanes.frames.is_some() && lanes.packets.is_some()
    }

    pub(crate) fn native(&self) -> Form {
        self.native
    }

    pub(crate) fn frame_writer(&self) -> Option<LaneWriter<Frame>> {
        self.lanes.lock().frames.as_ref().filter(|_| self.native == Form::Frames).map(Lane::writer)
    }

    pub(crate) fn packet_writer(&self) -> Option<LaneWriter<Packet>> {
        self.lanes.lock().packets.as_ref().filter(|_| self.native == Form::Packets).map(Lane::writer)
    }

    /// Readers of the lane that the rendition's writer fills.
    pub(crate) fn native_readers(&self) -> usize {
        let lanes = self.lanes.lock();
        match self.native {
            Form::Frames => lanes.frames.as_ref().map_or(0, Lane::readers),
            Form::Packets => lanes.packets.as_ref().map_or(0, Lane::readers),
        }
    }

    /// Stream time of the newest item.
    pub fn newest(&self) -> Option<std::time::Duration> {
        let lanes = self.lanes.lock();
        let ticks = match self.native {
            Form::Frames => lanes.frames.as_ref()?.newest_ticks()?,
            Form::Packets => lanes.packets.as_ref()?.newest_ticks()?,
        };
        Some(self.parameters()?.clock_rate.duration(ticks))
    }

    pub(crate) fn end(&self) {
        let lanes = self.lanes.lock();
        match self.native {
            Form::Frames => lanes.frames.as_ref().inspect(|lane| lane.end()).is_some(),
            Form::Packets => lanes.packets.as_ref().inspect(|lane| lane.end()).is_some(),
        };
    }

    /// A reader of its frames, derived if need be; for something that is no viewer.
    ///
    /// # Errors
    /// No conversion leads to frames, or the rendition has not begun.
    pub fn frames(self: &Arc<Self>, bell: &Bell, join: Join) -> Result<Cursor<Frame>, ConvertError> {
        let converters = self.services.converters.load_full();
        self.read(bell, join, |lanes| &mut lanes.frames, |lanes| &lanes.packets, move |p| converters.depacketizer(p))
    }

    /// A reader of its packets, derived if need be.
    pub(crate) fn packets(self: &Arc<Self>, bell: &Bell, join: Join) -> Result<Cursor<Packet>, ConvertError> {
        let converters = self.services.converters.load_full();
        self.read(bell, join, |lanes| &mut lanes.packets, |lanes| &lanes.frames, move |p| converters.packetizer(p))
    }

    fn read<In: LaneItem, Out: LaneItem>(
        self: &Arc<Self>,
        bell: &Bell,
        join: Join,
        wanted: fn(&mut Lanes) -> &mut Option<Lane<Out>>,
        other: fn(&Lanes) -> &Option<Lane<In>>,
        make: impl Fn(&TrackParameters) -> Option<Box<dyn Conversion<In, Out>>> + Send + 'static,
    ) -> Result<Cursor<Out>, ConvertError> {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = wanted(&mut lanes) {
            return Ok(lane.cursor(bell, join));
        }
        let parameters = self.parameters().ok_or(ConvertError::NotBegun { kind: self.kind })?;
        let not_possible = || ConvertError::NoConversion {
            kind: self.kind,
            from: parameters.codec,
            to: format!("the other form of {}", parameters.codec),
        };
        let conversion = make(&parameters).ok_or_else(not_possible)?;
        let own_bell = Bell::new();
        let input = other(&lanes).as_ref().ok_or_else(not_possible)?.cursor(&own_bell, Join::NewestGroup);
        let lane = Lane::new(self.services.options.lane.clone(), self.demand.clone(), Some(own_bell.clone()), None);
        let cursor = lane.cursor(bell, join);
        let running = Running {
            input,
            output: lane.writer(),
            bell: own_bell,
            conversion: (parameters.codec, conversion),
            make: Box::new(make),
            retire: retire(Arc::downgrade(self), wanted, lane.clone()),
        };
        *wanted(&mut lanes) = Some(lane);
        drop(lanes);
        self.services.environment.spawn(Box::pin(running.run()));
        Ok(cursor)
    }
}

/// Takes a derived lane out of its rendition if nobody reads it, or in any case if it is over.
fn retire<Out: LaneItem>(
    rendition: Weak<Rendition>,
    lane_of: fn(&mut Lanes) -> &mut Option<Lane<Out>>,
    lane: Lane<Out>,
) -> Box<dyn Fn(bool) -> bool + Send> {
    Box::new(move |over| {
        let Some(rendition) = rendition.upgrade() else {
            lane.end();
            return true;
        };
        let mut lanes = rendition.lanes.lock();
        if !over && lane.readers() > 0 {
            return false;
        }
        *lane_of(&mut lanes) = None;
        lane.end();
        true
    })
}

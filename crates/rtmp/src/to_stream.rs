//! Wire media -> lanes: what an RTMP publisher sends becomes the frames of a stream.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use headwater_codec::{parameters::from_config, vp8, vp9};
use headwater_flv::{CodedFrame, Events, Media as Tag, MediaReader, Metadata, read_script};
use headwater_graph::{LaneWriter, Publication, Stream};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, Frame, Ticks, TrackKind, TrackParameters};

use crate::{
    context::Context,
    timeline::{Mapped, Timeline},
    wire::server::{Media, MediaKind},
};

/// A stream whose tracks are not all known is shown to viewers after this much media.
const READY_AFTER_MS: i64 = 1_000;
/// Timestamps in whole milliseconds are put back on the grid of audio frames if they are off by no more than this.
const GRID_MS: Ticks = 2;
/// Samples of one AAC frame, without and with SBR (ISO/IEC 14496-3 §4.5.1.1, §4.6.18).
const AAC_FRAME_SAMPLES: [Ticks; 2] = [1_024, 2_048];

/// Writes what one publisher sends into its stream.
pub(crate) struct ToStream {
    context: Context,
    publication: Publication,
    reader: MediaReader,
    timeline: Timeline,
    announced: Metadata,
    lanes: Vec<Lane>,
    ready: bool,
}

struct Lane {
    kind: TrackKind,
    track: u8,
    codec: Codec,
    clock_rate: ClockRate,
    writer: LaneWriter<Frame>,
    /// What the source has told of a picture.
    known: Option<TrackParameters>,
    last: Option<Ticks>,
}

impl ToStream {
    pub(crate) fn new(context: Context, publication: Publication) -> ToStream {
        ToStream {
            context,
            publication,
            reader: MediaReader::new(),
            timeline: Timeline::default(),
            announced: Metadata::default(),
            lanes: Vec::new(),
            ready: false,
        }
    }

    /// The stream that it writes.
    pub(crate) fn stream(&self) -> &Stream {
        self.publication.stream()
    }

    /// Takes one message. What cannot be read is counted and passed over.
    pub(crate) fn push(&mut self, media: Media) {
        let events = match media.kind {
            MediaKind::Audio => self.reader.audio(media.body),
            MediaKind::Video => self.reader.video(media.body),
            MediaKind::Data => return self.data(media.body),
        };
        match events {
            Ok(events) => self.events(events, media.timestamp),
            Err(error) => self.malformed(&error),
        }
    }

    /// Wakes the readers of what has been pushed.
    pub(crate) fn ring(&self) {
        self.lanes.iter().for_each(|lane| lane.writer.ring());
    }

    fn data(&mut self, body: Bytes) {
        match read_script(body) {
            Ok((name, values)) if &*name == "onMetaData" => {
                if let Some(object) = values.first().and_then(headwater_flv::amf::Value::as_object) {
                    self.announced = Metadata::from_object(object);
                    tracing::debug!(metadata = ?self.announced, "the publisher announces its tracks");
                }
            }
            Ok(_) => {}
            Err(error) => self.malformed(&error),
        }
    }

    fn events(&mut self, events: Events, timestamp: u32) {
        let mut mapped = None;
        for event in events {
            match event.media {
                Tag::Config(record) => match from_config(event.codec, record) {
                    Ok(parameters) => self.parameters(event.track, parameters),
                    Err(error) => self.malformed(&error),
                },
                Tag::Sound(format) => self.parameters(event.track, sound(event.codec, format)),
                Tag::Frame(frame) => {
                    // Only frames tell the time: sequence headers often come with zero.
                    let mapped = *mapped.get_or_insert_with(|| self.timeline.map(timestamp));
                    self.frame(event.track, event.codec, mapped, frame);
                }
                Tag::End | Tag::Metadata(_) => {}
            }
        }
    }

    /// Adds the track, or changes it where it is known.
    fn parameters(&mut self, track: u8, mut parameters: TrackParameters) {
        let announced = self.announced.frame_rate;
        let (kind, codec, clock_rate) = (parameters.kind(), parameters.codec, parameters.clock_rate);
        let known = self.lane(kind, track).and_then(|lane| lane.known.as_ref()).filter(|known| known.codec == codec);
        let known = known.and_then(TrackParameters::video).map(|video| (video.width, video.height));
        if let Format::Video(video) = &mut parameters.format {
            video.frame_rate = video.frame_rate.or(announced);
            // A record without a size that comes again says nothing new.
            if let Some(known) = known.filter(|_| video.width == 0) {
                (video.width, video.height) = known;
            }
        }
        if let Some(lane) = self.lane(kind, track) {
            if lane.clock_rate != clock_rate {
                lane.last = lane.last.map(|last| lane.clock_rate.rescale(last, clock_rate));
            }
            (lane.codec, lane.clock_rate) = (codec, clock_rate);
            lane.known = Some(parameters.clone());
            lane.writer.set_parameters(parameters);
            return;
        }
        let known = Some(parameters.clone());
        match self.publication.add_frames(parameters) {
            Ok(writer) => self.lanes.push(Lane { kind, track, codec, clock_rate, writer, known, last: None }),
            Err(error) => self.malformed(&error),
        }
        self.look_whether_ready(0);
    }

    fn frame(&mut self, track: u8, codec: Codec, mapped: Mapped, frame: CodedFrame) {
        if mapped.jumped {
            self.jump();
        }
        if self.lane(codec.kind(), track).is_none_or(|lane| lane.codec != codec)
            && !self.begin_without_record(track, codec)
        {
            return;
        }
        if frame.key {
            self.learn_size(track, codec, &frame.data);
        }
        let start = self.publication.start();
        let Some(lane) = self.lane(codec.kind(), track) else { return };
        lane.push(lane.clock_rate.ticks(start), mapped.ms, frame);
        self.context.counters().frames_received.fetch_add(1, Relaxed);
        self.look_whether_ready(mapped.ms);
    }

    /// VP8 and VP9 tell the size of their pictures in key frames alone, and players of MP4 take none without a size.
    fn learn_size(&mut self, track: u8, codec: Codec, frame: &[u8]) {
        let Some(size) = key_frame_size(codec, frame) else { return };
        let Some(lane) = self.lane(TrackKind::Video, track) else { return };
        let Some(mut known) = lane.known.clone() else { return };
        let Format::Video(video) = &mut known.format else { return };
        if (video.width, video.height) != size {
            (video.width, video.height) = size;
            self.parameters(track, known);
        }
    }

    /// Codecs that carry in band what a decoder needs may begin with a frame.
    fn begin_without_record(&mut self, track: u8, codec: Codec) -> bool {
        if !matches!(codec, Codec::Opus | Codec::Vp8 | Codec::Vp9 | Codec::Av1) {
            return false;
        }
        if let Ok(parameters) = from_config(codec, Bytes::new()) {
            self.parameters(track, parameters);
        }
        self.lane(codec.kind(), track).is_some_and(|lane| lane.codec == codec)
    }

    fn jump(&mut self) {
        self.context.counters().timeline_breaks.fetch_add(1, Relaxed);
        self.lanes.iter_mut().for_each(|lane| lane.writer.discontinuity());
    }

    /// Lets viewers in when all announced tracks are known: without metadata when there is sound and picture, and
    /// in any case after a second of media.
    fn look_whether_ready(&mut self, ms: i64) {
        if self.ready || self.lanes.is_empty() {
            return;
        }
        let has = |kind| self.lanes.iter().any(|lane| lane.kind == kind);
        let (audio, video) = match (self.announced.audio, self.announced.video) {
            (false, false) => (true, true),
            announced => announced,
        };
        let complete = (!audio || has(TrackKind::Audio)) && (!video || has(TrackKind::Video));
        if complete || ms >= READY_AFTER_MS {
            self.ready = true;
            self.publication.ready();
        }
    }

    fn lane(&mut self, kind: TrackKind, track: u8) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.kind == kind && lane.track == track)
    }

    fn malformed(&self, error: &dyn std::error::Error) {
        let counter = &self.context.counters().media_malformed;
        if counter.fetch_add(1, Relaxed).is_power_of_two() {
            tracing::warn!(stream = %self.publication.stream().name(), %error, "media passed over");
        }
    }
}

impl Lane {
    fn push(&mut self, start: Ticks, ms: i64, frame: CodedFrame) {
        let nanos = Ticks::from(frame.nanos) * Ticks::from(self.clock_rate.hertz()) / 1_000_000_000;
        let time = start.saturating_add(ceil(ms, self.clock_rate)).saturating_add(nanos);
        let time = self.on_grid(time);
        let dts = self.last.map_or(time, |last| last.max(time));
        self.last = Some(dts);
        let composition = ceil(frame.composition_ms.into(), self.clock_rate);
        let pts = if self.kind == TrackKind::Audio { dts } else { time.saturating_add(composition) };
        self.writer.push(Frame { dts, pts, random_access: frame.key, data: frame.data });
    }

    /// AAC frames follow each other by their number of samples; whole milliseconds only blur that.
    fn on_grid(&self, time: Ticks) -> Ticks {
        let Some(last) = self.last.filter(|_| self.codec == Codec::Aac) else { return time };
        let tolerance = GRID_MS * Ticks::from(self.clock_rate.hertz()) / 1_000;
        let mut grid = AAC_FRAME_SAMPLES.iter().map(|samples| last.saturating_add(*samples));
        grid.find(|expected| (time.saturating_sub(*expected)).abs() <= tolerance).unwrap_or(time)
    }
}

fn key_frame_size(codec: Codec, frame: &[u8]) -> Option<(u32, u32)> {
    match codec {
        Codec::Vp8 => vp8::FrameHeader::parse(frame).ok()?.key_frame_size,
        Codec::Vp9 => vp9::FrameHeader::parse(frame).ok()?.key_frame_size,
        _ => None,
    }
}

/// Milliseconds as ticks, rounded up, so that rounding down gives back the same milliseconds.
fn ceil(ms: i64, rate: ClockRate) -> Ticks {
    ClockRate::MILLISECONDS.rescale(ms.saturating_neg(), rate).saturating_neg()
}

fn sound(codec: Codec, format: AudioFormat) -> TrackParameters {
    // RFC 2250 §3.5: MPEG audio runs on the 90 kHz clock; RFC 3551 §4.5: G.711 on its sample rate.
    let clock_rate = match codec {
        Codec::Mp3 => ClockRate::VIDEO,
        _ => ClockRate::new(format.sample_rate).unwrap_or(ClockRate::VIDEO),
    };
    TrackParameters { codec, clock_rate, format: Format::Audio(format), config: Bytes::new() }
}

#[cfg(test)]
mod tests;

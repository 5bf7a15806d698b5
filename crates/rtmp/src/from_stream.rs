//! Lanes -> wire media: the tracks of a stream, merged in order of time, as tag bodies for one player.

mod reading;
mod readings;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use headwater_flv::{MediaWriter, Prefix, write_metadata};
use headwater_graph::{Bell, ConvertError, Join, Stream, Subscription, Track};
use headwater_media::{ClockRate, Codec, TrackKind, TrackParameters};

use self::reading::Reading;
pub(crate) use self::readings::{Ahead, Readings};
use crate::context::Context;

/// What the players of RTMP can show. H.264 goes by the header that all know; the others by FourCC, as there is
/// no other way to show them.
const VIDEO: &[Codec] = &[Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9, Codec::Vp8];
/// Sound that every player takes, the best to convert to first.
const AUDIO: &[Codec] = &[Codec::Aac, Codec::Mp3, Codec::Pcma, Codec::Pcmu];
/// The same for players that know enhanced RTMP.
const AUDIO_ENHANCED: &[Codec] = &[Codec::Aac, Codec::Opus, Codec::Mp3, Codec::Pcma, Codec::Pcmu];

const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];
/// A player without sound or picture looks for it at so many first reads, and then at every so many.
const LOOKS_EARLY: u32 = 100;
const LOOKS_SELDOM: u32 = 8;
/// Stands for the number of tracks seen while one of them has not begun and has to be tried again.
const NOT_ALL_READ: usize = usize::MAX;
/// Counters that all players share are touched once for so many frames, as they travel between processors.
const COUNT_TOGETHER: u64 = 64;

/// Where the media of one player goes.
pub(crate) trait Sink {
    /// The body of an `onMetaData`.
    fn metadata(&mut self, body: Bytes);
    /// A tag body in two parts. Timestamps of one kind never run backwards.
    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes);
    /// Whether enough has been collected to be sent.
    fn is_full(&self) -> bool;
}

/// Which of a stream's tracks a player reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TracksRead {
    /// As many as a player takes.
    All,
    /// Those of so many that it can take; one more could be of use.
    Of(usize),
}

impl TracksRead {
    /// Whether the stream has nothing more for such a player.
    pub(crate) fn are_all_of(self, stream: &Stream) -> bool {
        match self {
            TracksRead::All => true,
            TracksRead::Of(count) => stream.tracks().len() == count,
        }
    }
}

/// Reads a stream for one player.
pub(crate) struct FromStream {
    context: Context,
    subscription: Subscription,
    bell: Bell,
    audio: &'static [Codec],
    readings: Readings,
    /// A track that someone else adds to what is sent, and whether the player still has to be told of it.
    besides: Option<TrackParameters>,
    besides_changed: bool,
    /// How many of the stream's tracks have been looked at.
    tracks_seen: usize,
    reads: u32,
    /// Frames handed on, and bytes sent, that are not yet counted where others see them.
    uncounted: u64,
    uncounted_bytes: u64,
}

impl FromStream {
    /// Joins the tracks that are known: pictures at the newest group, sound at the same time. The bell rings when
    /// there is something to read.
    pub(crate) fn new(context: Context, subscription: Subscription, bell: Bell, enhanced: bool) -> FromStream {
        let mut from = FromStream {
            bell,
            context,
            subscription,
            audio: if enhanced { AUDIO_ENHANCED } else { AUDIO },
            readings: Readings::default(),
            besides: None,
            besides_changed: false,
            tracks_seen: 0,
            reads: 0,
            uncounted: 0,
            uncounted_bytes: 0,
        };
        from.join_new_tracks();
        from
    }

    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// What it was made with.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Whether there is a picture, and whether there is sound.
    pub(crate) fn kinds(&self) -> (bool, bool) {
        let has = |kind| self.readings.list.iter().any(|reading| reading.kind == kind);
        (has(TrackKind::Video), has(TrackKind::Audio))
    }

    /// Hands everything that is new to the sink, until that is full. Says whether there may be more.
    pub(crate) fn read(&mut self, sink: &mut impl Sink) -> bool {
        self.join_new_tracks();
        self.announce(sink);
        self.spare_the_slow();
        while !sink.is_full() {
            match self.readings.ahead() {
                Some(Ahead::Frame { index, time }) => self.uncounted += self.readings.read_frame(index, time, sink),
                Some(Ahead::Change) => self.read_changes(sink),
                None => break,
            }
        }
        if self.uncounted >= COUNT_TOGETHER {
            self.count();
        }
        sink.is_full()
    }

    /// Takes note of bytes that have been sent to the player.
    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.uncounted_bytes += bytes as u64;
    }

    fn count(&mut self) {
        self.context.counters().frames_sent.fetch_add(std::mem::take(&mut self.uncounted), Relaxed);
        self.subscription.viewer().count_sent(std::mem::take(&mut self.uncounted_bytes));
    }

    /// Tells the player of a track that someone else adds to what is read here.
    pub(crate) fn announce_besides(&mut self, track: Option<TrackParameters>) {
        if self.besides != track {
            self.besides = track;
            self.besides_changed = true;
        }
    }

    /// Goes on at the newest group, as after a pause.
    pub(crate) fn skip_to_newest_group(&mut self) {
        let skipped = self.readings.skip_to_newest_group();
        self.context.counters().frames_skipped.fetch_add(skipped, Relaxed);
    }

    /// Which tracks it reads, if none of those that are there is still to be tried again.
    pub(crate) fn tracks(&self) -> Option<TracksRead> {
        if self.readings.list.len() == KINDS.len() {
            return Some(TracksRead::All);
        }
        (self.tracks_seen != NOT_ALL_READ).then_some(TracksRead::Of(self.tracks_seen))
    }

    /// Gives away where it stands, to go on elsewhere until it is taken back.
    pub(crate) fn lend(&mut self) -> Readings {
        std::mem::take(&mut self.readings)
    }

    /// Goes on here.
    pub(crate) fn take_back(&mut self, readings: Readings) {
        self.readings = readings;
    }

    fn spare_the_slow(&mut self) {
        if let Some(limit) = self.readings.limit_passed() {
            limit.hit();
            self.skip_to_newest_group();
        }
    }

    /// Takes the first audio and the first video track, as they become known.
    fn join_new_tracks(&mut self) {
        self.reads = self.reads.wrapping_add(1);
        let complete = self.readings.list.len() == KINDS.len();
        if complete || self.reads > LOOKS_EARLY && !self.reads.is_multiple_of(LOOKS_SELDOM) {
            return;
        }
        let tracks = self.subscription.stream().tracks();
        if tracks.len() == self.tracks_seen {
            return;
        }
        self.tracks_seen = tracks.len();
        for kind in KINDS {
            if self.readings.list.iter().any(|reading| reading.kind == kind) {
                continue;
            }
            let Some(track) = tracks.iter().find(|track| track.kind() == kind) else { continue };
            let start = self.start(track);
            match self.join(track, start) {
                Ok(reading) => self.readings.list.push(reading),
                Err(ConvertError::NotBegun { .. }) => self.tracks_seen = NOT_ALL_READ,
                Err(error) => {
                    tracing::warn!(stream = %self.subscription.stream().name(), %error, "a player goes without a track")
                }
            }
        }
    }

    /// Sound starts where the picture does; pictures at the newest group.
    fn start(&mut self, track: &Arc<Track>) -> Join {
        let accepted = self.accepted(track.kind());
        let picture = self.readings.list.iter_mut().find(|reading| reading.kind == TrackKind::Video);
        let time = picture.and_then(Reading::next_frame_time);
        let renditions = track.renditions();
        let mut parameters = renditions.iter().filter_map(|rendition| rendition.parameters());
        match (time, parameters.find(|parameters| accepted.contains(&parameters.codec))) {
            (Some(time), Some(parameters)) => Join::At(ClockRate::MILLISECONDS.rescale(time, parameters.clock_rate)),
            _ => Join::NewestGroup,
        }
    }

    fn accepted(&self, kind: TrackKind) -> &'static [Codec] {
        match kind {
            TrackKind::Video => VIDEO,
            TrackKind::Audio => self.audio,
        }
    }

    fn join(&self, track: &Arc<Track>, join: Join) -> Result<Reading, ConvertError> {
        let cursor = self.subscription.frames(track, self.accepted(track.kind()), &self.bell, join)?;
        let mut reading = Reading::new(track.clone(), cursor);
        reading.read_changes();
        Ok(reading)
    }

    /// Reads what is not media, and tells the player of new parameters.
    fn read_changes(&mut self, sink: &mut impl Sink) {
        let lost: u64 = self.readings.list.iter_mut().map(Reading::read_changes).sum();
        self.context.counters().frames_skipped.fetch_add(lost, Relaxed);
        self.rejoin_unaccepted();
        self.announce(sink);
    }

    /// A source may change to a codec that this player does not take.
    fn rejoin_unaccepted(&mut self) {
        for index in 0..self.readings.list.len() {
            let Some(reading) = self.readings.list.get(index) else { continue };
            let accepted = self.accepted(reading.kind);
            let codec = reading.parameters.as_ref().map(|parameters| parameters.codec);
            if codec.is_none_or(|codec| accepted.contains(&codec)) {
                continue;
            }
            let (track, last) = (reading.track.clone(), reading.last);
            match self.join(&track, Join::Live) {
                Ok(mut rejoined) => {
                    rejoined.last = last;
                    if let Some(reading) = self.readings.list.get_mut(index) {
                        *reading = rejoined;
                    }
                }
                Err(error) => {
                    tracing::warn!(stream = %self.subscription.stream().name(), %error, "a player goes without a track");
                    if let Some(reading) = self.readings.list.get_mut(index) {
                        reading.writer = None;
                    }
                }
            }
        }
    }

    fn announce(&mut self, sink: &mut impl Sink) {
        if !self.readings.list.iter().any(|reading| reading.changed) && !self.besides_changed {
            return;
        }
        self.besides_changed = false;
        let tracks = self.readings.list.iter().filter_map(|reading| reading.parameters.as_deref());
        let tracks = tracks.chain(&self.besides);
        sink.metadata(write_metadata(tracks, concat!("Headwater ", env!("CARGO_PKG_VERSION"))));
        for reading in &mut self.readings.list {
            if std::mem::take(&mut reading.changed)
                && let Some((prefix, record)) = reading.writer.as_ref().and_then(MediaWriter::config)
            {
                sink.media(reading.kind, reading.last as u32, &prefix, &record);
            }
        }
    }
}

impl Drop for FromStream {
    fn drop(&mut self) {
        self.count();
    }
}

//! Lanes -> wire: the tracks of a stream, merged in order of time, as messages for one viewer.

mod reading;

use std::sync::Arc;

use headwater_graph::{Bell, ConvertError, Join, Subscription, Track};
use headwater_media::{TrackKind, limits::Limit};
use headwater_websocket::{Accept, Missing, Mouth, Reader, Tally, Trouble, kind_name};
use tokio::io::AsyncWrite;

use self::reading::{Ahead, Reading};
use crate::wire::{Message, TrackObject};

/// The picture first, as the sound joins where the picture does.
const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];

/// Reads a stream for one viewer.
pub struct FromStream {
    tally: Tally,
    subscription: Subscription,
    accept: Accept,
    bell: Bell,
    /// Pictures before sound.
    readings: Vec<Reading>,
    missing: Vec<Missing>,
    /// How many of the stream's tracks have been looked at; none while one of them has not begun.
    tracks_seen: Option<usize>,
    announce: bool,
}

impl Reader for FromStream {
    fn read<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) -> Result<(), Trouble> {
        self.join_new_tracks()?;
        self.spare_the_slow(mouth);
        while !mouth.is_full() {
            match self.ahead() {
                Some((index, Ahead::Change)) => self.read_changes(index),
                Some((index, Ahead::Frame(_))) => {
                    self.tell_tracks(mouth);
                    if self.readings.get_mut(index).is_some_and(|reading| reading.read_frame(mouth)) {
                        self.tally.send();
                    }
                }
                None => break,
            }
        }
        self.tell_tracks(mouth);
        Ok(())
    }

    fn bell(&self) -> &Bell {
        &self.bell
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl FromStream {
    pub(crate) fn new(subscription: Subscription, accept: Accept, tally: Tally) -> FromStream {
        FromStream {
            tally,
            subscription,
            accept,
            bell: Bell::new(),
            readings: Vec::new(),
            missing: Vec::new(),
            tracks_seen: None,
            announce: false,
        }
    }

    /// What comes next in the order of time; changes come before all media.
    fn ahead(&mut self) -> Option<(usize, Ahead)> {
        let readings = self.readings.iter_mut().enumerate();
        readings.filter_map(|(index, reading)| Some((index, reading.ahead()?))).min_by_key(|(_, ahead)| *ahead)
    }

    fn read_changes(&mut self, index: usize) {
        let Some(reading) = self.readings.get_mut(index) else { return };
        let (lost, changed) = reading.read_changes();
        self.announce |= changed;
        self.tally.skip(lost);
        let codec = reading.codec();
        if codec.is_some_and(|codec| !self.accept.codecs(codec.kind()).contains(&codec)) {
            self.rejoin(index);
        }
    }

    /// The source has changed to a codec that this viewer does not take.
    fn rejoin(&mut self, index: usize) {
        let Some(reading) = self.readings.get_mut(index) else { return };
        let track = reading.track().clone();
        let accepted = self.accept.codecs(track.kind());
        match self.subscription.frames(&track, accepted, &self.bell, Join::Live) {
            Ok(cursor) => reading.go_on_with(cursor),
            Err(error) => {
                self.readings.remove(index);
                self.miss(track.kind(), &error);
            }
        }
    }

    fn miss(&mut self, kind: TrackKind, error: &ConvertError) {
        tracing::info!(stream = %self.subscription.stream().name(), %error, "a WSPlayer viewer goes without a track");
        self.missing.push(Missing::new(kind, error.to_string()));
        self.announce = true;
    }

    /// Takes the first video and the first audio track, as they become known.
    fn join_new_tracks(&mut self) -> Result<(), Trouble> {
        let tracks = self.subscription.stream().tracks();
        if self.tracks_seen == Some(tracks.len()) {
            return Ok(());
        }
        self.tracks_seen = Some(tracks.len());
        for kind in KINDS {
            let is_settled = self.readings.iter().any(|reading| reading.track().kind() == kind)
                || self.missing.iter().any(|missing| missing.kind == kind_name(kind));
            let Some(track) = tracks.iter().find(|track| track.kind() == kind && !is_settled) else { continue };
            let join = self.start();
            match self.subscription.frames(track, self.accept.codecs(kind), &self.bell, join.of(track)) {
                Ok(cursor) => self.add(track, cursor),
                Err(ConvertError::NotBegun { .. }) => self.tracks_seen = None,
                Err(error) => self.miss(kind, &error),
            }
        }
        if self.readings.is_empty() && self.tracks_seen.is_some() && !self.missing.is_empty() {
            let reasons: Vec<&str> = self.missing.iter().map(|missing| missing.reason.as_str()).collect();
            return Err(Trouble::no_codec(reasons.join("; ")));
        }
        Ok(())
    }

    fn add(&mut self, track: &Arc<Track>, cursor: headwater_graph::Cursor<headwater_media::Frame>) {
        let at = if track.kind() == TrackKind::Video { 0 } else { self.readings.len() };
        let id = u8::try_from(KINDS.iter().position(|kind| *kind == track.kind()).unwrap_or_default()).unwrap_or(0);
        self.readings.insert(at, Reading::new(id, track.clone(), cursor));
    }

    /// Sound starts where the picture does; pictures at the newest group.
    fn start(&mut self) -> Start {
        let picture = self.readings.iter_mut().find(|reading| reading.track().kind() == TrackKind::Video);
        let time = picture.and_then(|picture| {
            let (_, changed) = picture.read_changes();
            self.announce |= changed;
            picture.next_frame_time()
        });
        time.map_or(Start::NewestGroup, Start::At)
    }

    /// Skips to the newest group if the viewer is further behind than it may be.
    fn spare_the_slow<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) {
        let passed: Option<&'static Limit> = self.readings.iter_mut().find_map(Reading::limit_passed);
        let Some(limit) = passed else { return };
        limit.hit();
        let mut skipped = 0;
        let mut picture = None;
        for reading in &mut self.readings {
            skipped += match picture {
                // Sound goes on where the picture does.
                Some(time) => reading.drop_until(time),
                None => reading.skip(),
            };
            if reading.track().kind() == TrackKind::Video {
                picture = reading.next_frame_time();
            }
        }
        self.tally.skip(skipped);
        mouth.text(&Message::Skipped { frames: skipped }.write());
    }

    fn tell_tracks<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) {
        if !std::mem::take(&mut self.announce) {
            return;
        }
        let known = self.readings.iter().filter_map(|reading| Some((reading.id(), reading.parameters()?)));
        let tracks: Vec<TrackObject> = known.map(|(id, parameters)| TrackObject::new(id, parameters)).collect();
        if !tracks.is_empty() {
            let name = self.subscription.stream().name().to_string();
            mouth.text(&Message::tracks(&name, tracks, &self.missing).write());
        }
    }
}

/// Where a track is joined, in microseconds.
#[derive(Clone, Copy)]
enum Start {
    NewestGroup,
    At(i64),
}

impl Start {
    fn of(self, track: &Arc<Track>) -> Join {
        let rate = track.native().parameters().map(|parameters| parameters.clock_rate);
        match (self, rate) {
            (Start::At(time), Some(rate)) => Join::At(crate::wire::ticks(rate, time)),
            _ => Join::NewestGroup,
        }
    }
}

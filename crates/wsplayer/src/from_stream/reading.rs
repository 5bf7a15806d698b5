//! One track as one viewer reads it.

use std::sync::Arc;

use headwater_graph::{Cursor, Next, Track};
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackParameters, limits::Limit};
use headwater_websocket::{Allowance, Mouth};
use tokio::io::AsyncWrite;

use crate::wire::{head, microseconds};

/// What comes next in a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ahead {
    /// New parameters, a break, or frames that were lost.
    Change,
    /// A frame with this decode time in microseconds.
    Frame(i64),
}

/// A track as one viewer reads it.
pub(super) struct Reading {
    id: u8,
    track: Arc<Track>,
    cursor: Cursor<Frame>,
    clock_rate: ClockRate,
    parameters: Option<Arc<TrackParameters>>,
    /// The next frame does not continue what came before.
    has_break: bool,
    allowance: Allowance,
}

impl Reading {
    pub(super) fn new(id: u8, track: Arc<Track>, cursor: Cursor<Frame>) -> Reading {
        Reading {
            id,
            track,
            cursor,
            clock_rate: ClockRate::MILLISECONDS,
            parameters: None,
            has_break: false,
            allowance: Allowance::default(),
        }
    }

    pub(super) fn id(&self) -> u8 {
        self.id
    }

    pub(super) fn track(&self) -> &Arc<Track> {
        &self.track
    }

    pub(super) fn parameters(&self) -> Option<&TrackParameters> {
        self.parameters.as_deref()
    }

    pub(super) fn codec(&self) -> Option<Codec> {
        self.parameters().map(|parameters| parameters.codec)
    }

    /// Goes on with another rendition of the track.
    pub(super) fn go_on_with(&mut self, cursor: Cursor<Frame>) {
        self.cursor = cursor;
        self.parameters = None;
        self.has_break = true;
        self.allowance = Allowance::default();
    }

    /// What comes next, or nothing if nothing new is there.
    pub(super) fn ahead(&mut self) -> Option<Ahead> {
        Some(match self.cursor.next_ticks()? {
            Ticks::MIN => Ahead::Change,
            ticks => Ahead::Frame(microseconds(self.clock_rate, ticks)),
        })
    }

    /// The time of the next frame, if that is what comes next.
    pub(super) fn next_frame_time(&mut self) -> Option<i64> {
        match self.ahead()? {
            Ahead::Frame(time) => Some(time),
            Ahead::Change => None,
        }
    }

    /// Reads up to the next frame; says how many frames were lost on the way, and whether the parameters are others.
    pub(super) fn read_changes(&mut self) -> (u64, bool) {
        let (mut lost, mut changed) = (0, false);
        while self.ahead() == Some(Ahead::Change) {
            match self.cursor.next() {
                Next::Parameters(parameters) => {
                    self.clock_rate = parameters.clock_rate;
                    changed |= self.parameters.as_ref() != Some(parameters);
                    self.parameters = Some(parameters.clone());
                }
                Next::Lost { items } => {
                    lost += items;
                    self.has_break = true;
                }
                Next::Discontinuity => self.has_break = true,
                Next::Item(_) | Next::Empty | Next::Ended => break,
            }
        }
        (lost, changed)
    }

    /// Hands the next frame on; says whether there was one.
    pub(super) fn read_frame<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) -> bool {
        let Next::Item(frame) = self.cursor.next() else { return false };
        let has_break = std::mem::take(&mut self.has_break);
        mouth.binary_with_head(&head(self.id, has_break, self.clock_rate, frame), &frame.data);
        true
    }

    pub(super) fn skip(&mut self) -> u64 {
        self.has_break = true;
        self.allowance = Allowance::default();
        self.cursor.skip_to_newest_group()
    }

    pub(super) fn drop_until(&mut self, time: i64) -> u64 {
        self.has_break = true;
        self.allowance = Allowance::default();
        let mut dropped = 0;
        while self.next_frame_time().is_some_and(|next| next < time) {
            if let Next::Item(_) = self.cursor.next() {
                dropped += 1;
            }
        }
        dropped
    }

    /// The limit that is passed if the viewer has fallen too far behind what it was granted.
    pub(super) fn limit_passed(&mut self) -> Option<&'static Limit> {
        // A change has no time to measure by.
        self.next_frame_time()?;
        self.allowance.limit_passed(self.cursor.lag(), self.clock_rate)
    }
}

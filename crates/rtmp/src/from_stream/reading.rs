//! One track as one player reads it.

use std::sync::Arc;

use headwater_flv::MediaWriter;
use headwater_graph::{Bell, Cursor, Next, Track};
use headwater_media::{
    ClockRate, Frame, Ticks, TrackKind, TrackParameters,
    limits::{self, Limit},
};

use super::Sink;

/// A track as one player reads it.
pub(super) struct Reading {
    pub(super) track: Arc<Track>,
    pub(super) kind: TrackKind,
    pub(super) cursor: Cursor<Frame>,
    pub(super) clock_rate: ClockRate,
    pub(super) parameters: Option<Arc<TrackParameters>>,
    pub(super) writer: Option<MediaWriter>,
    /// The last timestamp sent.
    pub(super) last: i64,
    /// The next frame's time, once it has been looked up.
    pub(super) next: Option<i64>,
    pub(super) changed: bool,
    pub(super) allowance: Allowance,
}

/// How far behind a player may be: it starts with a whole group to catch up with, and is granted that.
#[derive(Clone, Copy, Default)]
pub(super) struct Allowance {
    bytes: u64,
    ms: i64,
    granted: bool,
}

impl Reading {
    pub(super) fn new(track: Arc<Track>, cursor: Cursor<Frame>) -> Reading {
        Reading {
            kind: track.kind(),
            track,
            cursor,
            clock_rate: ClockRate::MILLISECONDS,
            parameters: None,
            writer: None,
            last: 0,
            next: None,
            changed: false,
            allowance: Allowance::default(),
        }
    }

    /// A second reader at the very same place, woken by another bell.
    pub(super) fn fork(&self, bell: &Bell) -> Reading {
        Reading {
            track: self.track.clone(),
            cursor: self.cursor.fork(bell),
            parameters: self.parameters.clone(),
            writer: self.writer.clone(),
            // Who has caught up needs no more time to do so.
            allowance: Allowance { granted: true, ..Allowance::default() },
            ..*self
        }
    }

    /// The time of what comes next: `i64::MIN` for a change, nothing if nothing new is there.
    pub(super) fn next_time(&mut self) -> Option<i64> {
        if self.next.is_none() {
            let ticks = self.cursor.next_ticks()?;
            self.next = (ticks != Ticks::MIN).then(|| milliseconds(self.clock_rate, ticks));
        }
        Some(self.next.unwrap_or(i64::MIN))
    }

    /// The time of the next frame, if that is what comes next.
    pub(super) fn next_frame_time(&mut self) -> Option<i64> {
        self.next_time().filter(|time| *time != i64::MIN)
    }

    /// Reads up to the next frame; says how many frames were lost on the way.
    pub(super) fn read_changes(&mut self) -> u64 {
        let mut lost = 0;
        while self.next_time() == Some(i64::MIN) {
            match self.cursor.next() {
                Next::Parameters(parameters) => {
                    self.clock_rate = parameters.clock_rate;
                    self.writer = MediaWriter::new(parameters);
                    self.parameters = Some(parameters.clone());
                    self.changed = true;
                }
                Next::Lost { items } => lost += items,
                // Stream time goes on evenly across a discontinuity, and so does the player's.
                Next::Discontinuity => {}
                Next::Item(_) | Next::Empty | Next::Ended => break,
            }
        }
        lost
    }

    /// Hands the next frame, whose time has been looked up, to the sink; says how many that were.
    pub(super) fn read_frame(&mut self, time: i64, zero: i64, sink: &mut impl Sink) -> u64 {
        self.next = None;
        let Next::Item(frame) = self.cursor.next() else { return 0 };
        let Some(writer) = &self.writer else { return 0 };
        let timestamp = time.saturating_sub(zero).max(self.last);
        self.last = timestamp;
        let shown = if frame.pts == frame.dts {
            timestamp
        } else {
            milliseconds(self.clock_rate, frame.pts).saturating_sub(zero)
        };
        let prefix = writer.frame(frame.random_access, shown.saturating_sub(timestamp));
        // Players count in 32 bits that wrap.
        sink.media(self.kind, timestamp as u32, &prefix, &frame.data);
        1
    }

    pub(super) fn skip(&mut self) -> u64 {
        self.next = None;
        self.cursor.skip_to_newest_group()
    }

    pub(super) fn drop_until(&mut self, time: i64) -> u64 {
        let mut dropped = 0;
        while self.next_frame_time().is_some_and(|next| next < time) {
            self.next = None;
            if let Next::Item(_) = self.cursor.next() {
                dropped += 1;
            }
        }
        dropped
    }

    /// The limit that is passed if the player has fallen too far behind what it was granted.
    pub(super) fn limit_passed(&mut self) -> Option<&'static Limit> {
        if self.next_time() == Some(i64::MIN) {
            // At a change, which has no time to measure by.
            return None;
        }
        let lag = self.cursor.lag();
        let ms = milliseconds(self.clock_rate, lag.ticks);
        let granted = std::mem::replace(&mut self.allowance.granted, true);
        if !granted {
            (self.allowance.bytes, self.allowance.ms) = (lag.bytes, ms);
        }
        self.allowance.bytes = self.allowance.bytes.min(lag.bytes);
        self.allowance.ms = self.allowance.ms.min(ms);
        let bytes_max = self.allowance.bytes.saturating_add(limits::VIEWER_LAG_BYTES.get());
        let ms_max = self.allowance.ms.saturating_add_unsigned(limits::VIEWER_LAG_MS.get());
        if lag.bytes > bytes_max {
            Some(&limits::VIEWER_LAG_BYTES)
        } else {
            (ms > ms_max).then_some(&limits::VIEWER_LAG_MS)
        }
    }
}

/// The same as rescaling, without its division of 128 bits, for all times that occur.
fn milliseconds(rate: ClockRate, ticks: Ticks) -> i64 {
    match ticks.checked_mul(1_000) {
        Some(product) => product.div_euclid(rate.hertz().into()),
        None => rate.rescale(ticks, ClockRate::MILLISECONDS),
    }
}

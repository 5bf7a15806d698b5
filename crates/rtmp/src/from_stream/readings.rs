//! The tracks of a stream, merged in order of time: where one reader stands in all of them.

use std::{cmp::Ordering, sync::Arc};

use headwater_graph::Bell;
use headwater_media::{TrackKind, TrackParameters, limits::Limit};

use super::{
    Sink,
    reading::{Allowance, Reading},
};

/// Where a reader stands in the tracks of a stream, and where its clock is zero.
#[derive(Default)]
pub(crate) struct Readings {
    pub(super) list: Vec<Reading>,
    /// Stream time at which the player's clock is zero, in milliseconds.
    zero: Option<i64>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// New parameters, a break, or frames that were lost.
    Change,
    /// A frame.
    Frame {
        /// Which of the readings it is in.
        index: usize,
        /// Its stream time in milliseconds.
        time: i64,
    },
}

impl Readings {
    /// What comes next in the order of time; changes come before all media.
    pub(crate) fn ahead(&mut self) -> Option<Ahead> {
        earliest(self.list.iter_mut().enumerate())
    }

    /// Hands a frame that is next in its reading to the sink; says how many that were.
    pub(crate) fn read_frame(&mut self, index: usize, time: i64, sink: &mut impl Sink) -> u64 {
        let zero = *self.zero.get_or_insert(time);
        self.list.get_mut(index).map_or(0, |reading| reading.read_frame(time, zero, sink))
    }

    /// How many milliseconds a frame comes after the one before it in its track.
    pub(crate) fn step(&self, index: usize, time: i64) -> i64 {
        let last = self.list.get(index).map_or(0, |reading| reading.last);
        time.saturating_sub(self.zero.unwrap_or(time)).saturating_sub(last).max(0)
    }

    /// Goes on at the newest group; says how many frames were passed over.
    pub(crate) fn skip_to_newest_group(&mut self) -> u64 {
        let mut skipped = 0;
        self.list.sort_by_key(|reading| reading.kind != TrackKind::Video);
        let mut picture = None;
        for reading in &mut self.list {
            skipped += match picture {
                // Sound goes on where the picture does.
                Some(time) => reading.drop_until(time),
                None => reading.skip(),
            };
            if reading.kind == TrackKind::Video {
                picture = reading.next_frame_time();
            }
            reading.allowance = Allowance::default();
        }
        skipped
    }

    /// The limit that is passed, if one of the tracks is read too slowly.
    pub(crate) fn limit_passed(&mut self) -> Option<&'static Limit> {
        self.list.iter_mut().fold(None, |passed, reading| reading.limit_passed().or(passed))
    }

    /// A second reader that stands exactly here, woken by another bell.
    pub(crate) fn fork(&self, bell: &Bell) -> Readings {
        Readings { list: self.list.iter().map(|reading| reading.fork(bell)).collect(), zero: self.zero }
    }

    /// Stream time at which the clock is zero.
    pub(crate) fn zero(&self) -> Option<i64> {
        self.zero
    }

    /// Sets another zero of the clock, for someone who stands at the same place and began at another time.
    pub(crate) fn set_zero(&mut self, zero: i64) {
        let shift = self.zero.replace(zero).unwrap_or(zero).saturating_sub(zero);
        for reading in &mut self.list {
            reading.last = reading.last.saturating_add(shift);
        }
    }

    /// The timestamps that each track has come to.
    pub(crate) fn timestamps(&self) -> impl Iterator<Item = (TrackKind, u32)> {
        // Players count in 32 bits that wrap.
        self.list.iter().map(|reading| (reading.kind, reading.last as u32))
    }

    /// Reads on to where another stands, as far as that is nothing but frames.
    pub(crate) fn read_up_to(&mut self, other: &Readings, sink: &mut impl Sink) -> u64 {
        let mut frames = 0;
        while !sink.is_full() {
            let behind = |(_, reading): &(usize, &mut Reading)| {
                let there = other.of(reading.kind);
                there.and_then(|there| reading.cursor.compare(&there.cursor)) == Some(Ordering::Less)
            };
            match earliest(self.list.iter_mut().enumerate().filter(behind)) {
                Some(Ahead::Frame { index, time }) => frames += self.read_frame(index, time, sink),
                Some(Ahead::Change) | None => break,
            }
        }
        frames
    }

    /// Whether it has come further than another in any track.
    pub(crate) fn is_ahead_of(&self, other: &Readings) -> bool {
        self.list.iter().any(|here| {
            other.of(here.kind).and_then(|there| here.cursor.compare(&there.cursor)) == Some(Ordering::Greater)
        })
    }

    /// Whether the next frame of every track is the same for both, and what is said of it as well: the same
    /// parameters are known, and the same stream time was last sent.
    pub(crate) fn is_in_step_with(&self, other: &Readings) -> bool {
        let (Some(zero), Some(other_zero)) = (self.zero, other.zero) else { return false };
        !self.list.is_empty()
            && self.list.len() == other.list.len()
            && self.list.iter().all(|here| {
                other.of(here.kind).is_some_and(|there| {
                    here.cursor.compare(&there.cursor) == Some(Ordering::Equal)
                        && same(here.parameters.as_ref(), there.parameters.as_ref())
                        && !here.changed
                        && here.writer.is_some() == there.writer.is_some()
                        && here.last.checked_add(zero) == there.last.checked_add(other_zero)
                })
            })
    }

    fn of(&self, kind: TrackKind) -> Option<&Reading> {
        self.list.iter().find(|reading| reading.kind == kind)
    }
}

fn earliest<'a>(readings: impl Iterator<Item = (usize, &'a mut Reading)>) -> Option<Ahead> {
    let times = readings.filter_map(|(index, reading)| Some((index, reading.next_time()?)));
    let (index, time) = times.min_by_key(|(_, time)| *time)?;
    Some(if time == i64::MIN { Ahead::Change } else { Ahead::Frame { index, time } })
}

fn same(here: Option<&Arc<TrackParameters>>, there: Option<&Arc<TrackParameters>>) -> bool {
    match (here, there) {
        (Some(here), Some(there)) => Arc::ptr_eq(here, there),
        _ => false,
    }
}

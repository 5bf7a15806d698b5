//! In which order the lanes of a rendition are read.

use std::{sync::Arc, time::Duration};

use headwater_graph::Cursor;
use headwater_media::{Frame, Ticks, TrackParameters};

/// Sound is waited for so long in media time, so that parts have both; what is later goes into the next part.
const SOUND_WAIT: Duration = Duration::from_millis(250);

/// One lane as far as it has been read.
pub(super) struct Reading {
    pub(super) cursor: Cursor<Frame>,
    pub(super) parameters: Option<Arc<TrackParameters>>,
    /// Stream time of the last frame.
    pub(super) last: Option<Duration>,
    pub(super) has_ended: bool,
}

/// What is to be done next with several readings.
pub(super) enum Turn {
    /// Reads this one, which has something.
    Read(usize),
    /// Looks whether this one has its first parameters now; nothing else can be read before.
    Await(usize),
    /// Nothing has come on any: looks which ones have ended.
    TakeEnds,
    /// Nothing is to be read now.
    Rest,
}

/// What stands next in a reading.
enum Ahead {
    Change,
    Frame(Duration),
    Nothing,
}

impl Reading {
    pub(super) fn new(cursor: Cursor<Frame>) -> Reading {
        Reading { cursor, parameters: None, last: None, has_ended: false }
    }

    fn ahead(&mut self) -> Ahead {
        match (self.cursor.next_ticks(), &self.parameters) {
            (None, _) => Ahead::Nothing,
            (Some(Ticks::MIN), _) | (_, None) => Ahead::Change,
            (Some(ticks), Some(parameters)) => Ahead::Frame(parameters.clock_rate.duration(ticks)),
        }
    }
}

/// Which one is to be read: changes first, then the earliest frame, the lead's not long before its sound.
pub(super) fn turn(readings: &mut [Reading]) -> Turn {
    let ahead: Vec<Ahead> = readings.iter_mut().map(Reading::ahead).collect();
    if let Some(index) = ahead.iter().position(|ahead| matches!(ahead, Ahead::Change)) {
        return Turn::Read(index);
    }
    let is_unknown = |reading: &Reading| reading.parameters.is_none() && !reading.has_ended;
    if let Some(index) = readings.iter().position(is_unknown) {
        // A frame of one track that is read before the others are known would be lost, and it may be the only one for
        // long that a decoder can start at. What this one yields first is its parameters.
        return Turn::Await(index);
    }
    let times = ahead.iter().enumerate();
    let frames =
        times.filter_map(|(index, ahead)| if let Ahead::Frame(time) = ahead { Some((*time, index)) } else { None });
    match frames.min() {
        None => Turn::TakeEnds,
        Some((time, 0)) if waits_for_sound(time, &ahead, readings) => Turn::Rest,
        Some((_, index)) => Turn::Read(index),
    }
}

/// Whether the next picture is kept back until the sound has come as far.
fn waits_for_sound(time: Duration, ahead: &[Ahead], readings: &[Reading]) -> bool {
    let is_behind = ahead.iter().zip(readings).skip(1).any(|(ahead, reading)| {
        matches!(ahead, Ahead::Nothing) && !reading.has_ended && reading.last.is_some_and(|last| last < time)
    });
    let lead = readings.first().and_then(|lead| Some((lead, lead.parameters.as_ref()?.clock_rate)));
    is_behind && lead.is_some_and(|(lead, rate)| rate.duration(lead.cursor.lag().ticks) <= SOUND_WAIT)
}

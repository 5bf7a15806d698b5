//! From a source's timestamps to the stream's time.
//!
//! Invariant: within a lane, time goes forward as the source's own does, but for a correction of at most a twentieth;
//! all packets of one picture get one time, those that come late included.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use headwater_media::{ClockRate, Ticks};

/// The clock of one source.
///
/// At first its packets stand where they arrived. Once sender reports (RFC 3550 §6.4.1), or packets themselves
/// (abs-capture-time), say when they were captured, they are moved, little by little, to where they belong beside the other sources of the publisher.
#[derive(Clone, Debug)]
pub(crate) struct SourceClock {
    rate: ClockRate,
    newest: Option<Newest>,
    /// Added to the source's timestamps.
    offset: Ticks,
    /// Where the offset should be.
    goal: Option<Ticks>,
    /// From which timestamp on which offset was in force, the oldest first: for packets that come late.
    steps: VecDeque<(Ticks, Ticks)>,
    report: Option<Report>,
    /// The same, said by a packet itself: more precise than a report.
    captured: Option<Report>,
    /// Before this nothing may begin: the time of another source that this one follows in its lane.
    floor: Ticks,
}

/// The newest packet: its timestamp and when it arrived, in stream time.
#[derive(Clone, Copy, Debug)]
struct Newest {
    timestamp: Ticks,
    arrived: Duration,
}

/// What a sender report says: this timestamp was captured at this time of the sender's clock.
#[derive(Clone, Copy, Debug)]
struct Report {
    timestamp: u32,
    captured: SystemTime,
}

/// A place in the stream's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It continues what came before.
    At(Ticks),
    /// The source's time has jumped: it does not.
    Jumped(Ticks),
}

/// The part of the passing time by which a source is moved towards its place.
const SLEW: Ticks = 20;
/// A source's time that goes by this differently from the time of arrival has jumped.
const JUMP: Duration = Duration::from_secs(5);
/// Sources that are further apart than this do not have one clock, whatever their reports say.
const APART_MAX: Duration = Duration::from_secs(10);
/// Closer than this, sources are together: reports are no more precise.
const APART_MIN: Duration = Duration::from_millis(5);
/// Steps kept for late packets; at 50 pictures a second, a bit more than a second.
const STEPS_KEPT: usize = 64;

impl SourceClock {
    pub(crate) fn new(rate: ClockRate) -> SourceClock {
        SourceClock {
            rate,
            newest: None,
            offset: 0,
            goal: None,
            steps: VecDeque::new(),
            report: None,
            captured: None,
            floor: 0,
        }
    }

    pub(crate) fn rate(&self) -> ClockRate {
        self.rate
    }

    /// The place of a packet with this timestamp, extended, that arrives now in stream time.
    pub(crate) fn place(&mut self, timestamp: Ticks, arrived: Duration) -> Placed {
        let Some(newest) = self.newest else {
            self.anchor(timestamp, self.rate.ticks(arrived).max(self.floor), arrived);
            return Placed::At(timestamp.saturating_add(self.offset));
        };
        let ahead = timestamp.saturating_sub(newest.timestamp);
        let waited = self.rate.ticks(arrived.saturating_sub(newest.arrived));
        if ahead.saturating_sub(waited).unsigned_abs() > self.rate.ticks(JUMP).unsigned_abs() {
            let after_newest = newest.timestamp.saturating_add(self.offset).saturating_add(self.step());
            self.anchor(timestamp, self.rate.ticks(arrived).max(after_newest), arrived);
            return Placed::Jumped(timestamp.saturating_add(self.offset));
        }
        if ahead > 0 {
            self.slew(timestamp, ahead);
            self.newest = Some(Newest { timestamp, arrived });
        }
        Placed::At(timestamp.saturating_add(self.offset_at(timestamp)))
    }

    /// The source begins anew: another number, another codec.
    pub(crate) fn restart(&mut self, rate: ClockRate) {
        let newest = self.newest.map(|newest| newest.timestamp.saturating_add(self.offset));
        let floor = newest.map_or(self.floor, |newest| newest.saturating_add(self.step()));
        *self = SourceClock { floor: self.rate.rescale(floor, rate), ..SourceClock::new(rate) };
    }

    /// Takes what a sender report says.
    pub(crate) fn report(&mut self, timestamp: u32, captured: SystemTime) {
        // A peer without a clock says zero (RFC 3550 §6.4.1).
        if captured > SystemTime::UNIX_EPOCH {
            self.report = Some(Report { timestamp, captured });
        }
    }

    /// Takes what a packet with this timestamp, extended, says of its own capture. Says whether that is news: once in a
    /// second is enough, whoever says it in every packet.
    pub(crate) fn captured(&mut self, timestamp: Ticks, captured: SystemTime) -> bool {
        let report = Report { timestamp: timestamp as u32, captured };
        let is_news =
            self.captured.is_none_or(|known| report.timestamp.wrapping_sub(known.timestamp) >= self.rate.hertz());
        if is_news && captured > SystemTime::UNIX_EPOCH {
            self.captured = Some(report);
        }
        is_news
    }

    pub(crate) fn has_report(&self) -> bool {
        (self.report.is_some() || self.captured.is_some()) && self.newest.is_some()
    }

    /// Moves this source to where `master` says that it belongs: things captured together get the same time.
    pub(crate) fn follow(&mut self, master: &SourceClock) {
        if let Some(goal) = self.goal_beside(master) {
            let apart = self.rate.duration((goal.saturating_sub(self.offset)).saturating_abs());
            self.goal = (APART_MIN..APART_MAX).contains(&apart).then_some(goal);
        }
    }

    fn goal_beside(&self, master: &SourceClock) -> Option<Ticks> {
        // The two need not be of one clock: who passes media on captures by another than it reports by.
        let captured = self.reported(self.captured).zip(master.reported(master.captured));
        let (own, other) = captured.or_else(|| self.reported(self.report).zip(master.reported(master.report)))?;
        let at_other = i128::from(other.0.saturating_add(master.offset));
        let between = match own.1.duration_since(other.1) {
            Ok(later) => i128::try_from(later.as_nanos()).ok()?,
            Err(earlier) => -i128::try_from(earlier.duration().as_nanos()).ok()?,
        };
        const NANOS: i128 = 1_000_000_000;
        let nanos = at_other.checked_mul(NANOS)? / i128::from(master.rate.hertz()) + between;
        let ticks = nanos.checked_mul(i128::from(self.rate.hertz()))? / NANOS;
        Ticks::try_from(ticks).ok()?.checked_sub(own.0)
    }

    /// The timestamp of a report, extended beside the newest packet, and when it was captured.
    fn reported(&self, report: Option<Report>) -> Option<(Ticks, SystemTime)> {
        let (report, newest) = (report?, self.newest?);
        let ahead = report.timestamp.wrapping_sub(newest.timestamp as u32) as i32;
        Some((newest.timestamp.saturating_add(Ticks::from(ahead)), report.captured))
    }

    fn anchor(&mut self, timestamp: Ticks, at: Ticks, arrived: Duration) {
        self.newest = Some(Newest { timestamp, arrived });
        self.offset = at.saturating_sub(timestamp);
        self.goal = None;
        (self.report, self.captured) = (None, None);
        self.steps.clear();
    }

    fn slew(&mut self, timestamp: Ticks, ahead: Ticks) {
        let Some(goal) = self.goal else { return };
        let error = goal.saturating_sub(self.offset);
        let step = (ahead / SLEW).max(1);
        if self.steps.is_empty() {
            self.steps.push_back((Ticks::MIN, self.offset));
        }
        self.offset = self.offset.saturating_add(error.clamp(-step, step));
        self.steps.push_back((timestamp, self.offset));
        if self.steps.len() > STEPS_KEPT {
            self.steps.pop_front();
        }
        if self.offset == goal {
            self.goal = None;
        }
    }

    fn offset_at(&self, timestamp: Ticks) -> Ticks {
        let step = self.steps.iter().rev().find(|(from, _)| *from <= timestamp);
        step.or(self.steps.front()).map_or(self.offset, |(_, offset)| *offset)
    }

    /// The shortest step in time over a jump: a picture at 50 per second.
    fn step(&self) -> Ticks {
        Ticks::from(self.rate.hertz()) / 50
    }
}

#[cfg(test)]
mod tests;

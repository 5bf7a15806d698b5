//! What all agents of a task have seen together: each hands its part over once in a second.

mod spread;

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;

use crate::{
    decode::Verdict,
    failure::{Failure, Reason},
    outcome::{FailureRow, TaskRow},
    plan::TaskPlan,
    seen::{Counts, Seen},
};

pub(crate) use spread::Spread;

/// What the agents of one task have seen.
#[derive(Debug)]
pub(crate) struct Board(Mutex<Tally>);

/// The sums of a task.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: u64,
    pub(crate) joined: u64,
    pub(crate) live: u64,
    pub(crate) live_max: u64,
    pub(crate) left: u64,
    failures: BTreeMap<Reason, (u64, String)>,
    pub(crate) counts: Counts,
    pub(crate) latency: Spread,
    first_packet: Spread,
    first_picture: Spread,
    back: Spread,
    rejoined: u64,
    join: Spread,
    jitter: Spread,
    round_trip: Spread,
    verdict: Verdict,
    /// Since the series was last written.
    pub(crate) recent: Recent,
}

/// What has come within the second that is not over yet.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pub(crate) counts: Counts,
    pub(crate) latency: Spread,
}

impl Board {
    pub(crate) fn new() -> Board {
        Board(Mutex::default())
    }

    /// An agent begins to ask, be it again because it lost what it had.
    pub(crate) fn ask(&self, is_again: bool) {
        let mut tally = self.0.lock();
        tally.asked += 1;
        tally.rejoined += u64::from(is_again);
    }

    /// An agent is there: its session has come about, so long after it asked.
    pub(crate) fn join(&self, after: Duration) {
        let mut tally = self.0.lock();
        tally.joined += 1;
        tally.live += 1;
        tally.live_max = tally.live_max.max(tally.live);
        tally.join.add(after);
    }

    /// An agent is gone: as it was told, or not.
    pub(crate) fn leave(&self, was_live: bool, ended: Result<(), Failure>) {
        let mut tally = self.0.lock();
        tally.live = tally.live.saturating_sub(u64::from(was_live));
        match ended {
            Ok(()) => tally.left += 1,
            Err(failure) => {
                let row = tally.failures.entry(failure.reason).or_insert_with(|| (0, failure.words));
                row.0 += 1;
            }
        }
    }

    /// The first media has been sent by a publisher, so long after it asked.
    pub(crate) fn sent_first(&self, after: Duration) {
        self.0.lock().first_packet.add(after);
    }

    /// Takes over what an agent has seen, and leaves it empty.
    pub(crate) fn take(&self, seen: &mut Seen, way: Way) {
        let mut tally = self.0.lock();
        let counts = std::mem::take(&mut seen.counts);
        tally.counts.add(&counts);
        tally.recent.counts.add(&counts);
        for micros in seen.latencies.drain(..) {
            let latency = Duration::from_micros(micros.into());
            tally.latency.add(latency);
            tally.recent.latency.add(latency);
        }
        if let Some(firsts) = seen.take_firsts() {
            firsts.packet.into_iter().for_each(|time| tally.first_packet.add(time));
            tally.first_picture.add(firsts.picture);
            firsts.back.into_iter().for_each(|time| tally.back.add(time));
        }
        way.jitter.into_iter().for_each(|time| tally.jitter.add(time));
        way.round_trip.into_iter().for_each(|time| tally.round_trip.add(time));
    }

    /// Takes over what a decoder said of some pictures.
    pub(crate) fn judge(&self, verdict: &Verdict) {
        self.0.lock().verdict.add(verdict);
    }

    /// Looks at the sums.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut self.0.lock())
    }
}

/// What an agent knows of the way to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    pub(crate) jitter: Option<Duration>,
    pub(crate) round_trip: Option<Duration>,
}

impl Tally {
    /// How many have failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().map(|(count, _)| count).sum()
    }

    /// How many are on their way: they have asked, and are neither there nor gone.
    pub(crate) fn arriving(&self) -> u64 {
        self.asked.saturating_sub(self.left).saturating_sub(self.failed()).saturating_sub(self.live)
    }

    /// The row of the result; media flowed for so long.
    pub(crate) fn row(&self, task: &TaskPlan, time: Duration) -> TaskRow {
        let counts = &self.counts;
        let seconds = time.as_secs_f64();
        let lost = u64::try_from(counts.lost).unwrap_or(0);
        let expected = counts.packets.saturating_add(lost);
        let failures = self.failures.iter();
        TaskRow {
            what: task.what,
            target: task.shown(),
            count: task.count.into(),
            asked: self.asked,
            rejoined: self.rejoined,
            joined: self.joined,
            live: self.live,
            live_max: self.live_max,
            left: self.left,
            failed: self.failed(),
            failures: failures
                .map(|(reason, (count, example))| FailureRow {
                    reason: *reason,
                    count: *count,
                    example: example.clone(),
                })
                .collect(),
            packets: counts.packets,
            bytes: counts.bytes,
            bitrate: if seconds > 0.0 { counts.bytes as f64 * 8.0 / seconds } else { 0.0 },
            lost,
            loss: if expected > 0 { lost as f64 / expected as f64 } else { 0.0 },
            recovered: counts.recovered,
            reordered: counts.reordered,
            duplicates: counts.duplicates,
            pictures: counts.pictures,
            freezes: counts.freezes,
            frozen_s: counts.frozen_us as f64 / 1e6,
            key_frame_requests: counts.key_frame_requests,
            playlists: counts.playlists,
            segments: counts.segments,
            parts: counts.parts,
            join_ms: self.join.read(),
            first_packet_ms: self.first_packet.read(),
            first_picture_ms: self.first_picture.read(),
            back_ms: self.back.read(),
            latency_ms: self.latency.read(),
            jitter_ms: self.jitter.read(),
            round_trip_ms: self.round_trip.read(),
            decoded: self.verdict.row(),
        }
    }
}

#[cfg(test)]
mod tests;

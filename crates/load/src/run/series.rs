//! What happened second by second; of bounded length, however long the run is.

use std::{sync::Arc, time::Duration};

use headwater_media::limits;

use crate::{
    figures::{Board, Recent, Spread},
    outcome::{Generator, Point},
    process::Meter,
};

/// The points of a run.
#[derive(Debug, Default)]
pub(super) struct Series {
    points: Vec<Point>,
    last: Duration,
    cpu_s: f64,
    cost: Option<Generator>,
    ended: Option<Duration>,
}

impl Series {
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// What the agents cost in the end.
    pub(super) fn last_cost(&self) -> Option<Generator> {
        self.cost.filter(|_| self.ended.is_some())
    }

    /// How long the run was, once it is over.
    pub(super) fn ended(&self) -> Option<Duration> {
        self.ended
    }

    /// Adds the last point.
    pub(super) fn end(&mut self, boards: &[Arc<Board>], meter: &Meter, at: Duration) {
        self.add(boards, meter, at);
        self.ended = Some(at);
    }

    /// Adds what has happened since the last point.
    pub(super) fn add(&mut self, boards: &[Arc<Board>], meter: &Meter, at: Duration) {
        let seconds = at.saturating_sub(self.last).as_secs_f64().max(1e-3);
        let cost = meter.read();
        let mut point = Point {
            at: at.as_secs_f64(),
            seconds,
            cores: (cost.cpu_s - self.cpu_s).max(0.0) / seconds,
            memory_bytes: cost.memory_bytes,
            ..Point::default()
        };
        let mut latency = Spread::default();
        let (mut bytes, mut lost) = (0u64, 0i64);
        for board in boards {
            let recent: Recent = board.read(|tally| {
                point.live += tally.live;
                point.failed += tally.failed();
                std::mem::take(&mut tally.recent)
            });
            bytes += recent.counts.bytes;
            lost += recent.counts.lost;
            point.freezes += recent.counts.freezes;
            latency.add_all(&recent.latency);
        }
        point.bitrate = bytes as f64 * 8.0 / seconds;
        point.lost = u64::try_from(lost).unwrap_or(0);
        let quantiles = latency.read();
        point.latency_p50_ms = quantiles.map(|read| read.p50);
        point.latency_p99_ms = quantiles.map(|read| read.p99);
        (self.last, self.cpu_s, self.cost) = (at, cost.cpu_s, Some(cost));
        self.push(point);
    }

    fn push(&mut self, point: Point) {
        self.points.push(point);
        if self.points.len() > limits::LOAD_POINTS.get_usize().max(2) {
            self.points = self.points.chunks(2).map(joined).collect();
        }
    }
}

/// One point in place of two: sums and averages over both, the worst of their latencies.
fn joined(points: &[Point]) -> Point {
    let [first, second] = points else { return points.first().copied().unwrap_or_default() };
    let seconds = first.seconds + second.seconds;
    let average = |a: f64, b: f64| (a * first.seconds + b * second.seconds) / seconds;
    let worst = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    Point {
        seconds,
        bitrate: average(first.bitrate, second.bitrate),
        cores: average(first.cores, second.cores),
        lost: first.lost + second.lost,
        freezes: first.freezes + second.freezes,
        latency_p50_ms: worst(first.latency_p50_ms, second.latency_p50_ms),
        latency_p99_ms: worst(first.latency_p99_ms, second.latency_p99_ms),
        ..*second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_all_of_its_time_in_fewer_points() {
        let mut series = Series::default();
        let count = limits::LOAD_POINTS.get_usize() * 5;
        for index in 0..count {
            let at = (index + 1) as f64;
            series.push(Point { at, seconds: 1.0, lost: 1, bitrate: 8.0, ..Point::default() });
        }
        assert!(series.points().len() <= limits::LOAD_POINTS.get_usize());
        let sum = |of: fn(&Point) -> f64| series.points().iter().map(of).sum::<f64>();
        assert_eq!((sum(|point| point.seconds), sum(|point| point.lost as f64)), (count as f64, count as f64));
        assert!(series.points().iter().all(|point| (point.bitrate - 8.0).abs() < 1e-9));
        assert!(series.points().is_sorted_by(|a, b| a.at < b.at));
    }
}

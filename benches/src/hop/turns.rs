//! The same crowd at the origin and at the edge by turns: CPU time, and when packets arrive.

use std::{
    collections::HashMap,
    process,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Options, nodes::Nodes};
use crate::{
    clock::{machine_time, process_time},
    publisher::STREAM,
    report::percentile,
    server::Server,
    webrtc::{Crowd, Sight},
};

/// One viewer in so many tells when its packets arrive.
const TIMED: usize = 20;
/// What joins leave behind is over.
const SETTLE: Duration = Duration::from_secs(2);
/// The viewer who is at the origin all the time, and the one at the edge.
const AT_ORIGIN: usize = 0;
const RESIDENTS: usize = 2;

/// Where the crowd is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Origin,
    Edge,
}

impl Place {
    pub(super) fn of(self, nodes: &Nodes) -> &Server {
        match self {
            Place::Origin => &nodes.origin,
            Place::Edge => &nodes.edge,
        }
    }
}

/// All turns at one place.
#[derive(Default)]
pub(super) struct Turns {
    /// CPU time of the node for each packet that it sent, in nanoseconds, by turn.
    pub(super) costs: Vec<f64>,
    pub(super) time: Duration,
    pub(super) sent: f64,
    pub(super) elapsed: f64,
    /// Milliseconds from publisher to viewer.
    pub(super) ages: Vec<f64>,
    /// Milliseconds from a packet's arrival at the viewer of the origin to that at one of the crowd.
    pub(super) added: Vec<f64>,
    /// The 99th percentile of them, by turn.
    pub(super) added_p99: Vec<f64>,
    /// CPU time of the other node meanwhile, which has one viewer.
    pub(super) beside: Duration,
    /// Of all programs that are no part of the bench.
    pub(super) strangers: Duration,
}

impl Turns {
    pub(super) fn cost(&self) -> f64 {
        self.time.as_nanos() as f64 / self.sent.max(1.0)
    }

    /// The viewers come, watch and go. Returns how many there were, and for how long they waited for their first
    /// packets, in milliseconds.
    pub(super) fn watch(
        &mut self,
        options: &Options,
        nodes: &Nodes,
        place: Place,
        crowd: &mut Crowd,
    ) -> Result<Vec<f64>> {
        ensure!(crowd.len() == RESIDENTS, "the viewers who stay are not there");
        let server = place.of(nodes);
        let other = if place == Place::Origin { &nodes.edge } else { &nodes.origin };
        for viewer in 0..options.viewers {
            let sight = if viewer % TIMED == 0 { Sight::Timed } else { Sight::BlindToBursts };
            crowd.join_at(server.http, STREAM, sight).with_context(|| nodes.log())?;
        }
        let joins = crowd.join_times().split_off(RESIDENTS);
        crowd.run(SETTLE)?;
        crowd.begin();
        let begin = Instant::now();
        let strangers = || -> Result<Duration> {
            let own = process_time(process::id())? + process_time(server.pid())? + process_time(other.pid())?;
            Ok(machine_time()?.saturating_sub(own))
        };
        let strange = strangers()?;
        let packets = || server.metric("headwater_webrtc_packets_total");
        let (before, beside, sent) = (process_time(server.pid())?, process_time(other.pid())?, packets()?);
        crowd.run(Duration::from_secs(options.seconds))?;
        let time = process_time(server.pid())?.saturating_sub(before);
        let sent = packets()? - sent;
        self.strangers += strangers()?.saturating_sub(strange);
        self.beside += process_time(other.pid())?.saturating_sub(beside);
        self.elapsed += begin.elapsed().as_secs_f64();
        self.time += time;
        self.sent += sent;
        self.costs.push(time.as_nanos() as f64 / sent.max(1.0));
        let connected = crowd.connected();
        ensure!(connected == crowd.len(), "only {connected} viewers are still connected: {}", nodes.log());
        let mut added = self.compare(crowd);
        ensure!(!added.is_empty(), "no packet came to viewers of both: {}", nodes.log());
        self.added_p99.push(percentile(&mut added, 0.99));
        self.added.append(&mut added);
        crowd.keep(RESIDENTS)?;
        Ok(joins)
    }

    /// How much later than at the viewer of the origin each packet arrived at those of the crowd.
    fn compare(&mut self, crowd: &Crowd) -> Vec<f64> {
        let at_origin: HashMap<Duration, Duration> =
            crowd.timings_of(AT_ORIGIN).iter().map(|timing| (timing.sent, timing.age)).collect();
        let mut added = Vec::new();
        for viewer in RESIDENTS..crowd.len() {
            for timing in crowd.timings_of(viewer) {
                let age = timing.age.as_secs_f64() * 1e3;
                self.ages.push(age);
                added.extend(at_origin.get(&timing.sent).map(|before| age - before.as_secs_f64() * 1e3));
            }
        }
        added
    }
}

/// The viewers who stay, at the origin and at the edge.
pub(super) fn residents(nodes: &Nodes) -> Result<Crowd> {
    let mut crowd = Crowd::new(nodes.edge.http)?;
    crowd.join_at(nodes.origin.http, STREAM, Sight::Timed)?;
    crowd.join_at(nodes.edge.http, STREAM, Sight::Timed)?;
    Ok(crowd)
}

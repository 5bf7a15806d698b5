//! Clocks that are set while servers run: an hour ahead, an hour back.
//!
//! libfaketime stands between a server and its clock; what it tells of the time that has passed stays true, as on a
//! machine whose clock is set.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, report, scratch, shared_turn, tools};

use super::{longest_gap, publish, until_back, watch};
use crate::hosts::node::{Node, Surroundings, plain};

/// The clock of a machine.
struct Clock {
    preload: PathBuf,
    file: PathBuf,
}

impl Clock {
    fn new() -> Result<Clock> {
        let clock = Clock { preload: tools::clock()?, file: scratch("clock")? };
        clock.set(0)?;
        Ok(clock)
    }

    /// So many hours from the true time.
    fn set(&self, hours: i32) -> Result<()> {
        std::fs::write(&self.file, format!("{hours:+}h\n")).context("the clock could not be set")
    }
}

/// A server on a machine with that clock.
fn start(network: &Network, role: &str, entry: &[&str], clock: &Clock) -> Result<Node> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (preload, file) = (text(&clock.preload), text(&clock.file));
    let variables = [
        ("LD_PRELOAD", preload.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_NO_CACHE", "1"),
    ];
    let around = Surroundings { variables: &variables, ..Surroundings::default() };
    Node::start_in(&around, network.host(role)?, role, entry, Vec::new())
}

/// Insists that a server lives by a clock that is so many hours from the true one, as the last line of its log says
/// (RFC 3339). `Date` of its answers does not: that stands still in a clock that was set back.
fn lives_by(server: &Node, hours: i32) -> Result<()> {
    let log = server.log();
    let time = log.lines().rev().find_map(|line| line.get(11..16).filter(|_| line.starts_with("20")));
    let time = time.with_context(|| format!("no time in the log: {log}"))?;
    let (hour, minute) = time.split_once(':').context("no time of day")?;
    let told = hour.parse::<i32>()? * 60 + minute.parse::<i32>()?;
    let passed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 60;
    let off = (told - i32::try_from(passed % 1_440)? - hours * 60).rem_euclid(1_440);
    ensure!(off <= 1 || off >= 1_435, "the clock of {} says {time}", server.host.name());
    Ok(())
}

#[test]
fn a_clock_that_is_set_by_an_hour_stops_no_stream_and_keeps_nobody_out() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let (clock_of_origin, clock_of_edge) = (Clock::new()?, Clock::new()?);
        let origin = start(&network, "origin", &[], &clock_of_origin)?;
        let edge = start(&network, "edge", &[&plain(&origin.host)], &clock_of_edge)?;
        edge.wait_nodes(1)?;
        let home = network.host("home")?;
        let _publisher = publish(&home, &origin, "cam")?;
        let viewer = watch(&home, &edge, "cam")?;
        let steps: [(&str, &Node, &Clock, i32); 4] = [
            ("the edge an hour ahead", &edge, &clock_of_edge, 1),
            ("the edge an hour back", &edge, &clock_of_edge, -1),
            ("and the origin an hour ahead", &origin, &clock_of_origin, 1),
            ("and the origin two hours back", &origin, &clock_of_origin, -2),
        ];
        for (number, (what, server, clock, hours)) in steps.into_iter().enumerate() {
            clock.set(hours)?;
            until_back(&viewer).with_context(|| format!("{what}: {}", edge.log()))?;
            ensure!(edge.metric("headwater_cluster_nodes")? == Some(1.0), "{what}: the origin is taken for dead");
            // What is new is fetched anew, with a token by the clock as it is now.
            let name = format!("cam{number}");
            let _new = publish(&home, &origin, &name)?;
            watch(&home, &edge, &name).context(what)?;
            lives_by(server, hours)?;
        }
        let gap = longest_gap(viewer)?;
        report(&format!("clocks set by an hour and two while somebody watched: longest gap by the stamps {gap} ms"));
        ensure!(gap < 1_000, "the stream stood for {gap} ms");
        Ok(())
    })
}

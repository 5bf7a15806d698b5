//! What people read: one line while a run goes on, a table at its end.

use std::io::{Result, Write};

use headwater_load::{Outcome, Phase, Quantiles, TaskRow};

/// How a run goes, in one line.
pub(crate) fn line(outcome: &Outcome) -> String {
    let sum = |of: fn(&TaskRow) -> u64| outcome.tasks.iter().map(of).sum::<u64>();
    let (live, count, failed) = (sum(|task| task.live), sum(|task| task.count), sum(|task| task.failed));
    let rate = outcome.series.last().map_or(0.0, |point| point.bitrate) / 1e6;
    let phase = match outcome.phase {
        Phase::Preparing => "preparing",
        Phase::Ramping => "they come",
        Phase::Holding => "they stay",
        Phase::Leaving => "they leave",
        Phase::Done | Phase::Failed => "over",
    };
    format!(
        "{phase}: {live} of {count} there, {failed} failed, {rate:.1} Mbit/s, {} lost, {:.2} cores",
        sum(|task| task.lost),
        outcome.series.last().map_or(0.0, |point| point.cores),
    )
}

/// What a run has found.
///
/// # Errors
/// Nobody reads it any more.
pub(crate) fn write(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{}: {:.1} s", outcome.name, outcome.seconds)?;
    if let Some(error) = &outcome.error {
        return writeln!(out, "  could not begin: {error}");
    }
    for task in &outcome.tasks {
        write_task(task, out)?;
    }
    let cost = &outcome.generator;
    let memory = cost.memory_bytes as f64 / (1 << 20) as f64;
    writeln!(out, "  the agents took {:.1} s of CPU, {:.2} cores, {memory:.0} MiB", cost.cpu_s, cost.cores)?;
    for check in &outcome.checks {
        let verdict = if check.kept { "kept" } else { "BROKEN" };
        let measured = check.measured.map_or("nothing".into(), |measured| format!("{measured:.6}"));
        writeln!(out, "  {verdict}: {} = {}, measured {measured}", check.what, check.bound)?;
    }
    Ok(())
}

fn write_task(task: &TaskRow, out: &mut impl Write) -> Result<()> {
    writeln!(out, "  {} at {}", task.what, task.target)?;
    writeln!(
        out,
        "    {} of {} at once; {} asked, {} joined, {} left, {} failed",
        task.live_max, task.count, task.asked, task.joined, task.left, task.failed
    )?;
    for failure in &task.failures {
        writeln!(out, "    {} x {:?}: {}", failure.count, failure.reason, failure.example)?;
    }
    if task.packets > 0 {
        writeln!(
            out,
            "    {:.1} Mbit/s, {} packets, {} lost ({:.4} %), {} recovered, {} reordered, {} pictures, {} freezes ({:.1} s)",
            task.bitrate / 1e6,
            task.packets,
            task.lost,
            task.loss * 100.0,
            task.recovered,
            task.reordered,
            task.pictures,
            task.freezes,
            task.frozen_s,
        )?;
    }
    if task.playlists > 0 {
        writeln!(out, "    {} playlists, {} segments, {} parts", task.playlists, task.segments, task.parts)?;
    }
    let spreads = [
        ("join", &task.join_ms),
        ("first packet", &task.first_packet_ms),
        ("first picture", &task.first_picture_ms),
        ("latency", &task.latency_ms),
        ("jitter", &task.jitter_ms),
        ("round trip", &task.round_trip_ms),
    ];
    for (name, spread) in spreads {
        if let Some(Quantiles { count, p50, p95, p99, max, .. }) = spread {
            writeln!(out, "    {name:13} p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1}, at most {max:.1} ms ({count})")?;
        }
    }
    let decoded = &task.decoded;
    if decoded.turns > 0 {
        writeln!(
            out,
            "    decoded {} pictures of {} x {} in {} turns, {} refused, {} turns without a picture",
            decoded.pictures,
            decoded.width,
            decoded.height,
            decoded.turns,
            decoded.refused,
            decoded.turns_without_picture
        )?;
    }
    Ok(())
}

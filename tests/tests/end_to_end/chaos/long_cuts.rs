//! Cuts that last longer than viewers are kept: they are told so, nothing is left on either side, neither side storms the
//! other, and all is there again soon after.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, http, is_long, program::until, report, shared_turn};

use super::{Pair, publish, until_first, watch};

/// How long a server may take to say that there is nothing to play.
const SOON: Duration = Duration::from_secs(5);
/// Connections that one side may ask the other for in a second, those that the kernel asks for again included: the
/// server tries at most a second apart, and TCP repeats an unanswered try after a second.
const CALLS_A_SECOND: f64 = 2.0;
/// And those of the beginning, when all that is there is tried anew at once.
const CALLS_AT_FIRST: f64 = 10.0;
/// What is promised is two seconds; a machine that is busy gets some more.
const BACK: Duration = Duration::from_secs(5);

/// A cut so long, between servers that keep viewers for `grace_ms`.
fn outlived(length: Duration, grace_ms: u64) -> Result<()> {
    let network = Network::new()?;
    network.inside(|| {
        let pair = Pair::with(&network, &[("LIMITS__ROUTE_GRACE_MS", &grace_ms.to_string())])?;
        let Pair { origin, edge, studio, home } = &pair;
        let _publisher = publish(studio, origin, "cam")?;
        let mut viewer = watch(home, edge, "cam")?;
        origin.host.count_calls_of(&edge.host)?;
        edge.host.count_calls_of(&origin.host)?;
        let begun = Instant::now();
        Network::part(&[&origin.host], &[&edge.host])?;
        until("the viewer is told that it is over", length, || !viewer.runs()).with_context(|| edge.log())?;
        let told = begun.elapsed();
        let grace = Duration::from_millis(grace_ms);
        ensure!(told >= grace && told < grace + SOON, "the viewer was told after {told:?}: {}", edge.log());
        edge.wait_gone("cam")?;
        let asked = Instant::now();
        let answer = http::get(&edge.http(), "/cam.flv")?;
        ensure!(answer.status == 404 && asked.elapsed() < SOON, "{answer:?} after {:?}", asked.elapsed());
        until("the edge fetches nothing", SOON, || {
            edge.cdn("show_routes", "{}").is_ok_and(|routes| routes == serde_json::json!({}))
        })?;
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
        let freed = begun.elapsed();
        std::thread::sleep(length.saturating_sub(begun.elapsed()));
        let (lasted, calls) = (begun.elapsed(), [origin.host.calls()?, edge.host.calls()?]);
        Network::heal(&[&origin.host, &edge.host])?;
        let healed = Instant::now();
        let first = until_first(home, edge, "cam", BACK * 4).with_context(|| edge.log())?;
        let met = {
            edge.wait_nodes(1)?;
            origin.wait_nodes(1)?;
            healed.elapsed()
        };
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0).context("one for the edge")?;
        report(&format!(
            "a cut of {lasted:.0?}: its viewer was told after {told:.1?}, the origin was free of the edge after {freed:.1?}, \
             {calls:?} connections were asked for; a new viewer saw a picture {first:.1?} after its end, both knew each \
             other by {met:.1?}"
        ));
        let most = CALLS_AT_FIRST + CALLS_A_SECOND * lasted.as_secs_f64();
        ensure!(calls.iter().all(|calls| *calls > 0 && (*calls as f64) < most), "{calls:?}, and {most} at most");
        ensure!(first < BACK, "a picture came only after {first:?}: {}", edge.log());
        Ok(())
    })
}

#[test]
fn viewers_are_told_when_a_cut_outlasts_their_patience_and_come_back_soon_after_it() -> Result<()> {
    let _turn = shared_turn();
    outlived(Duration::from_secs(12), 4_000)
}

#[test]
fn a_cut_of_a_minute_is_outlived() -> Result<()> {
    if !is_long() {
        return Ok(());
    }
    let _turn = shared_turn();
    outlived(Duration::from_secs(60), 30_000)
}

#[test]
fn a_cut_of_ten_minutes_is_outlived() -> Result<()> {
    if !is_long() {
        return Ok(());
    }
    let _turn = shared_turn();
    outlived(Duration::from_secs(600), 30_000)
}

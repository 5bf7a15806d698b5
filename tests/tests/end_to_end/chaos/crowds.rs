//! All servers of a cluster killed and started anew at once, and hundreds of viewers who come back by themselves.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    costs::Peak,
    crowd::{Crowd, back, failed, failures, live, seeing},
    hosts::Network,
    is_long, report,
    source::Source,
    turn,
};

use super::{PATIENCE, Plan, all_know_all, at_once};
use crate::hosts::node::{Keys, Node};

/// How soon all servers take sessions and know each other.
const SERVING: Duration = Duration::from_secs(15);
/// How soon after that the last of the crowd sees pictures: who has waited in vain waits up to ten seconds for the next
/// attempt.
const CROWD_BACK: Duration = Duration::from_secs(30);
/// Viewers of a real crowd come from addresses of their own, and are not counted as one.
const ONE_ADDRESS: [(&str, &str); 2] =
    [("LIMITS__WEBRTC_PENDING_PER_ADDRESS", "2000"), ("LIMITS__GATE_WAITING_PER_ADDRESS", "2000")];

fn of_a_crowd() -> Keys {
    ONE_ADDRESS.map(|(key, value)| (key, value.to_owned())).into()
}

/// So many viewers on each edge, half of them by WHEP and half by the session protocol.
fn plan(edges: &[Node], viewers: usize) -> String {
    let each = viewers / edges.len() / 2;
    let mut plan = "name = \"crowd\"\nhold_s = 600\nworkers = 1\n".to_owned();
    for edge in edges {
        let (host, task) = (edge.host.address(), format!("what = \"play\"\ncount = {each}\nrate = 40\nrejoin = true"));
        plan.push_str(&format!("[[task]]\ntarget = \"http://{host}:8080/cam/whep\"\n{task}\n"));
        plan.push_str(&format!("[[task]]\ntarget = \"ws://{host}:8080\"\nstream = \"cam\"\n{task}\n"));
    }
    plan
}

#[test]
fn a_crowd_is_back_by_itself_after_all_servers_were_killed_and_started_at_once() -> Result<()> {
    let _turn = turn();
    let viewers: usize = if is_long() { 500 } else { 120 };
    let network = Network::new()?;
    network.inside(|| {
        let host = |name: &str, role| Ok(Plan { host: network.host(name)?, role, keys: of_a_crowd() });
        let plans = [("eu1", "origin"), ("us1", "origin"), ("eu-edge", "edge"), ("us-edge", "edge")];
        let plans = plans.map(|(name, role)| host(name, role)).into_iter().collect::<Result<Vec<_>>>()?;
        let begun = Instant::now();
        let mut nodes = at_once(plans)?;
        all_know_all(&nodes)?;
        report(&format!("four servers started at once knew each other after {:.1?}", begun.elapsed()));
        let (studio, home) = (network.host("studio")?, network.host("home")?);
        let source = Source { size: (320, 180), rate: 15, ..Source::default() };
        let publisher = studio.inside(|| source.publish(&nodes[0].rtmp("cam")))?;
        nodes[0].wait_published("cam")?;
        let plan = plan(&nodes[2..], viewers);
        let crowd = home.inside(|| Crowd::start(&plan, &["10.71.0.0/24"]))?;
        let all = viewers as u64;
        let before = crowd.wait("all see pictures", Duration::from_secs(120), |now| seeing(now) - back(now) >= all)?;

        drop(publisher);
        let plans = nodes.drain(..).map(|node| {
            let role = if node.host.name().contains("edge") { "edge" } else { "origin" };
            Plan { host: node.kill(), role, keys: of_a_crowd() }
        });
        let plans = plans.collect();
        let started = Instant::now();
        let nodes = at_once(plans)?;
        let mut peak = Peak::of(&nodes.iter().map(|node| node.id()).collect::<Vec<_>>());
        let ready = started.elapsed();
        let _publisher = studio.inside(|| source.publish(&nodes[0].rtmp("cam")))?;
        all_know_all(&nodes)?;
        let serving = started.elapsed();
        nodes[0].wait_published("cam")?;
        let published = started.elapsed();
        let (mut first, mut half) = (None, None);
        let after = crowd.wait("all see pictures again", Duration::from_secs(120), |now| {
            peak.look();
            let back = back(now) - back(&before);
            for (moment, count) in [(&mut first, 1), (&mut half, all / 2)] {
                if back >= count && moment.is_none() {
                    *moment = Some(started.elapsed());
                }
            }
            back >= all
        })?;
        let last = started.elapsed();
        report(&format!(
            "{viewers} viewers, all four servers killed and started at once: they take sessions after {ready:.1?} and know \
             each other after {serving:.1?}, the publisher is back after {published:.1?}; the first viewer sees pictures \
             after {:.1?}, half of them after {:.1?}, the last after {last:.1?}; {} attempts failed ({:?}), the servers \
             keep {:.1} cores busy at most",
            first.context("nobody was first")?,
            half.context("there was no half")?,
            failed(&after) - failed(&before) - all,
            failures(&after),
            peak.cores(),
        ));
        ensure!(serving < SERVING, "the servers knew each other only after {serving:?}");
        ensure!(last < published + CROWD_BACK, "the last viewer was back only after {last:?}");
        crowd.wait("all stay", PATIENCE, |now| live(now) == all)?;
        for edge in &nodes[2..] {
            edge.wait_metric("headwater_webrtc_sessions", |sessions| sessions == all as f64 / 2.0 + 1.0)?;
        }
        nodes[0].wait_metric("headwater_webrtc_sessions", |sessions| sessions == 2.0).context("one for each edge")?;
        let left = crowd.leave();
        ensure!(live(&left) == 0, "{left:?}");
        Ok(())
    })
}

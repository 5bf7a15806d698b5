//! Servers between which one packet in twenty is lost, each way.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{flv, hosts::Network, players::Recorder, report, shared_turn, source::Source};

use crate::hosts::node::{Keys, Node, plain};

/// Packets of a thousand that are lost, each way.
const LOST: u16 = 50;
/// How often it is looked for new pictures.
const LOOK: Duration = Duration::from_millis(50);

#[test]
fn a_viewer_of_an_edge_sees_every_picture_though_one_datagram_in_twenty_is_lost() -> Result<()> {
    watch("udp")
}

#[test]
fn a_viewer_of_an_edge_sees_every_picture_though_one_packet_of_tcp_in_twenty_is_lost() -> Result<()> {
    watch("tcp")
}

/// What counts is that no picture is missing: when each comes is the affair of the machine as well.
fn watch(transport: &str) -> Result<()> {
    let _turn = shared_turn();
    let is_long = std::env::var_os("HEADWATER_TEST_LONG").is_some();
    let time = Duration::from_secs(if is_long { 60 } else { 12 });
    let network = Network::new()?;
    network.inside(|| {
        let (at_origin, at_edge) = (network.host("origin")?, network.host("edge")?);
        for host in [&at_origin, &at_edge] {
            host.send_singly()?;
        }
        let entry = plain(&at_origin);
        let origin = Node::start(at_origin, "origin", &[], Keys::new())?;
        let edge = Node::start(at_edge, "edge", &[&entry], vec![("CLUSTER__TRANSPORT", transport.to_owned())])?;
        edge.wait_nodes(1)?;
        let source = Source::default();
        let _publisher = source.publish(&origin.rtmp("cam"))?;
        origin.wait_published("cam")?;
        let viewer = Recorder::curl(&edge.flv("cam"))?;
        viewer.wait_pictures(30, Duration::from_secs(20)).with_context(|| edge.log())?;

        origin.host.lose_of(&edge.host, LOST)?;
        edge.host.lose_of(&origin.host, LOST)?;
        let again = || origin.metric("headwater_webrtc_packets_again_total")?.context("the origin counts nothing");
        let (again_before, by_tcp_before) = (again()?, sent_again_by_tcp(&origin)?);
        let (begun, before) = (Instant::now(), pictures(&viewer)?.len());
        let (mut count, mut last, mut longest) = (before, Instant::now(), Duration::ZERO);
        while begun.elapsed() < time {
            std::thread::sleep(LOOK);
            let now = pictures(&viewer)?.len();
            if now > count {
                longest = longest.max(last.elapsed());
                (count, last) = (now, Instant::now());
            }
        }
        longest = longest.max(last.elapsed());
        let (again, by_tcp) = (again()? - again_before, sent_again_by_tcp(&origin)? - by_tcp_before);
        let tags = viewer.finish()?;
        let times: Vec<i64> =
            tags.iter().filter(|tag| tag.kind == flv::Kind::Video).map(|tag| i64::from(tag.milliseconds)).collect();
        let apart = 1_000.0 / f64::from(source.rate);
        let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let missing: f64 = gaps.iter().map(|gap| (*gap as f64 / apart - 1.0).round().max(0.0)).sum();
        report(&format!(
            "{transport}, 5 % lost each way, {:.0} s: {} pictures, {missing} missing; the origin sent {again} packets \
             again, and its kernel {by_tcp} of TCP; longest time between two arrivals {} ms, longest step of time {} ms",
            time.as_secs_f64(),
            count - before,
            longest.as_millis(),
            gaps.iter().max().copied().unwrap_or_default(),
        ));
        ensure!(count - before > 30, "{} pictures came", count - before);
        ensure!(missing == 0.0, "{missing} pictures are missing; steps of time: {gaps:?}");
        match transport {
            "udp" => ensure!(again > 20.0, "{again} packets were sent again, so this shows nothing"),
            _ => ensure!(again == 0.0 && by_tcp > 0, "{again} packets were asked for again, {by_tcp} sent by TCP"),
        }
        Ok(())
    })
}

/// What the kernel of a server's host has sent again (RetransSegs of RFC 4022).
fn sent_again_by_tcp(node: &Node) -> Result<u64> {
    let counted = node.host.inside(|| Ok(std::fs::read_to_string("/proc/thread-self/net/snmp")?))?;
    let mut lines = counted.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "RetransSegs");
    found.and_then(|(_, value)| value.parse().ok()).with_context(|| format!("no RetransSegs in {counted}"))
}

fn pictures(viewer: &Recorder) -> Result<Vec<flv::Tag>> {
    Ok(viewer.tags()?.into_iter().filter(|tag| tag.kind == flv::Kind::Video).collect())
}

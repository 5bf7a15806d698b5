//! hls.js through a load balancer that sends each of its requests to another node.

use anyhow::{Result, ensure};
use headwater_tests::{heavy_turn, report, source::Source};

use super::page::{begin_at, number, tell, watch};
use crate::{any_node::Spread, sdk::pages::Pages};

#[test]
fn hls_js_plays_at_low_latency_through_a_balancer_that_spreads_its_requests() -> Result<()> {
    let _turn = heavy_turn();
    let spread = Spread::start()?;
    let publisher = Source::default().publish(&spread.nodes[0].rtmp("clock"))?;
    spread.nodes[0].wait_published("clock")?;
    let mut pages = Pages::of(&spread.page("/"))?;
    begin_at(&mut pages, "/clock/index.m3u8")?;
    let seen = watch(&mut pages, 8)?;
    tell("LL-HLS by hls.js over two nodes", &seen);
    report(&format!("{} requests were passed on", spread.passed()?));
    ensure!(spread.passed()? > 10.0, "only {} requests were passed on", spread.passed()?);
    ensure!(seen["blocks"] == true && number(&seen, "parts")? > 3.0, "hls.js plays no parts: {seen}");
    ensure!(number(&seen, "frames")? > 60.0 && number(&seen, "backwards")? == 0.0, "{seen}");
    let errors = seen["errors"].as_array().into_iter().flatten().filter_map(|error| error.as_str());
    let bad: Vec<_> = errors.filter(|error| error.starts_with("networkError") || error.ends_with("true")).collect();
    ensure!(bad.is_empty(), "{bad:?}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    let viewers: f64 = spread.nodes.iter().filter_map(|node| node.metric("headwater_hls_viewers").ok().flatten()).sum();
    ensure!(viewers == 1.0, "one page is {viewers} viewers");
    drop(pages);
    publisher.kill();
    spread.stop()
}

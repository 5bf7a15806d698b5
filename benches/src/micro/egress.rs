//! Packets from a lane to WebRTC viewers: cursor, numbers, header, seal, and the call that sends a frame's burst.

use anyhow::{Context, Result, ensure};
use headwater_webrtc::measuring::Audience;
use tokio::runtime;

use super::work::counted;
use crate::sinks::UdpSinks;

const VIEWERS: usize = 200;
/// Frames in which viewers take their places, and send the first report.
const FIRST_ROUNDS: u64 = 5;

pub(super) fn run(rounds: u64) -> Result<u64> {
    let sinks = UdpSinks::new(VIEWERS)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut audience = Audience::gather(&sinks.addresses).await.context("no viewers")?;
        for _ in 0..FIRST_ROUNDS {
            audience.publish();
            audience.deliver();
        }
        let (before, _) = audience.sent();
        for _ in 0..rounds {
            audience.publish();
            counted(&mut || audience.deliver());
        }
        let (after, dropped) = audience.sent();
        ensure!(dropped == 0, "the kernel has refused {dropped} datagrams");
        Ok(after - before)
    })
}

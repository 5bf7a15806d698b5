//! Frames from a lane to RTMP players in step, over connections of loopback: the convoy's reading, the chunks that it
//! writes once, and a call for each player.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use headwater_graph::{Hub, HubOptions, Peer};
use headwater_media::{StreamName, limits};
use headwater_net::{Listener, Quota, TokioEnvironment};
use headwater_rtmp::{Context, RtmpConfig, serve, wire::client::Intent};
use tokio::{runtime, task::yield_now};
use tokio_util::sync::CancellationToken;

use super::{rtp, work::counted};
use crate::{publisher::STREAM, rtmp::client::Client, sinks::Drain};

/// As many as the words of the figure say.
pub(super) const PLAYERS: usize = 50;
/// Frames in which the convoy's buffer grows until it holds a burst.
const FIRST_ROUNDS: u64 = 30;
const TIME_MAX: Duration = Duration::from_secs(60);

pub(super) fn run(rounds: u64) -> Result<u64> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (context, mut publication) = runtime.block_on(async {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let publication = hub.publish(StreamName::new(STREAM)?, Peer::new("bench", "publisher"))?;
        Ok::<_, anyhow::Error>((Context::new(hub, RtmpConfig::default()), publication))
    })?;
    let mut lane = publication.add_frames(rtp::h264()?)?;
    publication.ready();
    let mut frames = 0;
    let mut publish = || {
        lane.push(rtp::picture(frames));
        lane.ring();
        frames += 1;
    };
    publish();
    let shutdown = CancellationToken::new();
    let address = listen(&runtime, &context, &shutdown)?;
    let players = thread::spawn(move || players(address));
    let together = |context: &Context| context.counters().together.load(Ordering::Relaxed);
    let sent = |context: &Context| context.counters().frames_sent.load(Ordering::Relaxed);
    wait(&runtime, || players.is_finished() && together(&context) == PLAYERS as u64).context("players do not come")?;
    let drain = players.join().map_err(|_| anyhow!("the players failed"))??;
    let mut round = |is_counted: bool| -> Result<()> {
        publish();
        let wanted = sent(&context) + PLAYERS as u64;
        let mut result = Ok(());
        let mut work = || result = wait(&runtime, || sent(&context) >= wanted);
        if is_counted {
            counted(&mut work)
        } else {
            work()
        }
        result
    };
    (0..FIRST_ROUNDS).try_for_each(|_| round(false))?;
    let before = sent(&context);
    (0..rounds).try_for_each(|_| round(true))?;
    let done = sent(&context) - before;
    ensure!(together(&context) == PLAYERS as u64, "not all players are still in step");
    ensure!(drain.closed() == 0, "players were cut off");
    shutdown.cancel();
    Ok(done)
}

fn listen(runtime: &runtime::Runtime, context: &Context, shutdown: &CancellationToken) -> Result<SocketAddr> {
    runtime.block_on(async {
        let quota = Quota::new(&limits::CONNECTIONS, &limits::CONNECTIONS_PER_ADDRESS);
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &quota)?;
        let address = listener.local_address()?;
        tokio::spawn(serve(listener, context.clone(), shutdown.clone()));
        Ok(address)
    })
}

fn players(server: SocketAddr) -> Result<Drain> {
    let drain = Drain::new()?;
    for _ in 0..PLAYERS {
        drain.add(Client::connect(server, Intent::Play, STREAM, 128)?.socket)?;
    }
    Ok(drain)
}

/// Lets the tasks run until this is so.
fn wait(runtime: &runtime::Runtime, is_so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + TIME_MAX;
    runtime.block_on(async {
        while !is_so() {
            ensure!(Instant::now() < deadline, "nothing comes of it within {TIME_MAX:?}");
            yield_now().await;
        }
        Ok(())
    })
}

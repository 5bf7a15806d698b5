//! All shards together.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread,
};

use headwater_graph::{Publication, Subscription};
use headwater_media::{StreamName, TimesRead, limits};
use headwater_net::{Quota, Shard};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Config, Offer, PublishError, PublishOptions, ShardStatistics, StartError, ViewError,
    egress::Common,
    publishers::Publishers,
    session::Accepted,
    shard::{self, Command, Plan, PublishRequest, ViewRequest},
    statistics::Counters,
};

/// Commands that may wait for a shard.
const COMMANDS_QUEUED: usize = 1_024;

/// WebRTC viewers over all shards. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct WebRtc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Handle>,
    pending: Quota,
    publishers: Publishers,
    threads: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Handle {
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
    address: SocketAddr,
}

impl WebRtc {
    /// Starts the shards. Blocks until each has bound its sockets. TCP connections count in `connections`.
    ///
    /// # Errors
    /// Says which address cannot be bound, or what else is wrong.
    pub fn start(config: &Config, connections: &Quota) -> Result<WebRtc, StartError> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 { cores() } else { config.shards };
        let common = Common::new().ok_or(StartError::Certificate)?;
        let (mut shards, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count {
            let bind = SocketAddr::new(config.listen, port(config.port, index, count)?);
            let (handle, thread) = start_shard(index, bind, config, &common, connections)?;
            shards.push(handle);
            threads.push(thread);
        }
        let pending = Quota::new(&limits::WEBRTC_PENDING, &limits::WEBRTC_PENDING_PER_ADDRESS);
        let publishers = Publishers::default();
        Ok(WebRtc(Arc::new(Inner { shards, pending, publishers, threads: Mutex::new(threads) })))
    }

    /// The address of each shard, for UDP and TCP.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.shards.iter().map(|shard| shard.address).collect()
    }

    /// Takes a viewer in, in the shard with the fewest. `peer` is where the offer came from.
    ///
    /// # Errors
    /// Says why not; nothing is kept of the viewer then.
    pub async fn view(&self, offer: Offer, subscription: Subscription, peer: IpAddr) -> Result<Accepted, ViewError> {
        let pending = self.0.pending.admit(peer).map_err(ViewError::Pending)?;
        let shard = self.emptiest().ok_or(ViewError::Stopping)?;
        let (answer, answered) = oneshot::channel();
        let request = ViewRequest { offer, subscription, pending, answer };
        let command = Command::View(Box::new(request));
        shard.commands.send(command).await.map_err(|_| ViewError::Stopping)?;
        answered.await.map_err(|_| ViewError::Stopping)?
    }

    /// Takes a publisher in, in the shard with the fewest sessions. `peer` is where the offer came from.
    ///
    /// The publication becomes ready when media has come. It is ended when [`Session::end`](crate::Session::end) ends
    /// the session; if the publisher vanishes, it is dropped, so that the stream waits for its grace time.
    ///
    /// # Errors
    /// Says why not; nothing is kept of the publisher then.
    pub async fn publish(
        &self,
        offer: Offer,
        publication: Publication,
        options: PublishOptions,
        peer: IpAddr,
    ) -> Result<Accepted, PublishError> {
        let pending = self.0.pending.admit(peer).map_err(PublishError::Pending)?;
        let shard = self.emptiest().ok_or(PublishError::Stopping)?;
        let (answer, answered) = oneshot::channel();
        let name = publication.stream().name().clone();
        let request = PublishRequest { offer, publication, options, pending, answer };
        let command = Command::Publish(Box::new(request));
        shard.commands.send(command).await.map_err(|_| PublishError::Stopping)?;
        let accepted = answered.await.map_err(|_| PublishError::Stopping)??;
        self.0.publishers.add(name, accepted.session.clone());
        Ok(accepted)
    }

    /// Has the publisher of a name make way for another, if nothing has been heard of it for
    /// `WEBRTC_PUBLISHER_YIELD_MS`: its stream then waits for whoever takes the name, and its viewers stay. Says
    /// whether it did; not so if it is heard, or if the name's publisher has not come over WebRTC. Takes as long as
    /// it takes to know.
    pub async fn make_way(&self, name: &StreamName) -> bool {
        match self.0.publishers.find(name) {
            Some(session) => session.make_way().await,
            None => false,
        }
    }

    fn emptiest(&self) -> Option<&Handle> {
        self.0.shards.iter().min_by_key(|shard| shard.counters.sessions.get())
    }

    /// What each shard has counted.
    pub fn statistics(&self) -> Vec<ShardStatistics> {
        self.0.shards.iter().map(|shard| shard.counters.read()).collect()
    }

    /// How long new media took from the moment that readers were told of it until every viewer of it in a shard was
    /// served, over all shards: one time for each frame, stream and shard.
    pub fn forwarding(&self) -> TimesRead {
        let shards = self.0.shards.iter().map(|shard| shard.counters.forwarding.read());
        shards.fold(TimesRead::default(), |sum, read| sum.and(&read))
    }

    /// Sessions whose peer has not connected yet.
    pub fn pending(&self) -> u64 {
        self.0.pending.open()
    }

    /// Ends all sessions and the shards, and waits for their threads.
    pub async fn stop(&self) {
        for shard in &self.0.shards {
            let _ = shard.commands.send(Command::Stop).await;
        }
        let threads = std::mem::take(&mut *self.0.threads.lock());
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().map(Shard::join).filter(|ended_well| !ended_well).count()
        });
        if let Ok(failed @ 1..) = joined.await {
            tracing::error!(failed, "WebRTC shards ended by a panic");
        }
    }
}

fn port(first: u16, index: usize, shards: usize) -> Result<u16, StartError> {
    if first == 0 {
        return Ok(0);
    }
    let offset = u16::try_from(index).ok();
    let port = offset.and_then(|offset| first.checked_add(offset));
    port.ok_or(StartError::Ports { port: first, shards })
}

fn start_shard(
    index: usize,
    bind: SocketAddr,
    config: &Config,
    common: &Common,
    connections: &Quota,
) -> Result<(Handle, Shard), StartError> {
    let (commands, receiver) = mpsc::channel(COMMANDS_QUEUED);
    let counters = Arc::new(Counters::default());
    let plan = Plan {
        bind,
        tcp: config.tcp,
        common: common.clone(),
        public_addresses: config.public_addresses.clone(),
        coalescing_window: config.coalescing_window,
        connections: connections.clone(),
        counters: counters.clone(),
        own_commands: commands.downgrade(),
    };
    let (report, started) = std::sync::mpsc::channel();
    let run = async move || shard::run(plan, receiver, report).await;
    let thread = Shard::start(index, config.precedence, run).map_err(StartError::Shard)?;
    let address = match started.recv() {
        Ok(result) => result?,
        Err(_) => {
            return Err(StartError::Shard(std::io::Error::other("its thread has ended")));
        }
    };
    Ok((Handle { commands, counters, address }, thread))
}

//! All shards together.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    thread,
};

use headwater_graph::{Publication, Stream, Subscription};
use headwater_media::{StreamName, TimesRead, limits};
use headwater_net::{Quota, Shard};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Answer, CallError, Config, Offer, Proposal, PublishError, PublishOptions, ShardStatistics, StartError, Transport,
    ViewError,
    call::{CallRequest, Purpose},
    egress::Common,
    publishers::Publishers,
    session::{Accepted, Session},
    shard::{self, Command, Inbound, Mail, Plan, Port, PublishRequest, Sorting, Started, ViewRequest},
    statistics::Counters,
};

/// Commands that may wait for a shard.
const COMMANDS_QUEUED: usize = 1_024;
/// A publisher goes to the shard that reads the port, which saves handing its packets over, unless that one has so
/// many sessions more than the emptiest.
const READER_LEAD: u64 = 64;
/// To read the port for all takes the first shard about what one in so many of all viewers takes the others, so it gets
/// as many fewer. By the bench `shards`.
const READING: u64 = 12;

/// WebRTC viewers over all shards. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct WebRtc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Handle>,
    address: SocketAddr,
    pending: Quota,
    publishers: Publishers,
    common: Common,
    threads: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Handle {
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
}

impl WebRtc {
    /// Starts the shards, which have one port together. Blocks until each has its sockets. TCP connections count in
    /// `connections`.
    ///
    /// # Errors
    /// Says which address cannot be bound, or what else is wrong.
    pub fn start(config: &Config, connections: &Quota) -> Result<WebRtc, StartError> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 { cores() } else { config.shards };
        let common = Common::new().ok_or(StartError::Certificate)?;
        let (mut shards, mut threads) = (Vec::new(), Vec::new());
        let mut start = |port, part| {
            let index = shards.len();
            let (handle, thread, started) = start_shard(index, port, part, config, &common, connections)?;
            shards.push(handle);
            threads.push(thread);
            Ok::<Started, StartError>(started)
        };
        let mut parts = Sorting::new(count).into_iter();
        let first = parts.next().ok_or_else(|| StartError::Shard(std::io::Error::other("there is none to start")))?;
        let bind = SocketAddr::new(config.listen, config.port);
        let Started { local, senders } = start(Port::Bind(bind, parts.len()), first)?;
        for (sender, part) in senders.into_iter().zip(parts) {
            start(Port::Share(sender, local), part)?;
        }
        let pending = Quota::new(&limits::WEBRTC_PENDING, &limits::WEBRTC_PENDING_PER_ADDRESS);
        let publishers = Publishers::default();
        Ok(WebRtc(Arc::new(Inner {
            shards,
            address: local,
            pending,
            publishers,
            common,
            threads: Mutex::new(threads),
        })))
    }

    /// The address at which all shards are reached, by UDP and by TCP.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Takes a viewer in, in the shard with the least to do. `peer` is where the offer came from.
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

    /// Takes a publisher in, in the shard that reads the port, or in the one with the fewest sessions where that one
    /// has many more. `peer` is where the offer came from.
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
        let shard = self.reader_or_emptiest().ok_or(PublishError::Stopping)?;
        let (answer, answered) = oneshot::channel();
        let name = publication.stream().name().clone();
        let request = PublishRequest { offer, publication, options, pending, answer };
        let command = Command::Publish(Box::new(request));
        shard.commands.send(command).await.map_err(|_| PublishError::Stopping)?;
        let accepted = answered.await.map_err(|_| PublishError::Stopping)??;
        self.0.publishers.add(name, accepted.session.clone());
        Ok(accepted)
    }

    /// An offer by which another server can be asked for a stream.
    pub fn propose(&self) -> Proposal {
        Proposal::to_receive(&self.0.common, vec![None])
    }

    /// An offer by which a server that understands it can be asked for a stream with several renditions of its picture,
    /// each in a media section of its own: those with these labels, or all where there are none; up to `HOP_RENDITIONS`.
    pub fn propose_renditions(&self, wanted: &[String]) -> Proposal {
        let most = limits::HOP_RENDITIONS.get_usize();
        let labels = match wanted.is_empty() {
            true => vec![None; most],
            false => wanted.iter().take(most).cloned().map(Some).collect(),
        };
        Proposal::to_receive(&self.0.common, labels)
    }

    /// An offer by which a stream can be brought to another server, in the codecs that the stream has.
    ///
    /// # Errors
    /// The stream has not begun, or its picture cannot be sent over WebRTC.
    pub fn propose_sending(&self, stream: &Stream) -> Result<Proposal, CallError> {
        Proposal::to_send(&self.0.common, stream, 1, &[])
    }

    /// An offer by which a stream can be brought to a server that understands it with several renditions of its picture,
    /// each in a media section of its own: those with these labels, or all where there are none; up to `HOP_RENDITIONS`.
    ///
    /// # Errors
    /// The stream has not begun, its picture cannot be sent over WebRTC, or it has none of these renditions.
    pub fn propose_sending_renditions(&self, stream: &Stream, wanted: &[String]) -> Result<Proposal, CallError> {
        Proposal::to_send(&self.0.common, stream, limits::HOP_RENDITIONS.get_usize(), wanted)
    }

    /// Begins the session that another server has agreed to by its answer to a proposal, and writes what comes to the
    /// publication, as of any publisher. `peer` is where the answer came from.
    ///
    /// # Errors
    /// Says why not; nothing is kept then.
    pub async fn call(
        &self,
        proposal: Proposal,
        answer: Answer,
        publication: Publication,
        options: PublishOptions,
        peer: IpAddr,
    ) -> Result<Session, CallError> {
        let name = publication.stream().name().clone();
        let session = self.begin_call(proposal, answer, Purpose::Receive(publication, options), peer).await?;
        self.0.publishers.add(name, session.clone());
        Ok(session)
    }

    /// Begins the session that another server has agreed to by its answer to a proposal of
    /// [`propose_sending`](Self::propose_sending) or
    /// [`propose_sending_renditions`](Self::propose_sending_renditions), and sends it the stream, as to any viewer.
    /// `peer` is where the answer came from.
    ///
    /// # Errors
    /// Says why not; nothing is kept then.
    pub async fn send(
        &self,
        proposal: Proposal,
        answer: Answer,
        subscription: Subscription,
        peer: IpAddr,
    ) -> Result<Session, CallError> {
        self.begin_call(proposal, answer, Purpose::Send(subscription), peer).await
    }

    async fn begin_call(
        &self,
        proposal: Proposal,
        answer: Answer,
        purpose: Purpose,
        peer: IpAddr,
    ) -> Result<Session, CallError> {
        let pending = self.0.pending.admit(peer).map_err(|refused| CallError::Full(refused.to_string()))?;
        let connection = connect(&answer, peer).await?;
        let shard = self.emptiest().ok_or(CallError::Stopping)?;
        let (reply, replied) = oneshot::channel();
        let request = CallRequest { proposal, peer: answer, connection, purpose, pending, answer: reply };
        shard.commands.send(Command::Call(Box::new(request))).await.map_err(|_| CallError::Stopping)?;
        Ok(replied.await.map_err(|_| CallError::Stopping)??.claim())
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

    /// The shard with the least to do.
    fn emptiest(&self) -> Option<&Handle> {
        let shards = || self.0.shards.iter();
        let reading = shards().map(|shard| shard.counters.sessions.get()).sum::<u64>() / READING;
        let others = std::iter::repeat(0);
        let weighed = shards().zip(std::iter::once(reading).chain(others));
        let least = weighed.min_by_key(|(shard, more)| shard.counters.sessions.get().saturating_add(*more));
        least.map(|(shard, _)| shard)
    }

    fn reader_or_emptiest(&self) -> Option<&Handle> {
        let (reader, emptiest) = (self.0.shards.first()?, self.emptiest()?);
        let lead = reader.counters.sessions.get().saturating_sub(emptiest.counters.sessions.get());
        Some(if lead > READER_LEAD { emptiest } else { reader })
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

/// A connection to a peer that media is to go over TCP with: rather to where its answer came from.
async fn connect(answer: &Answer, peer: IpAddr) -> Result<Option<TcpStream>, CallError> {
    if answer.transport == Transport::Udp {
        return Ok(None);
    }
    if answer.passive.is_empty() {
        return Err(CallError::NoPassiveCandidate);
    }
    let mut addresses = answer.passive.clone();
    addresses.sort_by_key(|address| address.ip() != peer);
    headwater_net::connect(&addresses).await.map(Some).map_err(CallError::Connect)
}

fn start_shard(
    index: usize,
    port: Port,
    (sorting, inbound): (Sorting, mpsc::Receiver<Inbound>),
    config: &Config,
    common: &Common,
    connections: &Quota,
) -> Result<(Handle, Shard, Started), StartError> {
    let (commands, receiver) = mpsc::channel(COMMANDS_QUEUED);
    let counters = Arc::new(Counters::default());
    let plan = Plan {
        sorting,
        tcp: config.tcp,
        common: common.clone(),
        public_addresses: config.public_addresses.clone(),
        coalescing_window: config.coalescing_window,
        connections: connections.clone(),
        counters: counters.clone(),
        own_commands: commands.downgrade(),
    };
    let mail = Mail { commands: receiver, inbound };
    let (report, started) = std::sync::mpsc::channel();
    let run = async move || shard::run(port, plan, mail, report).await;
    let thread = Shard::start(index, config.precedence, run).map_err(StartError::Shard)?;
    let started = match started.recv() {
        Ok(result) => result?,
        Err(_) => {
            return Err(StartError::Shard(std::io::Error::other("its thread has ended")));
        }
    };
    Ok((Handle { commands, counters }, thread, started))
}

//! One shard: a thread with its sockets, its timers and its viewers.
//!
//! Everything of a shard runs on one thread and shares one [`Core`], borrowed for a moment at a time and never over
//! an `await`. The tasks:
//!
//! | task | waits for |
//! |---|---|
//! | receiver, in the first shard | datagrams |
//! | taker | what the first shard has received for this one |
//! | one for each stream that is watched | the bell that its lanes ring |
//! | timekeeper | the earliest deadline of a viewer |
//! | sender | room in the socket's buffer, after it was full |
//! | listener, one for each TCP connection | ICE-TCP |
//! | one for each session | the end of its stream |
//! | one for each session that this side has begun | what comes to its socket |

mod call;
mod command;
mod core;
mod demux;
mod join;
mod outbox;
mod publish;
mod rest;
mod sockets;
mod sorting;
mod tcp;
#[cfg(test)]
mod tests;
mod timers;

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::Bell;
use headwater_net::{Quota, ReceiveBuffer, UdpSender, UdpSocket};
use tokio::sync::{Notify, mpsc};

use crate::{
    egress::Common,
    error::StartError,
    sdp::Candidates,
    session::{Ended, Stage},
    statistics::Counters,
};

pub(crate) use self::{
    command::{Command, PublishRequest, ViewRequest},
    outbox::Outbox,
    sockets::Port,
    sorting::{Inbound, Sorting},
};
use self::{core::Core, sockets::Sockets, sorting::Sorter};

/// Viewers that one stream's task serves before it lets others run.
const VIEWERS_PER_TURN: usize = 64;
/// Deadlines handled before the timekeeper lets others run.
const DEADLINES_PER_TURN: usize = 64;

/// What a shard is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) tcp: bool,
    pub(crate) sorting: Sorting,
    pub(crate) common: Common,
    pub(crate) public_addresses: Vec<std::net::IpAddr>,
    /// How long a publisher's packet waits for the rest of its picture.
    pub(crate) coalescing_window: Duration,
    pub(crate) connections: Quota,
    pub(crate) counters: Arc<Counters>,
    pub(crate) own_commands: mpsc::WeakSender<Command>,
}

/// A shard that has started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) local: SocketAddr,
    /// Of the first: sockets of the same port for the others.
    pub(crate) senders: Vec<UdpSender>,
}

/// What comes to a shard from elsewhere.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) inbound: mpsc::Receiver<Inbound>,
}

/// Runs a shard until it is told to stop. `started` learns of its address, or of why it did not start.
pub(crate) async fn run(
    port: Port,
    plan: Plan,
    mail: Mail,
    started: std::sync::mpsc::Sender<Result<Started, StartError>>,
) {
    let Sockets { udp, senders, tcp, local, is_reader } = match Sockets::make(port, plan.tcp, &plan.connections) {
        Ok(made) => made,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let candidates = Sockets::candidates(local, plan.tcp, &plan.public_addresses);
    let shard = Shard::new(plan, Rc::new(udp), local, candidates);
    let _ = started.send(Ok(Started { local, senders }));
    if is_reader {
        tokio::task::spawn_local(shard.clone().receive());
    }
    tokio::task::spawn_local(shard.clone().take_over(mail.inbound));
    tokio::task::spawn_local(shard.clone().keep_time());
    tokio::task::spawn_local(shard.clone().send_rest());
    if let Some(listener) = tcp {
        tokio::task::spawn_local(tcp::listen(shard.clone(), listener));
    }
    shard.serve(mail.commands).await;
}

/// A shard, shared by its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    core: Rc<RefCell<Core>>,
    socket: Rc<UdpSocket>,
    /// A deadline has become the earliest.
    hurry: Rc<Notify>,
    /// The socket's buffer is full.
    blocked: Rc<Notify>,
}

/// The clock of the shard's runtime, which tests may hold still.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Shard {
    fn new(plan: Plan, socket: Rc<UdpSocket>, local: SocketAddr, candidates: Candidates) -> Shard {
        let (hurry, blocked) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let outbox = Outbox::new(socket.clone(), plan.counters.clone(), blocked.clone());
        let core = Core::new(plan, local, candidates, outbox, hurry.clone());
        Shard { core: Rc::new(RefCell::new(core)), socket, hurry, blocked }
    }

    async fn receive(self) {
        let mut buffer = ReceiveBuffer::new();
        let (mut sorter, counters) = {
            let core = self.core.borrow();
            (Sorter::new(core.sorting.clone()), core.counters.clone())
        };
        let mut gathered = 0;
        loop {
            if let Err(error) = self.socket.receive(&mut buffer).await {
                tracing::warn!(%error, "datagrams could not be received");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
            let now = now();
            self.core.borrow_mut().receive_datagrams(sorter.sort(buffer.datagrams()), now);
            let rests = sorter.sorting().rest().is_on(now);
            gathered = if rests && buffer.is_full() { gathered + 1 } else { 0 };
            if (1..rest::READINGS_MAX).contains(&gathered) {
                continue;
            }
            let lost = sorter.hand_over();
            counters.datagrams_lost.add(lost as u64);
            if buffer.is_full() {
                tokio::task::yield_now().await;
            } else if rests {
                rest::gather();
            }
        }
    }

    /// Takes what another shard has received for this one.
    async fn take_over(self, mut inbound: mpsc::Receiver<Inbound>) {
        while let Some(inbound) = inbound.recv().await {
            match inbound {
                Inbound::Datagrams(parcel) => {
                    let mut core = self.core.borrow_mut();
                    core.receive_datagrams(parcel.datagrams(), now());
                    core.sorting.has_taken(&parcel);
                }
                Inbound::Connection(connection) => {
                    let (connection, read) = *connection;
                    tokio::task::spawn_local(tcp::resume(self.clone(), connection, read));
                }
            }
        }
    }

    async fn keep_time(self) {
        loop {
            let next = self.core.borrow().next_deadline();
            let wait = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.hurry.notified() => {}
            }
            if !self.core.borrow_mut().run_due(now(), DEADLINES_PER_TURN) {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn send_rest(self) {
        loop {
            self.blocked.notified().await;
            loop {
                if let Err(error) = self.socket.writable().await {
                    tracing::warn!(%error, "the socket cannot be waited for");
                    break;
                }
                if self.core.borrow_mut().send_rest() {
                    break;
                }
            }
        }
    }

    /// Serves the viewers of one stream until none is left.
    async fn feed(self, stream: usize, bell: Bell) {
        let counters = self.core.borrow().counters.clone();
        loop {
            bell.rung().await;
            let mut from = 0;
            loop {
                let next = self.core.borrow_mut().deliver(stream, from, VIEWERS_PER_TURN, now());
                match next {
                    core::Delivery::More { from: next } => from = next,
                    core::Delivery::Done => {
                        bell.since_rung().inspect(|time| counters.forwarding.count(*time));
                        break;
                    }
                    core::Delivery::NobodyLeft => return,
                }
                tokio::task::yield_now().await;
            }
        }
    }

    async fn serve(&self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::View(request) => self.view(*request),
                Command::Publish(request) => self.publish(*request),
                Command::Call(request) => self.call(*request),
                Command::Restart { place, fragment, answer } => {
                    if let Some(text) = self.core.borrow_mut().restart_ice(place, &fragment, now()) {
                        let _ = answer.send(text);
                    }
                }
                Command::Choose { place, choice } => self.core.borrow_mut().choose(place, choice, now()),
                Command::MakeWay { place, answer } => self.core.borrow_mut().make_way(place, answer, now()),
                Command::End { place, ended } => self.core.borrow_mut().end(place, ended, now()),
                Command::Stop => break,
            }
        }
        self.core.borrow_mut().end_all(now());
        // Lets the farewells to TCP peers leave.
        tokio::task::yield_now().await;
    }

    fn view(&self, request: ViewRequest) {
        let ViewRequest { offer, subscription, pending, answer } = request;
        let ended = subscription.ended();
        let joined = self.core.borrow_mut().join(offer, subscription, pending, now());
        let reply = joined.map(|joined| {
            if let Some((stream, bell)) = joined.new_feed {
                tokio::task::spawn_local(self.clone().feed(stream, bell));
            }
            let (shard, place) = (self.clone(), joined.accepted.session.place);
            let mut over = joined.accepted.session.stage.clone();
            tokio::task::spawn_local(async move {
                tokio::select! {
                    reason = ended => shard.core.borrow_mut().end(place, Ended::Stream(reason), now()),
                    _ = over.wait_for(Stage::is_over) => {}
                }
            });
            joined.accepted
        });
        // If nobody waits for the answer any more, the session ends for want of a peer.
        let _ = answer.send(reply);
    }

    fn publish(&self, request: PublishRequest) {
        let PublishRequest { offer, publication, options, pending, answer } = request;
        let terminated = publication.terminated();
        let published = self.core.borrow_mut().publish(offer, publication, &options, pending, now());
        let reply = published.map(|published| {
            let (shard, place) = (self.clone(), published.accepted.session.place);
            let mut over = published.accepted.session.stage.clone();
            let serve = async move {
                loop {
                    published.bell.rung().await;
                    shard.core.borrow_mut().wake(place, now());
                }
            };
            let shard = self.clone();
            tokio::task::spawn_local(async move {
                tokio::select! {
                    reason = terminated => shard.core.borrow_mut().end(place, Ended::Stream(reason), now()),
                    _ = over.wait_for(Stage::is_over) => {}
                    () = serve => {}
                }
            });
            published.accepted
        });
        let _ = answer.send(reply);
    }
}

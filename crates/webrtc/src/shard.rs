//! One shard: a thread with its sockets, its timers and its viewers.
//!
//! Everything of a shard runs on one thread and shares one [`Core`], borrowed for a moment at a time and never over
//! an `await`. The tasks:
//!
//! | task | waits for |
//! |---|---|
//! | receiver | datagrams |
//! | one for each stream that is watched | the bell that its lanes ring |
//! | timekeeper | the earliest deadline of a viewer |
//! | sender | room in the socket's buffer, after it was full |
//! | listener, one for each TCP connection | ICE-TCP |
//! | one for each session | the end of its stream |

mod core;
mod demux;
mod join;
mod outbox;
mod publish;
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

use headwater_graph::{Bell, Publication, Subscription};
use headwater_net::{Listener, Permit, Quota, ReceiveBuffer, UdpSocket};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    Fragment, Offer, PublishOptions, RenditionChoice,
    egress::Common,
    error::{PublishError, StartError, ViewError},
    sdp::Candidates,
    session::{Accepted, Ended, Place, Stage},
    statistics::Counters,
};

use self::core::Core;
pub(crate) use self::outbox::Outbox;

/// Viewers that one stream's task serves before it lets others run.
const VIEWERS_PER_TURN: usize = 64;
/// Deadlines handled before the timekeeper lets others run.
const DEADLINES_PER_TURN: usize = 64;

/// What a shard is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a viewer in.
    View(Box<ViewRequest>),
    /// Take a publisher in.
    Publish(Box<PublishRequest>),
    /// Begin ICE anew.
    Restart { place: Place, fragment: Box<Fragment>, answer: oneshot::Sender<String> },
    /// Give a viewer another rendition.
    Choose { place: Place, choice: RenditionChoice },
    /// Have a publisher end if it has vanished, for another that wants its name; say whether it did.
    MakeWay { place: Place, answer: oneshot::Sender<bool> },
    /// End a session.
    End { place: Place, ended: Ended },
    /// End all sessions and then the shard.
    Stop,
}

/// A viewer that wants to be taken in.
#[derive(Debug)]
pub(crate) struct ViewRequest {
    pub(crate) offer: Offer,
    pub(crate) subscription: Subscription,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Accepted, ViewError>>,
}

/// A publisher that wants to be taken in.
#[derive(Debug)]
pub(crate) struct PublishRequest {
    pub(crate) offer: Offer,
    pub(crate) publication: Publication,
    pub(crate) options: PublishOptions,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Accepted, PublishError>>,
}

/// What a shard is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) bind: SocketAddr,
    pub(crate) tcp: bool,
    pub(crate) common: Common,
    pub(crate) public_addresses: Vec<std::net::IpAddr>,
    /// How long a publisher's packet waits for the rest of its picture.
    pub(crate) coalescing_window: Duration,
    pub(crate) connections: Quota,
    pub(crate) counters: Arc<Counters>,
    pub(crate) own_commands: mpsc::WeakSender<Command>,
}

/// The sockets of a shard, bound on its own thread.
struct Sockets {
    udp: UdpSocket,
    tcp: Option<Listener>,
    local: SocketAddr,
}

/// Times that another port is tried where the system chooses it and TCP cannot have the same as UDP.
const PORT_TRIES: usize = 16;

impl Sockets {
    fn bind(plan: &Plan) -> Result<Sockets, StartError> {
        let mut tries = if plan.bind.port() == 0 { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Sockets::try_bind(plan) {
                Err(StartError::Bind { carrier: "TCP", .. }) if tries > 0 => {}
                other => return other,
            }
        }
    }

    fn try_bind(plan: &Plan) -> Result<Sockets, StartError> {
        let failed = |carrier, address| move |source| StartError::Bind { address, carrier, source };
        let udp = UdpSocket::bind(plan.bind).map_err(failed("UDP", plan.bind))?;
        let local = udp.local_address().map_err(failed("UDP", plan.bind))?;
        let tcp = match plan.tcp {
            true => Some(Listener::bind(local, &plan.connections).map_err(failed("TCP", local))?),
            false => None,
        };
        Ok(Sockets { udp, tcp, local })
    }

    fn candidates(&self, plan: &Plan) -> Candidates {
        let own = headwater_net::candidate_addresses(self.local.ip()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the addresses of this machine could not be listed");
            Vec::new()
        });
        let mut ips = plan.public_addresses.clone();
        ips.extend(own);
        let mut seen = Vec::new();
        ips.retain(|ip| {
            !seen.contains(ip) && {
                seen.push(*ip);
                true
            }
        });
        let all: Vec<SocketAddr> = ips.iter().map(|ip| SocketAddr::new(*ip, self.local.port())).collect();
        Candidates { tcp: if self.tcp.is_some() { all.clone() } else { Vec::new() }, udp: all }
    }
}

/// Runs a shard until it is told to stop. `started` learns of its address, or of why it did not start.
pub(crate) async fn run(
    plan: Plan,
    commands: mpsc::Receiver<Command>,
    started: std::sync::mpsc::Sender<Result<SocketAddr, StartError>>,
) {
    let sockets = match Sockets::bind(&plan) {
        Ok(sockets) => sockets,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let candidates = sockets.candidates(&plan);
    let Sockets { udp, tcp, local } = sockets;
    let shard = Shard::new(plan, Rc::new(udp), local, candidates);
    let _ = started.send(Ok(local));
    tokio::task::spawn_local(shard.clone().receive());
    tokio::task::spawn_local(shard.clone().keep_time());
    tokio::task::spawn_local(shard.clone().send_rest());
    if let Some(listener) = tcp {
        tokio::task::spawn_local(tcp::listen(shard.clone(), listener));
    }
    shard.serve(commands).await;
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
        loop {
            if let Err(error) = self.socket.receive(&mut buffer).await {
                tracing::warn!(%error, "datagrams could not be received");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
            self.core.borrow_mut().receive_datagrams(buffer.datagrams(), now());
            tokio::task::yield_now().await;
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
            self.core.borrow_mut().run_due(now(), DEADLINES_PER_TURN);
            tokio::task::yield_now().await;
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
                Command::Restart { place, fragment, answer } => {
                    if let Some(text) = self.core.borrow_mut().restart_ice(place, &fragment) {
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

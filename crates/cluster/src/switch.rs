//! The links of a node: which other node is reached by which, and what has passed over them.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use headwater_media::limits;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{NodeId, Statistics};

/// How long a goodbye may take to be sent.
const GOODBYE_TIME: Duration = Duration::from_millis(200);

/// Stands for a node in the gossip, which knows nodes by addresses. Nothing is ever sent to it.
pub(crate) fn address_of(node: &NodeId) -> SocketAddr {
    let hash = digest(&SHA256, node.as_str().as_bytes());
    let mut bytes = [0; 6];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, e, f] = bytes;
    SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([e, f]))
}

/// All links of a node.
#[derive(Default)]
pub(crate) struct Switch {
    links: Mutex<HashMap<SocketAddr, Link>>,
    inbox: Mutex<Option<mpsc::Sender<Letter>>>,
    fresh: Mutex<Vec<SocketAddr>>,
    /// Rung when a link is opened or ends.
    pub(crate) relinked: Notify,
    pub(crate) counters: Counters,
    last: AtomicU64,
}

/// A message and whom it is from.
pub(crate) type Letter = (SocketAddr, Bytes);

/// What is sent over a link.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Gossip(Bytes),
    Goodbye,
}

/// One link, as whoever sends over it sees it.
pub(crate) struct Link {
    pub(crate) node: NodeId,
    pub(crate) generation: u64,
    /// Whether this side has dialled.
    pub(crate) is_dialed: bool,
    pub(crate) queue: mpsc::Sender<Outgoing>,
    pub(crate) end: CancellationToken,
    number: u64,
    heard: Instant,
}

/// Why a link does not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlinked {
    /// There is a link to this node already.
    Doubled,
    /// Another node of this name is linked and lives.
    Taken,
}

impl Link {
    pub(crate) fn new(node: NodeId, generation: u64, is_dialed: bool, queue: mpsc::Sender<Outgoing>) -> Link {
        let (end, heard) = (CancellationToken::new(), Instant::now());
        Link { node, generation, is_dialed, queue, end, number: 0, heard }
    }

    /// Whether nothing was heard for longer than two pings are apart.
    fn is_silent(&self) -> bool {
        self.heard.elapsed() > limits::CLUSTER_SILENCE_MS.get_duration() / 3
    }

    /// Whether it gives way to another link to a node of its name. `own` is the name of this side.
    ///
    /// Of two nodes of one name the one that came first stays, while it lives. Of two links to one node, which come
    /// about when both dial, the one stays that the node whose name comes first has dialled: both sides decide alike.
    fn yields(&self, other: &Link, own: &NodeId) -> Result<(), Unlinked> {
        if self.is_silent() || self.end.is_cancelled() {
            return Ok(());
        }
        if self.node != other.node || self.generation != other.generation {
            return Err(Unlinked::Taken);
        }
        let stays = self.is_dialed != other.is_dialed && self.is_dialed == (own < &self.node);
        if stays { Err(Unlinked::Doubled) } else { Ok(()) }
    }
}

impl Switch {
    /// Adds a link, in place of one that yields to it; yields the number by which it is taken out.
    pub(crate) fn add(&self, mut link: Link, own: &NodeId) -> Result<u64, Unlinked> {
        let address = address_of(&link.node);
        let number = self.last.fetch_add(1, Relaxed);
        link.number = number;
        match self.links.lock().entry(address) {
            Entry::Vacant(place) => {
                place.insert(link);
            }
            Entry::Occupied(mut place) => {
                place.get().yields(&link, own)?;
                place.insert(link).end.cancel();
            }
        }
        self.counters.links_opened.fetch_add(1, Relaxed);
        self.fresh.lock().push(address);
        self.relinked.notify_waiters();
        Ok(number)
    }

    /// Takes a link out, unless another is in its place.
    pub(crate) fn take_out(&self, node: &NodeId, number: u64) {
        let address = address_of(node);
        let mut links = self.links.lock();
        if links.get(&address).is_some_and(|link| link.number == number) {
            links.remove(&address);
            drop(links);
            self.relinked.notify_waiters();
        }
    }

    /// Something has come over a link.
    pub(crate) fn hear(&self, node: &NodeId, number: u64) {
        if let Some(link) = self.links.lock().get_mut(&address_of(node))
            && link.number == number
        {
            link.heard = Instant::now();
        }
    }

    pub(crate) fn is_linked(&self, node: &NodeId) -> bool {
        self.links.lock().contains_key(&address_of(node))
    }

    /// Whether there is a link to a node that is heard of over it.
    pub(crate) fn hears(&self, node: &NodeId) -> bool {
        self.links.lock().get(&address_of(node)).is_some_and(|link| !link.is_silent())
    }

    /// Sends, if there is a link and not too much waits for it.
    pub(crate) fn send(&self, to: SocketAddr, message: Bytes) {
        let bytes = message.len() as u64;
        let queued = match self.links.lock().get(&to) {
            Some(link) => {
                link.queue.try_send(Outgoing::Gossip(message)).is_ok() || {
                    limits::CLUSTER_QUEUE.hit();
                    false
                }
            }
            None => false,
        };
        if queued {
            self.counters.sent.fetch_add(1, Relaxed);
            self.counters.sent_bytes.fetch_add(bytes, Relaxed);
        } else {
            self.counters.unsent.fetch_add(1, Relaxed);
        }
    }

    /// Hands a message to whoever gossips now, and waits until there is room.
    pub(crate) async fn deliver(&self, from: SocketAddr, message: Bytes) {
        self.counters.received.fetch_add(1, Relaxed);
        self.counters.received_bytes.fetch_add(message.len() as u64, Relaxed);
        let inbox = self.inbox.lock().clone();
        if let Some(inbox) = inbox {
            let _ = inbox.send((from, message)).await;
        }
    }

    /// Where messages arrive from now on.
    pub(crate) fn open_inbox(&self) -> mpsc::Receiver<Letter> {
        let (sender, receiver) = mpsc::channel(limits::CLUSTER_QUEUE.get_usize().max(1));
        *self.inbox.lock() = Some(sender);
        receiver
    }

    /// Links that nobody has gossiped over yet.
    pub(crate) fn take_fresh(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.fresh.lock())
    }

    /// Some of those that are linked.
    pub(crate) fn some_links(&self, count: usize) -> Vec<SocketAddr> {
        self.links.lock().keys().take(count).copied().collect()
    }

    /// Ends all links; they may be dialled anew.
    pub(crate) fn end_all(&self) {
        self.links.lock().values().for_each(|link| link.end.cancel());
    }

    /// Says on all links that this node goes, and waits a little for it to be sent.
    pub(crate) async fn say_goodbye(&self) {
        for link in self.links.lock().values() {
            let _ = link.queue.try_send(Outgoing::Goodbye);
        }
        let deadline = Instant::now() + GOODBYE_TIME;
        while !self.links.lock().is_empty() && Instant::now() < deadline {
            tokio::select! {
                () = self.relinked.notified() => {}
                () = sleep(Duration::from_millis(10)) => {}
            }
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let Counters {
            links_opened,
            refused,
            received,
            received_bytes,
            sent,
            sent_bytes,
            unsent,
            malformed,
            oversized,
            left_out,
        } = &self.counters;
        Statistics {
            links: self.links.lock().len() as u64,
            links_opened: links_opened.load(Relaxed),
            refused: refused.load(Relaxed),
            received: received.load(Relaxed),
            received_bytes: received_bytes.load(Relaxed),
            sent: sent.load(Relaxed),
            sent_bytes: sent_bytes.load(Relaxed),
            unsent: unsent.load(Relaxed),
            malformed: malformed.load(Relaxed),
            oversized: oversized.load(Relaxed),
            left_out: left_out.load(Relaxed),
        }
    }
}

/// See [`Statistics`].
#[derive(Default)]
pub(crate) struct Counters {
    links_opened: AtomicU64,
    pub(crate) refused: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    unsent: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) oversized: AtomicU64,
    /// Messages that told of more than there is room for.
    pub(crate) left_out: AtomicU64,
}

impl Counters {
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }
}

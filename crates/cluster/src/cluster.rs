//! A node's part in its cluster.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use headwater_media::{StreamName, limits};
use headwater_net::{Dialer, Quota};
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Claim, ClusterError, Conflict, Load, Location, NodeFacts, NodeId, RemoveError, Settings, Statistics, StreamFacts,
    accept, clock::Clock, dial, directory::Directory, gossip, guard::Guard, keys::Keys, switch::Switch,
};

/// A node of a cluster. Cloning is cheap; it goes on until [`Cluster::stop`].
#[derive(Clone)]
pub struct Cluster(Arc<Node>);

/// What all parts of a node share.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) dialer: Dialer,
    pub(crate) keys: Keys,
    pub(crate) clock: Clock,
    /// Tells this start of the node from earlier ones: when it was, in milliseconds since 1970.
    generation: AtomicU64,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) switch: Switch,
    pub(crate) quota: Quota,
    pub(crate) guard: Guard,
    /// Rung when this node has something new to tell.
    pub(crate) told: Notify,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) conflicts: broadcast::Sender<Conflict>,
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Cluster {
    /// Begins to look for the others, on the runtime that this is called from. TLS and the addresses that may be
    /// connected to are the dialer's.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn start(settings: Settings, dialer: Dialer) -> Result<Cluster, ClusterError> {
        let cluster = Cluster::new(settings, dialer, Clock::new(0))?;
        cluster.look_for_others();
        Ok(cluster)
    }

    pub(crate) fn look_for_others(&self) {
        dial::start(&self.0);
    }

    /// A node that gossips over the links it is given, and looks for none.
    pub(crate) fn new(settings: Settings, dialer: Dialer, clock: Clock) -> Result<Cluster, ClusterError> {
        let networks = settings.check()?;
        let directory = Directory::new(settings.node.clone(), settings.role, settings.groups.clone());
        let node = Arc::new(Node {
            networks,
            dialer,
            keys: Keys::new(&settings.secret),
            generation: AtomicU64::new(clock.now_ms()),
            clock,
            directory: Mutex::new(directory),
            switch: Switch::default(),
            quota: Quota::new(&limits::CLUSTER_LINKS, &limits::CLUSTER_LINKS_PER_ADDRESS),
            guard: Guard::default(),
            told: Notify::new(),
            changes: watch::Sender::new(0),
            conflicts: broadcast::Sender::new(limits::CLUSTER_CONFLICTS.get_usize().max(1)),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            settings,
        });
        gossip::start(&node);
        Ok(Cluster(node))
    }

    /// `GET /cluster`: the WebSocket of other nodes. Wants the peer's address as `ConnectInfo<SocketAddr>`, and the
    /// [`headwater_net::PeerCertificate`] that it has shown, if any, among the extensions of the request.
    pub fn router(&self) -> axum::Router {
        accept::router(&self.0)
    }

    /// This node has a stream: it is published here, or fetched from another node. Announced again, the facts are
    /// replaced.
    ///
    /// A transcoder tells of none, and an edge not of what is published to it; such are not told.
    pub fn announce(&self, stream: &StreamName, facts: StreamFacts) {
        if self.0.directory.lock().announce(stream, facts) {
            self.0.tell();
        }
    }

    /// This node has the stream no more.
    pub fn withdraw(&self, stream: &StreamName) {
        if self.0.directory.lock().withdraw(stream) {
            self.0.tell();
        }
    }

    /// Who has one of these keys may watch a stream that is published here, everybody if there are none; told at once,
    /// and whenever it is announced. Keys that are not [good](crate::are_keys) keep it from being told of at all.
    pub fn restrict(&self, stream: &StreamName, keys: Vec<String>) {
        if self.0.directory.lock().restrict(stream, keys) {
            self.0.tell();
        }
    }

    /// The streams of other nodes that nobody may watch without a key, and their keys.
    pub fn restricted(&self) -> BTreeMap<StreamName, Vec<String>> {
        self.0.directory.lock().restricted()
    }

    /// This node takes nobody new until it ends: others fetch nothing more here that they can fetch elsewhere, and send
    /// nobody.
    pub fn close(&self) {
        if self.0.directory.lock().close() {
            self.0.tell();
        }
    }

    /// How busy this node is now. May be told often; what changes little had better be told rarely.
    pub fn set_load(&self, load: Load) {
        if self.0.directory.lock().set_load(load) {
            self.0.tell();
        }
    }

    /// Which nodes that live have a stream, the best first: nodes that take new sessions, those of this node's
    /// groups, those nearest to the publisher, the least loaded. Never this node itself, none from which it would be
    /// more than [`limits::CLUSTER_HOPS`] nodes to the publisher. Of several that publish it the owner comes first.
    pub fn locate(&self, stream: &StreamName) -> Vec<Location> {
        self.0.directory.lock().locate(stream)
    }

    /// Whom to ask for a stream, the best first: as [`Cluster::locate`], and before those that are in none of this
    /// node's groups one that is and [passes on](Load::passes_on), which then fetches it.
    pub fn routes(&self, stream: &StreamName) -> Vec<Location> {
        self.0.directory.lock().routes(stream)
    }

    /// What a node that lives tells of a stream that it has.
    pub fn facts_of(&self, node: &NodeId, stream: &StreamName) -> Option<StreamFacts> {
        self.0.directory.lock().facts_of(node, stream)
    }

    /// The groups of this node, the first the most.
    pub fn groups(&self) -> &[String] {
        &self.0.settings.groups
    }

    /// All other nodes that are or were seen.
    pub fn nodes(&self) -> Vec<NodeFacts> {
        self.0.directory.lock().nodes()
    }

    /// Whether another node lives, as far as is known.
    pub fn is_active(&self, node: &NodeId) -> bool {
        self.0.directory.lock().is_active(node)
    }

    /// Whether this node hears another over a link between them: something has come within a third of
    /// [`limits::CLUSTER_SILENCE_MS`]. One that has just gone may still count as active.
    pub fn hears(&self, node: &NodeId) -> bool {
        self.0.switch.hears(node)
    }

    /// All streams of all nodes that live, this one's included.
    pub fn streams(&self) -> Vec<(StreamName, NodeId, StreamFacts)> {
        self.0.directory.lock().streams()
    }

    /// Forgets a node that is gone, on this node only. If it comes back, it is taken back.
    ///
    /// # Errors
    /// It lives, or is not known.
    pub fn remove(&self, node: &NodeId) -> Result<(), RemoveError> {
        self.0.directory.lock().remove(node)?;
        self.0.change();
        Ok(())
    }

    /// Counts changes of what [`Cluster::locate`], [`Cluster::nodes`] and [`Cluster::streams`] say.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Counts changes of where one stream is; those of all others wake nobody who waits here.
    pub fn follow_stream(&self, stream: &StreamName) -> watch::Receiver<u64> {
        self.0.directory.lock().follow_stream(stream)
    }

    /// Counts changes of whether one node lives.
    pub fn follow_node(&self, node: &NodeId) -> watch::Receiver<u64> {
        self.0.directory.lock().follow_node(node)
    }

    /// Names that this node publishes and that are another's; the publisher here has to be ended. Told again every
    /// few seconds until it is, so nothing is lost with those that a slow receiver misses.
    pub fn conflicts(&self) -> broadcast::Receiver<Conflict> {
        self.0.conflicts.subscribe()
    }

    /// Proves to another node, for a minute, that this is a node.
    pub fn token(&self) -> String {
        self.0.keys.token(&self.0.settings.node, self.0.settings.role, self.0.clock.now_ms())
    }

    /// Which node made a token; `None` if none did, or more than a minute ago.
    pub fn recognise(&self, token: &str) -> Option<Claim> {
        self.0.keys.recognise(token, |node| self.0.clock.now_of(node))
    }

    /// What stands for a node in addresses: twelve hexadecimal digits that follow from its name and the secret.
    pub fn mark(&self, node: &NodeId) -> String {
        self.0.keys.mark(node)
    }

    /// What has been counted.
    pub fn statistics(&self) -> Statistics {
        let statistics = self.0.switch.statistics();
        let left_out = statistics.left_out.saturating_add(self.0.directory.lock().left_out());
        Statistics { left_out, ..statistics }
    }

    /// Tells the others that this node goes, so that they need not find out, and ends all links.
    pub async fn stop(&self) {
        self.0.switch.say_goodbye().await;
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

#[cfg(test)]
impl Cluster {
    /// Ends without a word.
    pub(crate) async fn kill(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.0
    }
}

impl Node {
    /// What this node tells has changed.
    fn tell(&self) {
        self.told.notify_one();
        self.change();
    }

    /// See [`Node::renew`].
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Begins anew with what it tells.
    pub(crate) fn renew(&self) {
        self.generation.fetch_max(self.clock.now_ms().max(self.generation().saturating_add(1)), Relaxed);
    }

    /// What is known has changed.
    pub(crate) fn change(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A node has said that it goes.
    pub(crate) fn hear_goodbye(&self, node: &NodeId, generation: u64) {
        if self.directory.lock().leave(node, generation, Instant::now()) {
            self.change();
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("node", &self.0.settings.node).finish_non_exhaustive()
    }
}

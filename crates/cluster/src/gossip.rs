//! How what nodes tell of themselves spreads: the only module that knows `chitchat`.
//!
//! Each node has a state of keys and values with versions. Nodes exchange digests of what they have and send each
//! other what is newer (scuttlebutt), over the links of the [`crate::switch`]; who is heard of no more, by whatever
//! way, is taken for dead after about two seconds (phi accrual).

mod view;
mod wire;

use std::{sync::Arc, time::Duration};

use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, spawn_chitchat};
use headwater_media::limits;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{
    cluster::Node,
    directory::{About, Entry},
    switch::address_of,
};

use view::View;
use wire::Wire;

/// Time between two rounds, each with three other nodes.
const INTERVAL: Duration = Duration::from_millis(200);
/// So many times the usual time between two signs of life make a node dead.
const PHI_THRESHOLD: f64 = 8.0;
/// The usual time is the mean of the last few and of as many of `USUAL`: where many nodes gossip, signs of life come
/// so often that a pause of a busy machine would else be taken for death.
const WINDOW: usize = 5;
const USUAL: Duration = Duration::from_millis(300);
/// How long the dead and the withdrawn are kept, so that others learn of it. Who was away for longer is told all.
const GRACE: Duration = Duration::from_secs(60);
/// Time between two looks at what changes with time alone.
const LOOK: Duration = Duration::from_millis(100);
/// How many nodes are asked in each round while none is known to live.
const ASKED: usize = 3;
/// Time between two reminders of a conflict.
const REMIND: Duration = Duration::from_millis(500);
/// Time to wait before gossip that has ended on its own begins again.
const AGAIN: Duration = Duration::from_millis(500);
/// Names the protocol within the messages; the cluster itself is known by its secret.
const CLUSTER: &str = "headwater";

/// Gossips until the node stops.
pub(crate) fn start(node: &Arc<Node>) {
    let this = node.clone();
    node.tasks.spawn(async move {
        let stopping = this.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = run(&this) => {}
        }
    });
}

async fn run(node: &Arc<Node>) {
    loop {
        let error = match gossip(node).await {
            Ok(()) => "it has ended".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::error!(%error, "the gossip of the cluster has failed and begins again; this is a fault of the server");
        // Others hold more of the old generation than the new one knows, and would not listen to it.
        node.renew();
        node.switch.end_all();
        sleep(AGAIN).await;
    }
}

async fn gossip(node: &Arc<Node>) -> anyhow::Result<()> {
    let address = address_of(&node.settings.node);
    let own = ChitchatId::new(node.settings.node.shared(), node.generation(), address);
    let config = ChitchatConfig {
        chitchat_id: own.clone(),
        cluster_id: CLUSTER.to_owned(),
        gossip_interval: INTERVAL,
        listen_addr: address,
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig {
            phi_threshold: PHI_THRESHOLD,
            sampling_window_size: WINDOW,
            max_interval: limits::CLUSTER_SILENCE_MS.get_duration(),
            initial_interval: USUAL,
            dead_node_grace_period: GRACE,
        },
        marked_for_deletion_grace_period: GRACE,
        catchup_callback: None,
        // Nobody watches its list of live nodes, and none on it means none copied with all they tell, at each change.
        extra_liveness_predicate: Some(Box::new(|_| false)),
    };
    let settings = &node.settings;
    let about = About {
        role: settings.role,
        groups: settings.groups.clone(),
        url: settings.url.clone(),
        media: settings.media.clone(),
        version: settings.version.clone(),
    };
    let first = vec![(About::KEY.to_owned(), about.write())];
    let wire = Wire::new(node);
    let moved = wire.moved();
    let handle = Guarded(spawn_chitchat(config, first, &wire).await?);
    node.guard.learn(&*handle.0.chitchat().lock().await);
    let mut view = View::new(own);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut reminded, mut asked) = (Instant::now(), Instant::now());
    let mut ended = std::pin::pin!(handle.0.termination_watcher());
    tell(node, &handle.0, &mut view).await;
    loop {
        tokio::select! {
            ended = &mut ended => return ended,
            () = node.told.notified() => tell(node, &handle.0, &mut view).await,
            () = moved.notified() => {}
            _ = look.tick() => {}
        }
        for fresh in node.switch.take_fresh() {
            handle.0.gossip(fresh)?;
        }
        // The gossip would choose among all that it has heard of, linked or not, and so hardly ever reach one.
        if view.is_alone() && asked.elapsed() >= INTERVAL {
            asked = Instant::now();
            for linked in node.switch.some_links(ASKED) {
                handle.0.gossip(linked)?;
            }
        }
        let is_changed = {
            let chitchat = handle.0.chitchat();
            let chitchat = chitchat.lock().await;
            node.guard.learn(&chitchat);
            let mut directory = node.directory.lock();
            let is_changed = view.look(&chitchat, &mut directory, Instant::now());
            let age = settings.forget_after;
            age.is_some_and(|age| directory.forget(age, Instant::now())) || is_changed
        };
        if is_changed {
            node.change();
        }
        let remind = reminded.elapsed() >= REMIND;
        if remind {
            reminded = Instant::now();
        }
        let conflicts = node.directory.lock().conflicts(remind);
        for conflict in conflicts {
            // Without a receiver nobody wants to know.
            let _ = node.conflicts.send(conflict);
        }
    }
}

/// Puts what this node has to tell into its state.
async fn tell(node: &Node, handle: &ChitchatHandle, view: &mut View) {
    let chitchat = handle.chitchat();
    let mut chitchat = chitchat.lock().await;
    let state = chitchat.self_node_state();
    let (own, load) = {
        let directory = node.directory.lock();
        (view.own_changes(directory.own()), directory.load())
    };
    state.set(Entry::LOAD, serde_json::to_string(&load).unwrap_or_default());
    for (stream, facts) in own {
        let key = Entry::stream_key(&stream);
        match facts {
            Some(facts) => state.set(key, serde_json::to_string(&facts).unwrap_or_default()),
            None => state.delete(&key),
        }
    }
}

/// Ends the gossip when it is dropped.
struct Guarded(ChitchatHandle);

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.abort();
    }
}

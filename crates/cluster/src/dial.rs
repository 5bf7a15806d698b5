//! Links that this node opens: to its entry points and to every node that it learns of.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use headwater_media::limits;
use headwater_net::{DialError, PeerCertificate};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{client_async_with_config, tungstenite};
use url::Url;

use crate::{
    NodeId,
    cluster::Node,
    hello::{self, Refusal},
    link::{self, Opened},
    settings::link_url,
};

/// Time between two looks at who is not linked.
const LOOK: Duration = Duration::from_millis(200);
/// The shortest wait between two attempts.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// How long a node that does not answer is expected back any moment, and tried as often.
const EXPECTED: Duration = Duration::from_secs(600);
/// A link that lasted for so long had come about.
const LASTED: Duration = Duration::from_secs(5);
/// So many attempts run at once.
const AT_ONCE: usize = 32;
/// How long the node of two whose name comes second leaves it to the other to dial.
const COURTESY: Duration = Duration::from_secs(1);
/// When it is looked again whether an address that led to this node itself still does.
const MYSELF: Duration = Duration::from_secs(60);

pub(crate) fn start(node: &Arc<Node>) {
    let this = node.clone();
    node.tasks.spawn(async move {
        let stopping = this.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = keep(&this) => {}
        }
    });
}

/// Where a node is to be found.
#[derive(Debug)]
struct Target {
    url: Url,
    /// Who was found there, or is said to be.
    node: Option<NodeId>,
    failures: u32,
    /// The first of these failures.
    failing_since: Option<Instant>,
    next: Instant,
    is_busy: bool,
}

/// How an attempt, and the link that it may have led to, has ended.
struct Outcome {
    target: String,
    node: Option<NodeId>,
    lasted: Duration,
    is_myself: bool,
}

async fn keep(node: &Arc<Node>) {
    let mut targets = BTreeMap::new();
    let (sender, mut outcomes) = mpsc::channel(AT_ONCE);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = node.switch.relinked.notified() => {}
            Some(outcome) = outcomes.recv() => settle(&mut targets, outcome),
        }
        find(node, &mut targets);
        for (name, url) in due(&mut targets, |target| is_linked(node, target)) {
            let (node, outcomes) = (node.clone(), sender.clone());
            let tracker = node.tasks.clone();
            tracker.spawn(async move {
                let outcome = attempt(&node, name, &url).await;
                let _ = outcomes.send(outcome).await;
            });
        }
    }
}

/// Takes those whose turn it is: who has waited the longest comes first, and no more than may be dialled at once. Most
/// of a cluster may be out of reach, and each that is takes its time.
fn due(targets: &mut BTreeMap<String, Target>, is_linked: impl Fn(&Target) -> bool) -> Vec<(String, Url)> {
    let now = Instant::now();
    let dialing = targets.values().filter(|target| target.is_busy && !is_linked(target)).count();
    let is_due = |target: &Target| !target.is_busy && target.next <= now && !is_linked(target);
    let mut due: Vec<_> = targets.iter_mut().filter(|(_, target)| is_due(target)).collect();
    due.sort_by_key(|(_, target)| target.next);
    let chosen = due.into_iter().take(AT_ONCE.saturating_sub(dialing)).map(|(name, target)| {
        target.is_busy = true;
        (name.clone(), target.url.clone())
    });
    chosen.collect()
}

fn is_linked(node: &Node, target: &Target) -> bool {
    target.node.as_ref().is_some_and(|found| node.switch.is_linked(found))
}

/// Takes up nodes that have become known, and drops those that are forgotten.
fn find(node: &Node, targets: &mut BTreeMap<String, Target>) {
    let settings = &node.settings;
    let url = |text: &str| link_url(text, settings.plain).ok();
    let own = url(&settings.url);
    let mut wanted = BTreeSet::new();
    let mut want = |url: Url, found: Option<&NodeId>| {
        let name = url.to_string();
        wanted.insert(name.clone());
        let target = targets.entry(name).or_insert_with(|| {
            let waits = found.is_some_and(|found| *found < settings.node);
            let next = Instant::now() + if waits { COURTESY } else { Duration::ZERO };
            Target { url, node: None, failures: 0, failing_since: None, next, is_busy: false }
        });
        if let Some(found) = found
            && !target.is_busy
        {
            target.node = Some(found.clone());
        }
    };
    for entry in settings.entry.iter().filter_map(|entry| url(entry)) {
        want(entry, None);
    }
    let directory = node.directory.lock();
    for (found, address) in directory.addresses() {
        // A node beyond this machine that is said to be without TLS is not dialled unless that is allowed.
        if let Some(address) = url(address).filter(|address| Some(address) != own.as_ref()) {
            want(address, Some(found));
        }
    }
    drop(directory);
    targets.retain(|name, target| target.is_busy || wanted.contains(name));
}

fn settle(targets: &mut BTreeMap<String, Target>, outcome: Outcome) {
    let Some(target) = targets.get_mut(&outcome.target) else { return };
    target.is_busy = false;
    if outcome.node.is_some() {
        target.node = outcome.node;
    }
    let now = Instant::now();
    if outcome.lasted >= LASTED {
        (target.failures, target.failing_since) = (0, None);
    } else {
        target.failures = target.failures.saturating_add(1);
    }
    let failing = now.saturating_duration_since(*target.failing_since.get_or_insert(now));
    let wait = if outcome.is_myself { MYSELF } else { wait(target.failures, failing) };
    target.next = now + wait;
}

/// How long to wait after so many failures in a row that began so long ago: up to twice as long each time, and never
/// all nodes alike.
fn wait(failures: u32, failing: Duration) -> Duration {
    let limit = if failing < EXPECTED { &limits::CLUSTER_RETRY_MS } else { &limits::CLUSTER_WAIT_MS };
    let most = limit.get_duration().max(WAIT_MIN);
    let longest = WAIT_MIN.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX)).min(most);
    WAIT_MIN.max(longest.mul_f64(0.5 + rand::random::<f64>() / 2.0))
}

async fn attempt(node: &Arc<Node>, target: String, url: &Url) -> Outcome {
    let begun = Instant::now();
    let dialed = tokio::select! {
        dialed = dial(node, url) => dialed,
        () = node.stopping.cancelled() => Err((None, Refusal::Gone.to_string(), false)),
    };
    match dialed {
        Ok((found, opened, socket)) => {
            let begun = Instant::now();
            opened.run(socket).await;
            Outcome { target, node: Some(found), lasted: begun.elapsed(), is_myself: false }
        }
        Err((found, reason, is_myself)) => {
            if !is_myself {
                tracing::info!(%url, reason, "another node of the cluster is not reached");
            }
            let lasted = if found.is_some() { LASTED } else { begun.elapsed().min(LASTED / 2) };
            Outcome { target, node: found, lasted, is_myself }
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<headwater_net::Dialed>;
/// Who was found if it was a node, why there is no link, and whether the node is this one.
type Unreached = (Option<NodeId>, String, bool);

async fn dial(node: &Arc<Node>, url: &Url) -> Result<(NodeId, Opened, Socket), Unreached> {
    let fail = |reason: String| (None, reason, false);
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let time = limits::CLUSTER_DIAL_MS.get_duration();
    let dialed = timeout(time, node.dialer.dial(host, port, url.scheme() == "wss")).await.unwrap_or_else(|_| {
        limits::CLUSTER_DIAL_MS.hit();
        Err(DialError::TimedOut { host: host.to_owned(), time })
    });
    let io = dialed.map_err(|error| fail(error.to_string()))?;
    let shown = PeerCertificate::of_server(&io);
    let shaken = async {
        let (mut socket, _) = client_async_with_config(url.as_str(), io, Some(link::config()))
            .await
            .map_err(|error| fail(told(&error)))?;
        let greeted = match hello::greet(node, &mut socket, shown.as_ref()).await {
            Ok(greeting) => {
                let opened = Opened::new(node, &greeting, true);
                opened.map(|opened| (greeting.node.clone(), opened)).map_err(|refusal| (Some(greeting.node), refusal))
            }
            Err(refusal) => Err((None, refusal)),
        };
        match greeted {
            Ok((found, opened)) => Ok((found, opened, socket)),
            Err((found, refusal)) => {
                hello::refuse(&mut socket, &refusal).await;
                let found = found.filter(|_| refusal == Refusal::Doubled);
                Err((found, refusal.to_string(), refusal == Refusal::Myself))
            }
        }
    };
    let shaken = timeout(limits::CLUSTER_HANDSHAKE_MS.get_duration(), shaken).await;
    shaken.unwrap_or_else(|_| {
        limits::CLUSTER_HANDSHAKE_MS.hit();
        Err(fail("it did not prove itself in time".to_owned()))
    })
}

/// Why the other side does not become a WebSocket.
fn told(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) if headwater_net::refuses_certificate(error) => {
            "it does not take this node's certificate: both need mutual_tls in [cluster], and certificates that come \
             from the authorities of the other"
                .to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;

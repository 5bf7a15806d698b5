//! Streams of servers that work together with this one, fetched when somebody asks for them and given back when nobody
//! does.
//!
//! ```text
//! viewer ──► Hub::subscribe ──► OnRoutes ──► Routes::find ──► a pull by WebRTC, from the best, then from the others
//!                                               ▲                 │ the server is gone, the stream has moved
//!                                               └─────────────────┘ and again, as long as somebody watches
//! ```

mod watch;
mod ways;

use std::{
    future::pending,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use headwater_agent::{Agent, AgentError, Remote, Transport};
use headwater_graph::{BoxFuture, Hub, Peer, Resolver};
use headwater_media::{StreamName, limits};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch::Receiver};

use crate::{
    Inner, Relays,
    course::{Course, Outcome, Progress, Status},
    pull::Pull,
    source::Source,
};

use ways::{Blocked, Troubles};

/// The wait after the first attempt that failed at all servers; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest such wait: a stream is to be seen within two seconds of its being there again.
const LONGEST_WAIT: Duration = Duration::from_millis(1_500);
/// How often all servers may fail before the viewer who asked first is told.
const FIRST_ATTEMPTS: u64 = 3;

/// Knows at which servers streams have their publishers.
pub trait Routes: Send + Sync + 'static {
    /// Where a stream has its publisher, the best first; empty where nobody is known to have it.
    fn find(&self, stream: &StreamName) -> Vec<Route>;

    /// Whether a server can be reached, as far as is known.
    fn is_alive(&self, server: &str) -> bool;

    /// Counts changes of where one stream is. There may be thousands: those of others had better not be counted.
    fn follow_stream(&self, stream: &StreamName) -> Receiver<u64>;

    /// Counts changes of whether one server can be reached.
    fn follow_server(&self, server: &str) -> Receiver<u64>;

    /// Media of a server does not arrive over UDP, for this reason: what is fetched there comes over TCP for some minutes.
    fn tell_blocked(&self, _server: &str, _reason: &str) {}

    /// What shows another server that this is one of them, now; see [`headwater_access::SERVER_HEADER`].
    fn proof(&self) -> String;
}

/// A server that has a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The id of the server.
    pub server: String,
    /// Where it speaks the session protocol: `wss://host:8443`.
    pub url: String,
}

/// What is fetched by routes.
#[derive(Clone)]
pub(crate) struct Routed {
    routes: Arc<dyn Routes>,
    agent: Agent,
    transport: Transport,
    blocked: Arc<Blocked>,
    troubles: Arc<Mutex<Troubles>>,
    /// The server it comes from now, or did last.
    at: Arc<Mutex<Option<(String, Remote)>>>,
}

impl std::fmt::Debug for Routed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routed({:?})", self.at.lock())
    }
}

impl Routed {
    fn new(routes: Arc<dyn Routes>, agent: Agent, transport: Transport, blocked: Arc<Blocked>) -> Routed {
        Routed { routes, agent, transport, blocked, troubles: Arc::default(), at: Arc::default() }
    }

    /// What it comes over now, or did last.
    pub(crate) fn transport(&self) -> Transport {
        self.at.lock().as_ref().map_or(self.transport, |(_, remote)| remote.transport())
    }

    /// Where to ask for it, in this order.
    fn in_turn(&self, stream: &StreamName) -> Vec<Route> {
        let mut found = self.routes.find(stream);
        self.troubles.lock().sort(&mut found);
        found
    }

    /// What the next attempt at a server is made over.
    fn transport_to(&self, server: &str, now: Instant) -> Transport {
        match self.transport {
            Transport::Tcp => Transport::Tcp,
            Transport::Udp => self.troubles.lock().transport(server, &self.blocked, now),
        }
    }

    /// Takes note of how an attempt has ended.
    fn learn(&self, way: (&str, Transport), played: &Result<(), AgentError>, lasted: Duration, now: Instant) {
        let is_news = self.troubles.lock().learn(way, played, lasted, (&self.blocked, now));
        if is_news && let Err(error) = played {
            let (server, reason) = (way.0, error.to_string());
            tracing::warn!(server, reason, "media of another server does not arrive over UDP; TCP is tried");
            self.routes.tell_blocked(server, &reason);
        }
    }

    /// The id of the server it comes from now, or did last.
    pub(crate) fn server(&self) -> Option<String> {
        self.at.lock().as_ref().map(|(server, _)| server.clone())
    }

    pub(crate) fn remote(&self) -> Option<Remote> {
        self.at.lock().as_ref().map(|(_, remote)| remote.clone())
    }

    /// Waits before all servers are asked again, but no longer than until something becomes of the stream.
    pub(crate) async fn pause(&self, course: &Course, stream: &StreamName, failures: u64) {
        let mut place = self.routes.follow_stream(stream);
        tokio::select! {
            () = course.sleep(wait(failures, rand::random_range(0.5..1.0))) => {}
            // Many changes at once are one attempt.
            () = watch::next(&mut place) => course.sleep(FIRST_WAIT.mul_f64(rand::random_range(0.1..0.5))).await,
        }
    }

    /// Waits until something says that the stream is not to be had any more from where it comes.
    async fn lost(&self, stream: &StreamName) -> String {
        let Some(server) = self.server() else { return pending().await };
        watch::lost(&*self.routes, &server, stream).await
    }

    /// Whether a stream that its server has ended may come again: it is on another, or the server itself is stopping.
    async fn may_return(&self, stream: &StreamName) -> bool {
        self.appears(stream, limits::ROUTE_MOVE_MS.get_duration()).await
            || self.server().is_none_or(|server| !self.routes.is_alive(&server))
    }

    /// Waits until some server has the stream, for so long at most. Says whether one has.
    async fn appears(&self, stream: &StreamName, time: Duration) -> bool {
        watch::appears(&*self.routes, stream, time).await
    }
}

fn wait(failures: u64, share: f64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(8);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT).mul_f64(share)
}

impl Pull {
    /// One attempt at each server that has the stream, until one sends it.
    pub(crate) async fn attempt_routes(&self, routed: &Routed) -> Outcome {
        let mut problem = "no server has the stream".to_owned();
        for route in routed.in_turn(self.name()) {
            let begun = self.now();
            let transport = routed.transport_to(&route.server, begun);
            let remote = match Remote::parse(&route.url, Some(self.name().as_str())) {
                Ok(remote) => remote.with_proof(routed.routes.proof()).over(transport),
                Err(error) => {
                    problem =
                        format!("the server {} says of itself that it is at a URL of no use: {error}", route.server);
                    continue;
                }
            };
            *routed.at.lock() = Some((route.server.clone(), remote.clone()));
            self.forget_agreement();
            let played = self.play(&routed.agent, &remote).await;
            let now = self.now();
            routed.learn((&route.server, transport), &played, now.saturating_duration_since(begun), now);
            match self.outcome_of(played) {
                Outcome::Again { reason, .. } if !self.is_agreed() => problem = reason,
                Outcome::Again { reason, worked } => return Outcome::Again { reason, worked },
                Outcome::Ended(reason) if routed.may_return(self.name()).await => {
                    return Outcome::Again { reason, worked: true };
                }
                outcome => return outcome,
            }
        }
        Outcome::Again { reason: problem, worked: false }
    }

    /// Waits until a server has not answered in time, or what the routes know says that it is of no use any more.
    pub(crate) async fn lost_by_routes(&self, routed: &Routed) -> String {
        let late = async {
            self.sleep(limits::ROUTE_ATTEMPT_MS.get_duration()).await;
            if self.is_agreed() {
                pending::<()>().await;
            }
            limits::ROUTE_ATTEMPT_MS.hit();
        };
        tokio::select! {
            () = late => "the server has not answered in time".to_owned(),
            reason = routed.lost(self.name()) => reason,
        }
    }
}

/// Fetches what viewers ask for and other servers have. The hub holds it, and it must not hold the hub.
pub(crate) struct OnRoutes {
    relays: Weak<Inner>,
    routes: Arc<dyn Routes>,
    agent: Agent,
    transport: Transport,
    blocked: Arc<Blocked>,
    /// Names that may be waited for at once.
    sought: Semaphore,
}

impl OnRoutes {
    fn new(relays: Weak<Inner>, routes: Arc<dyn Routes>, agent: Agent, transport: Transport) -> Arc<OnRoutes> {
        let sought = Semaphore::new(limits::ROUTES_SOUGHT.get_usize().min(Semaphore::MAX_PERMITS));
        Arc::new(OnRoutes { relays, routes, agent, transport, blocked: Arc::default(), sought })
    }
}

/// The resolver that a hub has.
pub(crate) struct Resolving(pub(crate) Arc<OnRoutes>);

impl Resolver for Resolving {
    fn resolve(&self, hub: &Hub, name: &StreamName, viewer: &Peer) -> Option<BoxFuture<'static, Result<(), String>>> {
        // Who passes on asks nobody who has to fetch it first, so this cannot go round.
        if viewer.server.is_some() && !hub.passes_on() {
            return None;
        }
        let (own, name) = (self.0.clone(), name.clone());
        Some(Box::pin(async move { own.fetch(name).await }))
    }
}

impl OnRoutes {
    async fn fetch(&self, name: StreamName) -> Result<(), String> {
        let routed = Routed::new(self.routes.clone(), self.agent.clone(), self.transport, self.blocked.clone());
        if routed.routes.find(&name).is_empty() {
            let Ok(_sought) = self.sought.try_acquire() else {
                limits::ROUTES_SOUGHT.hit();
                return Ok(());
            };
            // Others know of a new stream a moment later.
            if !routed.appears(&name, limits::ROUTE_FIND_MS.get_duration()).await {
                return Ok(());
            }
        }
        let Some(inner) = self.relays.upgrade() else { return Ok(()) };
        Relays(inner).pull_by_routes(routed, name).await
    }
}

impl Relays {
    /// Has streams that viewers ask for and nobody publishes here fetched from where these say, by this agent: it may
    /// reach other addresses than those that are asked for by URL. Media comes over this transport, and over TCP where
    /// datagrams of a server do not arrive.
    pub fn add_routes(&self, routes: Arc<dyn Routes>, agent: Agent, transport: Transport) {
        let on_routes = OnRoutes::new(Arc::downgrade(&self.0), routes, agent, transport);
        self.hub().add_resolver(Arc::new(Resolving(on_routes)));
    }

    async fn pull_by_routes(&self, routed: Routed, name: StreamName) -> Result<(), String> {
        let pull = loop {
            let at_work = self.0.list.lock().pulls.get(&name).cloned();
            match at_work {
                Some(pull) if pull.is_stopping() => pull.over().await,
                Some(pull) if pull.is_routed() => break pull,
                Some(_) => return Err("it is fetched from another server, which does not send it now".to_owned()),
                None => {
                    let source = Source::Routed(routed.clone());
                    break self.start_pull(source, name.clone(), true).map_err(|error| error.to_string())?;
                }
            }
        };
        let mut progress = pull.follow();
        let before = progress.borrow().failures;
        let settled = progress.wait_for(|progress: &Progress| {
            let is_over = matches!(progress.status, Status::Stopped | Status::Failed);
            is_over
                || progress.status == Status::Connected
                || progress.failures >= before.saturating_add(FIRST_ATTEMPTS)
        });
        match settled.await {
            Ok(progress) if progress.status == Status::Connected => Ok(()),
            Ok(progress) => Err(progress.problem.clone().unwrap_or_default()),
            Err(_) => Err("this server is stopping".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_servers_are_asked_again_within_two_seconds_at_most() {
        let waits: Vec<_> = (1..=6).map(|failures| wait(failures, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_500, 1_500]);
        assert_eq!(wait(u64::MAX, 0.5), LONGEST_WAIT / 2);
    }
}

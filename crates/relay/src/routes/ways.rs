//! What media of other servers comes over: UDP while it arrives, TCP where it does not.
//!
//! A firewall may let signalling through and datagrams not, in one direction or in both, from one moment to the next.
//! Then the servers reach each other, and asking once more in the same way brings nothing.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use headwater_agent::{AgentError, Transport};
use headwater_media::limits;
use headwater_webrtc::Ended;
use parking_lot::Mutex;

use super::Route;

/// So often in a row media over UDP does not arrive before TCP is tried.
const FAILURES: u32 = 2;
/// How long nothing that is fetched anew from a server is tried over UDP once it was found not to arrive.
const BLOCKED: Duration = Duration::from_secs(300);
/// Media that came for so long has arrived.
const ARRIVED: Duration = Duration::from_secs(10);

/// Servers whose datagrams do not arrive, and until when that is believed; one for all that is fetched.
#[derive(Debug, Default)]
pub(super) struct Blocked(Mutex<HashMap<String, Instant>>);

impl Blocked {
    fn is(&self, server: &str, now: Instant) -> bool {
        self.0.lock().get(server).is_some_and(|until| now < *until)
    }

    /// Says whether that is news.
    fn add(&self, server: &str, now: Instant) -> bool {
        let mut until = self.0.lock();
        until.retain(|_, until| now < *until);
        // There are no more servers than that, and who is left out finds out by itself.
        if until.len() >= limits::CLUSTER_NODES.get_usize() && !until.contains_key(server) {
            return false;
        }
        until.insert(server.to_owned(), now + BLOCKED).is_none()
    }
}

/// How often in a row the media of one stream has not arrived, by server.
#[derive(Debug, Default)]
pub(super) struct Troubles(HashMap<String, u32>);

impl Troubles {
    /// What the next attempt at a server is made over, where UDP is preferred: twice UDP, then TCP, and from there on
    /// by turns.
    pub(super) fn transport(&self, server: &str, blocked: &Blocked, now: Instant) -> Transport {
        let known = if blocked.is(server, now) { FAILURES } else { 0 };
        match self.count(server).saturating_add(known) {
            failures if failures >= FAILURES && failures.is_multiple_of(2) => Transport::Tcp,
            _ => Transport::Udp,
        }
    }

    /// Puts servers from which nothing arrives by any way behind the others, and forgets those that are gone.
    pub(super) fn sort(&mut self, routes: &mut [Route]) {
        self.0.retain(|server, _| routes.iter().any(|route| route.server == *server));
        routes.sort_by_key(|route| self.count(&route.server).saturating_sub(FAILURES));
    }

    /// Takes note of how an attempt has ended that media may have come by for so long. Says whether it is news that
    /// media does not arrive over UDP.
    pub(super) fn learn(
        &mut self,
        (server, transport): (&str, Transport),
        played: &Result<(), AgentError>,
        lasted: Duration,
        (blocked, now): (&Blocked, Instant),
    ) -> bool {
        let is_mute = matches!(played, Err(AgentError::Ended(Ended::Unheard | Ended::Silent | Ended::NeverConnected)));
        if lasted >= ARRIVED {
            self.0.remove(server);
        }
        if !is_mute {
            return false;
        }
        let failures = self.0.entry(server.to_owned()).or_default();
        *failures = failures.saturating_add(1);
        transport == Transport::Udp && *failures == FAILURES && blocked.add(server, now)
    }

    fn count(&self, server: &str) -> u32 {
        self.0.get(server).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(2_000);

    fn mute() -> Result<(), AgentError> {
        Err(AgentError::Ended(Ended::Unheard))
    }

    /// Makes so many attempts of which none brings media; gives what they were made over and which of them were news.
    fn attempts(troubles: &mut Troubles, blocked: &Blocked, count: usize, now: Instant) -> Vec<(Transport, bool)> {
        let attempt = |_| {
            let transport = troubles.transport("a", blocked, now);
            (transport, troubles.learn(("a", transport), &mute(), SOON, (blocked, now)))
        };
        (0..count).map(attempt).collect()
    }

    #[test]
    fn tcp_is_tried_after_two_silences_and_told_of_once_for_all_streams() {
        let (udp, tcp) = (Transport::Udp, Transport::Tcp);
        let (blocked, now) = (Blocked::default(), Instant::now());
        let mut troubles = Troubles::default();
        let seen = attempts(&mut troubles, &blocked, 5, now);
        assert_eq!(seen, [(udp, false), (udp, true), (tcp, false), (udp, false), (tcp, false)]);
        let mut other = Troubles::default();
        assert_eq!(other.transport("a", &blocked, now), tcp, "another stream learns of it");
        assert_eq!(other.transport("b", &blocked, now), udp, "of another server");
        assert_eq!(other.transport("a", &blocked, now + BLOCKED), udp, "it may be over");
        other.learn(("a", tcp), &Err(AgentError::Lost("gone".to_owned())), SOON, (&blocked, now));
        assert_eq!(other.transport("a", &blocked, now), tcp, "a server that is gone says nothing of its datagrams");
    }

    #[test]
    fn media_that_came_for_a_while_ends_the_count() {
        let (blocked, now) = (Blocked::default(), Instant::now());
        let mut troubles = Troubles::default();
        for _ in 0..5 {
            assert!(!troubles.learn(("a", Transport::Udp), &mute(), ARRIVED, (&blocked, now)));
            assert_eq!(troubles.transport("a", &blocked, now), Transport::Udp);
        }
    }

    #[test]
    fn who_has_failed_by_both_ways_comes_behind_others() {
        let route = |server: &str| Route { server: server.to_owned(), url: String::new() };
        let (blocked, now) = (Blocked::default(), Instant::now());
        let mut troubles = Troubles::default();
        let order = |troubles: &mut Troubles| {
            let mut routes = [route("a"), route("b"), route("c")];
            troubles.sort(&mut routes);
            routes.map(|route| route.server).concat()
        };
        for (attempts_made, expected) in [(0, "abc"), (2, "abc"), (1, "bca"), (4, "bca")] {
            attempts(&mut troubles, &blocked, attempts_made, now);
            assert_eq!(order(&mut troubles), expected);
        }
        troubles.sort(&mut [route("b")]);
        assert_eq!(order(&mut troubles), "abc", "it was gone meanwhile");
    }
}

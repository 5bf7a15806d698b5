//! The full side of ICE, for sessions that this side begins: it controls, looks for a way to the peer, and asks again
//! and again whether the peer still consents.
//!
//! ```text
//! looking ── check to each candidate in turn ──► one is answered ── nominated ──► answered ── consent, for ever
//! ```
//!
//! This side names no candidates of its own, so the peer knows no other way than the one that a check took. It is
//! sent to candidates of the peer's answer only.
//!
//! Source: RFC 8445 §7.2 and §8.1.1, RFC 7675 §5.1.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use is::stun::{StunMessage, TransId};
use rand::Rng;

use crate::sdp::IceCredentials;

use super::{
    Path, Remote,
    ice::{self, ANSWER_BYTES, mapped, sha1_hmac},
};

/// More than any check takes: header, both names of 256 characters, four attributes, checksum and fingerprint.
const CHECK_BYTES: usize = 640;
/// Time between checks to one candidate and to the next (RFC 8445 §14.2).
const PACE: Duration = Duration::from_millis(50);
/// Time after which a check that got no answer is followed by another; twice that the next time, up to the most.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Time between two questions whether the peer consents. RFC 7675 §5.1 asks for five seconds; between servers it is to
/// be known sooner, and costs nothing to speak of.
const CONSENT_INTERVAL: Duration = Duration::from_millis(2_500);
/// Checks whose answers are waited for; older ones are forgotten.
const OPEN_CHECKS_MAX: usize = 64;
/// A host candidate's priority (RFC 8445 §5.1.2.1), as a peer may want to see one.
const PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// The full side of ICE.
#[derive(Debug)]
pub(crate) struct Full {
    local: IceCredentials,
    remote: IceCredentials,
    tie_breaker: u64,
    candidates: Vec<Remote>,
    /// Which candidate is checked next.
    turn: usize,
    chosen: Option<Remote>,
    is_nominated: bool,
    open: VecDeque<Check>,
    wait: Duration,
    due: Instant,
    round_trip: Option<Duration>,
}

/// A check that has got no answer.
#[derive(Debug)]
struct Check {
    id: TransId,
    to: Remote,
    nominates: bool,
    at: Instant,
}

impl Full {
    /// Looks for a way to a peer that can be reached at these candidates, the best first.
    pub(crate) fn new(local: &IceCredentials, remote: &IceCredentials, candidates: &[Remote], now: Instant) -> Full {
        Full {
            local: local.clone(),
            remote: remote.clone(),
            tie_breaker: rand::random(),
            candidates: candidates.to_vec(),
            turn: 0,
            chosen: None,
            is_nominated: false,
            open: VecDeque::new(),
            wait: FIRST_WAIT,
            due: now,
            round_trip: None,
        }
    }

    /// Where to send.
    pub(crate) fn path(&self) -> Option<Path> {
        self.chosen.map(path)
    }

    /// Time that the latest check and the answer to it were on their way.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// As if the first candidate had been nominated. For fuzzers and tests.
    pub(crate) fn pretend_found(&mut self) {
        self.chosen = self.candidates.first().copied();
        self.is_nominated = true;
    }

    /// When to call [`Full::advance`].
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The message as a check by the peer, if it is one.
    pub(super) fn prove<'a>(&self, message: &'a StunMessage<'a>) -> Option<ice::Check<'a>> {
        ice::Check::of(message, &self.local, &self.remote)
    }

    /// Sends the check that is due.
    pub(crate) fn advance(&mut self, now: Instant, mut send: impl FnMut(&Path, &[u8])) {
        if now < self.due {
            return;
        }
        match self.chosen {
            None => {
                let Some(to) = self.candidates.get(self.turn).copied() else {
                    self.due = now + WAIT_MAX;
                    return;
                };
                self.check(to, false, now, &mut send);
                self.turn = self.turn.saturating_add(1);
                self.due = now + PACE;
                if self.turn >= self.candidates.len() {
                    self.turn = 0;
                    self.due = now + self.next_wait();
                }
            }
            Some(chosen) if self.is_nominated => {
                self.check(chosen, false, now, &mut send);
                self.due = now + CONSENT_INTERVAL.mul_f64(rand::rng().random_range(0.8..1.2));
            }
            Some(chosen) => {
                self.check(chosen, true, now, &mut send);
                self.due = now + self.next_wait();
            }
        }
    }

    fn next_wait(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = wait.saturating_mul(2).min(WAIT_MAX);
        wait
    }

    fn check(&mut self, to: Remote, nominates: bool, now: Instant, send: &mut impl FnMut(&Path, &[u8])) {
        let id = TransId::new();
        let user = format!("{}:{}", self.remote.fragment, self.local.fragment);
        let check = StunMessage::binding_request(&user, id, true, self.tie_breaker, PRIORITY, nominates);
        let mut bytes = [0; CHECK_BYTES];
        let written = check.to_bytes(Some(self.remote.password.as_bytes()), &mut bytes, sha1_hmac);
        let Some(bytes) = written.ok().and_then(|length| bytes.get(..length)) else {
            tracing::error!("a check of ICE could not be written");
            return;
        };
        if self.open.len() >= OPEN_CHECKS_MAX {
            self.open.pop_front();
        }
        self.open.push_back(Check { id, to, nominates, at: now });
        send(&path(to), bytes);
    }

    /// Takes a STUN message: an answer to a check, or a check by the peer. Says whether it proves that the peer is
    /// there and consents.
    pub(crate) fn receive(
        &mut self,
        from: Path,
        datagram: &[u8],
        now: Instant,
        mut send: impl FnMut(&Path, &[u8]),
    ) -> bool {
        let Ok(message) = StunMessage::parse(datagram) else { return false };
        if message.is_binding_request() {
            if let Some(check) = self.prove(&message) {
                self.answer(&from, &check, send);
            }
            // Whoever asks has not said that it wants media here.
            return false;
        }
        let Some(check) = self.take_answered(from.remote, &message) else { return false };
        self.round_trip = Some(now.saturating_duration_since(check.at));
        if self.chosen.is_none() {
            self.chosen = Some(check.to);
            (self.due, self.wait) = (now, FIRST_WAIT);
            self.advance(now, &mut send);
        } else if check.nominates && self.chosen == Some(check.to) && !self.is_nominated {
            self.is_nominated = true;
            self.due = now + CONSENT_INTERVAL;
        }
        self.chosen == Some(check.to)
    }

    /// The check that a message answers: it comes from where the check went to (RFC 8445 §7.2.5.2.1), and carries a
    /// checksum under the peer's password.
    fn take_answered(&mut self, from: Remote, message: &StunMessage<'_>) -> Option<Check> {
        let id = message.trans_id();
        let position = self.open.iter().position(|check| check.id == id && check.to == from)?;
        let is_genuine = message.verify(self.remote.password.as_bytes(), sha1_hmac);
        if !is_genuine || !message.is_successful_binding_response() {
            return None;
        }
        self.open.remove(position)
    }

    /// Source: RFC 8445 §7.3.1.1: who offers controls.
    pub(super) fn answer(&self, from: &Path, check: &ice::Check<'_>, mut send: impl FnMut(&Path, &[u8])) {
        let message = check.message();
        let reply = match message.ice_controlling() {
            Some(_) => StunMessage::binding_role_conflict_reply(message.trans_id()),
            None => StunMessage::binding_reply(message.trans_id(), mapped(from.remote.address)),
        };
        let mut bytes = [0; ANSWER_BYTES];
        let written = reply.to_bytes(Some(self.local.password.as_bytes()), &mut bytes, sha1_hmac);
        if let Some(bytes) = written.ok().and_then(|length| bytes.get(..length)) {
            send(from, bytes);
        }
    }
}

fn path(remote: Remote) -> Path {
    Path { remote, local: None }
}

#[cfg(test)]
mod tests;

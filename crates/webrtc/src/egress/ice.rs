//! The lite side of ICE: it answers the peer's checks, and sends where the peer has nominated.
//!
//! Nothing is sent to an address that has not proved to be the peer's, but the answer to the very check that proves
//! it, which is no longer than the check by more than a few bytes. There are no timers: whether the peer still
//! consents is seen by what it sends (RFC 7675 §5.1 leaves a lite agent no other way).
//!
//! Source: RFC 8445 §7.3 and §8.3.2, for lite agents §2.5.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use is::stun::StunMessage;

use crate::sdp::IceCredentials;

use super::{Path, Remote};

/// More than any answer takes: header, address, checksum and fingerprint.
pub(super) const ANSWER_BYTES: usize = 128;

/// A check that proves to come from the peer: it names both sides and carries a checksum under this side's password.
#[derive(Debug)]
pub(crate) struct Check<'a>(&'a StunMessage<'a>);

impl<'a> Check<'a> {
    /// `None` if the message is no such check.
    pub(super) fn of(
        message: &'a StunMessage<'a>,
        local: &IceCredentials,
        remote: &IceCredentials,
    ) -> Option<Check<'a>> {
        let is_check = message.is_binding_request()
            && message.split_username() == Some((&local.fragment, &remote.fragment))
            && message.verify(local.password.as_bytes(), sha1_hmac);
        is_check.then_some(Check(message))
    }

    /// What it says.
    pub(super) fn message(&self) -> &'a StunMessage<'a> {
        self.0
    }
}

/// The lite side of ICE.
#[derive(Debug)]
pub(super) struct Lite {
    local: IceCredentials,
    remote: IceCredentials,
    chosen: Option<Chosen>,
    /// Has nominated once since the chosen one did.
    challenger: Option<Remote>,
}

/// The path that is sent over.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    path: Path,
    /// What the peer thinks of it; 0 while it has not been nominated.
    priority: u32,
}

impl Lite {
    pub(super) fn new(local: &IceCredentials, remote: &IceCredentials) -> Lite {
        Lite { local: local.clone(), remote: remote.clone(), chosen: None, challenger: None }
    }

    /// Where to send.
    pub(super) fn path(&self) -> Option<Path> {
        self.chosen.map(|chosen| chosen.path)
    }

    /// The message as a check by the peer, if it is one.
    pub(super) fn prove<'a>(&self, message: &'a StunMessage<'a>) -> Option<Check<'a>> {
        Check::of(message, &self.local, &self.remote)
    }

    /// Takes a check and writes the answer to it. `None` if it cannot be written.
    pub(super) fn answer(&mut self, from: Path, check: &Check<'_>, answer: &mut [u8; ANSWER_BYTES]) -> Option<usize> {
        let message = check.message();
        let reply = match message.ice_controlled() {
            // A lite agent is always the controlled one, so the peer has to change its role (RFC 8445 §7.3.1.1).
            Some(_) => StunMessage::binding_role_conflict_reply(message.trans_id()),
            None => {
                self.choose(from, message);
                StunMessage::binding_reply(message.trans_id(), mapped(from.remote.address))
            }
        };
        reply.to_bytes(Some(self.local.password.as_bytes()), answer, sha1_hmac).ok()
    }

    /// Until the peer nominates, its first path is used; then the one it nominates.
    ///
    /// A peer may nominate several in turn (RFC 5245 §8.1.1.2): then the one that it prefers is kept. It may also
    /// change to one that it prefers less, as the better one is gone: then it nominates it twice with nothing else
    /// in between. One that it prefers as much is the same one behind a translator that has forgotten it.
    fn choose(&mut self, from: Path, message: &StunMessage<'_>) {
        let priority = message.prio().unwrap_or(0).max(1);
        let nominated = Chosen { path: from, priority };
        let Some(chosen) = &mut self.chosen else {
            let priority = if message.use_candidate() { priority } else { 0 };
            self.chosen = Some(Chosen { path: from, priority });
            return;
        };
        if !message.use_candidate() {
            return;
        }
        let is_same = chosen.path.remote == from.remote;
        if is_same || priority >= chosen.priority || self.challenger == Some(from.remote) {
            *chosen = nominated;
            self.challenger = None;
        } else {
            self.challenger = Some(from.remote);
        }
    }

    /// Begins anew under other credentials. What has been chosen stays until the peer nominates (RFC 8445 §9).
    pub(super) fn restart(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.local = local.clone();
        self.remote = remote.clone();
        self.challenger = None;
        if let Some(chosen) = &mut self.chosen {
            chosen.priority = 0;
        }
    }
}

/// A dual-stack socket may know an IPv4 peer by its mapped address.
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Source: RFC 8489 §14.5.
pub(super) fn sha1_hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut context = hmac::Context::with_key(&key);
    payloads.iter().for_each(|payload| context.update(payload));
    let mut sum = [0; 20];
    for (to, from) in sum.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Carrier;
    use is::stun::{StunMessageBuilder, TransId};

    fn credentials(name: &str) -> IceCredentials {
        IceCredentials { fragment: name.into(), password: format!("password-of-{name}-that-is-long") }
    }

    fn path(port: u16) -> Path {
        Path { remote: Remote { carrier: Carrier::Udp, address: ([192, 0, 2, 1], port).into() }, local: None }
    }

    fn agent() -> Lite {
        Lite::new(&credentials("here"), &credentials("there"))
    }

    struct Made {
        user: &'static str,
        password: String,
        priority: u32,
        nominates: bool,
        controlling: bool,
    }

    fn check() -> Made {
        let password = credentials("here").password;
        Made { user: "here:there", password, priority: 100, nominates: false, controlling: true }
    }

    impl Made {
        fn bytes(&self) -> Vec<u8> {
            let mut builder = StunMessageBuilder::new().binding().request().username(self.user).prio(self.priority);
            builder = if self.controlling { builder.ice_controlling(7) } else { builder.ice_controlled(7) };
            if self.nominates {
                builder = builder.use_candidate();
            }
            let mut bytes = vec![0; 300];
            let length = builder.build(TransId::new()).to_bytes(Some(self.password.as_bytes()), &mut bytes, sha1_hmac);
            bytes.truncate(length.unwrap());
            bytes
        }
    }

    fn give_bytes(agent: &mut Lite, port: u16, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut answer = [0; ANSWER_BYTES];
        let message = StunMessage::parse(bytes).ok()?;
        let check = agent.prove(&message)?;
        let length = agent.answer(path(port), &check, &mut answer)?;
        Some(answer[..length].to_vec())
    }

    fn give(agent: &mut Lite, port: u16, check: &Made) -> Option<Vec<u8>> {
        give_bytes(agent, port, &check.bytes())
    }

    #[test]
    fn a_check_is_answered_with_the_address_it_came_from() {
        let mut agent = agent();
        let answer = give(&mut agent, 5_000, &check()).unwrap();
        let message = StunMessage::parse(&answer).unwrap();
        assert!(message.is_successful_binding_response());
        assert_eq!(message.mapped_address(), Some(path(5_000).remote.address));
        assert!(message.verify(credentials("here").password.as_bytes(), sha1_hmac));
        assert!(answer.len() <= check().bytes().len(), "nothing is amplified");
    }

    #[test]
    fn attack_w1_forged_checks_get_no_answer_and_choose_no_path() {
        let cases = [
            Made { user: "here:other", ..check() },
            Made { user: "other:there", ..check() },
            Made { password: "password-of-somebody-else".into(), ..check() },
            Made { password: credentials("there").password, nominates: true, ..check() },
        ];
        for case in cases {
            let mut agent = agent();
            assert_eq!(give(&mut agent, 1, &case), None);
            assert!(agent.path().is_none());
        }
        let mut agent = agent();
        let good = check().bytes();
        for (position, bit) in (0..good.len() - 8).zip((0..8).cycle()) {
            let mut forged = good.clone();
            forged[position] ^= 1 << bit;
            assert_eq!(give_bytes(&mut agent, 1, &forged), None, "byte {position}");
        }
        assert!(agent.path().is_none());
    }

    #[test]
    fn a_peer_that_thinks_it_is_controlled_is_told_to_change_its_role() {
        let mut agent = agent();
        let answer = give(&mut agent, 1, &Made { controlling: false, ..check() }).unwrap();
        assert_eq!(StunMessage::parse(&answer).unwrap().error_code().map(|(code, _)| code), Some(487));
        assert!(agent.path().is_none());
    }

    #[test]
    fn media_goes_where_the_peer_has_nominated() {
        // Each step: port, priority, nominates, and the port that is sent to then.
        let steps = [
            (1, 100, false, 1),
            (2, 200, false, 1),
            (2, 200, true, 2),
            (1, 100, true, 2),
            (2, 200, true, 2),
            (1, 100, true, 2),
            (2, 200, true, 2),
            (3, 300, true, 3),
            (1, 100, true, 3),
            (1, 100, true, 1),
            (3, 300, false, 1),
            (4, 100, true, 4),
        ];
        let mut agent = agent();
        for (step, (port, priority, nominates, expected)) in steps.into_iter().enumerate() {
            assert!(give(&mut agent, port, &Made { priority, nominates, ..check() }).is_some());
            assert_eq!(agent.path().unwrap().remote.address.port(), expected, "step {step}");
        }
    }

    #[test]
    fn after_a_restart_only_the_new_password_counts_and_the_old_path_stays_until_a_nomination() {
        let mut agent = agent();
        let nominating = || Made { nominates: true, priority: 300, ..check() };
        give(&mut agent, 1, &nominating());
        agent.restart(&credentials("anew"), &credentials("there"));
        assert_eq!(give(&mut agent, 2, &nominating()), None);
        let password = credentials("anew").password;
        let check = |nominates| Made { user: "anew:there", password: password.clone(), nominates, ..check() };
        assert!(give(&mut agent, 3, &check(false)).is_some());
        assert_eq!(agent.path().unwrap().remote.address.port(), 1);
        assert!(give(&mut agent, 3, &check(true)).is_some());
        assert_eq!(agent.path().unwrap().remote.address.port(), 3);
    }
}

//! How the two sides find the way to each other.

use std::time::Instant;

use is::stun::StunMessage;

use super::{
    super::{
        Agreed, Path, Sink,
        full::Full,
        ice::{self, Check, Lite},
    },
    send_copy,
};
use crate::sdp::IceCredentials;

/// This side's part in looking for the way.
#[derive(Debug)]
pub(super) enum Ice {
    /// It answers.
    Lite(Lite),
    /// It asks.
    Full(Full),
}

impl Ice {
    pub(super) fn new(agreed: &Agreed<'_>, now: Instant) -> Ice {
        match agreed.candidates {
            None => Ice::Lite(Lite::new(agreed.local_ice, agreed.remote_ice)),
            Some(candidates) => Ice::Full(Full::new(agreed.local_ice, agreed.remote_ice, candidates, now)),
        }
    }

    pub(super) fn path(&self) -> Option<Path> {
        match self {
            Ice::Lite(lite) => lite.path(),
            Ice::Full(full) => full.path(),
        }
    }

    /// Takes a STUN message. Says whether it proves that the peer is there and consents.
    pub(super) fn receive(&mut self, from: Path, datagram: &[u8], now: Instant, out: &mut impl Sink) -> bool {
        match self {
            Ice::Lite(_) => {
                let Ok(message) = StunMessage::parse(datagram) else { return false };
                self.prove(&message).is_some_and(|check| self.answer(from, &check, out))
            }
            Ice::Full(full) => full.receive(from, datagram, now, |path, check| send_copy(out, path, check)),
        }
    }

    /// Answers a check by the peer. Says whether it proves that the peer is there and consents: whoever asks the side
    /// that controls has not said that it wants media there.
    pub(super) fn answer(&mut self, from: Path, check: &Check<'_>, out: &mut impl Sink) -> bool {
        match self {
            Ice::Lite(lite) => {
                let mut answer = [0; ice::ANSWER_BYTES];
                let length = lite.answer(from, check, &mut answer);
                let answer = length.and_then(|length| answer.get(..length));
                answer.inspect(|answer| send_copy(out, &from, answer)).is_some()
            }
            Ice::Full(full) => {
                full.answer(&from, check, |path, answer| send_copy(out, path, answer));
                false
            }
        }
    }

    /// Whether DTLS is taken from there. What comes to a session's own socket has proved nothing.
    pub(super) fn takes_from(&self, from: &Path) -> bool {
        match self {
            Ice::Lite(_) => true,
            Ice::Full(full) => full.path().is_some_and(|path| path.remote == from.remote),
        }
    }

    /// The message as a check by the peer, if it is one.
    pub(super) fn prove<'a>(&self, message: &'a StunMessage<'a>) -> Option<Check<'a>> {
        match self {
            Ice::Lite(lite) => lite.prove(message),
            Ice::Full(full) => full.prove(message),
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Instant, out: &mut impl Sink) {
        if let Ice::Full(full) = self {
            full.advance(now, |path, check| send_copy(out, path, check));
        }
    }

    /// When to call [`Ice::advance`].
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Ice::Lite(_) => None,
            Ice::Full(full) => Some(full.due()),
        }
    }

    /// Whether this side asks.
    pub(super) fn asks(&self) -> bool {
        matches!(self, Ice::Full(_))
    }

    /// Begins anew under other credentials, if it is the peer who asks.
    pub(super) fn restart(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        if let Ice::Lite(lite) = self {
            lite.restart(local, remote);
        }
    }
}

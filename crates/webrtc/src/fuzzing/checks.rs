//! STUN for both sides of ICE, under the right password: what fuzzers cannot guess is written for them.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use is::stun::StunMessage;

use super::{agreed_egress, path, session};
use crate::{egress::Egress, framing::Unframer, sdp::IceCredentials};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const REQUEST: u16 = 0x0001;
/// Requests, answers, refusals and indications.
const KINDS: [u16; 4] = [REQUEST, 0x0101, 0x0111, 0x0011];
/// Bits of the first byte of a message, above those of its kind: what stands in it besides what it brings.
const NAMED: u8 = 4;
const WITH_PRIORITY: u8 = 8;
const NOMINATES: u8 = 16;
const WITH_ADDRESS: u8 = 32;
const FORGED: u8 = 64;
/// Answers an earlier check than the latest.
const OLD: u8 = 128;

/// What has come of the messages.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Messages that proved that the peer is there.
    pub(super) heard: usize,
    /// Messages that were sent.
    pub(super) sent: usize,
    pub(super) has_path: bool,
}

/// Gives STUN messages to a session that waits for checks, or, if the first byte is odd, to one that makes them. Each
/// message stands behind its length in two bytes, and begins with a byte that says what it is; attributes follow.
pub(super) fn checks(data: &[u8]) -> Told {
    let mut told = Told::default();
    let Some((first, data)) = data.split_first() else { return told };
    let mut now = Instant::now();
    let candidates = [path(9).remote, path(10).remote];
    let looks_for_a_way = first % 2 == 1;
    let Some(mut egress) = agreed_egress(looks_for_a_way.then_some(&candidates[..])) else { return told };
    let (mut unframer, mut checks) = (Unframer::default(), Vec::new());
    unframer.push(data);
    let mut given = 0;
    while let Ok(Some(message)) = unframer.next() {
        let Some((kind, attributes)) = message.split_first() else { continue };
        let sealed = seal(*kind, attributes, &checks);
        let from = path(if kind & OLD == 0 { 9 } else { 10 });
        let mut sent: Vec<Vec<u8>> = Vec::new();
        let is_proof = StunMessage::parse(&sealed).is_ok_and(|message| egress.prove(&message).is_some());
        let Ok(is_heard) = egress.receive(from, &sealed, now, &mut sent, &mut Vec::new()) else { break };
        assert!(!(kind & FORGED != 0 && (is_proof || is_heard)), "one without the password proves something");
        told.heard += usize::from(is_heard);
        given += 1;
        told.sent += sent.len();
        now += Duration::from_millis(100);
        told.sent += advance(&mut egress, now, &mut sent);
        checks.extend(sent.into_iter().filter(|datagram| datagram.starts_with(&REQUEST.to_be_bytes())));
    }
    // A message brings at most an answer or a check in return, and the first flight of DTLS once.
    assert!(told.sent <= 2 * given + 3 * 8 + 2, "{} for {given}", told.sent);
    told.has_path = egress.path().is_some();
    assert!(!told.has_path || told.heard > 0, "nobody has proved the path");
    told
}

fn advance(egress: &mut Egress, now: Instant, sent: &mut Vec<Vec<u8>>) -> usize {
    let before = sent.len();
    if egress.deadline().is_some_and(|due| due <= now) {
        let _ = egress.advance(now, sent, &mut Vec::new());
        assert!(egress.deadline().is_none_or(|due| due > now), "it is not called again at once");
    }
    sent.len() - before
}

/// A message with its checksum, of the peer.
pub(super) fn seal(kind: u8, attributes: &[u8], checks: &[Vec<u8>]) -> Vec<u8> {
    let [local, remote] = session();
    let class = KINDS.get(usize::from(kind & 3)).copied().unwrap_or(REQUEST);
    let mut message = class.to_be_bytes().to_vec();
    message.extend([0, 0]);
    message.extend(COOKIE);
    let check = if kind & OLD == 0 { checks.last() } else { checks.first() };
    message.extend(check.and_then(|check| check.get(8..20)).unwrap_or(&[7; 12]));
    if kind & NAMED != 0 {
        attribute(0x0006, format!("{}:{}", local.fragment, remote.fragment).as_bytes(), &mut message);
    }
    if kind & WITH_PRIORITY != 0 {
        attribute(0x0024, &[0x6e, 0, 1, 0xff], &mut message);
    }
    if kind & NOMINATES != 0 {
        attribute(0x0025, &[], &mut message);
    }
    if kind & WITH_ADDRESS != 0 {
        attribute(0x0020, &[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43], &mut message);
    }
    message.extend(attributes);
    message.resize(message.len().next_multiple_of(4), 0);
    // Who asks proves that it knows our password, who answers that it knows its own.
    let IceCredentials { password, .. } = if class == REQUEST { local } else { remote };
    let password = if kind & FORGED == 0 { password.as_bytes() } else { b"password-of-somebody-else" };
    set_length(message.len() + 4, &mut message);
    let sum = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password), &message);
    attribute(0x0008, sum.as_ref(), &mut message);
    message
}

fn set_length(length: usize, message: &mut [u8]) {
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&(length as u16).to_be_bytes());
    }
}

fn attribute(kind: u16, value: &[u8], message: &mut Vec<u8>) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// A check that nominates, from the peer of a session that waits for it.
pub(super) fn nominating() -> Vec<u8> {
    seal(NAMED | WITH_PRIORITY | NOMINATES, &[], &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(first: u8, messages: &[&[u8]]) -> Vec<u8> {
        let framed = messages.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat());
        std::iter::once(first).chain(framed).collect()
    }

    #[test]
    fn messages_get_past_the_checksum_on_both_sides() {
        let check = [NAMED | WITH_PRIORITY];
        let told = checks(&script(0, &[&check, &check]));
        assert!(told.heard == 2 && told.has_path, "{told:?}");
        assert_eq!(checks(&script(0, &[&[NAMED | WITH_PRIORITY | FORGED]])).heard, 0);
        let answer = [1 | WITH_ADDRESS];
        let told = checks(&script(1, &[&[0], &answer, &answer]));
        assert!(told.heard >= 1 && told.has_path, "{told:?}");
        assert_eq!(checks(&script(1, &[&[0], &[1 | WITH_ADDRESS | FORGED]])).heard, 0);
    }
}

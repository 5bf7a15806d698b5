//! The full side against the lite one, and against those who are not the peer.

use super::*;
use crate::egress::{Carrier, ice::Lite};

fn credentials(name: &str) -> IceCredentials {
    IceCredentials { fragment: name.into(), password: format!("password-of-{name}-that-is-long") }
}

fn at(port: u16) -> Remote {
    Remote { carrier: Carrier::Call(1), address: ([192, 0, 2, 1], port).into() }
}

fn full(ports: &[u16], now: Instant) -> Full {
    let candidates: Vec<Remote> = ports.iter().map(|port| at(*port)).collect();
    Full::new(&credentials("here"), &credentials("there"), &candidates, now)
}

fn lite() -> Lite {
    Lite::new(&credentials("there"), &credentials("here"))
}

/// Runs it up to a time; what it sends, and where to.
fn run(full: &mut Full, from: Instant, time: Duration) -> Vec<(Remote, Vec<u8>)> {
    let mut sent = Vec::new();
    while full.due() <= from + time {
        let due = full.due();
        full.advance(due, |path, bytes| sent.push((path.remote, bytes.to_vec())));
        assert!(full.due() > due, "it is not called again at once");
    }
    sent
}

fn answer(lite: &mut Lite, check: &[u8]) -> Vec<u8> {
    let mut answer = [0; ANSWER_BYTES];
    let message = StunMessage::parse(check).unwrap();
    let check = lite.prove(&message).expect("it is a check");
    let length = lite.answer(path(at(9)), &check, &mut answer).expect("it fits");
    answer[..length].to_vec()
}

fn give(full: &mut Full, from: Remote, datagram: &[u8], now: Instant) -> (bool, Vec<(Remote, Vec<u8>)>) {
    let mut sent = Vec::new();
    let heard = full.receive(path(from), datagram, now, |path, bytes| sent.push((path.remote, bytes.to_vec())));
    (heard, sent)
}

#[test]
fn the_way_that_is_answered_is_nominated_and_then_asked_for_consent() {
    let now = Instant::now();
    let (mut full, mut lite) = (full(&[1, 2], now), lite());
    let checks = run(&mut full, now, PACE);
    assert_eq!(checks.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [at(1), at(2)]);
    assert!(full.path().is_none());

    let (heard, nominating) = give(&mut full, at(2), &answer(&mut lite, &checks[1].1), now);
    assert!(heard && full.path() == Some(path(at(2))));
    let [(to, check)] = &nominating[..] else { panic!("{nominating:?}") };
    assert!(*to == at(2) && StunMessage::parse(check).unwrap().use_candidate());
    // It is lost, and sent again until it is answered.
    let again = run(&mut full, now, FIRST_WAIT);
    assert!(again.len() == 1 && StunMessage::parse(&again[0].1).unwrap().use_candidate());
    let (heard, _) = give(&mut full, at(2), &answer(&mut lite, &again[0].1), now);
    assert!(heard);
    // The other candidate answers too late to matter.
    let (heard, sent) = give(&mut full, at(1), &answer(&mut lite, &checks[0].1), now);
    assert!(!heard && sent.is_empty() && full.path() == Some(path(at(2))));

    let asked = run(&mut full, now, Duration::from_secs(60));
    assert!((20..=31).contains(&asked.len()), "{} in a minute", asked.len());
    for (to, check) in asked {
        assert!(to == at(2) && !StunMessage::parse(&check).unwrap().use_candidate());
        assert!(give(&mut full, at(2), &answer(&mut lite, &check), now).0);
    }
}

#[test]
fn candidates_that_do_not_answer_are_checked_ever_less_often_and_in_bounds() {
    let now = Instant::now();
    let mut full = full(&[1, 2, 3], now);
    let sent = run(&mut full, now, Duration::from_secs(10));
    assert!((30..=42).contains(&sent.len()), "{} checks in ten seconds", sent.len());
    run(&mut full, now, Duration::from_secs(600));
    assert!(full.open.len() <= OPEN_CHECKS_MAX);
}

#[test]
fn attack_w1_answers_that_are_not_the_peers_choose_no_way() {
    let now = Instant::now();
    let (mut full, mut peer) = (full(&[1], now), lite());
    let checks = run(&mut full, now, Duration::ZERO);
    let check = &checks[0].1;
    let good = answer(&mut peer, check);
    // From elsewhere, and changed in any byte.
    assert!(!give(&mut full, at(7), &good, now).0);
    for (position, bit) in (0..good.len() - 8).zip((0..8).cycle()) {
        let mut forged = good.clone();
        forged[position] ^= 1 << bit;
        assert!(!give(&mut full, at(1), &forged, now).0, "byte {position}");
    }
    // Under another password.
    let id = StunMessage::parse(check).unwrap().trans_id();
    let mut bytes = [0; ANSWER_BYTES];
    let reply = StunMessage::binding_reply(id, at(9).address);
    let length = reply.to_bytes(Some(b"password-of-somebody-else"), &mut bytes, sha1_hmac).unwrap();
    assert!(!give(&mut full, at(1), &bytes[..length], now).0);
    assert!(full.path().is_none());
    // The true one still counts, and once.
    assert!(give(&mut full, at(1), &good, now).0);
    assert!(!give(&mut full, at(1), &good, now).0);
}

#[test]
fn a_peer_that_checks_too_is_answered_and_told_who_controls() {
    let now = Instant::now();
    let mut one = full(&[1], now);
    // The other side of the same session, which wrongly controls as well.
    let mut other = Full::new(&credentials("there"), &credentials("here"), &[at(2)], now);
    let checks = run(&mut other, now, Duration::ZERO);
    let (heard, answers) = give(&mut one, at(1), &checks[0].1, now);
    assert!(!heard && answers.len() == 1);
    let answer = StunMessage::parse(&answers[0].1).unwrap();
    assert_eq!(answer.error_code().map(|(code, _)| code), Some(487));
    assert!(!give(&mut other, at(2), &answers[0].1, now).0 && other.path().is_none());
    // One that is controlled is answered with the address that it has.
    let user = "here:there";
    let mut bytes = [0; CHECK_BYTES];
    let check = StunMessage::binding_request(user, TransId::new(), false, 1, 1, false);
    let length = check.to_bytes(Some(credentials("here").password.as_bytes()), &mut bytes, sha1_hmac).unwrap();
    let (_, answers) = give(&mut one, at(5), &bytes[..length], now);
    assert_eq!(StunMessage::parse(&answers[0].1).unwrap().mapped_address(), Some(at(5).address));
    assert!(one.path().is_none(), "a check alone chooses nothing");
}

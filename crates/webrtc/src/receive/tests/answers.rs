//! Answers that leave nothing to receive, or are none.

use std::time::Instant;

use str0m::crypto::Fingerprint;

use super::*;
use crate::{Answer, Offer};

type Change = fn(String) -> String;

fn begin() -> (Receiver, String) {
    let (receiver, offer) = Receiver::new(&ReceiverCommon::new().unwrap(), Instant::now());
    let ice = IceCredentials { fragment: "there".into(), password: "password-of-there-that-is-long".into() };
    let fingerprint = Fingerprint { hash_func: "sha-256".into(), bytes: vec![7; 32] };
    let answer = scene::write_answer(&Offer::parse(&offer).unwrap(), &ice, &fingerprint, "passive");
    (receiver, answer)
}

#[test]
fn answers_that_cannot_be_used_say_why_and_another_may_follow() {
    let cases: [(Change, &str); 9] = [
        (|_| String::new(), "not a valid SDP"),
        (|_| "hello".into(), "not a valid SDP"),
        (|answer| answer.replace("a=candidate:1 1 udp", "a=candidate:1 2 udp"), "names no UDP address"),
        (|answer| answer.replace("a=sendonly", "a=inactive"), "no media to receive"),
        (|answer| answer.replace("H264/90000", "H999/90000").replace("opus", "sopu"), "no media to receive"),
        (|answer| answer.replace("m=video", "m=audio"), "not those of the offer"),
        (|answer| answer[..answer.find("m=video").unwrap()].into(), "another number of media sections"),
        (|answer| answer.replace("a=fingerprint", "a=nothing"), "fingerprint is missing"),
        (|answer| answer.replace("a=ice-pwd:", "a=ice-pwd:\u{e9}"), "characters that ICE does not allow"),
    ];
    let (mut receiver, answer) = begin();
    let now = Instant::now();
    for (change, expected) in cases {
        let error = receiver.accept(&change(answer.clone()), now).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        assert_eq!(receiver.state(), ReceiverState::New);
    }
    receiver.accept(&answer, now).unwrap();
    assert_eq!(receiver.state(), ReceiverState::Connecting);
    assert!(matches!(receiver.accept(&answer, now), Err(ReceiveError::NotAwaited)));
}

#[test]
fn candidates_that_are_left_out_are_not_sent_to() {
    let (mut receiver, answer) = begin();
    let now = Instant::now();
    let more = "a=candidate:2 1 udp 1 198.51.100.7 7 typ host\r\n";
    let mut answer = Answer::parse(&format!("{answer}{more}")).unwrap();
    answer.keep_candidates(|ip| ip == server_address().ip());
    receiver.accept_answer(&answer, now).unwrap();
    let mut sent = 0;
    for ms in (0..9_000).map(Duration::from_millis) {
        receiver.advance(now + ms);
        receiver.transmit(&mut |to, _| {
            assert_eq!(to, server_address());
            sent += 1;
        });
    }
    assert!(sent > 5);
}

#[test]
fn every_part_of_an_answer_does_no_harm() {
    let (_, answer) = begin();
    let common = ReceiverCommon::new().unwrap();
    let now = Instant::now();
    for cut in (0..answer.len()).step_by(3) {
        let (mut receiver, _) = Receiver::new(&common, now);
        if receiver.accept(&answer[..cut], now).is_ok() {
            assert_eq!(receiver.state(), ReceiverState::Connecting);
        }
    }
}

#[test]
fn an_offer_names_a_candidate_where_it_is_told_to_and_numbers_each_payload_type_once() {
    let local = "198.51.100.7:4000".parse().unwrap();
    let common = ReceiverCommon::new().unwrap();
    let (_, plain) = Receiver::new(&common, Instant::now());
    let (_, named) = Receiver::with_local(&common, local, Instant::now());
    assert!(!plain.contains("a=candidate"));
    assert_eq!(named.matches("a=candidate:1 1 udp 2130706431 198.51.100.7 4000 typ host\r\n").count(), 1);
    assert!(named.find("a=candidate").unwrap() < named.find("m=video").unwrap());
    for offer in [plain, named] {
        let offer = Offer::parse(&offer).unwrap();
        let mut numbers: Vec<u8> =
            offer.media.iter().flat_map(|section| &section.payloads).map(|payload| payload.number).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "RFC 8843 §10.1.1: one thing for each number of a bundle");
    }
}

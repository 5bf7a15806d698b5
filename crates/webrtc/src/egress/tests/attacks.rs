//! Peers that have connected, or have proved no more than their address, and mean no good.

use super::*;

fn elsewhere() -> Path {
    Path { remote: Remote { carrier: Carrier::Udp, address: ([203, 0, 113, 9], 999).into() }, local: None }
}

/// Gives a datagram from any address, and says what is sent for it.
fn give(egress: &mut Egress, from: Path, datagram: &[u8], now: Instant) -> (Vec<Vec<u8>>, Vec<Notice>) {
    let (mut sent, mut notices) = (Vec::new(), Vec::new());
    egress.receive(from, datagram, now, &mut sent, &mut notices).unwrap();
    (sent, notices)
}

#[test]
fn attack_w9_media_moves_only_to_an_address_that_a_check_has_proved() {
    let now = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, now);
    let request = feedback(&egress, 206, 1, 0, &[]);
    let (check, report) = (peer.check(), peer.reports(&request));
    let mut strange: Vec<Vec<u8>> = (0..check.len() - 8)
        .map(|position| {
            let mut forged = check.clone();
            forged[position] ^= 1 << (position % 8);
            forged
        })
        .collect();
    // What is the peer's own proves that it lives, and not that it lives there.
    strange.push(report);
    for first in [20, 21, 22, 23, 63, 128, 144, 191] {
        strange.push([&[first, 254, 253, 0, 1][..], &[7; 60]].concat());
    }
    for datagram in &strange {
        give(&mut egress, elsewhere(), datagram, now);
        assert_eq!(egress.path(), Some(&path()));
    }
    let before = send(&mut egress, 0, 1..3, now).len();
    let (answers, _) = give(&mut egress, elsewhere(), &check, now);
    assert_eq!((answers.len(), before), (1, 2));
    assert_eq!(egress.path(), Some(&elsewhere()), "a check that nominates moves it");
}

/// A hundred reports a millisecond that ask for all that was sent lately, for two seconds.
#[test]
fn attack_w14_a_storm_of_sealed_requests_costs_the_line_no_more_than_a_share_of_the_media() {
    let start = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, start);
    let (mut media, mut again, mut notices) = (0, 0, 0);
    let payload = [7; 1_000];
    for ms in 0..2_000u64 {
        let now = start + Duration::from_millis(ms);
        media += send(&mut egress, 0, ms..ms + 1, now).iter().map(Vec::len).sum::<usize>();
        let entries: Vec<u32> =
            (0..20).map(|place| u32::from((ms as u16).wrapping_sub(17 * place + 16)) << 16 | 0xffff).collect();
        let request = feedback(&egress, 205, 1, 0, &entries);
        let mut told = Vec::new();
        for _ in 0..100 {
            let sealed = peer.reports(&request);
            let (sent, wanted) = give(&mut egress, path(), &sealed, now);
            assert!(sent.is_empty());
            told.extend(wanted);
        }
        let mut sent = Vec::new();
        egress.advance(now, &mut sent, &mut told).unwrap();
        sent.clear();
        notices += told.len();
        for notice in told {
            let Notice::Lost { stream, sequence } = notice else { panic!("{notice:?}") };
            assert!(sequence <= ms, "it has been sent");
            let (payload_type, timestamp, marker, patch) = (96, 5, true, None);
            let orientation = Orientation::default();
            let packet = OutPacket { payload_type, sequence, timestamp, marker, orientation, payload: &payload, patch };
            egress.resend(stream, Some(&packet), now, &mut sent);
        }
        again += sent.iter().map(Vec::len).sum::<usize>();
    }
    assert!(again > media / 2, "{again} for {media}");
    assert!(again <= media * 5 / 4 + (32 << 10) + 1_500, "{again} for {media}");
    assert!(notices < 4_000, "{notices} searches for 68 million requests");
}

/// Says of packets from this number on that each has arrived so much after the one before, in steps of 250 µs from a
/// reference time in steps of 64 ms; or, where there are no such steps, that none of so many has.
fn arrivals(base: usize, reference: u32, steps: &[i16], missing: u16) -> Vec<u8> {
    let count = steps.len() as u16 + missing;
    let chunk = if missing > 0 { missing } else { 0x4000 | count };
    let mut packet = vec![0x8f, 205, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1];
    for word in [base as u16, count] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend((reference << 8).to_be_bytes());
    packet.extend(chunk.to_be_bytes());
    steps.iter().for_each(|step| packet.extend(step.to_be_bytes()));
    packet.resize(packet.len().next_multiple_of(4), 0);
    let words = (packet.len() / 4 - 1) as u16;
    packet[2..4].copy_from_slice(&words.to_be_bytes());
    packet
}

/// Arrivals of packets that were never sent, in the future, backwards, and all at once. A viewer that lies gets more
/// or less itself, within the bounds, and changes nothing else.
#[test]
fn attack_w17_arrivals_that_are_lies_are_bounded_and_harm_the_liar_alone() {
    let start = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, start);
    egress.estimator(start).unwrap();
    // Before anything was sent, and of numbers that are far ahead.
    for base in [0, 1, 1_000, 30_000, 65_000] {
        let lie = peer.reports(&arrivals(base, 1, &[40; 60], 0));
        give(&mut egress, path(), &lie, start);
        assert_eq!(egress.estimator(start).unwrap().rate(), None, "of what was never sent nothing follows");
    }
    // Each round 20 packets are sent and lied about: they have arrived backwards, all at once, in an order that is none,
    // eight seconds apart, or not at all.
    let orders: [fn(i16) -> i16; 4] = [|_| -250, |_| 0, |place| place * 7 % 23 * 40 - 400, |_| i16::MAX];
    for round in 0..2_000u64 {
        let now = start + Duration::from_millis(20 * round);
        let sent = send(&mut egress, 0, 20 * round..20 * round + 20, now);
        assert_eq!(sent.len(), 20, "media goes on");
        let steps = orders.get(round as usize / 7 % 5).map(|order| (0..20).map(order).collect::<Vec<i16>>());
        let missing = if steps.is_some() { 0 } else { 20 };
        // The reference time goes back and forth besides.
        let reference = [round as u32, 0, 0x00ff_ffff, 0x0080_0000][round as usize / 3 % 4];
        let lie = arrivals(20 * round as usize, reference, &steps.unwrap_or_default(), missing);
        let lie = peer.reports(&lie);
        for _ in 0..3 {
            let (sent, notices) = give(&mut egress, path(), &lie, now);
            assert!(sent.is_empty() && notices.is_empty());
        }
        let estimator = egress.estimator(now).unwrap();
        assert!(estimator.rate().is_none_or(|rate| (30_000..=100_000_000).contains(&rate)), "{:?}", estimator.rate());
        assert!((0.0..=1.0).contains(&estimator.loss()));
        assert!(estimator.probe(u64::MAX, now) <= 1 << 20, "nor is a probe of any size made for it");
    }
}

/// A peer that proves its address and then leaves the handshake as it is, having said nothing or its first message.
#[test]
fn attack_w2_a_handshake_that_never_ends_is_sent_little_and_given_up() {
    for (role, says_hello) in [(Role::Passive, false), (Role::Passive, true), (Role::Active, false)] {
        let start = Instant::now();
        let (mut peer, fingerprint) = Peer::new(role == Role::Passive, start);
        let mut egress = session(&Common::new().unwrap(), fingerprint, role, start);
        let (mut sent, mut notices) = (Vec::new(), Vec::new());
        egress.receive(path(), &peer.check(), start, &mut sent, &mut notices).unwrap();
        for hello in peer.poll().into_iter().take(usize::from(says_hello)) {
            egress.receive(path(), &hello, start, &mut sent, &mut notices).unwrap();
        }
        let (mut now, mut turns, mut has_failed) = (start, 0, false);
        while let Some(due) = egress.deadline().filter(|due| *due < start + Duration::from_secs(300)) {
            now = now.max(due);
            turns += 1;
            has_failed = egress.advance(now, &mut sent, &mut notices).is_err();
            if has_failed || turns > 100 {
                break;
            }
        }
        assert!(turns <= 100, "{role:?}: woken {turns} times");
        let bytes: usize = sent.iter().map(Vec::len).sum();
        assert!(bytes <= 16 << 10, "{role:?}: {bytes} bytes in {} datagrams", sent.len());
        assert!(notices.is_empty() && (has_failed || !says_hello), "{role:?}: {notices:?}");
    }
}

//! DTLS handshakes with a true peer, some of whose datagrams are changed on their way.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use dimpl::{Dtls, DtlsCertificate, Output};
use str0m::crypto::Fingerprint;

use super::{Peer, checks, egress_for, path};
use crate::{
    egress::{Egress, Notice},
    sdp::Role,
};

/// Bytes of one change: which datagram, what becomes of it, and two more for that.
const CHANGE_BYTES: usize = 4;
/// Changes that are made at most; what is behind them is left out.
const CHANGES_MAX: usize = 16;
/// Turns, which are half a second apart, until it is given up.
const TURNS: u32 = 12;

/// What has come of a handshake.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) is_connected: bool,
    pub(super) has_failed: bool,
    pub(super) changed: usize,
}

/// Handshakes where this side is the server, or, if the first byte is odd, the client. Changes follow, of four bytes
/// each.
pub(super) fn handshake(data: &[u8]) -> Option<Told> {
    let (first, changes) = data.split_first()?;
    let (now, is_client) = (Instant::now(), first % 2 == 1);
    let (mut peer, fingerprint) = dtls_peer(!is_client, now)?;
    let role = if is_client { Role::Active } else { Role::Passive };
    let mut egress = egress_for(None, &Peer { fingerprint, role })?;
    let mut told = Told { is_connected: false, has_failed: false, changed: 0 };
    let changes: Vec<&[u8]> = changes.chunks_exact(CHANGE_BYTES).take(CHANGES_MAX).collect();
    let (mut sent, mut number) = (Vec::new(), 0usize);
    let mut to_egress = vec![checks::nominating()];
    let mut total = 0;
    for turn in 0..TURNS {
        let now = now + Duration::from_millis(500) * turn;
        peer.handle_timeout(now).ok()?;
        told.has_failed |= egress.advance(now, &mut sent, &mut Vec::new()).is_err();
        for _ in 0..16 {
            to_egress.extend(poll(&mut peer));
            if to_egress.is_empty() && sent.is_empty() {
                break;
            }
            for datagram in std::mem::take(&mut to_egress) {
                for datagram in change(datagram, number, &changes, &mut told.changed) {
                    give(&mut egress, &datagram, now, &mut sent, &mut told);
                }
                number += 1;
            }
            total += sent.len();
            for datagram in sent.drain(..).filter(|datagram: &Vec<u8>| matches!(datagram.first(), Some(20..=63))) {
                // A peer that has had enough of it says nothing any more.
                let _ = peer.handle_packet(&datagram);
            }
        }
        if told.is_connected || told.has_failed {
            break;
        }
    }
    assert!(total <= 40 * TURNS as usize, "{total} datagrams");
    assert!(!(told.has_failed && told.is_connected), "a session that has failed is not one that has connected");
    Some(told)
}

fn give(egress: &mut Egress, datagram: &[u8], now: Instant, sent: &mut Vec<Vec<u8>>, told: &mut Told) {
    if told.has_failed || told.is_connected {
        return;
    }
    let mut notices = Vec::new();
    told.has_failed |= egress.receive(path(9), datagram, now, sent, &mut notices).is_err();
    told.is_connected |= !told.has_failed && notices.contains(&Notice::Connected);
}

/// What becomes of a datagram: none, one or two.
fn change(mut datagram: Vec<u8>, number: usize, changes: &[&[u8]], changed: &mut usize) -> Vec<Vec<u8>> {
    let mut copies = 1;
    for change in changes.iter().filter(|change| change.first().is_some_and(|of| usize::from(*of) == number)) {
        let [_, what, place, value] = **change else { continue };
        *changed += 1;
        let at = (usize::from(what >> 3) << 8 | usize::from(place)) % datagram.len().max(1);
        match what & 7 {
            0..=2 => datagram.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value.max(1)),
            3 => datagram.truncate(at),
            4 => copies = 2,
            5 => copies = 0,
            6 => datagram.extend(vec![value; usize::from(place)]),
            _ => datagram.iter_mut().skip(at).for_each(|byte| *byte = value),
        }
    }
    vec![datagram; copies]
}

fn poll(peer: &mut Dtls) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    let mut buffer = [0; 2_048];
    loop {
        match peer.poll_output(&mut buffer) {
            Output::Packet(datagram) => said.push(datagram.to_vec()),
            Output::Timeout(_) | Output::BufferTooSmall { .. } => return said,
            _ => {}
        }
    }
}

fn dtls_peer(is_client: bool, now: Instant) -> Option<(Dtls, Fingerprint)> {
    static CERTIFICATE: OnceLock<Option<(DtlsCertificate, Arc<dimpl::Config>)>> = OnceLock::new();
    let (certificate, config) = CERTIFICATE
        .get_or_init(|| {
            let certificate = dimpl::certificate::generate_self_signed_certificate().ok()?;
            let config = dimpl::Config::builder().use_server_cookie(false).build().ok()?;
            Some((certificate, Arc::new(config)))
        })
        .as_ref()?;
    let mut dtls = Dtls::new_12(config.clone(), certificate.clone(), now);
    dtls.set_active(is_client);
    dtls.handle_timeout(now).ok()?;
    Some((dtls, Fingerprint { hash_func: "sha-256".into(), bytes: certificate.fingerprint() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_ends_well_in_both_roles_and_when_datagrams_are_lost_and_doubled() {
        for role in [0, 1] {
            let told = handshake(&[role]).unwrap();
            assert!(told.is_connected && told.changed == 0, "{told:?}");
            let told = handshake(&[role, 1, 5, 0, 0, 2, 4, 0, 0]).unwrap();
            assert!(told.is_connected && told.changed == 2, "{told:?}");
        }
    }

    #[test]
    fn a_handshake_whose_messages_are_changed_for_good_does_not_end_well() {
        for role in [0, 1] {
            // Each datagram of the peer but the check: a byte of what it says, not of what it is wrapped in.
            let changes: Vec<u8> = (1..=16).flat_map(|number| [number, 0, 60, 1]).collect();
            let told = handshake(&[&[role], &changes[..]].concat()).unwrap();
            assert!(!told.is_connected && told.changed >= 1, "{told:?}");
        }
    }
}

//! The same packets to as many viewers by str0m: writing a frame's packets to each, and polling until nothing is left.
//! What would be sent is thrown away.

use std::{
    hint::black_box,
    mem,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use headwater_media::TrackKind;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpAnswer,
    media::{Direction, MediaKind},
    net::{Protocol, Receive},
};

use super::work::counted;
use crate::{
    camera,
    peer::Common,
    str0m::{Piece, Session},
};

const VIEWERS: usize = 200;
/// Frames in which viewers take their places.
const FIRST_ROUNDS: u64 = 5;
/// Packets of a frame, and payload bytes of each but the last: as in the work that this stands beside.
const FRAME_PACKETS: u64 = 7;
const PAYLOAD_BYTES: usize = 1_172;
const LAST_PAYLOAD_BYTES: usize = 1_000;
/// Turns in which a session has to be established, and how far time goes on in each.
const TURNS_MAX: usize = 1_000;
const TURN: Duration = Duration::from_millis(5);

pub(super) fn run(rounds: u64) -> Result<u64> {
    let common = Common::new()?;
    let mut viewers = (0..VIEWERS).map(|_| established(&common)).collect::<Result<Vec<_>>>()?;
    // Time stands still from here on, so that reports are not part of what is counted.
    let now = viewers.iter().map(|(_, now)| *now).max().context("no viewers")?;
    let mut sent = 0;
    for round in 0..FIRST_ROUNDS + rounds {
        let burst = frame(round);
        if round == FIRST_ROUNDS {
            sent = 0;
        }
        let mut result = Ok(());
        let mut turn =
            || result = viewers.iter_mut().try_for_each(|(viewer, _)| deliver(viewer, &burst, now, &mut sent));
        if round < FIRST_ROUNDS {
            turn()
        } else {
            counted(&mut turn)
        }
        result?;
    }
    ensure!(sent == rounds * FRAME_PACKETS * VIEWERS as u64, "{sent} packets came out");
    Ok(sent)
}

fn deliver(viewer: &mut Session, burst: &[Piece], now: Instant, sent: &mut u64) -> Result<()> {
    ensure!(viewer.write(burst, now)?, "a viewer takes no packets");
    let send = |_, datagram: &[u8]| {
        black_box(datagram);
        *sent += 1;
    };
    viewer.poll(send, |_| {}).map(drop)
}

/// A frame whose payloads all viewers share; the first is a key frame.
fn frame(number: u64) -> Vec<Piece> {
    let piece = |part| {
        let marker = part == FRAME_PACKETS - 1;
        let mut payload = vec![7; if marker { LAST_PAYLOAD_BYTES } else { PAYLOAD_BYTES }];
        if number == 0 && part == 0 {
            payload[0] = camera::AGGREGATE;
        }
        Piece { kind: TrackKind::Video, time: (number * 3_000) as u32, marker, payload: payload.into() }
    };
    (0..FRAME_PACKETS).map(piece).collect()
}

/// A viewer that has connected, and the time at which it has.
fn established(common: &Common) -> Result<(Session, Instant)> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (here, there) = (at(1), at(2));
    let mut client = Client { rtc: common.client(None), is_connected: false };
    client.rtc.add_local_candidate(Candidate::host(there, "udp")?);
    let mut changes = client.rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().context("no offer")?;
    let (mut viewer, answer) = Session::viewer(common, here, &offer.to_sdp_string())?;
    let mut now = Instant::now();
    let mut to_client = drained(&mut viewer)?;
    client.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
    let mut to_viewer = client.poll()?;
    for _ in 0..TURNS_MAX {
        viewer.take(Input::Timeout(now))?;
        to_client.extend(drained(&mut viewer)?);
        client.rtc.handle_input(Input::Timeout(now))?;
        to_viewer.extend(client.poll()?);
        while !(to_client.is_empty() && to_viewer.is_empty()) {
            for datagram in mem::take(&mut to_client) {
                let receive = Receive::new(Protocol::Udp, here, there, &datagram)?;
                client.rtc.handle_input(Input::Receive(now, receive))?;
                to_viewer.extend(client.poll()?);
            }
            for datagram in mem::take(&mut to_viewer) {
                viewer.take(Input::Receive(now, Receive::new(Protocol::Udp, there, here, &datagram)?))?;
                to_client.extend(drained(&mut viewer)?);
            }
        }
        if client.is_connected && viewer.is_connected() {
            return Ok((viewer, now));
        }
        now += TURN;
    }
    bail!("a viewer does not connect")
}

/// What a viewer's session has to send.
fn drained(viewer: &mut Session) -> Result<Vec<Vec<u8>>> {
    let mut datagrams = Vec::new();
    viewer.poll(|_, datagram| datagrams.push(datagram.to_vec()), |_| {})?;
    Ok(datagrams)
}

/// The other end, until both have connected.
struct Client {
    rtc: Rtc,
    is_connected: bool,
}

impl Client {
    /// What it has to send.
    fn poll(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut datagrams = Vec::new();
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(_) => return Ok(datagrams),
                Output::Transmit(datagram) => datagrams.push(datagram.contents.to_vec()),
                Output::Event(event) => self.is_connected |= matches!(event, Event::Connected),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_viewer_is_sent_each_packet() {
        assert_eq!(run(2).unwrap(), 2 * FRAME_PACKETS * VIEWERS as u64);
    }
}

//! What a viewer over WebRTC receives, from the answer to the end of its session.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    time::{Duration, Instant},
};

use headwater_media::{Codec, Packet, TrackKind, limits};
use headwater_net::UdpSocket;
use headwater_webrtc::{Answer, Arrived, Receiver, ReceiverEnd, ReceiverState};

use super::Seat;
use crate::{
    Failure,
    decode::{Piece, Turn},
    failure::Reason,
    figures::Way,
    seen::Seen,
    stamp,
    worker::Worker,
};

/// How often is told what was seen.
const TELL: Duration = Duration::from_secs(1);
/// Batches taken from a socket before others have their turn.
const BATCHES_MAX: usize = 8;

/// Takes the answer, and watches until told to stop.
///
/// # Errors
/// Why there is no session, or none any more.
pub(super) async fn watch(
    seat: &Seat,
    worker: &Worker,
    mut receiver: Receiver,
    answer: &str,
    peer: IpAddr,
) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Reason::Protocol, error);
    let mut answer = Answer::parse(answer).map_err(|error| wrong(&error))?;
    let (host, _) = seat.target.place();
    answer.keep_candidates(|ip| ip == peer || worker.dialer.reaches(host, ip));
    receiver.accept_answer(&answer, Instant::now()).map_err(|error| wrong(&error))?;
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).map_err(Failure::generator)?;
    let mut viewer = Viewer {
        seat,
        worker,
        receiver,
        socket,
        seen: seat.presence.see(),
        turn: worker.turns.join(seat.presence.board.clone()),
        answered: Instant::now(),
        joined: None,
        told: Known::default(),
    };
    let watched = viewer.run().await;
    viewer.receiver.close(Instant::now());
    viewer.send();
    viewer.tell();
    watched
}

struct Viewer<'a> {
    seat: &'a Seat,
    worker: &'a Worker,
    receiver: Receiver,
    socket: UdpSocket,
    seen: Seen,
    turn: Turn,
    answered: Instant,
    joined: Option<Instant>,
    told: Known,
}

/// What the receiver has counted up to when it was told last.
#[derive(Clone, Copy, Default)]
struct Known {
    lost: i64,
    reordered: u64,
    duplicates: u64,
    recovered: u64,
    key_frame_requests: u64,
}

impl Viewer<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut stopped = pin!(self.seat.stop.cancelled());
        let mut tell = Instant::now() + TELL;
        let mut timer = pin!(tokio::time::sleep_until(self.receiver.next().min(tell).into()));
        loop {
            self.send();
            self.check()?;
            let due = tokio::time::Instant::from_std(self.receiver.next().min(tell));
            // A timer that goes off too early costs less than one that is moved with each packet.
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                () = &mut stopped => return Ok(()),
                ready = self.socket.readable() => {
                    ready.map_err(Failure::generator)?;
                    self.receive()?;
                    if self.seen.has_firsts() {
                        self.tell();
                    }
                }
                () = &mut timer => {
                    let now = Instant::now();
                    if now >= tell {
                        tell = now + TELL;
                        self.tell();
                        self.check_silence(now)?;
                    }
                    if now >= self.receiver.next() {
                        self.receiver.advance(now);
                    }
                    timer.as_mut().reset(self.receiver.next().min(tell).into());
                }
            }
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let mut buffer = self.worker.buffer.borrow_mut();
        for _ in 0..BATCHES_MAX {
            if !self.socket.receive_ready(&mut buffer).map_err(Failure::generator)? {
                break;
            }
            let now = Instant::now();
            let (seen, turn) = (&mut self.seen, &mut self.turn);
            for datagram in buffer.datagrams_mut() {
                self.receiver
                    .receive(datagram.source, datagram.bytes, now, &mut |arrived| take(arrived, seen, turn, now));
            }
        }
        Ok(())
    }

    fn send(&mut self) {
        let mut burst = self.worker.burst.borrow_mut();
        self.receiver.transmit(&mut |to, datagram| {
            burst.reset(to, None);
            // What the network does not take is lost, as any datagram may be.
            if burst.push(datagram) {
                let _ = self.socket.send(&burst);
            }
        });
    }

    /// Whether the session is still on, and whether it has come about.
    fn check(&mut self) -> Result<(), Failure> {
        match self.receiver.state() {
            ReceiverState::Connected if self.joined.is_none() => {
                self.joined = Some(Instant::now());
                self.seat.presence.join();
                Ok(())
            }
            ReceiverState::Closed(end) => Err(of_end(&end)),
            _ => Ok(()),
        }
    }

    fn check_silence(&self, now: Instant) -> Result<(), Failure> {
        let setup = limits::LOAD_SETUP_MS.get_duration();
        let late = |since: Instant| now.saturating_duration_since(since) > setup;
        let fail = |reason, words: &str| Err(Failure::new(reason, format!("{words} within {setup:?}")));
        match (self.joined, self.seen.silence(now)) {
            (None, _) if late(self.answered) => fail(Reason::NotConnected, "ICE and DTLS came to no end"),
            (Some(joined), None) if late(joined) => fail(Reason::NoMedia, "no media came"),
            (_, Some(silence)) if silence > limits::LOAD_SILENCE_MS.get_duration() => {
                Err(Failure::new(Reason::Silent, format!("no media has come for {silence:.0?}")))
            }
            _ => Ok(()),
        }
    }

    /// Hands over what was seen since the last time.
    fn tell(&mut self) {
        let mut known = Known::default();
        let mut way = Way::default();
        for media in self.receiver.media() {
            known.lost += i64::try_from(media.lost).unwrap_or(0) - i64::try_from(media.recovered).unwrap_or(0);
            known.reordered += media.reordered;
            known.duplicates += media.duplicates;
            known.recovered += media.recovered;
            known.key_frame_requests += media.key_frame_requests;
            if media.packets > 0 && media.kind == TrackKind::Video {
                way.jitter = Some(media.jitter);
            }
            way.round_trip = way.round_trip.or(media.round_trip);
        }
        known.lost = known.lost.max(0);
        let (counts, told) = (&mut self.seen.counts, std::mem::replace(&mut self.told, known));
        counts.lost += known.lost - told.lost;
        counts.reordered += known.reordered.saturating_sub(told.reordered);
        counts.duplicates += known.duplicates.saturating_sub(told.duplicates);
        counts.recovered += known.recovered.saturating_sub(told.recovered);
        counts.key_frame_requests += known.key_frame_requests.saturating_sub(told.key_frame_requests);
        self.seat.presence.tell(&mut self.seen, way);
    }
}

/// A packet has come.
fn take(arrived: &Arrived<'_>, seen: &mut Seen, turn: &mut Turn, now: Instant) {
    if arrived.payload.is_empty() {
        return;
    }
    seen.of_packet(arrived.kind, arrived.marker, arrived.payload.len(), now);
    if arrived.kind != TrackKind::Video {
        return;
    }
    // A repeated packet says how long the repetition took as well: it is what the viewer waits for.
    if arrived.codec == Codec::H264
        && let Some(sent) = stamp::of_payload(arrived.payload)
    {
        seen.stamp(sent);
    }
    if turn.is_mine(arrived.codec) {
        turn.give(Piece::Packet(Packet {
            sequence: arrived.sequence,
            timestamp: i64::try_from(arrived.timestamp).unwrap_or(i64::MAX),
            marker: arrived.marker,
            random_access: false,
            orientation: Default::default(),
            payload: arrived.payload.into(),
        }));
    }
}

fn of_end(end: &ReceiverEnd) -> Failure {
    let reason = match end {
        ReceiverEnd::Peer | ReceiverEnd::Local => Reason::Ended,
        ReceiverEnd::Unreachable | ReceiverEnd::Unfinished => Reason::NotConnected,
        ReceiverEnd::Silent => Reason::Lost,
        _ => Reason::Protocol,
    };
    Failure::new(reason, end)
}

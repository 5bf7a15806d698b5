//! How a session that this side has begun gets its seat and its socket.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    time::Instant,
};

use headwater_graph::Bell;
use headwater_media::limits;
use headwater_net::{Datagram, ReceiveBuffer, UdpSocket};

use crate::{
    call::{CallError, CallRequest},
    egress::{Carrier, Remote},
    participant::Participant,
    publisher::{Agreed, Call, Ingress, Publisher},
    session::{Place, Session, Stage},
};

use super::{
    Shard,
    core::Core,
    now,
    publish::{decide, first_section, sections},
};

/// A call that has been taken up.
struct Called {
    session: Session,
    /// Rung when viewers want something of what it brings.
    bell: Bell,
    carrier: Carrier,
}

impl Shard {
    /// Takes a call up, and sees to it until it is over.
    pub(super) fn call(&self, request: CallRequest) {
        let CallRequest { proposal, peer, publication, options, pending, answer } = request;
        let terminated = publication.terminated();
        let socket = match socket(&peer.candidates) {
            Ok(socket) => Rc::new(socket),
            Err(error) => {
                let _ = answer.send(Err(error));
                return;
            }
        };
        let parts = (proposal, peer, publication, options, pending);
        let called = self.core.borrow_mut().call(&socket, parts, now());
        let reply = called.map(|Called { session, bell, carrier }| {
            let (shard, place, mut over) = (self.clone(), session.place, session.stage.clone());
            tokio::task::spawn_local(async move {
                let serve = async {
                    loop {
                        bell.rung().await;
                        shard.core.borrow_mut().wake(place, now());
                    }
                };
                tokio::select! {
                    reason = terminated => shard.core.borrow_mut().end(place, crate::Ended::Stream(reason), now()),
                    _ = over.wait_for(Stage::is_over) => {}
                    () = serve => {}
                    () = shard.listen_to_call(&socket, place, carrier) => {}
                }
                shard.core.borrow_mut().outbox.remove_call(carrier);
            });
            session
        });
        // If nobody waits any more, the session ends for want of media or of a peer.
        let _ = answer.send(reply);
    }

    /// Takes what comes from the peer, for ever.
    async fn listen_to_call(&self, socket: &UdpSocket, place: Place, carrier: Carrier) {
        let mut buffer = ReceiveBuffer::new();
        loop {
            if let Err(error) = socket.receive(&mut buffer).await {
                tracing::warn!(%error, "datagrams of a call could not be received");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            }
            self.core.borrow_mut().receive_call(place, carrier, buffer.datagrams(), now());
            tokio::task::yield_now().await;
        }
    }
}

/// A socket of the family in which the peer can be reached.
fn socket(candidates: &[SocketAddr]) -> Result<UdpSocket, CallError> {
    if candidates.is_empty() {
        return Err(CallError::NoCandidate);
    }
    let has = |is_ipv6| candidates.iter().any(|candidate| candidate.is_ipv6() == is_ipv6);
    let bind = match has(true) {
        // Takes both families, where the machine has both.
        true => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()),
        false => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()),
    };
    let bind = match bind {
        Err(_) if has(false) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()),
        other => other,
    };
    bind.map_err(|error| CallError::Setup(error.to_string()))
}

type Parts = (
    crate::call::Proposal,
    crate::sdp::Answer,
    headwater_graph::Publication,
    crate::PublishOptions,
    headwater_net::Permit,
);

impl Core {
    fn call(
        &mut self,
        socket: &Rc<UdpSocket>,
        (proposal, peer, publication, options, pending): Parts,
        now: Instant,
    ) -> Result<Called, CallError> {
        let commands = self.commands.upgrade().ok_or(CallError::Stopping)?;
        if self.seats.len() >= limits::WEBRTC_VIEWERS_PER_SHARD.get_usize() {
            limits::WEBRTC_VIEWERS_PER_SHARD.hit();
            return Err(CallError::Full("the server has as many WebRTC sessions as it takes".into()));
        }
        let answer = &peer.description;
        let decisions = decide(answer, &options).map_err(|error| CallError::Answer(error.to_string()))?;
        let sections = sections(answer, &decisions);
        let failed = |error: &dyn std::fmt::Display| CallError::Setup(error.to_string());
        let port = socket.local_address().map_err(|error| failed(&error))?.port();
        let number = self.outbox.add_call(socket.clone());
        let carrier = Carrier::Call(number);
        let agreed = Agreed {
            local_ice: &proposal.ice,
            remote_ice: &answer.ice,
            fingerprint: &answer.fingerprint,
            role: answer.role,
            sections: &sections,
            port,
            call: Some(Call { number, candidates: &peer.candidates }),
        };
        let ingress = Ingress::new(&self.common, &agreed, now).map_err(|error| {
            self.outbox.remove_call(carrier);
            failed(&error)
        })?;
        let first_section = first_section(answer, &decisions);
        let publisher =
            Publisher::new(ingress, sections, publication, options.max_bitrate, self.coalescing_window, pending, now);
        let (bell, received) = (publisher.bell().clone(), publisher.received().clone());
        let participant = Participant::Publisher(Box::new(publisher));
        let (place, stage) = self.seat(participant, proposal.ice.fragment, first_section, None);
        self.with(place.index, now, |participant, around| Some(participant.run(around)));
        self.outbox.flush();
        Ok(Called { session: Session { commands, place, stage, received: Some(received) }, bell, carrier })
    }

    /// Takes datagrams from the socket of a call. Whether they come from its peer is seen by their checksums: a
    /// transaction that was begun here, or keys that only the peer has.
    fn receive_call<'a>(
        &mut self,
        place: Place,
        carrier: Carrier,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        now: Instant,
    ) {
        for datagram in datagrams {
            self.counters.datagrams_received.add(1);
            let from = Remote { carrier, address: datagram.source };
            let Some(index) = self.index(place) else { return };
            self.with(index, now, |participant, around| Some(participant.receive(from, datagram.bytes, around)));
            self.note_arrival(index);
        }
        self.settle(now);
    }
}

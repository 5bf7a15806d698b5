//! How a session that this side has begun gets its socket, and what is seen to while it lasts.

mod begin;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    rc::Rc,
    time::Instant,
};

use headwater_graph::Bell;
use headwater_net::{Datagram, ReceiveBuffer, UdpSocket};
use tokio::sync::oneshot;

use crate::{
    call::{Begun, CallError, CallRequest, Purpose},
    egress::{Carrier, Remote},
    session::{Ended, Place, Session, Stage},
};

use super::{Shard, core::Core, now};

use begin::Parts;

/// A call that has been taken up.
struct Called {
    session: Session,
    /// Rung when viewers want something of what it brings.
    bell: Option<Bell>,
    /// The stream has ended, and why.
    ended: Pin<Box<dyn Future<Output = String>>>,
}

impl Shard {
    /// Takes a call up, and sees to it until it is over.
    pub(super) fn call(&self, request: CallRequest) {
        let CallRequest { proposal, peer, purpose, pending, answer } = request;
        let socket = match socket(&peer.candidates) {
            Ok(socket) => Rc::new(socket),
            Err(error) => {
                let _ = answer.send(Err(error));
                return;
            }
        };
        let number = self.core.borrow_mut().outbox.add_call(socket.clone());
        let carrier = Carrier::Call(number);
        let parts = Parts { proposal, peer, pending, number };
        let reply = match self.begin(parts, &socket, purpose) {
            Ok(called) => {
                let (begun, claimed) = Begun::new(called.session.clone());
                tokio::task::spawn_local(self.clone().attend(called, socket, carrier, claimed));
                Ok(begun)
            }
            Err(error) => {
                self.core.borrow_mut().outbox.remove_call(carrier);
                Err(error)
            }
        };
        let _ = answer.send(reply);
    }

    fn begin(&self, parts: Parts, socket: &UdpSocket, purpose: Purpose) -> Result<Called, CallError> {
        let mut core = self.core.borrow_mut();
        match purpose {
            Purpose::Receive(publication, options) => {
                let ended = Box::pin(publication.terminated());
                let port = socket.local_address().map_err(|error| CallError::Setup(error.to_string()))?.port();
                let (session, bell) = core.call_to_receive(parts, port, publication, &options, now())?;
                Ok(Called { session, bell: Some(bell), ended })
            }
            Purpose::Send(subscription) => {
                let ended = Box::pin(subscription.ended());
                let (session, new_feed) = core.call_to_send(parts, subscription, now())?;
                if let Some((stream, bell)) = new_feed {
                    tokio::task::spawn_local(self.clone().feed(stream, bell));
                }
                Ok(Called { session, bell: None, ended })
            }
        }
    }

    /// Sees to a call until it is over.
    async fn attend(self, called: Called, socket: Rc<UdpSocket>, carrier: Carrier, claimed: oneshot::Receiver<()>) {
        let Called { session, bell, ended } = called;
        let (place, mut over) = (session.place, session.stage.clone());
        // A handle here would keep the shard waiting for commands.
        drop(session);
        let serve = async {
            let Some(bell) = bell else { return std::future::pending::<()>().await };
            loop {
                bell.rung().await;
                self.core.borrow_mut().wake(place, now());
            }
        };
        tokio::select! {
            reason = ended => self.core.borrow_mut().end(place, Ended::Stream(reason), now()),
            // Who asked for it was told to stop meanwhile. The peer would go on all the same.
            Err(_) = claimed => self.core.borrow_mut().end(place, Ended::Deleted, now()),
            _ = over.wait_for(Stage::is_over) => {}
            () = serve => {}
            () = self.listen_to_call(&socket, place, carrier) => {}
        }
        self.core.borrow_mut().outbox.remove_call(carrier);
    }

    /// Takes what comes from the peer, for ever.
    async fn listen_to_call(&self, socket: &UdpSocket, place: Place, carrier: Carrier) {
        let mut buffer = ReceiveBuffer::new();
        loop {
            if let Err(error) = socket.receive(&mut buffer).await {
                tracing::debug!(%error, "datagrams of a call could not be received");
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

impl Core {
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

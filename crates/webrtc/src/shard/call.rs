//! How a session that this side has begun gets its socket or its connection, and what is seen to while it lasts.

mod begin;
mod line;

use std::{net::SocketAddr, pin::Pin, time::Instant};

use headwater_graph::Bell;
use tokio::sync::oneshot;

use crate::{
    call::{Begun, CallError, CallRequest, Purpose},
    egress::{Carrier, Remote},
    session::{Ended, Place, Session, Stage},
};

use super::{Shard, core::Core, now};

use begin::Parts;
use line::Line;

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
        let CallRequest { proposal, mut peer, connection, purpose, pending, answer } = request;
        let line = match Line::open(&mut peer, connection) {
            Ok(line) => line,
            Err(error) => {
                let _ = answer.send(Err(error));
                return;
            }
        };
        let number = self.core.borrow_mut().outbox.add_call(line.way_out());
        let carrier = Carrier::Call(number);
        let parts = Parts { proposal, peer, pending, number };
        let reply = match self.begin(parts, &line, purpose) {
            Ok(called) => {
                let (begun, claimed) = Begun::new(called.session.clone());
                tokio::task::spawn_local(self.clone().attend(called, line, carrier, claimed));
                Ok(begun)
            }
            Err(error) => {
                self.core.borrow_mut().outbox.remove_call(carrier);
                Err(error)
            }
        };
        let _ = answer.send(reply);
    }

    fn begin(&self, parts: Parts, line: &Line, purpose: Purpose) -> Result<Called, CallError> {
        let mut core = self.core.borrow_mut();
        match purpose {
            Purpose::Receive(publication, options) => {
                let ended = Box::pin(publication.terminated());
                let port = line.port()?;
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
    async fn attend(self, called: Called, mut line: Line, carrier: Carrier, claimed: oneshot::Receiver<()>) {
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
            lost = line.serve(&self, place, carrier) => {
                self.core.borrow_mut().end(place, Ended::Failed(lost), now());
            }
        }
        line.say_rest();
        self.core.borrow_mut().outbox.remove_call(carrier);
    }
}

impl Core {
    /// Takes datagrams from the socket of a call, and tells viewers of what they bring.
    fn receive_call<'a>(
        &mut self,
        place: Place,
        carrier: Carrier,
        datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        now: Instant,
    ) {
        for (source, datagram) in datagrams {
            self.take_from_call(place, carrier, source, datagram, now);
        }
        self.settle(now);
    }

    /// Takes a datagram from the socket or the connection of a call. Whether it comes from its peer is seen by its
    /// checksum: a transaction that was begun here, or keys that only the peer has.
    fn take_from_call(&mut self, place: Place, carrier: Carrier, source: SocketAddr, datagram: &[u8], now: Instant) {
        self.counters.datagrams_received.add(1);
        let from = Remote { carrier, address: source };
        let Some(index) = self.index(place) else { return };
        self.with(index, now, |participant, around| Some(participant.receive(from, datagram, around)));
        self.note_arrival(index);
    }
}

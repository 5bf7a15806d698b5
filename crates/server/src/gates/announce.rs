//! Tells the journal of clients that connect and go, whatever they speak.

use headwater_access::{Asking, Client, Gate, Refused, Ticket, Visitor};
use headwater_control::{Journal, Party, ServerEvent};
use headwater_graph::BoxFuture;

/// A gate that lets everybody in. The last one, so that only those are told of whom all others have let in.
pub(super) struct Announce(pub(super) Journal);

/// A client that has connected.
struct Announced {
    journal: Journal,
    party: Party,
}

impl Gate for Announce {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let party = Party { app: client.app_key.clone(), ..Party::from(&client.peer) };
        let visitor: Box<dyn Visitor> = match client.is_connection {
            true => {
                self.0.tell(&ServerEvent::ClientConnected(party.clone()));
                Box::new(Announced { journal: self.0.clone(), party })
            }
            // Its stream is told of, and there is nothing else.
            false => Box::new(Passer),
        };
        Box::pin(std::future::ready(Ok(visitor)))
    }
}

impl Visitor for Announced {
    fn admit<'a>(&'a self, _asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(std::future::ready(Ok(Ticket::plain())))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.journal.tell(&ServerEvent::ClientGone(self.party.clone()));
    }
}

/// A peer that comes for one stream.
struct Passer;

impl Visitor for Passer {
    fn admit<'a>(&'a self, _asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(std::future::ready(Ok(Ticket::plain())))
    }
}

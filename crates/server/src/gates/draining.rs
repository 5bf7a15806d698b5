//! Who stays while a server is emptied: nobody new is let in, and those who are in leave when it is their turn.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use headwater_access::{Action, Asking, Client, Elsewhere, Gate, Pass, Refused, Ticket, Visitor, Why};
use headwater_control::Clients;
use headwater_graph::BoxFuture;
use tokio::{sync::watch, time::sleep};

const SENTENCE: &str = "this server is about to stop and takes nobody; come again to be sent to another one";

/// Whose turn it is to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Everybody is welcome.
    #[default]
    Nobodys,
    /// Nobody new is let in.
    Closed,
    /// Viewers leave, spread over this time.
    Viewers(Duration),
    /// Whoever is left leaves, spread over this time.
    Everybodys(Duration),
}

/// A gate that closes. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Doors(Arc<Inner>);

#[derive(Default)]
struct Inner {
    turn: watch::Sender<Turn>,
    inside: watch::Sender<Inside>,
    viewers_moved: AtomicU64,
    publishers_moved: AtomicU64,
    /// Who knows where to go instead.
    elsewhere: OnceLock<Arc<dyn Fn() -> Elsewhere + Send + Sync>>,
    /// Those whose whole session is ended, so that their pages connect anew.
    clients: OnceLock<Arc<dyn Clients>>,
}

/// Who is in, other servers not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) viewers: u64,
    pub(crate) publishers: u64,
    pub(crate) sessions: u64,
}

impl Inside {
    pub(crate) fn is_empty(self) -> bool {
        self == Inside::default()
    }

    fn of(&mut self, action: Action) -> &mut u64 {
        match action {
            Action::Play => &mut self.viewers,
            Action::Publish => &mut self.publishers,
        }
    }
}

impl Doors {
    pub(crate) fn set_clients(&self, clients: Arc<dyn Clients>) {
        let _ = self.0.clients.set(clients);
    }

    /// From now on those who are sent away are told where to go instead.
    pub(crate) fn set_elsewhere(&self, find: Arc<dyn Fn() -> Elsewhere + Send + Sync>) {
        let _ = self.0.elsewhere.set(find);
    }

    pub(crate) fn set_turn(&self, turn: Turn) {
        self.0.turn.send_replace(turn);
    }

    pub(crate) fn turn(&self) -> Turn {
        *self.0.turn.borrow()
    }

    pub(crate) fn inside(&self) -> watch::Receiver<Inside> {
        self.0.inside.subscribe()
    }

    /// How many viewers and publishers were sent away.
    pub(crate) fn moved(&self) -> (u64, u64) {
        (self.0.viewers_moved.load(Relaxed), self.0.publishers_moved.load(Relaxed))
    }

    fn check(&self) -> Result<(), Refused> {
        if self.turn() == Turn::Nobodys { Ok(()) } else { Err(self.refused()) }
    }

    fn refused(&self) -> Refused {
        let refused = Refused::new(Why::Unavailable, SENTENCE);
        match self.0.elsewhere.get() {
            Some(find) => refused.but_there(find()),
            None => refused,
        }
    }

    fn count(&self, change: impl FnOnce(&mut Inside)) {
        self.0.inside.send_modify(change);
    }
}

impl Gate for Doors {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let connected = self.check().map(|()| {
            let session = client.is_connection.then(|| client.peer.session.clone());
            if session.is_some() {
                self.count(|inside| inside.sessions = inside.sessions.saturating_add(1));
            }
            Box::new(Guest(Arc::new(Seat { doors: self.clone(), session, publishes: AtomicU64::new(0) })))
                as Box<dyn Visitor>
        });
        Box::pin(std::future::ready(connected))
    }
}

/// A client.
struct Guest(Arc<Seat>);

/// What is known of a client, also by its streams.
struct Seat {
    doors: Doors,
    /// Of one that has a connection of its own.
    session: Option<String>,
    /// Streams that it publishes.
    publishes: AtomicU64,
}

impl Visitor for Guest {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        let Seat { doors, publishes, .. } = &*self.0;
        let admitted = doors.check().map(|()| {
            doors.count(|inside| *inside.of(asking.action) = inside.of(asking.action).saturating_add(1));
            if asking.action == Action::Publish {
                publishes.fetch_add(1, Relaxed);
            }
            Ticket { pass: Box::new(Using { seat: self.0.clone(), action: asking.action }), ..Ticket::plain() }
        });
        Box::pin(std::future::ready(admitted))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.session.is_some() {
            self.doors.count(|inside| inside.sessions = inside.sessions.saturating_sub(1));
        }
    }
}

/// A stream that a client publishes or plays.
struct Using {
    seat: Arc<Seat>,
    action: Action,
}

impl Using {
    /// Whether it is its turn, and within which time. Who publishes as well as plays leaves as publishers do.
    fn time(&self, turn: Turn) -> Option<Duration> {
        match turn {
            Turn::Viewers(time) if self.seat.publishes.load(Relaxed) == 0 => Some(time),
            Turn::Everybodys(time) => Some(time),
            _ => None,
        }
    }
}

impl Pass for Using {
    fn revoked(&self) -> BoxFuture<'_, Refused> {
        Box::pin(async move {
            let mut turns = self.seat.doors.0.turn.subscribe();
            let waited = turns.wait_for(|turn| self.time(*turn).is_some()).await.map(|turn| self.time(*turn));
            let Ok(Some(time)) = waited else { return std::future::pending().await };
            sleep(time.mul_f64(rand::random_range(0.0..1.0))).await;
            let doors = &self.seat.doors;
            let moved = match self.action {
                Action::Play => &doors.0.viewers_moved,
                Action::Publish => &doors.0.publishers_moved,
            };
            moved.fetch_add(1, Relaxed);
            let (clients, session) = (doors.0.clients.get(), self.seat.session.as_deref());
            if clients.zip(session).is_some_and(|(clients, session)| clients.send_elsewhere(session)) {
                // All its streams end with it.
                return std::future::pending().await;
            }
            doors.refused()
        })
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        if self.action == Action::Publish {
            self.seat.publishes.fetch_sub(1, Relaxed);
        }
        self.seat.doors.count(|inside| *inside.of(self.action) = inside.of(self.action).saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;

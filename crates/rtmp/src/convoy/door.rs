//! Where players come into a convoy and ask to be let out.

use std::{
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use futures_util::FutureExt;
use headwater_graph::{Bell, Stream};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::player::{Newcomer, Returned};
use crate::{error::RtmpError, from_stream::TracksRead};

/// A convoy is bounded, so that several processors share the work, and a defect does not end all players.
pub(super) const PLAYERS_MAX: usize = 512;

/// What the players of a convoy have in common, so that the same bytes are right for all of them.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) stream: Arc<Stream>,
    pub(crate) chunk_size: u32,
    pub(crate) message_stream: u32,
    /// Whether they take the codecs of enhanced RTMP.
    pub(crate) enhanced: bool,
    pub(crate) tracks: TracksRead,
}

impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        Arc::ptr_eq(&self.stream, &other.stream)
            && (self.chunk_size, self.message_stream, self.enhanced, self.tracks)
                == (other.chunk_size, other.message_stream, other.enhanced, other.tracks)
    }
}

/// What the convoy's task and its players' tasks share.
pub(super) struct Door {
    pub(super) route: Route,
    /// Rung for those who come and leave.
    pub(super) bell: Bell,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    come: Vec<Newcomer>,
    leave: Vec<u64>,
    /// How many have come and are not yet gone.
    players: usize,
    last_id: u64,
    shut: bool,
}

impl Door {
    pub(super) fn new(route: Route) -> Door {
        Door { route, bell: Bell::new(), inside: Mutex::default() }
    }

    /// Whether one more player may enter. That stays so while the list of convoys is locked.
    pub(super) fn has_room(&self) -> bool {
        let inside = self.inside.lock();
        !inside.shut && inside.players < PLAYERS_MAX
    }

    /// Lets a player in.
    pub(super) fn enter(self: &Arc<Door>, mut newcomer: Newcomer) -> Stay {
        let (way_home, home) = oneshot::channel();
        let mut inside = self.inside.lock();
        inside.players += 1;
        inside.last_id += 1;
        let id = inside.last_id;
        newcomer.enters(id, way_home);
        inside.come.push(newcomer);
        drop(inside);
        self.bell.ring();
        Stay { door: self.clone(), id, home: Some(home) }
    }

    /// Moves those who have come and those who want to leave to these lists.
    pub(super) fn take(&self, come: &mut Vec<Newcomer>, leave: &mut Vec<u64>) {
        let mut inside = self.inside.lock();
        come.append(&mut inside.come);
        leave.append(&mut inside.leave);
    }

    /// Takes note that so many players are gone.
    pub(super) fn count_gone(&self, count: usize) {
        let mut inside = self.inside.lock();
        inside.players = inside.players.saturating_sub(count);
    }

    /// Shuts the door unless someone is inside or has just come.
    pub(super) fn shut_if_empty(&self) -> bool {
        let mut inside = self.inside.lock();
        inside.shut |= inside.players == 0;
        inside.shut
    }

    /// Shuts the door in any case. Who has just come learns of it by the loss of the way home.
    pub(super) fn shut(&self) {
        let mut inside = self.inside.lock();
        inside.shut = true;
        inside.come.clear();
    }
}

/// A player's stay in a convoy; dropping it is leaving for good.
pub(crate) struct Stay {
    door: Arc<Door>,
    id: u64,
    home: Option<oneshot::Receiver<Returned>>,
}

impl Stay {
    /// Asks to be let out. The convoy does so between two writes.
    pub(crate) fn ask_to_leave(&self) {
        self.door.inside.lock().leave.push(self.id);
        self.door.bell.ring();
    }

    /// Ready when the player is out, for whatever reason.
    pub(crate) fn poll_home(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Returned, RtmpError>> {
        let Some(home) = &mut self.home else { return Poll::Pending };
        home.poll_unpin(cx).map(|returned| {
            self.home = None;
            // The convoy's task has lost it: it broke down.
            returned.map_err(|_| RtmpError::Panicked)
        })
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.home.take().is_some() {
            self.ask_to_leave();
        }
    }
}

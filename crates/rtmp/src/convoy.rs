//! Players that are sent the same bytes travel together: one task reads for all of them, writes each message once
//! into one piece of memory, and gives that to one socket after the other.
//!
//! ```text
//!                       ┌── session's task: commands, orders to end, slow or special: own cursors, own outbox
//!  player ─ connection ─┤          │ at the live edge, nothing pending        ▲ short write, change, pause, end
//!                       └── Arc ─► ▼ door ─► convoy: one bell, one reading ───┘ home, with its exact place
//! ```
//!
//! **Why the bytes are the same.** A message after the first of its chunk stream says how much later it is than the
//! one before (type 1, Adobe RTMP 1.0 §5.3.1.2.2), and nothing else in it depends on the player. What does, a
//! timestamp in full, is only sent by a player's own task. A step that does not fit its field would need one:
//! then the convoy stops in front of that frame and sends all players home.
//!
//! **Coming in.** A player's place is the next frame of every track ([`headwater_graph::Cursor::compare`]). It asks
//! to come in when its outbox is empty and it has read all there was. The convoy looks who has asked, *then* reads
//! and sends, and only then lets in who had asked: so it stands where they stand or further on in every track. Each
//! reads on up to the convoy's place, by its own clock and through its own outbox. It is let in if its place and
//! the convoy's are then equal, both know the same parameters, both last sent the same stream time in each track,
//! and its socket has taken everything. Its own readers are dropped. So the next frame of each track is the next
//! for it too: none is lost, none comes twice; and a step from the convoy's last timestamp is a step from its own.
//!
//! **Going home.** Between two writes the convoy's place is that of each of its players. A player that goes home gets
//! readers forked there, its own zero of the clock, and the bytes of the last write that its socket did not take.
//! Those go first, so no message is torn; what comes after goes on from the timestamps that all had come to. Who asks
//! to leave is let out between two writes; nobody but the convoy writes to the socket until then.
//!
//! **Changes** (parameters, breaks, lost frames, a new track) are told by each player's own task, which does that in
//! any case: the convoy stops in front of a change and sends all home. Who has told it comes back.
//!
//! A panic in the convoy's task ends its players and nobody else; each counts it as a defect.

mod burst;
mod door;
mod player;
mod task;

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use headwater_media::StreamName;
use parking_lot::Mutex;

use self::{door::Door, task::Convoy};
pub(crate) use self::{
    door::{Route, Stay},
    player::{Newcomer, Outlet, Returned},
};
use crate::context::Context;

/// The convoys of a server, by the names of their streams.
#[derive(Default)]
pub(crate) struct Convoys(Mutex<HashMap<StreamName, Vec<Arc<Door>>>>);

impl std::fmt::Debug for Convoys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Convoys").field(&self.0.lock().len()).finish()
    }
}

/// Lets a player into a convoy on its route, a new one if need be.
pub(crate) fn join(context: &Context, route: Route, newcomer: Newcomer) -> Stay {
    let mut convoys = context.convoys().0.lock();
    let doors = convoys.entry(route.stream.name().clone()).or_default();
    if let Some(door) = doors.iter().find(|door| door.route == route && door.has_room()) {
        return door.enter(newcomer);
    }
    let door = Arc::new(Door::new(route));
    let stay = door.enter(newcomer);
    doors.push(door.clone());
    drop(convoys);
    start(context, door);
    stay
}

fn start(context: &Context, door: Arc<Door>) {
    let convoy = Convoy::new(context, door.clone());
    context.environment().spawn(Box::pin(async move {
        // What it broke in the middle of is dropped with it.
        if AssertUnwindSafe(convoy.run()).catch_unwind().await.is_err() {
            tracing::error!(stream = %door.route.stream.name(), "a defect ended the RTMP players of a convoy");
        }
    }));
}

/// Closes a convoy unless someone is in it or has just come. Says whether it is closed.
fn close_if_empty(context: &Context, door: &Arc<Door>) -> bool {
    let mut convoys = context.convoys().0.lock();
    let closed = door.shut_if_empty();
    if closed {
        forget(&mut convoys, door);
    }
    closed
}

/// Closes a convoy in any case.
fn close(context: &Context, door: &Arc<Door>) {
    let mut convoys = context.convoys().0.lock();
    door.shut();
    forget(&mut convoys, door);
}

fn forget(convoys: &mut HashMap<StreamName, Vec<Arc<Door>>>, door: &Arc<Door>) {
    let name = door.route.stream.name();
    let Some(doors) = convoys.get_mut(name) else { return };
    doors.retain(|known| !Arc::ptr_eq(known, door));
    if doors.is_empty() {
        convoys.remove(name);
    }
}

#[cfg(test)]
mod tests;

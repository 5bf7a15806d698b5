//! A player on its way into a convoy, within, and on its way home.

use std::{io, sync::Arc};

use headwater_graph::{Bell, Viewer};
use tokio::sync::oneshot;

use crate::{from_stream::Readings, outbox::Outbox};

/// Where the bytes for one player go, as many as are taken at once.
pub(crate) trait Outlet: Send + Sync {
    /// Writes without waiting; says how many bytes were taken.
    ///
    /// # Errors
    /// `WouldBlock` if none were taken; otherwise the connection broke.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// A player that has read all there is and wants to be written to together with others.
pub(crate) struct Newcomer {
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) viewer: Arc<Viewer>,
    /// What wakes it when it reads for itself.
    pub(crate) bell: Bell,
    pub(crate) readings: Readings,
    /// Empty; it tells which timestamps the player has been sent last.
    pub(crate) outbox: Outbox,
    pub(super) id: u64,
    way_home: Option<oneshot::Sender<Returned>>,
}

impl Newcomer {
    pub(crate) fn new(
        outlet: Arc<dyn Outlet>,
        viewer: Arc<Viewer>,
        bell: Bell,
        readings: Readings,
        outbox: Outbox,
    ) -> Newcomer {
        Newcomer { outlet, viewer, bell, readings, outbox, id: 0, way_home: None }
    }

    pub(super) fn enters(&mut self, id: u64, way_home: oneshot::Sender<Returned>) {
        self.id = id;
        self.way_home = Some(way_home);
    }

    /// Goes back as it stands.
    pub(super) fn go_home(self) {
        if let Some(way_home) = self.way_home {
            let (readings, outbox) = (self.readings, self.outbox);
            // Who does not wait for it has left for good.
            let _ = way_home.send(Returned { readings, outbox, travelled: false, broken: None });
        }
    }

    /// Becomes one of the convoy, which has sent so many bytes so far. Its own readers are let go.
    pub(super) fn into_member(self, sent: u64) -> Option<Member> {
        Some(Member {
            outlet: self.outlet,
            viewer: self.viewer,
            bell: self.bell,
            zero: self.readings.zero()?,
            since: sent,
            id: self.id,
            way_home: self.way_home?,
        })
    }
}

/// A player in step: it has no place, no timer and no buffer of its own.
pub(super) struct Member {
    pub(super) outlet: Arc<dyn Outlet>,
    pub(super) viewer: Arc<Viewer>,
    pub(super) bell: Bell,
    /// Stream time at which this player's clock is zero, in milliseconds.
    pub(super) zero: i64,
    /// What the convoy had sent when this player's bytes were last counted.
    pub(super) since: u64,
    pub(super) id: u64,
    pub(super) way_home: oneshot::Sender<Returned>,
}

impl Member {
    /// Counts its bytes where others see them.
    pub(super) fn count(&mut self, sent: u64) {
        self.viewer.count_sent(sent.saturating_sub(std::mem::replace(&mut self.since, sent)));
    }
}

/// What a player goes on with by itself.
pub(crate) struct Returned {
    /// Where it stands now.
    pub(crate) readings: Readings,
    /// What is still to be written of what the readings have passed.
    pub(crate) outbox: Outbox,
    /// Whether it has been part of the convoy; if not, it did not fit.
    pub(crate) travelled: bool,
    /// Why it cannot go on.
    pub(crate) broken: Option<io::Error>,
}

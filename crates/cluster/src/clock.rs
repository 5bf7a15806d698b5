//! The time of day, and by how much the clocks of other nodes are off.

use std::{collections::HashMap, time::SystemTime};

use headwater_media::limits;
use headwater_net::WallClock;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::NodeId;

/// Tells this node's time, and that of others as far as they told theirs when they were met.
pub(crate) struct Clock {
    wall: WallClock,
    /// How far this node's clock is ahead of the machine's, in milliseconds; for tests.
    skew_ms: i64,
    ahead: Mutex<HashMap<NodeId, i64>>,
}

impl Clock {
    pub(crate) fn new(skew_ms: i64) -> Clock {
        Clock { wall: WallClock::read(), skew_ms, ahead: Mutex::default() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let now = self.wall.at(Instant::now().into_std());
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        u64::try_from(now).unwrap_or(u64::MAX).saturating_add_signed(self.skew_ms)
    }

    /// A node has just said what time it is there. Only to be believed of one that has proved itself.
    pub(crate) fn learn(&self, node: &NodeId, their_ms: u64) {
        let ahead = i64::try_from(i128::from(their_ms) - i128::from(self.now_ms())).unwrap_or(0);
        let mut known = self.ahead.lock();
        if known.len() < limits::CLUSTER_NODES.get_usize() || known.contains_key(node) {
            known.insert(node.clone(), ahead);
        }
    }

    /// What time it is at a node; the same as here if it was never met.
    pub(crate) fn now_of(&self, node: &NodeId) -> u64 {
        let ahead = self.ahead.lock().get(node).copied().unwrap_or(0);
        self.now_ms().saturating_add_signed(ahead)
    }
}

//! The graph's executor and clock, on tokio.

use std::time::{Duration, Instant, SystemTime};

use headwater_graph::{BoxFuture, Environment};
use tokio::runtime::Handle;

/// Runs a graph on a tokio runtime.
///
/// Conversions run there too, whichever thread asks for them: a shard's viewer that needs one does not get it onto
/// the shard's thread. Reads tokio's clock, so a test with paused time governs the graph as well.
#[derive(Clone, Debug)]
pub struct TokioEnvironment(Handle);

impl TokioEnvironment {
    /// On the runtime that this is called from.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn current() -> TokioEnvironment {
        TokioEnvironment(Handle::current())
    }
}

impl Environment for TokioEnvironment {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let _runtime = self.0.enter();
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        let _runtime = self.0.enter();
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The time of day at any moment of the monotonic clock.
///
/// Read once, so that it never jumps: what is told to a peer with it stays together.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    moment: Instant,
    time: SystemTime,
}

impl WallClock {
    /// Reads both clocks.
    pub fn read() -> WallClock {
        WallClock { moment: Instant::now(), time: SystemTime::now() }
    }

    /// What time of day it was, or will be, at a moment.
    pub fn at(&self, moment: Instant) -> SystemTime {
        let time = match moment.checked_duration_since(self.moment) {
            Some(since) => self.time.checked_add(since),
            None => self.time.checked_sub(self.moment.saturating_duration_since(moment)),
        };
        time.unwrap_or(self.time)
    }
}

//! The runtime, passed in, so that the same graph runs under a server, a test and a simulation.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant, SystemTime},
};

/// A future on the heap that any thread may run.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Executor and clock of the graph.
pub trait Environment: Send + Sync + 'static {
    /// Runs a task to its end, beside the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);
    /// Waits.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// The wall clock, for people to read.
    fn wall_clock(&self) -> SystemTime;
}

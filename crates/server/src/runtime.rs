//! Tokio as the environment of the graph.

use std::time::{Duration, Instant, SystemTime};

use headwater_graph::{BoxFuture, Environment};

/// Tasks, timers and clocks of the tokio runtime that it is used on.
#[derive(Debug)]
pub(crate) struct Tokio;

impl Environment for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }
}

//! The thread of the lowest priority on which the application and all callers run.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::nice;
use tokio::{runtime::Handle, sync::oneshot, task::AbortHandle};

use super::{application, callers};

/// The application and the callers; dropping it ends them.
pub(super) struct Desk {
    shared: Arc<Shared>,
    handle: Handle,
    application: SocketAddr,
    tasks: Vec<AbortHandle>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is counted on the way.
#[derive(Default)]
pub(super) struct Shared {
    /// Hooks that wait for their answer now.
    pub(super) waiting: AtomicUsize,
    pub(super) hooks: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Milliseconds of each call.
    pub(super) calls: Mutex<Vec<f64>>,
    samples: Mutex<Vec<f64>>,
}

/// What was done since it was counted last.
#[derive(Default)]
pub(super) struct Done {
    /// Milliseconds from a REST call to the end of its answer.
    pub(super) calls: Vec<f64>,
    /// Calls that were answered by another status than they should.
    pub(super) refused: u64,
    /// Wishes that did not end as the application wanted it.
    pub(super) failed: u64,
    /// Hooks under way, many times a second.
    pub(super) waiting: Vec<f64>,
    /// Hooks answered.
    pub(super) hooks: u64,
}

impl Done {
    pub(super) fn add(&mut self, more: Done) {
        self.calls.extend(more.calls);
        self.waiting.extend(more.waiting);
        self.refused += more.refused;
        self.failed += more.failed;
        self.hooks += more.hooks;
    }
}

impl Desk {
    /// Starts the application.
    pub(super) fn start() -> Result<Desk> {
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let application = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("desk".into()).spawn({
            let shared = shared.clone();
            move || {
                // On Linux this is the thread's own (sched(7)).
                let _ = nice(19);
                runtime.block_on(async {
                    tokio::spawn(application::serve(listener, shared.clone()));
                    tokio::spawn(sample(shared));
                    let _ = stopped.await;
                });
            }
        });
        let thread = thread.context("no thread for the application")?;
        Ok(Desk { shared, handle, application, tasks: Vec::new(), stop: Some(stop), thread: Some(thread) })
    }

    /// Where hooks are taken.
    pub(super) fn application(&self) -> String {
        format!("http://{}/hooks", self.application)
    }

    /// Begins to make so many calls in a second, and to keep so many decisions under way.
    pub(super) fn begin(&mut self, server: SocketAddr, calls: usize, hooks: usize) {
        let shared = &self.shared;
        let callers = callers::rest(server, calls, shared.clone());
        let wishes = callers::wishes(server, hooks, shared.clone());
        self.tasks.extend([self.handle.spawn(callers).abort_handle(), self.handle.spawn(wishes).abort_handle()]);
    }

    /// Hangs up on everybody.
    pub(super) fn end(&mut self) {
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    /// Hooks that wait for their answer now.
    pub(super) fn waiting(&self) -> usize {
        self.shared.waiting.load(Relaxed)
    }

    /// What was done since the last time.
    pub(super) fn count(&self) -> Done {
        Done {
            calls: take(&self.shared.calls),
            waiting: take(&self.shared.samples),
            refused: self.shared.refused.swap(0, Relaxed),
            failed: self.shared.failed.swap(0, Relaxed),
            hooks: self.shared.hooks.swap(0, Relaxed),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(values: &Mutex<Vec<f64>>) -> Vec<f64> {
    values.lock().map(|mut values| std::mem::take(&mut *values)).unwrap_or_default()
}

async fn sample(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        if let Ok(mut samples) = shared.samples.lock() {
            samples.push(shared.waiting.load(Relaxed) as f64);
        }
    }
}

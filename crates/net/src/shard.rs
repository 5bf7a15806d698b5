//! A thread that owns everything that runs on it.

use std::{io, thread};

/// A named thread with a single-threaded tokio runtime.
///
/// What runs on it may share by `Rc` and `RefCell`: it never moves to another thread and needs no lock.
#[derive(Debug)]
pub struct Shard {
    name: String,
    thread: thread::JoinHandle<()>,
}

impl Shard {
    /// Starts the thread `shard-INDEX` and runs `main` on it, which may spawn local tasks. When `main` ends, those
    /// still running are dropped and the thread ends.
    ///
    /// The thread goes before others by so many levels of `precedence` (see [`take_precedence`]), if the system lets
    /// it; if not, it runs as the others do.
    ///
    /// # Errors
    /// The thread or its runtime could not be made.
    pub fn start<F>(index: usize, precedence: u8, main: F) -> io::Result<Shard>
    where
        F: AsyncFnOnce() + Send + 'static,
    {
        let name = format!("shard-{index}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            if let Err(error) = take_precedence(precedence) {
                tracing::debug!(%error, "the system gives the thread {} no precedence over others", thread_name());
            }
            tokio::task::LocalSet::new().block_on(&runtime, main());
        })?;
        Ok(Shard { name, thread })
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread to end; blocks the calling thread. Says whether it ended without a panic.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Lowers the niceness of the calling thread by so many levels, so that it gets a core before threads that are nicer
/// (`setpriority(2)`). Nothing is done for 0, nor on systems where a thread has no niceness of its own.
///
/// # Errors
/// What the kernel says: `EACCES` or `EPERM` for a user who may not (`RLIMIT_NICE`, `CAP_SYS_NICE`).
pub fn take_precedence(levels: u8) -> io::Result<()> {
    if levels == 0 || !cfg!(target_os = "linux") {
        return Ok(());
    }
    // Without an id it is the calling thread that is meant, on Linux.
    let now = rustix::process::getpriority_process(None)?;
    let wanted = now.saturating_sub(i32::from(levels)).max(-20);
    Ok(rustix::process::setpriority_process(None, wanted)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc, sync::mpsc};

    #[test]
    fn local_tasks_of_a_shard_share_without_locks() {
        let (report, reports) = mpsc::channel();
        let shard = Shard::start(7, 0, async move || {
            let sum = Rc::new(RefCell::new(0));
            let tasks: Vec<_> = (1..=4)
                .map(|n| {
                    let sum = sum.clone();
                    tokio::task::spawn_local(async move { *sum.borrow_mut() += n })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let name = thread::current().name().map(str::to_owned);
            report.send((name, *sum.borrow())).unwrap();
        })
        .unwrap();
        assert_eq!(shard.name(), "shard-7");
        assert!(shard.join());
        assert_eq!(reports.recv().unwrap(), (Some("shard-7".into()), 10));
    }

    #[test]
    fn only_the_shards_own_thread_takes_precedence() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let allowed = thread::spawn(|| take_precedence(3).is_ok()).join().unwrap();
        let (report, reports) = mpsc::channel();
        let shard = Shard::start(8, 3, async move || report.send(niceness()).unwrap()).unwrap();
        assert!(shard.join());
        let levels = if allowed && cfg!(target_os = "linux") { 3 } else { 0 };
        assert_eq!(reports.recv().unwrap(), (before - levels).max(-20));
        assert_eq!(niceness(), before, "this thread stays as it is");
    }
}

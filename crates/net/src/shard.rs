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
    /// # Errors
    /// The thread or its runtime could not be made.
    pub fn start<F>(index: usize, main: F) -> io::Result<Shard>
    where
        F: AsyncFnOnce() + Send + 'static,
    {
        let name = format!("shard-{index}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc, sync::mpsc};

    #[test]
    fn local_tasks_of_a_shard_share_without_locks() {
        let (report, reports) = mpsc::channel();
        let shard = Shard::start(7, async move || {
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
}

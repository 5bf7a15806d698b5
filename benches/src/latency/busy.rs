//! Work of the lowest priority on all cores, as other programs of the machine would do.

use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Result;
use rustix::process::nice;

/// Keeps all cores busy until it is dropped.
pub(super) struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    pub(super) fn start() -> Result<Busy> {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let work = |_| {
            let stop = stop.clone();
            thread::Builder::new().name("busy".into()).spawn(move || {
                // On Linux this is the thread's own (sched(7)).
                let _ = nice(19);
                while !stop.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let threads = (0..cores).map(work).collect::<Result<_, _>>()?;
        Ok(Busy { stop, threads })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

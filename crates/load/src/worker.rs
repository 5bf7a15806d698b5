//! Threads that viewers run on: each viewer is a task of one of them, with a socket of its own.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use headwater_net::{Burst, Dialer, ReceiveBuffer, Shard};
use headwater_webrtc::ReceiverCommon;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Failure,
    agents::{self, Seat},
    decode::Turns,
};

/// Agents that may wait to be taken up by a worker.
const SEATS_QUEUED: usize = 256;

/// What the agents of a thread share.
pub(crate) struct Worker {
    /// Connects to servers, as far as the plan may.
    pub(crate) dialer: Dialer,
    /// The certificate of all viewers.
    pub(crate) common: ReceiverCommon,
    /// Whose turn it is to be decoded.
    pub(crate) turns: Turns,
    /// What has come in last; read at once.
    pub(crate) buffer: RefCell<ReceiveBuffer>,
    /// What goes out next; sent at once.
    pub(crate) burst: RefCell<Burst>,
}

/// The workers of a run.
pub(crate) struct Workers {
    doors: Mutex<Vec<mpsc::Sender<Taken>>>,
    next: AtomicUsize,
    threads: Mutex<Vec<Shard>>,
}

struct Taken {
    seat: Seat,
    ended: oneshot::Sender<Result<(), Failure>>,
}

impl Workers {
    /// Starts so many threads; 0 is one for each core.
    ///
    /// # Errors
    /// A thread cannot be had.
    pub(crate) fn start(count: usize, dialer: &Dialer, turns: &Turns) -> Result<Workers, Failure> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count };
        let common = ReceiverCommon::new().map_err(Failure::generator)?;
        let (mut doors, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count {
            let (door, seats) = mpsc::channel(SEATS_QUEUED);
            let (dialer, turns, common) = (dialer.clone(), turns.clone(), common.clone());
            let thread = Shard::start(index, 0, async move || {
                let worker = Worker {
                    dialer,
                    common,
                    turns,
                    buffer: RefCell::new(ReceiveBuffer::new()),
                    burst: RefCell::new(Burst::new(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0), None)),
                };
                serve(Rc::new(worker), seats).await;
            });
            threads.push(thread.map_err(Failure::generator)?);
            doors.push(door);
        }
        Ok(Workers { doors: Mutex::new(doors), next: AtomicUsize::new(0), threads: Mutex::new(threads) })
    }

    /// Gives an agent to the next worker, and waits until it has ended.
    ///
    /// # Errors
    /// Why it did not come about or did not stay.
    pub(crate) async fn seat(&self, seat: Seat) -> Result<(), Failure> {
        let gone = || Failure::generator("the thread of the agent has ended");
        let door = {
            let doors = self.doors.lock();
            let index = self.next.fetch_add(1, Relaxed).checked_rem(doors.len()).unwrap_or(0);
            doors.get(index).cloned().ok_or_else(gone)?
        };
        let (ended, end) = oneshot::channel();
        door.send(Taken { seat, ended }).await.map_err(|_| gone())?;
        end.await.map_err(|_| gone())?
    }

    /// Ends the threads, and what is left on them.
    pub(crate) async fn stop(&self) {
        self.doors.lock().clear();
        let threads = std::mem::take(&mut *self.threads.lock());
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().map(Shard::join).fold(true, |all, well| all & well)
        });
        if let Ok(false) = joined.await {
            tracing::error!("a thread of load agents ended by a panic");
        }
    }
}

/// Runs agents until nobody can send one any more; those who are left then are dropped.
async fn serve(worker: Rc<Worker>, mut seats: mpsc::Receiver<Taken>) {
    while let Some(Taken { seat, ended }) = seats.recv().await {
        let worker = worker.clone();
        tokio::task::spawn_local(async move {
            let _ = ended.send(agents::sit(&seat, &worker).await);
        });
    }
}

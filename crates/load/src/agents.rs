//! What agents do, each in a file of its own: they publish, they play, they hold a session open.

mod balancer;
mod hls;
mod http;
mod listen;
mod movie;
mod mse;
mod pair;
mod publish;
mod rtmp;
mod screen;
mod session;
mod websocket;
mod whep;
mod wsplayer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure,
    figures::{Board, Way},
    plan::{Protocol, Target, What},
    run::Crew,
    seen::Seen,
    worker::Worker,
};

pub(crate) use publish::Publishers;

/// What an agent that runs on a worker is given.
pub(crate) struct Seat {
    /// Where it goes.
    pub(crate) target: Target,
    /// Whether it plays; otherwise it holds a session open.
    pub(crate) plays: bool,
    /// Where it tells that it is there, and what it sees.
    pub(crate) presence: Arc<Presence>,
    /// Tells it to leave.
    pub(crate) stop: CancellationToken,
}

/// Does what the task says, until it is told to stop, which is no error.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(crate) async fn run(
    crew: &Crew,
    task: usize,
    agent: u32,
    presence: &Arc<Presence>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let plan = crew.task(task)?;
    let target = Target::of(plan, agent).map_err(Failure::generator)?;
    match plan.what {
        What::Publish => crew.publishers()?.publish(&target, agent, presence, stop).await,
        What::Pairs => {
            let playback = Target::of_playback(plan, agent).map_err(Failure::generator)?;
            pair::run(crew, (&target, playback), agent, presence, stop).await
        }
        What::Play | What::Websocket => {
            let plays = plan.what == What::Play;
            crew.workers().seat(Seat { target, plays, presence: presence.clone(), stop: stop.clone() }).await
        }
    }
}

/// Does on a worker what its seat says.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(crate) async fn sit(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let placed;
    let seat = match &seat.target.balancer {
        None => seat,
        Some(_) => {
            placed = tokio::select! {
                () = seat.stop.cancelled() => return Ok(()),
                placed = balancer::place(seat, worker) => placed?,
            };
            &placed
        }
    };
    match seat.target.protocol {
        Protocol::Whep => whep::play(seat, worker).await,
        Protocol::Session if seat.plays => session::play(seat, worker).await,
        Protocol::Session => session::hold(seat, worker).await,
        Protocol::Rtmp => rtmp::play(seat, worker).await,
        Protocol::Hls => hls::play(seat, worker).await,
        Protocol::Mse => mse::play(seat, worker).await,
        Protocol::WsPlayer => wsplayer::play(seat, worker).await,
        Protocol::Whip => Err(Failure::generator("agents cannot play by WHIP")),
    }
}

/// Whether an agent is there, told to the board of its task: once that it asks, once that it is there, once that it is
/// gone, whatever becomes of it.
pub(crate) struct Presence {
    pub(crate) board: Arc<Board>,
    asked: Instant,
    /// When the one in whose place it comes was lost.
    missed: Option<Instant>,
    has_pictures: AtomicBool,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asking,
    Live,
    Gone,
}

impl Presence {
    /// It asks now, for the first time or in place of one that was lost then.
    pub(crate) fn ask(board: Arc<Board>, missed: Option<Instant>) -> Arc<Presence> {
        board.ask(missed.is_some());
        let (has_pictures, state) = (AtomicBool::new(false), Mutex::new(State::Asking));
        Arc::new(Presence { board, asked: Instant::now(), missed, has_pictures, state })
    }

    /// What it sees, which is nothing yet.
    pub(crate) fn see(&self) -> Seen {
        Seen::new(self.asked.into_std(), self.missed.map(Instant::into_std))
    }

    /// Hands over what it has seen, and leaves it empty.
    pub(crate) fn tell(&self, seen: &mut Seen, way: Way) {
        if seen.has_firsts() {
            self.has_pictures.store(true, Relaxed);
        }
        self.board.take(seen, way);
    }

    /// Whether pictures have come to it.
    pub(crate) fn has_pictures(&self) -> bool {
        self.has_pictures.load(Relaxed)
    }

    /// Whether it is there, or was until it left.
    pub(crate) fn is_live(&self) -> bool {
        *self.state.lock() == State::Live
    }

    /// How long ago it asked.
    pub(crate) fn since(&self) -> Duration {
        self.asked.elapsed()
    }

    /// It is there.
    pub(crate) fn join(&self) {
        let mut state = self.state.lock();
        if *state == State::Asking {
            *state = State::Live;
            self.board.join(self.asked.elapsed());
        }
    }

    /// It is gone.
    pub(crate) fn leave(&self, ended: Result<(), Failure>) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Gone);
        if state != State::Gone {
            self.board.leave(state == State::Live, ended);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.leave(Err(Failure::generator("the agent was given up: it did not leave in time, or this program failed")));
    }
}

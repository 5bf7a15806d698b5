//! The course of one relay: attempts, waits between them, and the state that operators see.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use headwater_graph::Environment;
use headwater_media::limits;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::observer::{Begun, Observed, Observer};

/// The wait after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How long one that has been given up can still be seen.
const KEPT: Duration = Duration::from_secs(60);

/// What a relay is at, in WCS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has not begun.
    New,
    /// It connects, or waits before it tries again.
    Pending,
    /// It is connected; no media has flowed.
    Connected,
    /// It receives media.
    ProcessedRemote,
    /// It sends media.
    ProcessedLocal,
    /// It was told to stop, or its stream is over.
    Stopped,
    /// It was given up.
    Failed,
}

impl Status {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::New => "NEW",
            Status::Pending => "PENDING",
            Status::Connected => "CONNECTED",
            Status::ProcessedRemote => "PROCESSED_REMOTE",
            Status::ProcessedLocal => "PROCESSED_LOCAL",
            Status::Stopped => "STOPPED",
            Status::Failed => "FAILED",
        }
    }
}

/// How an attempt has ended.
pub(crate) enum Outcome {
    /// It is over for good, as it should be.
    Over(String),
    /// The other server says that the stream is over; its name is given back.
    Ended(String),
    /// It is worth another attempt; `worked` says whether media has flowed.
    Again { reason: String, worked: bool },
    /// No further attempt can help.
    Hopeless(String),
}

/// Something that is attempted again and again.
pub(crate) trait Line: Sync {
    /// One connection, from its beginning to its end.
    fn attempt(&self) -> impl Future<Output = Outcome> + Send;

    /// The wait after so many attempts in a row that have failed.
    fn pause(&self, course: &Course, failures: u64) -> impl Future<Output = ()> + Send {
        course.sleep(wait(failures))
    }
}

/// How far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) status: Status,
    /// Attempts in a row that have failed.
    pub(crate) failures: u64,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
}

/// The state of one relay and the means to stop it.
pub(crate) struct Course {
    pub(crate) stop: CancellationToken,
    progress: watch::Sender<Progress>,
    environment: Arc<dyn Environment>,
    observer: Option<Arc<dyn Observer>>,
}

impl Course {
    pub(crate) fn new(
        stop: CancellationToken,
        environment: Arc<dyn Environment>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Course {
        let progress = Progress { status: Status::New, failures: 0, problem: None };
        Course { stop, progress: watch::Sender::new(progress), environment, observer }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// What becomes of it.
    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn set(&self, status: Status) {
        self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.status, status) != status);
    }

    pub(crate) fn now(&self) -> Instant {
        self.environment.now()
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.environment.sleep(time).await;
    }

    /// Attempts until it is over, told to stop, or given up; says why. One that is given up is waited for as long as it
    /// is to be seen.
    pub(crate) async fn run(&self, begun: &Begun<'_>, line: &impl Line) -> String {
        let observed = self.observer.as_ref().map(|observer| observer.begins(begun));
        let (status, reason) = {
            let mut followed = self.follow();
            let attempts = pin!(self.attempts(line));
            let told = pin!(tell(&mut followed, observed.as_deref()));
            match select(attempts, told).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(((), attempts)) => attempts.await,
            }
        };
        if let Some(observed) = observed {
            observed.changed(status, Some(&reason));
        }
        self.end(status, reason).await
    }

    async fn attempts(&self, line: &impl Line) -> (Status, String) {
        loop {
            if self.stop.is_cancelled() {
                return (Status::Stopped, "it was told to stop".into());
            }
            self.set(Status::Pending);
            match line.attempt().await {
                Outcome::Over(reason) | Outcome::Ended(reason) => return (Status::Stopped, reason),
                Outcome::Hopeless(reason) => return (Status::Failed, reason),
                Outcome::Again { .. } if self.stop.is_cancelled() => {}
                Outcome::Again { reason, worked } => {
                    let failures = self.count(&reason, worked);
                    if failures > limits::RELAY_ATTEMPTS.get() {
                        limits::RELAY_ATTEMPTS.hit();
                        return (Status::Failed, reason);
                    }
                    self.stop.run_until_cancelled(line.pause(self, failures)).await;
                }
            }
        }
    }

    fn count(&self, reason: &str, worked: bool) -> u64 {
        self.progress.send_modify(|progress| {
            progress.status = Status::Pending;
            progress.failures = if worked { 1 } else { progress.failures.saturating_add(1) };
            progress.problem = Some(reason.to_owned());
        });
        self.progress.borrow().failures
    }

    async fn end(&self, status: Status, reason: String) -> String {
        self.progress.send_modify(|progress| {
            progress.status = status;
            progress.problem = Some(reason.clone());
        });
        if status == Status::Failed {
            self.stop.run_until_cancelled(self.sleep(KEPT)).await;
        }
        reason
    }
}

/// Tells of each change; of those that follow each other at once, of the last.
async fn tell(progress: &mut watch::Receiver<Progress>, observed: Option<&dyn Observed>) {
    let Some(observed) = observed else { return };
    while progress.changed().await.is_ok() {
        let Progress { status, problem, .. } = progress.borrow_and_update().clone();
        observed.changed(status, problem.as_deref());
    }
}

/// The time before another attempt: doubled with each failure, up to a limit, and spread so that not all come back at
/// once.
pub(crate) fn wait(failures: u64) -> Duration {
    spread(failures, rand::random_range(0.5..1.0))
}

/// `share` is 0.5 to 1.
fn spread(failures: u64, share: f64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(limits::RELAY_WAIT_MS.get_duration());
    whole.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let waits: Vec<_> = (1..=9).map(|failures| spread(failures, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
        assert_eq!(spread(u64::MAX, 0.5), Duration::from_millis(2_500));
    }
}

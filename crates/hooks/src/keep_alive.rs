//! Asks again and again whether a stream may go on.

use std::{sync::Arc, time::Duration};

use headwater_access::{Facts, Refused, Why};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    error::HookError,
    method::Method,
    payload,
    policy::{OnError, Policies},
    session::Session,
};

/// The words of WCS.
const TERMINATED: &str = "Terminated by keep-alive";

/// Asks until it is dropped, the application says no, or the configuration names it no more.
pub(crate) struct KeepAlive {
    refused: watch::Receiver<bool>,
    task: AbortHandle,
}

impl KeepAlive {
    /// Begins to ask. The first question comes within one interval, at any time of it, so that streams that begin
    /// together are not asked about together.
    pub(crate) fn start(
        session: Arc<Session>,
        policies: Arc<Policies>,
        stream: Arc<Mutex<Facts>>,
        interval: Duration,
    ) -> KeepAlive {
        let (sender, refused) = watch::channel(false);
        let task = tokio::spawn(async move {
            let asked = ask(&session, &policies, &stream, interval);
            if session.application.gone().run_until_cancelled(asked).await.is_none() {
                return;
            }
            let _ = sender.send(true);
            // The sender lives on with the task until whoever holds the stream has let go of it.
            sender.closed().await;
        });
        KeepAlive { refused, task: task.abort_handle() }
    }

    /// Waits until the application says no.
    pub(crate) async fn refused(&self) -> Refused {
        if self.refused.clone().wait_for(|refused| *refused).await.is_err() {
            std::future::pending::<()>().await;
        }
        Refused::new(Why::Forbidden, TERMINATED)
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends when the application says no. One that does not answer says nothing: streams go on without it.
async fn ask(session: &Session, policies: &Policies, stream: &Mutex<Facts>, interval: Duration) {
    let policy = policies.of(Method::StreamKeepAliveEvent);
    let first = interval.mul_f64(rand::random_range(0.5..=1.0));
    let mut ticks = interval_at(Instant::now() + first, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let body = payload::body(&stream.lock(), &policy.excluded);
        let answer = session.application.keep_alive(&session.id, body, interval).await;
        let (session, app) = (&*session.id, &session.application.key);
        match answer {
            Some(Err(HookError::Status(403))) if policy.on_error == OnError::Fail => {
                tracing::info!(session, app, "the application ends a stream by its answer to StreamKeepAliveEvent");
                return;
            }
            Some(Err(error)) => tracing::debug!(session, app, %error, "no answer to StreamKeepAliveEvent"),
            Some(Ok(_)) | None => {}
        }
    }
}

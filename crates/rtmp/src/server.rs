//! Accepts RTMP and RTMPS connections, each with a task of its own.

use std::{panic::AssertUnwindSafe, sync::atomic::Ordering::Relaxed};

use futures_util::FutureExt;
use headwater_net::{Connection, Listener, TlsAcceptor};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    context::{Arriving, Context},
    error::RtmpError,
    session::{begin, handle_tcp},
};

/// Serves RTMP on a listener until `shutdown`, then waits for the sessions to end.
pub async fn serve(listener: Listener, context: Context, shutdown: CancellationToken) {
    accept(listener, None, context, shutdown).await;
}

/// The same within TLS: RTMPS.
pub async fn serve_tls(listener: Listener, acceptor: TlsAcceptor, context: Context, shutdown: CancellationToken) {
    accept(listener, Some(acceptor), context, shutdown).await;
}

async fn accept(listener: Listener, acceptor: Option<TlsAcceptor>, context: Context, shutdown: CancellationToken) {
    let sessions = TaskTracker::new();
    loop {
        let connection = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            connection = listener.accept() => connection,
        };
        context.counters().connections_total.fetch_add(1, Relaxed);
        let arriving = match context.arriving() {
            Ok(arriving) => arriving,
            Err(error) => {
                context.counters().count_error(&error);
                tracing::debug!(remote = %connection.remote(), %error, "an RTMP connection is refused");
                continue;
            }
        };
        let session = run(connection, arriving, acceptor.clone(), context.clone(), shutdown.clone());
        context.hub().environment().spawn(Box::pin(sessions.track_future(session)));
    }
    drop(listener);
    sessions.close();
    sessions.wait().await;
}

/// Runs one session to its end. A panic ends that session alone, and is counted as a defect.
async fn run(
    connection: Connection,
    arriving: Arriving,
    acceptor: Option<TlsAcceptor>,
    context: Context,
    shutdown: CancellationToken,
) {
    let remote = Some(connection.remote());
    let session = async {
        match acceptor {
            None => handle_tcp(connection, arriving, &context, &shutdown).await,
            Some(acceptor) => match acceptor.accept(connection).await {
                Ok(io) => begin(io, None, arriving, remote, &context, &shutdown).await,
                Err(error) => {
                    tracing::debug!(?remote, %error, "a TLS handshake for RTMPS failed");
                    Ok(())
                }
            },
        }
    };
    // What the session broke in the middle of is dropped with it.
    if AssertUnwindSafe(session).catch_unwind().await.is_err() {
        let error = RtmpError::Panicked;
        context.counters().count_error(&error);
        tracing::error!(?remote, %error, "an RTMP session ended");
    }
}

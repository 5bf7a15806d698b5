//! One viewer, from its upgrade to its end.

use std::{pin::pin, time::Duration};

use headwater_access::{Admitted, Why};
use headwater_graph::{StreamState, Subscription};
use headwater_media::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split},
    time::{sleep, timeout},
};

use crate::{Ear, Heard, Mouth, Protocol, Reader, Replies, Trouble, Visitor, words::LastWord};

/// How long a viewer waits for the tracks of a stream that has just begun.
pub(crate) const START_TIME: Duration = Duration::from_secs(10);
/// How long a peer may take to hear the last words.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long a reader that looks again is left alone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Status codes of RFC 6455 §7.4.1.
const NORMAL: u16 = 1000;
const AWAY: u16 = 1001;
/// The server is about to stop, and others are there (IANA registry of close codes, "Service Restart").
const RESTART: u16 = 1012;
/// What operators' order to stop a stream says.
const TERMINATED: &str = "Stopped by rest /terminate";

/// What ends a session.
enum End {
    /// The viewer has closed it.
    Left,
    /// The viewer went away, or takes nothing more.
    Gone,
    /// The viewer broke a rule.
    Broke(u16, &'static str),
    /// The stream has ended, or the viewer is sent away.
    Over(String),
    /// The server is emptied: the viewer is to come again, and will find itself elsewhere.
    Moved(String),
    /// The viewer gets nothing.
    Failed(Trouble),
    /// The server stops.
    Stopping,
}

/// Talks to one viewer until one of both ends it.
pub async fn converse<P, S>(protocol: P, socket: S, visitor: Visitor)
where
    P: Protocol,
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (reader, writer) = split(socket);
    let replies = Replies::default();
    let mut mouth = Mouth::new(writer, replies.clone(), P::TERMS.queue);
    let mut ear = Ear::new(reader, replies, P::TERMS.bounds).await;
    let audience = protocol.audience();
    let begin = async {
        let admitted = visitor.admit(audience).await?;
        let name = admitted.admission().stream.clone();
        let subscribed = visitor.subscribe(audience, &name).await;
        subscribed.map(|subscription| (subscription, admitted))
    };
    let begun = tokio::select! {
        begun = begin => begun.map_err(End::Failed),
        end = silence(&mut ear) => Err(end),
        () = audience.stopping().cancelled() => Err(End::Stopping),
    };
    let end = match begun {
        Ok((subscription, admitted)) => {
            let (name, session) = (P::TERMS.name, visitor.session());
            tracing::info!(protocol = name, stream = %admitted.admission().stream, session, remote = ?visitor.remote(), "a viewer has come");
            let end = watch(&protocol, subscription, admitted, &visitor, &mut mouth, &mut ear).await;
            tracing::info!(protocol = name, session, "a viewer has left");
            end
        }
        Err(end) => end,
    };
    farewell(end, &mut mouth, &mut ear).await;
}

/// Hears the viewer until there is nothing more to be heard.
async fn silence<R: AsyncRead + Unpin>(ear: &mut Ear<R>) -> End {
    loop {
        if let Some(end) = end_of(ear.hear().await) {
            return end;
        }
    }
}

fn end_of(heard: Heard) -> Option<End> {
    match heard {
        Heard::Something => None,
        Heard::Left => Some(End::Left),
        Heard::Gone => Some(End::Gone),
        Heard::Broke(code, reason) => Some(End::Broke(code, reason)),
    }
}

async fn watch<P, S>(
    protocol: &P,
    subscription: Subscription,
    admitted: Admitted,
    visitor: &Visitor,
    mouth: &mut Mouth<WriteHalf<S>>,
    ear: &mut Ear<ReadHalf<S>>,
) -> End
where
    P: Protocol,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let audience = protocol.audience();
    let stream = subscription.stream().clone();
    let mut ended = pin!(subscription.ended());
    let mut revoked = pin!(admitted.revoked());
    let tally = audience.tally(&subscription);
    let mut from = protocol.reader(subscription, visitor.accept(), tally);
    let bell = from.bell().clone();
    let end = loop {
        mouth.take_replies();
        if mouth.is_empty() {
            match from.read(mouth) {
                Ok(()) if from.tally().has_sent() => admitted.flow(&stream),
                Ok(()) => {}
                Err(trouble) => break End::Failed(trouble),
            }
        }
        let looks_again = from.looks_again();
        tokio::select! {
            biased;
            reason = &mut ended => break End::Over(reason),
            refused = &mut revoked => break match refused.why {
                Why::Unavailable => End::Moved(refused.sentence),
                _ => End::Over(refused.sentence),
            },
            () = audience.stopping().cancelled() => break End::Stopping,
            heard = ear.hear() => if let Some(end) = end_of(heard) {
                break end;
            },
            written = mouth.write(), if !mouth.is_empty() => {
                from.tally().write(mouth.count());
                if written.is_err() {
                    break End::Gone;
                }
            }
            () = bell.rung(), if mouth.is_empty() => {}
            () = sleep(LOOK_AGAIN), if mouth.is_empty() && looks_again => {}
        }
    };
    if let End::Over(_) = end {
        // What came with the end of the stream.
        let _ = from.read(mouth);
    }
    tell_gates(&admitted, &end, stream.state());
    end
}

fn tell_gates(admitted: &Admitted, end: &End, state: StreamState) {
    match end {
        End::Left => {}
        End::Gone | End::Broke(..) => admitted.disconnect(),
        End::Moved(reason) => admitted.fail(reason),
        End::Over(reason) if reason == TERMINATED || state != StreamState::Ended => admitted.fail(reason),
        End::Over(_) => admitted.fail("Stopped by publisher stop"),
        End::Failed(trouble) => admitted.fail(trouble.info()),
        End::Stopping => admitted.fail("the server is stopping"),
    }
}

/// Says why it is over, and closes (RFC 6455 §7.1.1: the server closes the connection first).
async fn farewell<S>(end: End, mouth: &mut Mouth<WriteHalf<S>>, ear: &mut Ear<ReadHalf<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match &end {
        End::Gone => return,
        End::Left => mouth.close(NORMAL, ""),
        End::Broke(code, reason) => mouth.close(*code, reason),
        End::Moved(reason) => {
            mouth.text(&LastWord::End { reason }.write());
            mouth.close(RESTART, reason);
        }
        End::Over(reason) => {
            mouth.text(&LastWord::End { reason }.write());
            mouth.close(NORMAL, reason);
        }
        End::Failed(trouble) => {
            mouth.text(&LastWord::Error { code: trouble.code(), message: trouble.sentence() }.write());
            mouth.close(trouble.close_code(), trouble.sentence());
        }
        End::Stopping => {
            mouth.text(&LastWord::End { reason: "the server is stopping" }.write());
            mouth.close(AWAY, "the server is stopping");
        }
    }
    let last_words = async {
        mouth.write().await?;
        // The peer answers with its own close frame; what it sent before that is read, lest the words be lost.
        if !matches!(end, End::Left | End::Broke(..)) {
            silence(ear).await;
        }
        mouth.shutdown().await
    };
    if timeout(CLOSE_TIME.min(limits::HTTP_WRITE_MS.get_duration()), last_words).await.is_err() {
        tracing::debug!("a viewer did not answer the close frame");
    }
}

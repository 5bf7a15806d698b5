//! Requests over a connection of their own.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Waits for an answer while the connection that brings it is kept going.
///
/// The end of the connection does not end the waiting: an answer that has come whole is still read, and one that
/// cannot come any more has to say so itself. With `hyper` it does.
pub async fn answer_over<T>(connection: impl Future, answer: impl Future<Output = T>) -> T {
    let (mut connection, mut answer) = (pin!(connection), pin!(answer));
    let mut has_ended = false;
    poll_fn(|context| {
        loop {
            if let Poll::Ready(answered) = answer.as_mut().poll(context) {
                return Poll::Ready(answered);
            }
            if has_ended || connection.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            has_ended = true;
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn an_answer_that_came_before_its_connection_ended_is_read_to_its_end() {
        let (head, headed) = oneshot::channel();
        let (body, mut pieces) = mpsc::channel(8);
        // All of it comes at once, and the connection ends, before anything of the answer is read.
        let connection = async move {
            let _ = head.send("200");
            for piece in ["a", "b", "c"] {
                let _ = body.send(piece).await;
            }
        };
        let answer = async move {
            let mut read = headed.await.unwrap().to_owned();
            while let Some(piece) = pieces.recv().await {
                tokio::task::yield_now().await;
                read.push_str(piece);
            }
            read
        };
        assert_eq!(answer_over(connection, answer).await, "200abc");
    }

    #[tokio::test]
    async fn an_answer_that_cannot_come_any_more_says_so() {
        let (head, headed) = oneshot::channel::<()>();
        assert!(answer_over(async move { drop(head) }, headed).await.is_err());
    }
}

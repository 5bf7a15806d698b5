//! What nobody reads of a request is read all the same, so that its connection can go on.
//!
//! Many clients send head and body apart. A connection that is closed when the answer is there, and the body is not
//! yet, breaks the next of their requests.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::http::{HeaderMap, header};
use headwater_media::limits;
use hyper::{
    Error,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
};
use tokio::time::timeout;

/// The most that is read for nothing; after more the connection is closed.
const BYTES_MAX: usize = 64 << 10;

/// The body of a request. What is left of it when it is dropped is read and thrown away.
pub(super) struct Leftover {
    body: Option<Incoming>,
    /// Whether the client waits to be told to send it (RFC 9110 §10.1.1).
    is_awaited: bool,
}

impl Leftover {
    pub(super) fn of(head: &HeaderMap, body: Incoming) -> Leftover {
        Leftover { body: Some(body), is_awaited: head.contains_key(header::EXPECT) }
    }
}

impl Body for Leftover {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !self.is_awaited && !body.is_end_stream()) else {
            return;
        };
        if body.size_hint().lower() > BYTES_MAX as u64 {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(limits::HTTP_BODY_MS.get_duration(), discard(body)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = BYTES_MAX;
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::any};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_util::sync::CancellationToken;

    use super::super::{Ends, Front, builder, converse};
    use crate::routes::Direct;

    /// Serves one connection by a router that reads no bodies.
    fn connect() -> DuplexStream {
        let (ours, theirs) = duplex(1 << 20);
        let local = "127.0.0.1:1".parse().unwrap();
        let router = Router::new().route("/", any(async || "answered"));
        let front = Front::new(router, Direct::default(), headwater_control::Hosts::default());
        tokio::spawn(async move {
            let ends = Ends { local, remote: local, shown: None };
            converse(theirs, ends, None, &builder(), &front, CancellationToken::new()).await;
        });
        ours
    }

    async fn answer(connection: &mut DuplexStream) -> String {
        let (mut text, mut buffer) = (String::new(), [0; 4_096]);
        while !text.ends_with("answered") {
            match connection.read(&mut buffer).await.unwrap() {
                0 => return text + "(closed)",
                read => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
            }
        }
        text
    }

    #[tokio::test]
    async fn a_body_that_comes_after_the_answer_does_not_end_the_connection() {
        let mut connection = connect();
        for _ in 0..3 {
            connection.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n").await.unwrap();
            assert!(answer(&mut connection).await.starts_with("HTTP/1.1 200"));
            connection.write_all(b"{}").await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_ends_it() {
        for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
            let mut connection = connect();
            connection.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
            answer(&mut connection).await;
            let chunk = format!("2000\r\n{}\r\n", "a".repeat(0x2000));
            while connection.write_all(chunk.as_bytes()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }
}

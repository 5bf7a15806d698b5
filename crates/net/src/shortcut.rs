//! Answers that are written past the task that leads a connection's conversation, where hundreds are due at once.
//!
//! ```text
//!  peer ──► Conversation (AsyncRead + AsyncWrite) ──► its task: reads a request, waits
//!   ▲             │ shares the socket
//!   └──────── Shortcut ◄── another task: writes the answer
//! ```
//!
//! The conversation's own task is woken for it only if it has something to do. When it runs next, it says its answer
//! as if nothing had been written, and that is thrown away up to a mark.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use parking_lot::Mutex;
use rustix::net::SendFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{Connection, Permit};

/// A connection as the task that leads it has it.
#[derive(Debug)]
pub struct Conversation {
    read: OwnedReadHalf,
    line: Arc<Line>,
}

/// The way past the task that leads a connection. Cloning it is cheap; the socket stays open while there is one.
#[derive(Clone, Debug)]
pub struct Shortcut(Arc<Line>);

/// What came of an answer that was to be written past its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is written, and the conversation will be woken by what its peer says next.
    Done,
    /// It is written, or the conversation will write what is left of it: its task has to be woken.
    Wake,
    /// Nothing was written, as the peer takes nothing now; the conversation has to answer, and so to be woken.
    Nothing,
}

#[derive(Debug)]
struct Line {
    write: OwnedWriteHalf,
    /// What the conversation says instead of a written answer is thrown away up to this, and with it.
    mark: &'static [u8],
    state: Mutex<State>,
    _permit: Permit,
}

#[derive(Debug)]
struct State {
    /// The conversation has read all that came, and is woken by what comes next.
    is_listening: bool,
    /// The kernel has all that the conversation had to say.
    is_clear: bool,
    written: Option<Written>,
}

/// An answer was written past the conversation.
#[derive(Debug)]
struct Written {
    /// What the kernel did not take of it.
    rest: bytes::Bytes,
    /// Bytes of the mark that have been seen.
    seen: usize,
}

impl Conversation {
    /// Shares a connection with those who write past its task. A conversation that is told that its answer is written
    /// must say one that ends with this mark, and holds it nowhere else.
    pub fn new(connection: Connection, mark: &'static [u8]) -> Conversation {
        let (stream, permit) = connection.into_parts();
        let (read, write) = stream.into_split();
        let state = State { is_listening: false, is_clear: true, written: None };
        Conversation { read, line: Arc::new(Line { write, mark, state: Mutex::new(state), _permit: permit }) }
    }

    /// The way past its task.
    pub fn shortcut(&self) -> Shortcut {
        Shortcut(self.line.clone())
    }

    /// Writes what the kernel takes of some bytes, waiting until it takes any.
    fn write(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream = self.line.write.as_ref();
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match write(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Sends what is left of an answer that was written past this, then throws away what is said instead of it. Nothing
    /// if there is none.
    fn skip(&self, cx: &mut Context<'_>, said: &[u8]) -> Poll<Option<io::Result<usize>>> {
        let mut state = self.line.state.lock();
        state.is_clear = false;
        let Some(written) = &mut state.written else { return Poll::Ready(None) };
        while !written.rest.is_empty() {
            match ready!(self.write(cx, |stream| stream.try_write(&written.rest))) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(taken) => drop(written.rest.split_to(taken.min(written.rest.len()))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        for (at, byte) in said.iter().enumerate() {
            let goes_on = self.line.mark.get(written.seen) == Some(byte);
            written.seen = if goes_on { written.seen + 1 } else { usize::from(self.line.mark.first() == Some(byte)) };
            if written.seen == self.line.mark.len() {
                state.written = None;
                return Poll::Ready(Some(Ok(at + 1)));
            }
        }
        Poll::Ready(Some(Ok(said.len())))
    }
}

impl Shortcut {
    /// Whether an answer that is written now comes behind all that the conversation has said. It stays so for as long
    /// as the conversation says nothing.
    pub fn is_clear(&self) -> bool {
        let state = self.0.state.lock();
        state.is_clear && state.written.is_none()
    }

    /// Writes an answer in the conversation's place. Its task must not speak while this runs.
    pub fn answer(&self, answer: &bytes::Bytes) -> Passed {
        let taken = rustix::net::send(self.0.write.as_ref(), answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        let Ok(taken @ 1..) = taken else { return Passed::Nothing };
        let rest = answer.slice(taken.min(answer.len())..);
        let mut state = self.0.state.lock();
        let passed = if rest.is_empty() && state.is_listening { Passed::Done } else { Passed::Wake };
        state.written = Some(Written { rest, seen: 0 });
        passed
    }
}

impl AsyncRead for Conversation {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.read).poll_read(cx, buffer);
        self.line.state.lock().is_listening = polled.is_pending();
        polled
    }
}

impl AsyncWrite for Conversation {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, said: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.skip(cx, said)) {
            Some(skipped) => Poll::Ready(skipped),
            None => self.write(cx, |stream| stream.try_write(said)),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        said: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = said.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        match ready!(self.skip(cx, first)) {
            Some(skipped) => Poll::Ready(skipped),
            None => self.write(cx, |stream| stream.try_write_vectored(said)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.line.write.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.state.lock().is_clear = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = rustix::net::shutdown(self.line.write.as_ref(), rustix::net::Shutdown::Write);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;

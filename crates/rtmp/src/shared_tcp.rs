//! A TCP connection that a session's task reads from while a convoy's task writes to it.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use headwater_net::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::convoy::Outlet;

/// A session's end of a connection.
pub(crate) struct SharedTcp(Arc<Connection>);

impl SharedTcp {
    pub(crate) fn new(connection: Connection) -> SharedTcp {
        SharedTcp(Arc::new(connection))
    }

    /// The same connection, for someone else to write to. Only one of the two may do so at a time.
    pub(crate) fn outlet(&self) -> Arc<dyn Outlet> {
        self.0.clone()
    }
}

impl Outlet for Connection {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_send(bytes)
    }
}

impl AsyncRead for SharedTcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(connection) = Arc::get_mut(&mut self.0) {
            return Pin::new(connection).poll_read(cx, buf);
        }
        let stream = self.0.stream();
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read_buf(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(|_| ())),
            }
        }
    }
}

impl SharedTcp {
    fn poll_try_write(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&tokio::net::TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let stream = self.0.stream();
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match write(stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for SharedTcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, |stream| stream.try_write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing while the connection is shared: whoever writes to it has not finished.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Arc::get_mut(&mut self.0) {
            Some(connection) => Pin::new(connection).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_try_write(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

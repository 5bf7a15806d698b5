//! Reading and writing a byte stream, with time limits.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::atomic::Ordering::Relaxed,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::{Buf, BytesMut};
use headwater_media::limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

use crate::{
    context::Context,
    error::RtmpError,
    outbox::{Outbox, SLICES_MAX},
};

/// Room for one read.
const READ_BYTES: usize = 32 << 10;
/// What is gathered for one write where there is no vectored writing.
const GATHER_BYTES: usize = 64 << 10;
/// As many slices as one or two frames have.
const FEW_SLICES: usize = 6;
/// The counter that all sessions share is touched once for so many bytes, as it travels between processors.
const COUNT_TOGETHER: u64 = 256 << 10;
const TAKES_NOTHING: &str = "the peer takes nothing of what is sent to it";
/// How long and how much is read after the last word, so that the peer gets to read it.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// One end of a connection.
pub(crate) struct Transport<S> {
    io: S,
    /// What has been read and not yet been taken.
    pub(crate) input: BytesMut,
    gathered: Vec<u8>,
    /// Bytes sent and not yet counted with those of other sessions.
    uncounted: u64,
    context: Context,
}

impl<S> Drop for Transport<S> {
    fn drop(&mut self) {
        self.count();
    }
}

impl<S> Transport<S> {
    fn count(&mut self) {
        self.context.counters().bytes_sent.fetch_add(std::mem::take(&mut self.uncounted), Relaxed);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    pub(crate) fn new(io: S, context: Context) -> Transport<S> {
        Transport { io, input: BytesMut::new(), gathered: Vec::new(), uncounted: 0, context }
    }

    /// The connection itself.
    pub(crate) fn io(&self) -> &S {
        &self.io
    }

    /// Reads some more input; zero bytes when the peer has closed. May be cancelled without loss.
    pub(crate) async fn fill(&mut self) -> Result<usize, RtmpError> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// The same as [`Transport::fill`], for hand-written futures.
    pub(crate) fn poll_fill(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<usize, RtmpError>> {
        if self.input.capacity().saturating_sub(self.input.len()) < READ_BYTES / 8 {
            self.input.reserve(READ_BYTES);
        }
        let count = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.input))?;
        self.context.counters().bytes_received.fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    /// Writes all of it. Must not be cancelled if the connection is to go on.
    pub(crate) async fn send(&mut self, output: &mut BytesMut) -> Result<(), RtmpError> {
        if output.is_empty() {
            return Ok(());
        }
        while !output.is_empty() {
            let written = self.write(|io, cx| io.poll_write(cx, output)).await?;
            output.advance(written);
        }
        self.flush().await
    }

    /// Writes all of the outbox, as much as possible at a time. May be cancelled without loss.
    pub(crate) async fn send_outbox(&mut self, outbox: &mut Outbox) -> Result<(), RtmpError> {
        if outbox.pending() == 0 {
            return Ok(());
        }
        while outbox.pending() > 0 {
            let written = if self.io.is_write_vectored() {
                // A frame or two is the rule; the long row of slices is only laid out where it is needed.
                match outbox.parts() {
                    ..=FEW_SLICES => self.write_vectored::<FEW_SLICES>(outbox).await?,
                    _ => self.write_vectored::<SLICES_MAX>(outbox).await?,
                }
            } else {
                self.write_gathered(outbox).await?
            };
            outbox.advance(written);
        }
        self.flush().await
    }

    async fn write_vectored<const N: usize>(&mut self, outbox: &Outbox) -> Result<usize, RtmpError> {
        let mut slices = [IoSlice::new(&[]); N];
        let count = outbox.slices(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        self.write(|io, cx| io.poll_write_vectored(cx, slices)).await
    }

    async fn write_gathered(&mut self, outbox: &Outbox) -> Result<usize, RtmpError> {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.clear();
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.slices(&mut slices);
        for slice in slices.iter().take(count) {
            let room = GATHER_BYTES.saturating_sub(gathered.len());
            gathered.extend_from_slice(slice.get(..slice.len().min(room)).unwrap_or_default());
        }
        let written = self.write(|io, cx| io.poll_write(cx, &gathered)).await;
        self.gathered = gathered;
        written
    }

    /// One write. A timer is only set when the peer does not take it at once.
    async fn write(
        &mut self,
        mut write: impl FnMut(Pin<&mut S>, &mut TaskContext<'_>) -> Poll<io::Result<usize>>,
    ) -> Result<usize, RtmpError> {
        let io = &mut self.io;
        let at_once = poll_fn(|cx| match write(Pin::new(io), cx) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => Poll::Ready(None),
        });
        let written = match at_once.await {
            Some(written) => written?,
            None => {
                let later = poll_fn(|cx| write(Pin::new(&mut self.io), cx));
                self.context.within_limit(&limits::RTMP_WRITE_MS, TAKES_NOTHING, later).await??
            }
        };
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        self.uncounted += written as u64;
        if self.uncounted >= COUNT_TOGETHER {
            self.count();
        }
        Ok(written)
    }

    /// Lets TLS write out what it holds; for TCP there is nothing to do.
    async fn flush(&mut self) -> Result<(), RtmpError> {
        let io = &mut self.io;
        let at_once = poll_fn(|cx| match Pin::new(&mut *io).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(Some(flushed)),
            Poll::Pending => Poll::Ready(None),
        });
        match at_once.await {
            Some(flushed) => Ok(flushed?),
            None => {
                let later = self.io.flush();
                Ok(self.context.within_limit(&limits::RTMP_WRITE_MS, TAKES_NOTHING, later).await??)
            }
        }
    }

    /// Closes so that the peer gets to read what was written last: bytes of its own that it sends meanwhile would
    /// otherwise reset the connection.
    pub(crate) async fn close(&mut self) {
        let linger = async {
            let _ = self.io.shutdown().await;
            let mut left = LINGER_BYTES;
            let mut discarded = [0; 4_096];
            while let Ok(count @ 1..) = self.io.read(&mut discarded).await {
                left = left.saturating_sub(count);
                if left == 0 {
                    break;
                }
            }
        };
        let _ = self.context.within(LINGER, "closing", linger).await;
    }
}

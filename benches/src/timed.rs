//! Receiving datagrams with the time at which the kernel had them, so that the reader's own delay does not count.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use quinn_udp::{RecvMeta, UdpSocketState};

const RECEIVE_BYTES: usize = 65_535;

/// Receives from one socket.
pub(crate) struct TimedReceiver {
    state: UdpSocketState,
    buffer: Vec<u8>,
}

/// A datagram, and how long ago it arrived.
pub(crate) struct Arrived<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) since: Duration,
    pub(crate) bytes: &'a [u8],
}

impl TimedReceiver {
    /// Makes the kernel note the times; the socket becomes non-blocking.
    pub(crate) fn new(socket: &UdpSocket) -> io::Result<TimedReceiver> {
        Ok(TimedReceiver { state: UdpSocketState::new(socket.into())?, buffer: vec![0; RECEIVE_BYTES] })
    }

    /// Hands over all datagrams that have come.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        mut take: impl FnMut(Arrived<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut meta = [RecvMeta::default()];
        loop {
            match self.state.recv(socket.into(), &mut [IoSliceMut::new(&mut self.buffer)], &mut meta) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let [meta] = &meta;
            let arrived = UNIX_EPOCH + meta.timestamp.context("this kernel does not say when a datagram arrived")?;
            let since = SystemTime::now().duration_since(arrived).unwrap_or_default();
            for bytes in self.buffer[..meta.len].chunks(meta.stride.max(1)) {
                take(Arrived { from: meta.addr, since, bytes })?;
            }
        }
    }
}

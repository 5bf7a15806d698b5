//! Datagrams on their way in.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use quinn_udp::{RecvMeta, UdpSockRef};
use tokio::io::Interest;

use super::{Io, UdpSocket};

/// Buffers of received datagrams handed over by one call.
const RECEIVE_CALLS: usize = 4;
/// Bytes of one such buffer: the largest run that receive offload joins.
const RECEIVE_BYTES: usize = 65_535;

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// The local address it was sent to, where the kernel says.
    pub destination: Option<IpAddr>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl UdpSocket {
    /// Waits for datagrams and takes as many as are there, up to the size of the buffer.
    ///
    /// # Errors
    /// What the kernel says. An ICMP error of an earlier datagram is not one: it is passed over. `Unsupported` for a
    /// socket that only sends.
    pub async fn receive(&self, buffer: &mut ReceiveBuffer) -> io::Result<()> {
        let Io::Watched(io) = &self.io else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        loop {
            io.readable().await?;
            let received = io.try_io(Interest::READABLE, || {
                self.receive_now(io.into(), buffer)?;
                // What the kernel hands over short of what fits is all that was there: the runtime need not ask for
                // more before it waits again.
                if buffer.is_full() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
            });
            match received {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && buffer.filled > 0 => return Ok(()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until there is something to [take](Self::receive_ready), or says at once that it cannot be waited for.
    ///
    /// # Errors
    /// What the kernel says; `Unsupported` for a socket that only sends.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.io {
            Io::Watched(io) => io.readable().await,
            Io::Unwatched(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes as many datagrams as are there, up to the size of the buffer, without waiting: one buffer serves all
    /// sockets of a thread. Says whether there were any.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_ready(&self, buffer: &mut ReceiveBuffer) -> io::Result<bool> {
        let Io::Watched(io) = &self.io else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        loop {
            return match io.try_io(Interest::READABLE, || self.receive_now(io.into(), buffer)) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => Err(error),
            };
        }
    }

    fn receive_now(&self, io: UdpSockRef<'_>, buffer: &mut ReceiveBuffer) -> io::Result<()> {
        buffer.filled = 0;
        let mut slices = buffer.bytes.each_mut().map(|bytes| IoSliceMut::new(bytes));
        buffer.filled = self.state.recv(io, &mut slices, &mut buffer.meta)?;
        Ok(())
    }
}

/// Memory for received datagrams.
#[derive(Debug)]
pub struct ReceiveBuffer {
    bytes: [Box<[u8]>; RECEIVE_CALLS],
    meta: [RecvMeta; RECEIVE_CALLS],
    filled: usize,
}

impl ReceiveBuffer {
    /// An empty buffer of a quarter of a mebibyte.
    pub fn new() -> ReceiveBuffer {
        ReceiveBuffer {
            bytes: std::array::from_fn(|_| vec![0; RECEIVE_BYTES].into_boxed_slice()),
            meta: [RecvMeta::default(); RECEIVE_CALLS],
            filled: 0,
        }
    }

    /// Whether there may be more to receive than what was there room for.
    pub fn is_full(&self) -> bool {
        self.filled == RECEIVE_CALLS
    }

    /// The datagrams of the last [`UdpSocket::receive`], in order of arrival.
    ///
    /// Those from port 0 are left out: nobody could be answered there, and trying makes the kernel refuse the call
    /// in the same way as it refuses segmentation offload.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let calls = self.meta.iter().zip(&self.bytes).take(self.filled);
        calls.filter(|(meta, _)| meta.addr.port() != 0).flat_map(|(meta, bytes)| {
            let bytes = bytes.get(..meta.len).unwrap_or_default();
            let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let destination = meta.dst_ip.map(|ip| ip.to_canonical());
            let datagrams = bytes.chunks(meta.stride.max(1));
            datagrams.map(move |bytes| Datagram { source, destination, bytes })
        })
    }
}

/// A received datagram that may be opened where it lies.
#[derive(Debug)]
pub struct OpenDatagram<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Its bytes.
    pub bytes: &'a mut [u8],
}

impl ReceiveBuffer {
    /// The same as [`datagrams`](Self::datagrams), to be opened in place.
    pub fn datagrams_mut(&mut self) -> impl Iterator<Item = OpenDatagram<'_>> {
        let calls = self.meta.iter().zip(&mut self.bytes).take(self.filled);
        calls.filter(|(meta, _)| meta.addr.port() != 0).flat_map(|(meta, bytes)| {
            let bytes = bytes.get_mut(..meta.len).unwrap_or_default();
            let source = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            bytes.chunks_mut(meta.stride.max(1)).map(move |bytes| OpenDatagram { source, bytes })
        })
    }
}

impl Default for ReceiveBuffer {
    fn default() -> ReceiveBuffer {
        ReceiveBuffer::new()
    }
}

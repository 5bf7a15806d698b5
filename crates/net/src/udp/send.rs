//! Datagrams on their way out.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use quinn_udp::Transmit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;

use super::{Io, UdpSocket};
use crate::{Burst, Volley};

/// How long it is waited for room in a send buffer before the runtime is asked whether it is still wanted.
const ROOM_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What became of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel took all of it.
    All,
    /// The socket's send buffer is full (`EAGAIN`): nothing was taken; wait for [`UdpSocket::writable`].
    Blocked,
}

impl UdpSocket {
    /// How many datagrams one system call may send; 1 where offload is missing or has been given up.
    pub fn burst_max(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends a burst. Where the kernel refuses offload for it (`EIO`, `EINVAL`), each datagram is sent by itself.
    ///
    /// # Errors
    /// What the kernel says of this destination; the socket stays usable.
    pub fn send(&self, burst: &Burst) -> io::Result<Sent> {
        if burst.is_empty() {
            return Ok(Sent::All);
        }
        if burst.count() > self.burst_max() {
            return self.send_one_by_one(burst);
        }
        match self.transmit(burst, burst.bytes(), Some(burst.segment())) {
            Err(error) if burst.count() > 1 && self.burst_max() == 1 => {
                tracing::info!(%error, "the network refuses segmentation offload: sending datagram by datagram");
                self.send_one_by_one(burst)
            }
            other => blocked(other),
        }
    }

    /// Sends a volley, which is empty afterwards, or holds what the kernel did not take ([`Sent::Blocked`]). As many
    /// bursts as possible leave with one system call; `refused` hears of those that the kernel refuses, and why, and the
    /// others go on. Yields how many calls were made, too.
    pub fn send_all(&self, volley: &mut Volley, mut refused: impl FnMut(&Burst, io::Error)) -> (Sent, u64) {
        let mut calls = 0;
        let is_sent = volley.drain(
            |bursts| {
                calls += 1;
                match bursts.get(..self.run(bursts)) {
                    // What is wrong with the first is found out, and mended where it can be, where it goes alone.
                    Some(run) if run.len() > 1 => self.send_run(run).or_else(|_| self.send_first(run)),
                    _ => self.send_first(bursts),
                }
            },
            &mut refused,
        );
        (if is_sent { Sent::All } else { Sent::Blocked }, calls)
    }

    fn send_first(&self, bursts: &[Burst]) -> io::Result<usize> {
        let Some(first) = bursts.first() else { return Ok(0) };
        Ok(usize::from(self.send(first)? == Sent::All))
    }

    /// How many of the first of these bursts one call can send.
    fn run(&self, bursts: &[Burst]) -> usize {
        let Some(first) = bursts.first().filter(|first| cfg!(target_os = "linux") && first.count() <= self.burst_max())
        else {
            return 1;
        };
        let is_alike = |burst: &&Burst| {
            burst.source() == first.source()
                && match first.count() {
                    0 => false,
                    1 => burst.count() == 1,
                    _ => burst.count() > 1 && burst.count() <= self.burst_max() && burst.segment() == first.segment(),
                }
        };
        bursts.iter().take_while(is_alike).count()
    }

    #[cfg(target_os = "linux")]
    fn send_run(&self, bursts: &[Burst]) -> io::Result<usize> {
        use std::os::fd::AsFd;

        use super::many::{About, Message, send_messages};

        let Some(first) = bursts.first() else { return Ok(0) };
        let about = About {
            segment: (first.count() > 1).then(|| u16::try_from(first.segment()).unwrap_or(u16::MAX)),
            source: self.source(first),
        };
        let messages =
            bursts.iter().map(|burst| Message { to: self.to_wire(burst.destination()), bytes: burst.bytes() });
        let socket = match &self.io {
            Io::Watched(io) => io.as_fd(),
            Io::Unwatched(io) => io.as_fd(),
        };
        let sent = send_messages(socket, messages, about);
        self.note(&sent);
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn send_run(&self, _bursts: &[Burst]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send_one_by_one(&self, burst: &Burst) -> io::Result<Sent> {
        for (index, datagram) in burst.datagrams().enumerate() {
            match blocked(self.transmit(burst, datagram, None))? {
                Sent::Blocked if index == 0 => return Ok(Sent::Blocked),
                // Part of it has left: sending the rest later would repeat that part, so the rest is lost.
                Sent::Blocked => return Ok(Sent::All),
                Sent::All => {}
            }
        }
        Ok(Sent::All)
    }

    fn transmit(&self, burst: &Burst, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let transmit = Transmit {
            destination: self.to_wire(burst.destination()),
            ecn: None,
            contents,
            segment_size,
            src_ip: self.source(burst),
        };
        let result = self.state.try_send(self.io.as_socket(), &transmit);
        self.note(&result);
        result
    }

    /// The address that a burst leaves from, where the socket has not only one.
    fn source(&self, burst: &Burst) -> Option<IpAddr> {
        burst.source().filter(|_| self.is_wildcard).map(|ip| self.to_wire(SocketAddr::new(ip, 0)).ip())
    }

    /// Tells the runtime, too, that there is no room, so that [`writable`](Self::writable) really waits.
    fn note<T>(&self, result: &io::Result<T>) {
        if let Io::Watched(io) = &self.io
            && result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            let _ = io.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
    }

    /// A dual-stack socket knows IPv4 peers by their mapped addresses (RFC 4291 §2.5.5.2).
    fn to_wire(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if self.dual_stack => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            _ => address,
        }
    }

    /// Waits until the send buffer has room again.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn writable(&self) -> io::Result<()> {
        let socket = match &self.io {
            Io::Watched(io) => return io.writable().await,
            Io::Unwatched(io) => Arc::new(io.try_clone()?),
        };
        loop {
            let socket = socket.clone();
            let wait = move || poll(&mut [PollFd::new(&*socket, PollFlags::OUT)], Some(&ROOM_WAIT));
            if tokio::task::spawn_blocking(wait).await.map_err(io::Error::other)?? > 0 {
                return Ok(());
            }
        }
    }
}

fn blocked(result: io::Result<()>) -> io::Result<Sent> {
    match result {
        Ok(()) => Ok(Sent::All),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Blocked),
        Err(error) => Err(error),
    }
}

//! A UDP socket that receives and sends in batches.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;

use crate::Burst;

/// Buffers of received datagrams handed over by one call.
const RECEIVE_CALLS: usize = 4;
/// Bytes of one such buffer: the largest run that receive offload joins.
const RECEIVE_BYTES: usize = 65_535;
/// Kernel buffers asked for; the kernel gives what it allows.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// A UDP socket that receives and sends in batches, with segmentation offload where the kernel has it.
#[derive(Debug)]
pub struct UdpSocket {
    io: Io,
    state: UdpSocketState,
    dual_stack: bool,
}

/// A socket, and who waits for it.
#[derive(Debug)]
enum Io {
    /// The runtime does.
    Watched(tokio::net::UdpSocket),
    /// Nobody, as long as it takes what is sent: each datagram that comes in would wake another thread for nothing.
    Unwatched(std::net::UdpSocket),
}

impl Io {
    fn as_socket(&self) -> UdpSockRef<'_> {
        match self {
            Io::Watched(io) => io.into(),
            Io::Unwatched(io) => io.into(),
        }
    }
}

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
    /// Binds a socket. An IPv6 wildcard address takes IPv4 as well.
    ///
    /// # Errors
    /// What the kernel says, above all that the address is in use. Has to run on a tokio runtime.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        let dual_stack = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        if address.is_ipv6() {
            socket.set_only_v6(!dual_stack)?;
        }
        // Smaller buffers than asked for are no reason not to start.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        let io = Io::Watched(tokio::net::UdpSocket::from_std(socket.into())?);
        Ok(UdpSocket { io, state, dual_stack })
    }

    /// Another end of the same socket, for another thread to send from.
    ///
    /// # Errors
    /// What the kernel says, above all that there are no descriptors left.
    pub fn sender(&self) -> io::Result<UdpSender> {
        let socket = match &self.io {
            Io::Watched(io) => SockRef::from(io).try_clone()?.into(),
            Io::Unwatched(io) => io.try_clone()?,
        };
        Ok(UdpSender { socket, dual_stack: self.dual_stack })
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.io {
            Io::Watched(io) => io.local_addr(),
            Io::Unwatched(io) => io.local_addr(),
        }
    }

    /// How many datagrams one system call may send; 1 where offload is missing or has been given up.
    pub fn burst_max(&self) -> usize {
        self.state.max_gso_segments()
    }

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
            src_ip: burst.source().map(|ip| self.to_wire(SocketAddr::new(ip, 0)).ip()),
        };
        let result = self.state.try_send(self.io.as_socket(), &transmit);
        if let Io::Watched(io) = &self.io
            && result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            // Tells the runtime too, so that `writable` really waits.
            let _ = io.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
        result
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

/// A socket on its way to the thread that is to send from it.
#[derive(Debug)]
pub struct UdpSender {
    socket: std::net::UdpSocket,
    dual_stack: bool,
}

impl UdpSender {
    /// A socket that sends; nothing is ever received from it, so that what arrives wakes only the one it was made from.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(self) -> io::Result<UdpSocket> {
        let state = UdpSocketState::new((&self.socket).into())?;
        Ok(UdpSocket { io: Io::Unwatched(self.socket), state, dual_stack: self.dual_stack })
    }
}

fn blocked(result: io::Result<()>) -> io::Result<Sent> {
    match result {
        Ok(()) => Ok(Sent::All),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Blocked),
        Err(error) => Err(error),
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn exchange(receiver: &str, target: Option<&str>) {
        let receiver = UdpSocket::bind(receiver.parse().unwrap()).unwrap();
        let port = receiver.local_address().unwrap().port();
        let target = match target {
            Some(ip) => SocketAddr::new(ip.parse().unwrap(), port),
            None => receiver.local_address().unwrap(),
        };
        let any = if target.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let sender = UdpSocket::bind(any.parse().unwrap()).unwrap();
        let mut burst = Burst::new(target, None);
        for value in 0..7u8 {
            let size = if value == 6 { 300 } else { 1_200 };
            assert!(burst.push(&vec![value; size]));
        }
        assert_eq!(sender.send(&burst).unwrap(), Sent::All);

        let mut buffer = ReceiveBuffer::new();
        let mut seen = Vec::new();
        while seen.len() < 7 {
            receiver.receive(&mut buffer).await.unwrap();
            for datagram in buffer.datagrams() {
                assert_eq!(datagram.source, sender.local_address().unwrap());
                assert_eq!(datagram.destination, Some(target.ip()));
                seen.push((datagram.bytes[0], datagram.bytes.len()));
            }
        }
        let expected: Vec<_> = (0..7u8).map(|value| (value, if value == 6 { 300 } else { 1_200 })).collect();
        assert_eq!(seen, expected);

        let mut answer = Burst::new(sender.local_address().unwrap(), Some(target.ip()));
        assert!(answer.push(b"hello"));
        assert_eq!(receiver.send(&answer).unwrap(), Sent::All);
        sender.receive(&mut buffer).await.unwrap();
        assert_eq!(buffer.datagrams().next().unwrap().bytes, b"hello");
        assert_eq!(buffer.datagrams().next().unwrap().source, target);
    }

    #[tokio::test]
    async fn a_burst_arrives_as_the_datagrams_it_was_made_of() {
        exchange("127.0.0.1:0", None).await;
    }

    #[tokio::test]
    async fn an_ipv6_wildcard_serves_both_families() {
        exchange("[::]:0", Some("127.0.0.1")).await;
        exchange("[::]:0", Some("::1")).await;
    }

    #[tokio::test]
    async fn two_threads_send_from_one_port_and_one_of_them_receives() {
        let reader = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = reader.sender().unwrap();
        let other = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (port, to) = (reader.local_address().unwrap(), other.local_address().unwrap());
        let from_thread = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let socket = sender.start().unwrap();
                let mut burst = Burst::new(to, None);
                assert!(burst.push(b"one"));
                assert_eq!(socket.send(&burst).unwrap(), Sent::All);
                socket.writable().await.unwrap();
                let refused = socket.receive(&mut ReceiveBuffer::new()).await.unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            });
        };
        std::thread::spawn(from_thread).join().unwrap();
        let mut buffer = ReceiveBuffer::new();
        other.receive(&mut buffer).await.unwrap();
        let datagram = buffer.datagrams().next().unwrap();
        assert_eq!((datagram.source, datagram.bytes), (port, b"one".as_slice()));
        let mut answer = Burst::new(port, None);
        assert!(answer.push(b"two"));
        assert_eq!(other.send(&answer).unwrap(), Sent::All);
        reader.receive(&mut buffer).await.unwrap();
        assert_eq!(buffer.datagrams().next().unwrap().bytes, b"two");
    }

    #[tokio::test]
    async fn datagrams_are_taken_without_waiting_and_opened_in_place() {
        let receiver = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut buffer = ReceiveBuffer::new();
        assert!(!receiver.receive_ready(&mut buffer).unwrap());
        let mut burst = Burst::new(receiver.local_address().unwrap(), None);
        assert!(burst.push(b"abc") && burst.push(b"de"));
        assert_eq!(sender.send(&burst).unwrap(), Sent::All);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            receiver.readable().await.unwrap();
            if !receiver.receive_ready(&mut buffer).unwrap() {
                continue;
            }
            for datagram in buffer.datagrams_mut() {
                assert_eq!(datagram.source, sender.local_address().unwrap());
                datagram.bytes.reverse();
                seen.push(datagram.bytes.to_vec());
            }
        }
        assert_eq!(seen, [b"cba".to_vec(), b"ed".to_vec()]);
    }

    #[tokio::test]
    async fn a_bad_destination_is_an_error_and_the_socket_lives_on() {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut bad = Burst::new("[2001:db8::1]:9".parse().unwrap(), None);
        assert!(bad.push(&[0; 10]));
        assert!(socket.send(&bad).is_err());
        let mut own = Burst::new(socket.local_address().unwrap(), None);
        assert!(own.push(b"still here"));
        assert_eq!(socket.send(&own).unwrap(), Sent::All);
    }
}

//! Sockets on loopback that take what is sent to them and throw it away as cheaply as the kernel can.

use std::{
    io::{self, IoSlice, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use quinn_udp::UdpSocketState;
use rustix::{
    buffer::spare_capacity,
    event::epoll,
    net::{RecvFlags, recv},
    time::Timespec,
};
use socket2::{SockFilter, SockRef};

/// Bytes thrown away by one call.
const DISCARD_BYTES: usize = 1 << 20;

// Classic BPF, linux/bpf_common.h: what the instructions below are made of.
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// A filter of a UDP socket sees the UDP header first (RFC 768: eight bytes).
const UDP_HEADER: u32 = 8;

/// Drops everything.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new(RETURN, 0, 0, 0)];

/// Drops RTP and lets STUN, DTLS and RTCP pass (RFC 7983 §7, RFC 5761 §4).
const DROP_RTP: [SockFilter; 8] = [
    SockFilter::new(LOAD_BYTE, 0, 0, UDP_HEADER),
    SockFilter::new(JUMP_IF_AT_LEAST, 0, 5, 128),
    SockFilter::new(JUMP_IF_AT_LEAST, 4, 0, 192),
    SockFilter::new(LOAD_BYTE, 0, 0, UDP_HEADER + 1),
    SockFilter::new(JUMP_IF_AT_LEAST, 0, 1, 192),
    SockFilter::new(JUMP_IF_AT_LEAST, 0, 1, 224),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];

/// Lets the kernel drop RTP before it reaches this socket.
pub(crate) fn drop_rtp(socket: &UdpSocket) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&DROP_RTP)
}

/// Has the kernel drop a burst as a whole where RTP is dropped, in place of cutting it up before, inside the sender's
/// call: what the network card of another machine does is not the sender's work.
pub(crate) fn take_bursts_whole(socket: &UdpSocket) -> io::Result<()> {
    UdpSocketState::new(socket.into()).map(drop)
}

/// UDP sockets whose kernel side drops what comes.
pub(crate) struct UdpSinks {
    sockets: Vec<UdpSocket>,
    pub(crate) addresses: Vec<SocketAddr>,
    reader: Option<Reader>,
}

impl UdpSinks {
    /// Sinks that drop everything.
    pub(crate) fn new(count: usize) -> Result<UdpSinks> {
        UdpSinks::with_filter(count, &DROP_ALL)
    }

    /// Sinks that drop RTP only, as the viewers of the load test do.
    pub(crate) fn dropping_rtp(count: usize) -> Result<UdpSinks> {
        UdpSinks::with_filter(count, &DROP_RTP)
    }

    /// The same, but the first of each so many takes everything, and a thread reads it: to hand a datagram to a socket
    /// and to wake who reads it is work within the sender's call too, and viewers of the load test do both.
    pub(crate) fn seen_by_one_in(many: usize, count: usize) -> Result<UdpSinks> {
        let mut sinks = UdpSinks::dropping_rtp(count)?;
        let seeing = sinks.sockets.iter().step_by(many.max(1));
        let seeing = seeing.map(|socket| {
            SockRef::from(socket).detach_filter()?;
            socket.set_nonblocking(true)?;
            socket.try_clone()
        });
        sinks.reader = Some(Reader::new(seeing.collect::<io::Result<_>>()?)?);
        Ok(sinks)
    }

    /// Sends a datagram from one of them, counted round and round.
    pub(crate) fn send(&self, index: usize, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        match self.sockets.get(index % self.sockets.len().max(1)) {
            Some(socket) => socket.send_to(datagram, to),
            None => Ok(0),
        }
    }

    /// How many datagrams have been read so far.
    #[cfg(test)]
    fn read(&self) -> u64 {
        self.reader.as_ref().map_or(0, |reader| reader.seen.datagrams.load(Ordering::Acquire))
    }

    /// Sinks that drop RTP only, with bursts that nobody cuts up.
    pub(crate) fn dropping_bursts(count: usize) -> Result<UdpSinks> {
        let sinks = UdpSinks::dropping_rtp(count)?;
        sinks.sockets.iter().try_for_each(take_bursts_whole)?;
        Ok(sinks)
    }

    fn with_filter(count: usize, filter: &[SockFilter]) -> Result<UdpSinks> {
        let mut sockets = Vec::with_capacity(count);
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
                .context("no socket for a sink: raise the limit of open files (ulimit -n)")?;
            SockRef::from(&socket).attach_filter(filter).context("this kernel takes no packet filter")?;
            addresses.push(socket.local_addr()?);
            sockets.push(socket);
        }
        Ok(UdpSinks { sockets, addresses, reader: None })
    }
}

/// A thread that reads datagrams one by one, as viewers of the load test do.
struct Reader {
    seen: Arc<Read>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Read {
    datagrams: AtomicU64,
    stop: AtomicBool,
}

impl Reader {
    fn new(sockets: Vec<UdpSocket>) -> Result<Reader> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, socket) in sockets.iter().enumerate() {
            epoll::add(&epoll, socket, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        }
        let seen = Arc::<Read>::default();
        let thread = thread::Builder::new().name("reader".into()).spawn({
            let seen = seen.clone();
            move || read(&epoll, &sockets, &seen)
        })?;
        Ok(Reader { seen, thread: Some(thread) })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(epoll: &OwnedFd, sockets: &[UdpSocket], seen: &Read) {
    let mut buffer = [0; 2_048];
    let mut events = Vec::with_capacity(64);
    let pause = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    while !seen.stop.load(Ordering::Acquire) {
        if epoll::wait(epoll, spare_capacity(&mut events), Some(&pause)).is_err() {
            continue;
        }
        for event in events.drain(..) {
            let Some(socket) = sockets.get(event.data.u64() as usize) else {
                continue;
            };
            while socket.recv(&mut buffer).is_ok() {
                seen.datagrams.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

/// What a drain has seen.
#[derive(Default)]
struct Seen {
    bytes: AtomicU64,
    closed: AtomicUsize,
    stop: AtomicBool,
}

/// A thread that throws away what arrives on TCP connections, without copying it (`MSG_TRUNC`, tcp(7)).
pub(crate) struct Drain {
    epoll: Arc<OwnedFd>,
    seen: Arc<Seen>,
    sockets: Arc<parking::Sockets>,
    thread: Option<JoinHandle<()>>,
}

/// The connections of a drain; the thread only ever looks one up.
mod parking {
    use std::{
        net::TcpStream,
        sync::{Arc, Mutex, PoisonError},
    };

    #[derive(Default)]
    pub(super) struct Sockets(Mutex<Vec<Arc<TcpStream>>>);

    impl Sockets {
        pub(super) fn add(&self, socket: Arc<TcpStream>) -> u64 {
            let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.push(socket);
            sockets.len() as u64 - 1
        }

        pub(super) fn get(&self, index: u64) -> Option<Arc<TcpStream>> {
            let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.get(usize::try_from(index).ok()?).cloned()
        }
    }
}

impl Drain {
    /// A drain without connections.
    pub(crate) fn new() -> Result<Drain> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let (seen, sockets) = (Arc::new(Seen::default()), Arc::default());
        let thread = thread::Builder::new().name("drain".into()).spawn({
            let (epoll, seen, sockets) = (epoll.clone(), seen.clone(), Arc::clone(&sockets));
            move || drain(&epoll, &seen, &sockets)
        })?;
        Ok(Drain { epoll, seen, sockets, thread: Some(thread) })
    }

    /// Takes a connection over.
    pub(crate) fn add(&self, socket: TcpStream) -> Result<()> {
        socket.set_nonblocking(true)?;
        let socket = Arc::new(socket);
        let index = self.sockets.add(socket.clone());
        epoll::add(&*self.epoll, &*socket, epoll::EventData::new_u64(index), epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Bytes thrown away so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.seen.bytes.load(Ordering::Acquire)
    }

    /// Connections that the other side has closed.
    pub(crate) fn closed(&self) -> usize {
        self.seen.closed.load(Ordering::Acquire)
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn drain(epoll: &OwnedFd, seen: &Seen, sockets: &parking::Sockets) {
    let mut buffer = vec![0; DISCARD_BYTES];
    let mut events = Vec::with_capacity(256);
    let pause = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    while !seen.stop.load(Ordering::Acquire) {
        if epoll::wait(epoll, spare_capacity(&mut events), Some(&pause)).is_err() {
            continue;
        }
        for event in events.drain(..) {
            let Some(socket) = sockets.get(event.data.u64()) else {
                continue;
            };
            match recv(socket.as_fd(), &mut buffer, RecvFlags::TRUNC | RecvFlags::DONTWAIT) {
                Ok((_, 0)) => close(epoll, &socket, seen),
                Ok((_, bytes)) => {
                    seen.bytes.fetch_add(bytes as u64, Ordering::AcqRel);
                }
                Err(error) if error == rustix::io::Errno::AGAIN => {}
                Err(_) => close(epoll, &socket, seen),
            }
        }
    }
}

fn close(epoll: &OwnedFd, socket: &TcpStream, seen: &Seen) {
    let _ = epoll::delete(epoll, socket);
    seen.closed.fetch_add(1, Ordering::AcqRel);
}

/// Writing ends of TCP connections whose peers throw everything away.
pub(crate) struct TcpSinks {
    writers: Vec<TcpStream>,
    drain: Drain,
    written: u64,
}

impl TcpSinks {
    /// Connects them over loopback.
    pub(crate) fn new(count: usize) -> Result<TcpSinks> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let drain = Drain::new()?;
        let mut writers = Vec::with_capacity(count);
        for _ in 0..count {
            let reader = TcpStream::connect(address)
                .context("no socket for a sink: raise the limit of open files (ulimit -n)")?;
            let (writer, _) = listener.accept()?;
            writer.set_nodelay(true)?;
            drain.add(reader)?;
            writers.push(writer);
        }
        Ok(TcpSinks { writers, drain, written: 0 })
    }

    /// Writes the same slices to every connection, one call each.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<()> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        for writer in &mut self.writers {
            let mut taken = writer.write_vectored(slices)?;
            // Rare: the send buffer was nearly full.
            while taken < bytes {
                taken += writer.write(&rest(slices, taken))?;
            }
            self.written += bytes as u64;
        }
        Ok(())
    }

    /// Waits until everything written has arrived.
    pub(crate) fn settle(&self) -> Result<()> {
        for _ in 0..50_000 {
            if self.drain.bytes() >= self.written {
                return Ok(());
            }
            thread::sleep(Duration::from_micros(200));
        }
        bail!("the sinks do not take what is written to them")
    }
}

fn rest(slices: &[IoSlice<'_>], taken: usize) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).skip(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_drops_rtp_and_nothing_else() {
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        drop_rtp(&receiver).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = receiver.local_addr().unwrap();
        let cases = [
            ([0x80, 96], false),
            ([0x90, 0xe0 | 0x0b], false),
            ([0xbf, 191], false),
            ([0x80, 200], true),
            ([0x80, 192], true),
            ([0x81, 223], true),
            ([0x80, 224], false),
            ([0x00, 0x01], true),
            ([0x16, 0xfe], true),
            ([0xc0, 0x00], true),
        ];
        for (bytes, _) in cases {
            sender.send_to(&bytes, address).unwrap();
        }
        let mut passed = Vec::new();
        let expected: Vec<_> = cases.iter().filter(|(_, passes)| *passes).collect();
        let mut buffer = [0; 16];
        while passed.len() < expected.len() {
            let length = receiver.recv(&mut buffer).unwrap();
            passed.push(buffer[..length].to_vec());
        }
        let expected: Vec<_> = expected.iter().map(|(bytes, _)| bytes.to_vec()).collect();
        assert_eq!(passed, expected);
    }

    #[test]
    fn one_sink_in_so_many_is_read_and_the_others_drop_what_comes() {
        let sinks = UdpSinks::seen_by_one_in(4, 10).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for address in &sinks.addresses {
            for _ in 0..5 {
                sender.send_to(&[0x80, 96, 0, 1], address).unwrap();
            }
        }
        for _ in 0..1_000 {
            if sinks.read() >= 15 {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(sinks.read(), 15, "of the first, the fifth and the ninth");
        for (index, socket) in sinks.sockets.iter().enumerate().filter(|(index, _)| index % 4 != 0) {
            socket.set_nonblocking(true).unwrap();
            assert!(socket.recv(&mut [0; 16]).is_err(), "socket {index}");
        }
    }

    #[test]
    fn tcp_sinks_swallow_what_is_written() {
        let mut sinks = TcpSinks::new(3).unwrap();
        let frame = vec![7; 100_000];
        for _ in 0..20 {
            sinks.write(&[IoSlice::new(&frame), IoSlice::new(b"tail")]).unwrap();
        }
        sinks.settle().unwrap();
        assert_eq!(sinks.drain.bytes(), 3 * 20 * 100_004);
    }
}

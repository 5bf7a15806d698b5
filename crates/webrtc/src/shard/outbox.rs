//! Datagrams on their way out of a shard.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
};

use headwater_media::limits;
use headwater_net::{Burst, Sent, UdpSocket, Volley};
use tokio::sync::Notify;

use crate::{
    egress::{Carrier, Path, Remote, Sink},
    framing,
    statistics::Counters,
};

/// What the datagrams of a call leave by.
#[derive(Clone, Debug)]
pub(crate) enum CallLine {
    /// A socket of its own.
    Udp(Rc<UdpSocket>),
    /// A connection to its peer.
    Tcp(Rc<TcpQueue>),
}

/// Gathers datagrams and sends them, many with one system call; keeps those that the socket does not take.
///
/// Nothing is allocated for a datagram that the socket takes.
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Rc<UdpSocket>,
    counters: std::sync::Arc<Counters>,
    volley: Volley,
    waiting: VecDeque<Burst>,
    waiting_bytes: usize,
    /// Tells the task that waits for the socket.
    blocked: Rc<Notify>,
    connections: HashMap<SocketAddr, Rc<TcpQueue>>,
    calls: HashMap<u32, CallLine>,
    last_call: u32,
    /// For a datagram of a call.
    call_burst: Burst,
}

impl Outbox {
    pub(crate) fn new(socket: Rc<UdpSocket>, counters: std::sync::Arc<Counters>, blocked: Rc<Notify>) -> Outbox {
        let nowhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
        Outbox {
            socket,
            counters,
            volley: Volley::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            blocked,
            connections: HashMap::new(),
            calls: HashMap::new(),
            last_call: 0,
            call_burst: Burst::new(nowhere, None),
        }
    }

    /// Takes a whole datagram.
    pub(crate) fn send(&mut self, to: Remote, from: Option<IpAddr>, datagram: &[u8]) {
        self.write(&Path { remote: to, local: from }, datagram.len(), |slice| {
            slice.copy_from_slice(datagram);
            true
        });
    }

    /// Sends what has been gathered.
    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            let counters = &self.counters;
            let (_, calls) = self.socket.send_all(&mut self.volley, |burst, error| {
                tracing::debug!(to = %burst.destination(), %error, "datagrams could not be sent");
                counters.datagrams_dropped.add(burst.count() as u64);
            });
            counters.bursts.add(calls);
        }
        while let Some(burst) = self.volley.take() {
            self.wait(burst);
        }
    }

    fn wait(&mut self, burst: Burst) {
        let bytes = burst.bytes().len();
        if bytes == 0 {
            return;
        }
        if self.waiting_bytes.saturating_add(bytes) > limits::WEBRTC_SEND_QUEUE_BYTES.get_usize() {
            limits::WEBRTC_SEND_QUEUE_BYTES.hit();
            self.counters.datagrams_dropped.add(burst.count() as u64);
            return;
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(burst);
        self.blocked.notify_one();
    }

    /// Sends what had to wait. Says whether all of it is gone.
    pub(crate) fn resume(&mut self) -> bool {
        while let Some(burst) = self.waiting.front() {
            match self.socket.send(burst) {
                Ok(Sent::Blocked) => return false,
                Ok(Sent::All) => self.counters.bursts.add(1),
                Err(_) => self.counters.datagrams_dropped.add(burst.count() as u64),
            }
            self.waiting_bytes = self.waiting_bytes.saturating_sub(burst.bytes().len());
            self.waiting.pop_front();
        }
        true
    }

    /// Whether a peer has not taken what it was sent before.
    pub(crate) fn is_congested(&self, remote: Remote) -> bool {
        match remote.carrier {
            Carrier::Udp => false,
            Carrier::Tcp => self.connections.get(&remote.address).is_some_and(|queue| queue.is_congested()),
            Carrier::Call(number) => match self.calls.get(&number) {
                Some(CallLine::Tcp(queue)) => queue.is_congested(),
                _ => false,
            },
        }
    }

    /// What a call leaves by; yields the number that stands for it.
    pub(crate) fn add_call(&mut self, line: CallLine) -> u32 {
        loop {
            self.last_call = self.last_call.wrapping_add(1);
            if let Entry::Vacant(place) = self.calls.entry(self.last_call) {
                place.insert(line);
                return self.last_call;
            }
        }
    }

    /// The call is over.
    pub(crate) fn remove_call(&mut self, carrier: Carrier) {
        if let Carrier::Call(number) = carrier {
            self.calls.remove(&number);
        }
    }

    /// Sends at once. What the socket of a call does not take is lost, as on the way; the peer asks for media again. A
    /// connection leads to one peer, whatever the address.
    fn write_call(
        &mut self,
        number: u32,
        to: SocketAddr,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        let socket = match self.calls.get(&number) {
            Some(CallLine::Udp(socket)) => socket,
            Some(CallLine::Tcp(queue)) => return queue.push(length, write),
            None => return false,
        };
        self.call_burst.reset(to, None);
        self.call_burst.write(length, write) && matches!(socket.send(&self.call_burst), Ok(Sent::All))
    }

    /// A TCP connection that datagrams can be sent over.
    pub(crate) fn add_connection(&mut self, remote: SocketAddr, queue: Rc<TcpQueue>) {
        self.connections.insert(remote, queue);
    }

    /// It is gone.
    pub(crate) fn remove_connection(&mut self, remote: SocketAddr) {
        self.connections.remove(&remote);
    }

    /// A session is over: its TCP connection is closed.
    pub(crate) fn close_connection(&mut self, remote: Remote) {
        if remote.carrier == Carrier::Tcp
            && let Some(queue) = self.connections.get(&remote.address)
        {
            queue.close();
        }
    }
}

impl Sink for Outbox {
    /// Takes a datagram, which leaves at the latest with the next [`Outbox::flush`].
    #[inline]
    fn write(&mut self, path: &Path, length: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let to = path.remote;
        let is_taken = match to.carrier {
            Carrier::Tcp => self.connections.get(&to.address).is_some_and(|queue| queue.push(length, write)),
            Carrier::Call(number) => self.write_call(number, to.address, length, write),
            Carrier::Udp => {
                if !self.volley.has_room(to.address, path.local, length) {
                    self.flush();
                }
                self.volley.write(to.address, path.local, length, write)
            }
        };
        self.counters.datagrams.add(1);
        self.counters.bytes.add(length as u64);
        if !is_taken {
            self.counters.datagrams_dropped.add(1);
        }
        is_taken
    }
}

/// Framed datagrams that wait for a TCP connection to take them.
#[derive(Debug, Default)]
pub(crate) struct TcpQueue {
    bytes: RefCell<Vec<u8>>,
    filled: Notify,
    closed: Notify,
}

/// Bytes waiting on a TCP connection from which on its viewer is sent no new media.
const CONGESTED_BYTES: usize = 128 << 10;

impl TcpQueue {
    fn push(&self, length: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.len() > 4 * CONGESTED_BYTES || !framing::frame(length, write, &mut bytes) {
            return false;
        }
        self.filled.notify_one();
        true
    }

    fn is_congested(&self) -> bool {
        self.bytes.borrow().len() > CONGESTED_BYTES
    }

    /// Waits for bytes and moves them into `into`, which has to be empty.
    pub(crate) async fn take(&self, into: &mut Vec<u8>) {
        while self.bytes.borrow().is_empty() {
            self.filled.notified().await;
        }
        std::mem::swap(&mut *self.bytes.borrow_mut(), into);
    }

    /// What has not been taken.
    pub(crate) fn rest(&self) -> Vec<u8> {
        self.bytes.take()
    }

    /// Asks the connection's task to close it.
    pub(crate) fn close(&self) {
        self.closed.notify_one();
    }

    /// Waits for [`TcpQueue::close`].
    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }
}

//! What the datagrams of a call come and go by: a UDP socket of its own, or a TCP connection to the peer, on which each
//! stands behind its length (RFC 4571 §2).

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use headwater_net::{ReceiveBuffer, UdpSocket};
use tokio::net::TcpStream;

use crate::{
    Answer,
    call::CallError,
    egress::Carrier,
    framing::Unframer,
    session::Place,
    shard::outbox::{CallLine, TcpQueue},
};

use super::super::{Shard, now};

/// Bytes read at once from a connection.
const READ_BYTES: usize = 16 << 10;
/// Time after which a socket that could not be read is read again.
const REST: Duration = Duration::from_millis(10);

/// What the datagrams of a call come and go by.
pub(super) enum Line {
    Udp(Rc<UdpSocket>),
    Tcp(Tcp),
}

/// A connection to the peer.
pub(super) struct Tcp {
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    queue: Rc<TcpQueue>,
    unsent: Unsent,
}

/// Bytes on their way into a connection.
#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// So many of them are gone.
    sent: usize,
}

impl Unsent {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Offers what there is to a connection. Says whether all of it is gone.
    fn offer(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while !self.rest().is_empty() {
            match stream.try_write(self.rest()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Line {
    /// By the connection if there is one. Then the only way to the peer is where that leads.
    pub(super) fn open(peer: &mut Answer, connection: Option<std::net::TcpStream>) -> Result<Line, CallError> {
        let Some(connection) = connection else {
            return socket(&peer.candidates).map(|socket| Line::Udp(Rc::new(socket)));
        };
        let failed = |error: io::Error| CallError::Setup(error.to_string());
        let stream = TcpStream::from_std(connection).map_err(failed)?;
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let far = canonical(stream.peer_addr().map_err(failed)?);
        let local = stream.local_addr().map_err(failed)?;
        peer.candidates = vec![far];
        Ok(Line::Tcp(Tcp { stream, local, peer: far, queue: Rc::default(), unsent: Unsent::default() }))
    }

    /// What the shard sends by.
    pub(super) fn way_out(&self) -> CallLine {
        match self {
            Line::Udp(socket) => CallLine::Udp(socket.clone()),
            Line::Tcp(tcp) => CallLine::Tcp(tcp.queue.clone()),
        }
    }

    /// The port on this side.
    pub(super) fn port(&self) -> Result<u16, CallError> {
        match self {
            Line::Udp(socket) => {
                let local = socket.local_address().map_err(|error| CallError::Setup(error.to_string()))?;
                Ok(local.port())
            }
            Line::Tcp(tcp) => Ok(tcp.local.port()),
        }
    }

    /// Takes what comes from the peer, and writes to a connection what there is for it. Says why the connection is
    /// lost.
    pub(super) async fn serve(&mut self, shard: &Shard, place: Place, carrier: Carrier) -> String {
        match self {
            Line::Udp(socket) => listen(socket, shard, place, carrier).await,
            Line::Tcp(tcp) => {
                let Tcp { stream, peer, queue, unsent, .. } = tcp;
                tokio::select! {
                    lost = read(stream, *peer, shard, place, carrier) => lost,
                    error = write(stream, queue, unsent) => format!("the TCP connection is lost: {error}"),
                }
            }
        }
    }

    /// Writes what was said last, as far as a connection takes it at once.
    pub(super) fn say_rest(&mut self) {
        let Line::Tcp(Tcp { stream, queue, unsent, .. }) = self else { return };
        unsent.bytes.extend_from_slice(&queue.rest());
        if let Err(error) = unsent.offer(stream) {
            tracing::debug!(%error, "the farewell of a call could not be written");
        }
    }
}

async fn listen(socket: &UdpSocket, shard: &Shard, place: Place, carrier: Carrier) -> String {
    let mut buffer = ReceiveBuffer::new();
    loop {
        if let Err(error) = socket.receive(&mut buffer).await {
            tracing::debug!(%error, "datagrams of a call could not be received");
            tokio::time::sleep(REST).await;
            continue;
        }
        let datagrams = buffer.datagrams().map(|datagram| (datagram.source, datagram.bytes));
        shard.core.borrow_mut().receive_call(place, carrier, datagrams, now());
        if buffer.is_full() {
            tokio::task::yield_now().await;
        }
    }
}

async fn read(stream: &TcpStream, peer: SocketAddr, shard: &Shard, place: Place, carrier: Carrier) -> String {
    let lost = |error: io::Error| format!("the TCP connection is lost: {error}");
    let (mut unframer, mut buffer) = (Unframer::default(), vec![0; READ_BYTES]);
    loop {
        if let Err(error) = stream.readable().await {
            return lost(error);
        }
        let bytes = match stream.try_read(&mut buffer) {
            Ok(0) => return "the other server has closed the TCP connection".to_owned(),
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return lost(error),
        };
        unframer.push(bytes);
        let mut broken = None;
        {
            let mut core = shard.core.borrow_mut();
            loop {
                match unframer.next() {
                    Ok(Some(datagram)) => core.take_from_call(place, carrier, peer, datagram, now()),
                    Ok(None) => break,
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
            }
            core.settle(now());
        }
        if let Some(error) = broken {
            return error.to_string();
        }
        tokio::task::yield_now().await;
    }
}

async fn write(stream: &TcpStream, queue: &TcpQueue, unsent: &mut Unsent) -> io::Error {
    loop {
        match unsent.offer(stream) {
            Ok(true) => {
                unsent.bytes.clear();
                unsent.sent = 0;
                queue.take(&mut unsent.bytes).await;
            }
            Ok(false) => {
                if let Err(error) = stream.writable().await {
                    return error;
                }
            }
            Err(error) => return error,
        }
    }
}

/// A socket of the family in which the peer can be reached.
fn socket(candidates: &[SocketAddr]) -> Result<UdpSocket, CallError> {
    if candidates.is_empty() {
        return Err(CallError::NoCandidate);
    }
    let has = |is_ipv6| candidates.iter().any(|candidate| candidate.is_ipv6() == is_ipv6);
    let bind = match has(true) {
        // Takes both families, where the machine has both.
        true => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()),
        false => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()),
    };
    let bind = match bind {
        Err(_) if has(false) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into()),
        other => other,
    };
    bind.map_err(|error| CallError::Setup(error.to_string()))
}

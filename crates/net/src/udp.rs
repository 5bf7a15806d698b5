//! A UDP socket that receives and sends in batches.

#[cfg(target_os = "linux")]
mod many;
mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

pub use self::{
    receive::{Datagram, OpenDatagram, ReceiveBuffer},
    send::Sent,
};

/// Kernel buffers asked for; the kernel gives what it allows.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;

/// A UDP socket that receives and sends in batches, with segmentation offload where the kernel has it.
#[derive(Debug)]
pub struct UdpSocket {
    io: Io,
    state: UdpSocketState,
    dual_stack: bool,
    /// Whether it is bound to all addresses of the machine.
    is_wildcard: bool,
}

/// A socket, and who waits for it.
#[derive(Debug)]
enum Io {
    /// The runtime does.
    Watched(tokio::net::UdpSocket),
    /// Nobody, as long as it takes what is sent: it only sends, and nothing that arrives comes to it.
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

impl UdpSocket {
    /// Binds a socket. An IPv6 wildcard address takes IPv4 as well.
    ///
    /// # Errors
    /// What the kernel says, above all that the address is in use. Has to run on a tokio runtime.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket::bind_with_senders(address, 0)?.0)
    }

    /// Binds a socket, and so many more to the same address, for other threads to send from. What arrives comes to the
    /// first alone; nobody else can bind the address.
    ///
    /// Threads that send from one socket wait for each other at what the kernel counts for it.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_with_senders(address: SocketAddr, senders: usize) -> io::Result<(UdpSocket, Vec<UdpSender>)> {
        let mut address = address;
        let mut sockets = Vec::with_capacity(senders.saturating_add(1));
        for place in 0..=senders {
            let socket = open(address)?;
            // The first is to find the address free; the others are to share it.
            if place > 0 {
                socket.set_reuse_address(true)?;
            }
            socket.bind(&address.into())?;
            address = socket.local_addr()?.as_socket().unwrap_or(address);
            socket.set_reuse_address(place < senders)?;
            sockets.push(socket);
        }
        // Of sockets that are alike, the one that was bound last gets what arrives.
        let reader = sockets.pop().ok_or(io::ErrorKind::InvalidInput)?;
        for socket in &sockets {
            socket.set_reuse_address(false)?;
        }
        let senders = sockets.into_iter().map(|socket| UdpSender { socket: socket.into(), ip: address.ip() }).collect();
        let state = UdpSocketState::new((&reader).into())?;
        let io = Io::Watched(tokio::net::UdpSocket::from_std(reader.into())?);
        Ok((UdpSocket::new(io, state, address.ip()), senders))
    }

    fn new(io: Io, state: UdpSocketState, ip: IpAddr) -> UdpSocket {
        UdpSocket { io, state, dual_stack: is_dual_stack(ip), is_wildcard: ip.is_unspecified() }
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
}

/// A socket on its way to the thread that is to send from it.
#[derive(Debug)]
pub struct UdpSender {
    socket: std::net::UdpSocket,
    /// That it is bound to.
    ip: IpAddr,
}

impl UdpSender {
    /// A socket that sends. What arrives comes to the one that it was bound with.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(self) -> io::Result<UdpSocket> {
        let state = UdpSocketState::new((&self.socket).into())?;
        Ok(UdpSocket::new(Io::Unwatched(self.socket), state, self.ip))
    }
}

/// Whether a socket that is bound to this takes IPv4 and IPv6.
fn is_dual_stack(ip: IpAddr) -> bool {
    ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!is_dual_stack(address.ip()))?;
    }
    // Smaller buffers than asked for are no reason not to start.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

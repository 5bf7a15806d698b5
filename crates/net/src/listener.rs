//! TCP connections, accepted under limits.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rustix::net::SendFlags;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::{Permit, Quota};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Rest after the process ran out of descriptors, so that it does not spin.
const EXHAUSTED_REST: Duration = Duration::from_millis(100);

/// A listening TCP socket whose connections count towards limits.
#[derive(Debug)]
pub struct Listener {
    io: TcpListener,
    connections: Quota,
}

impl Listener {
    /// Listens at an address. An IPv6 wildcard address takes IPv4 as well.
    ///
    /// # Errors
    /// What the kernel says, above all that the address is in use. Has to run on a tokio runtime.
    pub fn bind(address: SocketAddr, connections: &Quota) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Listener { io: TcpListener::from_std(socket.into())?, connections: connections.clone() })
    }

    /// The address it listens at.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// The next connection within the limits. Those beyond are closed at once; failures to accept are passed over.
    pub async fn accept(&self) -> Connection {
        loop {
            let (stream, remote) = match self.io.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a TCP connection could not be accepted");
                    tokio::time::sleep(EXHAUSTED_REST).await;
                    continue;
                }
            };
            let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
            match self.connections.admit(remote.ip()) {
                Ok(permit) => {
                    // A message is written whole, so waiting for more to fill a packet only delays it.
                    let _ = stream.set_nodelay(true);
                    return Connection { stream, remote, permit };
                }
                Err(refused) => tracing::debug!(%remote, %refused, "TCP connection refused"),
            }
        }
    }
}

/// An accepted TCP connection; it counts towards the limits until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    permit: Permit,
}

impl Connection {
    /// Who is at the other end; IPv4 addresses as such, also where the socket serves both families.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local(&self) -> io::Result<SocketAddr> {
        let local = self.stream.local_addr()?;
        Ok(SocketAddr::new(local.ip().to_canonical(), local.port()))
    }

    /// The tokio stream within, for reading with and waiting on.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes what the kernel takes at once; says how many bytes that were.
    ///
    /// It does not ask the runtime whether the connection is ready, which costs as much as a tenth of the call itself
    /// where one task writes to many connections: what the runtime knows of each is seldom in the cache.
    ///
    /// # Errors
    /// `WouldBlock` where the kernel takes nothing; otherwise the connection broke.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    /// The tokio stream and the permit, which has to live as long as the stream.
    pub fn into_parts(self) -> (TcpStream, Permit) {
        (self.stream, self.permit)
    }
}

/// A connection on its way to another thread.
#[derive(Debug)]
pub struct IdleConnection {
    stream: std::net::TcpStream,
    remote: SocketAddr,
    permit: Permit,
}

impl Connection {
    /// Takes it off this thread's runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn rest(self) -> io::Result<IdleConnection> {
        Ok(IdleConnection { stream: self.stream.into_std()?, remote: self.remote, permit: self.permit })
    }
}

impl IdleConnection {
    /// Gives it to this thread's runtime.
    ///
    /// # Errors
    /// What the kernel says. Has to run on a tokio runtime.
    pub fn resume(self) -> io::Result<Connection> {
        Ok(Connection { stream: TcpStream::from_std(self.stream)?, remote: self.remote, permit: self.permit })
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_connection_counts_while_it_lives() {
        let connections = Quota::connections();
        let listener = Listener::bind("[::]:0".parse().unwrap(), &connections).unwrap();
        let port = listener.local_address().unwrap().port();
        let (client, accepted) = tokio::join!(TcpStream::connect(("127.0.0.1", port)), listener.accept());
        let (mut client, mut accepted) = (client.unwrap(), accepted);
        assert_eq!(accepted.remote(), client.local_addr().unwrap(), "an IPv4 address is given as such");
        assert_eq!(connections.open(), 1);
        accepted.write_all(b"hello").await.unwrap();
        let mut hello = [0; 5];
        client.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        let (stream, permit) = accepted.into_parts();
        drop(stream);
        assert_eq!(connections.open(), 1);
        drop(permit);
        assert_eq!(connections.open(), 0);
    }
}

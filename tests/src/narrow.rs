//! A narrow network between a browser and a web server: all connections together get no more than so many bits in a
//! second from the server.
//!
//! It is a relay in user space for TCP, as [`network`](crate::network) is for datagrams; what waits stays with the
//! server, whose connections feel it.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What is let through at once: about a packet.
const BIT: usize = 1_460;

/// A relay for connections; dropping it ends it.
#[derive(Debug)]
pub struct Narrow {
    address: SocketAddr,
    wire: Arc<Wire>,
}

/// What all connections share.
#[derive(Debug)]
struct Wire {
    kilobits: AtomicU64,
    /// When it has sent what came before.
    free: Mutex<Instant>,
    stop: AtomicBool,
}

impl Wire {
    /// Waits for its turn to send so many bytes.
    fn wait(&self, bytes: usize) {
        let kilobits = self.kilobits.load(Relaxed).max(1);
        let due = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let start = (*free).max(Instant::now());
            *free = start + Duration::from_secs_f64(bytes as f64 * 8.0 / (kilobits as f64 * 1_000.0));
            start
        };
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

impl Narrow {
    /// Relays to a web server, from a port of the same host.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn start(server: SocketAddr, kilobits: u64) -> Result<Narrow> {
        let listener = TcpListener::bind((server.ip(), 0)).context("no port for the relay")?;
        let address = listener.local_addr()?;
        let wire = Wire { kilobits: kilobits.into(), free: Mutex::new(Instant::now()), stop: AtomicBool::new(false) };
        let wire = Arc::new(wire);
        let shared = wire.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.stop.load(Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { continue };
                thread::spawn(move || pass(from_client, to_server, None));
                let shared = shared.clone();
                thread::spawn(move || pass(server, client, Some(&shared)));
            }
        });
        Ok(Narrow { address, wire })
    }

    /// Where a browser reaches the server through it, as the beginning of addresses.
    pub fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Lets so many kilobits in a second through from now on.
    pub fn set(&self, kilobits: u64) {
        self.wire.kilobits.store(kilobits, Relaxed);
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.wire.stop.store(true, Relaxed);
        // The listener looks when somebody comes.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, wire: Option<&Wire>) {
    let mut buffer = [0; BIT];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(wire) = wire {
            wire.wait(length);
        }
        let Some(bit) = buffer.get(..length) else { break };
        if to.write_all(bit).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// An address at which everything vanishes, as behind a packet filter that drops: datagrams are never answered, and no
/// connection comes about. Dropping it ends it.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    udp: std::net::UdpSocket,
    _tcp: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
    _runtime: tokio::runtime::Runtime,
}

impl BlackHole {
    /// Opens one at a free port of a host of this machine.
    ///
    /// # Errors
    /// When there is no port for it, or connections come about all the same.
    pub fn open(host: IpAddr) -> Result<BlackHole> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let udp = std::net::UdpSocket::bind((host, 0))?;
        udp.set_nonblocking(true)?;
        let address = udp.local_addr()?;
        let tcp = runtime.block_on(async {
            let socket =
                if host.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
            socket.bind(address)?;
            socket.listen(1)
        })?;
        // Once its queue is full, Linux drops the first packet of every other connection.
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            waiting.push(stream);
            anyhow::ensure!(waiting.len() < 16, "this system takes all connections");
        }
        Ok(BlackHole { address, udp, _tcp: tcp, _waiting: waiting, _runtime: runtime })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Datagrams that have come since this was asked last.
    pub fn swallowed(&self) -> usize {
        let mut buffer = [0; 2_048];
        std::iter::from_fn(|| self.udp.recv(&mut buffer).ok()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_sends_takes_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("an address");
        thread::spawn(move || listener.accept().map(|(mut stream, _)| stream.write_all(&[7; 50_000])));
        let narrow = Narrow::start(server, 1_000).expect("a relay");
        let begin = Instant::now();
        let mut client = TcpStream::connect(narrow.address).expect("the relay");
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("all of it");
        assert_eq!(all.len(), 50_000);
        // 400 kilobits at 1,000 in a second, but for the last packet.
        assert!(begin.elapsed() > Duration::from_millis(370), "{:?}", begin.elapsed());
    }

    #[test]
    fn nothing_comes_out_of_a_black_hole() {
        let hole = BlackHole::open("127.0.0.1".parse().expect("an address")).expect("a black hole");
        let refused =
            TcpStream::connect_timeout(&hole.address(), Duration::from_millis(300)).expect_err("no connection");
        assert_eq!(refused.kind(), std::io::ErrorKind::TimedOut);
    }
}

//! A bad network between a client and the server: loss, delay and too little bandwidth, the same in every run.
//!
//! The kernel's own emulation is not to be had everywhere, so this is a relay in user space: a client is told the
//! relay's address instead of the server's, and each client reaches the server from a socket of its own.
//!
//! ```text
//!  client ──► relay ──(loss, rate, delay)──► socket of this client ──► server
//!         ◄──       ◄─(loss, rate, delay)──                        ◄──
//! ```

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// What the network does to datagrams of one direction. Everything may be changed while it runs.
#[derive(Debug, Default)]
pub struct Link {
    lost_per_mille: AtomicU64,
    delay_ms: AtomicU64,
    /// Zero for no bound.
    kilobits: AtomicU64,
    passed: AtomicU64,
    dropped: AtomicU64,
    bytes: AtomicU64,
}

/// What waits longer than this for its turn is dropped, as by a router whose queue is full.
const QUEUE: Duration = Duration::from_millis(300);
const DATAGRAM_MAX: usize = 65_536;

impl Link {
    /// Loses so many of a thousand datagrams.
    pub fn lose(&self, per_mille: u64) {
        self.lost_per_mille.store(per_mille, Relaxed);
    }

    /// Holds every datagram for so long.
    pub fn delay(&self, time: Duration) {
        self.delay_ms.store(time.as_millis() as u64, Relaxed);
    }

    /// Lets no more than so many kilobits a second through; `None` for all.
    pub fn limit(&self, kilobits: Option<u64>) {
        self.kilobits.store(kilobits.unwrap_or(0), Relaxed);
    }

    /// Datagrams that have passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }

    /// Datagrams that were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Bytes that have passed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// When a datagram of this size leaves, or `None` if it never does. `free` is when the link has sent what came
    /// before.
    fn admit(&self, size: usize, now: Instant, free: &mut Instant, dice: &mut StdRng) -> Option<Instant> {
        let lost = dice.random_range(0..1_000) < self.lost_per_mille.load(Relaxed);
        let kilobits = self.kilobits.load(Relaxed);
        let start = now.max(*free);
        if lost || kilobits > 0 && start.duration_since(now) > QUEUE {
            self.dropped.fetch_add(1, Relaxed);
            return None;
        }
        if kilobits > 0 {
            *free = start + Duration::from_secs_f64(size as f64 * 8.0 / (kilobits as f64 * 1_000.0));
        }
        self.passed.fetch_add(1, Relaxed);
        self.bytes.fetch_add(size as u64, Relaxed);
        let sent = if kilobits > 0 { *free } else { now };
        Some(sent + Duration::from_millis(self.delay_ms.load(Relaxed)))
    }
}

/// A relay for datagrams; dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    to_server: Arc<Link>,
    to_client: Arc<Link>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Relays to a server, from a port of the same host. The seed decides which datagrams are lost.
    ///
    /// # Errors
    /// When there is no socket for it.
    pub fn start(server: SocketAddr, seed: u64) -> Result<Relay> {
        let socket = std::net::UdpSocket::bind((server.ip(), 0)).context("no socket for the relay")?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let (to_server, to_client) = (Arc::new(Link::default()), Arc::new(Link::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let wires = Wires { to_server: to_server.clone(), to_client: to_client.clone(), server, seed };
        let ended = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let run = wires.run(socket);
                let stopped = async {
                    while !ended.load(Relaxed) {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                tokio::select! {
                    () = run => {}
                    () = stopped => {}
                }
            });
        });
        Ok(Relay { address, to_server, to_client, stop, thread: Some(thread) })
    }

    /// What clients are to take for the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way from clients to the server.
    pub fn to_server(&self) -> &Link {
        &self.to_server
    }

    /// The way from the server to clients.
    pub fn to_client(&self) -> &Link {
        &self.to_client
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Wires {
    to_server: Arc<Link>,
    to_client: Arc<Link>,
    server: SocketAddr,
    seed: u64,
}

impl Wires {
    async fn run(self, socket: std::net::UdpSocket) {
        let Ok(front) = UdpSocket::from_std(socket).map(Arc::new) else { return };
        let mut clients: HashMap<SocketAddr, mpsc::UnboundedSender<Vec<u8>>> = HashMap::new();
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            let Ok((size, client)) = front.recv_from(&mut buffer).await else { continue };
            let datagram = buffer[..size].to_vec();
            if let Some(wire) = clients.get(&client) {
                let _ = wire.send(datagram);
                continue;
            }
            let any = SocketAddr::new(loopback(self.server.ip()), 0);
            let Ok(back) = UdpSocket::bind(any).await else { continue };
            if back.connect(self.server).await.is_err() {
                continue;
            }
            let back = Arc::new(back);
            let seed = self.seed.wrapping_add(clients.len() as u64 * 2);
            let out = wire(self.to_server.clone(), seed, back.clone(), None);
            let _ = out.send(datagram);
            clients.insert(client, out);
            let home = wire(self.to_client.clone(), seed + 1, front.clone(), Some(client));
            tokio::spawn(async move {
                let mut buffer = vec![0; DATAGRAM_MAX];
                loop {
                    match back.recv(&mut buffer).await {
                        Ok(size) => {
                            let _ = home.send(buffer[..size].to_vec());
                        }
                        // The server may refuse for a moment; its silence ends the client, not the relay.
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            });
        }
    }
}

fn loopback(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    }
}

/// One direction of one client: datagrams leave in the order in which they came.
fn wire(link: Arc<Link>, seed: u64, socket: Arc<UdpSocket>, to: Option<SocketAddr>) -> mpsc::UnboundedSender<Vec<u8>> {
    let (sender, mut datagrams) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut free = Instant::now();
        let mut held: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        loop {
            let due = held.front().map(|(due, _)| *due);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                datagram = datagrams.recv() => {
                    let Some(datagram) = datagram else { return };
                    if let Some(due) = link.admit(datagram.len(), Instant::now(), &mut free, &mut dice) {
                        held.push_back((due, datagram));
                    }
                }
                () = wait => {}
            }
            while held.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                let Some((_, datagram)) = held.pop_front() else { break };
                let _ = match to {
                    Some(to) => socket.send_to(&datagram, to).await,
                    None => socket.send(&datagram).await,
                };
            }
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn echo() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut buffer = [0; 2_000];
            while let Ok((size, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&buffer[..size], from);
            }
        });
        address
    }

    fn client(relay: &Relay) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(relay.address()).expect("a relay");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit");
        socket
    }

    #[test]
    fn datagrams_pass_in_order_after_the_delay_of_both_ways() {
        let relay = Relay::start(echo(), 1).expect("a relay");
        relay.to_server().delay(Duration::from_millis(40));
        relay.to_client().delay(Duration::from_millis(60));
        let client = client(&relay);
        let start = Instant::now();
        for number in 0..50_u8 {
            client.send(&[number]).expect("sent");
        }
        for number in 0..50_u8 {
            let mut buffer = [0; 10];
            assert_eq!(client.recv(&mut buffer).expect("an echo"), 1);
            assert_eq!(buffer[0], number);
        }
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    }

    #[test]
    fn loss_is_as_asked_for_and_the_same_for_the_same_seed() {
        let losses = |seed| {
            let link = Link::default();
            link.lose(100);
            let (mut dice, mut free, now) = (StdRng::seed_from_u64(seed), Instant::now(), Instant::now());
            let lost: Vec<bool> = (0..5_000).map(|_| link.admit(1, now, &mut free, &mut dice).is_none()).collect();
            assert_eq!(link.dropped() + link.passed(), 5_000);
            lost
        };
        let (once, again, other) = (losses(7), losses(7), losses(8));
        assert_eq!(once, again);
        assert_ne!(once, other);
        let count = once.iter().filter(|lost| **lost).count();
        assert!((400..600).contains(&count), "{count}");
    }

    #[test]
    fn a_narrow_link_delays_and_then_drops() {
        let link = Link::default();
        link.limit(Some(1_000));
        let (mut dice, now) = (StdRng::seed_from_u64(0), Instant::now());
        let mut free = now;
        // 1,250 bytes take ten milliseconds of a megabit a second.
        let due: Vec<Option<Instant>> = (0..40).map(|_| link.admit(1_250, now, &mut free, &mut dice)).collect();
        assert_eq!(due[0], Some(now + Duration::from_millis(10)));
        assert_eq!(due[29], Some(now + Duration::from_millis(300)));
        assert_eq!(due[35], None);
    }
}

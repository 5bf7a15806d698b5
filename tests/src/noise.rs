//! Input that no honest peer sends: random bytes, and real conversations cut and bent. The same in every run.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// A small generator of numbers that depend on its seed only (xorshift64*, Vigna 2014).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() >> 16) as usize % end.max(1)
    }

    /// So many random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number() as u8).collect()
    }

    /// The input with some bits flipped, bytes replaced, pieces removed or doubled.
    pub fn bend(&mut self, input: &[u8]) -> Vec<u8> {
        let mut bent = input.to_vec();
        for _ in 0..1 + self.below(6) {
            if bent.is_empty() {
                break;
            }
            let at = self.below(bent.len());
            let end = (at + 1 + self.below(16)).min(bent.len());
            match self.below(6) {
                0 => bent[at] ^= 1 << self.below(8),
                1 => bent[at] = [0, 0xff, 0x7f, 0x80][self.below(4)],
                2 => bent[at] = self.number() as u8,
                3 => drop(bent.drain(at..end)),
                4 => {
                    let piece = bent[at..end].to_vec();
                    bent.splice(at..at, piece);
                }
                _ => bent.truncate(at),
            }
        }
        bent
    }
}

/// Connects, sends, perhaps listens a little, and goes away without a word.
pub fn throw_at(address: SocketAddr, bytes: &[u8], listen: Duration) {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else {
        return;
    };
    let _ = stream.set_write_timeout(Some(Duration::from_secs(2)));
    let _ = stream.write_all(bytes);
    if !listen.is_zero() {
        let _ = stream.set_read_timeout(Some(listen));
        let _ = stream.read(&mut [0; 4096]);
    }
}

/// Passes one TCP connection on and keeps what the client says.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Waits on a free port for a client of `server`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn before(server: SocketAddr) -> Result<Tap> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = listener.local_addr()?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = said.clone();
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else {
                return;
            };
            let Ok(server) = TcpStream::connect(server) else {
                return;
            };
            let (Ok(answers), Ok(back)) = (server.try_clone(), client.try_clone()) else {
                return;
            };
            thread::spawn(move || pass(answers, back, None));
            pass(client, server, Some(kept));
        });
        Ok(Tap { address, said })
    }

    /// Where the client is to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the client has said so far.
    pub fn said(&self) -> Vec<u8> {
        self.said.lock().map(|said| said.clone()).unwrap_or_default()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, keep: Option<Arc<Mutex<Vec<u8>>>>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(keep) = &keep {
            keep.lock().map(|mut kept| kept.extend_from_slice(&buffer[..length])).ok();
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

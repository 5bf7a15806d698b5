//! Clients that pull the same bytes over kept-alive connections again and again, as fast as they come.

use std::{
    collections::VecDeque,
    io::Write,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    time::Timespec,
};

use super::connection::{Connection, discard};
use crate::clock::thread_time;

const DISCARD_BYTES: usize = 1 << 20;
/// Longer than this no client waits for anything.
const STALL: Duration = Duration::from_secs(5);

/// Clients on one thread, each with one request under way.
pub(super) struct Pull {
    epoll: rustix::fd::OwnedFd,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// Those that wait for no answer.
    resting: VecDeque<usize>,
}

struct Client {
    socket: TcpStream,
    request: Vec<u8>,
    /// Bytes of the answer that have not come.
    left: usize,
}

/// What was pulled in a time.
#[derive(Default)]
pub(super) struct Pulled {
    pub(super) bytes: u64,
    pub(super) answers: u64,
    pub(super) elapsed: Duration,
    /// CPU time of the clients.
    pub(super) time: Duration,
}

impl Pull {
    /// Connects as many clients.
    pub(super) fn new(server: SocketAddr, clients: usize, path: &str) -> Result<Pull> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let clients: Vec<Client> = (0..clients)
            .map(|index| {
                let connection = Connection::open(server, format!("puller-{index}"))?;
                let request = connection.request(path, "");
                Ok(Client { socket: connection.socket, request, left: 0 })
            })
            .collect::<Result<_>>()?;
        for (index, client) in clients.iter().enumerate() {
            epoll::add(&epoll, &client.socket, EventData::new_u64(index as u64), EventFlags::IN)?;
        }
        let resting = (0..clients.len()).collect();
        Ok(Pull { epoll, clients, buffer: vec![0; DISCARD_BYTES], resting })
    }

    /// All clients ask, and take nothing of the answer.
    pub(super) fn ask(&mut self, answer: usize) -> Result<()> {
        while let Some(index) = self.resting.pop_front() {
            let client = &mut self.clients[index];
            client.socket.write_all(&client.request)?;
            client.left = answer;
        }
        Ok(())
    }

    /// Pulls answers of so many bytes, head and body, for a time; then takes what is under way.
    pub(super) fn run(&mut self, answer: usize, length: Duration) -> Result<Pulled> {
        let (begin, time) = (Instant::now(), thread_time());
        self.ask(answer)?;
        let mut pulled = Pulled::default();
        let mut events = Vec::with_capacity(256);
        let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let mut heard = Instant::now();
        while self.resting.len() < self.clients.len() {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&pause))?;
            ensure!(heard.elapsed() < STALL, "answers are shorter than {answer} bytes, or do not come");
            let is_over = begin.elapsed() >= length;
            for event in &events {
                heard = Instant::now();
                self.take(event.data.u64() as usize, answer, is_over, &mut pulled)?;
            }
        }
        pulled.elapsed = begin.elapsed();
        pulled.time = thread_time().saturating_sub(time);
        Ok(pulled)
    }

    fn take(&mut self, index: usize, answer: usize, is_over: bool, pulled: &mut Pulled) -> Result<()> {
        let client = &mut self.clients[index];
        let length = discard(&client.socket, &mut self.buffer)?;
        ensure!(length <= client.left, "an answer is longer than {answer} bytes");
        client.left -= length;
        pulled.bytes += length as u64;
        if client.left > 0 || length == 0 {
            return Ok(());
        }
        pulled.answers += 1;
        if is_over {
            self.resting.push_back(index);
        } else {
            client.socket.write_all(&client.request)?;
            client.left = answer;
        }
        Ok(())
    }
}

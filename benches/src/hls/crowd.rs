//! Players of Low-Latency HLS that all wait for the next part by one held request each.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    time::Timespec,
};

use super::{
    connection::{Connection, Head, receive},
    listing::Listing,
};
use crate::clock::thread_time;

/// An answer is a playlist, which fits.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longer than this nobody waits for a part.
const STALL: Duration = Duration::from_secs(5);
/// One event for what has come, and no other before more comes: an answer is read by one call, which has room for all.
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::ET);
/// Players on one thread rest so long after each look, so that those who write to them do not wake them for each answer,
/// as they would not if these came by a network card. Answers seem so much later at most.
const REST: Duration = Duration::from_micros(500);
/// What players ask for who know the playlist that was before, and take it compressed.
const COMPRESSED: &str = "Accept-Encoding: gzip\r\n";

/// Players on one thread. The first one takes its playlists uncompressed, and so knows what comes next.
pub(super) struct Crowd {
    epoll: OwnedFd,
    players: Vec<Player>,
    buffer: Vec<u8>,
    pub(super) listing: Listing,
}

struct Player {
    connection: Connection,
    /// Its media playlist, with the id that it is known by.
    playlist: String,
    read: Vec<u8>,
}

/// One part as it came to all players.
pub(super) struct Release<T> {
    /// What was seen when the first answer came.
    pub(super) seen: T,
    /// When each player had the last byte of its answer.
    pub(super) arrived: Vec<Instant>,
    pub(super) bytes: u64,
    /// CPU time of the players for asking and for taking.
    pub(super) time: Duration,
}

impl Crowd {
    /// Lets as many players come in by the way in, as viewers of their own. With `tokens`, each brings something that
    /// its playlists must carry.
    pub(super) fn new(server: SocketAddr, stream: &str, players: usize, tokens: bool) -> Result<Crowd> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let players: Vec<Player> = (0..players.max(1))
            .map(|index| {
                let token = if tokens { format!("?token={index:016x}") } else { String::new() };
                Player::arrive(server, stream, index, &token).with_context(|| format!("player {}", index + 1))
            })
            .collect::<Result<_>>()?;
        for (index, player) in players.iter().enumerate() {
            epoll::add(&epoll, &player.connection.socket, EventData::new_u64(index as u64), ONCE)?;
        }
        let mut crowd = Crowd {
            epoll,
            players,
            buffer: vec![0; ANSWER_BYTES_MAX],
            listing: Listing { segment: String::new(), part: String::new(), next: (0, 0) },
        };
        crowd.look()?;
        Ok(crowd)
    }

    /// Reads where the stream is now.
    pub(super) fn look(&mut self) -> Result<()> {
        let first = self.players.first_mut().context("there are no players")?;
        let answer = first.connection.get(&first.playlist.clone())?;
        self.listing = Listing::parse(&String::from_utf8_lossy(&answer.body))?;
        Ok(())
    }

    /// All ask for the playlist with a part of a segment.
    pub(super) fn ask(&mut self, segment: u64, part: u64) -> Result<Duration> {
        let time = thread_time();
        for (index, player) in self.players.iter_mut().enumerate() {
            let sign = if player.playlist.contains('?') { '&' } else { '?' };
            let playlist = &player.playlist;
            let path = format!("{playlist}{sign}_HLS_msn={segment}&_HLS_part={part}&_HLS_skip=YES");
            let further = if index == 0 { "" } else { COMPRESSED };
            let request = player.connection.request(&path, further);
            player.connection.socket.write_all(&request)?;
            player.read.clear();
        }
        Ok(thread_time().saturating_sub(time))
    }

    /// Takes the answers of all; looks at something when the first one comes.
    pub(super) fn take<T>(&mut self, look: impl Fn() -> Option<T>) -> Result<Release<T>> {
        let time = thread_time();
        let (mut arrived, mut bytes, mut seen) = (Vec::with_capacity(self.players.len()), 0, None);
        // Answers are all alike: one that is as long as another was is whole, and is read with more care afterwards.
        let mut length = 0;
        let mut events = Vec::with_capacity(256);
        let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let begin = Instant::now();
        while arrived.len() < self.players.len() {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&pause))?;
            let missing = self.players.len() - arrived.len();
            ensure!(begin.elapsed() < STALL, "{missing} players get no answer");
            for event in &events {
                let Some(player) = self.players.get_mut(event.data.u64() as usize) else { continue };
                if player.take(&mut self.buffer, length)? {
                    seen = seen.or_else(&look);
                    arrived.push(Instant::now());
                    length = player.read.len();
                    bytes += length as u64;
                }
            }
            thread::sleep(REST);
        }
        let time = thread_time().saturating_sub(time);
        for player in &self.players {
            ensure!(player.is_whole()?, "an answer of {} bytes is not whole", player.read.len());
        }
        let first = self.players.first().context("there are no players")?;
        self.listing = Listing::parse(&first.text()?)?;
        Ok(Release { seen: seen.context("nothing is published")?, arrived, bytes, time })
    }
}

impl Player {
    fn arrive(server: SocketAddr, stream: &str, index: usize, token: &str) -> Result<Player> {
        let mut connection = Connection::open(server, format!("player-{index}"))?;
        let index = connection.get(&format!("/{stream}/index.m3u8{token}"))?;
        let text = String::from_utf8(index.body)?;
        let address = text.lines().find(|line| !line.starts_with('#')).context("the stream has no media playlist")?;
        Ok(Player { connection, playlist: format!("/{stream}/{address}"), read: Vec::new() })
    }

    /// Takes what has come; says whether the answer is whole, as one of this length is.
    fn take(&mut self, buffer: &mut [u8], known: usize) -> Result<bool> {
        let length = receive(&self.connection.socket, buffer)?;
        if length == 0 {
            return Ok(false);
        }
        self.read.extend_from_slice(&buffer[..length]);
        Ok(self.read.len() == known || self.is_whole()?)
    }

    fn is_whole(&self) -> Result<bool> {
        Ok(Head::parse(&self.read)?.is_some_and(|head| self.read.len() == head.bytes + head.body))
    }

    fn text(&self) -> Result<String> {
        let head = Head::parse(&self.read)?.context("there is no answer")?;
        Ok(String::from_utf8(self.read[head.bytes..].to_vec())?)
    }
}

/// What the same players would see of a server that does nothing but write: one thread writes so many bytes to one
/// connection after the other, as often as told; yields the times to the last byte, in milliseconds.
pub(super) fn bare(players: usize, bytes: usize, rounds: u32, rest: Duration) -> Result<Vec<f64>> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (mut readers, mut writers) = (Vec::new(), Vec::new());
    for index in 0..players {
        let reader = TcpStream::connect(address)?;
        let (writer, _) = listener.accept()?;
        writer.set_nodelay(true)?;
        epoll::add(&epoll, &reader, EventData::new_u64(index as u64), ONCE)?;
        readers.push(reader);
        writers.push(writer);
    }
    let (tell, told) = std::sync::mpsc::channel();
    let writing = std::thread::Builder::new().name("bare".into()).spawn(move || -> Result<Vec<TcpStream>> {
        let playlist = vec![b'#'; bytes];
        for _ in 0..rounds {
            std::thread::sleep(rest);
            tell.send(Instant::now())?;
            writers.iter_mut().try_for_each(|writer| writer.write_all(&playlist))?;
        }
        // Open until all has been read.
        Ok(writers)
    })?;
    let mut times = Vec::new();
    let mut left: Vec<usize> = vec![0; players];
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    for _ in 0..rounds {
        let begin = told.recv()?;
        left.fill(bytes);
        let mut arrived = 0;
        while arrived < players {
            events.clear();
            epoll::wait(&epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let index = event.data.u64() as usize;
                let length = receive(&readers[index], &mut buffer)?;
                left[index] = left[index].saturating_sub(length);
                if length > 0 && left[index] == 0 {
                    arrived += 1;
                    times.push(begin.elapsed().as_secs_f64() * 1e3);
                }
            }
            thread::sleep(REST);
        }
    }
    writing.join().map_err(|_| anyhow::anyhow!("the writer failed"))??;
    Ok(times)
}

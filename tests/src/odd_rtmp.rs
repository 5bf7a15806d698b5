//! A publisher by RTMP that sends what the test says, with stamps as it says: no encoder could be told to send such streams.
//! Written apart from the server's reader so that both cannot be wrong alike.
//!
//! Source: Adobe's RTMP specification 1.0 §5.2, §5.3, §7.2.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::flv::{Kind, Tag};

const CHUNK_BYTES: usize = 60_000;
const HANDSHAKE_BYTES: usize = 1_536;
const NO_STREAM: u32 = 0;
const STREAM: u32 = 1;
const COMMAND: u8 = 20;
/// From the last tag of a piece to the first of the next.
const FRAME_MS: u32 = 33;

/// What is sent again and again until something else is to be sent.
#[derive(Clone, Debug)]
pub struct Piece {
    /// In the order of their times, from zero on.
    pub tags: Vec<Tag>,
    /// By how many milliseconds the stamps jump where it begins.
    pub jump: i64,
}

/// A connection that publishes. The stream ends when it is dropped.
#[derive(Debug)]
pub struct OddPublisher {
    connection: TcpStream,
    pieces: Sender<Piece>,
}

impl OddPublisher {
    /// Publishes `live/NAME` at a server from a thread of its own.
    ///
    /// # Errors
    /// When the server does not take the connection or the handshake.
    pub fn start(server: SocketAddr, name: &str, first: Piece) -> Result<OddPublisher> {
        let mut connection = connected(server, &[])?;
        let publish = [string("publish"), number(3.0), vec![5], string(name), string("live")].concat();
        connection.write_all(&message(COMMAND, STREAM, 0, &publish))?;
        let (mut hears, sends) = (connection.try_clone()?, connection.try_clone()?);
        let (pieces, told) = channel();
        thread::spawn(move || std::io::copy(&mut hears, &mut std::io::sink()));
        thread::spawn(move || send(sends, first, &told));
        Ok(OddPublisher { connection, pieces })
    }

    /// Goes on with something else.
    pub fn go_on(&self, piece: Piece) {
        // The thread ends before this does only if the server has closed the connection, which viewers notice.
        let _ = self.pieces.send(piece);
    }
}

/// A connection with its handshake, application and message stream; `capabilities` are told besides.
pub(crate) fn connected(server: SocketAddr, capabilities: &[(&[u8], f64)]) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(server).context("no RTMP server")?;
    let mut hello = vec![0; 1 + HANDSHAKE_BYTES];
    hello[0] = 3;
    connection.write_all(&hello)?;
    let mut answer = vec![0; 1 + 2 * HANDSHAKE_BYTES];
    connection.read_exact(&mut answer).context("no handshake")?;
    connection.write_all(&answer[1..=HANDSHAKE_BYTES])?;
    let mut chunks = message(1, NO_STREAM, 0, &(CHUNK_BYTES as u32).to_be_bytes());
    let [app, url] = ["live".to_owned(), format!("rtmp://{server}/live")].map(|text| string(&text));
    let told = capabilities
        .iter()
        .flat_map(|(name, value)| [&(name.len() as u16).to_be_bytes()[..], name, &number(*value)].concat());
    let told: Vec<u8> = told.collect();
    let properties = [b"\x03\0\x03app", &app[..], b"\0\x05tcUrl", &url, &told, b"\0\0\x09"].concat();
    chunks.extend(message(COMMAND, NO_STREAM, 0, &[string("connect"), number(1.0), properties].concat()));
    chunks.extend(message(COMMAND, NO_STREAM, 0, &[string("createStream"), number(2.0), vec![5]].concat()));
    connection.write_all(&chunks)?;
    Ok(connection)
}

/// Asks for `live/NAME` to be played.
pub(crate) fn play(connection: &mut TcpStream, name: &str) -> Result<()> {
    let play = [string("play"), number(3.0), vec![5], string(name)].concat();
    Ok(connection.write_all(&message(COMMAND, STREAM, 0, &play))?)
}

/// Sends pieces, each until the next is told, until the connection is closed.
fn send(mut connection: TcpStream, mut piece: Piece, told: &Receiver<Piece>) {
    let (mut begin, mut stamp) = (Instant::now(), 0_i64);
    loop {
        let mut next = None;
        for tag in &piece.tags {
            let due = begin + Duration::from_millis(tag.milliseconds.into());
            match told.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(other) => next = Some(other),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if next.is_some() {
                break;
            }
            let kind = match tag.kind {
                Kind::Audio => 8,
                Kind::Video => 9,
                Kind::Script => continue,
            };
            let time = stamp.saturating_add(tag.milliseconds.into());
            if connection.write_all(&message(kind, STREAM, time as u32, &tag.body)).is_err() {
                return;
            }
        }
        let length = piece.tags.last().map_or(0, |tag| tag.milliseconds) + FRAME_MS;
        let passed = match &next {
            Some(_) => begin.elapsed() + Duration::from_millis(FRAME_MS.into()),
            None => Duration::from_millis(length.into()),
        };
        begin += passed;
        stamp = stamp.saturating_add(passed.as_millis() as i64);
        if let Some(next) = next {
            stamp = stamp.saturating_add(next.jump);
            piece = next;
        }
    }
}

impl Drop for OddPublisher {
    fn drop(&mut self) {
        let _ = self.connection.shutdown(std::net::Shutdown::Both);
    }
}

/// A message in chunks: the first with a full head, the others without (§5.3.1.2.1, §5.3.1.2.4, §5.3.1.3).
fn message(kind: u8, stream: u32, milliseconds: u32, body: &[u8]) -> Vec<u8> {
    let stamp = milliseconds.to_be_bytes();
    let is_long = milliseconds >= 0xff_ffff;
    let mut chunks = vec![3];
    chunks.extend(if is_long { &[0xff; 3] } else { &stamp[1..] });
    chunks.extend(&(body.len() as u32).to_be_bytes()[1..]);
    chunks.push(kind);
    chunks.extend(stream.to_le_bytes());
    for (index, piece) in body.chunks(CHUNK_BYTES).enumerate() {
        if index > 0 {
            chunks.push(0xc3);
        }
        if is_long {
            chunks.extend(stamp);
        }
        chunks.extend(piece);
    }
    chunks
}

/// AMF 0.
fn string(text: &str) -> Vec<u8> {
    [&[2][..], &(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn number(value: f64) -> Vec<u8> {
    [&[0][..], &value.to_be_bytes()].concat()
}

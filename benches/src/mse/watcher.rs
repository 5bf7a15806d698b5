//! Viewers over WebSocket: most throw away what comes, some read it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::source;

const HEAD_BYTES_MAX: usize = 4_096;
/// FIN and the opcode of a binary message (RFC 6455 §5.2).
const BINARY: u8 = 0x82;
const TIME_MAX: Duration = Duration::from_secs(10);

/// Opens a WebSocket and reads the answer, and nothing behind it.
pub(super) fn open(server: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(server).with_context(|| format!("no connection to {server}"))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(TIME_MAX))?;
    // The key of RFC 6455 §1.3; who answers does not care which one it is.
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < HEAD_BYTES_MAX, "the answer to {path} has no end");
        socket.read_exact(&mut byte).with_context(|| format!("no answer to {path}"))?;
        head.push(byte[0]);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{path}: {}", String::from_utf8_lossy(&head));
    Ok(socket)
}

/// What a viewer has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Binary messages and their bytes, with the heads of their frames.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Milliseconds from handing a picture to the publisher's socket to having all of it.
    pub(super) ages: Vec<f64>,
}

/// A viewer that reads all messages, on a thread of its own.
pub(super) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Watcher {
    /// Reads what comes on a WebSocket.
    pub(super) fn start(socket: TcpStream) -> Result<Watcher> {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::new(AtomicBool::new(false)));
        let thread = thread::Builder::new().name("watcher".into()).spawn({
            let (seen, stop) = (seen.clone(), stop.clone());
            move || watch(socket, &seen, &stop)
        })?;
        Ok(Watcher { seen, stop, thread: Some(thread) })
    }

    /// What it has seen since the last time.
    pub(super) fn take(&mut self) -> Result<Seen> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(thread) = self.thread.take()
        {
            thread.join().map_err(|_| anyhow!("a viewer failed"))?.context("a viewer was cut off")?;
        }
        Ok(std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(mut socket: TcpStream, seen: &Mutex<Seen>, stop: &AtomicBool) -> Result<()> {
    let mut payload = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let (kind, head) = read_message(&mut socket, &mut payload)?;
        if kind != BINARY {
            continue;
        }
        let age = source::age(&payload);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.messages += 1;
        seen.bytes += (head + payload.len()) as u64;
        seen.ages.extend(age.map(|age| age.as_secs_f64() * 1e3));
    }
    Ok(())
}

/// Reads a frame, as servers send it: whole messages, unmasked. Yields its first byte and the length of its head.
fn read_message(socket: &mut impl Read, payload: &mut Vec<u8>) -> Result<(u8, usize)> {
    let mut head = [0; 2];
    socket.read_exact(&mut head)?;
    let [kind, length] = head;
    let (length, further) = match length {
        0..=125 => (usize::from(length), 0),
        126 => {
            let mut length = [0; 2];
            socket.read_exact(&mut length)?;
            (usize::from(u16::from_be_bytes(length)), 2)
        }
        127 => {
            let mut length = [0; 8];
            socket.read_exact(&mut length)?;
            (usize::try_from(u64::from_be_bytes(length))?, 8)
        }
        _ => bail!("the server masks what it sends"),
    };
    ensure!(length <= 64 << 20, "a message of {length} bytes");
    payload.resize(length, 0);
    socket.read_exact(payload)?;
    Ok((kind, 2 + further))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_all_lengths_are_read() {
        let mut payload = Vec::new();
        let mut frames: Vec<u8> = vec![0x82, 3, 1, 2, 3, 0x81, 126, 1, 0];
        frames.extend([7; 256]);
        frames.extend([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        frames.extend([8; 65_536]);
        let mut socket = frames.as_slice();
        for (kind, head, length) in [(0x82, 2, 3), (0x81, 4, 256), (0x82, 10, 65_536)] {
            assert_eq!(read_message(&mut socket, &mut payload).unwrap(), (kind, head));
            assert_eq!(payload.len(), length);
        }
        assert!(read_message(&mut socket, &mut payload).is_err());
        assert!(read_message(&mut [0x82, 0x80].as_slice(), &mut payload).is_err());
    }
}

//! A player by RTMP that says it connects anew when it is asked to (Enhanced RTMP v2, `CapsExMask.Reconnect`), and tells
//! what it is asked: no player that can be installed says so.
//!
//! Written apart from the server's reader so that both cannot be wrong alike; it looks for words in what is sent, and
//! takes nothing apart.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::odd_rtmp::{connected, play};

/// A connection that plays.
#[derive(Debug)]
pub struct Obedient {
    connection: TcpStream,
    heard: Vec<u8>,
}

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The address that it is to connect to.
    pub address: Option<String>,
    /// How long media came after that, until the server closed the connection.
    pub stayed: Duration,
    /// How many bytes those were.
    pub bytes: usize,
}

const REQUEST: &[u8] = b"NetConnection.Connect.ReconnectRequest";

impl Obedient {
    /// Plays `live/NAME` at a server.
    ///
    /// # Errors
    /// When the server does not take the connection or the handshake.
    pub fn start(server: SocketAddr, name: &str) -> Result<Obedient> {
        // `capsEx` with the bit for reconnecting.
        let mut connection = connected(server, &[(&b"capsEx"[..], 1.0)])?;
        play(&mut connection, name)?;
        Ok(Obedient { connection, heard: Vec::new() })
    }

    /// Reads until so many bytes have come in all.
    ///
    /// # Errors
    /// When they have not within the time.
    pub fn wait_bytes(&mut self, count: usize, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while self.heard.len() < count {
            ensure!(self.read(deadline)? > 0, "the server closed the connection");
        }
        Ok(())
    }

    /// Reads until it is asked to connect elsewhere, and then until the server closes the connection.
    ///
    /// # Errors
    /// When it is closed before, or neither happens within the time.
    pub fn until_asked(mut self, within: Duration) -> Result<Asked> {
        let deadline = Instant::now() + within;
        let at = loop {
            if let Some(at) = find(&self.heard, REQUEST) {
                break at;
            }
            ensure!(self.read(deadline)? > 0, "the server closed the connection and had not asked for another");
        };
        let (asked, before) = (Instant::now(), self.heard.len());
        while self.read(deadline)? > 0 {}
        let rest = &self.heard[at..];
        // An AMF 0 string behind its name: a marker, two bytes of length.
        let address = find(rest, b"tcUrl").and_then(|at| {
            let value = rest.get(at + 5..)?;
            let length = usize::from(u16::from_be_bytes([*value.get(1)?, *value.get(2)?]));
            Some(String::from_utf8_lossy(value.get(3..3 + length)?).into_owned())
        });
        Ok(Asked { address, stayed: asked.elapsed(), bytes: self.heard.len() - before })
    }

    fn read(&mut self, deadline: Instant) -> Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "nothing came in time");
        self.connection.set_read_timeout(Some(left))?;
        let mut bytes = [0; 64 << 10];
        match self.connection.read(&mut bytes) {
            Ok(count) => {
                self.heard.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error).context("nothing came in time"),
        }
    }
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}

//! One kept-alive connection: a request, and an answer of which only the length is looked at.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};

const TIME_MAX: Duration = Duration::from_secs(15);
const HEAD_BYTES_MAX: usize = 4_096;

/// A connection to the server.
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    server: SocketAddr,
    agent: String,
}

/// An answer that has been read whole.
pub(super) struct Answer {
    /// Head and body.
    pub(super) bytes: usize,
    pub(super) body: Vec<u8>,
}

impl Connection {
    /// Connects as a player of this name: players of one address are told apart by it.
    pub(super) fn open(server: SocketAddr, agent: String) -> Result<Connection> {
        let socket = TcpStream::connect(server).with_context(|| format!("no connection to {server}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIME_MAX))?;
        Ok(Connection { socket, server, agent })
    }

    /// The bytes of a request.
    pub(super) fn request(&self, path: &str, further: &str) -> Vec<u8> {
        let (server, agent) = (self.server, &self.agent);
        format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: {agent}\r\n{further}\r\n").into_bytes()
    }

    /// Asks, and waits for the whole answer.
    pub(super) fn get(&mut self, path: &str) -> Result<Answer> {
        let request = self.request(path, "");
        self.socket.write_all(&request)?;
        let mut read = vec![0; HEAD_BYTES_MAX];
        let mut filled = 0;
        let head = loop {
            let length = self.socket.read(&mut read[filled..]).with_context(|| format!("no answer to {path}"))?;
            ensure!(length > 0, "the server closes the connection instead of answering {path}");
            filled += length;
            match Head::parse(&read[..filled])? {
                Some(head) => break head,
                None => ensure!(filled < read.len(), "the head of the answer to {path} does not end"),
            }
        };
        read.resize(head.bytes + head.body, 0);
        if filled < read.len() {
            self.socket.read_exact(&mut read[filled..])?;
        }
        Ok(Answer { bytes: read.len(), body: read.split_off(head.bytes) })
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: usize,
    /// Bytes of the body.
    pub(super) body: usize,
}

impl Head {
    /// Nothing while there is no whole head.
    ///
    /// # Errors
    /// The answer is another one than 200, or has no length.
    pub(super) fn parse(read: &[u8]) -> Result<Option<Head>> {
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&read[..end]).context("the head of an answer is no text")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!("the server answers {}", head.lines().next().unwrap_or_default());
        }
        let field = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = field.context("an answer has no length")?.parse()?;
        Ok(Some(Head { bytes: end + 4, body }))
    }
}

/// Takes what has come and throws it away (`MSG_TRUNC`, tcp(7)); zero where nothing has.
pub(super) fn discard(socket: &TcpStream, buffer: &mut [u8]) -> Result<usize> {
    take(socket, buffer, RecvFlags::TRUNC)
}

/// Takes what has come; zero where nothing has.
pub(super) fn receive(socket: &TcpStream, buffer: &mut [u8]) -> Result<usize> {
    take(socket, buffer, RecvFlags::empty())
}

fn take(socket: &TcpStream, buffer: &mut [u8], flags: RecvFlags) -> Result<usize> {
    match recv(socket.as_fd(), buffer, flags | RecvFlags::DONTWAIT) {
        Ok((_, 0)) => bail!("the server has closed a connection"),
        Ok((_, length)) => Ok(length),
        Err(Errno::AGAIN) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_where_the_answer_ends() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 12\r\ndate: now\r\n\r\nabc";
        assert_eq!(Head::parse(answer).unwrap(), Some(Head { bytes: answer.len() - 3, body: 12 }));
        assert_eq!(Head::parse(&answer[..40]).unwrap(), None);
        assert!(Head::parse(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}

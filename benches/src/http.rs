//! As much HTTP as a bench needs: one request, one answer, one connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

const TIME_MAX: Duration = Duration::from_secs(10);

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Makes a request and waits for the whole answer.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
) -> Result<Response> {
    let mut socket =
        TcpStream::connect_timeout(&address, TIME_MAX).with_context(|| format!("no connection to {address}"))?;
    socket.set_read_timeout(Some(TIME_MAX))?;
    socket.set_nodelay(true)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all((head + body).as_bytes())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).with_context(|| format!("no answer to {method} {path}"))?;
    parse(&String::from_utf8_lossy(&answer)).with_context(|| format!("{method} {path}"))
}

fn parse(answer: &str) -> Result<Response> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("the answer has no status")?.parse()?;
    Ok(Response { status, body: body.to_owned() })
}

//! The little HTTP that the tests need, written apart from the server's so that both cannot be wrong alike.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and the header fields.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Fetches a page from `address` (`host:port`).
///
/// # Errors
/// When there is no answer.
pub fn get(address: &str, path: &str) -> Result<Answer> {
    exchange(address, "GET", path, &[], "")
}

/// Sends a JSON text.
///
/// # Errors
/// When there is no answer.
pub fn post_json(address: &str, path: &str, body: &str) -> Result<Answer> {
    exchange(address, "POST", path, &["Content-Type: application/json"], body)
}

/// Fetches a page that may have no end, and hangs up after so many bytes.
///
/// # Errors
/// When the status is not 200 or less comes.
pub fn first_bytes(address: &str, path: &str, bytes: u64) -> Result<()> {
    let words = || format!("GET http://{address}{path}");
    let mut stream = TcpStream::connect(address).with_context(words)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut read = Vec::new();
    stream.take(bytes).read_to_end(&mut read).with_context(words)?;
    let status = read.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let all = status == b"200" && read.len() as u64 == bytes;
    all.then_some(()).ok_or_else(|| anyhow!("{}: {} bytes, status {}", words(), read.len(), status.escape_ascii()))
}

/// Any other exchange. HTTP/1.0, so that the answer ends with the connection.
///
/// # Errors
/// When there is no answer.
pub fn exchange(address: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Result<Answer> {
    let words = || format!("{method} http://{address}{path}");
    let mut stream = TcpStream::connect(address).with_context(words)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(words)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| anyhow!("{}: no whole answer: {text:?}", words()))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| anyhow!("{}: no status in {head:?}", words()))?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

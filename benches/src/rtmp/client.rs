//! An RTMP client up to the point where media flows.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use headwater_rtmp::wire::client::{Conversation, Event, Intent, Request};

/// A connection that publishes or plays.
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    pub(crate) conversation: Conversation,
    input: BytesMut,
}

impl Client {
    /// Connects, and returns when the server lets media flow.
    pub(crate) fn connect(server: SocketAddr, intent: Intent, stream: &str, chunk_size: u32) -> Result<Client> {
        let socket = TcpStream::connect(server).with_context(|| format!("no connection to {server}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request =
            Request { intent, app: "live".into(), tc_url: format!("rtmp://{server}/live"), key: stream.into() };
        let mut client =
            Client { socket, conversation: Conversation::new(request, chunk_size, 1), input: BytesMut::new() };
        client.begin()?;
        Ok(client)
    }

    fn begin(&mut self) -> Result<()> {
        let mut buffer = [0; 65_536];
        loop {
            match self.conversation.read(&mut self.input, Instant::now())? {
                Some(Event::Started | Event::Media(_)) => break self.flush(),
                Some(Event::Refused { code, reason }) => bail!("refused: {code}: {reason}"),
                Some(Event::Ended) => bail!("the stream ended at once"),
                None => {
                    self.flush()?;
                    let length = self.socket.read(&mut buffer)?;
                    ensure!(length > 0, "the server has closed the connection");
                    self.input.extend_from_slice(&buffer[..length]);
                }
            }
        }
    }

    /// Takes what the server has sent, and answers what has to be answered.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.input.extend_from_slice(bytes);
        while let Some(event) = self.conversation.read(&mut self.input, Instant::now())? {
            match event {
                Event::Refused { code, reason } => bail!("refused: {code}: {reason}"),
                Event::Ended => bail!("the server has ended the stream"),
                Event::Started | Event::Media(_) => {}
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let output = self.conversation.output().split();
        if !output.is_empty() {
            self.socket.write_all(&output)?;
        }
        Ok(())
    }
}

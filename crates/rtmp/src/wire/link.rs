//! A connection after its handshake: messages both ways, with the protocol's own messages taken care of.

use std::time::Instant;

use bytes::BytesMut;

use super::{
    ChunkReader, Message, MessageKind, WireError,
    chunk::{self, DEFAULT_CHUNK_SIZE},
    command::Command,
    control::{self, UserControl},
    message::AggregateParts,
};

/// An acknowledgement is sent at most once for this many bytes, whatever window the peer asks for.
const WINDOW_MIN: u32 = 16 << 10;

/// Reads messages and writes messages; answers pings, acknowledges, and obeys chunk sizes and aborts by itself.
#[derive(Debug)]
pub struct Link {
    reader: ChunkReader,
    chunk_size_out: u32,
    /// Bytes received; wraps, as the protocol's counter does.
    received: u32,
    acknowledged: u32,
    /// After how many bytes the peer wants an acknowledgement.
    window: Option<u32>,
    /// An aggregate message being taken apart.
    parts: Option<AggregateParts>,
    output: BytesMut,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            reader: ChunkReader::new(),
            chunk_size_out: DEFAULT_CHUNK_SIZE,
            received: 0,
            acknowledged: 0,
            window: None,
            parts: None,
            output: BytesMut::new(),
        }
    }
}

impl Link {
    /// A link right after the handshake.
    pub fn new() -> Link {
        Link::default()
    }

    /// The next message that is not the protocol's own; `None` when more input is needed.
    ///
    /// # Errors
    /// The peer breaks the protocol or a limit; the connection cannot be read on.
    pub fn read(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Message>, WireError> {
        loop {
            if let Some(message) = self.parts.as_mut().and_then(|parts| parts.find(is_media)) {
                return Ok(Some(message));
            }
            self.parts = None;
            let before = input.len();
            let message = self.reader.read(input, now)?;
            self.received = self.received.wrapping_add(before.saturating_sub(input.len()) as u32);
            let Some(message) = message else {
                self.acknowledge();
                return Ok(None);
            };
            match message.kind {
                MessageKind::SetChunkSize => self.reader.set_chunk_size(control::parse_number(&message)?)?,
                MessageKind::Abort => self.reader.abort(control::parse_number(&message)?),
                MessageKind::WindowSize => self.window = Some(control::parse_number(&message)?),
                MessageKind::PeerBandwidth => {
                    let window = control::parse_number(&message)?;
                    self.send(&control::number_message(MessageKind::WindowSize, window));
                }
                // What the peer has received tells nothing that our own writes do not; R9.
                MessageKind::Acknowledgement | MessageKind::Other(_) => {}
                MessageKind::UserControl => {
                    if let UserControl::PingRequest(time) = UserControl::parse(message.payload)? {
                        self.send(&UserControl::PingResponse(time).message());
                    }
                }
                MessageKind::Aggregate => self.parts = Some(AggregateParts::new(message)),
                _ => return Ok(Some(message)),
            }
        }
    }

    /// Appends a message other than media to the output.
    pub fn send(&mut self, message: &Message) {
        let chunk_stream = match message.kind {
            MessageKind::Command0 | MessageKind::Command3 => chunk::COMMAND,
            MessageKind::Data0 | MessageKind::Data3 => chunk::DATA,
            _ => chunk::CONTROL,
        };
        chunk::write_message(message, chunk_stream, self.chunk_size_out, &mut self.output);
    }

    /// Appends a command to the output.
    pub fn command(&mut self, command: &Command, stream: u32) {
        self.send(&command.message(stream));
    }

    /// Tells the peer our chunk size and uses it from here on. It does not change that of the peer.
    pub fn set_chunk_size(&mut self, size: u32) {
        self.send(&control::number_message(MessageKind::SetChunkSize, size));
        self.chunk_size_out = size;
    }

    /// Our chunk size.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size_out
    }

    /// What is to be sent; the caller takes it out.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// One acknowledgement for all that has come since the last, however small the peer's window is.
    fn acknowledge(&mut self) {
        let Some(window) = self.window else { return };
        if self.received.wrapping_sub(self.acknowledged) >= window.max(WINDOW_MIN) {
            self.acknowledged = self.received;
            self.send(&control::number_message(MessageKind::Acknowledgement, self.received));
        }
    }
}

fn is_media(message: &Message) -> bool {
    matches!(message.kind, MessageKind::Audio | MessageKind::Video | MessageKind::Data0 | MessageKind::Data3)
}

#[cfg(test)]
mod tests;

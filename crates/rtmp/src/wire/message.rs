//! A message: what chunks carry in pieces.

use bytes::{Buf, Bytes};
use headwater_media::limits::{self, Limit};

/// What a message is.
///
/// Source: Adobe RTMP 1.0 §5.4, §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Set Chunk Size.
    SetChunkSize,
    /// Abort Message.
    Abort,
    /// Acknowledgement.
    Acknowledgement,
    /// User Control.
    UserControl,
    /// Window Acknowledgement Size.
    WindowSize,
    /// Set Peer Bandwidth.
    PeerBandwidth,
    /// An FLV audio tag body.
    Audio,
    /// An FLV video tag body.
    Video,
    /// Data whose values may be AMF 3.
    Data3,
    /// A command whose values may be AMF 3.
    Command3,
    /// Data in AMF 0.
    Data0,
    /// A command in AMF 0.
    Command0,
    /// Several messages in one.
    Aggregate,
    /// Shared objects and whatever else there is; passed over.
    Other(u8),
}

impl MessageKind {
    /// The kind with this number on the wire.
    pub fn from_number(number: u8) -> MessageKind {
        match number {
            1 => MessageKind::SetChunkSize,
            2 => MessageKind::Abort,
            3 => MessageKind::Acknowledgement,
            4 => MessageKind::UserControl,
            5 => MessageKind::WindowSize,
            6 => MessageKind::PeerBandwidth,
            8 => MessageKind::Audio,
            9 => MessageKind::Video,
            15 => MessageKind::Data3,
            17 => MessageKind::Command3,
            18 => MessageKind::Data0,
            20 => MessageKind::Command0,
            22 => MessageKind::Aggregate,
            other => MessageKind::Other(other),
        }
    }

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            MessageKind::SetChunkSize => 1,
            MessageKind::Abort => 2,
            MessageKind::Acknowledgement => 3,
            MessageKind::UserControl => 4,
            MessageKind::WindowSize => 5,
            MessageKind::PeerBandwidth => 6,
            MessageKind::Audio => 8,
            MessageKind::Video => 9,
            MessageKind::Data3 => 15,
            MessageKind::Command3 => 17,
            MessageKind::Data0 => 18,
            MessageKind::Command0 => 20,
            MessageKind::Aggregate => 22,
            MessageKind::Other(other) => other,
        }
    }

    /// The limit for the length of such a message.
    pub fn limit(self) -> &'static Limit {
        match self {
            MessageKind::Audio
            | MessageKind::Video
            | MessageKind::Data0
            | MessageKind::Data3
            | MessageKind::Aggregate => &limits::RTMP_MEDIA_MESSAGE_BYTES,
            _ => &limits::RTMP_COMMAND_BYTES,
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// The message stream it belongs to; zero for the connection as a whole.
    pub stream: u32,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// What it carries.
    pub payload: Bytes,
}

/// The parts of an aggregate message, as messages whose timestamps continue from its own.
///
/// Parts that do not fit end it: what came before them is kept.
///
/// Source: Adobe RTMP 1.0 §7.1.6.
#[derive(Debug)]
pub struct AggregateParts {
    rest: Bytes,
    stream: u32,
    start: u32,
    /// The time of the first part, which stands for that of the message.
    first: Option<u32>,
}

impl AggregateParts {
    /// Takes an aggregate message apart.
    pub fn new(message: Message) -> AggregateParts {
        AggregateParts { rest: message.payload, stream: message.stream, start: message.timestamp, first: None }
    }
}

impl Iterator for AggregateParts {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        const HEADER: usize = 11;
        const BACK_POINTER: usize = 4;
        let [kind, a, b, c, x, y, z, high, ..] = *self.rest.first_chunk::<HEADER>()?;
        self.rest.advance(HEADER);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if self.rest.len() < length {
            self.rest.clear();
            return None;
        }
        let payload = self.rest.split_to(length);
        self.rest.advance(BACK_POINTER.min(self.rest.len()));
        let time = u32::from_be_bytes([high, x, y, z]);
        let offset = time.wrapping_sub(*self.first.get_or_insert(time));
        let timestamp = self.start.wrapping_add(offset);
        Some(Message { kind: MessageKind::from_number(kind), stream: self.stream, timestamp, payload })
    }
}

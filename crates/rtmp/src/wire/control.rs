//! User control messages and the other control messages that carry one number.
//!
//! Source: Adobe RTMP 1.0 §5.4, §6.2, §7.1.7.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_flv::Reader;

use super::{Message, MessageKind, WireError};

/// What a user control message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// Media follows on this message stream.
    StreamBegin(u32),
    /// No more media follows on this message stream.
    StreamEof(u32),
    /// The client keeps this many milliseconds.
    BufferLength(u32, u32),
    /// Are you there?
    PingRequest(u32),
    /// Yes.
    PingResponse(u32),
    /// Anything else; passed over.
    Other(u16),
}

impl UserControl {
    /// Reads the payload of a user control message.
    ///
    /// # Errors
    /// It is too short for what it says.
    pub fn parse(payload: Bytes) -> Result<UserControl, WireError> {
        let malformed = |_| WireError::Malformed("user control message");
        let mut reader = Reader::new(payload);
        let event = reader.u16("an event type").map_err(malformed)?;
        let mut number = || reader.u32("an event").map_err(malformed);
        Ok(match event {
            0 => UserControl::StreamBegin(number()?),
            1 => UserControl::StreamEof(number()?),
            3 => UserControl::BufferLength(number()?, number()?),
            6 => UserControl::PingRequest(number()?),
            7 => UserControl::PingResponse(number()?),
            other => UserControl::Other(other),
        })
    }

    /// The message that says so.
    pub fn message(self) -> Message {
        let (event, numbers): (u16, &[u32]) = match &self {
            UserControl::StreamBegin(stream) => (0, std::slice::from_ref(stream)),
            UserControl::StreamEof(stream) => (1, std::slice::from_ref(stream)),
            UserControl::BufferLength(stream, length) => (3, &[*stream, *length]),
            UserControl::PingRequest(time) => (6, std::slice::from_ref(time)),
            UserControl::PingResponse(time) => (7, std::slice::from_ref(time)),
            UserControl::Other(event) => (*event, &[]),
        };
        let mut payload = BytesMut::with_capacity(10);
        payload.put_u16(event);
        numbers.iter().for_each(|number| payload.put_u32(*number));
        control(MessageKind::UserControl, payload.freeze())
    }
}

/// A control message of one number: Set Chunk Size, Abort, Acknowledgement, Window Acknowledgement Size.
pub fn number_message(kind: MessageKind, number: u32) -> Message {
    control(kind, Bytes::copy_from_slice(&number.to_be_bytes()))
}

/// Set Peer Bandwidth, of the dynamic sort.
pub fn peer_bandwidth(window: u32) -> Message {
    let mut payload = BytesMut::with_capacity(5);
    payload.put_u32(window);
    payload.put_u8(2);
    control(MessageKind::PeerBandwidth, payload.freeze())
}

/// The number that a control message begins with.
///
/// # Errors
/// It is too short.
pub fn parse_number(message: &Message) -> Result<u32, WireError> {
    let too_short = WireError::Malformed("control message");
    message.payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(too_short)
}

fn control(kind: MessageKind, payload: Bytes) -> Message {
    Message { kind, stream: 0, timestamp: 0, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_control_reads_back_as_written_and_survives_every_length() {
        let events = [
            UserControl::StreamBegin(1),
            UserControl::StreamEof(2),
            UserControl::BufferLength(1, 3_000),
            UserControl::PingRequest(u32::MAX),
            UserControl::PingResponse(7),
            UserControl::Other(32),
        ];
        for event in events {
            let payload = event.message().payload;
            assert_eq!(UserControl::parse(payload.clone()), Ok(event));
            for length in 0..payload.len() {
                assert!(UserControl::parse(payload.slice(..length)).is_err());
            }
        }
    }
}

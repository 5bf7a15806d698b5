//! Commands: remote calls and their answers, as AMF values.
//!
//! Source: Adobe RTMP 1.0 §7.2.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_flv::{
    Reader,
    amf::{self, Object, Value},
};

use super::{Message, MessageKind, WireError};

/// A command, or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is called: `connect`, `_result`, `onStatus`.
    pub name: Arc<str>,
    /// Which call an answer belongs to; zero if none is awaited.
    pub transaction: f64,
    /// The command object, mostly null.
    pub object: Value,
    /// What follows it.
    pub arguments: Vec<Value>,
}

impl Command {
    /// A command without arguments.
    pub fn new(name: &str, transaction: f64) -> Command {
        Command { name: name.into(), transaction, object: Value::Null, arguments: Vec::new() }
    }

    /// The same with another argument.
    #[must_use]
    pub fn with(mut self, argument: impl Into<Value>) -> Command {
        self.arguments.push(argument.into());
        self
    }

    /// The same with a command object.
    #[must_use]
    pub fn with_object(self, object: Object) -> Command {
        Command { object: object.into(), ..self }
    }

    /// An `onStatus` with level, code and description.
    pub fn on_status(level: &str, code: &str, description: &str) -> Command {
        Command::new("onStatus", 0.0).with(status(level, code, description))
    }

    /// Reads the payload of a command message.
    ///
    /// # Errors
    /// It is no AMF within the limits, or has no name.
    pub fn parse(message: &Message) -> Result<Command, WireError> {
        let unreadable = |source| WireError::Amf { what: "a command", source };
        let mut values = amf::read_all_amf0(&mut Reader::new(amf0_payload(message))).map_err(unreadable)?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(WireError::Malformed("command: it has no name"));
        };
        let transaction = values.next().and_then(|value| value.as_f64()).unwrap_or(0.0);
        let object = values.next().unwrap_or(Value::Null);
        Ok(Command { name, transaction, object, arguments: values.collect() })
    }

    /// The message that carries it, in AMF 0.
    pub fn message(&self, stream: u32) -> Message {
        let mut payload = BytesMut::new();
        amf::write_amf0(&Value::String(self.name.clone()), &mut payload);
        amf::write_amf0(&Value::Number(self.transaction), &mut payload);
        amf::write_amf0(&self.object, &mut payload);
        self.arguments.iter().for_each(|argument| amf::write_amf0(argument, &mut payload));
        Message { kind: MessageKind::Command0, stream, timestamp: 0, payload: payload.freeze() }
    }

    /// The argument at this place as text.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).and_then(Value::as_str)
    }

    /// The argument at this place as a number.
    pub fn number(&self, index: usize) -> Option<f64> {
        self.arguments.get(index).and_then(Value::as_f64)
    }
}

/// The information object of an `onStatus` or `_result`.
pub fn status(level: &str, code: &str, description: &str) -> Object {
    Object::new().with("level", level).with("code", code).with("description", description)
}

/// The values of a command or data message; those of the AMF 3 kinds come behind a byte that selects the format.
pub fn amf0_payload(message: &Message) -> Bytes {
    match message.kind {
        MessageKind::Command3 | MessageKind::Data3 if message.payload.first() == Some(&0) => message.payload.slice(1..),
        _ => message.payload.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back_as_written() {
        let command = Command::new("connect", 1.0).with_object(Object::new().with("app", "live")).with("x").with(2.0);
        let mut message = command.message(0);
        assert_eq!(Command::parse(&message), Ok(command.clone()));
        message.kind = MessageKind::Command3;
        message.payload = [&[0][..], &message.payload].concat().into();
        assert_eq!(Command::parse(&message), Ok(command));
    }

    #[test]
    fn every_length_of_a_command_is_harmless() {
        let message = Command::on_status("error", "a", "b").message(1);
        for length in 0..message.payload.len() {
            let cut = Message { payload: message.payload.slice(..length), ..message.clone() };
            if length < 11 {
                assert!(Command::parse(&cut).is_err());
            }
            let _ = Command::parse(&cut);
        }
    }
}

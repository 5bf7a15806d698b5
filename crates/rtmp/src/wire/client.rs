//! The client's side of a conversation: for pulling from and pushing to other servers.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;
use headwater_flv::amf::{Object, Value};

use super::{
    Capabilities, Link, MessageKind, WireError,
    command::Command,
    control::{self, UserControl},
    handshake::ClientHandshake,
    server::Media,
};

const WINDOW: u32 = 2_500_000;
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const START: f64 = 5.0;
/// Milliseconds that we tell servers we keep.
const BUFFER_LENGTH: u32 = 1_000;

/// What the client wants of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To send a stream.
    Publish,
    /// To receive a stream.
    Play,
}

/// Where to, and what for.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is wanted.
    pub intent: Intent,
    /// The application, with its query if any.
    pub app: String,
    /// The whole URL up to the application.
    pub tc_url: String,
    /// The key, with its query if any.
    pub key: String,
}

/// What the server answers, or sends.
#[derive(Clone, Debug)]
pub enum Event {
    /// Media may flow.
    Started,
    /// Media or data of what is played.
    Media(Media),
    /// The server refuses, with its code and words.
    Refused {
        /// The status code.
        code: Arc<str>,
        /// The server's words.
        reason: Arc<str>,
    },
    /// The server says that the stream is over.
    Ended,
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Conversation {
    handshake: Option<ClientHandshake>,
    link: Link,
    request: Request,
    chunk_size: u32,
    stream: u32,
    started: bool,
}

impl Conversation {
    /// A conversation before its first byte. `chunk_size` is what we send with, `seed` any number that differs
    /// between connections.
    pub fn new(request: Request, chunk_size: u32, seed: u64) -> Conversation {
        let handshake = Some(ClientHandshake::new(seed));
        Conversation { handshake, link: Link::new(), request, chunk_size, stream: 0, started: false }
    }

    /// Takes bytes off the input until there is an event; `None` when more input is needed. The first call,
    /// without input, writes the handshake.
    ///
    /// # Errors
    /// The server breaks the protocol or a limit; the connection is to be closed.
    pub fn read(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Event>, WireError> {
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(input, self.link.output())? {
                return Ok(None);
            }
            self.handshake = None;
            self.connect();
        }
        while let Some(message) = self.link.read(input, now)? {
            let event = match message.kind {
                MessageKind::Command0 | MessageKind::Command3 => self.command(&Command::parse(&message)?),
                _ if self.stream == 0 || self.request.intent != Intent::Play => None,
                _ => Media::of(&message).map(Event::Media),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// What is to be sent; the caller takes it out.
    pub fn output(&mut self) -> &mut BytesMut {
        self.link.output()
    }

    /// The message stream that media goes on.
    pub fn stream(&self) -> u32 {
        self.stream
    }

    /// The chunk size of what we send.
    pub fn chunk_size(&self) -> u32 {
        self.link.chunk_size()
    }

    /// Takes leave.
    pub fn close(&mut self) {
        if self.request.intent == Intent::Publish {
            self.link.command(&Command::new("FCUnpublish", 0.0).with(self.request.key.as_str()), 0);
        }
        self.link.command(&Command::new("deleteStream", 0.0).with(f64::from(self.stream)), 0);
    }

    fn connect(&mut self) {
        self.link.set_chunk_size(self.chunk_size);
        let mut object = Object::new().with("app", self.request.app.as_str());
        if self.request.intent == Intent::Publish {
            object.push("type", "nonprivate");
        }
        object.push("flashVer", concat!("FMLE/3.0 (compatible; Headwater/", env!("CARGO_PKG_VERSION"), ")"));
        object.push("tcUrl", self.request.tc_url.as_str());
        if self.request.intent == Intent::Play {
            object.push("fpad", false);
            object.push("audioCodecs", 4071.0);
            object.push("videoCodecs", 252.0);
        }
        Capabilities::announce(&mut object);
        self.link.command(&Command::new("connect", CONNECT).with_object(object), 0);
    }

    fn command(&mut self, command: &Command) -> Option<Event> {
        match &*command.name {
            "_result" if command.transaction == CONNECT && self.stream == 0 => {
                self.create_stream();
                None
            }
            "_result" if command.transaction == CREATE_STREAM && self.stream == 0 => {
                self.stream = command.number(0).map_or(1, |id| id as u32).max(1);
                self.start();
                None
            }
            "_error" if command.transaction == CONNECT || command.transaction == CREATE_STREAM => {
                Some(refusal(command))
            }
            "onStatus" => self.status(command),
            _ => None,
        }
    }

    fn create_stream(&mut self) {
        self.link.send(&control::number_message(MessageKind::WindowSize, WINDOW));
        if self.request.intent == Intent::Publish {
            let key = self.request.key.as_str();
            self.link.command(&Command::new("releaseStream", RELEASE_STREAM).with(key), 0);
            self.link.command(&Command::new("FCPublish", FC_PUBLISH).with(key), 0);
        }
        self.link.command(&Command::new("createStream", CREATE_STREAM), 0);
    }

    fn start(&mut self) {
        let key = self.request.key.as_str();
        let command = match self.request.intent {
            Intent::Publish => Command::new("publish", START).with(key).with("live"),
            // Minus two: the live stream, or else a recorded one.
            Intent::Play => Command::new("play", START).with(key).with(-2.0),
        };
        self.link.command(&command, self.stream);
        if self.request.intent == Intent::Play {
            self.link.send(&UserControl::BufferLength(self.stream, BUFFER_LENGTH).message());
        }
    }

    fn status(&mut self, command: &Command) -> Option<Event> {
        let info = command.arguments.iter().find_map(Value::as_object)?;
        match info.text("code").unwrap_or_default() {
            "NetStream.Publish.Start" | "NetStream.Play.Start" if !self.started => {
                self.started = true;
                Some(Event::Started)
            }
            "NetStream.Play.UnpublishNotify" | "NetStream.Play.Stop" | "NetStream.Unpublish.Success" => {
                Some(Event::Ended)
            }
            _ if info.text("level") == Some("error") => Some(refusal(command)),
            _ => None,
        }
    }
}

fn refusal(command: &Command) -> Event {
    let info = command.arguments.iter().chain([&command.object]).find_map(Value::as_object);
    let text = |name: &str, default: &str| info.and_then(|info| info.text(name)).unwrap_or(default).into();
    Event::Refused { code: text("code", "NetConnection.Call.Failed"), reason: text("description", "no reason given") }
}

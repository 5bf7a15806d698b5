//! The server's side of a conversation: bytes in, what the client wants out.
//!
//! ```text
//!  client ── handshake ─────────────────► Stage::Handshake
//!         ── connect(app) ──────────────► Stage::Connect   ─► Event::Connect
//!         ── createStream, FCPublish … ─► Stage::Start
//!         ── publish(name) | play(name) ►                  ─► Event::Publish | Event::Play
//!         ── audio, video, data ────────► Stage::Active    ─► Event::Media
//!         ── deleteStream ──────────────► Stage::Start     ─► Event::Stop
//! ```

mod commands;

use std::{sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};
use headwater_flv::amf::Object;

use super::{
    Capabilities, Link, Message, MessageKind, WireError,
    command::{Command, amf0_payload, status},
    control::{self, UserControl},
    handshake::ServerHandshake,
};

/// Window that we tell clients; they acknowledge, and we do not wait for it.
const WINDOW: u32 = 2_500_000;

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The handshake is not over.
    Handshake,
    /// No connect command yet.
    Connect,
    /// Connected; neither publishing nor playing.
    Start,
    /// Publishing or playing, or waiting for the answer.
    Active,
}

/// What a client said of itself when it connected.
#[derive(Clone, Debug, Default)]
pub struct ConnectRequest {
    /// The application: the first part of the path, maybe with more parts and a query.
    pub app: Arc<str>,
    /// The address that it connects to, as it knows it.
    pub tc_url: Option<Arc<str>>,
    /// What the client calls itself.
    pub user_agent: Option<Arc<str>>,
    /// Which enhanced codecs it takes.
    pub capabilities: Capabilities,
}

/// What the client wants, or sends.
#[derive(Clone, Debug)]
pub enum Event {
    /// It wants to connect. Answer with [`Conversation::accept_connect`] or [`Conversation::refuse_connect`].
    Connect(ConnectRequest),
    /// It wants to publish under this key, maybe with a query. Answer with [`Conversation::accept_publish`] or
    /// [`Conversation::refuse`].
    Publish {
        /// The key after the application.
        key: Arc<str>,
    },
    /// It wants to play. Answer with [`Conversation::accept_play`] or [`Conversation::refuse`].
    Play {
        /// The key after the application.
        key: Arc<str>,
    },
    /// Media or data of what it publishes.
    Media(Media),
    /// It wants no media for now, or wants it again.
    Pause(bool),
    /// It has stopped publishing or playing.
    Stop,
}

/// One message of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Audio, video or data.
    pub kind: MediaKind,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The tag body.
    pub body: Bytes,
}

/// What a message of media carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// An audio tag body.
    Audio,
    /// A video tag body.
    Video,
    /// AMF 0 values.
    Data,
}

impl Media {
    /// The media of a message, if it carries any.
    pub fn of(message: &Message) -> Option<Media> {
        let kind = match message.kind {
            MessageKind::Audio => MediaKind::Audio,
            MessageKind::Video => MediaKind::Video,
            MessageKind::Data0 | MessageKind::Data3 => MediaKind::Data,
            _ => return None,
        };
        Some(Media { kind, timestamp: message.timestamp, body: amf0_payload(message) })
    }
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Conversation {
    handshake: Option<ServerHandshake>,
    link: Link,
    stage: Stage,
    chunk_size: u32,
    /// Which call the answer to connect belongs to.
    connecting: f64,
    /// Message streams made so far.
    streams: u32,
    /// The message stream that publishes or plays.
    active: u32,
    publishing: bool,
}

impl Conversation {
    /// A conversation before its first byte. `chunk_size` is what we send with, `seed` any number that differs
    /// between connections.
    pub fn new(chunk_size: u32, seed: u64) -> Conversation {
        Conversation {
            handshake: Some(ServerHandshake::new(seed)),
            link: Link::new(),
            stage: Stage::Handshake,
            chunk_size,
            connecting: 0.0,
            streams: 0,
            active: 0,
            publishing: false,
        }
    }

    /// Takes bytes off the input until there is an event; `None` when more input is needed.
    ///
    /// # Errors
    /// The client breaks the protocol or a limit; the connection is to be closed.
    pub fn read(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Event>, WireError> {
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(input, self.link.output())? {
                return Ok(None);
            }
            self.handshake = None;
            self.stage = Stage::Connect;
        }
        while let Some(message) = self.link.read(input, now)? {
            if let Some(event) = self.message(&message)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What is to be sent; the caller takes it out.
    pub fn output(&mut self) -> &mut BytesMut {
        self.link.output()
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The message stream that publishes or plays.
    pub fn active_stream(&self) -> u32 {
        self.active
    }

    /// The chunk size of what we send.
    pub fn chunk_size(&self) -> u32 {
        self.link.chunk_size()
    }

    /// Takes the client in.
    pub fn accept_connect(&mut self) {
        self.stage = Stage::Start;
        self.link.send(&control::number_message(MessageKind::WindowSize, WINDOW));
        self.link.send(&control::peer_bandwidth(WINDOW));
        self.link.set_chunk_size(self.chunk_size);
        let server = Object::new().with("fmsVer", "FMS/3,5,7,7009").with("capabilities", 31.0).with("mode", 1.0);
        let mut info = status("status", "NetConnection.Connect.Success", "connected");
        info.push("objectEncoding", 0.0);
        Capabilities::announce(&mut info);
        let answer = Command::new("_result", self.connecting).with_object(server).with(info);
        self.link.command(&answer, 0);
    }

    /// Does not take the client in; the connection is to be closed.
    pub fn refuse_connect(&mut self, reason: &str) {
        let info = status("error", "NetConnection.Connect.Rejected", reason);
        self.link.command(&Command::new("_error", self.connecting).with(info), 0);
    }

    /// Lets the client publish.
    pub fn accept_publish(&mut self) {
        let fc = Command::new("onFCPublish", 0.0).with(status("status", "NetStream.Publish.Start", "publishing"));
        self.link.command(&fc, 0);
        self.status("status", "NetStream.Publish.Start", "publishing");
    }

    /// Lets the client play; media may follow.
    pub fn accept_play(&mut self) {
        self.link.send(&UserControl::StreamBegin(self.active).message());
        self.status("status", "NetStream.Play.Reset", "playing");
        self.status("status", "NetStream.Play.Start", "playing");
    }

    /// Refuses to publish or play, with a reason in words.
    pub fn refuse(&mut self, code: &str, reason: &str) {
        self.status("error", code, reason);
        self.stage = Stage::Start;
    }

    /// Tells a player that what it plays is over.
    pub fn end_play(&mut self, reason: &str) {
        self.link.send(&UserControl::StreamEof(self.active).message());
        self.status("status", "NetStream.Play.UnpublishNotify", reason);
        self.status("status", "NetStream.Play.Stop", reason);
    }

    /// Asks the client to connect anew, to this address or to the one that it knows, when it is convenient.
    ///
    /// Source: Enhanced RTMP v2, "Reconnect Request".
    pub fn ask_to_reconnect(&mut self, tc_url: Option<&str>, description: &str) {
        let mut info = status("status", "NetConnection.Connect.ReconnectRequest", description);
        if let Some(tc_url) = tc_url {
            info.push("tcUrl", tc_url);
        }
        self.link.command(&Command::new("onStatus", 0.0).with(info), 0);
    }

    /// Sends an `onStatus` on the active message stream.
    pub fn status(&mut self, level: &str, code: &str, description: &str) {
        self.link.command(&Command::on_status(level, code, description), self.active);
    }

    fn message(&mut self, message: &Message) -> Result<Option<Event>, WireError> {
        match message.kind {
            MessageKind::Command0 | MessageKind::Command3 => {
                let command = Command::parse(message)?;
                self.command(&command, message.stream)
            }
            // Media that nobody asked for is passed over: some encoders send it before the answer to publish.
            _ if self.stage != Stage::Active || !self.publishing => Ok(None),
            _ => Ok(Media::of(message).map(Event::Media)),
        }
    }

    fn connect(&mut self, command: &Command) -> Result<Option<Event>, WireError> {
        let nothing = Object::new();
        let object = command.object.as_object().unwrap_or(&nothing);
        let app = object.text("app").ok_or(WireError::OutOfOrder("connect without the name of an application"))?;
        let request = ConnectRequest {
            app: app.into(),
            tc_url: object.text("tcUrl").map(Arc::from),
            user_agent: object.text("flashVer").map(Arc::from),
            capabilities: Capabilities::from_connect(object),
        };
        self.connecting = command.transaction;
        Ok(Some(Event::Connect(request)))
    }
}

#[cfg(test)]
mod tests;

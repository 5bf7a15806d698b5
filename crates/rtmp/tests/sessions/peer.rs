//! A publisher or player over a pipe in memory, driven message by message.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use headwater_access::Gates;
use headwater_flv::{Media, MediaReader, amf::Object};
use headwater_graph::{Hub, HubOptions};
use headwater_net::{Listener, Quota, TokioEnvironment};
use headwater_rtmp::{
    Context, RtmpConfig, RtmpError, handle_connection, serve,
    wire::{
        Link, Message, MessageKind, chunk,
        client::{Conversation, Event, Intent, Request},
        command::Command,
        server::MediaKind,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::TcpSocket,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// 640x360 of x264, High profile.
pub(crate) const AVCC: &[u8] = &[
    0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x2f, 0xf9, 0x70,
    0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96, 0x01, 0x00, 0x04, 0x68,
    0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8, 0x00,
];
/// AAC-LC, 44.1 kHz, stereo.
pub(crate) const ASC: &[u8] = &[0x12, 0x10];

/// A server without sockets.
pub(crate) struct Server {
    pub(crate) context: Context,
    pub(crate) stop: CancellationToken,
}

impl Server {
    pub(crate) fn new() -> Server {
        Server::with(RtmpConfig::default())
    }

    pub(crate) fn with(config: RtmpConfig) -> Server {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        Server { context: Context::new(hub, config), stop: CancellationToken::new() }
    }

    /// One that asks these gates.
    pub(crate) fn gated(gates: Gates) -> Server {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let context = Context::with_gates(hub, RtmpConfig::default(), gates);
        Server { context, stop: CancellationToken::new() }
    }

    /// Opens a connection whose pipe holds so many bytes; gives our end and the server's session.
    pub(crate) fn open(&self, pipe: usize) -> (DuplexStream, JoinHandle<Result<(), RtmpError>>) {
        let (ours, theirs) = tokio::io::duplex(pipe);
        let (context, stop) = (self.context.clone(), self.stop.clone());
        (ours, tokio::spawn(async move { handle_connection(theirs, None, &context, &stop).await }))
    }

    /// Listens on a port of loopback, as the real server does.
    pub(crate) fn listen(&self) -> SocketAddr {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &Quota::connections()).unwrap();
        let address = listener.local_address().unwrap();
        tokio::spawn(serve(listener, self.context.clone(), self.stop.clone()));
        address
    }

    /// A player over TCP, whose socket buffers so many bytes if that is said.
    pub(crate) async fn tcp_player(&self, address: SocketAddr, key: &str, buffer: Option<u32>) -> Peer {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer).unwrap();
        }
        let io = socket.connect(address).await.unwrap();
        Peer::begin(Box::new(io), tokio::spawn(async { Ok(()) }), Intent::Play, "live", key).await
    }

    pub(crate) async fn publisher(&self, key: &str) -> Peer {
        Peer::start(self, Intent::Publish, "live", key, 1 << 20).await
    }

    pub(crate) async fn player(&self, key: &str) -> Peer {
        Peer::start(self, Intent::Play, "live", key, 1 << 20).await
    }

    /// Waits until a count is what it shall be.
    pub(crate) async fn until(&self, name: &str, value: u64) {
        for _ in 0..500 {
            if self.count(name) == value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} stays {} instead of {value}", self.count(name));
    }

    /// Waits until so many bytes have come.
    pub(crate) async fn until_received(&self, bytes: u64) {
        while self.count("bytes_received") < bytes {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let list = self.context.counters().list();
        list.iter().find(|(known, ..)| *known == name).map(|(.., value)| *value).unwrap()
    }
}

/// One message of media as a player sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: MediaKind,
    pub(crate) timestamp: u32,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn is_config(&self) -> bool {
        let mut reader = MediaReader::new();
        let events = match self.kind {
            MediaKind::Video => reader.video(self.body.clone()),
            MediaKind::Audio => reader.audio(self.body.clone()),
            MediaKind::Data => return false,
        };
        events.is_ok_and(|events| matches!(events.first().map(|event| &event.media), Some(Media::Config(_))))
    }

    pub(crate) fn is_key(&self) -> bool {
        self.kind == MediaKind::Video && self.body.first().is_some_and(|head| head >> 4 & 7 == 1) && !self.is_config()
    }
}

/// Either end of a pipe, or a socket.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(crate) struct Peer {
    io: Box<dyn Io>,
    input: BytesMut,
    conversation: Conversation,
    pub(crate) session: JoinHandle<Result<(), RtmpError>>,
    /// The reason, if the server refused.
    pub(crate) refused: Option<String>,
    pub(crate) ended: bool,
}

impl Peer {
    pub(crate) async fn start(server: &Server, intent: Intent, app: &str, key: &str, pipe: usize) -> Peer {
        let (io, session) = server.open(pipe);
        Peer::begin(Box::new(io), session, intent, app, key).await
    }

    async fn begin(
        io: Box<dyn Io>,
        session: JoinHandle<Result<(), RtmpError>>,
        intent: Intent,
        app: &str,
        key: &str,
    ) -> Peer {
        let request = Request { intent, app: app.to_owned(), tc_url: format!("rtmp://h/{app}"), key: key.to_owned() };
        let conversation = Conversation::new(request, 4_096, 1);
        let mut peer = Peer { io, input: BytesMut::new(), conversation, session, refused: None, ended: false };
        match peer.event().await {
            Some(Event::Started) => {}
            Some(Event::Refused { code, reason }) => peer.refused = Some(format!("{code}: {reason}")),
            other => panic!("neither started nor refused: {other:?}"),
        }
        peer
    }

    /// The next event; `None` when the server has closed.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let event = self.conversation.read(&mut self.input, Instant::now()).unwrap();
            let _ = self.io.write_all(&self.conversation.output().split()).await;
            if event.is_some() {
                return event;
            }
            if !matches!(self.io.read_buf(&mut self.input).await, Ok(1..)) {
                return None;
            }
        }
    }

    /// Sends one message in chunks of 4096.
    pub(crate) async fn send(&mut self, kind: MessageKind, timestamp: u32, body: &[u8]) {
        let chunk_stream = if kind == MessageKind::Video { chunk::VIDEO } else { chunk::AUDIO };
        let message = Message { kind, stream: 1, timestamp, payload: Bytes::copy_from_slice(body) };
        let mut out = BytesMut::new();
        chunk::write_message(&message, chunk_stream, 4_096, &mut out);
        self.io.write_all(&out).await.unwrap();
    }

    /// Sends a command without waiting for its answer.
    pub(crate) async fn command(&mut self, command: &Command) {
        let mut out = BytesMut::new();
        chunk::write_message(&command.message(1), chunk::COMMAND, 4_096, &mut out);
        self.io.write_all(&out).await.unwrap();
    }

    pub(crate) async fn configs(&mut self) {
        self.send(MessageKind::Video, 0, &[&[0x17, 0, 0, 0, 0], AVCC].concat()).await;
        self.send(MessageKind::Audio, 0, &[&[0xaf, 0], ASC].concat()).await;
    }

    pub(crate) async fn video(&mut self, timestamp: u32, key: bool, composition: u8, size: usize) -> Vec<u8> {
        let head = if key { 0x17 } else { 0x27 };
        let mut body = vec![head, 1, 0, 0, composition];
        body.extend((size as u32).to_be_bytes());
        body.extend((0..size).map(|at| (at as u32 ^ timestamp) as u8));
        self.send(MessageKind::Video, timestamp, &body).await;
        body
    }

    pub(crate) async fn audio(&mut self, timestamp: u32) -> Vec<u8> {
        let body = [&[0xaf, 1][..], &timestamp.to_be_bytes(), &[7; 100]].concat();
        self.send(MessageKind::Audio, timestamp, &body).await;
        body
    }

    /// The next so many media messages, without metadata.
    pub(crate) async fn see(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        while seen.len() < count {
            match tokio::time::timeout(Duration::from_secs(30), self.event()).await {
                Ok(Some(Event::Media(media))) if media.kind != MediaKind::Data => {
                    seen.push(Seen { kind: media.kind, timestamp: media.timestamp, body: media.body });
                }
                Ok(Some(Event::Ended)) => self.ended = true,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        seen
    }

    /// Passes over what comes; says whether nothing did for so long.
    pub(crate) async fn is_quiet(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.event()).await.is_err()
    }

    /// Leaves without a word.
    pub(crate) async fn vanish(self) {
        drop(self.io);
        let _ = self.session.await;
    }

    pub(crate) async fn deaf_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A player of old: its connect command says nothing of enhanced RTMP.
pub(crate) struct LegacyPlayer {
    io: DuplexStream,
    input: BytesMut,
    link: Link,
}

impl LegacyPlayer {
    pub(crate) async fn start(mut io: DuplexStream) -> LegacyPlayer {
        let mut out = BytesMut::from(&[&[3][..], &[0; 2 * 1_536]].concat()[..]);
        let connect = Command::new("connect", 1.0).with_object(Object::new().with("app", "live"));
        for (command, stream) in
            [(connect, 0), (Command::new("createStream", 2.0), 0), (Command::new("play", 3.0).with("cam"), 1)]
        {
            chunk::write_message(&command.message(stream), chunk::COMMAND, 128, &mut out);
        }
        io.write_all(&out).await.unwrap();
        let mut input = BytesMut::new();
        while input.len() < 1 + 2 * 1_536 {
            io.read_buf(&mut input).await.unwrap();
        }
        let _handshake = input.split_to(1 + 2 * 1_536);
        LegacyPlayer { io, input, link: Link::new() }
    }

    /// The bodies of all media up to the one that is looked for.
    pub(crate) async fn until(&mut self, found: impl Fn(&Bytes) -> bool) -> Vec<Bytes> {
        let mut bodies = Vec::new();
        loop {
            while let Some(message) = self.link.read(&mut self.input, Instant::now()).unwrap() {
                if matches!(message.kind, MessageKind::Audio | MessageKind::Video) {
                    bodies.push(message.payload.clone());
                    if found(&message.payload) {
                        return bodies;
                    }
                }
            }
            let read = tokio::time::timeout(Duration::from_secs(5), self.io.read_buf(&mut self.input)).await;
            assert!(matches!(read, Ok(Ok(1..))), "the server says nothing more");
        }
    }
}

//! Any bytes for the layers of RTMP, from the handshake to a whole session.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Instant,
};

use bytes::{Buf, BytesMut};
use headwater_flv::amf::Object;
use headwater_graph::{Hub, HubOptions};
use headwater_net::TokioEnvironment;
use headwater_rtmp::{
    Context, RtmpConfig, handle_connection,
    wire::{
        ChunkReader, Link, MessageKind, chunk, client,
        command::Command,
        control,
        handshake::{ClientHandshake, ServerHandshake},
        server,
    },
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// Both sides of the handshake.
pub fn handshake(data: &[u8]) {
    for piece in [1, 1_536, data.len().max(1)] {
        let (mut server, mut client) = (ServerHandshake::new(1), ClientHandshake::new(2));
        let (mut to_server, mut to_client, mut output) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        for piece in data.chunks(piece) {
            to_server.extend_from_slice(piece);
            to_client.extend_from_slice(piece);
            let over = server.read(&mut to_server, &mut output).unwrap_or(true);
            if over | client.read(&mut to_client, &mut output).unwrap_or(true) {
                break;
            }
        }
        assert!(output.len() <= 8 * 1_537, "the answers have a fixed length");
    }
}

/// Chunks in pieces as the first byte says. What comes out whole must be the same as from one piece.
pub fn chunk_stream(data: &[u8]) {
    let Some((piece, data)) = data.split_first() else { return };
    let now = Instant::now();
    let read = |piece: usize| {
        let mut reader = ChunkReader::new();
        let mut input = BytesMut::new();
        let mut messages = Vec::new();
        for piece in data.chunks(piece.max(1)) {
            input.extend_from_slice(piece);
            loop {
                match reader.read(&mut input, now) {
                    Ok(Some(message)) => {
                        if message.kind == MessageKind::SetChunkSize {
                            let _ = control::parse_number(&message).and_then(|size| reader.set_chunk_size(size));
                        }
                        messages.push(message);
                    }
                    Ok(None) => break,
                    Err(_) => return messages,
                }
            }
        }
        messages
    };
    assert_eq!(read(data.len()), read(usize::from(*piece)));
    let mut link = Link::new();
    let mut input = BytesMut::from(data);
    while let Ok(Some(_)) = link.read(&mut input, now) {}
}

/// A server's conversation with whatever comes, and a client's.
pub fn rtmp_conversation(data: &[u8]) {
    let now = Instant::now();
    let mut server = server::Conversation::new(128, 1);
    let mut input = BytesMut::from(&opening(data.first().copied().unwrap_or(0))[..]);
    input.extend_from_slice(data.get(1..).unwrap_or_default());
    while let Ok(Some(event)) = server.read(&mut input, now) {
        match event {
            server::Event::Connect(_) => server.accept_connect(),
            server::Event::Publish { .. } => server.accept_publish(),
            server::Event::Play { .. } => server.accept_play(),
            _ => {}
        }
    }
    let request = client::Request {
        intent: if data.len().is_multiple_of(2) { client::Intent::Play } else { client::Intent::Publish },
        app: "live".into(),
        tc_url: "rtmp://h/live".into(),
        key: "k".into(),
    };
    let mut client = client::Conversation::new(request, 128, 1);
    let mut input = BytesMut::from(&[&[3][..], &[0; 3_072], data].concat()[..]);
    while let Ok(Some(_)) = client.read(&mut input, now) {}
}

/// A whole session of the real server, over a byte stream that ends with the data.
pub fn rtmp_session_script(data: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    runtime.block_on(async {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let context = Context::new(hub, RtmpConfig::default());
        let mut input = opening(data.first().copied().unwrap_or(0));
        input.extend_from_slice(data.get(1..).unwrap_or_default());
        let io = Script(io::Cursor::new(input));
        let _ = handle_connection(io, None, &context, &CancellationToken::new()).await;
        let open = context.counters().list().into_iter().find(|(name, ..)| *name == "connections");
        assert_eq!(open.map(|(.., count)| count), Some(0), "a session that is over counts no more");
    });
}

/// What a well-behaved client sends first; the higher `stage`, the further it gets.
fn opening(stage: u8) -> Vec<u8> {
    let mut out = BytesMut::new();
    let stages = stage % 5;
    if stages > 0 {
        out.extend_from_slice(&[3]);
        out.extend_from_slice(&[0; 2 * 1_536]);
    }
    let commands = [
        Command::new("connect", 1.0).with_object(Object::new().with("app", "live")),
        Command::new("createStream", 2.0),
        Command::new("publish", 3.0).with("name").with("live"),
    ];
    for command in commands.iter().take(usize::from(stages).saturating_sub(1)) {
        let stream = if &*command.name == "publish" { 1 } else { 0 };
        chunk::write_message(&command.message(stream), chunk::COMMAND, 128, &mut out);
    }
    out.to_vec()
}

/// A peer that says what is in the script and takes whatever it is told.
struct Script(io::Cursor<Vec<u8>>);

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.0.remaining().min(buffer.remaining());
        buffer.put_slice(&self.0.copy_to_bytes(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut TaskContext<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

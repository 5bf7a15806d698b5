//! Any bytes for those who watch over a WebSocket: their requests, what they say, and the frames that they are sent.

use std::{future::Future, sync::Arc};

use axum::{body::Body, extract::Request};
use futures_util::FutureExt;
use headwater_access::Gates;
use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{Frame, StreamName};
use headwater_mse::{Mse, Tags, is_mse};
use headwater_net::TokioEnvironment;
use headwater_websocket::{Protocol, Visitor, converse, upgrade};
use headwater_wsplayer::{WsPlayer, is_wsplayer};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;

use super::frames::{Odd, frames};
use super::hls::{audio, boxes, video};

/// As much as a viewer that reads is ever behind by.
const SOCKET_BYTES: usize = 1 << 20;

/// A request: path and query in the first line, a header field in each other. Then what the client says at once.
pub fn websocket_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let Ok(mut request) = Request::get(lines.next().unwrap_or_default()).body(Body::empty()) else { return };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
            request.headers_mut().append(name, value);
        }
    }
    let (path, query) = (request.uri().path(), request.uri().query());
    let name = path.split_once('/').and_then(|(_, rest)| StreamName::new(rest).ok());
    let name = name.or_else(|| StreamName::new("camera").ok());
    if let Some(name) = name {
        Visitor::new(&WsPlayer::TERMS, name.clone(), None, request.headers(), query);
        Visitor::new(&Mse::TERMS, name, None, request.headers(), query);
    }
    assert!(!is_mse(path, request.headers()) || !is_wsplayer(path, request.headers()), "{path} is for both");
    let _ = upgrade(&mut request);
}

/// What a viewer says while it watches: frames of RFC 6455, which nobody waits for. The server's last words are whole.
pub fn websocket_words(data: &[u8]) {
    run(async {
        let stage = Stage::new();
        let (mut client, session) = stage.watch(WsPlayer::new(stage.hub.clone(), Gates::default()));
        client.write_all(data).await.unwrap_or_else(|error| panic!("the server takes nothing more: {error}"));
        client.shutdown().await.unwrap_or_else(|error| panic!("{error}"));
        session.await.unwrap_or_else(|error| panic!("{error}"));
        messages(&said(client).await);
    });
}

/// Frames of a picture and a sound, sent to a viewer of MSE, one of WSPlayer and a page of the WCS Web SDK.
pub fn websocket_frames(data: &[u8]) {
    run(async {
        let mut stage = Stage::new();
        let (mse, mse_session) = stage.watch(Mse::new(stage.hub.clone(), Gates::default()));
        let (wsplayer, wsplayer_session) = stage.watch(WsPlayer::new(stage.hub.clone(), Gates::default()));
        let peer = Peer::new("TEST", "page");
        let subscription = stage.hub.subscribe(&name(), peer).await.unwrap_or_else(|error| panic!("{error}"));
        let mut page = Tags::open(&subscription).unwrap_or_else(|reason| panic!("{reason}"));
        settle().await;
        let mut tags = Vec::new();
        stage.frames(data, || {
            while let Some(Some(message)) = page.next().now_or_never() {
                tags.extend_from_slice(&message);
            }
        });
        settle().await;
        stage.publication.end("no more of this");
        settle().await;
        for message in finish(mse, mse_session).await {
            let found = boxes(&message);
            assert!(found == ["ftyp", "moov"] || found == ["moof", "mdat"], "{found:?}");
        }
        for message in finish(wsplayer, wsplayer_session).await {
            assert!(message.len() >= 20 && message[0] < 2 && message[1] < 4, "{message:?}");
        }
        assert!(!tags.is_empty());
        check_tags(&tags);
    });
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap_or_else(|error| panic!("{error}")).block_on(test);
}

/// Lets feeds and sessions do what there is to do.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn name() -> StreamName {
    StreamName::new("camera").unwrap_or_else(|error| panic!("{error}"))
}

/// A stream whose first picture and first sound are there.
struct Stage {
    hub: Hub,
    publication: Publication,
    video: LaneWriter<Frame>,
    audio: LaneWriter<Frame>,
}

impl Stage {
    fn new() -> Stage {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let publication = hub.publish(name(), Peer::new("TEST", "source"));
        let mut publication = publication.unwrap_or_else(|error| panic!("{error}"));
        let mut lane = |parameters| publication.add_frames(parameters).unwrap_or_else(|error| panic!("{error}"));
        let (video, audio) = (lane((*video()).clone()), lane((*audio()).clone()));
        publication.ready();
        let mut stage = Stage { hub, publication, video, audio };
        stage.frames(&[0x02, 0, 0, 4, 0x65, 0x88, 0x84, 0, 0x03, 0, 0, 3, 0x21, 0x10, 0x05], || {});
        stage
    }

    fn watch<P: Protocol>(&self, protocol: P) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (client, server) = duplex(SOCKET_BYTES);
        let visitor = Visitor::new(&P::TERMS, name(), None, &HeaderMap::new(), None);
        (client, tokio::spawn(converse(protocol, server, visitor)))
    }

    fn frames(&mut self, data: &[u8], mut after: impl FnMut()) {
        for Odd { track, what, frame } in frames(data) {
            let writer = if track == 0 { &mut self.video } else { &mut self.audio };
            match (what, track) {
                (1, _) => writer.discontinuity(),
                (2, 0) => writer.set_parameters((*video()).clone()),
                (3, 1) => writer.set_parameters((*audio()).clone()),
                _ => {}
            }
            writer.push(frame);
            writer.ring();
            after();
        }
        after();
    }
}

/// Leaves, and says which binary messages have come.
async fn finish(mut client: DuplexStream, session: tokio::task::JoinHandle<()>) -> Vec<Vec<u8>> {
    client.shutdown().await.unwrap_or_else(|error| panic!("{error}"));
    session.await.unwrap_or_else(|error| panic!("{error}"));
    let messages = messages(&said(client).await).into_iter();
    let media: Vec<_> = messages.filter_map(|(opcode, message)| (opcode == 2).then_some(message)).collect();
    assert!(!media.is_empty(), "not even the first picture comes");
    media
}

/// All that the server has said.
async fn said(mut client: DuplexStream) -> Vec<u8> {
    let mut said = Vec::new();
    client.read_to_end(&mut said).await.unwrap_or_else(|error| panic!("{error}"));
    said
}

/// Opcode and payload of each message (RFC 6455 §5.2): whole ones in one frame each, of which a close is the last.
fn messages(mut said: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut messages: Vec<(u8, Vec<u8>)> = Vec::new();
    while let Some(([first, length], rest)) = said.split_first_chunk::<2>() {
        assert!(!messages.iter().any(|(opcode, _)| *opcode == 8), "something comes after the close");
        let (wide, rest) = rest.split_at(match length {
            126 => 2,
            127 => 8,
            _ => 0,
        });
        let length = match wide {
            [] => usize::from(*length),
            wide => wide.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        let (payload, rest) = rest.split_at(length);
        let opcode = first & 0x0f;
        assert!(first & 0xf0 == 0x80 && [1, 2, 8, 10].contains(&opcode), "{first:x}");
        assert!(opcode != 1 || serde_json::from_slice::<serde_json::Value>(payload).is_ok());
        messages.push((opcode, payload.to_vec()));
        said = rest;
    }
    assert!(said.is_empty(), "a message is cut");
    messages
}

/// Tags as the Web SDK reads them: sound or picture, time, length, body.
fn check_tags(mut tags: &[u8]) {
    while !tags.is_empty() {
        let Some(([kind, head @ ..], rest)) = tags.split_first_chunk::<9>() else { panic!("a tag is cut") };
        let length = head[4..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (body, rest) = rest.split_at(length);
        let is_known = match kind {
            8 => body.first().is_some_and(|what| *what < 2),
            9 => matches!(body, [0x17 | 0x27, 0 | 1, 0, 0, 0, ..]),
            _ => false,
        };
        assert!(is_known && head[..4] != [0; 4], "{kind} {body:?}");
        tags = rest;
    }
}

//! Any request for HLS, from its first line to the answer, held ones too.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::{body::to_bytes, response::Response};
use bytes::Bytes;
use futures_util::FutureExt;
use headwater_access::Gates;
use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_hls::{Hls, HlsConfig};
use headwater_media::{Frame, StreamName};
use headwater_net::TokioEnvironment;
use http::{HeaderName, HeaderValue, Request};
use tokio::task::yield_now;

use super::hls::{audio, video};

/// More than a playlist or a segment of these streams has.
const BODY_BYTES: usize = 1 << 20;

/// A request: path and query in the first line, a header field in each other. In it `$VIEWER`, `$MSN`, `$PART` and `$KEY`
/// stand for what the playlists of the stream `camera` told a player before: its viewer, and the part that comes next.
pub fn hls_request(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        answer(text);
    }
}

/// The status of the answer, if there is one.
fn answer(text: &str) -> Option<u16> {
    Request::get(text.lines().next()?).body(()).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap_or_else(|error| panic!("{error}")).block_on(async {
        let mut stage = Stage::new();
        let told = stage.arrive().await;
        let (status, _) = stage.ask(request(&told.fill_in(text))?).await?;
        Some(status)
    })
}

fn request(text: &str) -> Option<Request<()>> {
    let mut lines = text.lines();
    let mut request = Request::get(lines.next()?).body(()).ok()?;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
            request.headers_mut().append(name, value);
        }
    }
    Some(request)
}

/// What a player learns from its playlists.
struct Told {
    viewer: String,
    sequence: String,
    part: String,
    key: String,
}

impl Told {
    fn fill_in(&self, text: &str) -> String {
        let text = text.replace("$VIEWER", &self.viewer).replace("$MSN", &self.sequence);
        text.replace("$PART", &self.part).replace("$KEY", &self.key)
    }
}

/// A stream that is packaged.
struct Stage {
    hls: Hls,
    _publication: Publication,
    video: LaneWriter<Frame>,
    audio: LaneWriter<Frame>,
    /// Milliseconds that have been sent.
    sent: i64,
}

impl Stage {
    fn new() -> Stage {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let name = StreamName::new("camera").unwrap_or_else(|error| panic!("{error}"));
        let publication = hub.publish(name, Peer::new("TEST", "source"));
        let mut publication = publication.unwrap_or_else(|error| panic!("{error}"));
        let mut lane = |parameters| publication.add_frames(parameters).unwrap_or_else(|error| panic!("{error}"));
        let (video, audio) = (lane((*video()).clone()), lane((*audio()).clone()));
        publication.ready();
        let config = HlsConfig { segment: Duration::from_secs(1), ..HlsConfig::default() };
        let hls = Hls::new(hub, config, Gates::default());
        let mut stage = Stage { hls, _publication: publication, video, audio, sent: 0 };
        stage.send(3_300);
        stage
    }

    /// Ten pictures and ten packets of sound in a second.
    fn send(&mut self, milliseconds: i64) {
        let end = self.sent + milliseconds;
        while self.sent < end {
            let data = Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]);
            let (time, random_access) = (self.sent * 90, self.sent % 1_000 == 0);
            self.video.push(Frame { dts: time, pts: time, random_access, data });
            let (time, data) = (self.sent * 48, Bytes::from_static(&[0x21, 0x10, 0x05]));
            self.audio.push(Frame { dts: time, pts: time, random_access: true, data });
            self.sent += 100;
        }
        self.video.ring();
        self.audio.ring();
    }

    /// A player that has read both playlists.
    async fn arrive(&mut self) -> Told {
        let index = self.text("/camera/index.m3u8").await;
        let list = index.lines().find(|line| !line.starts_with('#')).unwrap_or_default().to_owned();
        let playlist = self.text(&format!("/camera/{list}")).await;
        let hint = playlist.split("_main-").last().unwrap_or_default();
        let mut pieces = hint.split(['.', '-']).map(str::to_owned);
        let (sequence, part) = (pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
        let viewer = list.split("viewer=").nth(1).unwrap_or_default().to_owned();
        let key = pieces.next().unwrap_or_default();
        assert!(viewer.len() == 32 && key.len() == 16 && !part.is_empty(), "{index}{playlist}");
        Told { viewer, sequence, part, key }
    }

    async fn text(&mut self, path: &str) -> String {
        let request = Request::get(path).body(()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, body) = self.ask(request).await.unwrap_or_else(|| panic!("{path} is not answered"));
        assert_eq!(status, 200, "{path}");
        String::from_utf8_lossy(&body).into_owned()
    }

    /// Asks, and sends a little more if the answer waits for that; players do not wait longer here.
    async fn ask(&mut self, request: Request<()>) -> Option<(u16, Bytes)> {
        let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 4_711);
        let mut answer = pin!(self.hls.clone().answer(remote, request.into_parts().0, None));
        for _ in 0..3 {
            for _ in 0..20 {
                if let Poll::Ready(response) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    return Some(check(response));
                }
                yield_now().await;
            }
            self.send(500);
        }
        None
    }
}

fn check(response: Response) -> (u16, Bytes) {
    let status = response.status().as_u16();
    assert!([200, 206, 400, 401, 403, 404, 406, 416, 429, 502, 503].contains(&status), "{status}");
    let headers = response.headers().clone();
    assert!(headers.contains_key("access-control-allow-origin"), "{headers:?}");
    let body = to_bytes(response.into_body(), BODY_BYTES).now_or_never();
    let Some(Ok(body)) = body else { panic!("the body of {status} waits, or is too long") };
    let is_playlist = headers.get("content-type").is_some_and(|kind| kind.as_bytes().ends_with(b"mpegurl"));
    if is_playlist && !headers.contains_key("content-encoding") {
        assert!(m3u8_rs::parse_playlist_res(&body).is_ok(), "{}", String::from_utf8_lossy(&body));
    }
    (status, body)
}

#[test]
fn requests_are_held_answered_and_refused_as_they_should_be() {
    let list = "/camera/_main.m3u8?viewer=$VIEWER";
    for (text, status) in [
        (format!("{list}&_HLS_msn=$MSN&_HLS_part=$PART\n"), 200),
        (format!("{list}&_HLS_msn=$MSN\n"), 200),
        ("/camera/_main-$MSN.$PART-$KEY.m4s\nrange: bytes=4-7\n".to_owned(), 206),
        (format!("{list}&_HLS_msn=18446744073709551615\n"), 400),
        ("/camera/_main-$MSN.$PART-0000000000000000.m4s\n".to_owned(), 404),
        ("/nobody/index.m3u8\n".to_owned(), 404),
    ] {
        assert_eq!(answer(&text), Some(status), "{text}");
    }
}

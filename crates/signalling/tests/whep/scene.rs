//! A stream, a server, and requests to it.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{ClockRate, Codec, Format, Packet, StreamName, TrackParameters, VideoFormat};
use headwater_net::{Quota, TokioEnvironment};
use headwater_signalling::{Entrance, Whep, Whip, is_whip};
use headwater_webrtc::{Config, PublishOptions, WebRtc};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use str0m::{
    Rtc,
    media::{Direction, MediaKind},
};
use tower::ServiceExt;

pub(crate) const SDP: &str = "application/sdp";
pub(crate) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

pub(crate) struct Scene {
    pub(crate) hub: Hub,
    pub(crate) webrtc: WebRtc,
    pub(crate) whep: Whep,
    pub(crate) whip: Whip,
    pub(crate) router: Router,
    pub(crate) publication: Publication,
    pub(crate) _video: LaneWriter<Packet>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A server with the stream `live/cam.1`, which has H.264 only.
pub(crate) fn scene() -> Scene {
    gated(Entrance::default())
}

/// The same where it is decided who may publish and play.
pub(crate) fn gated(entrance: Entrance) -> Scene {
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
    let name = StreamName::new("live/cam.1").unwrap();
    let mut publication = hub.publish(name, Peer::new("TEST", "publisher")).unwrap();
    let parameters = TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat::default()),
        config: Bytes::new(),
    };
    let video = publication.add_packets(parameters).unwrap();
    publication.ready();
    let config = Config { port: 0, shards: 1, ..Config::default() };
    let webrtc = WebRtc::start(&config, &Quota::connections()).unwrap();
    let servers = ["stun:stun.example.org:3478".to_owned(), "bad\nurl".to_owned()];
    let whep = Whep::new(hub.clone(), webrtc.clone(), &servers).with_entrance(entrance.clone());
    let whip = Whip::new(hub.clone(), webrtc.clone(), PublishOptions::default(), &servers).with_entrance(entrance);
    let router = whep.clone().into_router();
    Scene { hub, webrtc, router, whep, whip, publication, _video: video }
}

/// An offer to receive sound and picture.
pub(crate) fn offer() -> String {
    offer_to(Direction::RecvOnly)
}

/// An offer of sound and picture in one direction.
pub(crate) fn offer_to(direction: Direction) -> String {
    let mut rtc = Rtc::builder().build(std::time::Instant::now());
    let mut api = rtc.sdp_api();
    api.add_media(MediaKind::Audio, direction, None, None, None);
    api.add_media(MediaKind::Video, direction, None, None, None);
    api.apply().unwrap().0.to_sdp_string()
}

impl Scene {
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        let remote: SocketAddr = "127.0.0.1:55555".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(remote));
        let router = match is_whip(path.split('?').next().unwrap_or_default()) {
            true => self.whip.clone().into_router(),
            false => self.router.clone(),
        };
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Reply {
        self.ask(Method::POST, path, &[("content-type", SDP)], body).await
    }

    pub(crate) async fn patch(&self, path: &str, tag: &str, body: impl Into<Body>) -> Reply {
        let headers = [("content-type", FRAGMENT), ("if-match", tag)];
        self.ask(Method::PATCH, path, &headers, body).await
    }

    /// Begins a session; yields its path, its entity tag, and the offer.
    pub(crate) async fn begin(&self) -> (String, String, String) {
        let offer = offer();
        let reply = self.post("/live/cam.1/whep", offer.clone()).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        (reply.header("location").to_owned(), reply.header("etag").to_owned(), offer)
    }
}

/// The trickle fragment of the peer that made an offer.
pub(crate) fn fragment_of(offer: &str) -> String {
    let value = |name: &str| offer.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    format!(
        "{}\r\n{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2 192.0.2.1 61764 typ host\r\n",
        value("a=ice-ufrag"),
        value("a=ice-pwd")
    )
}

//! The API as its clients see it, over a hub with a source and viewers in memory.

mod access_lists;
mod attacks;
mod authorisation;
mod clients;
mod connections;
mod console;
mod description;
mod events;
mod metrics;
mod relays;
mod rest;
mod statistics;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use headwater_graph::{BoxFuture, Environment, Hub, HubOptions, LaneWriter, Peer, Publication, Subscription};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, Frame, StreamName, TrackParameters, VideoFormat};
use headwater_net::{Dialer, Reach};
use headwater_relay::Relays;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{Control, Node, Readiness};

struct Tokio;

impl Environment for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }
}

struct Server {
    hub: Hub,
    control: Control,
    router: Router,
    clients: Arc<clients::Noting>,
}

struct Source {
    _publication: Publication,
    video: LaneWriter<Frame>,
}

impl Server {
    fn new() -> Server {
        Server::with(|control| control)
    }

    fn with(more: impl FnOnce(Control) -> Control) -> Server {
        let options = HubOptions { grace: Duration::ZERO, ..HubOptions::default() };
        let hub = Hub::new(Arc::new(Tokio), options);
        let rtmp = headwater_rtmp::Context::new(hub.clone(), headwater_rtmp::RtmpConfig::default());
        let dialer = Dialer::new(Reach::new(["127.0.0.0/8"]).unwrap(), None).unwrap();
        let relays = Relays::new(rtmp, dialer, None, headwater_relay::Settings::default(), None);
        let clients = Arc::new(clients::Noting::default());
        let control = Control::new(hub.clone(), Readiness::new(), Node::default(), Vec::new());
        let control = more(control.with_clients(clients.clone()).with_relays(relays));
        let router = control.router();
        Server { hub, control, router, clients }
    }

    fn publish(&self, name: &str) -> Source {
        let peer = Peer::new("RTMP", format!("rtmp-{name}"))
            .with_remote("192.0.2.7:5000".parse().unwrap())
            .with_user_agent("OBS \"x\"\r\n\u{1b}[31m");
        let mut publication = self.hub.publish(StreamName::new(name).unwrap(), peer).unwrap();
        let video = publication.add_frames(video()).unwrap();
        publication.add_frames(audio()).unwrap();
        publication.ready();
        Source { _publication: publication, video }
    }

    async fn watch(&self, name: &str, session: &str) -> Subscription {
        let name = StreamName::new(name).unwrap();
        self.hub.subscribe(&name, Peer::new("WebRTC", session)).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::String(String::from_utf8_lossy(&body).into_owned())))
    }

    async fn post(&self, call: &str, body: Value) -> (StatusCode, Value) {
        self.call(&format!("stream/{call}"), body).await
    }

    async fn call(&self, call: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(format!("/rest-api/{call}")).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn metrics(&self) -> String {
        match self.send(Request::get("/metrics").body(Body::empty()).unwrap()).await {
            (StatusCode::OK, Value::String(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}

fn video() -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat { width: 1280, height: 720, frame_rate: Some(29.97) }),
        config: bytes::Bytes::new(),
    }
}

fn audio() -> TrackParameters {
    TrackParameters {
        codec: Codec::Aac,
        clock_rate: ClockRate::OPUS,
        format: Format::Audio(AudioFormat { sample_rate: 48_000, channels: 2 }),
        config: bytes::Bytes::new(),
    }
}

fn frame(index: i64, pts: i64) -> Frame {
    Frame { dts: index * 3_600, pts: pts * 3_600, random_access: index == 0, data: vec![0; 1_000].into() }
}

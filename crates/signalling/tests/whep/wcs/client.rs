//! A server with one stream, and clients of it.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use futures_util::{SinkExt, StreamExt};
use headwater_signalling::{
    Entrance, Wanted,
    wcs::{Origins, Wcs},
};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use str0m::{
    Rtc,
    media::{Direction, MediaKind},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use tower::ServiceExt;

use crate::scene::{Scene, scene};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that speaks the session protocol; it has the stream `live/cam.1` of [`Scene`].
pub(super) struct Server {
    pub(super) scene: Scene,
    pub(super) wcs: Wcs,
    pub(super) address: SocketAddr,
    /// Limits are the whole process's, and some tests set them.
    _turn: MutexGuard<'static, ()>,
}

/// A client's connection.
pub(super) struct Client(pub(super) WebSocketStream<TcpStream>);

impl Server {
    pub(super) async fn start() -> Server {
        Server::with(&[]).await
    }

    pub(super) async fn with(origins: &[&str]) -> Server {
        Server::new(origins, Entrance::default(), Wanted::default()).await
    }

    /// One where it is decided who may connect, publish and play.
    pub(super) async fn gated(entrance: Entrance) -> Server {
        Server::new(&[], entrance, Wanted::default()).await
    }

    /// One that asks publishers for something.
    pub(super) async fn asking(wanted: Wanted) -> Server {
        Server::new(&[], Entrance::default(), wanted).await
    }

    async fn new(origins: &[&str], entrance: Entrance, wanted: Wanted) -> Server {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let scene = scene();
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let (hub, webrtc) = (scene.hub.clone(), scene.webrtc.clone());
        let wcs = Wcs::asking(hub, webrtc, Origins::new(&origins), entrance, wanted);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, wcs.clone()));
        Server { scene, wcs, address, _turn: turn }
    }

    /// Opens a WebSocket with these headers besides the usual.
    pub(super) async fn open(&self, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        let mut request = format!("ws://{}/", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        client_async(request, stream).await.map(|(socket, _)| Client(socket))
    }

    /// Opens a WebSocket and says who it is.
    pub(super) async fn connect(&self) -> Client {
        let mut client = self.open(&[]).await.unwrap();
        client.say("connection", json!({ "appKey": "defaultApp", "mediaProviders": ["WebRTC"] })).await;
        assert_eq!(client.hear().await.0, "getUserData");
        client
    }

    /// Waits until no connection and no stream of one is left.
    pub(super) async fn wait_empty(&self) {
        let is_empty = || {
            let statistics = self.wcs.statistics();
            let shards = self.scene.webrtc.statistics();
            let sessions: u64 = shards.iter().map(|shard| shard.sessions).sum();
            let viewers = self.scene.publication.stream().viewer_count();
            (statistics.connections, statistics.streams, sessions, viewers) == (0, 0, 0, 0)
        };
        let emptied = timeout(PATIENCE, async {
            while !is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(emptied.await.is_ok(), "{:?} {:?}", self.wcs.statistics(), self.scene.webrtc.statistics());
    }
}

async fn serve(listener: TcpListener, wcs: Wcs) {
    while let Ok((stream, remote)) = listener.accept().await {
        let wcs = wcs.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(remote));
                let router = wcs.router();
                async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap()) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

impl Client {
    pub(super) async fn say(&mut self, message: &str, data: Value) {
        self.send(&json!({ "message": message, "data": [data] }).to_string()).await;
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message but pings, which are answered: its name and its data.
    pub(super) async fn hear(&mut self) -> (String, Value) {
        // Pings are no word.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message =
                timeout_at(deadline, self.0.next()).await.expect("nothing was said").expect("closed").unwrap();
            let Message::Text(text) = message else { panic!("{message:?}") };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            match message["message"].as_str().unwrap() {
                "ping" => self.say("pong", Value::Null).await,
                name => return (name.to_owned(), message["data"].take()),
            }
        }
    }

    /// The next message, which has this name: its first value.
    pub(super) async fn hear_of(&mut self, name: &str) -> Value {
        let (heard, mut data) = self.hear().await;
        assert_eq!(heard, name, "{data}");
        data[0].take()
    }

    /// The next message, which tells that a stream is at this: status and info.
    pub(super) async fn hear_status(&mut self, status: &str) -> Value {
        let told = self.hear_of("notifyStreamStatusEvent").await;
        assert_eq!(told["status"], status, "{told}");
        told
    }

    /// Waits for the end of the connection: its code.
    pub(super) async fn hear_close(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the connection was not closed") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Asks for a stream and hears the answer to the offer.
    pub(super) async fn begin(&mut self, message: &str, id: &str, name: &str) {
        self.say(message, stream(id, name, message == "publishStream")).await;
        self.hear_status("PENDING").await;
        let (name, data) = self.hear().await;
        assert_eq!((name.as_str(), &data[0]), ("setRemoteSDP", &json!(id)), "{data}");
        assert!(data[1].as_str().unwrap().starts_with("v=0\r\n"), "{data}");
    }
}

/// A stream as the Web SDK asks for it.
pub(super) fn stream(id: &str, name: &str, published: bool) -> Value {
    json!({
        "mediaSessionId": id, "name": name, "published": published, "hasVideo": true, "hasAudio": true,
        "status": "PENDING", "record": false, "mediaProvider": "WebRTC", "sdp": offer(published),
        "bitrate": 0, "minBitrate": 0, "maxBitrate": 0,
    })
}

fn offer(published: bool) -> String {
    let mut rtc = Rtc::builder().build(std::time::Instant::now());
    let mut api = rtc.sdp_api();
    let direction = if published { Direction::SendOnly } else { Direction::RecvOnly };
    api.add_media(MediaKind::Audio, direction, None, None, None);
    api.add_media(MediaKind::Video, direction, None, None, None);
    api.apply().unwrap().0.to_sdp_string()
}

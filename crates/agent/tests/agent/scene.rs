//! An agent, and servers that say whatever a test wants.

use std::sync::Arc;

use headwater_agent::{Agent, AgentError, Local, Remote};
use headwater_graph::{Hub, HubOptions, Peer, Publication, PublishError};
use headwater_media::StreamName;
use headwater_net::{Dialer, Quota, Reach, TokioEnvironment};
use headwater_webrtc::{Config, WebRtc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

/// Both ways of asking: what stands before the address of a server.
pub(crate) const WAYS: [&str; 2] = ["ws", "http"];

/// A server with an agent.
pub(crate) struct Scene {
    pub(crate) agent: Agent,
    pub(crate) hub: Hub,
    webrtc: WebRtc,
}

pub(crate) fn name() -> StreamName {
    StreamName::new("cam").unwrap()
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let webrtc = WebRtc::start(&Config { port: 0, shards: 1, ..Config::default() }, &Quota::connections()).unwrap();
        let dialer = Dialer::new(Reach::new(["127.0.0.0/8"]).unwrap(), None).unwrap();
        Scene { agent: Agent::new(webrtc.clone(), dialer), hub, webrtc }
    }

    /// Asks a server for a stream, and yields why it does not come.
    pub(crate) async fn refused(&self, url: &str) -> AgentError {
        let remote = Remote::parse(url, Some("cam")).unwrap();
        let played = self.agent.play(&remote, self, &CancellationToken::new()).await;
        self.check_clean();
        played.expect_err("no stream comes")
    }

    /// Nothing is left of what was asked for.
    pub(crate) fn check_clean(&self) {
        assert!(self.hub.find(&name()).is_none(), "the name is taken");
        assert_eq!(self.webrtc.pending(), 0);
        assert_eq!(self.webrtc.statistics().iter().map(|shard| shard.sessions).sum::<u64>(), 0);
    }
}

impl Local for Scene {
    fn publish(&self) -> Result<Publication, PublishError> {
        self.hub.publish(name(), Peer::new("WebRTC", "pull"))
    }

    fn agreed(&self, _remote_session: &str) {}
}

/// A server that does this with each connection; its address.
pub(crate) async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a request up to the end of its head.
pub(crate) async fn read_request(stream: &mut TcpStream) {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.is_ok_and(|count| count > 0) {
        read.push(byte[0]);
    }
}

/// Reads a request, answers these bytes, and closes the connection.
pub(crate) async fn answer(mut stream: TcpStream, bytes: &[u8]) {
    read_request(&mut stream).await;
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    // Whatever else comes is read, so that the answer is not lost to a reset.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// An answer of HTTP.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// A server of the session protocol up to where it is asked for a stream; the id of that.
pub(crate) async fn greet(stream: TcpStream) -> (WebSocketStream<TcpStream>, String) {
    use futures_util::{SinkExt, StreamExt};

    let mut socket = accept_async(stream).await.unwrap();
    loop {
        let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        match message["message"].as_str() {
            Some("connection") => {
                let greeting = r#"{"message":"getUserData","data":[{}]}"#;
                socket.send(Message::text(greeting)).await.unwrap();
            }
            Some("playStream") => {
                return (socket, message["data"][0]["mediaSessionId"].as_str().unwrap().to_owned());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// An answer whose only candidate is this.
pub(crate) fn sdp(candidate: &str) -> String {
    let fingerprint = vec!["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:passive\r\n\
         a=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
         a=candidate:1 1 udp 2130706431 {candidate} 8189 typ host\r\n"
    )
}

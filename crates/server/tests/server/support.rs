//! A server on ports that the system chooses, and a client of a few lines.

use std::{net::SocketAddr, ops::Deref, time::Duration};

use headwater_server::{Config, Load, Server, StartError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Limits hold for the whole process: a test that changes them runs alone.
static LIMITS: RwLock<()> = RwLock::const_new(());

/// A server that runs for one test.
pub(crate) struct TestServer {
    server: Server,
    _shared: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

impl Deref for TestServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl TestServer {
    pub(crate) async fn stop(self) -> bool {
        self.server.stop().await
    }
}

/// A server with ports of its own and these lines of configuration.
pub(crate) async fn start(lines: &str) -> TestServer {
    try_start(lines).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The same, if it starts.
pub(crate) async fn try_start(lines: &str) -> Result<TestServer, StartError> {
    let (_shared, _alone) = match lines.contains("[limits]") {
        true => (None, Some(LIMITS.write().await)),
        false => (Some(LIMITS.read().await), None),
    };
    Server::start(&config(lines)).map(|server| TestServer { server, _shared, _alone })
}

/// A server with this configuration, which holds the limits as they come.
pub(crate) async fn start_with(config: &Config) -> TestServer {
    let _shared = Some(LIMITS.read().await);
    let server = Server::start(config).unwrap_or_else(|error| panic!("{error}"));
    TestServer { server, _shared, _alone: None }
}

/// A configuration with ports that the system chooses, unless a line of the same section says otherwise.
pub(crate) fn config(lines: &str) -> Config {
    let mut text = lines.to_owned();
    for (section, line) in [
        ("http", "ports = [0]"),
        ("https", "enabled = false"),
        ("rtmp", "port = 0"),
        ("rtmps", "enabled = false"),
        ("webrtc", "port = 0"),
    ] {
        if !lines.contains(&format!("[{section}]")) {
            text.push_str(&format!("\n[{section}]\n{line}\n"));
        }
    }
    Config::parse(&text, "test.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// What a server answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// Sends one request and reads the answer until the server closes the connection.
pub(crate) async fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer within ten seconds");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, text }
}

/// A GET under the name `localhost`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
}

/// A call of the REST API.
pub(crate) async fn call(address: SocketAddr, call: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("POST /rest-api/stream/{call} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let fields = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    send(address, &format!("{head}{fields}{body}")).await
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}

/// Waits until tasks and connections are those of before.
pub(crate) async fn until_load(server: &Server, load: Load) {
    until(&format!("back to {load:?}"), || server.load() == load).await;
}

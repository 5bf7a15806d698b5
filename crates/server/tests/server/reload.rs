//! Another configuration while the server runs, as peers notice it.

use std::{fs, net::SocketAddr, path::Path};

use headwater_server::{Config, Sources};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{send, start_with};

const PORTS: &str = "[http]\nports = [0]\nHOSTS\n[https]\nenabled = false\n[rtmp]\nport = 0\n[rtmps]\nenabled = false\n\
                     [webrtc]\nport = 0\nBITRATES\n[wcs]\nORIGINS\n";

fn write(file: &Path, hosts: &str, origins: &str, bitrates: &str) {
    let text = PORTS.replace("HOSTS", hosts).replace("ORIGINS", origins).replace("BITRATES", bitrates);
    fs::write(file, text).unwrap();
}

async fn status(address: SocketAddr, host: &str) -> u16 {
    send(address, &format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await.status
}

/// Whether a page of this origin may open a session.
async fn may_open(address: SocketAddr, origin: &str) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let fields = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let request = format!("GET / HTTP/1.1\r\n{fields}\r\n{key}\r\nOrigin: {origin}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    match &status {
        b"HTTP/1.1 101" => true,
        b"HTTP/1.1 403" => false,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

#[tokio::test]
async fn host_names_and_origins_of_pages_change_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headwater.toml");
    write(&file, "hosts = [\"old.example.org\"]", "origins = [\"https://old.example.org\"]", "");
    let config = Config::load(&Sources { file: Some(file.clone()), ..Sources::default() }).unwrap();
    let server = start_with(&config).await;
    let address = server.address("HTTP").unwrap();
    assert_eq!((status(address, "old.example.org").await, status(address, "new.example.org").await), (200, 421));
    assert!(may_open(address, "https://old.example.org").await && !may_open(address, "https://new.example.org").await);

    write(
        &file,
        "hosts = [\"new.example.org\"]",
        "origins = [\"https://new.example.org\"]",
        "publish_bitrate_max = 1000000",
    );
    let reloaded = server.reload().unwrap();
    assert_eq!(reloaded.applied, ["http.hosts", "webrtc.publish_bitrate_max", "wcs.origins"]);
    assert!(reloaded.waiting.is_empty(), "{reloaded:?}");
    assert_eq!((status(address, "old.example.org").await, status(address, "new.example.org").await), (421, 200));
    assert!(!may_open(address, "https://old.example.org").await && may_open(address, "https://new.example.org").await);

    write(&file, "hosts = [\"no name\"]", "origins = []", "");
    assert!(server.reload().is_err());
    assert!(may_open(address, "https://new.example.org").await, "what was refused is not in force");
    assert!(server.stop().await);
}

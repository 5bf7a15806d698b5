//! What holds for all of the server's code, and for whatever speaks HTTP to it.

use std::{fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::start;

/// Whether a text of Rust starts programs.
fn starts_programs(text: &str) -> bool {
    ["process::Command", "libc::execv", "libc::system", "CommandExt"].iter().any(|word| text.contains(word))
}

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn attack_p5_nothing_of_the_server_starts_another_program() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for folder in [crates, crates.join("../bins").as_path()] {
        for member in fs::read_dir(folder).unwrap().flatten() {
            sources(&member.path().join("src"), &mut found);
        }
    }
    assert!(found.len() > 300, "{} files", found.len());
    for file in found {
        assert!(!starts_programs(&fs::read_to_string(&file).unwrap()), "{} starts a program", file.display());
    }
    assert!(starts_programs("use std::process::Command;"));
}

/// RFC 9113 §3.4. What is spoken is HTTP/1.1, which leaves out floods of resets and of frames.
#[tokio::test]
async fn attack_p8_http_2_is_not_spoken() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stays open");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&answer));
    assert!(server.stop().await);
}

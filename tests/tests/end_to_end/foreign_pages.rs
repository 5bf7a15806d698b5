//! Pages of other sites that open WebSockets to a server on their visitor's machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::{origin::Origin, shared_turn, source::Source};

/// What a server answers to a browser that opens a WebSocket for a page of this origin.
fn knock(server: &Origin, path: &str, page: Option<&str>) -> Result<u16> {
    let mut stream = TcpStream::connect((server.host(), 8080))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let origin = page.map(|page| format!("Origin: {page}\r\n")).unwrap_or_default();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}:8080\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{origin}\r\n",
        server.host()
    )?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    let status = std::str::from_utf8(&line)?.rsplit(' ').next().context("no status")?;
    status.parse().with_context(|| format!("{status:?} is no status"))
}

#[test]
fn a_page_of_another_site_opens_no_websocket_to_its_visitors_own_machine() -> Result<()> {
    let _turn = shared_turn();
    let paths = ["/ws/cam", "/mse/cam", "/"];
    let (plain, named) = (Origin::start()?, Origin::configured(&[("WCS__ORIGINS", "https://shop.example")])?);
    let source = Source::default();
    let _sources = [source.publish(&plain.rtmp("cam"))?, source.publish(&named.rtmp("cam"))?];
    for server in [&plain, &named] {
        server.wait_published("cam")?;
        for path in paths {
            for (page, expected) in [
                (None, 101),
                (Some("http://localhost:3000"), 101),
                (Some("https://evil.example"), 403),
                (Some("http://localhost.evil.example"), 403),
                (Some("null"), 403),
                (Some("https://shop.example"), if std::ptr::eq(server, &named) { 101 } else { 403 }),
            ] {
                let status = knock(server, path, page)?;
                ensure!(status == expected, "{path} from {page:?}: {status}, not {expected}");
            }
        }
    }
    Ok(())
}

//! WHEP as a client sees it: each request and each refusal.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::http::{Answer, exchange};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::shared_turn;
use headwater_tests::source::{Source, publish_file};

/// A receive-only offer as browsers make it, cut to what matters.
const OFFER: &str = include_str!("offer.sdp");

struct Live {
    origin: Origin,
    publisher: Program,
}

impl Live {
    fn start() -> Result<Live> {
        let origin = Origin::start()?;
        let publisher = publish_file(&Source::default().file(60)?, &origin.rtmp("cam"), 0.0)?;
        origin.wait_published("cam")?;
        Ok(Live { origin, publisher })
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Result<Answer> {
        exchange(&self.origin.http(), method, path, headers, body)
    }

    fn offer(&self, path: &str) -> Result<Answer> {
        self.ask("POST", path, &["Content-Type: application/sdp"], &OFFER.replace('\n', "\r\n"))
    }

    fn end(self) -> Result<()> {
        self.publisher.kill();
        self.origin.stop()?;
        Ok(())
    }
}

fn path_of(location: &str) -> String {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/".to_owned(), |at| rest[at..].to_owned()),
        None => location.to_owned(),
    }
}

#[test]
fn an_offer_is_answered_with_everything_a_client_needs_and_deleted_once() -> Result<()> {
    let _turn = shared_turn();
    let live = Live::start()?;
    let answer = live.offer("/cam/whep")?;
    ensure!(answer.status == 201, "{answer:?}");
    ensure!(answer.header("Content-Type") == Some("application/sdp"), "{}", answer.head);
    let length = answer.header("Content-Length").context("no Content-Length")?;
    ensure!(length.parse() == Ok(answer.body.len()), "Content-Length {length} for {} bytes", answer.body.len());
    let etag = answer.header("ETag").context("no ETag")?;
    ensure!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for line in ["a=setup:passive", "a=sendonly", "H264/90000", "opus/48000/2", "a=candidate:", "a=ice-lite"] {
        ensure!(answer.body.contains(line), "no {line} in {}", answer.body);
    }
    ensure!(!answer.body.contains("profile-level-id=64"), "High alone is refused by browsers: {}", answer.body);
    let first = answer.body.lines().find(|line| line.starts_with("a=candidate:")).unwrap_or_default();
    ensure!(first.to_lowercase().contains(" udp "), "some clients give up when the first candidate is TCP: {first}");
    let session = path_of(answer.header("Location").context("no Location")?);
    ensure!(live.ask("DELETE", &session, &[], "")?.status == 200);
    ensure!(live.ask("DELETE", &session, &[], "")?.status == 404);
    live.end()
}

#[test]
fn a_page_of_another_site_may_play() -> Result<()> {
    let _turn = shared_turn();
    let live = Live::start()?;
    let headers = [
        "Origin: https://example.org",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
    ];
    let preflight = live.ask("OPTIONS", "/cam/whep", &headers, "")?;
    ensure!(preflight.status == 204 || preflight.status == 200, "{preflight:?}");
    ensure!(preflight.header("Access-Control-Allow-Origin").is_some(), "{}", preflight.head);
    allows(&preflight, &["POST"])?;
    let headers = ["Origin: https://example.org", "Content-Type: application/sdp"];
    let answer = live.ask("POST", "/cam/whep", &headers, &OFFER.replace('\n', "\r\n"))?;
    ensure!(answer.status == 201, "{answer:?}");
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap_or_default().to_lowercase();
    for header in ["location", "etag", "link"] {
        ensure!(exposed.contains(header), "{header} is not among {exposed}");
    }
    let session = path_of(answer.header("Location").context("no Location")?);
    let headers = ["Origin: https://example.org", "Access-Control-Request-Method: PATCH"];
    allows(&live.ask("OPTIONS", &session, &headers, "")?, &["PATCH", "DELETE"])?;
    live.end()
}

fn allows(preflight: &Answer, methods: &[&str]) -> Result<()> {
    let allowed = preflight.header("Access-Control-Allow-Methods").unwrap_or_default();
    for method in methods {
        ensure!(allowed.contains(method), "{method} is not among {allowed:?}: {preflight:?}");
    }
    Ok(())
}

/// Method, path, headers, body, and the statuses that are right.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a str, &'a [u16]);

#[test]
fn each_wrong_request_gets_the_right_status_and_a_sentence() -> Result<()> {
    let _turn = shared_turn();
    let live = Live::start()?;
    let sdp = &["Content-Type: application/sdp"];
    let cases: [Case<'_>; 7] = [
        ("POST", "/nobody/whep", sdp, OFFER, &[404]),
        ("POST", "/cam/whep", &["Content-Type: text/plain"], OFFER, &[415]),
        ("POST", "/cam/whep", sdp, "hello", &[400]),
        ("POST", "/cam/whep", sdp, "", &[400]),
        ("PUT", "/cam/whep", sdp, OFFER, &[405]),
        (
            "PATCH",
            "/cam/whep/0123456789abcdef0123456789abcdef",
            &["Content-Type: application/trickle-ice-sdpfrag"],
            "a=x",
            &[404],
        ),
        ("POST", "/..%2fcam/whep", sdp, OFFER, &[400, 404]),
    ];
    for (method, path, headers, body, expected) in cases {
        let answer = live.ask(method, path, headers, body)?;
        ensure!(expected.contains(&answer.status), "{method} {path} {headers:?}: {answer:?}");
        ensure!(answer.body.split_whitespace().count() >= 3, "{method} {path}: no sentence in {answer:?}");
    }
    let huge = "a=".repeat(100_000);
    let answer = live.ask("POST", "/cam/whep", sdp, &huge)?;
    ensure!((400..500).contains(&answer.status), "{answer:?}");
    live.end()
}

#[test]
fn sessions_that_never_connect_are_forgotten() -> Result<()> {
    let _turn = shared_turn();
    let live = Live::start()?;
    let before = live.origin.held()?;
    for _ in 0..50 {
        let answer = live.offer("/cam/whep")?;
        ensure!(answer.status == 201, "{answer:?}");
    }
    std::thread::sleep(Duration::from_secs(1));
    live.origin.wait_baseline(&before)?;
    live.end()
}

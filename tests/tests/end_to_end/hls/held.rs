//! Hundreds of players that wait for the same part.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, http, report};

use super::{beside, fetch};

const INDEX: &str = "/clock/index.m3u8";
const VIEWERS: usize = 40;
/// Fewer than one viewer may have.
const OF_EACH: usize = 5;

/// While the source rests, all wait; when it goes on, all get the same playlist, at once and whole.
#[test]
fn hundreds_of_held_requests_are_answered_together_with_one_playlist() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let playlists = (0..VIEWERS).map(|viewer| arrive(&origin, viewer)).collect::<Result<Vec<_>>>()?;
    let first = playlists.first().context("no viewers")?;
    fetch(&origin, first)?;
    publisher.signal("STOP")?;
    let mut last = (Instant::now(), String::new());
    until("the playlist rests for longer than a part", Duration::from_secs(4), || {
        let now = fetch(&origin, first).map(|answer| answer.body).unwrap_or_default();
        if now != last.1 {
            last = (Instant::now(), now);
        }
        last.0.elapsed() > Duration::from_millis(400)
    })?;
    let asked = hold_all(&origin, &playlists)?;
    let all = (VIEWERS * OF_EACH) as f64;
    until("all requests are held", Duration::from_secs(4), || held(&origin).is_ok_and(|held| held == all))?;
    publisher.signal("CONT")?;
    let begin = Instant::now();
    let mut answers = asked.into_iter().map(Asked::answer).collect::<Result<Vec<_>>>()?;
    report(&format!(
        "{all} held requests: all answers {:.0} ms after the source went on",
        begin.elapsed().as_secs_f64() * 1e3
    ));
    answers.sort();
    answers.dedup();
    // Some may have been looked at when there was already one part more.
    ensure!(answers.len() <= 3, "{} different playlists: {answers:#?}", answers.len());
    ensure!(answers.iter().all(|answer| answer.contains("#EXT-X-PRELOAD-HINT")), "{answers:#?}");
    until("nothing is held any more", Duration::from_secs(4), || held(&origin).is_ok_and(|held| held == 0.0))?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

fn held(origin: &Origin) -> Result<f64> {
    origin.metric("headwater_hls_held")?.context("requests that are held are not counted")
}

/// The media playlist of a viewer of its own.
fn arrive(origin: &Origin, viewer: usize) -> Result<String> {
    let agent = format!("User-Agent: viewer-{viewer}");
    let index = http::exchange(&origin.http(), "GET", INDEX, &[&agent], "")?;
    let address = index.body.lines().find(|line| !line.starts_with('#'));
    Ok(beside(INDEX, address.with_context(|| format!("no variant in {index:?}"))?))
}

/// A request that is under way.
struct Asked {
    stream: TcpStream,
    request: String,
    /// Whether its connection is to stay open for more.
    goes_on: bool,
}

/// Asks for the part that is announced; every other one over a connection that is to stay open, as players do.
fn hold_all(origin: &Origin, playlists: &[String]) -> Result<Vec<Asked>> {
    let text = fetch(origin, playlists.first().context("no viewers")?)?.body;
    let hint = text.lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT")).context("nothing is announced")?;
    let numbers = hint.split('-').rev().nth(1).and_then(|numbers| numbers.split_once('.'));
    let (sequence, part) = numbers.with_context(|| format!("no number in {hint}"))?;
    let mut asked = Vec::new();
    for (index, playlist) in playlists.iter().flat_map(|playlist| [playlist; OF_EACH]).enumerate() {
        let mut stream = TcpStream::connect(origin.http())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let goes_on = index % 2 == 1;
        let version = if goes_on { "HTTP/1.1" } else { "HTTP/1.0" };
        let path = format!("{playlist}&_HLS_msn={sequence}&_HLS_part={part}");
        let request = format!("GET {path} {version}\r\nHost: {}\r\n\r\n", origin.http());
        stream.write_all(request.as_bytes())?;
        asked.push(Asked { stream, request, goes_on });
    }
    Ok(asked)
}

impl Asked {
    /// The body of the answer, which must be one with content. A connection that is to stay open does: the next answer
    /// over it begins where this one ended.
    fn answer(mut self) -> Result<String> {
        let mut reader = BufReader::new(self.stream.try_clone()?);
        let body = read_one(&mut reader)?;
        if self.goes_on {
            let last = self.request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            self.stream.write_all(last.as_bytes())?;
            let again = read_one(&mut reader).context("the connection does not go on")?;
            ensure!(again.contains("#EXT-X-PRELOAD-HINT"), "{again}");
        }
        ensure!(reader.read(&mut [0])? == 0, "more comes than was asked for");
        Ok(body)
    }
}

fn read_one(reader: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "no whole answer: {head}");
    }
    ensure!(head.split(' ').nth(1) == Some("200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
    let mut body = vec![0; length.parse()?];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}

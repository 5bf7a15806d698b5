//! Peers that are broken, slow or hostile harm nobody but themselves.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::noise::{Noise, Tap, throw_at};
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::source::{Source, publish_file};
use headwater_tests::{flv, heavy_turn, http, report, shared_turn, turn};

const PATIENCE: Duration = Duration::from_secs(20);
const TCP_PORTS: [u16; 6] = [8080, 8081, 8082, 1935, 1936, 8189];

#[test]
fn a_second_publisher_of_a_live_name_is_refused_in_words() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let first = Source::default().publish(&origin.rtmp("taken"))?;
    origin.wait_published("taken")?;
    let viewer = Recorder::rtmpdump(&origin.rtmp("taken"))?;
    let refused = Source::default().publish(&origin.rtmp("taken"))?.wait(PATIENCE)?;
    ensure!(!refused.status.success(), "the second publisher was let in");
    let words = refused.messages.to_lowercase();
    ensure!(words.contains("taken") && words.contains("already"), "ffmpeg was told: {words}");
    viewer.wait_pictures(90, PATIENCE).context("the first publisher is not disturbed")?;
    viewer.finish()?;
    first.kill();
    origin.stop()?;
    Ok(())
}

/// Ten thousand connections to each port while a stream plays, in a mix of noise, half an HTTP head and half a handshake.
#[test]
fn random_connections_and_datagrams_disturb_no_stream() -> Result<()> {
    let _turn = turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "500"), ("LOG__LEVEL", "error")])?;
    origin.wait_empty()?;
    let before = origin.held()?;
    let publisher = Source::default().publish(&origin.rtmp("calm"))?;
    origin.wait_published("calm")?;
    let viewer = Recorder::rtmpdump(&origin.rtmp("calm"))?;
    viewer.wait_pictures(30, PATIENCE)?;
    let host = origin.host().into();
    for port in TCP_PORTS {
        let address = SocketAddr::new(host, port);
        let throwers: Vec<_> = (0..4).map(|seed| thread::spawn(move || throw_noise(address, seed, 2_500))).collect();
        for thrower in throwers {
            thrower.join().ok().with_context(|| format!("a thrower at port {port}"))?;
        }
    }
    throw_datagrams(SocketAddr::new(host, 8189), 20_000)?;
    let pictures = flv::pictures(&viewer.tags()?)?.len();
    viewer.wait_pictures(pictures + 60, PATIENCE).context("the stream goes on")?;
    let times: Vec<u32> = flv::pictures(&viewer.finish()?)?.iter().map(|picture| picture.milliseconds).collect();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    ensure!(gap < Some(100), "a picture is missing: {gap:?} ms from one to the next");
    publisher.kill();
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    report(&format!("after {} connections: {} MiB resident", TCP_PORTS.len() * 10_000, origin.memory()? >> 20));
    origin.stop()?;
    Ok(())
}

fn throw_noise(address: SocketAddr, seed: u64, count: usize) {
    let mut noise = Noise::new(seed + 1);
    let openings: [&[u8]; 7] = [
        b"",
        b"\x03",
        b"GET / HTTP/1.1\r\nHost: ",
        b"POST /calm/whep HTTP/1.1\r\nHost: a\r\nContent-Type: application/sdp\r\nContent-Length: 300\r\n\r\nv=0\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for index in 0..count {
        let mut bytes = openings[noise.below(openings.len())].to_vec();
        let length = noise.below(if index % 50 == 0 { 20_000 } else { 600 });
        bytes.extend(noise.bytes(length));
        let listen = if index % 20 == 0 { Duration::from_millis(5) } else { Duration::ZERO };
        throw_at(address, &bytes, listen);
    }
}

fn throw_datagrams(to: SocketAddr, count: usize) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut noise = Noise::new(77);
    let openings: [&[u8]; 5] =
        [b"", b"\x00\x01\x00\x08\x21\x12\xa4\x42", b"\x16\xfe\xff\x00\x00", b"\x80\x60", b"\x80\xc8\x00\x06"];
    for _ in 0..count {
        let mut datagram = openings[noise.below(openings.len())].to_vec();
        let length = noise.below(1_500);
        datagram.extend(noise.bytes(length));
        let _ = socket.send_to(&datagram, to);
    }
    Ok(())
}

/// What a real encoder said, said again with bits flipped, pieces lost or doubled, or cut short.
#[test]
fn bent_publishing_sessions_end_alone() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "100"), ("LOG__LEVEL", "error")])?;
    let server = SocketAddr::new(origin.host().into(), 1935);
    let tap = Tap::before(server)?;
    let file = Source::default().file(30)?;
    let publisher = publish_file(&file, &format!("rtmp://{}/live/bent", tap.address()), 0.0)?;
    origin.wait_published("bent")?;
    thread::sleep(Duration::from_secs(1));
    let said = tap.said();
    publisher.kill();
    origin.wait_empty()?;
    let before = origin.held()?;
    ensure!(said.len() > 4_000, "the encoder said only {} bytes", said.len());
    let head = &said[..said.len().min(40_000)];
    let throwers: Vec<_> = (0..4)
        .map(|seed| {
            let head = head.to_vec();
            thread::spawn(move || {
                let mut noise = Noise::new(1_000 + seed);
                for _ in 0..250 {
                    let handshake = 3_073.min(head.len());
                    let mut bytes = head[..handshake].to_vec();
                    bytes.extend(noise.bend(&head[handshake..]));
                    throw_at(server, &bytes, Duration::from_millis(20));
                }
            })
        })
        .collect();
    for thrower in throwers {
        thrower.join().ok().context("a thrower")?;
    }
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    let fresh = publish_file(&file, &origin.rtmp("bent"), 0.0)?;
    origin.wait_published("bent").context("an honest publisher is let in afterwards")?;
    fresh.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_viewer_who_stops_reading_falls_back_to_the_newest_group_and_harms_nobody() -> Result<()> {
    let _turn = shared_turn();
    let source = Source { size: (1280, 720), kilobits: 16_000, group_seconds: 2.0, ..Source::default() };
    let file = source.file(20)?;
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("slow"), 0.0)?;
    origin.wait_published("slow")?;
    let slow = Recorder::rtmpdump(&origin.rtmp("slow"))?;
    let healthy = Recorder::curl(&origin.flv("slow"))?;
    slow.wait_pictures(30, PATIENCE)?;
    slow.freeze()?;
    thread::sleep(Duration::from_secs(11));
    slow.thaw()?;
    thread::sleep(Duration::from_secs(3));
    let healthy = flv::pictures(&healthy.finish()?)?;
    let slow = flv::pictures(&slow.finish()?)?;
    publisher.kill();
    ensure!(largest_step(&healthy).0 < 100, "the healthy viewer missed {} ms", largest_step(&healthy).0);
    let (step, after) = largest_step(&slow);
    ensure!(step > 1_000, "the slow viewer missed only {step} ms; was it slow?");
    ensure!(after.key, "the slow viewer goes on with a picture that is no key frame");
    report(&format!("a viewer frozen for 11 s of 16 Mbit/s skipped {step} ms"));
    origin.stop()?;
    Ok(())
}

/// The largest step from one picture to the next, in milliseconds, and the picture after it.
fn largest_step(pictures: &[flv::Picture]) -> (u32, &flv::Picture) {
    let steps = pictures.windows(2).map(|pair| (pair[1].milliseconds.saturating_sub(pair[0].milliseconds), &pair[1]));
    steps.max_by_key(|(step, _)| *step).unwrap_or((0, &pictures[0]))
}

#[test]
fn a_viewer_who_never_reads_again_is_sent_away() -> Result<()> {
    let _turn = shared_turn();
    let source = Source { size: (1280, 720), kilobits: 16_000, group_seconds: 2.0, ..Source::default() };
    let file = source.file(60)?;
    let origin = Origin::configured(&[("LIMITS__RTMP_WRITE_MS", "3000")])?;
    let publisher = publish_file(&file, &origin.rtmp("dead"), 0.0)?;
    origin.wait_published("dead")?;
    let before = origin.held()?;
    let dead = Recorder::rtmpdump(&origin.rtmp("dead"))?;
    dead.wait_pictures(30, PATIENCE)?;
    dead.freeze()?;
    origin.wait_baseline(&before).context("the server lets go of the dead viewer")?;
    dead.thaw()?;
    drop(dead.finish());
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_browser_that_vanishes_is_forgotten() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("LIMITS__WEBRTC_CONSENT_MS", "5000")])?;
    let publisher = Source::default().publish(&origin.rtmp("gone"))?;
    origin.wait_published("gone")?;
    let before = origin.held()?;
    let mut browser = Browser::play(&origin.whep("gone"))?;
    browser.wait_frames(30, PATIENCE)?;
    browser.kill();
    origin.wait_baseline(&before).context("the server forgets a browser that was killed")?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn names_that_climb_are_refused_everywhere() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    for path in [
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd.flv",
        "/a%00b.flv",
        "/a%0d%0ab/whep",
        "/play/..%2f..%2fx",
    ] {
        let answer = http::get(&origin.http(), path)?;
        ensure!((400..500).contains(&answer.status) && !answer.body.contains("root:"), "{path}: {answer:?}");
    }
    let refused =
        Source::default().publish(&format!("rtmp://{}/live/..%2fx/../../y", origin.host()))?.wait(PATIENCE)?;
    ensure!(!refused.status.success(), "a climbing name was let in");
    origin.stop()?;
    Ok(())
}

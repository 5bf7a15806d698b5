//! Pictures that are sent as a phone's camera sees them, with how they are to be turned beside them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    heavy_turn,
    origin::{Origin, free_address},
    program::until,
    report,
};
use serde_json::Value;

use crate::{
    cluster::{node_at, wait_metric},
    sdk::pages::Pages,
};

/// A camera of 640x360 whose picture is upright, with a red bar along its upper edge, once it is turned by `rotation`.
const CAMERA: &str = "
    const canvas = new OffscreenCanvas(640, 360), brush = canvas.getContext('2d');
    const generator = new MediaStreamTrackGenerator({ kind: 'video' }), writer = generator.writable.getWriter();
    // Where what is above is seen by a camera that is held so.
    const bars = { 0: [0, 0, 640, 90], 90: [0, 0, 160, 360], 180: [0, 270, 640, 90], 270: [480, 0, 160, 360] };
    window.camera = new MediaStream([generator]);
    setInterval(() => {
      brush.fillStyle = '#fff'; brush.fillRect(0, 0, 640, 360);
      brush.fillStyle = '#f00'; brush.fillRect(...bars[rotation]);
      brush.fillStyle = '#00f'; brush.fillRect(300 + Date.now() / 10 % 40, 160, 40, 40);
      writer.write(new VideoFrame(canvas, { timestamp: performance.now() * 1000, rotation }));
    }, 40);";

/// Waits for a size of the picture that is shown, and for the colours at its four edges, clockwise from above.
fn shows(width: u32, height: u32, edges: &str) -> String {
    format!(
        "const canvas = new OffscreenCanvas({width}, {height}), brush = canvas.getContext('2d');
         const at = (x, y) => {{
           const [red, green, blue] = brush.getImageData(x * {width}, y * {height}, 1, 1).data;
           return red > 180 && green < 80 && blue < 80 ? 'R' : Math.min(red, green, blue) > 180 ? 'W' : '?';
         }};
         const seen = () => {{
           const video = document.querySelector('video');
           brush.drawImage(video, 0, 0);
           const edges = at(0.5, 0.1) + at(0.97, 0.6) + at(0.5, 0.97) + at(0.03, 0.6);
           return `${{video.videoWidth}}x${{video.videoHeight}} ${{edges}}`;
         }};
         await until(() => `{width}x{height} {edges}, not ${{seen()}}`, () => seen() === '{width}x{height} {edges}', 20000);"
    )
}

fn publish(pages: &mut Pages, page: &str, transport: &str, rotation: u16) -> Result<()> {
    pages.empty(page)?;
    let stream = "{ name: 'phone', source: camera, codecs: ['H264'], cvoExtension: true }";
    let session = format!("sdk.createSession({{ transport: '{transport}' }})");
    pages.run(
        page,
        &format!("window.rotation = {rotation}; {CAMERA} window.stream = {session}.createStream({stream}); await stream.publish();"),
    )?;
    Ok(())
}

fn play(pages: &mut Pages, page: &str, transport: &str) -> Result<()> {
    pages.run(
        page,
        &format!(
            "window.stream = sdk.createSession({{ transport: '{transport}' }})
               .createStream({{ name: 'phone', display: '#video' }});
             await stream.play();"
        ),
    )?;
    Ok(())
}

fn wait_told(server: &Origin, rotation: u16) -> Result<()> {
    let is_it = |stream: &Value| match rotation {
        0 => stream["published"] == true && stream["rotation"].is_null(),
        _ => stream["published"] == true && stream["rotation"] == rotation && stream["width"] == 640,
    };
    until("the API tells the rotation", Duration::from_secs(10), || {
        server.streams().is_ok_and(|streams| streams.iter().any(is_it))
    })
}

/// Plays by hls.js and counts what an interruption would show as.
const PLAY_HLS: &str = "
    document.body.innerHTML = '<video id=video muted></video>';
    const player = new Hls({ lowLatencyMode: true });
    window.seen = { frames: 0, headers: 0, fatal: [], breaks: 0 };
    player.on(Hls.Events.ERROR, (_, { details, fatal }) => fatal && seen.fatal.push(details));
    player.on(Hls.Events.FRAG_PARSING_INIT_SEGMENT, () => { seen.headers += 1; });
    player.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => { seen.breaks = Math.max(seen.breaks, frag.cc); });
    player.loadSource('/phone/index.m3u8');
    player.attachMedia(video);
    await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
    await video.play();
    const step = () => { seen.frames += 1; video.requestVideoFrameCallback(step); };
    video.requestVideoFrameCallback(step);
    await until(() => `pictures: ${JSON.stringify(seen)}`, () => seen.frames > 20, 30000);";

#[test]
fn viewers_of_a_phone_see_it_upright_while_it_is_turned_over_a_hop_too_and_hls_goes_on() -> Result<()> {
    let _turn = heavy_turn();
    let origin = node_at(free_address()?, "origin", None, &[("WEBRTC__PUBLISH_ORIENTATION", "true")])?;
    let edge = node_at(free_address()?, "edge", Some(&origin), &[])?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let mut pages = Pages::of(&origin.page("/"))?;
    publish(&mut pages, "phone", "whip", 90)?;
    origin.wait_published("phone")?;
    pages.empty("near")?;
    play(&mut pages, "near", "whip")?;
    pages.open("far", &edge.page("/healthz"))?;
    pages.run(
        "far",
        "window.sdk = await import('/assets/sdk/headwater.js'); document.body.innerHTML = '<video id=video></video>';",
    )?;
    play(&mut pages, "far", "session")?;
    pages.open("segments", "/healthz")?;
    pages.script("segments", "hls.js")?;
    pages.run("segments", PLAY_HLS)?;
    for (rotation, width, height) in [(90, 360, 640), (0, 640, 360), (270, 360, 640), (180, 640, 360), (90, 360, 640)] {
        pages.run("phone", &format!("window.rotation = {rotation};"))?;
        for page in ["near", "far"] {
            pages.run(page, &shows(width, height, "RWWW")).with_context(|| format!("turned by {rotation}"))?;
        }
        wait_told(&origin, rotation)?;
        wait_told(&edge, rotation)?;
        // As the camera sees it.
        let edges = ["RWWW", "WWWR", "WWRW", "WRWW"][usize::from(rotation / 90)];
        pages.run("segments", &shows(640, 360, edges)).with_context(|| format!("HLS, turned by {rotation}"))?;
    }
    let seen = pages.run("segments", "return seen;")?;
    let figures = pages.run(
        "far",
        "const { peer } = stream, all = peer ? [...(await peer.getStats()).values()] : [];
         const { frameWidth, frameHeight, framesDecoded, keyFramesDecoded } = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video') ?? {};
         return { frameWidth, frameHeight, framesDecoded, keyFramesDecoded };",
    )?;
    report(&format!("HLS while the phone is turned: {seen}; a viewer over a hop at the end: {figures}"));
    ensure!(seen["fatal"] == serde_json::json!([]) && seen["breaks"] == 0 && seen["headers"] == 1, "{seen}");
    edge.stop()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_that_publishes_by_the_session_protocol_says_how_its_pictures_are_turned_if_it_asks_to() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    publish(&mut pages, "phone", "session", 270)?;
    origin.wait_published("phone")?;
    pages.empty("viewer")?;
    play(&mut pages, "viewer", "session")?;
    for (rotation, width, height) in [(270, 360, 640), (180, 640, 360)] {
        pages.run("phone", &format!("window.rotation = {rotation};"))?;
        pages.run("viewer", &shows(width, height, "RWWW")).with_context(|| format!("turned by {rotation}"))?;
        wait_told(&origin, rotation)?;
    }
    origin.stop()?;
    Ok(())
}

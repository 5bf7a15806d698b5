//! A picture that is turned in mid-stream, as by a phone: a new size, upright for everybody.

use std::time::Duration;

use anyhow::Result;
use headwater_tests::heavy_turn;
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use serde_json::Value;

use crate::sdk::pages::Pages;

/// A red bar along the upper edge of a canvas whose picture moves, so that it is seen which way is up.
const PUBLISH: &str = "
    const canvas = window.canvas = document.createElement('canvas'); canvas.width = 640; canvas.height = 360;
    const brush = canvas.getContext('2d');
    setInterval(() => {
      const { width, height } = canvas;
      brush.fillStyle = '#fff'; brush.fillRect(0, 0, width, height);
      brush.fillStyle = '#f00'; brush.fillRect(0, 0, width, height / 4);
      brush.fillStyle = '#00f'; brush.fillRect(Date.now() / 10 % width, height / 2, 40, 40);
    }, 40);
    window.stream = sdk.createSession().createStream({ name: 'turned', source: canvas, codecs: ['H264'] });
    await stream.publish();";

const PLAY: &str = "
    window.stream = sdk.createSession({ transport: 'whip' }).createStream({ name: 'turned', display: '#video' });
    await stream.play();";

/// Waits for a size, and for the colours of the picture's four edges, clockwise from above: red, and three times white.
fn upright(width: u32, height: u32) -> String {
    format!(
        "const video = document.querySelector('video');
         const canvas = new OffscreenCanvas({width}, {height}), brush = canvas.getContext('2d');
         const at = (x, y) => {{
           const [red, green, blue] = brush.getImageData(x * {width}, y * {height}, 1, 1).data;
           return red > 180 && green < 80 && blue < 80 ? 'R' : Math.min(red, green, blue) > 180 ? 'W' : '?';
         }};
         const seen = () => {{
           brush.drawImage(video, 0, 0);
           const edges = at(0.5, 0.1) + at(0.97, 0.7) + at(0.5, 0.97) + at(0.03, 0.7);
           return `${{video.videoWidth}}x${{video.videoHeight}} ${{edges}}`;
         }};
         await until(() => `{width}x{height} RWWW, not ${{seen()}}`, () => seen() === '{width}x{height} RWWW', 20000);"
    )
}

#[test]
fn a_picture_turned_in_mid_stream_arrives_upright_in_its_new_size() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    for page in ["anna", "ben"] {
        pages.empty(page)?;
    }
    pages.run("anna", PUBLISH)?;
    pages.run("ben", PLAY)?;
    for (width, height) in [(640, 360), (360, 640), (640, 360)] {
        pages.run("anna", &format!("canvas.width = {width}; canvas.height = {height};"))?;
        pages.run("ben", &upright(width, height))?;
        // What RTMP players and the API are told.
        until("the API tells the new size", Duration::from_secs(10), || {
            let is_it =
                |stream: &Value| stream["published"] == true && stream["width"] == width && stream["height"] == height;
            origin.streams().is_ok_and(|streams| streams.iter().any(is_it))
        })?;
    }
    origin.stop()?;
    Ok(())
}

//! A picture in three sizes, published by the Web SDK: viewers choose by the SDK, by the pages' controls, and by what
//! the Web SDK of WCS says.

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::{report, scratch, turn};

use crate::sdk::pages::{Pages, Window};

/// Three sizes of a canvas whose picture moves; each has come before this is over.
const PUBLISH: &str = "
    const canvas = document.createElement('canvas'); canvas.width = 1280; canvas.height = 720;
    const brush = canvas.getContext('2d');
    setInterval(() => { brush.fillStyle = `hsl(${Date.now() / 20 % 360} 60% 50%)`; brush.fillRect(Date.now() / 5 % 1100, 90, 180, 540); }, 50);
    window.stream = sdk.createSession().createStream({ name: 'sizes', source: canvas, simulcast: true, codecs: ['VP8'], maxBitrate: 1_500_000 });
    await stream.publish();
    const sent = async () => [...(await stream.peer.getStats()).values()]
      .filter(({ type, kind, framesSent }) => type === 'outbound-rtp' && kind === 'video' && framesSent > 20);
    await until('three sizes', async () => (await sent()).length === 3, 30000);";

/// Plays it with our SDK by each transport: the size asked for first, then others.
const CHOOSE: &str = "
    const told = {};
    for (const transport of ['session', 'whip']) {
      const stream = sdk.createSession({ transport }).createStream({ name: 'sizes', display: '#video' });
      const wide = (width) => until(() => `${transport}: ${width} wide, not ${video.videoWidth}`, () => video.videoWidth === width);
      await stream.play({ rendition: 'q' });
      await wide(320);
      told[transport] = (await stream.renditions()).map(({ label, width, height }) => `${label} ${width}x${height}`).sort();
      await stream.setRendition('h');
      await wide(640);
      const error = await stream.setRendition('none').catch((error) => error);
      told[transport].push(error.code, error.message);
      await stream.setRendition('auto');
      await wide(1280);
      await stream.stop();
      const early = await stream.renditions().catch((error) => error.code);
      const absent = await stream.play({ rendition: 'none' }).catch((error) => error.code);
      told[transport].push(early, absent);
    }
    return told;";

/// Chooses by the control of a page, with the name that a visitor reads.
fn pick(name: &str, width: u32) -> String {
    format!(
        "const list = document.getElementById('quality');
         const option = await until('the choice {name}', () => list.checkVisibility() && [...list.options].find(({{ text }}) => text.startsWith('{name}')));
         list.value = option.value; list.dispatchEvent(new Event('change'));
         const video = document.querySelector('video');
         await until(() => `{width} wide, not ${{video.videoWidth}}`, () => video.videoWidth === {width});
         // It says what is shown beside what was chosen for as long as the two differ.
         const says = () => list.selectedOptions[0].text;
         await until(() => `it says {name}, not ${{says()}}`, () => says() === '{name}' || '{name}' === 'Auto' && says().startsWith('Auto'));
         return [...list.options].map(({{ text }}) => text);"
    )
}

#[test]
fn a_viewer_chooses_one_of_three_sizes_by_the_sdk_and_by_the_pages() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut publisher = Pages::of(&origin.page("/"))?;
    publisher.empty("anna")?;
    publisher.run("anna", PUBLISH)?;

    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("ben")?;
    let told = pages.run("ben", CHOOSE)?;
    report(&format!("sizes: {told}"));
    for transport in ["session", "whip"] {
        let of = &told[transport];
        ensure!(of[0] == "f 1280x720" && of[1] == "h 640x360" && of[2] == "q 320x180", "{told}");
        ensure!(of[3] == "invalid" && of[4].as_str().is_some_and(|words| words.contains("no rendition")), "{told}");
        ensure!(of[5] == "invalid" && of[6] == "not-live", "{told}");
    }

    pages.run("ben", "await import('/assets/sdk/headwater.js');")?;
    pages.script("ben", "@flashphoner/websdk")?;
    pages.run(
        "ben",
        "const box = document.createElement('div'); box.style = 'width:320px;height:240px'; document.body.append(box);
         Flashphoner.init({});
         const session = Flashphoner.createSession({ urlServer: `ws://${location.host}` });
         await new Promise((done) => session.on('ESTABLISHED', done));
         const stream = session.createStream({ name: 'sizes', display: box, constraints: { audio: true, video: { width: 640, height: 360 } } });
         stream.play();
         await until('the nearest size', () => box.querySelector('video')?.videoWidth === 640, 10000);
         session.disconnect();",
    )?;
    drop(pages);

    for (device, window) in
        [("desk", Window { size: (1280, 860), dark: false }), ("phone", Window { size: (360, 740), dark: true })]
    {
        let mut pages = Pages::strict(&origin.page("/"), window)?;
        pages.open("own", "/play/sizes")?;
        let names = pages.run("own", &pick("180p", 320))?;
        ensure!(names[1] == "720p" && names[2] == "360p" && names[3] == "180p", "{names}");
        pages.run("own", &pick("Auto", 1280))?;
        let wide = pages.run("own", "return document.documentElement.scrollWidth > innerWidth || document.getElementById('fullscreen').getBoundingClientRect().right > innerWidth;")?;
        ensure!(wide == false, "the controls do not fit on a {device}");
        let file = scratch(&format!("quality-{device}.png"))?;
        pages.see("own", &file)?;
        report(&format!("picture of the choice on a {device}: {}", file.display()));
        pages.leave("own")?;

        pages.open("player", "/player?name=sizes")?;
        pages.click("player", "#play")?;
        pages.run("player", &pick("360p", 640))?;
        let file = scratch(&format!("quality-player-{device}.png"))?;
        pages.see("player", &file)?;
        report(&format!("and in the example: {}", file.display()));
        ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    }
    origin.stop()?;
    Ok(())
}

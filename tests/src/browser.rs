//! A viewer in a headless browser, and what it saw and heard.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::{network::Relay, program::Program, tools};

/// Which browser it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Chromium, as Debian has it.
    Chromium,
    /// Firefox ESR, as Debian has it. It sends no media to a loopback address, and has no H.264 for WebRTC but by a plugin
    /// that it fetches from elsewhere.
    Firefox,
}

/// The command that has a script of `tests/browser` drive a browser.
///
/// # Errors
/// When a tool is missing.
pub fn drive(engine: Engine, script: &str, mut request: Value) -> Result<Command> {
    let (name, program) = match engine {
        Engine::Chromium => ("chromium", "chromium"),
        Engine::Firefox => ("firefox", "firefox-esr"),
    };
    request["browser"] = json!({ "name": name, "path": tools::on_path(program)? });
    let mut command = Command::new(tools::on_path("node")?);
    command.arg(tools::package().join("browser").join(script)).arg(request.to_string());
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    Ok(command)
}

/// A browser that watches one stream. Dropping it closes it.
#[derive(Debug)]
pub struct Browser {
    program: Program,
    read: usize,
    latencies: Vec<f64>,
    latest: Value,
    complaints: Vec<String>,
}

/// A page of the same server with nothing in it, for a script to be tried there.
pub(crate) fn beside(endpoint: &str) -> String {
    let origin = endpoint.split('/').take(3).collect::<Vec<_>>().join("/");
    format!("{origin}/healthz")
}

/// How the page is to look.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Width and height of the window.
    pub size: Option<(u32, u32)>,
    /// Dark instead of light colours.
    pub dark: bool,
    /// Where to keep a picture of the page as it is at the end.
    pub screenshot: Option<PathBuf>,
}

impl Browser {
    /// Plays a WHEP address with the test's own few lines of client code, in a page of the same server.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn play(whep: &str) -> Result<Browser> {
        Browser::play_in(Engine::Chromium, whep)
    }

    /// The same in the browser of one's choice.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn play_in(engine: Engine, whep: &str) -> Result<Browser> {
        Browser::launch(engine, json!({ "url": beside(whep), "whep": whep }))
    }

    /// The same as if the network let no UDP through.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn play_without_udp(whep: &str) -> Result<Browser> {
        Browser::launch(Engine::Chromium, json!({ "url": beside(whep), "whep": whep, "onlyTcp": true }))
    }

    /// The same with media that goes through a relay.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn play_via(whep: &str, relay: &Relay) -> Result<Browser> {
        let via = relay.address().to_string();
        Browser::launch(Engine::Chromium, json!({ "url": beside(whep), "whep": whep, "via": via }))
    }

    /// Opens a page of the server and watches its own player.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn open(url: &str, look: &Look) -> Result<Browser> {
        Browser::open_in(Engine::Chromium, url, look)
    }

    /// The same in the browser of one's choice; only Chromium knows dark from light.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn open_in(engine: Engine, url: &str, look: &Look) -> Result<Browser> {
        let (width, height) = look.size.unzip();
        let request = json!({
            "url": url, "width": width, "height": height, "dark": look.dark, "screenshot": look.screenshot,
        });
        Browser::launch(engine, request)
    }

    /// Opens a page, signs in by its button as somebody whose name and password the browser is told, and waits until the
    /// page shows something; a complaint says that it does not.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn sign_in(url: &str, (name, password): (&str, &str), shows: &str) -> Result<Browser> {
        let visitor = json!({ "username": name, "password": password, "press": "Sign in", "shows": shows });
        Browser::launch(Engine::Chromium, json!({ "url": url, "visitor": visitor }))
    }

    fn launch(engine: Engine, request: Value) -> Result<Browser> {
        let program = Program::start("the browser", &mut drive(engine, "watch.mjs", request)?)?;
        Ok(Browser { program, read: 0, latencies: Vec::new(), latest: Value::Null, complaints: Vec::new() })
    }

    /// Takes in what the browser has told since the last time.
    pub fn look(&mut self) -> Seen<'_> {
        let output = self.program.output();
        let fresh = output.get(self.read..).unwrap_or_default();
        let whole = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole;
        for line in fresh[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Value>(line) {
                Ok(object) => self.take(object),
                Err(error) => self.complaints.push(format!("{error}: {}", String::from_utf8_lossy(line))),
            }
        }
        Seen { latest: &self.latest, latencies: &self.latencies }
    }

    fn take(&mut self, mut object: Value) {
        for key in ["sample", "final"] {
            if let Some(sample) = object.get_mut(key) {
                let latencies = sample["latencies"].as_array().into_iter().flatten();
                self.latencies.extend(latencies.filter_map(Value::as_f64));
                self.latest = sample.take();
            }
        }
        for key in ["error", "console", "foreign"] {
            if let Some(text) = object.get(key) {
                self.complaints.push(format!("{key}: {text}"));
            }
        }
    }

    /// Errors, messages of the console, and requests to other hosts than the server.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Waits until what is seen fulfils a condition.
    ///
    /// # Errors
    /// When it does not within the time, or the page told a problem.
    pub fn wait(&mut self, what: &str, within: Duration, condition: impl Fn(&Seen<'_>) -> bool) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let seen = self.look();
            if condition(&seen) {
                return Ok(());
            }
            if let Some(problem) = seen.problem() {
                bail!("the page says: {problem} (waited for: {what})");
            }
            if !self.program.runs() {
                bail!("the browser ended (waited for: {what}): {}", self.program.messages());
            }
            if Instant::now() >= deadline {
                return Err(self.despair(what, within));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn despair(&self, what: &str, within: Duration) -> anyhow::Error {
        let mut latest = self.latest.clone();
        if let Some(object) = latest.as_object_mut() {
            object.retain(|key, _| !["beeps", "flashes", "answer"].contains(&key.as_str()));
        }
        anyhow!("not within {within:?}: {what}; the browser last told: {latest}; complaints: {:?}", self.complaints)
    }

    /// Waits until so many more frames were shown.
    ///
    /// # Errors
    /// When they are not within the time.
    pub fn wait_frames(&mut self, more: u64, within: Duration) -> Result<()> {
        let goal = self.look().frames() + more;
        self.wait(&format!("{more} more frames are shown"), within, |seen| seen.frames() >= goal)
    }

    /// Waits for something that has no sign of its own, such as a page that stays as it is.
    pub fn settle(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.look();
    }

    /// Ends it at once, without a word to the server.
    pub fn kill(self) {
        self.program.kill();
    }

    /// Leaves and tells all.
    ///
    /// # Errors
    /// When the browser does not end.
    pub fn finish(mut self) -> Result<Report> {
        let program = std::mem::replace(&mut self.program, Program::start("nothing", &mut Command::new("true"))?);
        let ended = program.wait(Duration::from_secs(60)).context("the browser did not close")?;
        let fresh = ended.output.get(self.read..).unwrap_or_default().to_vec();
        let mut text = String::new();
        for line in fresh.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let object: Value = serde_json::from_slice(line)?;
            text.push_str(object["text"].as_str().unwrap_or_default());
            self.take(object);
        }
        Ok(Report { latest: self.latest, latencies: self.latencies, complaints: self.complaints, text })
    }
}

/// All that a browser told until it left.
#[derive(Debug)]
pub struct Report {
    latest: Value,
    latencies: Vec<f64>,
    /// Errors, messages of the console, and requests to other hosts than the server.
    pub complaints: Vec<String>,
    /// The text of the page at the end.
    pub text: String,
}

impl Report {
    /// What was seen.
    pub fn seen(&self) -> Seen<'_> {
        Seen { latest: &self.latest, latencies: &self.latencies }
    }
}

impl Report {
    /// Reports what it saw and heard of a publisher's clock and beeps, and sees that all of it came, in order, soon, and the
    /// sound no further from the picture than so many milliseconds.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn sees_clock(&self, what: &str, apart_max: f64) -> Result<()> {
        let seen = self.seen();
        let (latency, slowest) = seen.latency(50).zip(seen.latency(95)).context("no clock could be read")?;
        let sync = seen.sync().context("no flash met a beep")?;
        crate::report(&format!(
            "{what}: latency p50 {latency:.0} ms, p95 {slowest:.0} ms, sound after picture {sync:.0} ms, {} frames, {} \
             backwards, longest pause {:.0} ms, tone {:.2}, silent {:.1} %",
            seen.frames(),
            seen.backwards(),
            seen.longest_pause(),
            seen.tone(),
            seen.silence(),
        ));
        ensure!(seen.changes() * 10 > seen.frames() * 8, "{} of {} frames differ", seen.changes(), seen.frames());
        ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
        ensure!(seen.tone() > 0.7 && seen.silence() < 15.0, "tone {:.2}, silence {:.1} %", seen.tone(), seen.silence());
        ensure!(sync.abs() < apart_max, "the sound comes {sync:.0} ms after the picture");
        ensure!(slowest < 400.0, "latency p50 {latency:.0} ms, p95 {slowest:.0} ms");
        Ok(())
    }
}

/// What a browser has seen and heard so far.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    latest: &'a Value,
    latencies: &'a [f64],
}

impl Seen<'_> {
    fn number(&self, key: &str) -> f64 {
        self.latest[key].as_f64().unwrap_or_default()
    }

    /// Frames shown.
    pub fn frames(&self) -> u64 {
        self.number("frames") as u64
    }

    /// Frames whose picture differed from the one before.
    pub fn changes(&self) -> u64 {
        self.number("changes") as u64
    }

    /// Frames whose clock was earlier than that of the frame shown before.
    pub fn backwards(&self) -> u64 {
        self.number("backwards") as u64
    }

    /// Frames whose clock could not be read.
    pub fn unreadable(&self) -> u64 {
        self.number("unreadable") as u64
    }

    /// The longest time between two frames, in milliseconds.
    pub fn longest_pause(&self) -> f64 {
        self.number("longestPause")
    }

    /// Width and height of the picture.
    pub fn size(&self) -> (u32, u32) {
        (self.number("width") as u32, self.number("height") as u32)
    }

    /// Milliseconds from drawing to showing: the value that so many of a hundred frames stay below.
    pub fn latency(&self, percent: usize) -> Option<f64> {
        percentile(self.latencies, percent)
    }

    /// How much of the sound's energy between the beeps was the steady tone, in the middle one of the last eight half
    /// seconds: 0 to 1.
    pub fn tone(&self) -> f64 {
        self.number("tone")
    }

    /// Parts in a hundred of the sound that were silent.
    pub fn silence(&self) -> f64 {
        100.0 * self.silent_blocks() as f64 / (self.sound_blocks() as f64).max(1.0)
    }

    /// Blocks of sound that were silent.
    pub fn silent_blocks(&self) -> u64 {
        self.number("silentBlocks") as u64
    }

    /// Blocks of sound heard, of 256 samples.
    pub fn sound_blocks(&self) -> u64 {
        self.number("soundBlocks") as u64
    }

    /// How much later the beep was heard than the flash was seen, each second, in milliseconds.
    pub fn sound_after_picture(&self) -> Vec<f64> {
        let times = |key: &str| self.latest[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let (flashes, beeps): (Vec<f64>, Vec<f64>) = (times("flashes"), times("beeps"));
        let nearest = |flash: &f64| beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        flashes.iter().filter_map(nearest).filter(|offset| offset.abs() < 500.0).collect()
    }

    /// The same once the browser has settled, which takes it some seconds: the middle value of the last five.
    pub fn sync(&self) -> Option<f64> {
        let offsets = self.sound_after_picture();
        percentile(&offsets[offsets.len().saturating_sub(5)..], 50)
    }

    /// Statistics of the peer connection: `video`, `audio`, `pair`.
    pub fn statistics(&self, of: &str) -> &Value {
        &self.latest["statistics"][of]
    }

    /// What the page said went wrong.
    pub fn problem(&self) -> Option<&str> {
        self.latest["problem"].as_str()
    }

    /// The state of the peer connection.
    pub fn state(&self) -> Option<&str> {
        self.latest["state"].as_str()
    }

    /// The answer to the WHEP offer: `status`, `text`, `location`, `etag`.
    pub fn answer(&self) -> &Value {
        &self.latest["answer"]
    }
}

/// The value that so many of a hundred values stay below or meet.
pub fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

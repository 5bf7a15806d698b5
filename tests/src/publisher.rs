//! A publisher in a headless browser.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::browser::{Engine, beside, drive};
use crate::{network::Relay, program::Program};

/// A browser that publishes by WHIP. Dropping it kills it.
#[derive(Debug)]
pub struct Publisher {
    program: Program,
}

/// What it publishes.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// The browser's own fake camera and microphone, coded as `video/H264` or the like.
    Camera {
        /// The codec of the picture.
        codec: &'a str,
    },
    /// A drawing with a clock and a tone with beeps, as [`Browser`](crate::browser::Browser) measures them.
    Clock {
        /// The codec of the picture.
        codec: &'a str,
    },
    /// The same full of noise, in one size: its encoder spends all that the network is thought to carry.
    BusyClock {
        /// The codec of the picture.
        codec: &'a str,
    },
    /// The clock in several sizes at once, the largest last.
    Simulcast {
        /// The codec of the picture.
        codec: &'a str,
        /// The names of the renditions.
        rids: &'a [&'a str],
    },
}

impl Publisher {
    /// Publishes to a WHIP address, from a page of the same server.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn start(whip: &str, kind: &Kind<'_>) -> Result<Publisher> {
        Publisher::start_in(Engine::Chromium, whip, kind)
    }

    /// The same in the browser of one's choice.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn start_in(engine: Engine, whip: &str, kind: &Kind<'_>) -> Result<Publisher> {
        Publisher::launch(engine, whip, kind, json!({}))
    }

    /// The same with media that goes through a relay.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn start_via(whip: &str, kind: &Kind<'_>, relay: &Relay) -> Result<Publisher> {
        Publisher::launch(Engine::Chromium, whip, kind, json!({ "via": relay.address().to_string() }))
    }

    /// The same as if the network let no UDP through.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn start_without_udp(whip: &str, kind: &Kind<'_>) -> Result<Publisher> {
        Publisher::launch(Engine::Chromium, whip, kind, json!({ "onlyTcp": true }))
    }

    fn launch(engine: Engine, whip: &str, kind: &Kind<'_>, mut request: Value) -> Result<Publisher> {
        let (media, codec, rids) = match kind {
            Kind::Camera { codec } => ("camera", codec, None),
            Kind::Clock { codec } => ("clock", codec, None),
            Kind::BusyClock { codec } => ("busy clock", codec, None),
            Kind::Simulcast { codec, rids } => ("clock", codec, Some(rids)),
        };
        let common = [
            ("url", json!(beside(whip))),
            ("whip", json!(whip)),
            ("media", json!(media)),
            ("codec", json!(codec)),
            ("rids", json!(rids)),
        ];
        common.into_iter().for_each(|(key, value)| request[key] = value);
        let mut command = drive(engine, "publish.mjs", request)?;
        Ok(Publisher { program: Program::start("the publishing browser", &mut command)? })
    }

    /// The last that the page told of itself.
    fn latest(&self) -> Result<Value> {
        let output = self.program.output();
        let lines = output.split(|byte| *byte == b'\n').rev();
        let objects = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut samples = objects.filter_map(|mut object| object.get_mut("sample").map(Value::take));
        samples.next().with_context(|| format!("the browser told nothing: {}", String::from_utf8_lossy(&output)))
    }

    /// Whether it sends without a complaint.
    ///
    /// # Errors
    /// With the complaint.
    pub fn check(&mut self) -> Result<()> {
        let latest = self.latest()?;
        match (latest["problem"].as_str(), latest["state"].as_str()) {
            (None, Some("connected")) => Ok(()),
            (problem, state) => bail!("the publishing browser is {state:?}: {problem:?}"),
        }
    }

    /// What the sender says of each rendition of its picture: `frameWidth`, `framesSent`, `rid` and more.
    ///
    /// # Errors
    /// When it has told nothing yet.
    pub fn sent(&self) -> Result<Vec<Value>> {
        Ok(self.latest()?["statistics"]["video"].as_array().cloned().unwrap_or_default())
    }

    /// Over what its media travels: `udp` or `tcp`.
    ///
    /// # Errors
    /// When it is not connected.
    pub fn transport(&self) -> Result<String> {
        let transport = self.latest()?["statistics"]["transport"].as_str().map(str::to_owned);
        transport.context("it is not connected")
    }

    /// The bits in a second at which its encoders aim, all sizes together.
    ///
    /// # Errors
    /// When it has told nothing yet.
    pub fn target(&self) -> Result<f64> {
        Ok(self.sent()?.iter().filter_map(|size| size["targetBitrate"].as_f64()).sum())
    }

    /// The type of the codec that it sends its picture in.
    ///
    /// # Errors
    /// When it sends none.
    pub fn codec(&self) -> Result<String> {
        let codec = self.latest()?["statistics"]["codec"].as_str().map(str::to_owned);
        codec.context("no picture is sent")
    }

    /// Waits until the sender says something.
    ///
    /// # Errors
    /// When it does not within the time.
    pub fn wait(&self, what: &str, within: Duration, condition: impl Fn(&[Value]) -> bool) -> Result<()> {
        let deadline = Instant::now() + within;
        while !self.sent().is_ok_and(|sent| condition(&sent)) {
            if Instant::now() > deadline {
                bail!("not within {within:?}: {what}; the sender told {:?}", self.sent());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Sends one rendition no more, as a browser does whose network has become narrow.
    ///
    /// # Errors
    /// When the browser does not listen.
    pub fn pause(&mut self, rid: &str) -> Result<()> {
        self.program.say(&format!("pause {rid}"))
    }

    /// Sends it again.
    ///
    /// # Errors
    /// When the browser does not listen.
    pub fn resume(&mut self, rid: &str) -> Result<()> {
        self.program.say(&format!("resume {rid}"))
    }

    /// Ends the session by DELETE, and the browser.
    ///
    /// # Errors
    /// When it does not end.
    pub fn leave(self) -> Result<()> {
        self.program.wait(Duration::from_secs(20)).context("the publishing browser did not close")?;
        Ok(())
    }

    /// Ends the browser without a word by HTTP.
    ///
    /// # Errors
    /// When it does not end.
    pub fn vanish(mut self) -> Result<()> {
        self.program.say("vanish\n")?;
        self.leave()
    }
}

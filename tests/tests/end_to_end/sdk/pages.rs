//! Pages of one browser, which a test tells what to do.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use headwater_tests::browser::{Engine, drive};
use headwater_tests::program::Program;
use serde_json::{Value, json};

/// The browser; dropping it closes it.
pub(crate) struct Pages {
    program: Program,
    read: usize,
    complaints: Vec<String>,
}

/// How the window looks.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) size: (u32, u32),
    pub(crate) dark: bool,
}

const PATIENCE: Duration = Duration::from_secs(40);

impl Pages {
    /// A browser with a fake camera and microphone, for the pages of a server.
    pub(crate) fn of(server: &str) -> Result<Pages> {
        Pages::with(Engine::Chromium, json!({ "base": server }))
    }

    /// The same in Firefox, under the rules that the server gives its pages.
    pub(crate) fn in_firefox(server: &str) -> Result<Pages> {
        Pages::with(Engine::Firefox, json!({ "base": server }))
    }

    /// The same under the rules that the server gives its pages, in a window of that kind.
    pub(crate) fn strict(server: &str, window: Window) -> Result<Pages> {
        let (width, height) = window.size;
        let request =
            json!({ "base": server, "bypassCSP": false, "width": width, "height": height, "dark": window.dark });
        Pages::with(Engine::Chromium, request)
    }

    fn with(engine: Engine, request: Value) -> Result<Pages> {
        let mut command = drive(engine, "sdk.mjs", request)?;
        Ok(Pages { program: Program::start("the browser", &mut command)?, read: 0, complaints: Vec::new() })
    }

    /// Opens an address in a page, which is made if there is none of that name.
    pub(crate) fn open(&mut self, page: &str, path: &str) -> Result<()> {
        self.act(json!({ "page": page, "open": path })).map(drop)
    }

    /// Opens a page that holds nothing but the SDK, as `sdk`.
    pub(crate) fn empty(&mut self, page: &str) -> Result<()> {
        self.open(page, "/healthz")?;
        self.run(page, "window.sdk = await import('/assets/sdk/headwater.js'); document.body.innerHTML = '<video id=video></video>';").map(drop)
    }

    /// Loads a file of `tests/browser`, or the Web SDK of WCS or hls.js by the name of its npm package.
    pub(crate) fn script(&mut self, page: &str, file: &str) -> Result<()> {
        self.act(json!({ "page": page, "script": file })).map(drop)
    }

    /// Brings a page before the others: Chromium shows hardly a picture a second in those behind it.
    pub(crate) fn front(&mut self, page: &str) -> Result<()> {
        self.act(json!({ "page": page, "front": true })).map(drop)
    }

    /// Has a script run ahead of those of each page that is opened from now on.
    pub(crate) fn before(&mut self, page: &str, script: &str) -> Result<()> {
        self.act(json!({ "page": page, "before": script })).map(drop)
    }

    /// Runs the body of an async function in a page.
    pub(crate) fn run(&mut self, page: &str, script: &str) -> Result<Value> {
        self.act(json!({ "page": page, "run": script })).with_context(|| format!("in page {page}: {script}"))
    }

    /// Clicks as a visitor does.
    pub(crate) fn click(&mut self, page: &str, selector: &str) -> Result<()> {
        self.act(json!({ "page": page, "click": selector })).map(drop)
    }

    /// Writes into a field.
    pub(crate) fn fill(&mut self, page: &str, selector: &str, text: &str) -> Result<()> {
        self.act(json!({ "page": page, "fill": selector, "text": text })).map(drop)
    }

    /// Keeps a picture of a page.
    pub(crate) fn see(&mut self, page: &str, file: &Path) -> Result<()> {
        self.act(json!({ "page": page, "see": file })).map(drop)
    }

    /// Clicks on what gives a file, keeps it, and yields the name that it is given.
    pub(crate) fn download(&mut self, page: &str, selector: &str, to: &Path) -> Result<String> {
        let name = self.act(json!({ "page": page, "download": selector, "to": to }))?;
        Ok(name.as_str().unwrap_or_default().to_owned())
    }

    /// Closes a page as a visitor does.
    pub(crate) fn leave(&mut self, page: &str) -> Result<()> {
        self.act(json!({ "page": page, "leave": true })).map(drop)
    }

    /// What the console said: errors of scripts, and what was refused.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn act(&mut self, request: Value) -> Result<Value> {
        self.program.say(&request.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.answer()? {
                return match answer.get("error") {
                    Some(error) => bail!("{}", error.as_str().unwrap_or_default()),
                    None => Ok(answer["value"].clone()),
                };
            }
            if Instant::now() >= deadline || !self.program.runs() {
                bail!("the browser does not answer; it said: {}", self.program.messages());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The next line that is no complaint.
    fn answer(&mut self) -> Result<Option<Value>> {
        loop {
            let output = self.program.output();
            let fresh = output.get(self.read..).unwrap_or_default();
            let Some(end) = fresh.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let line: Value = serde_json::from_slice(&fresh[..end])?;
            self.read += end + 1;
            match line.get("complaint") {
                Some(complaint) => self.complaints.push(complaint.as_str().unwrap_or_default().to_owned()),
                None => return Ok(Some(line)),
            }
        }
    }
}

//! A page made with the WCS Web SDK, in headless Chromium with a camera of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::browser::{Engine, drive};
use crate::program::Program;

/// How long a page may take for one call.
const PATIENCE: Duration = Duration::from_secs(40);

/// A page with the Web SDK loaded. Dropping it closes the browser.
#[derive(Debug)]
pub struct Page {
    program: Program,
    read: usize,
    complaints: Vec<String>,
}

impl Page {
    /// Opens a page of that address and loads the Web SDK as it comes from npm.
    ///
    /// # Errors
    /// When a tool is missing, or the page does not open.
    pub fn open(url: &str) -> Result<Page> {
        Page::launch(json!({ "url": url }))
    }

    /// Opens one of the Web SDK's own example pages, unmodified, from a web server beside the one at that address.
    ///
    /// # Errors
    /// When a tool is missing, or the page does not open.
    pub fn example(url: &str, file: &str) -> Result<Page> {
        Page::launch(json!({ "url": url, "example": file }))
    }

    fn launch(request: Value) -> Result<Page> {
        let mut command = drive(Engine::Chromium, "wcs.mjs", request)?;
        let program = Program::start("a page with the WCS Web SDK", &mut command)?;
        let mut page = Page { program, read: 0, complaints: Vec::new() };
        page.answer().context("the Web SDK did not load")?;
        Ok(page)
    }

    /// Calls a function of `tests/browser/wcs.js`, or does by hand what `tests/browser/wcs.mjs` lists.
    ///
    /// # Errors
    /// What the page says went wrong.
    pub fn call(&mut self, function: &str, args: Value) -> Result<Value> {
        self.program.say(&json!({ "call": function, "args": args }).to_string())?;
        self.answer().with_context(|| format!("{function} {args}"))
    }

    /// Errors that the page did not catch.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Closes it at once, without a word to the server.
    pub fn kill(self) {
        self.program.kill();
    }

    fn answer(&mut self) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(mut said) = self.next_line()? {
                if let Some(problem) = said.get("error") {
                    bail!("the page says: {problem}\n{}", self.program.messages());
                }
                if let Some(problem) = said.get("pageError") {
                    self.complaints.push(problem.to_string());
                }
                if let Some(result) = said.get_mut("result") {
                    return Ok(result.take());
                }
            }
            if !self.program.runs() || Instant::now() >= deadline {
                bail!("no answer of the page; it said:\n{}", self.program.messages());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn next_line(&mut self) -> Result<Option<Value>> {
        let output = self.program.output();
        let fresh = output.get(self.read..).unwrap_or_default();
        let Some(end) = fresh.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        self.read += end + 1;
        Ok(Some(serde_json::from_slice(&fresh[..end])?))
    }
}

//! The server under test: the real `origin` binary on a loopback address of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::program::{Ended, Program, until};
use crate::{http, tools};

/// A running server; dropping it kills it.
#[derive(Debug)]
pub struct Origin {
    program: Program,
    host: Ipv4Addr,
}

/// What a server holds on to, to see that nothing stays behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Sessions, tasks and whatever else the server counts of the things that come and go.
    pub counted: Vec<(String, u64)>,
}

impl Held {
    /// Whether there is no more of anything than before.
    fn is_within(&self, before: &Held) -> bool {
        let earlier =
            |name: &str| before.counted.iter().find(|(found, _)| found == name).map_or(0, |(_, count)| *count);
        let counted = self.counted.iter().all(|(name, count)| *count <= earlier(name));
        counted && self.descriptors <= before.descriptors
    }
}

impl Origin {
    /// Starts a server as it comes, without configuration.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start() -> Result<Origin> {
        Origin::configured(&[])
    }

    /// Starts a server with some keys set, named as its environment variables are: `("STREAMS__GRACE_MS", "500")`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn configured(keys: &[(&str, &str)]) -> Result<Origin> {
        Origin::with(keys, &[])
    }

    /// Starts a server with some keys set and further options.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn with(keys: &[(&str, &str)], options: &[&str]) -> Result<Origin> {
        Origin::at(free_address()?, keys, options)
    }

    /// Kills the server, as a failing machine does, and gives its address, for another one to start there.
    pub fn kill(self) -> Ipv4Addr {
        let host = self.host;
        self.program.kill();
        host
    }

    /// Stops it where it is, as a machine that is cut off: its connections stay and nobody answers.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub fn freeze(&self) -> Result<()> {
        self.program.signal("STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it cannot be woken.
    pub fn thaw(&self) -> Result<()> {
        self.program.signal("CONT")
    }

    /// Starts a server at an address that has been free until now.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn at(host: Ipv4Addr, keys: &[(&str, &str)], options: &[&str]) -> Result<Origin> {
        Origin::under(&[], host, keys, options)
    }

    /// The same with further variables in its environment.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn under(
        variables: &[(&str, &str)],
        host: Ipv4Addr,
        keys: &[(&str, &str)],
        options: &[&str],
    ) -> Result<Origin> {
        let mut command = Command::new(tools::origin()?);
        command.args(["--listen", &host.to_string()]).args(options);
        command.env("HEADWATER__LOG__LEVEL", "info,headwater=debug");
        command.env("HEADWATER__PROCESS__STATE", tools::target().join("test-scratch/state"));
        command.envs(keys.iter().map(|(key, value)| (format!("HEADWATER__{key}"), value)));
        command.envs(variables.iter().copied());
        let program = Program::start("origin", &mut command)?;
        let mut origin = Origin { program, host };
        let ready = until("origin is ready", Duration::from_secs(20), || origin.is_ready() || !origin.program.runs());
        if !origin.program.runs() {
            return Err(anyhow!("origin ended at once; it said:\n{}", origin.log()));
        }
        ready.with_context(|| format!("origin said:\n{}", origin.log()))?;
        Ok(origin)
    }

    fn is_ready(&self) -> bool {
        http::get(&self.http(), "/readyz").is_ok_and(|answer| answer.status == 200)
    }

    /// Its address.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// Its web server, as `host:port`.
    pub fn http(&self) -> String {
        format!("{}:8080", self.host)
    }

    /// A page or endpoint of its web server.
    pub fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.http())
    }

    /// Where RTMP publishes and plays a stream.
    pub fn rtmp(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.host)
    }

    /// Where RTMP over TLS publishes and plays a stream.
    pub fn rtmps(&self, name: &str) -> String {
        format!("rtmps://{}:1936/live/{name}", self.host)
    }

    /// Where WHEP plays a stream.
    pub fn whep(&self, name: &str) -> String {
        self.page(&format!("/{name}/whep"))
    }

    /// Where WHIP publishes a stream.
    pub fn whip(&self, name: &str) -> String {
        self.page(&format!("/{name}/whip"))
    }

    /// Where HTTP-FLV plays a stream.
    pub fn flv(&self, name: &str) -> String {
        self.page(&format!("/{name}.flv"))
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.program.messages()
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// All streams, as the REST API tells; viewers are left out.
    ///
    /// # Errors
    /// When the answer is none.
    pub fn streams(&self) -> Result<Vec<Value>> {
        let answer = http::post_json(&self.http(), "/rest-api/stream/find_all", "{}")?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        let list: Value = serde_json::from_str(&answer.body).with_context(|| format!("find_all: {answer:?}"))?;
        let list = list.as_array().ok_or_else(|| anyhow!("find_all gave no list: {list}"))?;
        Ok(list.iter().filter(|object| object["published"] == true).cloned().collect())
    }

    /// Waits until the REST API tells that somebody publishes this name.
    ///
    /// # Errors
    /// When nobody does within ten seconds.
    pub fn wait_published(&self, name: &str) -> Result<()> {
        let mentions = || {
            self.streams()
                .is_ok_and(|list| list.iter().any(|stream| stream["name"] == name && stream["status"] == "PUBLISHING"))
        };
        until(&format!("the stream {name} is live"), Duration::from_secs(10), mentions)
            .with_context(|| format!("origin said:\n{}", self.log()))
    }

    /// Waits until nobody publishes this name any more.
    ///
    /// # Errors
    /// When somebody still does after ten seconds.
    pub fn wait_gone(&self, name: &str) -> Result<()> {
        let gone = || self.streams().is_ok_and(|list| list.iter().all(|stream| stream["name"] != name));
        until(&format!("the stream {name} is gone"), Duration::from_secs(10), gone)
            .with_context(|| format!("origin said:\n{}", self.log()))
    }

    /// Waits until there is no stream.
    ///
    /// # Errors
    /// When there still is one after twenty seconds.
    pub fn wait_empty(&self) -> Result<()> {
        until("all streams are gone", Duration::from_secs(20), || self.streams().is_ok_and(|list| list.is_empty()))
            .with_context(|| format!("{:?}", self.streams()))
    }

    /// The value of a metric, summed over its labels; nothing if there is none.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn metric(&self, name: &str) -> Result<Option<f64>> {
        let text = http::get(&self.http(), "/metrics")?.body;
        let values = text.lines().filter_map(|line| sample(line)).filter(|(found, _)| *found == name);
        Ok(values.map(|(_, value)| value).reduce(|sum, value| sum + value))
    }

    /// What it holds on to now.
    ///
    /// # Errors
    /// When it runs no more.
    pub fn held(&self) -> Result<Held> {
        let metrics = http::get(&self.http(), "/metrics")?.body;
        let gauges = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"));
        let gauges: Vec<&str> = gauges.filter(|name| comes_and_goes(name)).collect();
        let mut counted = Vec::new();
        for gauge in gauges {
            let values = metrics.lines().filter_map(sample).filter(|(name, _)| *name == gauge);
            counted.push((gauge.to_owned(), values.map(|(_, value)| value as u64).sum()));
        }
        counted.sort();
        let entries = |folder: &str| std::fs::read_dir(format!("/proc/{}/{folder}", self.id())).map(Iterator::count);
        Ok(Held { descriptors: entries("fd")?, threads: entries("task")?, counted })
    }

    /// Waits until it holds on to no more than it did at first.
    ///
    /// # Errors
    /// When something stays; the message says what.
    pub fn wait_baseline(&self, before: &Held) -> Result<()> {
        let mut now = self.held()?;
        let back = until("what the server holds is back at its baseline", Duration::from_secs(40), || {
            self.held().is_ok_and(|held| {
                now = held;
                now.is_within(before)
            })
        });
        back.with_context(|| format!("before: {before:?}\nafter: {now:?}"))
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// When it runs no more.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kilobytes.context("no VmRSS")? * 1024)
    }

    /// Sends it a signal, such as `TERM`.
    ///
    /// # Errors
    /// When it runs no more.
    pub fn signal(&self, signal: &str) -> Result<()> {
        self.program.signal(signal)
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// When it does not in this time.
    pub fn wait(self, within: Duration) -> Result<Ended> {
        self.program.wait(within)
    }

    /// Stops it as an operator does and insists that it ends well and soon, without a panic on the way.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(self) -> Result<Ended> {
        let ended = self.program.terminate(Duration::from_secs(15))?;
        if !ended.status.success() {
            return Err(anyhow!("origin ended with {}; it said:\n{}", ended.status, ended.messages));
        }
        if ended.messages.contains("panicked") {
            return Err(anyhow!("a session panicked; origin said:\n{}", ended.messages));
        }
        Ok(ended)
    }
}

/// Name and value of a line of the metrics.
fn sample(line: &str) -> Option<(&str, f64)> {
    let (name, value) = line.rsplit_once(' ')?;
    let name = name.split('{').next()?;
    (!name.starts_with('#')).then(|| Some((name, value.parse().ok()?))).flatten()
}

/// Gauges that count sessions, tasks and the like, rather than measure memory or time.
fn comes_and_goes(gauge: &str) -> bool {
    // All tasks of the process are among them, also those that answer who counts them.
    let is_own = gauge != "headwater_process_tasks";
    let comes_and_goes =
        ["sessions", "streams", "viewers", "tasks", "connections", "conversions", "publishers", "subscriptions"]
            .iter()
            .any(|word| gauge.contains(word));
    is_own && comes_and_goes
}

/// A loopback address that nobody else uses: all of 127.0.0.0/8 is this machine.
/// A loopback address that nothing listens on yet, for a server whose configuration has to name it.
///
/// # Errors
/// None was found.
pub fn free_address() -> Result<Ipv4Addr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..200 {
        let number = std::process::id().wrapping_mul(199).wrapping_add(NEXT.fetch_add(1, Relaxed));
        let [_, a, b, c] = number.to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | (a & 63), b, 1 + c % 254);
        if TcpListener::bind((address, 8080)).is_ok() {
            return Ok(address);
        }
    }
    Err(anyhow!("no free loopback address"))
}

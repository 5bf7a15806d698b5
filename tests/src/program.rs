//! A program run by a test: what it says is kept, and it ends with the test.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Bytes that a thread gathers while the program runs.
type Gathered = Arc<Mutex<Vec<u8>>>;

/// A running program. Dropping it kills it, and shows what it said: tests end the programs that they are done with.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Gathered,
    messages: Gathered,
    readers: Vec<JoinHandle<()>>,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: Vec<u8>,
    /// Its standard error, as text.
    pub messages: String,
}

impl Program {
    /// Starts a command; `name` stands in messages.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: impl Into<String>, command: &mut Command) -> Result<Program> {
        let name = name.into();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("could not start {name}: {command:?}"))?;
        let (output, messages) = (Gathered::default(), Gathered::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(gather(pipe, output.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(gather(pipe, messages.clone()));
        }
        let input = child.stdin.take();
        Ok(Program { name, child, input, output, messages, readers })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What stands on its standard output so far.
    pub fn output(&self) -> Vec<u8> {
        lock(&self.output).clone()
    }

    /// What stands on its standard error so far.
    pub fn messages(&self) -> String {
        String::from_utf8_lossy(&lock(&self.messages)).into_owned()
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it does not read any more.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().with_context(|| format!("the input of {} is closed", self.name))?;
        writeln!(input, "{line}").and_then(|()| input.flush()).with_context(|| format!("{} does not read", self.name))
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash or a power cut would.
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap_or_default();
        self.ended(status)
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it still runs after that time.
    pub fn terminate(self, within: Duration) -> Result<Ended> {
        self.signal("TERM")?;
        self.wait(within)
    }

    /// Sends it a signal: `STOP` freezes it, `CONT` lets it go on.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let arguments = [format!("-{signal}"), self.child.id().to_string()];
        Command::new("kill").args(arguments).status().context("could not run kill")?;
        Ok(())
    }

    /// Closes its input and waits for its end.
    ///
    /// # Errors
    /// When it still runs after that time.
    pub fn wait(mut self, within: Duration) -> Result<Ended> {
        drop(self.input.take());
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(self.ended(status));
            }
            if Instant::now() >= deadline {
                bail!("{} still runs after {within:?}; it said:\n{}", self.name, self.messages());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end and insists that it succeeded.
    ///
    /// # Errors
    /// When it still runs after that time, or failed.
    pub fn succeed(self, within: Duration) -> Result<Ended> {
        let name = self.name.clone();
        let ended = self.wait(within)?;
        if !ended.status.success() {
            bail!("{name} failed ({}); it said:\n{}", ended.status, ended.messages);
        }
        Ok(ended)
    }

    fn ended(&mut self, status: ExitStatus) -> Ended {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ended { status, output: self.output(), messages: self.messages() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.runs() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            show(&self.name, &self.messages());
        }
    }
}

/// Goes to the output that the test runner keeps for tests that fail.
#[allow(clippy::print_stderr, reason = "this is how a test tells its reader")]
fn show(name: &str, messages: &str) {
    let lines: Vec<&str> = messages.lines().collect();
    let tail = lines[lines.len().saturating_sub(80)..].join("\n");
    eprintln!("--- {name} was stopped by the end of the test; it said:\n{tail}");
}

fn gather(mut pipe: impl Read + Send + 'static, into: Gathered) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            lock(&into).extend_from_slice(&buffer[..length]);
        }
    })
}

fn lock(gathered: &Gathered) -> std::sync::MutexGuard<'_, Vec<u8>> {
    gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits until a condition holds.
///
/// # Errors
/// When it does not hold within the time; `what` says what was awaited.
pub fn until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + within;
    while !condition() {
        if Instant::now() >= deadline {
            bail!("not within {within:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Ok(())
}

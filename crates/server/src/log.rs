//! The log: one line per event, whatever is in it, and not more lines than a disk can take.

mod fold;
mod level;

use std::{
    io::{self, Write},
    panic,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headwater_media::limits;
use parking_lot::Mutex;
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
};

use fold::{Folded, Folder};

use crate::config::{Log, LogFormat};

pub(crate) use level::prepare;

/// Sends all events of this process to standard error, as configured. Later calls change nothing.
pub(crate) fn start(log: &Log) {
    let filter = level::filter(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = LineWriter::new(io::stderr as fn() -> io::Stderr, log.format);
    let rest = writer.clone();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match log.format {
        LogFormat::Text => {
            let builder = builder.with_ansi(false).with_filter_reloading();
            let handle = builder.reload_handle();
            keep(builder.try_init().is_ok(), rest, move |filter| handle.reload(filter).is_ok());
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            keep(builder.try_init().is_ok(), rest, move |filter| handle.reload(filter).is_ok());
        }
    }
}

/// Remembers how the level is changed and how the rest is told, if the log is ours.
fn keep(
    is_ours: bool,
    rest: LineWriter<fn() -> io::Stderr>,
    change: impl Fn(EnvFilter) -> bool + Send + Sync + 'static,
) {
    level::keep(is_ours, change);
    if is_ours {
        // There is one log in a process.
        let _ = TELL_REST.set(Box::new(move |is_end| rest.tell_rest(Instant::now(), is_end)));
    }
}

/// How the log tells what it has not told yet; empty where another program has a log of its own.
static TELL_REST: OnceLock<Box<dyn Fn(bool) + Send + Sync>> = OnceLock::new();

/// How often it is looked whether there is something to tell although no line comes.
const REST_INTERVAL: Duration = Duration::from_secs(10);

/// Tells what the log has left out, at the end of the process.
pub(crate) fn end() {
    if let Some(tell) = TELL_REST.get() {
        tell(true);
    }
}

/// What has the log tell what it has left out although no line comes, until it is dropped; nothing where another
/// program has a log of its own.
pub(crate) fn tell_rest() -> Option<impl Future<Output = ()>> {
    let tell = TELL_REST.get()?;
    Some(async move {
        loop {
            tokio::time::sleep(REST_INTERVAL).await;
            tell(false);
        }
    })
}

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Panics of this process: each is a bug, ends only the task that it happens in, and is counted.
pub(crate) fn panics() -> u64 {
    PANICS.load(Relaxed)
}

/// Makes panics events of the log.
pub(crate) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Relaxed);
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "a task has panicked; this is a bug in Headwater, please report it");
    }));
}

/// Writes each event as one line, folds warnings that repeat, and drops events beyond
/// [`limits::LOG_LINES_PER_SECOND`].
///
/// Clones share all of that.
#[derive(Clone)]
pub(crate) struct LineWriter<W> {
    output: W,
    format: LogFormat,
    kept: Arc<Kept>,
}

/// What is remembered from one line to the next.
struct Kept {
    second: Mutex<Second>,
    folder: Mutex<Folder>,
}

/// What was written in the current second.
struct Second {
    begun: Instant,
    lines: u64,
    dropped: u64,
}

impl<W> LineWriter<W> {
    pub(crate) fn new(output: W, format: LogFormat) -> LineWriter<W> {
        let second = Mutex::new(Second { begun: Instant::now(), lines: 0, dropped: 0 });
        LineWriter { output, format, kept: Arc::new(Kept { second, folder: Mutex::default() }) }
    }

    /// Counts a line; says whether it may be written, and how many were dropped before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        let second = &mut *self.kept.second.lock();
        let mut dropped = 0;
        if now.saturating_duration_since(second.begun).as_secs() >= 1 {
            dropped = second.dropped;
            *second = Second { begun: now, lines: 0, dropped: 0 };
        }
        second.lines += 1;
        if second.lines > limits::LOG_LINES_PER_SECOND.get() {
            limits::LOG_LINES_PER_SECOND.hit();
            second.dropped += 1;
            return None;
        }
        Some(dropped)
    }
}

impl<W: for<'a> MakeWriter<'a>> LineWriter<W> {
    /// Tells now what was left out and what was folded, if that is over, although no line comes; at the end of the
    /// process all of it.
    pub(crate) fn tell_rest(&self, now: Instant, is_end: bool) {
        let dropped = {
            let second = &mut *self.kept.second.lock();
            let is_over = is_end || now.saturating_duration_since(second.begun).as_secs() >= 1;
            if is_over { std::mem::take(&mut second.dropped) } else { 0 }
        };
        let folded = {
            let folder = &mut *self.kept.folder.lock();
            if is_end { folder.all() } else { folder.over(now) }
        };
        let mut notes = if dropped > 0 { left_out(self.format, dropped) } else { String::new() };
        notes.extend(folded.iter().map(|folded| told(self.format, folded)));
        if !notes.is_empty() {
            // Nobody can be told that the log cannot be written.
            let _ = self.output.make_writer().write_all(notes.as_bytes());
        }
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for LineWriter<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        match self.admit(Instant::now()) {
            Some(dropped) => {
                let notes = if dropped > 0 { left_out(self.format, dropped) } else { String::new() };
                Line { output: Some(self.output.make_writer()), notes, is_folded: false }
            }
            None => Line { output: None, notes: String::new(), is_folded: true },
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        let (is_folded, folded) = self.kept.folder.lock().take(event, Instant::now());
        if is_folded && folded.is_empty() {
            return Line { output: None, notes: String::new(), is_folded };
        }
        let mut line = self.make_writer();
        line.notes.extend(folded.iter().map(|folded| told(self.format, folded)));
        Line { is_folded: is_folded || line.is_folded, ..line }
    }
}

/// The way of one event to the output. The formatter writes it with one call, its line feed included.
pub(crate) struct Line<W> {
    output: Option<W>,
    /// Lines that come before it.
    notes: String,
    /// Whether only the notes are written.
    is_folded: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let Some(output) = &mut self.output else {
            return Ok(event.len());
        };
        output.write_all(std::mem::take(&mut self.notes).as_bytes())?;
        if !self.is_folded {
            output.write_all(&one_line(event))?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The line that stands for those that were dropped.
fn left_out(format: LogFormat, lines: u64) -> String {
    note(format, "headwater_server::log", &format!("{lines} log lines were left out"))
}

/// The line that stands for warnings of one kind.
fn told(format: LogFormat, folded: &Folded) -> String {
    let Folded { target, place, lines, .. } = folded;
    let seconds = fold::QUIET.as_secs();
    note(format, target, &format!("{lines} more lines like the last one from {place} within {seconds} s were folded"))
}

/// A warning of the log itself, written as the formatter writes others.
fn note(format: LogFormat, target: &str, message: &str) -> String {
    let time = time_of_day();
    match format {
        LogFormat::Text => format!("{time}  WARN {target}: {message}\n"),
        LogFormat::Json => {
            let (message, target) = (serde_json::Value::from(message), serde_json::Value::from(target));
            let rest = format!(r#""level":"WARN","fields":{{"message":{message}}},"target":{target}"#);
            format!("{{\"timestamp\":\"{time}\",{rest}}}\n")
        }
    }
}

fn time_of_day() -> String {
    let mut text = String::new();
    // A string takes all that is written.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// The event with every control character escaped but for the line feed at its end, so that nothing that a peer
/// chose can begin a line of its own or steer a terminal.
fn one_line(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut line = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        match letter {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            // Four digits make an escape that is valid in JSON, too.
            hidden if hidden.is_control() || is_direction(hidden) => {
                line.push_str(&format!("\\u{:04x}", u32::from(hidden)));
            }
            shown => line.push(shown),
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// Line separators, and characters that make a terminal show text in another order than it has.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;

//! What the operating system says about this process. Linux only; elsewhere there are no figures.

use std::{fs, sync::OnceLock};

use super::{Metric, Record, Source};

/// Processor time, memory, descriptors, threads and tasks.
#[derive(Debug)]
pub(crate) struct ProcessSource;

impl Source for ProcessSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::counter("process_cpu_seconds", "Processor time that the process has used."),
            Metric::gauge("process_resident_memory_bytes", "Memory of the process that is in RAM."),
            Metric::gauge("process_open_fds", "File descriptors that the process has open."),
            Metric::gauge("process_threads", "Threads of the process."),
            Metric::gauge("process_tasks", "Tasks of its main runtime, those that serve this request included."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        if let Some(seconds) = cpu_seconds() {
            record("process_cpu_seconds", "", seconds);
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kibibytes) = number_after(&status, "VmRSS:") {
            record("process_resident_memory_bytes", "", kibibytes * 1024.0);
        }
        if let Some(threads) = number_after(&status, "Threads:") {
            record("process_threads", "", threads);
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            record("process_tasks", "", runtime.metrics().num_alive_tasks() as f64);
        }
        if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
            // The directory itself is open while it is counted.
            record("process_open_fds", "", descriptors.count().saturating_sub(1) as f64);
        }
    }
}

/// Processor time that this process has used, in seconds; nothing where the operating system does not tell it.
///
/// User and system time, fields 14 and 15 of `/proc/self/stat`, counted behind the name, which may hold spaces.
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / ticks_per_second())
}

/// The unit of those times: 100 on every Linux that there is, but the kernel tells it, so it is asked.
fn ticks_per_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| clock_ticks().unwrap_or(100.0))
}

/// `AT_CLKTCK` (17) of the auxiliary vector: pairs of machine words.
fn clock_ticks() -> Option<f64> {
    const AT_CLKTCK: usize = 17;
    let vector = fs::read("/proc/self/auxv").ok()?;
    let words: Vec<usize> = vector
        .chunks_exact(size_of::<usize>())
        .filter_map(|word| word.try_into().ok().map(usize::from_ne_bytes))
        .collect();
    let pair = words.chunks_exact(2).find(|pair| pair.first() == Some(&AT_CLKTCK))?;
    pair.get(1).filter(|ticks| **ticks > 0).map(|ticks| *ticks as f64)
}

/// A figure of `/proc/self/status` that is told in kibibytes, in bytes.
pub(crate) fn status_bytes(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    number_after(&status, key).map(|kibibytes| (kibibytes * 1_024.0) as u64)
}

pub(crate) fn number_after(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

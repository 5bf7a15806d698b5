//! What the operating system says, under WCS's keys. Linux only; elsewhere the figures are zero.

use std::fs;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::map;
use crate::metrics::process::number_after;

/// The process. There is no Java in it: what WCS says of Java's threads is said of all, the rest is zero.
pub(super) fn core() -> Map<String, Value> {
    let threads = number_after(&read("/proc/self/status"), "Threads:").unwrap_or_default() as u64;
    map(json!({
        "core_threads": threads,
        "core_java_threads": threads,
        "core_java_threads_blocked": 0,
        "core_java_committedMemory": 0,
        "core_java_freePhysicalMemorySize": memory("MemFree:"),
    }))
}

/// The machine: processor time in percent since the page was asked for last, load, memory in bytes.
pub(super) fn system() -> Map<String, Value> {
    let load = read("/proc/loadavg").split_whitespace().next().and_then(|load| load.parse::<f64>().ok());
    map(json!({
        "system_java_cpu_usage": cpu_percent(),
        "system_java_load_average": load.unwrap_or_default(),
        "system_memory_total": memory("MemTotal:"),
        "system_memory_free": memory("MemAvailable:"),
    }))
}

fn memory(key: &str) -> u64 {
    (number_after(&read("/proc/meminfo"), key).unwrap_or_default() * 1024.0) as u64
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Share of the processors' time that was not idle since the last call; since the machine started for the first.
fn cpu_percent() -> f64 {
    static LAST: Mutex<(f64, f64)> = Mutex::new((0.0, 0.0));
    let (busy, all) = cpu_times(&read("/proc/stat")).unwrap_or_default();
    let (busy_before, all_before) = std::mem::replace(&mut *LAST.lock(), (busy, all));
    let time = all - all_before;
    if time <= 0.0 {
        return 0.0;
    }
    ((busy - busy_before) / time * 1_000.0).round() / 10.0
}

/// Busy time and all time of all processors: user, nice, system, idle, iowait, irq, softirq and steal (proc_stat(5)).
fn cpu_times(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<f64> = line.split_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
    let all = times.iter().sum();
    let idle = times.get(3)? + times.get(4)?;
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(cpu_times("cpu  10 5 15 60 10 0 0 0 7 0\ncpu0 1\n"), Some((30.0, 100.0)));
        assert_eq!(cpu_times("nothing"), None);
    }
}

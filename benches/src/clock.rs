//! CPU time: of this thread, and of another process.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

/// CPU time that this thread has used.
pub(crate) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// CPU time that `work` takes on this thread.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let before = thread_time();
    work();
    thread_time().saturating_sub(before)
}

/// Time that all cores of the machine have worked, and that others of its host took from them.
///
/// Source: proc_stat(5), fields 1, 2, 3, 6 and 7 of the first line, and 8.
pub(crate) fn machine_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("no /proc/stat")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("no cpu in /proc/stat")?;
    let fields: Vec<u64> = line.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let ticks: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|index| fields.get(*index)).sum();
    Ok(ticks_as_time(ticks))
}

fn ticks_as_time(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * (1_000_000_000 / clock_ticks_per_second().max(1)))
}

/// User and system time of all threads of a process, those that have ended included.
///
/// Source: proc_pid_stat(5), fields 14 and 15.
pub(crate) fn process_time(pid: u32) -> Result<Duration> {
    let [user, system] = process_times(pid)?;
    Ok(user + system)
}

/// User time alone: what is not the kernel's.
pub(crate) fn user_time(pid: u32) -> Result<Duration> {
    let [user, _] = process_times(pid)?;
    Ok(user)
}

fn process_times(pid: u32) -> Result<[Duration; 2]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    // The second field is the name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let mut ticks = fields.split_whitespace().skip(11).map(|field| field.parse().unwrap_or(0));
    Ok([(); 2].map(|()| ticks_as_time(ticks.next().unwrap_or(0))))
}

/// Memory that a process holds now, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in status")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// CPU time of the threads that a process has now, to the nanosecond where `/proc/PID/stat` counts in hundredths.
pub(crate) fn fine_process_time(pid: u32) -> Result<Duration> {
    Ok(time_by_thread(pid)?.into_iter().map(|(_, time)| time).sum())
}

/// CPU time by thread name, for seeing where it goes.
pub(crate) fn time_by_thread(pid: u32) -> Result<Vec<(String, Duration)>> {
    let mut threads: Vec<(String, Duration)> = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let (Ok(name), Ok(schedstat)) =
            (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let nanoseconds = schedstat.split_whitespace().next().unwrap_or("0").parse()?;
        let time = Duration::from_nanos(nanoseconds);
        let name = name.trim().to_owned();
        match threads.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += time,
            None => threads.push((name, time)),
        }
    }
    Ok(threads)
}

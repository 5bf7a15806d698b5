//! Whose turn it is to load the machine: tests that measure have it alone, others share it, as many as it bears.
//!
//! Tests run in as many threads as there are tests, and wait here. Those that share go first; once none of them is left,
//! those that need the machine alone follow, one after the other. Whoever comes late, from another thread or another test
//! program, waits until the others are through.

use std::fs::File;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::tools;

/// What a core bears: four tests that mostly wait, or two with a browser, which uses a third of it while it plays.
const SHARES_OF_A_CORE: usize = 4;

/// The right to load the machine, alone or together with other tests, until it is dropped.
///
/// Holds for threads of one test program and for test programs beside each other.
#[derive(Debug)]
pub struct Turn {
    seat: Seat,
    begun: Instant,
    _programs: Option<File>,
}

/// Waits for the right to load the machine alone: for tests that measure times, rates, or how even something is.
pub fn turn() -> Turn {
    Turn::wait(true, shares())
}

/// Waits for the right to load the machine beside few others: for tests with a browser or an encoder of some weight that
/// look at what happens, and not at when.
pub fn heavy_turn() -> Turn {
    Turn::wait(false, 2.min(shares()))
}

/// Waits for the right to load the machine together with others: for tests that mostly wait, and look at what is
/// answered, and not at when.
pub fn shared_turn() -> Turn {
    Turn::wait(false, 1)
}

fn shares() -> usize {
    SHARES_OF_A_CORE * available_parallelism().map_or(1, usize::from)
}

impl Turn {
    fn wait(alone: bool, weight: usize) -> Turn {
        let seat = Seat::take(&TABLE, alone, weight, shares());
        let file = File::create(tools::target().join("test-turn.lock")).ok();
        let programs = file.filter(|file| if alone { file.lock() } else { file.lock_shared() }.is_ok());
        Turn { seat, begun: Instant::now(), _programs: programs }
    }
}

impl Drop for Turn {
    /// Tells the test runner how long it was; how much of the machine, if no other test was beside it.
    #[allow(clippy::print_stdout, reason = "this is how a test tells its reader")]
    fn drop(&mut self) {
        let cpu = self.seat.processor_time().map(|time| format!(", {:.1} s of processor time", time.as_secs_f64()));
        println!("took: {:.1} s{}", self.begun.elapsed().as_secs_f64(), cpu.unwrap_or_default());
    }
}

static TABLE: Table = Table { state: Mutex::new(State::new()), changed: Condvar::new() };

#[derive(Debug)]
struct Table {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Whether it is the time of those that need the machine alone.
    alone: bool,
    /// The shares that are taken.
    taken: usize,
    /// How many wait to share, and how many to be alone.
    waiting: [usize; 2],
    /// How many have had a seat so far.
    given: u64,
}

impl State {
    const fn new() -> State {
        State { alone: false, taken: 0, waiting: [0; 2], given: 0 }
    }

    /// Whether a seat is free; changes the time if nobody of the other kind sits or waits any more.
    fn admits(&mut self, alone: bool, weight: usize, shares: usize) -> bool {
        if self.taken == 0 && self.waiting[usize::from(!alone)] == 0 {
            self.alone = alone;
        }
        self.alone == alone && self.taken + weight <= shares
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those that load the machine.
#[derive(Debug)]
struct Seat {
    table: &'static Table,
    weight: usize,
    /// The processor time of the programs of before, and the number of this seat, if it began alone.
    first: Option<(Duration, u64)>,
}

impl Seat {
    fn take(table: &'static Table, alone: bool, weight: usize, shares: usize) -> Seat {
        let mut state = table.lock();
        state.waiting[usize::from(alone)] += 1;
        while !state.admits(alone, weight, shares) {
            state = table.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting[usize::from(alone)] -= 1;
        let is_first = state.taken == 0;
        state.taken += weight;
        state.given += 1;
        Seat { table, weight, first: processor_time_of_programs().filter(|_| is_first).map(|time| (time, state.given)) }
    }

    /// What the programs of this test have used so far and were waited for, if it was the only one all the time.
    fn processor_time(&self) -> Option<Duration> {
        let (before, number) = self.first?;
        if self.table.lock().given != number {
            return None;
        }
        Some(processor_time_of_programs()?.saturating_sub(before))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.lock().taken -= self.weight;
        self.table.changed.notify_all();
    }
}

/// What the programs that this one has begun and that have ended have used: `cutime` and `cstime` of proc(5), in hundredths
/// of a second.
fn processor_time_of_programs() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_the_name) = text.rsplit_once(") ")?;
    let ticks: u64 = after_the_name.split(' ').skip(13).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::thread;

    use super::*;

    #[test]
    fn those_who_share_go_first_within_the_shares_and_the_others_follow_one_by_one() {
        const SHARES: usize = 4;
        let table: &'static Table =
            Box::leak(Box::new(Table { state: Mutex::new(State::new()), changed: Condvar::new() }));
        let (load, order) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let weights = [1, 2, SHARES, 1, 1, SHARES, 2, 1, SHARES, 1, 2];
        let holder = Seat::take(table, false, SHARES, SHARES);
        let threads: Vec<_> = weights
            .into_iter()
            .map(|weight| {
                let (load, order) = (load.clone(), order.clone());
                thread::spawn(move || {
                    let seat = Seat::take(table, weight == SHARES, weight, SHARES);
                    let loaded = load.fetch_add(weight, SeqCst) + weight;
                    order.lock().unwrap_or_else(PoisonError::into_inner).push((weight, loaded));
                    thread::yield_now();
                    load.fetch_sub(weight, SeqCst);
                    drop(seat);
                })
            })
            .collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        while table.lock().waiting != [8, 3] {
            assert!(Instant::now() < deadline, "not all wait: {:?}", table.lock());
            thread::yield_now();
        }
        drop(holder);
        for thread in threads {
            assert!(thread.join().is_ok());
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(order.iter().all(|(_, loaded)| *loaded <= SHARES), "{order:?}");
        assert_eq!(
            order.iter().map(|(weight, _)| *weight == SHARES).collect::<Vec<_>>(),
            [[false; 8].as_slice(), &[true; 3]].concat()
        );
        assert_eq!(table.lock().taken, 0);
    }
}

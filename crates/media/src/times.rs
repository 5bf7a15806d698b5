//! Times that are measured again and again, counted by how long they were.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper ends of the classes, in seconds; one more class is for all that is longer.
pub const TIME_BOUNDS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

const CLASSES: usize = TIME_BOUNDS.len() + 1;

/// Counts times by class. Many may write and read at once; neither locks or allocates.
#[derive(Debug, Default)]
pub struct Times {
    classes: [AtomicU64; CLASSES],
    microseconds: AtomicU64,
}

/// What [`Times`] has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimesRead {
    /// How many there were of each class, in the order of [`TIME_BOUNDS`], the longest last.
    pub classes: [u64; CLASSES],
    /// Their sum in seconds.
    pub sum: f64,
}

impl Times {
    /// Counts one.
    pub fn count(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let class = TIME_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(TIME_BOUNDS.len());
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Relaxed);
        }
        self.microseconds.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What has been counted.
    pub fn read(&self) -> TimesRead {
        let classes = std::array::from_fn(|class| self.classes.get(class).map_or(0, |class| class.load(Relaxed)));
        TimesRead { classes, sum: Duration::from_micros(self.microseconds.load(Relaxed)).as_secs_f64() }
    }
}

impl TimesRead {
    /// How many there were in all.
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// Both together.
    pub fn and(mut self, other: &TimesRead) -> TimesRead {
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
        self.sum += other.sum;
        self
    }

    /// Each class with its upper end in seconds, the last one without end.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        TIME_BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.classes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_first_class_that_holds_it() {
        let times = Times::default();
        for (micros, class) in [(0, 0), (500, 0), (501, 1), (20_000, 5), (10_000_000, 13), (10_000_001, 14)] {
            let before = times.read().classes[class];
            times.count(Duration::from_micros(micros));
            assert_eq!(times.read().classes[class], before + 1, "{micros}");
        }
        let read = times.read();
        assert_eq!((read.count(), read.clone().and(&read).count()), (6, 12));
        assert!((read.sum - 20.021_002).abs() < 1e-6, "{}", read.sum);
    }
}

//! How times are spread: a histogram of bounded size.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::outcome::Quantiles;

/// Times from a microsecond to a minute, to three digits; longer ones count as a minute.
#[derive(Debug, Default)]
pub(crate) struct Spread(Option<Histogram<u64>>);

const MICROS_MAX: u64 = 60_000_000;

impl Spread {
    /// Counts a time.
    pub(crate) fn add(&mut self, time: Duration) {
        // The bounds are ones that a histogram takes.
        let made = || Histogram::new_with_bounds(1, MICROS_MAX, 3).ok();
        if self.0.is_none() {
            self.0 = made();
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Counts all that another has counted.
    pub(crate) fn add_all(&mut self, other: &Spread) {
        match (&mut self.0, &other.0) {
            (Some(sum), Some(other)) => {
                // Both have the same bounds.
                let _ = sum.add(other);
            }
            (None, Some(other)) => self.0 = Some(other.clone()),
            (_, None) => {}
        }
    }

    /// In milliseconds; nothing where nothing was counted.
    pub(crate) fn read(&self) -> Option<Quantiles> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Some(Quantiles {
            count: histogram.len(),
            min: histogram.min() as f64 / 1_000.0,
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: histogram.max() as f64 / 1_000.0,
        })
    }
}

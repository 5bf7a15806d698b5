//! How often each limit was hit.

use headwater_media::limits::TABLE;

use super::{Metric, Record, Source};

/// The table of limits.
#[derive(Debug)]
pub(crate) struct LimitsSource;

impl Source for LimitsSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::counter("limit_hits", "Times that something was refused or dropped because of a limit.")
                .by("limit"),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        for limit in TABLE {
            record("limit_hits", &limit.name.to_lowercase(), limit.hits() as f64);
        }
    }
}

//! How often each limit was hit.

use headwater_media::limits::TABLE;

use super::{Metric, Record, Source};

/// The table of limits.
#[derive(Debug)]
pub(crate) struct LimitsSource;

static METRICS: [Metric; 1] = [Metric::counter(
    "limit_hits",
    "Times that something was refused or dropped because of a limit.",
)
.by("limit")];

impl Source for LimitsSource {
    fn metrics(&self) -> &'static [Metric] {
        &METRICS
    }

    fn read(&self, record: &mut Record<'_>) {
        for limit in TABLE {
            record(
                "limit_hits",
                &limit.name.to_lowercase(),
                limit.hits() as f64,
            );
        }
    }
}

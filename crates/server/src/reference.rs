//! The reference pages that are made from code.

use std::fmt::Write;

use headwater_control::{Metrics, rest_reference};
use headwater_media::limits::TABLE;

use crate::config::Config;

/// A page of `docs/reference`: its file name and its Markdown.
pub type Page = (&'static str, String);

/// All pages that are made from code.
pub fn reference(metrics: &Metrics) -> Vec<Page> {
    vec![
        ("configuration.md", Config::default().reference()),
        ("limits.md", limits()),
        ("metrics.md", metrics.reference()),
        ("rest.md", rest_reference()),
    ]
}

const LIMITS: &str = "\
# Limits

<!-- Generated from the table in crates/media; do not edit. -->

What one peer, or all together, may make the server do.
Other values are set in `[limits]` of the configuration or in the environment, as `HEADWATER__LIMITS__NAME=value`.
Each limit is counted when it is hit: `headwater_limit_hits_total{limit=\"name\"}`.

| name | default | unit | what it bounds |
|---|---|---|---|
";

fn limits() -> String {
    let mut page = String::from(LIMITS);
    for limit in TABLE {
        let name = limit.name.to_lowercase();
        let _ = writeln!(page, "| `{name}` | {} | {} | {} |", limit.default, limit.unit, limit.what);
    }
    page
}

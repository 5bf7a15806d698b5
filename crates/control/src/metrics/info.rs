//! Which server this is.

use super::{Metric, Record, Source};

/// How a server is told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name among those that an operator runs.
    pub name: String,
    /// What it does among them, such as "origin".
    pub role: &'static str,
}

impl Default for Node {
    fn default() -> Node {
        Node { name: "headwater".into(), role: "origin" }
    }
}

/// The version and the node, as labels of a figure that is always 1.
pub(crate) struct InfoSource(pub(crate) Node);

impl Source for InfoSource {
    fn metrics(&self) -> Vec<Metric> {
        let info =
            Metric::gauge("info", "Always 1; its labels say which server this is, to be joined with other figures.");
        vec![info.by("version").by("node").by("role")]
    }

    fn read(&self, record: &mut Record<'_>) {
        let name = self.0.name.replace(',', "_");
        record("info", &format!("{},{name},{}", env!("CARGO_PKG_VERSION"), self.0.role), 1.0);
    }
}

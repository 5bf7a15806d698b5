//! Marks -> the nodes that live.

use std::collections::HashMap;

use axum::http::uri::Authority;
use headwater_cluster::{Cluster, NodeFacts, NodeId, NodeState};
use parking_lot::Mutex;
use tokio::sync::watch;
use url::Url;

/// Where a node is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(super) node: NodeId,
    pub(super) authority: Authority,
    pub(super) is_secure: bool,
}

/// The nodes that live, by their marks.
pub(super) struct Owners {
    cluster: Cluster,
    table: Mutex<Table>,
}

struct Table {
    changes: watch::Receiver<u64>,
    owners: HashMap<String, Owner>,
}

impl Owners {
    pub(super) fn new(cluster: Cluster) -> Owners {
        let mut changes = cluster.changes();
        changes.mark_changed();
        Owners { cluster, table: Mutex::new(Table { changes, owners: HashMap::new() }) }
    }

    /// Only what the directory says now is ever asked, whatever an address says.
    pub(super) fn find(&self, mark: &str) -> Option<Owner> {
        let mut table = self.table.lock();
        if table.changes.has_changed().unwrap_or(false) {
            table.changes.mark_unchanged();
            let owners = self.cluster.nodes().into_iter().filter_map(owner);
            table.owners = owners.map(|owner| (self.cluster.mark(&owner.node), owner)).collect();
        }
        table.owners.get(mark).cloned()
    }
}

/// Where a node is asked by HTTP, which is where its streams are fetched; none if it does not live.
pub(super) fn owner(node: NodeFacts) -> Option<Owner> {
    if node.state != NodeState::Active {
        return None;
    }
    let url = Url::parse(&node.media).ok()?;
    let is_secure = match url.scheme() {
        "wss" | "https" => true,
        "ws" | "http" => false,
        _ => return None,
    };
    let authority = format!("{}:{}", url.host_str()?, url.port_or_known_default()?).parse().ok()?;
    Some(Owner { node: node.id, authority, is_secure })
}

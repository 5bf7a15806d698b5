//! What has changed in the states of all nodes since the last look, brought to the directory.

use std::collections::{BTreeMap, HashMap};

use chitchat::{Chitchat, ChitchatId, NodeState};
use headwater_media::StreamName;
use tokio::time::Instant;

use crate::{
    NodeId, StreamFacts,
    directory::{About, Directory, Entry},
};

pub(super) struct View {
    own: ChitchatId,
    told: BTreeMap<StreamName, StreamFacts>,
    seen: HashMap<NodeId, Seen>,
}

/// How far a node's state has been read.
#[derive(Clone, Copy)]
struct Seen {
    generation: u64,
    version: u64,
    /// What was withdrawn up to this version has left no trace.
    gc_version: u64,
}

impl View {
    pub(super) fn new(own: ChitchatId) -> View {
        View { own, told: BTreeMap::new(), seen: HashMap::new() }
    }

    /// What this node has to tell that it has not told yet.
    pub(super) fn own_changes(
        &mut self,
        own: &BTreeMap<StreamName, StreamFacts>,
    ) -> Vec<(StreamName, Option<StreamFacts>)> {
        let gone = self.told.keys().filter(|stream| !own.contains_key(stream)).map(|stream| (stream.clone(), None));
        let new = own.iter().filter(|(stream, facts)| self.told.get(stream) != Some(facts));
        let changes: Vec<_> = gone.chain(new.map(|(stream, facts)| (stream.clone(), Some(facts.clone())))).collect();
        for (stream, facts) in &changes {
            match facts {
                Some(facts) => self.told.insert(stream.clone(), facts.clone()),
                None => self.told.remove(stream),
            };
        }
        changes
    }

    /// Whether no other node is known to live.
    pub(super) fn is_alone(&self) -> bool {
        self.seen.is_empty()
    }

    /// Brings the directory up to what the gossip knows; whether anything has changed.
    pub(super) fn look(&mut self, chitchat: &Chitchat, directory: &mut Directory, now: Instant) -> bool {
        let mut live: HashMap<NodeId, &ChitchatId> = HashMap::new();
        for id in chitchat.live_nodes().filter(|id| id.node_id != self.own.node_id) {
            let Ok(node) = NodeId::new(&id.node_id) else { continue };
            if directory.has_left(&node, id.generation_id) {
                continue;
            }
            // A node that has just started anew may for a moment live twice.
            let newest = live.entry(node).or_insert(id);
            if newest.generation_id < id.generation_id {
                *newest = id;
            }
        }
        let mut is_changed = false;
        self.seen.retain(|node, _| {
            let stays = live.contains_key(node);
            if !stays {
                is_changed |= directory.lose(node, now);
            }
            stays
        });
        directory.hear_of(self.rumours(chitchat));
        for (node, id) in live {
            if let Some(state) = chitchat.node_state(id) {
                is_changed |= self.read(node, state, directory);
            }
        }
        is_changed
    }

    /// Nodes that others tell of and that have shown no sign of life yet, with where they are to be found: they are
    /// dialled, and need not wait until the gossip comes round to them.
    fn rumours(&self, chitchat: &Chitchat) -> BTreeMap<NodeId, String> {
        let others = chitchat.node_states().values().filter(|state| state.chitchat_id().node_id != self.own.node_id);
        let unseen = others.filter_map(|state| {
            let node = NodeId::new(&state.chitchat_id().node_id).ok().filter(|node| !self.seen.contains_key(node))?;
            Some((node, state.get(About::KEY).and_then(About::read)?.url))
        });
        unseen.collect()
    }

    fn read(&mut self, node: NodeId, state: &NodeState, directory: &mut Directory) -> bool {
        let generation = state.chitchat_id().generation_id;
        let now = Seen { generation, version: state.max_version(), gc_version: state.last_gc_version() };
        let seen = self.seen.get(&node).copied().filter(|seen| seen.generation == generation);
        if seen.is_some_and(|seen| seen.version == now.version && seen.gc_version == now.gc_version) {
            return false;
        }
        let Some(about) = state.get(About::KEY).and_then(About::read) else { return false };
        if !directory.meet(&node, generation, about) {
            return false;
        }
        // What was withdrawn and then left out, or a state that began anew: all of it is read again.
        let since = match seen {
            Some(seen) if now.gc_version <= seen.version && now.version >= seen.version => seen.version,
            _ => {
                directory.empty(&node);
                0
            }
        };
        for (key, value) in state.key_values_including_deleted().filter(|(_, value)| value.version > since) {
            if key != About::KEY {
                let text = (!value.is_deleted()).then_some(value.value.as_str());
                directory.put(&node, Entry::read(key, text));
            }
        }
        self.seen.insert(node, now);
        true
    }
}

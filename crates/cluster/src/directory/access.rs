//! Who may watch and who may come: the keys of streams, and that a node takes nobody new.

use std::collections::BTreeMap;

use headwater_media::{StreamName, limits};

use super::{Directory, KEYS_BYTES_MAX, node::KEY_BYTES_MAX};
use crate::Load;

/// Whether nodes tell each other of keys such as these: at most [`limits::CLUSTER_STREAM_KEYS`], each of at most 256
/// bytes, and no more than 10 KiB together.
pub fn are_keys(keys: &[String]) -> bool {
    keys.len() <= limits::CLUSTER_STREAM_KEYS.get_usize()
        && keys.iter().all(|key| key.len() <= KEY_BYTES_MAX)
        && serde_json::to_vec(keys).is_ok_and(|keys| keys.len() <= KEYS_BYTES_MAX)
}

impl Directory {
    /// The keys of a stream that is published here are these from now on, however often it is announced; whether that
    /// is news.
    pub(crate) fn restrict(&mut self, stream: &StreamName, keys: Vec<String>) -> bool {
        if keys.is_empty() {
            self.own_keys.remove(stream);
        } else {
            self.own_keys.insert(stream.clone(), keys.clone());
        }
        let Some(facts) = self.own.get(stream).filter(|facts| facts.hops == 0) else { return false };
        let facts = crate::StreamFacts { keys, ..facts.clone() };
        self.announce(stream, facts)
    }

    /// The streams of other nodes that need a key, by what their owners tell.
    pub(crate) fn restricted(&self) -> BTreeMap<StreamName, Vec<String>> {
        let told = self.nodes.values().flat_map(|node| &node.streams);
        let listed = told.filter(|(_, facts)| !facts.keys.is_empty()).map(|(stream, _)| stream);
        let keys = listed.filter_map(|stream| {
            let (_, owner) = self.owner(stream)?;
            let keys = &self.nodes.get(owner)?.streams.get(stream)?.keys;
            (!keys.is_empty()).then(|| (stream.clone(), keys.clone()))
        });
        keys.collect()
    }

    /// This node takes nobody new from now on, whatever else is told of how busy it is.
    pub(crate) fn close(&mut self) -> bool {
        self.is_closed = true;
        self.set_load(self.load)
    }

    /// What is told of how busy it is.
    pub(super) fn told(&self, load: Load) -> Load {
        Load { accepts: load.accepts && !self.is_closed, ..load }
    }
}

//! One other node, and the entries that nodes tell each other.

use std::collections::BTreeMap;

use headwater_media::StreamName;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    Load, NodeFacts, NodeId, NodeState, Role, StreamFacts,
    settings::{are_groups, is_url},
};

/// The longest key of a stream, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 256;
/// The longest version, in bytes.
const VERSION_BYTES_MAX: usize = 64;
/// What the keys of streams begin with.
const STREAM: &str = "s/";

/// What a node tells of itself, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    pub(crate) url: String,
    pub(crate) media: String,
    #[serde(default)]
    pub(crate) version: String,
}

impl About {
    pub(crate) const KEY: &'static str = "node";

    /// Reads it; `None` if it is not understood.
    pub(crate) fn read(value: &str) -> Option<About> {
        let about: About = serde_json::from_str(value).ok()?;
        let is_good = are_groups(&about.groups)
            && is_url(&about.url)
            && is_url(&about.media)
            && about.version.len() <= VERSION_BYTES_MAX
            && about.version.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        is_good.then_some(about)
    }

    pub(crate) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a node tells besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// How busy it is.
    Load(Load),
    /// That it has a stream, or has it no more.
    Stream(StreamName, Option<StreamFacts>),
    /// It is not understood. Later versions may know more.
    Other,
}

impl Entry {
    /// Reads a key and its value, `None` if that was withdrawn.
    pub(crate) fn read(key: &str, value: Option<&str>) -> Entry {
        let read = || {
            if let Some(name) = key.strip_prefix(STREAM) {
                let facts = value.map(serde_json::from_str).transpose().ok()?;
                return Some(Entry::Stream(StreamName::new(name).ok()?, facts));
            }
            if key == Self::LOAD { Some(Entry::Load(serde_json::from_str(value?).ok()?)) } else { None }
        };
        read().unwrap_or(Entry::Other)
    }

    pub(crate) const LOAD: &'static str = "load";

    /// The key of a stream.
    pub(crate) fn stream_key(stream: &StreamName) -> String {
        format!("{STREAM}{stream}")
    }
}

/// What is known of one node.
pub(super) struct Node {
    pub(super) generation: u64,
    pub(super) about: About,
    pub(super) load: Load,
    pub(super) streams: BTreeMap<StreamName, StreamFacts>,
    pub(super) passive_since: Option<Instant>,
    /// The last generation that has said that it goes.
    pub(super) left_generation: u64,
}

impl Node {
    pub(super) fn new(generation: u64, about: About) -> Node {
        Node {
            generation,
            about,
            load: Load::default(),
            streams: BTreeMap::new(),
            passive_since: None,
            left_generation: 0,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.passive_since.is_none()
    }

    pub(super) fn facts(&self, id: &NodeId) -> NodeFacts {
        let About { role, groups, url, media, version } = self.about.clone();
        let state = if self.is_live() { NodeState::Active } else { NodeState::Passive };
        let streams = self.streams.len();
        NodeFacts { id: id.clone(), role, groups, url, media, state, load: self.load, version, streams }
    }
}

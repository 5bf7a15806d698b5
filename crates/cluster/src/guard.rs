//! What is looked at in a message before the gossip reads it.
//!
//! Whoever has proved the secret is a node; a node may still be of another version, or broken, or taken over. The
//! gossip keeps what it is told of any node by any node, in whatever amount, and takes some orders of versions for
//! impossible. So each message is read here first, in the form that `chitchat` 0.11 gives it.

mod reader;

use std::{collections::HashMap, sync::Arc};

use chitchat::Chitchat;
use headwater_media::limits;
use parking_lot::Mutex;

use crate::{NodeId, switch::address_of};

use reader::{Id, Operation, Reader};

/// A message that no node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// The gossip may read it.
    Good,
    /// It tells of more nodes or streams than there is room for.
    Beyond,
    /// It tells this node what this node has said itself. That happens where what it said came to the other node by a
    /// third one, sooner than the question that the message answers.
    Stale,
}

/// Digests are larger than this only if there are too many nodes: what they leave of a message has to hold any entry.
const DIGEST_BYTES_MAX: usize = 40 << 10;
/// Versions and signs of life count up from 0; a node that has come so far has counted for thousands of years.
const COUNT_MAX: u64 = 1 << 53;
/// Entries of a node for each stream that it may have: some were withdrawn a moment ago.
const ENTRIES_PER_STREAM: usize = 4;
/// The longest key and value: a stream's name; a stream's access keys.
const KEY_BYTES_MAX: usize = 600;
pub(crate) const VALUE_BYTES_MAX: usize = 20 << 10;

const SYN: u8 = 0;
const SYN_ACK: u8 = 1;
const ACK: u8 = 2;
const BAD_CLUSTER: u8 = 3;

/// Checks messages by what the gossip holds.
#[derive(Default)]
pub(crate) struct Guard(Mutex<Held>);

/// What the gossip holds, at the last look.
#[derive(Default)]
struct Held {
    own: Option<(NodeId, u64)>,
    states: HashMap<(Arc<str>, u64), State>,
    digest_bytes: usize,
}

#[derive(Clone, Copy)]
struct State {
    version: u64,
    entries: usize,
}

impl Guard {
    /// Takes note of what the gossip holds now.
    pub(crate) fn learn(&self, chitchat: &Chitchat) {
        let mut held = self.0.lock();
        let own = chitchat.self_chitchat_id();
        if held.own.as_ref().is_none_or(|(_, generation)| *generation != own.generation_id) {
            held.own = NodeId::new(&own.node_id).ok().map(|node| (node, own.generation_id));
        }
        let before = std::mem::take(&mut held.states);
        held.digest_bytes = 0;
        for (id, state) in chitchat.node_states() {
            let key = (id.node_id.clone(), id.generation_id);
            let version = state.max_version();
            let known = before.get(&key).filter(|known| known.version == version).copied();
            let entries = || state.key_values_including_deleted().count();
            held.digest_bytes = held.digest_bytes.saturating_add(reader::digest_bytes(&id.node_id));
            held.states.insert(key, known.unwrap_or_else(|| State { version, entries: entries() }));
        }
    }

    /// Whether the gossip may read a message.
    pub(crate) fn check(&self, message: &[u8]) -> Result<Checked, Malformed> {
        let held = self.0.lock();
        let mut reader = Reader::open(message)?;
        let kind = reader.u8()?;
        let mut checked = Checked::Good;
        if matches!(kind, SYN | SYN_ACK) {
            checked = held.check_digest(&mut reader)?;
        }
        match kind {
            SYN => _ = reader.text()?,
            SYN_ACK | ACK => {
                let operations = reader.unpack()?;
                let delta = held.check_delta(&operations)?;
                if delta != Checked::Good {
                    checked = delta;
                }
            }
            BAD_CLUSTER => {}
            _ => return Err(Malformed),
        }
        if reader.is_empty() { Ok(checked) } else { Err(Malformed) }
    }
}

impl Held {
    fn check_digest(&self, reader: &mut Reader<'_>) -> Result<Checked, Malformed> {
        let (mut nodes, mut bytes) = (self.states.len(), self.digest_bytes);
        for _ in 0..reader.u16()? {
            let id = reader.id()?;
            check_id(&id)?;
            for _ in ["heartbeat", "last_gc_version", "max_version"] {
                check_count(reader.u64()?)?;
            }
            if !self.states.contains_key(&(Arc::from(id.node), id.generation)) {
                nodes = nodes.saturating_add(1);
                bytes = bytes.saturating_add(reader::digest_bytes(id.node));
            }
        }
        let limit = &limits::CLUSTER_NODES;
        if nodes > limit.get_usize() || bytes > DIGEST_BYTES_MAX {
            limit.hit();
            return Ok(Checked::Beyond);
        }
        Ok(Checked::Good)
    }

    fn check_delta(&self, operations: &[u8]) -> Result<Checked, Malformed> {
        let mut reader = Reader::new(operations);
        let mut told: Vec<(&str, u64)> = Vec::new();
        let (mut version, mut room, mut most) = (0, 0_usize, COUNT_MAX);
        let mut checked = Checked::Good;
        while !reader.is_empty() {
            match reader.operation()? {
                Operation::Node { id, last_gc_version, from_version } => {
                    check_id(&id)?;
                    check_count(last_gc_version.max(from_version))?;
                    // No node is told of twice.
                    if told.contains(&(id.node, id.generation)) || told.len() >= limits::CLUSTER_NODES.get_usize() {
                        return Err(Malformed);
                    }
                    told.push((id.node, id.generation));
                    let held = self.states.get(&(Arc::from(id.node), id.generation)).copied();
                    // Of this node others know what it has said, and no more.
                    most = COUNT_MAX;
                    if self.is_own(&id) {
                        checked = Checked::Stale;
                        most = held.map_or(0, |state| state.version);
                    }
                    let entries = limits::CLUSTER_STREAMS_PER_NODE.get_usize().saturating_mul(ENTRIES_PER_STREAM);
                    (version, room) = (0, entries.saturating_sub(held.map_or(0, |state| state.entries)));
                }
                Operation::Entry { key, value, version: next } => {
                    let is_good = next > version && next <= most && key <= KEY_BYTES_MAX && value <= VALUE_BYTES_MAX;
                    if told.is_empty() || !is_good {
                        return Err(Malformed);
                    }
                    check_count(next)?;
                    version = next;
                    match room.checked_sub(1) {
                        Some(left) => room = left,
                        None if checked == Checked::Stale => {}
                        None => checked = Checked::Beyond,
                    }
                }
                Operation::Version(next) => {
                    check_count(next)?;
                    if told.is_empty() || next < version || next > most {
                        return Err(Malformed);
                    }
                    version = next;
                }
            }
        }
        if checked == Checked::Beyond {
            limits::CLUSTER_STREAMS_PER_NODE.hit();
        }
        Ok(checked)
    }

    fn is_own(&self, id: &Id<'_>) -> bool {
        self.own.as_ref().is_some_and(|(node, generation)| node.as_str() == id.node && *generation == id.generation)
    }
}

/// A node that has the name of a node, and the address that follows from it.
fn check_id(id: &Id<'_>) -> Result<(), Malformed> {
    let node = NodeId::new(id.node).map_err(|_| Malformed)?;
    if address_of(&node) == id.address { Ok(()) } else { Err(Malformed) }
}

fn check_count(count: u64) -> Result<(), Malformed> {
    if count < COUNT_MAX { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests;

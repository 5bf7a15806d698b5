//! What nodes know of each other and of their streams.

use headwater_media::StreamName;
use serde::{Deserialize, Serialize};

use crate::{NodeId, Role};

/// What a node tells of a stream that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// Since when it is published, in milliseconds since 1970, by the clock of the node that it was published to.
    #[serde(rename = "p")]
    pub published_ms: u64,
    /// Who has one of these may watch; everybody if there are none.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// How many nodes it went through: none where it is published.
    #[serde(rename = "h", default, skip_serializing_if = "is_zero")]
    pub hops: u8,
    /// The node that it came from last; `None` where it is published.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NodeId>,
    /// How it comes from there, told now and then.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
}

/// How a stream comes from one node to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The time to the other node and back, in microseconds; 0 where it is not known.
    #[serde(rename = "t", default)]
    pub round_trip_us: u32,
    /// How many of a thousand packets never came, in the last ten seconds.
    #[serde(rename = "l", default)]
    pub lost_per_mille: u16,
    /// Thousands of bits of media in a second, in the last ten seconds.
    #[serde(rename = "r", default)]
    pub kilobits: u32,
}

fn is_zero(hops: &u8) -> bool {
    *hops == 0
}

/// How busy a node is, and what it does for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Viewers and nodes that are sent streams.
    pub viewers: u64,
    /// The share of its processors that is used, in thousandths.
    pub cpu_permille: u16,
    /// Whether it takes new sessions. A node that is about to stop does not.
    pub accepts: bool,
    /// Whether it passes on to other nodes what it has fetched.
    #[serde(default, skip_serializing_if = "is_false")]
    pub passes_on: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Default for Load {
    fn default() -> Load {
        Load { viewers: 0, cpu_permille: 0, accepts: true, passes_on: false }
    }
}

/// Whether a node can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NodeState {
    /// It lives.
    Active,
    /// It has stopped or cannot be reached; it is tried again and again.
    Passive,
}

/// What is known of another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its name.
    pub id: NodeId,
    /// What it is for.
    pub role: Role,
    /// Its groups, the first the most.
    pub groups: Vec<String>,
    /// Where other nodes reach it.
    pub url: String,
    /// Where its streams are fetched.
    pub media: String,
    /// Whether it can be reached.
    pub state: NodeState,
    /// How busy it is.
    pub load: Load,
    /// The version of its server, for people.
    pub version: String,
    /// How many streams it has.
    pub streams: usize,
}

/// A node that has a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The node.
    pub node: NodeFacts,
    /// What it tells of the stream.
    pub facts: StreamFacts,
}

/// This node publishes a name that belongs to another: who published first keeps it, and if that is the same
/// millisecond, the node whose name comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name.
    pub stream: StreamName,
    /// Whose it is.
    pub owner: NodeId,
    /// Since when, in milliseconds since 1970.
    pub published_ms: u64,
}

/// Why a node is not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// No node has this name.
    #[error("there is no such node")]
    NotFound,
    /// It lives.
    #[error("an active node cannot be removed")]
    Active,
}

/// What has been counted since the start; `links` comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Links to other nodes now.
    pub links: u64,
    /// Links that were opened.
    pub links_opened: u64,
    /// Attempts of others to become a link that were refused: a false secret, an address that may not, too many.
    pub refused: u64,
    /// Messages received from nodes.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Messages sent to nodes.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that were not sent because too many waited for the same node, or because there was no link.
    pub unsent: u64,
    /// Messages that could not be understood, or said what no node may say. Their link was closed.
    pub malformed: u64,
    /// Messages that were too large. Their link was closed.
    pub oversized: u64,
    /// Entries of other nodes that were left out, and messages of which nothing was read: too many nodes or streams,
    /// not understood, or not theirs to make.
    pub left_out: u64,
}

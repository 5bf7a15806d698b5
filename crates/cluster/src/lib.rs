//! Which servers belong together and which of them has which stream: the membership and the directory of a content
//! delivery network.
//!
//! A node knows one entry point, its own address, its role and its groups. It asks the entry point for the others,
//! and from then on every node has a link to every other; what one tells of itself, all know soon. The picture is
//! consistent in the end and not at every moment: a node that is asked for a stream must be ready not to have it.
//!
//! | here | is |
//! |---|---|
//! | [`Cluster`] | a node's part: what it tells, and what it knows of the others |
//! | [`Settings`], [`NodeId`], [`Role`] | what a node is told of itself |
//! | [`StreamFacts`], [`Load`], [`NodeFacts`], [`Location`] | what nodes know of each other |
//! | [`Conflict`] | this node publishes a name that is another's |
//! | [`Claim`] | who made a token |
//!
//! Two nodes that meet prove to each other that they know the cluster's secret, then gossip over one WebSocket
//! (RFC 6455). The gossip itself is that of the crate `chitchat`, which only the module `gossip` knows.
//! Why, and what it takes: `docs/design/cluster.md`.
//!
//! It knows no media and no protocol of streams, and fetches none.

mod accept;
mod certificate;
mod clock;
mod cluster;
mod dial;
mod directory;
mod facts;
mod followers;
mod gossip;
mod guard;
mod hello;
mod keys;
mod link;
mod settings;
mod switch;

pub use cluster::Cluster;
pub use directory::are_keys;
pub use facts::{Conflict, Load, Location, NodeFacts, NodeState, RemoveError, Statistics, StreamFacts, Way};
pub use keys::Claim;
pub use settings::{ClusterError, InvalidNode, NodeId, Role, Settings, UnknownRole};

#[cfg(test)]
mod tests;

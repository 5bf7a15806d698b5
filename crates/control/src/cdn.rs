//! The servers that work together with this one.

use std::net::SocketAddr;

use axum::{body::Body, extract::Request, response::Response};
use headwater_graph::BoxFuture;
use headwater_media::StreamName;
use serde::Serialize;
use utoipa::ToSchema;

/// A node of the network, as this server knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CdnNode)]
pub struct NodeObject {
    /// Its name.
    pub id: String,
    /// "ORIGIN", "EDGE" or "TRANSCODER".
    pub role: String,
    /// "ACTIVE", or "PASSIVE" of one that has stopped or cannot be reached.
    pub global_state: &'static str,
    /// "NEW_STREAMS_ALLOWED", or "GROUP_CONNECTIONS_ALLOWED" of one that takes nothing new.
    pub processing_state: &'static str,
    /// The version of its server.
    pub version: String,
    /// Its groups, the first the most.
    pub groups: Vec<String>,
    /// How many watch on it, viewers and other nodes.
    pub viewers: u64,
    /// The share of its processors that is used, in percent.
    pub cpu_percent: f64,
    /// Streams that it has told of.
    pub streams: u64,
    /// Whether it passes on to other nodes what it has fetched.
    pub passes_on: bool,
    /// Where its streams are fetched: its web server as a WebSocket's address, such as "ws://10.0.0.7:8080".
    pub media: String,
}

/// A stream that goes from one node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The stream.
    pub stream: StreamName,
    /// The node that it comes from.
    pub from: String,
}

/// A node on the way of a stream, and how the stream comes to it from the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CdnHop)]
pub struct HopObject {
    /// The name of the node.
    pub node: String,
    /// "ORIGIN", "EDGE" or "TRANSCODER".
    pub role: String,
    /// The time to the next node and back, in milliseconds, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// The share of packets from the next node that never came, in percent, in the last ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_percent: Option<f64>,
    /// Thousands of bits of media from the next node in a second, in the last ten seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kbps: Option<u64>,
}

/// Why a node is not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRemoved {
    /// Nobody has that name.
    Unknown,
    /// It lives.
    Active,
}

/// The network of servers that this one is part of.
pub trait Cdn: Send + Sync + 'static {
    /// The name of this node, and its role as [`NodeObject`] has it.
    fn own(&self) -> (String, String);

    /// Has another node answer a call, for a client of this address; `None` of one that is not known or does not live.
    fn ask(&self, node: &str, call: Request<Body>, client: SocketAddr) -> Option<BoxFuture<'static, Response>>;

    /// All nodes but this one.
    fn nodes(&self) -> Vec<NodeObject>;

    /// The streams that this node fetches from others now.
    fn hops(&self) -> Vec<Hop>;

    /// The way of a stream that this node has, from here to where it is published.
    fn trace(&self, stream: &StreamName) -> Vec<HopObject>;

    /// The names of the nodes that have a stream, the best first; this one where it is published here.
    fn locate(&self, stream: &StreamName) -> Vec<String>;

    /// Forgets a node that is gone.
    ///
    /// # Errors
    /// It lives, or is not known.
    fn remove(&self, node: &str) -> Result<(), NotRemoved>;
}

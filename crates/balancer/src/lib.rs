//! Sends viewers to one of several servers: a list of edges, how busy each of them is, and the answer to a page.
//!
//! ```text
//!  page ── GET /balancer ──► Balancer ── choose ──► {"server": "edge1.example", "ws": 8080, "wss": 8443, "flash": 1935}
//!                               ▲
//!                    Candidates: the list of edges, and whoever else knows some
//!                               ▲ GET /readyz, GET /?action=stat, again and again
//!                             edges
//! ```
//!
//! An origin may also send them every stream that is published there.
//!
//! The question and the form of the answer are those of WCS's Web SDK, option `lbUrl` of `createSession`.

mod answer;
mod balancer;
mod candidate;
mod choice;
mod distribution;
mod edge;
mod edges;
mod probe;

pub use answer::PATH;
pub use balancer::{Balancer, Settings, Statistics};
pub use candidate::{Candidate, Candidates};
pub use choice::Mode;
pub use distribution::{Carrier, Distribution};
pub use edge::{Edge, EdgeError};

//! The graph as protocols use it.

#[path = "graph/allocations.rs"]
mod allocations;
#[path = "graph/conversions.rs"]
mod conversions;
#[path = "graph/hub.rs"]
mod hub;
#[path = "graph/lanes.rs"]
mod lanes;
#[path = "graph/recall.rs"]
mod recall;
#[path = "graph/stress.rs"]
mod stress;
#[path = "graph/support.rs"]
mod support;

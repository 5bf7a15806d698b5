//! Conversions between lanes, alone and inside the graph.

mod derived;
mod lanes;
mod support;

//! The agent against other servers that break the rules.

mod attack;
mod scene;

//! Whole sessions over pipes in memory: what publishers and players would notice.
#![allow(missing_docs, reason = "tests")]

mod abuse;
mod access;
mod clients;
mod convoys;
mod peer;
mod playing;

//! The pieces of work that are counted.

use std::hint::black_box;

use anyhow::Result;
use clap::ValueEnum;

use super::{egress, hls, rtmp, rtp, str0m};
use crate::graph;

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Handing packets to cursors.
    Graph,
    /// Copying a packet behind a header and sealing it, with nothing else around.
    Floor,
    /// Packets from a lane to WebRTC viewers.
    Egress,
    /// The same packets to as many viewers by str0m.
    Str0m,
    /// Frames from a lane to RTMP players.
    Rtmp,
    /// Frames into parts of HLS.
    Hls,
    /// Frames into packets.
    Packetizer,
    /// Packets into frames.
    Depacketizer,
}

impl Work {
    /// All of them, in the order in which they are told.
    pub(super) fn all() -> &'static [Work] {
        Work::value_variants()
    }

    /// What it is, in words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Work::Graph => "graph, 200 cursors of one task",
            Work::Floor => "copy, header and AES-128-GCM",
            Work::Egress => "WebRTC, 200 viewers",
            Work::Str0m => "WebRTC, 200 viewers by str0m, nothing sent",
            Work::Rtmp => "RTMP, 50 players in step",
            Work::Hls => "HLS, frames of 8 kB with sound into parts",
            Work::Packetizer => "H.264 frames of 8 kB into packets",
            Work::Depacketizer => "H.264 packets into frames of 8 kB",
        }
    }

    /// What its figures are for one of.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Work::Graph | Work::Egress | Work::Str0m => "/packet and viewer",
            Work::Floor | Work::Packetizer | Work::Depacketizer => "/packet",
            Work::Rtmp => "/frame and player",
            Work::Hls => "/part",
        }
    }

    /// Whether it seals packets for viewers, so that what is above the cipher is counted as well.
    pub(super) fn seals_media(self) -> bool {
        matches!(self, Work::Egress | Work::Str0m)
    }

    /// Allocations that it may take for one; `None` where it makes what all share, which takes memory.
    pub(super) fn allocations_max(self) -> Option<f64> {
        match self {
            Work::Graph | Work::Floor | Work::Egress => Some(0.0),
            // One for all players.
            Work::Rtmp => Some(1.0 / rtmp::PLAYERS as f64),
            Work::Str0m | Work::Hls | Work::Packetizer | Work::Depacketizer => None,
        }
    }

    /// Rounds that are enough for figures that do not change.
    pub(super) fn rounds(self) -> u64 {
        match self {
            Work::Graph | Work::Rtmp => 300,
            Work::Floor => 2_000,
            Work::Egress | Work::Str0m => 120,
            Work::Hls | Work::Packetizer | Work::Depacketizer => 600,
        }
    }

    /// Does it, and says for how many packets, frames or parts.
    pub(crate) fn run(self, rounds: u64) -> Result<u64> {
        match self {
            Work::Graph => Ok(graph::count(rounds)),
            Work::Floor => rtp::seal(rounds),
            Work::Egress => egress::run(rounds),
            Work::Str0m => str0m::run(rounds),
            Work::Rtmp => rtmp::run(rounds),
            Work::Hls => hls::run(rounds),
            Work::Packetizer => rtp::packetize(rounds),
            Work::Depacketizer => rtp::depacketize(rounds),
        }
    }
}

/// Callgrind counts what happens between the entry of this function and its return.
///
/// It finds it by its name, so there is one of it, which nobody inlines.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from becoming a jump.
    black_box(());
}

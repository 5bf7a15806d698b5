//! What is agreed with a publisher besides its offer, and what is counted of it.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use headwater_media::Codec;

/// What signalling decides for a publisher.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Bits in a second below which the publisher is asked not to go, all renditions together.
    pub min_bitrate: Option<u64>,
    /// Bits in a second above which the publisher is asked not to go, all renditions together.
    pub max_bitrate: Option<u64>,
    /// Codecs that are not taken though the server knows them.
    pub strip_codecs: Vec<Codec>,
    /// Whether the publisher may not say how its pictures are to be turned (3GPP TS 26.114 §7.4.5), so that it turns
    /// them itself before it sends them.
    pub strip_orientation: bool,
}

/// What a publisher's session has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Media packets, each counted once.
    pub packets: u64,
    /// Bytes of media in them.
    pub bytes: u64,
    /// Packets that never came, as far as that can be known by now.
    pub packets_lost: u64,
    /// Key frames that the publisher was asked for.
    pub key_frames_requested: u64,
    /// Bits of media in a second, in the last ten seconds.
    pub bits_per_second: u64,
    /// How many of a thousand packets of the last ten seconds never came.
    pub lost_per_mille: u64,
    /// The time of a check to the peer and back (RFC 8445 §2.2); only of sessions that this side has begun, as the
    /// others are checked by their peers.
    pub round_trip: Option<Duration>,
}

/// The same, being counted: written by the shard's thread, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct ReceivedCounters {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) packets_lost: AtomicU64,
    pub(crate) key_frames_requested: AtomicU64,
    pub(crate) bits_per_second: AtomicU64,
    pub(crate) lost_per_mille: AtomicU64,
    /// In microseconds; 0 is unknown.
    pub(crate) round_trip_us: AtomicU64,
}

impl ReceivedCounters {
    pub(crate) fn read(&self) -> Received {
        Received {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            packets_lost: self.packets_lost.load(Relaxed),
            key_frames_requested: self.key_frames_requested.load(Relaxed),
            bits_per_second: self.bits_per_second.load(Relaxed),
            lost_per_mille: self.lost_per_mille.load(Relaxed),
            round_trip: Some(self.round_trip_us.load(Relaxed)).filter(|us| *us > 0).map(Duration::from_micros),
        }
    }
}

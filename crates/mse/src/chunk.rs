//! What lies in a feed's lane: fragments, each with the init segment that it needs.

use std::sync::Arc;

use bytes::Bytes;
use headwater_graph::LaneItem;
use headwater_media::Ticks;
use headwater_mp4::Fragment;

use crate::wire::TrackObject;

/// An init segment and what is told of it.
#[derive(Debug)]
pub(crate) struct Init {
    pub(crate) segment: Bytes,
    /// What a `SourceBuffer` is made for.
    pub(crate) mime: String,
    pub(crate) tracks: Vec<TrackObject>,
}

/// One frame as a fragment.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Viewers who have not been sent this one yet are sent it first.
    pub(crate) init: Arc<Init>,
    pub(crate) fragment: Fragment,
    /// When it is decoded, in ticks of the lane's clock rate.
    pub(crate) ticks: Ticks,
    /// Whether a viewer can begin here.
    pub(crate) starts_group: bool,
}

impl LaneItem for Chunk {
    const ORDERED_BY_DECODING: bool = true;

    fn ticks(&self) -> Ticks {
        self.ticks
    }

    fn presentation(&self) -> Ticks {
        self.ticks
    }

    fn bytes(&self) -> usize {
        self.fragment.len()
    }

    fn starts_group(&self) -> bool {
        self.starts_group
    }
}

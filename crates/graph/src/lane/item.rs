//! What a lane needs to know of the things in it.

use headwater_media::{Frame, Orientation, Packet, Ticks};

/// Something that a lane can hold.
pub trait LaneItem: Send + Sync + 'static {
    /// Its place on the time line, in decoding order.
    fn ticks(&self) -> Ticks;
    /// When it is to be presented.
    fn presentation(&self) -> Ticks;
    /// Bytes of media in it.
    fn bytes(&self) -> usize;
    /// Whether a reader can start here.
    fn starts_group(&self) -> bool;
    /// How the picture that ends with it is to be turned; `None` where it does not say.
    fn orientation(&self) -> Option<Orientation> {
        None
    }
    /// Whether items of this type tell a change of order, as frames with B-pictures do.
    const ORDERED_BY_DECODING: bool;
}

impl LaneItem for Frame {
    const ORDERED_BY_DECODING: bool = true;

    fn ticks(&self) -> Ticks {
        self.dts
    }

    fn presentation(&self) -> Ticks {
        self.pts
    }

    fn bytes(&self) -> usize {
        self.data.len()
    }

    fn starts_group(&self) -> bool {
        self.random_access
    }
}

impl LaneItem for Packet {
    const ORDERED_BY_DECODING: bool = false;

    fn ticks(&self) -> Ticks {
        self.timestamp
    }

    fn presentation(&self) -> Ticks {
        self.timestamp
    }

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn starts_group(&self) -> bool {
        self.random_access
    }

    fn orientation(&self) -> Option<Orientation> {
        self.marker.then_some(self.orientation)
    }
}

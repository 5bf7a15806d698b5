//! The stream graph: hub, stream, track, rendition, lane, cursor, bell and demand.
//!
//! ```text
//! Hub         names -> streams             the only shared map; touched on publish, subscribe, leave
//!  Stream     one live publication         a set of tracks that belong together in time
//!   Track     one medium                   audio or video
//!    Rendition one encoding of the track   the source's, or one converted from it
//!     Lane    the log of its items         two per rendition: RTP packets, and frames
//! ```
//!
//! A lane is an append-only log with one writer; a reader is a [`Cursor`], a position in it. Nothing is queued,
//! copied or locked per viewer. The source writes one lane of a rendition; the other one is derived from it when
//! the first reader asks, shared by all, and stopped when the last reader leaves.
//!
//! No codec, no protocol, no socket and no clock is known here: conversions come in through [`Converters`], the
//! executor and the clock through [`Environment`].

#[cfg(not(loom))]
mod conversion;
mod environment;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod events;
#[cfg(not(loom))]
mod hub;
mod lane;
#[cfg(not(loom))]
mod peer;
#[cfg(not(loom))]
mod publication;
#[cfg(not(loom))]
mod rendition;
#[cfg(not(loom))]
mod stream;
#[cfg(not(loom))]
mod subscription;
mod sync;
#[cfg(not(loom))]
mod track;

pub use environment::{BoxFuture, Environment};
pub use lane::{Bell, Cursor, Demand, Join, Lag, Lane, LaneItem, LaneOptions, LaneWriter, Next, lane};

#[cfg(not(loom))]
pub use {
    conversion::{Conversion, Converters},
    error::{ConvertError, PublishError, SubscribeError},
    events::{Event, Events},
    hub::{Hub, HubOptions, Resolver},
    peer::Peer,
    publication::Publication,
    rendition::{Rendition, RenditionStatistics},
    stream::{INTERRUPTED, Stream, StreamState, Viewer},
    subscription::Subscription,
    track::Track,
};

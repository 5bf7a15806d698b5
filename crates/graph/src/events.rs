//! What happens to streams, for whoever wants to know.

use std::sync::Arc;

use headwater_media::StreamName;
use tokio::sync::broadcast;

use crate::peer::Peer;

/// Something that happened to a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new stream is live: its tracks are known.
    Published {
        /// The stream.
        stream: StreamName,
        /// The publisher.
        peer: Arc<Peer>,
    },
    /// The publisher has gone; it may come back within the grace time.
    Paused {
        /// The stream.
        stream: StreamName,
    },
    /// A publisher has taken a paused stream up again.
    Resumed {
        /// The stream.
        stream: StreamName,
        /// The publisher.
        peer: Arc<Peer>,
    },
    /// The stream is over.
    Unpublished {
        /// The stream.
        stream: StreamName,
        /// Why, for people to read.
        reason: String,
    },
    /// A viewer has come.
    ViewerJoined {
        /// The stream.
        stream: StreamName,
        /// The viewer.
        peer: Arc<Peer>,
    },
    /// A viewer has left.
    ViewerLeft {
        /// The stream.
        stream: StreamName,
        /// The viewer.
        peer: Arc<Peer>,
    },
}

/// A subscription to events; the oldest are dropped, and counted, when nobody fetches them.
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
    pub(crate) dropped: u64,
}

impl Events {
    /// The next event; `None` when the hub is gone.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(count)) => {
                    headwater_media::limits::EVENTS_QUEUED.hit();
                    self.dropped += count;
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events this subscriber has missed.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

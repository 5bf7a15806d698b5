//! The feeds at work: one for each stream in each choice of codecs that somebody watches.

use std::{collections::HashMap, fmt, sync::Arc};

use headwater_graph::{Bell, ConvertError, Cursor, Environment, Join, Stream, Subscription};
use headwater_media::{Codec, TrackKind};
use headwater_websocket::{Accept, Missing, Trouble};
use parking_lot::Mutex;

use crate::{
    chunk::Chunk,
    feed::{Feed, FeedTask, Line},
};

/// The picture first, as the sound joins where the picture does.
const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];

/// The feeds at work. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Feeds {
    environment: Arc<dyn Environment>,
    at_work: Arc<Mutex<HashMap<Key, Arc<Feed>>>>,
}

/// A stream, by its address in memory: its feeds hold it, so the address is its own. And the codecs chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    stream: usize,
    codecs: Vec<Codec>,
}

/// A viewer's place at a feed. The cursor goes before the feed is told, so that it finds the viewer gone.
pub(crate) struct Watching {
    pub(crate) cursor: Cursor<Chunk>,
    feed: Leaving,
}

struct Leaving(Arc<Feed>);

/// What a viewer of a stream finds.
pub(crate) enum Found {
    /// No track has begun yet.
    Nothing,
    /// A feed, and the tracks that are not in it because they cannot be converted.
    Feed(Watching, Vec<Missing>),
}

impl Feeds {
    /// Feeds that run in an environment.
    pub(crate) fn new(environment: Arc<dyn Environment>) -> Feeds {
        Feeds { environment, at_work: Arc::default() }
    }

    /// Watches a stream in the codecs that the viewer takes: what the source sends where that is among them. The bell
    /// rings when there is something to read.
    ///
    /// # Errors
    /// The stream has nothing that the viewer can be sent.
    pub(crate) fn watch(&self, subscription: &Subscription, accept: &Accept, bell: &Bell) -> Result<Found, Trouble> {
        let stream = subscription.stream();
        let (feed_bell, mut missing) = (Bell::new(), Vec::new());
        let lines = open(subscription, accept, &feed_bell, &mut missing)?;
        if lines.is_empty() {
            return Ok(Found::Nothing);
        }
        let codecs = lines.iter().map(Line::codec).collect();
        let key = Key { stream: Arc::as_ptr(stream).addr(), codecs };
        // Stays locked until the reader is counted, so that no feed is taken away between being found and being read.
        let mut at_work = self.at_work.lock();
        let feed = at_work.entry(key.clone()).or_insert_with(|| self.start(key, stream, lines, feed_bell)).clone();
        let cursor = feed.lane().cursor(bell, Join::NewestGroup);
        drop(at_work);
        Ok(Found::Feed(Watching { cursor, feed: Leaving(feed) }, missing))
    }

    /// How many are at work.
    pub(crate) fn count(&self) -> u64 {
        self.at_work.lock().len() as u64
    }

    /// Takes a feed away if nobody watches it, or if it is over; says whether it did.
    pub(crate) fn retire(&self, key: &Key, feed: &Arc<Feed>, is_over: bool) -> bool {
        let mut at_work = self.at_work.lock();
        if !is_over && feed.lane().readers() > 0 {
            return false;
        }
        if at_work.get(key).is_some_and(|known| Arc::ptr_eq(known, feed)) {
            at_work.remove(key);
        }
        true
    }

    fn start(&self, key: Key, stream: &Arc<Stream>, lines: Vec<Line>, bell: Bell) -> Arc<Feed> {
        tracing::debug!(stream = %stream.name(), codecs = ?key.codecs, "an MSE feed begins: a viewer needs it");
        let deadline = self.environment.sleep(FeedTask::START_TIME);
        let (feed, task) = FeedTask::new(self.clone(), key, stream.clone(), lines, bell);
        self.environment.spawn(Box::pin(task.run(deadline)));
        feed
    }
}

/// Opens the first video and the first audio track that have begun.
fn open(
    subscription: &Subscription,
    accept: &Accept,
    bell: &Bell,
    missing: &mut Vec<Missing>,
) -> Result<Vec<Line>, Trouble> {
    let mut lines: Vec<Line> = Vec::new();
    let mut has_more_to_come = false;
    for kind in KINDS {
        let Some(track) = subscription.stream().track(kind) else { continue };
        let join = match (lines.first_mut().and_then(Line::next_frame_ticks), track.native().parameters()) {
            (Some((ticks, rate)), Some(parameters)) => Join::At(rate.rescale(ticks, parameters.clock_rate)),
            _ => Join::NewestGroup,
        };
        match subscription.frames(&track, accept.codecs(kind), bell, join) {
            Ok(cursor) => lines.extend(Line::new(&track, cursor)),
            Err(ConvertError::NotBegun { .. }) => has_more_to_come = true,
            Err(error) => missing.push(Missing::new(kind, error.to_string())),
        }
    }
    if lines.is_empty() && !has_more_to_come && !missing.is_empty() {
        let reasons: Vec<&str> = missing.iter().map(|missing| missing.reason.as_str()).collect();
        return Err(Trouble::no_codec(reasons.join("; ")));
    }
    Ok(lines)
}

impl Watching {
    /// What is read.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed.0
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.bell().ring();
    }
}

impl fmt::Debug for Feeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feeds").field("at_work", &self.count()).finish()
    }
}

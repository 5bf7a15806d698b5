//! What publishers tell their viewers besides media: what is muted, and data.

use std::{collections::HashMap, sync::Arc};

use headwater_media::StreamName;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::wire::Event;

/// Events that wait for one viewer before the oldest are dropped.
const EVENTS_WAITING: usize = 64;

/// The audiences of all streams that clients of the session protocol publish or play. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Audiences(Arc<Mutex<HashMap<StreamName, Arc<Audience>>>>);

#[derive(Debug)]
struct Audience {
    events: broadcast::Sender<Arc<Event>>,
    /// What the publisher is told: of its own events it knows.
    to_publisher: broadcast::Sender<Arc<Event>>,
    muted: Mutex<Muted>,
}

/// What a publisher has switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Muted {
    pub(super) audio: bool,
    pub(super) video: bool,
}

/// A publisher's or viewer's place in an audience, which is forgotten with its last place.
#[derive(Debug)]
pub(super) struct Place {
    audiences: Audiences,
    name: StreamName,
    audience: Arc<Audience>,
}

impl Audiences {
    /// Takes a place in the audience of a stream.
    pub(super) fn join(&self, name: &StreamName) -> Place {
        let mut audiences = self.0.lock();
        let channel = || broadcast::Sender::new(EVENTS_WAITING);
        let new = || Arc::new(Audience { events: channel(), to_publisher: channel(), muted: Mutex::default() });
        let audience = audiences.entry(name.clone()).or_insert_with(new).clone();
        Place { audiences: self.clone(), name: name.clone(), audience }
    }

    /// Tells publisher and viewers of a stream; says how many there are.
    pub(super) fn announce(&self, name: &StreamName, event: Event) -> usize {
        let audience = self.0.lock().get(name).cloned();
        let event = Arc::new(event);
        audience.map_or(0, |audience| {
            let told = [&audience.events, &audience.to_publisher].map(|to| to.send(event.clone()).unwrap_or(0));
            told.into_iter().sum()
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Place {
    /// The name of the stream.
    pub(super) fn name(&self) -> &StreamName {
        &self.name
    }

    /// For a new publisher: nothing is muted at first.
    pub(super) fn begin(&self) {
        *self.audience.muted.lock() = Muted::default();
    }

    /// Tells all viewers.
    pub(super) fn tell(&self, event: Event) {
        let mut muted = self.audience.muted.lock();
        match event.kind.as_str() {
            "audioMuted" => muted.audio = true,
            "audioUnmuted" => muted.audio = false,
            "videoMuted" => muted.video = true,
            "videoUnmuted" => muted.video = false,
            _ => {}
        }
        // An audience of nobody is no error.
        let _ = self.audience.events.send(Arc::new(event));
    }

    /// What the publisher is told from now on.
    pub(super) fn attend(&self) -> broadcast::Receiver<Arc<Event>> {
        self.audience.to_publisher.subscribe()
    }

    /// What is muted now, and what is told from now on.
    pub(super) fn listen(&self) -> (Muted, broadcast::Receiver<Arc<Event>>) {
        let muted = self.audience.muted.lock();
        (*muted, self.audience.events.subscribe())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut audiences = self.audiences.0.lock();
        // One is the map's, the other this one's; more are only made under the lock.
        if Arc::strong_count(&self.audience) <= 2 {
            audiences.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str) -> Event {
        Event { kind: kind.to_owned(), payload: None }
    }

    #[test]
    fn who_comes_late_knows_what_is_muted_and_an_empty_audience_is_forgotten() {
        let audiences = Audiences::default();
        let name = StreamName::new("camera").unwrap();
        let publisher = audiences.join(&name);
        publisher.begin();
        publisher.tell(event("audioMuted"));
        let viewer = audiences.join(&name);
        let (muted, mut events) = viewer.listen();
        assert_eq!(muted, Muted { audio: true, video: false });
        publisher.tell(event("videoMuted"));
        publisher.tell(event("audioUnmuted"));
        assert_eq!(events.try_recv().unwrap().kind, "videoMuted");
        assert_eq!(viewer.listen().0, Muted { audio: false, video: true });
        drop(publisher);
        assert_eq!(audiences.len(), 1);
        drop(viewer);
        assert_eq!(audiences.len(), 0);
    }
}

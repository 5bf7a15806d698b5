//! How many events of one application may wait.

use std::sync::Arc;

use headwater_media::limits;
use tokio::sync::watch;

/// The events of one application that wait. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<watch::Sender<Held>>);

/// What waits, or may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// An empty one.
    pub(crate) fn new() -> Room {
        Room(Arc::new(watch::Sender::new(Held::default())))
    }

    /// Takes a place for an event of so many bytes, if no more than `max` wait with it.
    pub(crate) fn take(&self, bytes: usize, max: Held) -> Option<Place> {
        let taken = self.0.send_if_modified(|held| {
            let more = Held { events: held.events + 1, bytes: held.bytes.saturating_add(bytes) };
            let fits = more.events <= max.events && more.bytes <= max.bytes;
            if fits {
                *held = more;
            }
            fits
        });
        if !taken {
            limits::HOOK_EVENTS.hit();
            return None;
        }
        Some(Place { room: self.clone(), bytes })
    }

    /// What waits now.
    pub(crate) fn held(&self) -> Held {
        *self.0.borrow()
    }

    /// Waits until nothing waits.
    pub(crate) async fn empty(&self) {
        let _ = self.0.subscribe().wait_for(|held| held.events == 0).await;
    }
}

/// A place in the queue; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Place {
    room: Room,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.0.send_modify(|held| {
            held.events = held.events.saturating_sub(1);
            held.bytes = held.bytes.saturating_sub(self.bytes);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_takes_its_share_and_no_more() {
        let (room, max) = (Room::new(), Held { events: 200, bytes: 100_000 });
        let mut places: Vec<_> = (0..300).map_while(|_| room.take(10, max)).collect();
        assert_eq!((places.len(), room.held()), (200, Held { events: 200, bytes: 2_000 }));
        assert!(room.take(10, max).is_none(), "the share is taken");
        places.pop();
        assert!(room.take(10, max).is_some(), "one that was delivered makes room");
        places.truncate(100);
        assert!(room.take(10, Held { events: 50, ..max }).is_none(), "the share has become smaller");
        places.clear();
        assert_eq!(room.held(), Held::default());
        assert!(room.take(100_001, max).is_none(), "one cannot take all bytes");
    }
}

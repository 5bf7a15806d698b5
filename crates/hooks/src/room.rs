//! How many events of one application may wait.

use std::sync::Arc;

use headwater_media::limits;
use tokio::sync::watch;

/// An application's share of the events that may wait. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    held: Arc<watch::Sender<Held>>,
    max: Held,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// An equal share for each of so many applications.
    pub(crate) fn share(applications: usize) -> Room {
        let of = |limit: &limits::Limit| (limit.get_usize() / applications.max(1)).max(1);
        let max = Held { events: of(&limits::HOOK_EVENTS), bytes: of(&limits::HOOK_EVENTS_BYTES) };
        Room { held: Arc::new(watch::Sender::new(Held::default())), max }
    }

    /// Takes a place for an event of so many bytes, if there is one.
    pub(crate) fn take(&self, bytes: usize) -> Option<Place> {
        let taken = self.held.send_if_modified(|held| {
            let more = Held { events: held.events + 1, bytes: held.bytes.saturating_add(bytes) };
            let fits = more.events <= self.max.events && more.bytes <= self.max.bytes;
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
        *self.held.borrow()
    }

    /// Waits until nothing waits.
    pub(crate) async fn empty(&self) {
        let _ = self.held.subscribe().wait_for(|held| held.events == 0).await;
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
        self.room.held.send_modify(|held| {
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
        let room = Room::share(5);
        let max = limits::HOOK_EVENTS.get_usize() / 5;
        let mut places: Vec<_> = (0..max).map_while(|_| room.take(10)).collect();
        assert_eq!((places.len(), room.held()), (max, Held { events: max, bytes: max * 10 }));
        assert!(room.take(10).is_none(), "the share is taken");
        places.pop();
        assert!(room.take(10).is_some(), "one that was delivered makes room");
        places.clear();
        assert_eq!(room.held(), Held::default());
        assert!(room.take(limits::HOOK_EVENTS_BYTES.get_usize()).is_none(), "one cannot take all bytes");
    }
}

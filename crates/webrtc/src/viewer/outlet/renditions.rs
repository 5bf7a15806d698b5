//! Which of several renditions an outlet sends, and how it goes over to another.

use std::sync::Arc;

use headwater_graph::{Bell, ConvertError, Cursor, Join, Rendition, Subscription, Track};
use headwater_media::Packet;

use super::{Outlet, join};

/// Another rendition that waits for its next random access point.
#[derive(Debug)]
pub(super) struct Waiting {
    rendition: Option<Arc<Rendition>>,
    cursor: Cursor<Packet>,
}

impl Outlet {
    /// Goes to the newest group of the rendition of its label, if the source sends it.
    pub(super) fn open_labelled(&mut self, subscription: &Subscription, bell: &Bell) -> Result<(), ConvertError> {
        self.rendition = self.labelled();
        let open = |rendition| subscription.rendition_packets(rendition, bell, join(self.track.kind()));
        self.cursor = self.rendition.as_ref().map(open).transpose()?;
        Ok(())
    }

    /// The rendition of its label, if the source sends it.
    fn labelled(&self) -> Option<Arc<Rendition>> {
        let label = self.label.as_deref()?;
        self.track.named_renditions().into_iter().find(|rendition| rendition.label() == Some(label))
    }

    /// Sends nothing until it goes over to a rendition again.
    pub(crate) fn hold(&mut self) {
        self.next = None;
        if self.cursor.take().is_some() {
            (self.rendition, self.backlog, self.past) = (None, None, None);
            self.flow.go_over();
        }
    }

    /// Goes over to the best that comes of the track as it is now.
    pub(crate) fn go_over_to_best(&mut self, track: &Arc<Track>, subscription: &Subscription, bell: &Bell) {
        if !Arc::ptr_eq(&self.track, track) {
            self.hold();
            self.track = track.clone();
        }
        self.go_over(subscription, None, bell);
    }

    /// Goes over to the rendition of its label as the track has it now, or stays as it is where there is none.
    pub(crate) fn follow(&mut self, track: &Arc<Track>, subscription: &Subscription, bell: &Bell) {
        if !Arc::ptr_eq(&self.track, track) {
            self.hold();
            self.track = track.clone();
        }
        if let Some(rendition) = self.labelled() {
            self.go_over(subscription, Some(&rendition), bell);
        }
    }

    /// Where it is going, or where it is if it stays: one of the renditions that the source sends at once, or, with
    /// `None`, the best that comes.
    pub(crate) fn rendition(&self) -> Option<&Arc<Rendition>> {
        self.next.as_ref().map_or(self.rendition.as_ref(), |next| next.rendition.as_ref())
    }

    /// Goes over to another rendition as soon as a decoder can start there; until then it goes on with the present
    /// one. `None` is the best that comes.
    pub(crate) fn go_over(&mut self, subscription: &Subscription, to: Option<&Arc<Rendition>>, bell: &Bell) {
        let is_same = |one: Option<&Arc<Rendition>>| match (one, to) {
            (Some(one), Some(to)) => Arc::ptr_eq(one, to),
            (one, to) => one.is_none() && to.is_none(),
        };
        let is_there = self.cursor.is_some() && is_same(self.rendition.as_ref());
        let is_on_its_way = self.next.as_ref().is_some_and(|next| is_same(next.rendition.as_ref()));
        if is_there {
            self.next = None;
        }
        if is_there || is_on_its_way {
            return;
        }
        let cursor = match to {
            Some(rendition) => subscription.rendition_packets(rendition, bell, Join::Live),
            None => subscription.packets(&self.track, &[self.codec], bell, Join::Live),
        };
        match cursor {
            Ok(cursor) => self.next = Some(Box::new(Waiting { rendition: to.cloned(), cursor })),
            Err(error) => tracing::debug!(%error, "a viewer cannot go over to another rendition"),
        }
    }

    /// Goes over to the other rendition if it has come to where a decoder can start.
    #[cold]
    pub(super) fn try_go_over(&mut self) {
        let Some(mut next) = self.next.take() else {
            return;
        };
        if next.cursor.next_ticks().is_none() {
            self.next = Some(next);
            return;
        }
        let Waiting { rendition, cursor } = *next;
        (self.cursor, self.rendition) = (Some(cursor), rendition);
        (self.backlog, self.past) = (None, None);
        self.flow.go_over();
    }
}

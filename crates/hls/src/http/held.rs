//! Requests that are held until there is what they ask for.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::http::{HeaderMap, Version, header, request::Parts};
use headwater_net::{Passed, Shortcut};

use super::{HOLD_TARGETS, Reply, Request, Trouble, kept};
use crate::{
    broadcast::Broadcast,
    rendition::{Rendition, Style},
    viewers::Viewer,
    waiting::{Answer, Let},
    window::{Position, Window},
};

/// Whether a connection goes on after the answer, with nothing to be read before the next request: only then may the
/// answer be written past its conversation.
pub(super) fn goes_on(head: &Parts) -> bool {
    const OTHERS: [header::HeaderName; 4] =
        [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT];
    let is_alone = |headers: &HeaderMap| OTHERS.iter().all(|name| !headers.contains_key(name));
    head.version == Version::HTTP_11 && is_alone(&head.headers)
}

impl Request<'_> {
    /// Waits until there is a place in a playlist that a player asks for, as long as it may.
    pub(super) async fn hold(
        &self,
        viewer: &Arc<Viewer>,
        broadcast: &Arc<Broadcast>,
        rendition: &Arc<Rendition>,
        position: Position,
        style: Style<'_>,
    ) -> Result<Let, Trouble> {
        if rendition.is_settled(position) {
            return Ok(Let::Go);
        }
        let all = self.hls.holds().admit(self.remote.ip()).map_err(|full| Trouble::TooMany(full.to_string()))?;
        let too_many = || Trouble::TooMany("this viewer has too many requests held".to_owned());
        let own = viewer.hold().ok_or_else(too_many)?;
        let mut holds = Some((all, own));
        let shortcut = self.shortcut.as_ref().filter(|shortcut| style.query.is_empty() && shortcut.is_clear());
        let answer = shortcut.map(|shortcut| {
            let holds = holds.take();
            let pass = self.pass(viewer, broadcast, rendition, style, shortcut);
            let answer = move || {
                let done = pass();
                // It is held no longer, although its own task may not know yet.
                drop(holds);
                done
            };
            Box::new(answer) as Answer
        });
        let Some(mut place) = rendition.enter(position, answer) else { return Ok(Let::Go) };
        let longest: Duration = rendition.read(Window::target) * HOLD_TARGETS;
        tokio::select! {
            done = &mut place => Ok(done),
            () = self.hls.environment().sleep(longest) => place.give_up().ok_or(Trouble::Late),
        }
    }

    /// What answers by a shortcut as this would, where that can be.
    fn pass(
        &self,
        viewer: &Arc<Viewer>,
        broadcast: &Arc<Broadcast>,
        rendition: &Arc<Rendition>,
        style: Style<'_>,
        shortcut: &Shortcut,
    ) -> impl FnOnce() -> Let + Send + use<> {
        let (hls, viewer, broadcast) = (self.hls.clone(), viewer.clone(), broadcast.clone());
        let (rendition, shortcut, style) = (rendition.clone(), shortcut.clone(), Style { query: "", ..style });
        move || {
            if rendition.read(Window::is_paused) || viewer.serve(0).is_err() {
                return Let::Go;
            }
            let environment = hls.environment();
            let (answer, length) = rendition.answer(
                style,
                || broadcast.reports(rendition.name()),
                |text| Reply::playlist(text, style.gzip, Some(kept(&rendition))).write(environment.wall_clock()),
            );
            let done = match shortcut.answer(&answer) {
                Passed::Nothing => return Let::Go,
                Passed::Wake => Let::Finish,
                Passed::Done => Let::Rest,
            };
            viewer.touch(environment.now());
            let _ = viewer.serve(length);
            hls.counters().playlists.fetch_add(1, Relaxed);
            done
        }
    }
}

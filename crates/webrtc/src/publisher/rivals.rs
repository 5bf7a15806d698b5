//! Those who want the name of a publisher that may have vanished.
//!
//! On a bad network a publisher is gone without a word, and comes back under its name before the server has missed
//! it. Whether the one that has the name is still there is seen by waiting for its next datagram, not by asking who
//! the other is: after a change of network it has another address, and encoders share tokens.

use std::time::{Duration, Instant};

use headwater_media::limits;
use tokio::sync::oneshot;

/// Those who want the name. Each is told whether the publisher is gone.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    waiting: Vec<oneshot::Sender<bool>>,
    /// When the first of them came.
    since: Option<Instant>,
}

/// What has been received by then has been looked at, however busy the server is.
const LOOK: Duration = Duration::from_millis(100);

impl Rivals {
    pub(super) fn add(&mut self, rival: oneshot::Sender<bool>, now: Instant) {
        if self.waiting.len() >= limits::WEBRTC_RIVALS.get_usize() {
            limits::WEBRTC_RIVALS.hit();
            tell(rival, false);
            return;
        }
        self.waiting.push(rival);
        self.since.get_or_insert(now);
    }

    /// The publisher is there.
    pub(super) fn refuse(&mut self) {
        if self.since.take().is_some() {
            self.waiting.drain(..).for_each(|rival| tell(rival, false));
        }
    }

    /// When the publisher has to make way, if nothing more is heard of it than at `heard`.
    pub(super) fn due(&self, heard: Instant) -> Option<Instant> {
        let since = self.since?;
        Some((heard + limits::WEBRTC_PUBLISHER_YIELD_MS.get_duration()).max(since + LOOK))
    }

    /// Whether someone still waits; those who have gone are forgotten.
    pub(super) fn wait(&mut self) -> bool {
        self.waiting.retain(|rival| !rival.is_closed());
        if self.waiting.is_empty() {
            self.since = None;
        }
        !self.waiting.is_empty()
    }

    /// The publisher has left its stream.
    pub(super) fn admit(self) {
        self.waiting.into_iter().for_each(|rival| tell(rival, true));
    }
}

fn tell(rival: oneshot::Sender<bool>, is_gone: bool) {
    // One that does not wait any more needs no word.
    let _ = rival.send(is_gone);
}

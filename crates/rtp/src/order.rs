//! Times for the packets of frames that come in another order than they are shown.

use headwater_media::{Frame, Ticks};

use crate::Reordering;

/// Applies a [`Reordering`] to the frames of one track.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    policy: Reordering,
    last: Option<Ticks>,
    /// How much later than decoded the last key frame is shown.
    delay: Ticks,
    pub(crate) has_reordered: bool,
}

impl Timeline {
    pub(crate) fn new(policy: Reordering) -> Timeline {
        Timeline { policy, ..Timeline::default() }
    }

    /// The time to send a frame with, or `None` if it is to be left out.
    pub(crate) fn place(&mut self, frame: &Frame, is_disposable: impl FnOnce() -> bool) -> Option<Ticks> {
        let runs_back = self.last.is_some_and(|last| frame.pts <= last);
        let next = self.last.map_or(Ticks::MIN, |last| last.saturating_add(1));
        let time = match self.policy {
            Reordering::Keep => frame.pts,
            Reordering::DropDisposable if runs_back && is_disposable() => {
                self.has_reordered = true;
                return None;
            }
            Reordering::DropDisposable => frame.pts.max(next),
            Reordering::DecodeOrder => {
                if frame.random_access {
                    self.delay = frame.pts.saturating_sub(frame.dts);
                }
                frame.dts.saturating_add(self.delay).max(next)
            }
        };
        self.has_reordered |= match self.policy {
            Reordering::DecodeOrder => frame.pts.saturating_sub(frame.dts) != self.delay,
            _ => runs_back,
        };
        self.last = Some(time);
        Some(time)
    }

    pub(crate) fn discontinuity(&mut self) {
        self.last = None;
    }
}

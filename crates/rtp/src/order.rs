//! Times for the packets of frames that come in another order than they are shown.

use headwater_media::{Frame, Ticks};

use crate::Reordering;

/// More frames in a row are never shown before one that came earlier: the decoded picture buffer of H.264 and H.265
/// holds 16 (ITU-T H.264 §A.3.1, H.265 §A.4.2). Beyond that it is the time line that has jumped.
const REORDERED_MAX: u32 = 16;

/// Applies a [`Reordering`] to the frames of one track.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    policy: Reordering,
    last: Option<Ticks>,
    /// How much later than decoded the last key frame is shown.
    delay: Ticks,
    /// Added to times since the time line of the source jumped back.
    shift: Ticks,
    /// Frames left out since the last one that was sent.
    left_out: u32,
    pub(crate) has_reordered: bool,
}

impl Timeline {
    pub(crate) fn new(policy: Reordering) -> Timeline {
        Timeline { policy, ..Timeline::default() }
    }

    /// The time to send a frame with, or `None` if it is to be left out.
    pub(crate) fn place(&mut self, frame: &Frame) -> Option<Ticks> {
        let shown = frame.pts.saturating_add(self.shift);
        let runs_back = self.last.is_some_and(|last| shown <= last);
        let next = self.last.map_or(Ticks::MIN, |last| last.saturating_add(1));
        let time = match self.policy {
            Reordering::Keep => frame.pts,
            Reordering::Drop if runs_back && !frame.random_access => {
                self.has_reordered = true;
                self.left_out += 1;
                if self.left_out <= REORDERED_MAX {
                    return None;
                }
                self.shift = next.saturating_sub(frame.pts);
                next
            }
            Reordering::Drop => shown.max(next),
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
        self.left_out = 0;
        Some(time)
    }

    pub(crate) fn discontinuity(&mut self) {
        self.last = None;
        self.shift = 0;
    }
}

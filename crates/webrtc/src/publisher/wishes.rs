//! What is asked of a publisher: key frames, and not to send too much.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use crate::viewer::Surroundings;

use super::{Publisher, Section, selector::Selector};

/// How often a ceiling is repeated: what says it may be lost.
const CEILING_INTERVAL: Duration = Duration::from_secs(5);

impl Publisher {
    /// Asks the peer for key frames and tells it the ceiling. Says whether it did.
    pub(super) fn say_wishes(&mut self, around: &mut Surroundings<'_>) -> bool {
        for wish in self.selectors.iter().filter_map(Selector::wish) {
            if let Some(source) = self.sources.get_mut(wish) {
                source.want_key_frame();
            }
        }
        let mut any = false;
        for source in &mut self.sources {
            if !source.wants_key_frame(around.now) {
                continue;
            }
            if let Some(section) = self.sections.get(source.section)
                && self.ingress.request_key_frame(source.ssrc, section)
            {
                self.received.key_frames_requested.fetch_add(1, Relaxed);
                around.counters.key_frames_requested.add(1);
                source.count_key_frame_request();
                any = true;
            }
        }
        any | self.say_ceiling(around.now)
    }

    fn say_ceiling(&mut self, now: Instant) -> bool {
        let is_due = self.ceiling_due.is_none_or(|due| due <= now);
        let video = self.sources.iter().find(|source| source.is_video());
        let (Some(bits), Some(source), true) = (self.bitrate_max, video, is_due) else {
            return false;
        };
        let takes = self.sections.get(source.section).is_some_and(Section::takes_bitrates);
        self.ceiling_due = Some(now + CEILING_INTERVAL);
        if takes {
            self.ingress.request_bitrate(source.ssrc, bits);
        }
        takes
    }
}

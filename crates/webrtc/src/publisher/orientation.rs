//! How the pictures of a source are to be turned, from what some of their packets say.
//!
//! | sender | says it at the last packet of |
//! |---|---|
//! | 3GPP TS 26.114 §7.4.5 | each key frame, and any other picture from which on it is another |
//! | libwebrtc, and so browsers | the same, and each picture that is not upright |
//!
//! A receiver made of libwebrtc takes every picture without a word as upright. That loses the rotation of who keeps to
//! the specification alone, and is right for who repeats it: where the one picture was lost that says "upright again",
//! the next one without a word means the same. So here silence is upright at key frames, and elsewhere only once the
//! sender has been seen to repeat.

use headwater_media::{Orientation, Ticks};

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    current: Orientation,
    /// The time of the picture that it was said with, as the source counts.
    at: Option<Ticks>,
    /// The time of the newest key frame.
    key_frame: Option<Ticks>,
    /// It was said again without need.
    repeats: bool,
}

impl Said {
    /// The orientation of a packet of the picture of this time, as the source counts; `starts` says that a decoder can
    /// start with that packet, and `said` is what it says itself. Packets may come in any order.
    pub(super) fn take(
        &mut self,
        timestamp: Ticks,
        marker: bool,
        starts: bool,
        said: Option<Orientation>,
    ) -> Orientation {
        if starts && self.key_frame.is_none_or(|newest| newest < timestamp) {
            self.key_frame = Some(timestamp);
        }
        let is_key_frame = self.key_frame == Some(timestamp);
        let is_newer = self.at.is_none_or(|at| at < timestamp);
        match said {
            Some(said) if is_newer => {
                self.repeats |= !is_key_frame && said == self.current && said != Orientation::default();
                (self.current, self.at) = (said, Some(timestamp));
                said
            }
            // One that comes late says something of its own picture alone.
            Some(said) => said,
            None if marker && self.at != Some(timestamp) && (is_key_frame || self.repeats) => {
                if is_newer {
                    (self.current, self.at) = (Orientation::default(), Some(timestamp));
                }
                Orientation::default()
            }
            None => self.current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: bool = true;
    const DELTA: bool = false;

    /// What the last packets of pictures come to, which are of one packet each, by their time.
    fn turned(pictures: &[(Ticks, bool, Option<u8>)]) -> Vec<u8> {
        let mut source = Said::default();
        let take = |(time, starts, said): &(Ticks, bool, Option<u8>)| {
            source.take(*time, true, *starts, said.map(Orientation::read)).byte()
        };
        pictures.iter().map(take).collect()
    }

    #[test]
    fn who_says_it_at_key_frames_and_changes_alone_is_turned_in_between() {
        let seen = turned(&[
            (0, KEY, Some(1)),
            (1, DELTA, None),
            (2, DELTA, Some(3)),
            (3, DELTA, None),
            (4, KEY, Some(3)),
            (5, DELTA, None),
            (6, DELTA, Some(0)),
            (7, DELTA, None),
        ]);
        assert_eq!(seen, [1, 1, 3, 3, 3, 3, 0, 0]);
    }

    #[test]
    fn who_says_it_with_each_turned_picture_is_upright_without_a_word() {
        let seen = turned(&[
            (0, KEY, Some(1)),
            (1, DELTA, Some(1)),
            (2, DELTA, Some(1)),
            // The picture that said "upright again" was lost.
            (4, DELTA, None),
            (5, DELTA, Some(1)),
            // It comes late, and had nothing to say.
            (4, DELTA, None),
            (6, DELTA, Some(1)),
        ]);
        assert_eq!(seen, [1, 1, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_key_frame_without_a_word_is_upright() {
        assert_eq!(turned(&[(0, KEY, Some(2)), (1, DELTA, None), (2, KEY, None), (3, DELTA, None)]), [2, 2, 0, 0]);
    }

    #[test]
    fn all_rotations_with_flip_and_camera_come_through() {
        for byte in 0..16 {
            assert_eq!(turned(&[(0, KEY, Some(byte)), (1, DELTA, None)]), [byte, byte]);
        }
    }

    #[test]
    fn a_picture_that_comes_late_has_its_own_and_changes_that_of_later_ones_only_if_it_is_news() {
        assert_eq!(
            turned(&[(0, KEY, Some(1)), (9, DELTA, Some(2)), (5, DELTA, Some(1)), (10, DELTA, None)]),
            [1, 2, 1, 2]
        );
        // The picture from which on it changes was lost, and comes when the next ones are there.
        assert_eq!(turned(&[(0, KEY, Some(1)), (2, DELTA, None), (1, DELTA, Some(3)), (3, DELTA, None)]), [1, 1, 3, 3]);
    }

    #[test]
    fn it_counts_wherever_in_the_picture_it_is_said() {
        let mut source = Said::default();
        assert_eq!(source.take(7, false, true, Some(Orientation::read(1))).byte(), 1);
        assert_eq!(source.take(7, false, false, None).byte(), 1);
        assert_eq!(source.take(7, true, false, None).byte(), 1, "the last packet of the same picture");
        assert_eq!(source.take(8, false, true, None).byte(), 1, "not known before the picture ends");
        assert_eq!(source.take(8, true, false, None).byte(), 0);
    }
}

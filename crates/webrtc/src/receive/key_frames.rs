//! When the picture is asked to begin anew, and where it does.

use std::time::{Duration, Instant};

use headwater_media::Codec;

/// Time without a key frame before one is asked for, as browsers have it.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time before that is done again; twice that the next time, up to the most.
const REPEAT_FIRST: Duration = Duration::from_millis(500);
const REPEAT_MAX: Duration = Duration::from_secs(4);

/// The wish for a key frame.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    /// When it is to be said.
    due: Option<Instant>,
    /// How long it has waited after it was said; 0 as long as it has not been.
    repeat: Duration,
    /// The number of the packet that the newest key frame began with.
    newest: Option<u64>,
}

impl KeyFrames {
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The picture has begun to come.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.newest.is_none() && self.due.is_none() {
            (self.due, self.repeat) = (Some(now + PATIENCE), Duration::ZERO);
        }
    }

    /// A key frame begins with this packet.
    pub(super) fn came(&mut self, number: u64) {
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
        self.due = None;
    }

    /// A packet is lost for good, so that the picture cannot be decoded until a key frame begins behind it.
    pub(super) fn lost(&mut self, number: u64, now: Instant) {
        if self.newest.is_none_or(|newest| newest <= number) {
            self.want(now);
        }
    }

    /// One is wanted now.
    pub(super) fn want(&mut self, now: Instant) {
        if self.due.is_none() || self.repeat.is_zero() {
            (self.due, self.repeat) = (Some(now), Duration::ZERO);
        }
    }

    /// Whether it is to be asked for now; if so, it counts as asked for.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.repeat = (self.repeat * 2).clamp(REPEAT_FIRST, REPEAT_MAX);
        self.due = Some(now + self.repeat);
        true
    }
}

/// Whether a key frame begins with this packet: parameter sets or a picture that stands for itself.
///
/// Source: RFC 6184 §5.2 and §5.8, RFC 7798 §4.4, RFC 7741 §4.2, RFC 9628 §4.2, the RTP payload format of AV1 §4.4.
#[inline]
pub(super) fn begins(codec: Codec, payload: &[u8]) -> bool {
    let is_h264 = |kind: u8| matches!(kind & 0x1f, 5 | 7);
    // Random access pictures and the parameter sets before them.
    let is_h265 = |kind: u8| matches!(kind >> 1 & 0x3f, 16..=21 | 32..=34);
    match (codec, payload) {
        // STAP-A: what it holds first stands for all. FU-A: its first part.
        (Codec::H264, [head, _, _, kind, ..]) if head & 0x1f == 24 => is_h264(*kind),
        (Codec::H264, [head, part, ..]) if head & 0x1f == 28 => part & 0x80 != 0 && is_h264(*part),
        (Codec::H264, [head, ..]) => is_h264(*head),
        (Codec::H265, [head, _, _, _, kind, ..]) if head >> 1 & 0x3f == 48 => is_h265(*kind),
        (Codec::H265, [head, _, part, ..]) if head >> 1 & 0x3f == 49 => part & 0x80 != 0 && is_h265(part << 1),
        (Codec::H265, [head, ..]) => is_h265(*head),
        (Codec::Vp8, _) => begins_vp8(payload),
        (Codec::Vp9, [head, ..]) => head & 0x48 == 0x08,
        (Codec::Av1, [head, ..]) => head & 0x08 != 0,
        _ => false,
    }
}

/// The first partition of a frame whose header says that it is a key frame.
fn begins_vp8(payload: &[u8]) -> bool {
    let Some((head, rest)) = payload.split_first() else { return false };
    if head & 0x17 != 0x10 {
        return false;
    }
    let Some(extended) = (head & 0x80 != 0).then(|| rest.first().copied().unwrap_or(0)) else {
        return rest.first().is_some_and(|first| first & 1 == 0);
    };
    let is_long = extended & 0x80 != 0 && rest.get(1).is_some_and(|picture| picture & 0x80 != 0);
    let flags = [extended & 0x80 != 0, is_long, extended & 0x40 != 0, extended & 0x30 != 0];
    let skipped = 1 + flags.iter().filter(|flag| **flag).count();
    rest.get(skipped).is_some_and(|first| first & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_known_by_their_first_packet() {
        let cases: [(Codec, &[u8], bool); 22] = [
            (Codec::H264, &[0x65, 1], true),
            (Codec::H264, &[0x67, 1], true),
            (Codec::H264, &[0x41, 1], false),
            (Codec::H264, &[0x7c, 0x85], true),
            (Codec::H264, &[0x7c, 0x05], false),
            (Codec::H264, &[0x5c, 0x81], false),
            (Codec::H264, &[0x78, 0, 9, 0x67], true),
            (Codec::H264, &[0x78, 0, 9, 0x06], false),
            (Codec::H264, &[], false),
            (Codec::H265, &[0x40, 1], true),
            (Codec::H265, &[0x26, 1], true),
            (Codec::H265, &[0x02, 1], false),
            (Codec::H265, &[0x62, 1, 0x93], true),
            (Codec::H265, &[0x62, 1, 0x13], false),
            (Codec::H265, &[0x60, 1, 0, 9, 0x40], true),
            (Codec::Vp8, &[0x10, 0], true),
            (Codec::Vp8, &[0x10, 1], false),
            (Codec::Vp8, &[0x90, 0x80, 0x81, 0x02, 0x10], true),
            (Codec::Vp8, &[0x90, 0x80, 0x81], false),
            (Codec::Vp9, &[0x8c], true),
            (Codec::Vp9, &[0xcc], false),
            (Codec::Av1, &[0x18], true),
        ];
        for (codec, payload, expected) in cases {
            assert_eq!(begins(codec, payload), expected, "{codec} {payload:x?}");
        }
    }

    #[test]
    fn a_picture_that_does_not_begin_is_asked_for_ever_less_often() {
        let (mut frames, start) = (KeyFrames::default(), Instant::now());
        frames.begin(start);
        let mut asked = Vec::new();
        for ms in 0..10_000 {
            frames.begin(start);
            if frames.ask(start + Duration::from_millis(ms)) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [300, 800, 1_800, 3_800, 7_800]);
        frames.came(5);
        frames.begin(start);
        assert_eq!(frames.due(), None);
    }

    #[test]
    fn a_loss_is_no_reason_where_a_key_frame_has_come_behind_it() {
        let (mut frames, now) = (KeyFrames::default(), Instant::now());
        frames.came(10);
        frames.lost(9, now);
        assert!(!frames.ask(now));
        frames.lost(11, now);
        assert!(frames.ask(now) && !frames.ask(now));
        frames.lost(12, now);
        assert!(!frames.ask(now), "it is wanted already");
    }
}

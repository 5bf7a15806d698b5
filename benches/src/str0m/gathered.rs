//! What has come of the publisher and has not been forwarded.

use std::{
    mem,
    time::{Duration, Instant},
};

use headwater_media::TrackKind;

use super::session::Piece;

/// How long a packet waits for the rest of its picture: as in Headwater where nothing else is said.
const WINDOW: Duration = Duration::from_millis(2);
/// Packets that wait at most.
const PIECES_MAX: usize = 1_024;

/// Packets of the publisher, until their picture is whole.
#[derive(Default)]
pub(super) struct Gathered {
    sound: Vec<Piece>,
    picture: Vec<Piece>,
    /// When the first packet of the picture came.
    since: Option<Instant>,
}

impl Gathered {
    pub(super) fn push(&mut self, piece: Piece, now: Instant) {
        let is_picture = piece.kind == TrackKind::Video;
        let pieces = if is_picture { &mut self.picture } else { &mut self.sound };
        if pieces.len() >= PIECES_MAX {
            return;
        }
        pieces.push(piece);
        if is_picture {
            self.since.get_or_insert(now);
        }
    }

    /// When a picture that is not whole is to be forwarded.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + WINDOW)
    }

    /// What is to be forwarded now: sound at once, a picture when it is whole or has waited.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<Piece>> {
        if !self.sound.is_empty() {
            return Some(mem::take(&mut self.sound));
        }
        let is_whole = self.picture.last().is_some_and(|piece| piece.marker);
        if !is_whole && self.due().is_none_or(|due| due > now) {
            return None;
        }
        self.since = None;
        Some(mem::take(&mut self.picture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kind: TrackKind, marker: bool) -> Piece {
        Piece { kind, time: 0, marker, payload: [7; 10].into() }
    }

    #[test]
    fn sound_goes_at_once_and_a_picture_when_it_is_whole_or_has_waited() {
        let (mut gathered, now) = (Gathered::default(), Instant::now());
        gathered.push(piece(TrackKind::Video, false), now);
        gathered.push(piece(TrackKind::Audio, false), now);
        let sound = gathered.take(now).unwrap();
        assert_eq!((sound.len(), sound[0].kind), (1, TrackKind::Audio));
        assert!(gathered.take(now).is_none());
        gathered.push(piece(TrackKind::Video, true), now + Duration::from_millis(1));
        assert_eq!(gathered.take(now).unwrap().len(), 2);
        assert_eq!(gathered.due(), None);
        gathered.push(piece(TrackKind::Video, false), now);
        let due = gathered.due().unwrap();
        assert_eq!(due, now + WINDOW);
        assert_eq!(gathered.take(due).unwrap().len(), 1);
        assert!(gathered.take(due).is_none());
    }
}

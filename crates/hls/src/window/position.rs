//! Places in a playlist that a player asks to wait for (rfc8216bis §6.2.5.2).

use std::time::Duration;

use super::Window;

/// A segment, or one part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// `_HLS_msn`: the media sequence number.
    pub sequence: u64,
    /// `_HLS_part`: the part of that segment, from zero; without it the whole segment is meant.
    pub part: Option<u64>,
}

/// How a place lies to what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// It is in the playlist, or was.
    Here,
    /// It will come soon.
    Soon,
    /// No honest player asks for it yet.
    Far,
}

/// Segments after the last one that is whole for which a player may ask.
const SEGMENTS_AHEAD: u64 = 2;

impl Window {
    /// How a place lies to what there is.
    pub fn ahead(&self, position: Position) -> Ahead {
        if self.has_ended() {
            return Ahead::Here;
        }
        let (next, _) = self.next();
        // The first segment that is not whole.
        let making = self.open().map_or(next, |open| open.sequence);
        if position.sequence < making {
            // More parts than a whole segment has: the first one of the segment after is meant.
            let last = self.segments().next_back().filter(|last| last.sequence == position.sequence);
            return match (last, position.part) {
                (Some(last), Some(part)) if part >= last.parts.len() as u64 => {
                    self.ahead(Position { sequence: making, part: Some(0) })
                }
                _ => Ahead::Here,
            };
        }
        let parts = self.open().map_or(0, |open| open.parts.len() as u64);
        match position.part {
            Some(part) if position.sequence == making && part < parts => Ahead::Here,
            Some(part) if position.sequence == making && part > parts + self.parts_ahead() => Ahead::Far,
            _ if position.sequence > (making + SEGMENTS_AHEAD).saturating_sub(1) => Ahead::Far,
            _ => Ahead::Soon,
        }
    }

    /// The Advance Part Limit (rfc8216bis §6.2.5.2).
    fn parts_ahead(&self) -> u64 {
        let target = self.part_target().unwrap_or(Duration::from_secs(1)).as_secs_f64();
        if target < 1.0 { (3.0 / target.max(0.001)).ceil() as u64 } else { 3 }
    }
}

//! Where a player is in a playlist, and what it loads next.

use std::time::Duration;

use super::playlist::{Media, Part, Resource, Segment};

/// Where to begin without a word of the playlist: so many target durations before its end (RFC 8216 §6.3.3).
const TARGETS_BACK: u32 = 3;

/// The next thing to be loaded, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Number of its part; zero where it is to be loaded whole.
    pub(super) part: usize,
}

/// What comes next at a position.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// This is to be loaded; then the other position is the next.
    Load {
        /// Nothing where it is missing.
        media: Option<&'a Resource>,
        is_part: bool,
        segment: &'a Segment,
        then: Position,
    },
    /// There is nothing here; it goes on there.
    Skip(Position),
    /// It is not there yet.
    Wait,
}

impl Position {
    fn begin_of(segment: u64) -> Position {
        Position { segment, part: 0 }
    }
}

impl Media {
    /// Where a player begins that loads parts, or does not.
    pub(super) fn begin(&self, by_parts: bool) -> Position {
        let low_latency = by_parts.then(|| self.begin_at_part()).flatten();
        low_latency.unwrap_or_else(|| {
            let back = self.hold_back.unwrap_or(self.target * TARGETS_BACK);
            let back = back + self.open.parts.iter().map(|part| part.duration).sum::<Duration>();
            let mut length = Duration::ZERO;
            let numbered = self.numbered().rev();
            let mut at = numbered.skip_while(|(_, segment)| {
                length += segment.duration;
                length < back
            });
            Position::begin_of(at.next().map_or(self.first, |(number, _)| number))
        })
    }

    /// The newest part that a decoder can begin with and that is as far from the end as it should be.
    fn begin_at_part(&self) -> Option<Position> {
        let back = self.part_hold_back?;
        let numbered = self.numbered().chain([(self.after(), &self.open)]);
        let parts: Vec<(Position, &Part)> = numbered
            .flat_map(|(segment, of)| {
                of.parts.iter().enumerate().map(move |(part, it)| (Position { segment, part }, it))
            })
            .collect();
        let mut length = Duration::ZERO;
        let far = parts.iter().rev().filter(|(_, part)| {
            length += part.duration;
            part.is_independent && length >= back
        });
        let first = || parts.iter().find(|(_, part)| part.is_independent).map(|(at, _)| *at);
        far.map(|(at, _)| *at).next().or_else(first)
    }

    /// What is at this position.
    pub(super) fn at(&self, position: Position, by_parts: bool) -> Next<'_> {
        let Position { segment: number, part } = position;
        if number < self.first {
            return Next::Skip(self.begin(by_parts));
        }
        if number > self.after() {
            // The numbers have begun anew, as with another server that makes the same stream.
            return if number > self.after() + 1 { Next::Skip(self.begin(by_parts)) } else { Next::Wait };
        }
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        let Some(segment) = self.segments.get(index) else {
            return match self.open.parts.get(part).filter(|_| by_parts) {
                Some(it) => Next::of_part(it, &self.open, Position { segment: number, part: part + 1 }),
                None => Next::Wait,
            };
        };
        let then = Position::begin_of(number + 1);
        match segment.parts.get(part).filter(|_| by_parts) {
            Some(it) => Next::of_part(it, segment, Position { segment: number, part: part + 1 }),
            None if part == 0 => Next::Load { media: segment.media.as_ref(), is_part: false, segment, then },
            None => Next::Skip(then),
        }
    }

    /// Where the part stands that is hinted at.
    pub(super) fn hinted(&self) -> Position {
        Position { segment: self.after(), part: self.open.parts.len() }
    }

    /// The number of the segment that is not whole yet.
    fn after(&self) -> u64 {
        self.first.saturating_add(self.segments.len() as u64)
    }

    fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &Segment)> + ExactSizeIterator {
        self.segments.iter().enumerate().map(|(index, segment)| (self.first.saturating_add(index as u64), segment))
    }
}

impl Next<'_> {
    fn of_part<'a>(part: &'a Part, segment: &'a Segment, then: Position) -> Next<'a> {
        Next::Load { media: part.media.as_ref(), is_part: true, segment, then }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(uri: String) -> Option<Resource> {
        Some(Resource { uri, range: None })
    }

    fn parts(segment: u64, count: usize) -> Vec<Part> {
        let part = |index: usize| Part {
            duration: Duration::from_millis(500),
            media: resource(format!("{segment}.{index}")),
            is_independent: index == 0,
        };
        (0..count).map(part).collect()
    }

    /// Segments 10 to 15 of two seconds, the last two with parts, and two parts of the next.
    fn media() -> Media {
        let segment = |number: u64| Segment {
            duration: Duration::from_secs(2),
            media: resource(number.to_string()),
            parts: parts(number, if number < 14 { 0 } else { 4 }),
            ..Segment::default()
        };
        Media {
            target: Duration::from_secs(2),
            first: 10,
            segments: (10..16).map(segment).collect(),
            open: Segment { parts: parts(16, 2), ..Segment::default() },
            part_hold_back: Some(Duration::from_millis(1_500)),
            ..Media::default()
        }
    }

    /// What is loaded from the beginning to the end.
    fn loaded(media: &Media, by_parts: bool) -> Vec<String> {
        let (mut at, mut loaded) = (media.begin(by_parts), Vec::new());
        loop {
            match media.at(at, by_parts) {
                Next::Load { media, then, .. } => {
                    loaded.extend(media.map(|media| media.uri.clone()));
                    at = then;
                }
                Next::Skip(to) => at = to,
                Next::Wait => return loaded,
            }
        }
    }

    #[test]
    fn players_begin_as_far_from_the_end_as_they_should() {
        assert_eq!(loaded(&media(), false), ["12", "13", "14", "15"]);
        assert_eq!(loaded(&media(), true), ["15.0", "15.1", "15.2", "15.3", "16.0", "16.1"]);
        let near = Media { hold_back: Some(Duration::from_secs(6)), open: Segment::default(), ..media() };
        assert_eq!(loaded(&near, false), ["13", "14", "15"]);
        let far = Media { part_hold_back: Some(Duration::from_secs(60)), ..media() };
        assert_eq!(loaded(&far, true)[0], "14.0");
        // Where no parts are listed, segments are loaded.
        let plain = Media { part_hold_back: None, ..media() };
        assert_eq!(loaded(&plain, true)[..2], ["12", "13"]);
        assert_eq!(loaded(&Media::default(), true), Vec::<String>::new());
    }

    #[test]
    fn whoever_falls_out_of_the_window_begins_anew() {
        for (number, part) in [(3, 2), (9, 0), (40, 0)] {
            let next = media();
            let next = next.at(Position { segment: number, part }, true);
            assert_eq!(next, Next::Skip(Position { segment: 15, part: 0 }), "{number}");
        }
        // Parts that are listed no more are given up.
        assert_eq!(media().at(Position { segment: 11, part: 2 }, true), Next::Skip(Position { segment: 12, part: 0 }));
        assert_eq!(media().at(Position { segment: 16, part: 2 }, true), Next::Wait);
        assert_eq!(media().at(Position { segment: 17, part: 0 }, true), Next::Wait);
        assert_eq!(media().hinted(), Position { segment: 16, part: 2 });
    }
}

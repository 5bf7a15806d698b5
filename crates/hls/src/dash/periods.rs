//! Where Periods begin (ISO/IEC 23009-1 §5.3.2): with each break of the track that leads, and with each change of what
//! decoders need in any of them. What has been told once is not told otherwise later.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use headwater_media::TrackKind;

use crate::window::{Init, Segment, Window};

/// One rendition as far as it is listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) kind: TrackKind,
    /// Whether more of it will come.
    pub(super) is_sent: bool,
    /// Whether a decoder can start at each segment.
    pub(super) is_independent: bool,
    pub(super) segments: Vec<Entry>,
}

/// A segment. Times count from the beginning of 1970.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) init: Arc<Init>,
    pub(super) is_discontinuous: bool,
    pub(super) time: Duration,
    pub(super) duration: Duration,
    pub(super) bytes: u64,
    pub(super) frames: u64,
}

/// What is played without a break: for each rendition the segments of it, which have one initialization section. Those
/// that are not part of it have none.
#[derive(Clone, Debug)]
pub(super) struct Period {
    pub(super) start: Duration,
    pub(super) runs: Vec<Vec<Entry>>,
}

/// The Periods that have been told of and are not over.
#[derive(Debug)]
pub(super) struct Periods {
    known: VecDeque<Known>,
    /// When the first one begins, if it is earlier than its first segment.
    first: Option<Duration>,
}

#[derive(Debug)]
struct Known {
    start: Duration,
    /// When its first segment begins.
    from: Duration,
    /// The initialization section of each rendition that is part of it.
    inits: Vec<Option<u64>>,
}

impl Entry {
    fn new(segment: &Segment) -> Option<Entry> {
        Some(Entry {
            init: segment.init.clone()?,
            is_discontinuous: segment.is_discontinuous,
            time: segment.time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default(),
            duration: segment.duration,
            bytes: segment.bytes(),
            frames: segment.frames(),
        })
    }

    pub(super) fn end(&self) -> Duration {
        self.time + self.duration
    }

    fn middle(&self) -> Duration {
        self.time + self.duration / 2
    }
}

impl Listed {
    pub(super) fn new(kind: TrackKind, window: &Window) -> Listed {
        let segments = window.segments().filter_map(Entry::new).collect();
        let is_sent = !window.has_ended() && !window.is_paused();
        Listed { kind, is_sent, is_independent: window.is_independent(), segments }
    }

    fn end(&self) -> Duration {
        self.segments.last().map_or(Duration::ZERO, Entry::end)
    }

    fn at(&self, time: Duration) -> Option<&Entry> {
        self.segments.iter().rev().find(|entry| entry.time <= time && time < entry.end())
    }

    fn begins_after(&self, time: Duration) -> bool {
        self.segments.first().is_some_and(|first| first.time > time)
    }
}

impl Known {
    fn goes_on(&self, segment: &Entry, inits: &[Option<u64>], listed: &[Listed]) -> bool {
        let is_told = !segment.is_discontinuous || self.from >= segment.time;
        is_told
            && self.inits.iter().zip(inits).zip(listed).all(|((known, now), listed)| match (known, now) {
                (Some(known), Some(now)) => known == now,
                (None, Some(_)) => false,
                (Some(_), None) => listed.is_sent || listed.end() > segment.time,
                (None, None) => true,
            })
    }
}

/// The one whose breaks are those of all: the last picture that is sent, as a browser whose network narrows leaves out
/// the large ones, which come first; or the sound.
fn lead(listed: &[Listed]) -> Option<&Listed> {
    let pictures = || listed.iter().filter(|one| one.kind == TrackKind::Video && !one.segments.is_empty());
    let sent = pictures().rfind(|one| one.is_sent);
    sent.or_else(|| pictures().next_back()).or_else(|| listed.iter().find(|one| !one.segments.is_empty()))
}

impl Periods {
    /// None yet. The first one begins then, or with its first segment.
    pub(super) fn from(first: Option<Duration>) -> Periods {
        Periods { known: VecDeque::new(), first }
    }

    /// What there is, by Periods; the oldest first.
    pub(super) fn arrange(&mut self, listed: &[Listed]) -> Vec<Period> {
        let Some(lead) = lead(listed) else { return Vec::new() };
        let mut end = Duration::ZERO;
        for segment in lead.segments.iter().take_while(|segment| is_settled(segment, lead, listed)) {
            let start = segment.time.max(end);
            end = end.max(segment.end());
            self.take(segment, start, lead, listed);
        }
        self.forget(lead);
        self.build(listed, end)
    }

    fn take(&mut self, segment: &Entry, start: Duration, lead: &Listed, listed: &[Listed]) {
        let middle = segment.middle();
        let inits = listed.iter().map(|one| {
            let entry = if std::ptr::eq(one, lead) { Some(segment) } else { one.at(middle) };
            entry.map(|entry| entry.init.key)
        });
        let inits: Vec<_> = inits.collect();
        let known = self.known.iter().rfind(|known| known.from <= middle);
        if known.is_some_and(|known| known.goes_on(segment, &inits, listed)) {
            return;
        }
        // The first one begins where all of them do.
        if self.known.is_empty() && listed.iter().any(|one| one.begins_after(middle)) {
            return;
        }
        let from = start;
        if from <= middle && self.known.back().is_none_or(|last| last.from < from) {
            let start = self.first.take().map_or(from, |first| first.min(from));
            self.known.push_back(Known { start, from, inits });
        }
    }

    /// Those are over of which nothing is listed.
    fn forget(&mut self, lead: &Listed) {
        let Some(oldest) = lead.segments.first().map(Entry::middle) else { return };
        while self.known.get(1).is_some_and(|next| next.from <= oldest) {
            self.known.pop_front();
        }
    }

    fn build(&self, listed: &[Listed], end: Duration) -> Vec<Period> {
        let starts = self.known.iter().map(|known| known.from);
        let ends = starts.skip(1).chain([end]);
        let periods = self.known.iter().zip(ends).map(|(known, end)| {
            let within = known.from..end;
            let runs = listed.iter().zip(&known.inits).map(|(one, init)| {
                let of_it = |entry: &&Entry| within.contains(&entry.middle()) && Some(entry.init.key) == *init;
                one.segments.iter().filter(of_it).cloned().collect()
            });
            Period { start: known.start, runs: runs.collect() }
        });
        periods.filter(|period| period.runs.iter().any(|run| !run.is_empty())).collect()
    }
}

/// Whether it is known what comes with a segment of the lead: the others have come as far, or it was waited for as long
/// as it lasts.
fn is_settled(segment: &Entry, lead: &Listed, listed: &[Listed]) -> bool {
    let waited = lead.end() >= segment.end() + segment.duration || !lead.is_sent;
    waited || listed.iter().filter(|one| one.is_sent).all(|one| one.end() > segment.middle())
}

#[cfg(test)]
mod tests;

//! Finding what a player asks for by its address. Each address has a key that is told in playlists alone.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;

use super::{Init, Segment, Window};

impl Window {
    /// The bytes of a segment that is whole, in pieces.
    pub fn segment(&self, sequence: u64, key: u64) -> Option<Vec<Bytes>> {
        let segment = self.kept().find(|segment| segment.sequence == sequence && segment.key == key)?;
        Some(segment.parts.iter().map(|part| part.data.clone()).collect())
    }

    /// The bytes of a part.
    pub fn part(&self, sequence: u64, part: u64, key: u64) -> Option<Bytes> {
        let segment = self.kept().chain(self.open()).find(|s| s.sequence == sequence && s.key == key)?;
        Some(segment.parts.get(usize::try_from(part).ok()?)?.data.clone())
    }

    /// An initialization section.
    pub fn init(&self, key: u64) -> Option<Bytes> {
        let inits = self.kept().chain(self.open()).filter_map(|segment| segment.init.as_ref());
        inits.into_iter().find(|init| init.key == key).map(|init| Arc::<Init>::clone(init).data.clone())
    }

    /// Whether this part has been announced and does not exist yet.
    pub fn is_announced(&self, sequence: u64, part: u64, key: u64) -> bool {
        if self.has_ended() || self.is_paused() {
            return false;
        }
        let (next, next_key) = self.next();
        match self.open() {
            Some(open) if open.sequence == sequence && open.key == key => part == open.parts.len() as u64,
            _ => (next, next_key, 0) == (sequence, key, part),
        }
    }

    /// The number of a segment of those that share a key, by when it begins; also of the one that comes next.
    pub(crate) fn sequence_at(&self, key: u64, is_it: impl Fn(&Init, SystemTime) -> bool) -> Option<u64> {
        if !self.is_keyed_by_init {
            return None;
        }
        let begins = |segment: &&Segment| segment.init.as_ref().is_some_and(|init| is_it(init, segment.time));
        let of_key = || self.kept().filter(|segment| segment.key == key);
        let ends = |last: &&Segment| last.init.as_ref().is_some_and(|init| is_it(init, last.time + last.duration));
        let known = self.open().filter(|open| open.key == key).into_iter().chain(of_key()).find(begins);
        known.map(|known| known.sequence).or_else(|| of_key().next().filter(ends).map(|last| last.sequence + 1))
    }

    fn kept(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().rev().chain(self.held.iter().rev()).map(|segment| &**segment)
    }
}

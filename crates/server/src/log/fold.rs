//! Warnings that repeat: one line of a kind within a few seconds, and the number of the others.
//!
//! A kind is a place in the code. There are as many as the program has, so the table needs no other bound.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracing::{Level, Metadata, callsite::Identifier};

/// How long a warning is not repeated.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// The kinds of warnings of late.
#[derive(Default)]
pub(super) struct Folder(HashMap<Identifier, Kind>);

struct Kind {
    /// When one of it was written last.
    written: Instant,
    folded: Folded,
}

/// Warnings that were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) target: String,
    /// File and line in the code.
    pub(super) place: String,
    pub(super) lines: u64,
}

impl Folder {
    /// Says whether an event is to be folded, and which others were and are to be told of now.
    pub(super) fn take(&mut self, event: &Metadata<'_>, now: Instant) -> (bool, Vec<Folded>) {
        let told = self.over(now);
        if *event.level() > Level::WARN {
            return (false, told);
        }
        match self.0.get_mut(&event.callsite()) {
            Some(kind) => {
                kind.folded.lines += 1;
                (true, told)
            }
            None => {
                let place = format!("{}:{}", event.file().unwrap_or("?"), event.line().unwrap_or_default());
                let folded = Folded { target: event.target().to_owned(), place, lines: 0 };
                self.0.insert(event.callsite(), Kind { written: now, folded });
                (false, told)
            }
        }
    }

    /// Takes out all kinds, as at the end; those of which some were folded are to be told.
    pub(super) fn all(&mut self) -> Vec<Folded> {
        let all = self.0.drain().map(|(_, kind)| kind.folded);
        all.filter(|folded| folded.lines > 0).collect()
    }

    /// Takes out the kinds whose time is over; those of which some were folded are to be told.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Folded> {
        let is_over = |kind: &Kind| now.saturating_duration_since(kind.written) >= QUIET;
        let over = self.0.extract_if(|_, kind| is_over(kind)).map(|(_, kind)| kind.folded);
        over.filter(|folded| folded.lines > 0).collect()
    }
}

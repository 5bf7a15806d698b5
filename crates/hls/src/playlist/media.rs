//! The media playlist of one rendition.

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use crate::{
    names::{Names, RenditionName},
    window::{Init, Segment, Window},
};

/// Where another rendition of the same stream has come to (rfc8216bis §4.4.5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which one.
    pub rendition: RenditionName,
    /// The number of its last segment, whole or not.
    pub sequence: u64,
    /// The last part of that, if it has any.
    pub part: Option<u64>,
}

/// What a media playlist is to say of a [`Window`].
#[derive(Clone, Copy, Debug)]
pub struct MediaPlaylist<'a> {
    /// What there is.
    pub window: &'a Window,
    /// How its addresses are written.
    pub names: Names<'a>,
    /// Leave out what a player knows that has read the playlist a moment ago (rfc8216bis §6.2.5.1).
    pub skip: bool,
    /// Where the others are.
    pub reports: &'a [Report],
}

/// Protocol version: EXT-X-SKIP needs 9, EXT-X-MAP in playlists of more than I-frames 6 (rfc8216bis §8).
const VERSION_SKIP: u32 = 9;
const VERSION_MAP: u32 = 6;
/// CAN-SKIP-UNTIL is at least as many target durations (rfc8216bis §4.4.3.8).
const SKIP_TARGETS: u32 = 6;
/// HOLD-BACK and PART-HOLD-BACK (rfc8216bis §4.4.3.8).
const HOLD_BACK_TARGETS: u32 = 3;
/// Parts stand in the playlist for the last so many target durations (rfc8216bis §4.4.4.9).
const PARTS_TARGETS: u32 = 3;
/// And of so many whole segments at most, where some are short: there are readers that count segments instead.
const PARTS_SEGMENTS: usize = 2;

impl MediaPlaylist<'_> {
    /// The playlist as text.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(4_096);
        // Writing to a String never fails.
        let _ = self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) -> std::fmt::Result {
        let window = self.window;
        let skipped = if self.skip { self.skipped() } else { 0 };
        let version = if window.part_target().is_some() { VERSION_SKIP } else { VERSION_MAP };
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}")?;
        writeln!(out, "#EXT-X-TARGETDURATION:{}", window.target().as_secs())?;
        self.write_server_control(out)?;
        let first = window.segments().next().or(window.open()).map_or(window.next().0, |first| first.sequence);
        writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}")?;
        writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", window.discontinuity_sequence())?;
        if window.is_independent() {
            writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        if skipped > 0 {
            writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
        }
        let mut map = None;
        let parts_from = self.parts_from();
        for segment in window.segments().skip(skipped) {
            self.write_head(out, segment, &mut map)?;
            if segment.sequence >= parts_from {
                self.write_parts(out, segment)?;
            }
            let address = self.names.segment(segment.sequence, segment.key);
            writeln!(out, "#EXTINF:{},\n{address}", seconds(segment.duration))?;
        }
        self.write_edge(out, &mut map)
    }

    /// What is being made, and what comes next.
    fn write_edge(&self, out: &mut String, map: &mut Option<u64>) -> std::fmt::Result {
        let window = self.window;
        if window.has_ended() {
            return writeln!(out, "#EXT-X-ENDLIST");
        }
        if window.part_target().is_none() {
            return Ok(());
        }
        if let Some(open) = window.open() {
            self.write_head(out, open, map)?;
            self.write_parts(out, open)?;
        }
        let hint = match window.open() {
            Some(open) => self.names.part(open.sequence, open.parts.len() as u64, open.key),
            None => self.names.part(window.next().0, 0, window.next().1),
        };
        writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{hint}\"")?;
        for report in self.reports {
            let names = Names { rendition: &report.rendition, ..self.names };
            write!(out, "#EXT-X-RENDITION-REPORT:URI=\"{}\",LAST-MSN={}", names.playlist(), report.sequence)?;
            match report.part {
                Some(part) => writeln!(out, ",LAST-PART={part}")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }

    fn write_server_control(&self, out: &mut String) -> std::fmt::Result {
        let target = self.window.target();
        write!(out, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={}", seconds(target * HOLD_BACK_TARGETS))?;
        let Some(part) = self.window.part_target() else {
            return writeln!(out);
        };
        let skip = seconds(target * SKIP_TARGETS);
        writeln!(out, ",PART-HOLD-BACK={},CAN-SKIP-UNTIL={skip}", seconds(part * HOLD_BACK_TARGETS))?;
        writeln!(out, "#EXT-X-PART-INF:PART-TARGET={}", seconds(part))
    }

    /// What holds from a segment on. Each segment tells its time, so that a delta update loses none.
    fn write_head(&self, out: &mut String, segment: &Segment, map: &mut Option<u64>) -> std::fmt::Result {
        if segment.is_discontinuous {
            writeln!(out, "#EXT-X-DISCONTINUITY")?;
        }
        if let Some(Init { key, .. }) = segment.init.as_deref()
            && map.replace(*key) != Some(*key)
        {
            writeln!(out, "#EXT-X-MAP:URI=\"{}\"", self.names.init(*key))?;
        }
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date(segment.time))
    }

    fn write_parts(&self, out: &mut String, segment: &Segment) -> std::fmt::Result {
        for (index, part) in (0u64..).zip(&segment.parts) {
            let address = self.names.part(segment.sequence, index, segment.key);
            write!(out, "#EXT-X-PART:DURATION={},URI=\"{address}\"", seconds(part.duration))?;
            writeln!(out, "{}", if part.is_independent { ",INDEPENDENT=YES" } else { "" })?;
        }
        Ok(())
    }

    /// The number of the first segment whose parts are listed.
    fn parts_from(&self) -> u64 {
        if self.window.part_target().is_none() {
            return u64::MAX;
        }
        let mut from = self.window.next().0;
        let mut listed = self.window.open().map_or(Duration::ZERO, |open| open.duration);
        for segment in self.window.segments().rev().take(PARTS_SEGMENTS) {
            listed += segment.duration;
            if listed > self.window.target() * PARTS_TARGETS {
                break;
            }
            from = segment.sequence;
        }
        from
    }

    /// How many segments lie before the skip boundary.
    fn skipped(&self) -> usize {
        if self.window.part_target().is_none() {
            return 0;
        }
        let mut until_end = self.window.open().map_or(Duration::ZERO, |open| open.duration);
        let boundary = self.window.target() * SKIP_TARGETS;
        let recent = self.window.segments().rev().take_while(|segment| {
            let is_recent = until_end < boundary;
            until_end += segment.duration;
            is_recent
        });
        self.window.segments().len().saturating_sub(recent.count())
    }
}

/// A decimal number of seconds (RFC 8216 §4.2).
fn seconds(time: Duration) -> String {
    format!("{}.{:05}", time.as_secs(), time.subsec_nanos() / 10_000)
}

/// ISO 8601 with milliseconds, as EXT-X-PROGRAM-DATE-TIME wants it (RFC 8216 §4.3.2.6).
fn date(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

//! A stream as it is described to players of DASH: what has been told of it, and its description as it was written last.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use headwater_codec::codec_string;
use headwater_media::TrackKind;
use parking_lot::Mutex;

use super::{
    mpd::{AdaptationSet, Mpd, PeriodElement, Representation},
    periods::{Entry, Listed, Period, Periods},
    write::ticks,
};
use crate::{
    gzip::gzip,
    names::RenditionName,
    rendition::Rendition,
    window::{Init, Window},
};

/// A stream as it is described to players of DASH.
#[derive(Debug)]
pub(crate) struct Presentation {
    /// The beginning of stream time, from the beginning of 1970.
    epoch: Duration,
    anchor: Anchor,
    /// How long segments should be, and how much of them is listed.
    segment: Duration,
    window: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    periods: Periods,
    written: Option<Written>,
}

/// A description of what was listed at some time, and its texts for those who bring nothing to carry.
#[derive(Debug)]
struct Written {
    edges: Vec<Edge>,
    mpd: Arc<Mpd>,
    texts: [Option<Bytes>; 2],
}

/// What a description of a rendition depends on: number and count of its segments, and whether more will come.
type Edge = (Option<u64>, usize, bool, bool);

/// What the times of a presentation count from, so that they stay true when its stream is packaged anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    /// From the beginning of 1970: the beginning of the stream's time when it was packaged first.
    pub(crate) time: Duration,
    /// Whether it is new. The first Period then begins with the stream's time and not with what is listed, as dashdemux
    /// of GStreamer 1.22 adds the beginning of a Period to times that hold it already.
    pub(crate) is_new: bool,
}

/// How a description is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    pub(crate) gzip: bool,
    /// What goes before and behind each address.
    pub(crate) base: &'a str,
    pub(crate) query: &'a str,
    /// Where it is read from the next time on, if not there where it was asked for.
    pub(crate) location: Option<&'a str>,
}

impl Presentation {
    /// One of a stream whose time began at an epoch, from the beginning of 1970.
    pub(crate) fn new(epoch: Duration, anchor: Anchor, segment: Duration, window: Duration) -> Presentation {
        let periods = Periods::from(if anchor.is_new { Some(epoch) } else { None });
        let state = Mutex::new(State { periods, written: None });
        Presentation { epoch, anchor, segment, window, state }
    }

    /// The description of what is listed now; nothing while nothing is.
    pub(crate) fn text<'a>(
        &self,
        renditions: impl Iterator<Item = (TrackKind, &'a Arc<Rendition>)> + Clone,
        style: Style<'_>,
        now: Duration,
    ) -> Option<Bytes> {
        let mut state = self.state.lock();
        let edges: Vec<Edge> = renditions.clone().map(|(_, rendition)| rendition.read(edge)).collect();
        let state = &mut *state;
        if state.written.as_ref().is_none_or(|written| written.edges != edges) {
            let renditions: Vec<_> = renditions.collect();
            let listed: Vec<_> = renditions
                .iter()
                .map(|(kind, rendition)| rendition.read(|window| Listed::new(*kind, window)))
                .collect();
            let names: Vec<_> = renditions.iter().map(|(_, rendition)| rendition.name()).collect();
            let mpd = Arc::new(self.describe(&state.periods.arrange(&listed), &listed, &names, now));
            state.written = Some(Written { edges, mpd, texts: [None, None] });
        }
        let written = state.written.as_mut().filter(|written| !written.mpd.periods.is_empty())?;
        let write = |mpd: &Mpd| {
            let text = mpd.write(style.base, style.query, style.location);
            if style.gzip { gzip(text.as_bytes()) } else { text.into() }
        };
        if !style.base.is_empty() || !style.query.is_empty() || style.location.is_some() {
            return Some(write(&written.mpd));
        }
        let text = written.texts.get_mut(usize::from(style.gzip))?;
        Some(text.get_or_insert_with(|| write(&written.mpd)).clone())
    }

    /// The number of the segment that a description says begins then, or of the one that follows the last.
    pub(crate) fn sequence_at(&self, window: &Window, time: u64, key: u64) -> Option<u64> {
        let is_it = |init: &Init, begins: SystemTime| {
            let begins = begins.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let rate = init.parameters.first().map(|parameters| parameters.clock_rate.hertz());
            rate.is_some_and(|rate| ticks(begins.saturating_sub(self.epoch), rate) == time)
        };
        window.sequence_at(key, is_it)
    }

    pub(super) fn describe(
        &self,
        periods: &[Period],
        listed: &[Listed],
        names: &[&RenditionName],
        now: Duration,
    ) -> Mpd {
        let entries = || periods.iter().flat_map(|period| period.runs.iter().flatten());
        let longest = entries().map(|entry| entry.duration).max().unwrap_or(self.segment);
        let is_over = listed.iter().all(|one| !one.is_sent);
        Mpd {
            anchor: self.anchor.time,
            published: now,
            update: self.segment,
            window: self.window,
            longest,
            end: is_over.then(|| entries().map(Entry::end).max().unwrap_or_default().saturating_sub(self.anchor.time)),
            periods: periods.iter().map(|period| self.period(period, listed, names)).collect(),
        }
    }

    fn period(&self, period: &Period, listed: &[Listed], names: &[&RenditionName]) -> PeriodElement {
        let of_kind = |kind| {
            let all = period.runs.iter().zip(listed).zip(names).filter(move |((_, one), _)| one.kind == kind);
            let representations: Vec<_> =
                all.filter_map(|((run, _), name)| self.representation(run, (*name).clone())).collect();
            let is_independent = listed.iter().filter(|one| one.kind == kind).all(|one| one.is_independent);
            AdaptationSet { kind, is_independent, representations }
        };
        let sets = [of_kind(TrackKind::Video), of_kind(TrackKind::Audio)];
        PeriodElement {
            start: period.start.saturating_sub(self.anchor.time),
            offset: period.start.saturating_sub(self.epoch),
            sets: sets.into_iter().filter(|set| !set.representations.is_empty()).collect(),
        }
    }

    fn representation(&self, run: &[Entry], name: RenditionName) -> Option<Representation> {
        let first = run.first()?;
        let parameters = first.init.parameters.first()?;
        let timescale = parameters.clock_rate.hertz();
        let at = |time: Duration| ticks(time.saturating_sub(self.epoch), timescale);
        let video = parameters.video();
        let rate = |entry: &Entry| (entry.bytes as f64 * 8.0 / entry.duration.as_secs_f64().max(0.1)) as u64;
        Some(Representation {
            name,
            codec: codec_string(parameters),
            bandwidth: run.iter().map(rate).max().unwrap_or_default(),
            resolution: video.map(|video| (video.width, video.height)).filter(|(width, height)| width * height > 0),
            frame_rate: video.and_then(|video| video.frame_rate.or_else(|| counted(run))),
            sound: parameters.audio().map(|audio| (audio.sample_rate, audio.channels)),
            timescale,
            key: first.init.key,
            segments: run.iter().map(|entry| (at(entry.time), at(entry.end()) - at(entry.time))).collect(),
        })
    }
}

/// Pictures in a second, as they have come.
fn counted(run: &[Entry]) -> Option<f64> {
    let time: Duration = run.iter().map(|entry| entry.duration).sum();
    let frames: u64 = run.iter().map(|entry| entry.frames).sum();
    (time >= Duration::from_secs(1)).then(|| (frames as f64 / time.as_secs_f64()).round().max(1.0))
}

fn edge(window: &Window) -> Edge {
    let last = window.segments().next_back().map(|last| last.sequence);
    (last, window.segments().len(), window.has_ended(), window.is_paused())
}

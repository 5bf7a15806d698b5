//! What a rendition is made of: the tracks of a stream, or one of the sizes of its picture.

use std::{sync::Arc, time::Duration};

use headwater_graph::{Bell, ConvertError, Cursor, Join, Rendition as Source, Stream, Track};
use headwater_media::{ClockRate, Codec, Frame, TrackKind};

/// What a rendition is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Sound and picture, or the one that there is.
    Whole,
    /// The picture alone.
    Picture,
    /// One of several renditions of the picture, by its label.
    Layer(String),
    /// The sound.
    Sound,
}

impl Content {
    /// Whether it is one of several renditions of the picture, and nothing of it comes while others do: a browser leaves
    /// the large ones out when its network narrows.
    pub(super) fn is_paused(&self, stream: &Stream) -> bool {
        let Content::Layer(label) = self else { return false };
        let layers = stream.track(TrackKind::Video).map(|track| track.named_renditions()).unwrap_or_default();
        let newest = |layer: &Arc<Source>| layer.newest();
        let own = layers.iter().find(|layer| layer.label() == Some(label.as_str())).and_then(newest);
        let Some(newest) = layers.iter().filter_map(newest).max() else { return false };
        own.is_none_or(|own| newest.saturating_sub(own) > PAUSE)
    }

    /// How far the sound has come that goes with a picture and is a rendition of its own. Nothing where the picture is left
    /// out in this size alone.
    pub(super) fn sound_beside(&self, stream: &Stream) -> Option<Duration> {
        let video = stream.track(TrackKind::Video)?;
        match self {
            Content::Whole | Content::Sound => return None,
            Content::Picture => {}
            Content::Layer(label) => {
                let layers = video.named_renditions();
                let own = layers.iter().find(|layer| layer.label() == Some(label.as_str()))?.newest()?;
                let is_ahead = |layer: &Arc<Source>| layer.newest().is_some_and(|newest| newest > own + BEHIND_OTHERS);
                if layers.iter().any(is_ahead) {
                    return None;
                }
            }
        }
        stream.track(TrackKind::Audio)?.native().newest()
    }

    /// What it is made of now. A track that has been announced and sends nothing must not keep the other one back.
    pub(super) fn parts(&self, stream: &Stream) -> Vec<Part> {
        let track = |kind| stream.track(kind).filter(|track| has_begun(track.native())).map(Part::Track);
        match self {
            Content::Whole => track(TrackKind::Video).into_iter().chain(track(TrackKind::Audio)).collect(),
            Content::Picture => track(TrackKind::Video).into_iter().collect(),
            Content::Sound => track(TrackKind::Audio).into_iter().collect(),
            Content::Layer(label) => {
                let layers = stream.track(TrackKind::Video).map(|track| track.named_renditions()).unwrap_or_default();
                let layer = layers.into_iter().find(|layer| layer.label() == Some(label.as_str()));
                layer.filter(|layer| has_begun(layer)).map(Part::Layer).into_iter().collect()
            }
        }
    }
}

/// Nothing has come for so long in stream time: a still screen is sent once a second.
const PAUSE: Duration = Duration::from_millis(2_500);

/// One size of a picture that is behind another by more is left out.
const BEHIND_OTHERS: Duration = Duration::from_millis(500);

/// Whether something of it has come.
pub(crate) fn has_begun(source: &Source) -> bool {
    source.parameters().is_some() && source.newest().is_some()
}

/// One of the lanes that a rendition is made of.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A track as its best rendition has it.
    Track(Arc<Track>),
    Layer(Arc<Source>),
}

impl Part {
    pub(super) fn kind(&self) -> TrackKind {
        match self {
            Part::Track(track) => track.kind(),
            Part::Layer(_) => TrackKind::Video,
        }
    }

    pub(super) fn native(&self) -> &Arc<Source> {
        match self {
            Part::Track(track) => track.native(),
            Part::Layer(layer) => layer,
        }
    }

    pub(super) fn cursor(&self, accept: &[Codec], bell: &Bell, join: Join) -> Result<Cursor<Frame>, ConvertError> {
        match self {
            Part::Track(track) => track.frames(accept, bell, join),
            Part::Layer(layer) => layer.frames(bell, join),
        }
    }

    pub(super) fn is(&self, other: &Part) -> bool {
        Arc::ptr_eq(self.native(), other.native())
    }
}

/// Some way back from the newest that all have, so that the first player need not wait for segments.
pub(super) fn at(native: &Source, parts: &[Part], back: Duration) -> Join {
    let newest = parts.iter().filter_map(|part| part.native().newest()).min();
    let (Some(newest), Some(parameters)) = (newest, native.parameters()) else { return Join::NewestGroup };
    let rate: ClockRate = parameters.clock_rate;
    Join::At(rate.ticks(newest.saturating_sub(back)))
}

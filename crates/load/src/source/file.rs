//! An FLV file, enhanced or not: a picture, and sound if there is any.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use headwater_codec::parameters;
use headwater_flv::{
    CodedFrame, Media, MediaReader,
    tag::{TagKind, TagReader},
};
use headwater_media::{ClockRate, Codec, TrackKind, TrackParameters};

use super::{Item, Reel, SourceError, check_size};

/// What the last frame of a file with one frame is taken to last.
const LAST_FRAME: Duration = Duration::from_millis(40);

/// Reads a file whole.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn read(path: &Path) -> Result<Reel, SourceError> {
    check_size(std::fs::metadata(path)?.len())?;
    parse(&std::fs::read(path)?)
}

/// The reel of a file: from its first key frame on, with times from zero.
///
/// # Errors
/// It is no such file, or has no picture.
pub(super) fn parse(file: &[u8]) -> Result<Reel, SourceError> {
    let wrong = |error: &dyn std::fmt::Display| SourceError::Format(error.to_string());
    let (mut tags, mut media, mut found) = (TagReader::new(), MediaReader::new(), Found::default());
    tags.push(file);
    while let Some(tag) = tags.pull().map_err(|error| wrong(&error))? {
        let events = match tag.kind {
            TagKind::Video => media.video(tag.body),
            TagKind::Audio => media.audio(tag.body),
            TagKind::Script => continue,
        };
        for event in events.map_err(|error| wrong(&error))? {
            match event.media {
                Media::Config(record) if event.track == 0 => found.configure(event.codec, record)?,
                Media::Frame(frame) if event.track == 0 => found.add(event.codec, tag.timestamp, frame),
                _ => {}
            }
        }
    }
    found.finish()
}

#[derive(Default)]
struct Found {
    video: Option<TrackParameters>,
    audio: Option<TrackParameters>,
    items: Vec<Item>,
    /// Time of the first key frame.
    first_ms: Option<u32>,
}

impl Found {
    fn configure(&mut self, codec: Codec, record: Bytes) -> Result<(), SourceError> {
        let track = parameters::from_config(codec, record).map_err(|error| SourceError::Format(error.to_string()))?;
        let known = match codec.kind() {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        *known = known.take().or(Some(track));
        Ok(())
    }

    fn add(&mut self, codec: Codec, timestamp: u32, frame: CodedFrame) {
        let is_video = codec.kind() == TrackKind::Video;
        if self.first_ms.is_none() && is_video && frame.key {
            self.first_ms = Some(timestamp);
        }
        let Some(at) = self.first_ms.and_then(|first| timestamp.checked_sub(first)) else { return };
        let composition = ClockRate::VIDEO.hertz() as i64 / 1_000 * i64::from(frame.composition_ms);
        self.items.push(Item {
            at: Duration::from_millis(at.into()),
            is_video,
            composition: if is_video { composition } else { 0 },
            random_access: frame.key || !is_video,
            data: frame.data,
        });
    }

    fn finish(mut self) -> Result<Reel, SourceError> {
        let video = self.video.ok_or_else(|| SourceError::Format("it has no picture".into()))?;
        self.items.sort_by_key(|item| item.at);
        let pictures: Vec<Duration> = self.items.iter().filter(|item| item.is_video).map(|item| item.at).collect();
        let last = *pictures.last().ok_or_else(|| SourceError::Format("it has no key frame".into()))?;
        let step = last.checked_div(u32::try_from(pictures.len() - 1).unwrap_or(u32::MAX)).unwrap_or(LAST_FRAME);
        let length = last + step;
        // Sound beyond the last picture would meet that of the next round.
        self.items.retain(|item| item.at < length);
        Ok(Reel { video, audio: self.audio, items: self.items, length })
    }
}

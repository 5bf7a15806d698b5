//! Fragments of MP4 -> screen, as players of MSE and of HLS do.

use std::time::Instant;

use bytes::Bytes;
use headwater_media::{ClockRate, Frame, Ticks, TrackKind};
use headwater_mp4::{Movie, MovieTrack, ReadError, Sample};

use super::screen::Screen;

/// Shows the samples of a segment or fragment; those of the first track of pictures.
///
/// # Errors
/// It cannot be read.
pub(super) fn show(movie: &Movie, segment: &Bytes, screen: &mut Screen<'_>, now: Instant) -> Result<(), ReadError> {
    let pictures = movie.tracks().iter().find(|track| track.kind == Some(TrackKind::Video)).map(|track| track.id);
    for (track, sample) in movie.samples(segment)? {
        match track.kind {
            Some(TrackKind::Video) if pictures == Some(track.id) => picture(track, sample, screen, now),
            Some(TrackKind::Audio) => screen.sound(now),
            _ => {}
        }
    }
    Ok(())
}

fn picture(track: &MovieTrack, sample: Sample, screen: &mut Screen<'_>, now: Instant) {
    let ticks = |time: u64| Ticks::try_from(time).unwrap_or(Ticks::MAX);
    let time = track.clock_rate.duration(ticks(sample.decode_time));
    let at = |time: u64| track.clock_rate.rescale(ticks(time), ClockRate::VIDEO);
    let frame = Frame {
        dts: at(sample.decode_time),
        pts: at(sample.presentation_time()),
        random_access: sample.sync,
        data: sample.data,
    };
    let codec = track.parameters.as_ref().map(|parameters| parameters.codec);
    screen.picture(codec, time, frame, now);
}

//! Bodies of audio and video tags -> media events.

mod audio;
mod enhanced;
mod video;

use bytes::Bytes;
use headwater_media::{AudioFormat, Codec, limits};

use crate::{Events, FlvError};

/// Reads the audio and video tag bodies of one source, legacy and enhanced.
///
/// It keeps what later bodies depend on: how long the NAL unit lengths of each track are, and the sound format
/// of codecs without a configuration record.
#[derive(Debug, Default)]
pub struct MediaReader {
    video: Vec<VideoTrack>,
    sound: Option<(Codec, AudioFormat)>,
}

/// What a configuration record said about the frames that follow.
#[derive(Clone, Copy, Debug)]
struct VideoTrack {
    id: u8,
    codec: Codec,
    length_size: usize,
}

impl MediaReader {
    /// A reader that has seen nothing yet.
    pub fn new() -> MediaReader {
        MediaReader::default()
    }

    /// What the body of an audio tag says; nothing for an empty body, which means silence.
    ///
    /// # Errors
    /// The body is malformed or of a codec that is not supported; the reader stays usable.
    pub fn audio(&mut self, body: Bytes) -> Result<Events, FlvError> {
        if body.is_empty() { Ok(Events::new()) } else { audio::read(self, body) }
    }

    /// What the body of a video tag says; nothing for an empty body and for player commands.
    ///
    /// # Errors
    /// The body is malformed or of a codec that is not supported; the reader stays usable.
    pub fn video(&mut self, body: Bytes) -> Result<Events, FlvError> {
        if body.is_empty() { Ok(Events::new()) } else { video::read(self, body) }
    }

    fn video_track(&self, id: u8) -> Option<VideoTrack> {
        self.video.iter().find(|track| track.id == id).copied()
    }

    fn set_video_track(&mut self, track: VideoTrack) -> Result<(), FlvError> {
        if let Some(known) = self.video.iter_mut().find(|known| known.id == track.id) {
            *known = track;
            return Ok(());
        }
        if self.video.len() >= limits::STREAM_TRACKS.get_usize() {
            limits::STREAM_TRACKS.hit();
            return Err(FlvError::Limit("number of video tracks"));
        }
        self.video.push(track);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

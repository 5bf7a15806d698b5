//! A sound file that is played into a push in place of the stream's own sound.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use headwater_media::TrackParameters;
use headwater_rtmp::client::{CodedSound, Substitute};
use headwater_transcode::{Clip, ClipEncoder, Error};

/// Which sound file is to be played into a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundRequest {
    /// Its name in the folder of sounds.
    pub file: String,
    /// Whether it begins again at its end. If not, silence follows it.
    pub is_looped: bool,
}

/// A sound file in a push: where it has come to, over all connections.
pub(crate) struct Sound {
    clip: Arc<Clip>,
    is_looped: bool,
    position: Arc<AtomicUsize>,
}

impl Sound {
    pub(crate) fn new(clip: Arc<Clip>, is_looped: bool) -> Sound {
        Sound { clip, is_looped, position: Arc::default() }
    }

    /// What codes it for a track.
    ///
    /// # Errors
    /// It cannot be coded for such a track.
    pub(crate) fn encoder(&self, track: &TrackParameters) -> Result<ClipEncoder, Error> {
        ClipEncoder::new(self.clip.clone(), track, self.is_looped, self.position.load(Relaxed))
    }
}

impl Substitute for Sound {
    fn begin(&self, track: &TrackParameters) -> Option<Box<dyn CodedSound>> {
        let encoder = self.encoder(track).inspect_err(|error| {
            tracing::warn!(%error, codec = %track.codec, "a push is sent without sound: its file cannot be played");
        });
        Some(Box::new(Coded { encoder: encoder.ok()?, position: self.position.clone() }))
    }
}

struct Coded {
    encoder: ClipEncoder,
    position: Arc<AtomicUsize>,
}

impl CodedSound for Coded {
    fn frame_length(&self) -> usize {
        self.encoder.frame_length()
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        let frame = self.encoder.next_frame().unwrap_or_else(|error| {
            tracing::error!(%error, "a frame of a sound file is lost");
            None
        });
        self.position.store(self.encoder.position(), Relaxed);
        frame
    }
}

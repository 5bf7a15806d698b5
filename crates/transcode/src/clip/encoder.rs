//! A recorded sound in the coding of a live track, frame by frame.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use headwater_media::TrackParameters;

use super::Clip;
use crate::{Error, Pcm, encoder_like, framer::Framer, shaper::Shaper};

/// Samples of the recording that are taken at once.
const PIECE: usize = 1_024;

/// Codes a recording so that its frames fit among those of a live track.
///
/// Repeated without a gap: the last sample is followed by the first as any sample by its next.
pub struct ClipEncoder {
    clip: Arc<Clip>,
    is_looped: bool,
    next: usize,
    is_over: bool,
    shaper: Shaper,
    framer: Framer,
    frame_length: usize,
    coded: VecDeque<Bytes>,
    piece: Pcm,
    shaped: Vec<f32>,
}

impl ClipEncoder {
    /// Begins at sample `from` of the recording.
    ///
    /// # Errors
    /// There is no encoder for such a track, or no way from the one sample rate to the other.
    pub fn new(clip: Arc<Clip>, track: &TrackParameters, is_looped: bool, from: usize) -> Result<ClipEncoder, Error> {
        let encoder = encoder_like(track)?;
        let (rate, frame_length) = (encoder.parameters().clock_rate.hertz(), encoder.frame_length());
        let framer = Framer::new(encoder, 0, 0);
        let piece = Pcm { rate: clip.rate, channels: clip.channels, samples: Vec::new() };
        let shaper = Shaper::new(&piece, rate, framer.channels())?;
        let (coded, shaped) = (VecDeque::new(), Vec::new());
        Ok(ClipEncoder {
            clip,
            is_looped,
            next: from,
            is_over: false,
            shaper,
            framer,
            frame_length,
            coded,
            piece,
            shaped,
        })
    }

    /// How many samples of the track each frame stands for.
    pub fn frame_length(&self) -> usize {
        self.frame_length
    }

    /// The sample of the recording that is taken next.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The next frame, or nothing after the end of a recording that is not repeated.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, Error> {
        while self.coded.is_empty() && !self.is_over {
            self.read()?;
        }
        Ok(self.coded.pop_front())
    }

    fn read(&mut self) -> Result<(), Error> {
        self.clip.copy(self.next, PIECE, &mut self.piece);
        self.next = self.next.saturating_add(self.piece.len());
        self.shaped.clear();
        self.shaper.push(&self.piece, &mut self.shaped);
        if self.next >= self.clip.len() {
            if self.is_looped {
                self.next = 0;
            } else {
                self.is_over = true;
                self.shaper.finish(&mut self.shaped);
            }
        }
        let coded = &mut self.coded;
        self.framer.push(&self.shaped, &mut |frame| coded.push_back(frame.data))?;
        if self.is_over {
            self.framer.finish(&mut |frame| coded.push_back(frame.data))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for ClipEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClipEncoder").field("clip", &self.clip).field("next", &self.next).finish_non_exhaustive()
    }
}

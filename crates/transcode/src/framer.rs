//! Cuts sound into frames of the encoder's length and stamps them to the sample.

use headwater_media::{Frame, Ticks, TrackParameters};

use crate::{Encoder, Error};

/// Feeds an encoder from a known point in time on.
///
/// An encoder's output lags behind its input. So it is first fed with as much silence as makes the lag a whole number
/// of frames, and these first frames are dropped: what comes then begins exactly at the first sample.
pub(crate) struct Framer {
    encoder: Box<dyn Encoder>,
    channels: usize,
    pending: Vec<f32>,
    /// Frames still to drop.
    priming: usize,
    /// Samples still to drop.
    skip: usize,
    /// Time of the next frame that leaves.
    next: Ticks,
    /// Time of the next sample that comes in.
    end: Ticks,
}

impl Framer {
    /// A framer whose first frame begins at time `start`, in ticks of the encoder's clock, after `skip` samples that
    /// it drops.
    pub(crate) fn new(encoder: Box<dyn Encoder>, start: Ticks, skip: usize) -> Framer {
        let channels = encoder.parameters().audio().map_or(1, |audio| usize::from(audio.channels));
        let (delay, length) = (encoder.delay(), encoder.frame_length());
        let priming = delay.div_ceil(length);
        let pending = vec![0.0; (priming * length - delay) * channels];
        let end = start.saturating_sub(skip as Ticks);
        Framer { encoder, channels, pending, priming, skip, next: start, end }
    }

    /// What comes out.
    pub(crate) fn parameters(&self) -> TrackParameters {
        self.encoder.parameters()
    }

    /// Number of channels that it takes.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Takes interleaved samples and gives the frames that they complete to `emit`.
    ///
    /// # Errors
    /// The encoder failed.
    pub(crate) fn push(&mut self, samples: &[f32], emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        let count = samples.len() / self.channels;
        self.end = self.end.saturating_add(count as Ticks);
        let skip = self.skip.min(count);
        self.skip -= skip;
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend(samples.iter().skip(skip * self.channels));
        let mut frames = pending.chunks_exact(self.encoder.frame_length() * self.channels);
        for samples in &mut frames {
            self.encode(samples, emit)?;
        }
        self.pending = frames.remainder().to_vec();
        Ok(())
    }

    /// Ends the sound: gives what is still inside, filled up with silence to a whole frame.
    ///
    /// # Errors
    /// The encoder failed.
    pub(crate) fn finish(&mut self, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        let end = self.end;
        let silence = vec![0.0; self.encoder.frame_length() * self.channels];
        while self.next < end {
            self.push(&silence, emit)?;
        }
        self.end = end;
        Ok(())
    }

    /// Ends the sound in one encoder and goes on in another, whose first frame follows the other's last one.
    ///
    /// # Errors
    /// The old encoder failed.
    pub(crate) fn replace(&mut self, encoder: Box<dyn Encoder>, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        self.finish(emit)?;
        let skip = usize::try_from(self.next - self.end).unwrap_or(0);
        *self = Framer::new(encoder, self.next, skip);
        Ok(())
    }

    fn encode(&mut self, samples: &[f32], emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        let data = self.encoder.encode(samples)?;
        if self.priming > 0 {
            self.priming -= 1;
            return Ok(());
        }
        emit(Frame { dts: self.next, pts: self.next, random_access: true, data });
        self.next = self.next.saturating_add(self.encoder.frame_length() as Ticks);
        Ok(())
    }
}

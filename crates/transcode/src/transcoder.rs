//! One audio track into another coding, with time exact to the sample.
//!
//! ```text
//!  frame -> Timeline -> Decoder -> Splice -> Shaper (mix, resample) -> Framer (Encoder) -> frame
//!           counts      delay      joins     delay taken out           delay taken out
//!           samples     known      cuts
//! ```

use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackParameters};

use crate::{Decoder, Error, Pcm, decoder, encoder, statistics, timeline::Verdict};
use running::Running;

mod running;
#[cfg(all(test, feature = "fdk-aac"))]
mod tests;

/// What a transcoder gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// What follows is of this format.
    Parameters(TrackParameters),
    /// The time line breaks here.
    Discontinuity,
    /// A coded frame.
    Frame(Frame),
}

/// Turns the frames of one audio track into another coding.
///
/// Timestamps of the output are those of the input to the sample: whatever the coders delay is taken out, and jitter
/// of the input is smoothed. Reads no clock.
pub struct AudioTranscoder {
    input: TrackParameters,
    to: Codec,
    output: TrackParameters,
    decoder: Option<Box<dyn Decoder>>,
    pcm: Pcm,
    /// Length of the last good frame in samples: that of a broken one.
    usual: usize,
    running: Option<Running>,
}

impl AudioTranscoder {
    /// A transcoder of a track into a codec.
    ///
    /// # Errors
    /// One of the codecs is not available, or the track's configuration is not usable.
    pub fn new(input: &TrackParameters, to: Codec) -> Result<AudioTranscoder, Error> {
        let channels = input.audio().map_or(2, |audio| usize::from(audio.channels));
        Ok(AudioTranscoder {
            input: input.clone(),
            to,
            output: encoder(to, channels)?.parameters(),
            decoder: Some(decoder(input)?),
            pcm: Pcm::default(),
            usual: 0,
            running: None,
        })
    }

    /// What the output is now; a change comes as [`Output::Parameters`].
    pub fn parameters(&self) -> &TrackParameters {
        &self.output
    }

    /// Goes on with an input of other parameters.
    ///
    /// Where they are not usable, nothing comes out until they change again.
    pub fn set_input(&mut self, input: &TrackParameters) {
        if *input == self.input {
            return;
        }
        if let Some(running) = &mut self.running {
            running.splice.cut();
        }
        self.input = input.clone();
        self.decoder = decoder(input).inspect_err(|error| tracing::warn!(%error, "sound is not converted")).ok();
    }

    /// The time line of the input breaks: what comes next has nothing to do with what was.
    pub fn discontinuity(&mut self, emit: &mut dyn FnMut(Output)) {
        self.stop(emit);
        self.decoder = decoder(&self.input).ok();
        emit(Output::Discontinuity);
    }

    /// Converts one frame; gives any number of them, as the lengths of frames differ.
    pub fn push(&mut self, frame: &Frame, emit: &mut dyn FnMut(Output)) {
        if let Err(error) = self.convert(frame, emit) {
            tracing::debug!(%error, pts = frame.pts, "sound is lost");
        }
    }

    fn convert(&mut self, frame: &Frame, emit: &mut dyn FnMut(Output)) -> Result<(), Error> {
        self.place(frame.pts, emit)?;
        let codec = self.input.codec;
        let decoder = self.decoder.as_mut().ok_or(Error::Unavailable { what: "decode", codec })?;
        if let Err(error) = decoder.decode(&frame.data, &mut self.pcm) {
            statistics::BROKEN_FRAMES.count();
            return self.fill(self.usual, emit).and(Err(error));
        }
        self.usual = self.pcm.len();
        if self.running.is_none() {
            self.start(frame.pts)?;
        }
        let Some(running) = &mut self.running else { return Ok(()) };
        running.follow(&self.pcm, &mut |frame| emit(Output::Frame(frame)))?;
        let parameters = running.parameters();
        if parameters != self.output {
            self.output = parameters.clone();
            emit(Output::Parameters(parameters));
        }
        running.play(&mut self.pcm, &mut |frame| emit(Output::Frame(frame)))
    }

    /// Compares the time of the next frame with what is counted, and mends the difference.
    fn place(&mut self, pts: Ticks, emit: &mut dyn FnMut(Output)) -> Result<(), Error> {
        let (Some(running), Some(decoder)) = (&mut self.running, &mut self.decoder) else {
            return Ok(());
        };
        if running.late > 0 {
            return Ok(());
        }
        let time = self.input.clock_rate.rescale(pts, running.timeline.rate());
        match running.timeline.judge(time.saturating_sub(decoder.delay() as Ticks)) {
            Verdict::Follows => {}
            Verdict::Gap(length) => {
                statistics::GAPS.count();
                self.fill(length, emit)?;
            }
            Verdict::Overlap(length) => {
                statistics::OVERLAPS.count();
                running.late = length;
                running.splice.cut();
            }
            Verdict::Jump(by) => {
                statistics::JUMPS.count();
                self.stop(emit);
                if by < 0 {
                    emit(Output::Discontinuity);
                }
            }
        }
        Ok(())
    }

    /// Plays something in the place of `length` lost samples: what the decoder makes up, then silence.
    fn fill(&mut self, length: usize, emit: &mut dyn FnMut(Output)) -> Result<(), Error> {
        let (Some(running), Some(decoder)) = (&mut self.running, &mut self.decoder) else { return Ok(()) };
        let (rate, channels) = running.format();
        self.pcm.reset(rate, channels);
        decoder.conceal(length, &mut self.pcm);
        let rest = length.saturating_sub(self.pcm.len());
        running.splice.cut();
        running.play(&mut self.pcm, &mut |frame| emit(Output::Frame(frame)))?;
        self.pcm.silence(rest);
        running.splice.cut();
        running.play(&mut self.pcm, &mut |frame| emit(Output::Frame(frame)))?;
        running.splice.cut();
        Ok(())
    }

    /// Begins at the time of the frame that was just decoded.
    fn start(&mut self, pts: Ticks) -> Result<(), Error> {
        let codec = self.input.codec;
        let rate = ClockRate::new(self.pcm.rate).ok_or(Error::broken(codec, "it has no sample rate"))?;
        let lead = self.decoder.as_ref().map_or(0, |decoder| decoder.delay());
        let time = self.input.clock_rate.rescale(pts, rate);
        self.running = Some(Running::new(self.to, &self.pcm, time, lead)?);
        Ok(())
    }

    fn stop(&mut self, emit: &mut dyn FnMut(Output)) {
        let Some(running) = self.running.take() else {
            return;
        };
        if let Err(error) = running.finish(&mut |frame| emit(Output::Frame(frame))) {
            tracing::warn!(%error, "the end of the sound is lost");
        }
    }
}

//! What a transcoder holds between two jumps of its input's time line.

use headwater_media::{ClockRate, Codec, Frame, Ticks};

use crate::splice::{Splice, stretch};
use crate::timeline::Timeline;
use crate::{Error, Pcm, encoder, framer::Framer, shaper::Shaper};

/// An uninterrupted run of sound on its way into an encoder.
pub(super) struct Running {
    pub(super) timeline: Timeline,
    pub(super) splice: Splice,
    shaper: Shaper,
    framer: Framer,
    to: Codec,
    stereo: bool,
    /// Samples that are still to come out of the decoder before the first one of the source.
    lead: usize,
    /// Samples that are still to leave out, as their time has passed.
    pub(super) late: usize,
    shaped: Vec<f32>,
}

impl Running {
    /// Begins with a piece that comes `lead` samples before its time.
    pub(super) fn new(to: Codec, pcm: &Pcm, time: Ticks, lead: usize) -> Result<Running, Error> {
        let rate = clock(pcm, to)?;
        let stereo = pcm.channels > 1;
        let encoder = encoder(to, pcm.channels)?;
        let out = encoder.parameters().clock_rate;
        let framer = Framer::new(encoder, rate.rescale(time, out), 0);
        Ok(Running {
            timeline: Timeline::new(rate, time.saturating_sub(lead as Ticks)),
            splice: Splice::default(),
            shaper: Shaper::new(pcm, out.hertz(), framer.channels())?,
            framer,
            to,
            stereo,
            lead,
            late: 0,
            shaped: Vec::new(),
        })
    }

    /// What comes out.
    pub(super) fn parameters(&self) -> headwater_media::TrackParameters {
        self.framer.parameters()
    }

    /// The format of the pieces that it takes now.
    pub(super) fn format(&self) -> (u32, usize) {
        self.shaper.from()
    }

    /// Takes pieces of another format from here on, without a gap.
    ///
    /// The encoder is replaced where the sound turns from mono to stereo or back.
    pub(super) fn follow(&mut self, pcm: &Pcm, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        if self.shaper.from() == (pcm.rate, pcm.channels) {
            return Ok(());
        }
        let rate = clock(pcm, self.to)?;
        self.drain(emit)?;
        if self.stereo != (pcm.channels > 1) {
            self.stereo = pcm.channels > 1;
            self.framer.replace(encoder(self.to, pcm.channels)?, emit)?;
        }
        let out = self.framer.parameters().clock_rate.hertz();
        self.shaper = Shaper::new(pcm, out, self.framer.channels())?;
        self.timeline.set_rate(rate);
        self.splice = Splice::default();
        self.splice.cut();
        Ok(())
    }

    /// Plays a piece, but for what is too late in it.
    pub(super) fn play(&mut self, pcm: &mut Pcm, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        let late = self.late.min(pcm.len());
        self.late -= late;
        pcm.drop_front(late);
        let by = self.timeline.advance(pcm.len());
        let lead = self.lead.min(pcm.len());
        self.lead -= lead;
        pcm.drop_front(lead);
        stretch(pcm, by);
        self.splice.join(pcm);
        self.shaped.clear();
        self.shaper.push(pcm, &mut self.shaped);
        self.framer.push(&self.shaped, emit)
    }

    /// Gives everything that is still inside.
    pub(super) fn finish(mut self, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        self.drain(emit)?;
        self.framer.finish(emit)
    }

    fn drain(&mut self, emit: &mut dyn FnMut(Frame)) -> Result<(), Error> {
        self.shaped.clear();
        self.shaper.finish(&mut self.shaped);
        self.framer.push(&self.shaped, emit)
    }
}

fn clock(pcm: &Pcm, to: Codec) -> Result<ClockRate, Error> {
    ClockRate::new(pcm.rate).ok_or(Error::broken(to, "the sound has no sample rate"))
}

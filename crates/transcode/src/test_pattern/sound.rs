//! The sound of the test picture: a beep at every full second over a quiet chord.

use std::f32::consts::TAU;

use headwater_media::{Codec, Frame, TrackParameters};

use crate::{Error, encoder, framer::Framer};

/// Length of the beep in seconds.
const BEEP: f32 = 0.08;
/// Pitch of the beep in hertz.
const BEEP_PITCH: f32 = 1_000.0;
/// The chord, A minor add nine, in whole hertz so that it repeats every second without a seam.
const CHORD: [f32; 4] = [110.0, 165.0, 220.0, 247.0];

/// The sound, frame by frame.
pub(super) struct Sound {
    framer: Option<Framer>,
    codec: Codec,
    parameters: TrackParameters,
    /// The samples of one second; every second is the same.
    second: Vec<f32>,
    frame_length: u64,
    next: u64,
}

impl Sound {
    pub(super) fn new(codec: Codec) -> Result<Sound, Error> {
        let encoder = encoder(codec, 2)?;
        let parameters = encoder.parameters();
        Ok(Sound {
            framer: None,
            codec,
            second: second(parameters.clock_rate.hertz(), parameters.audio().map_or(1, |audio| audio.channels)),
            parameters,
            frame_length: encoder.frame_length() as u64,
            next: 0,
        })
    }

    pub(super) fn parameters(&self) -> &TrackParameters {
        &self.parameters
    }

    /// Samples of one frame.
    pub(super) fn frame_length(&self) -> u64 {
        self.frame_length
    }

    /// Takes the sound of frame `index` in; gives the frame that this completes, an earlier one by the coder's delay.
    ///
    /// `phase` is the number of samples by which the first full second comes before the first sample.
    pub(super) fn next(&mut self, index: u64, phase: u64) -> Result<Option<Frame>, Error> {
        let start = index.saturating_mul(self.frame_length);
        if self.framer.is_none() || index != self.next {
            let at = i64::try_from(start).unwrap_or(i64::MAX);
            self.framer = Some(Framer::new(encoder(self.codec, 2)?, at, 0));
        }
        self.next = index + 1;
        let channels = self.second.len() as u64 / u64::from(self.parameters.clock_rate.hertz());
        let from = (start + phase) * channels % self.second.len() as u64;
        let count = (self.frame_length * channels) as usize;
        let samples: Vec<f32> = self.second.iter().cycle().skip(from as usize).take(count).copied().collect();
        let mut made = None;
        if let Some(framer) = &mut self.framer {
            framer.push(&samples, &mut |frame| made = Some(frame))?;
        }
        Ok(made)
    }
}

fn second(rate: u32, channels: u8) -> Vec<f32> {
    (0..rate)
        .map(|n| n as f32 / rate as f32)
        .flat_map(|time| (0..channels).map(move |channel| sample(time, channel)))
        .collect()
}

fn sample(time: f32, channel: u8) -> f32 {
    // Each side hears its own notes a little louder.
    let note = |index: usize, pitch: f32| {
        let level = if index % 2 == usize::from(channel) { 0.016 } else { 0.010 };
        level * (time * pitch * TAU).sin()
    };
    let chord: f32 = CHORD.into_iter().enumerate().map(|(index, pitch)| note(index, pitch)).sum();
    let fade = (time / 0.002).min((BEEP - time) / 0.02).clamp(0.0, 1.0);
    chord + 0.22 * fade * (time * BEEP_PITCH * TAU).sin()
}

//! The built-in test stream: a moving picture with a readable and a machine-readable clock, and a beep each second.
//!
//! Nothing here reads a clock: whoever runs it passes the number of a picture and the time of its capture. [`run`]
//! does so at the pace of a hub's environment.

use headwater_media::{ClockRate, Codec, Format, Frame, TrackParameters, VideoFormat};

use crate::Error;
use canvas::Picture;
use scene::{Moment, Scene};
use sound::Sound;
use video::VideoEncoder;

mod canvas;
mod font;
mod run;
mod scene;
mod sound;
mod video;

pub mod strip;

#[cfg(all(test, feature = "fdk-aac"))]
mod tests;

pub use canvas::Picture as TestPicture;
pub use run::run;

/// What the test stream looks and sounds like.
#[derive(Clone, Debug)]
pub struct PatternOptions {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Pictures in a second.
    pub frame_rate: u32,
    /// Bits in a second of the picture.
    pub bitrate: u32,
    /// Whether the picture carries the clock strip.
    pub clock_strip: bool,
    /// The coding of the sound.
    pub sound: Codec,
}

impl Default for PatternOptions {
    fn default() -> PatternOptions {
        PatternOptions {
            width: 1_280,
            height: 720,
            frame_rate: 30,
            bitrate: 2_000_000,
            clock_strip: true,
            sound: Codec::Opus,
        }
    }
}

/// The generator of the test stream; time zero is its first picture and its first sample.
pub struct TestPattern {
    options: PatternOptions,
    scene: Scene,
    picture: Picture,
    encoder: VideoEncoder,
    config: bytes::Bytes,
    sound: Sound,
    phase_ms: u64,
    /// Whether the next picture must be a key frame, whatever its number.
    first: bool,
}

impl TestPattern {
    /// A generator.
    ///
    /// # Errors
    /// A coder does not take the options.
    pub fn new(options: PatternOptions) -> Result<TestPattern, Error> {
        let (width, height) = (options.width as usize, options.height as usize);
        let scene = Scene::new(width, height, options.frame_rate, options.clock_strip);
        let mut pattern = TestPattern {
            picture: scene.canvas(),
            scene,
            encoder: VideoEncoder::new(options.bitrate, options.frame_rate.max(1))?,
            config: bytes::Bytes::new(),
            sound: Sound::new(options.sound)?,
            phase_ms: 0,
            first: true,
            options,
        };
        // The parameter sets are known only after a picture.
        pattern.next_picture(0, 0, true)?;
        pattern.first = true;
        Ok(pattern)
    }

    /// Sets how far into a second of the wall clock time zero is, in milliseconds: there the beep sounds.
    pub fn set_phase(&mut self, milliseconds: u64) {
        self.phase_ms = milliseconds % 1_000;
    }

    /// The picture track.
    pub fn video_parameters(&self) -> TrackParameters {
        let video = VideoFormat {
            width: self.picture.width as u32,
            height: self.picture.height as u32,
            frame_rate: Some(f64::from(self.options.frame_rate)),
        };
        TrackParameters {
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            format: Format::Video(video),
            config: self.config.clone(),
        }
    }

    /// The sound track.
    pub fn audio_parameters(&self) -> TrackParameters {
        self.sound.parameters().clone()
    }

    /// Time of a picture since time zero, in ticks of 90 kHz.
    pub fn picture_ticks(&self, index: u64) -> i64 {
        let ticks = u128::from(index) * 90_000 / u128::from(self.options.frame_rate.max(1));
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }

    /// Time of the end of a sound frame since time zero, in ticks of the sound track: it is captured then.
    pub fn sound_ticks(&self, index: u64) -> i64 {
        i64::try_from(index.saturating_add(1).saturating_mul(self.sound.frame_length())).unwrap_or(i64::MAX)
    }

    /// Paints a picture as it looks before coding; `wall_ms` is its time of capture in milliseconds since 1970.
    pub fn paint(&mut self, index: u64, wall_ms: u64) -> &Picture {
        let elapsed = u64::try_from(self.picture_ticks(index) / 90).unwrap_or(0);
        let phase = ((elapsed + self.phase_ms) % 1_000) as f32 / 1_000.0;
        self.scene.paint(&mut self.picture, Moment { index, elapsed, phase, wall: wall_ms });
        &self.picture
    }

    /// The coded picture of this number, captured at `wall_ms` milliseconds since 1970; `None` if it is skipped to
    /// keep to the bitrate.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn next_picture(&mut self, index: u64, wall_ms: u64, key_frame: bool) -> Result<Option<Frame>, Error> {
        self.paint(index, wall_ms);
        let Some(coded) = self.encoder.encode(&self.picture, key_frame || self.first)? else {
            return Ok(None);
        };
        self.first = false;
        if let Some(config) = coded.config {
            self.config = config;
        }
        let ticks = self.picture_ticks(index);
        Ok(Some(Frame { dts: ticks, pts: ticks, random_access: coded.random_access, data: coded.data }))
    }

    /// Takes the sound of this number in; gives the frame that it completes, if any: the coder lags behind.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn next_sound(&mut self, index: u64) -> Result<Option<Frame>, Error> {
        let rate = u64::from(self.sound.parameters().clock_rate.hertz());
        self.sound.next(index, self.phase_ms * rate / 1_000)
    }
}

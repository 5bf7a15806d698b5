//! The test stream at the pace of the clock.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use headwater_graph::{Environment, LaneWriter, Publication, PublishError};
use headwater_media::{ClockRate, Frame, Ticks, limits};

use super::TestPattern;

/// Further behind than this, pictures and sounds are left out rather than caught up with.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// Publishes the test stream until someone ends it.
///
/// # Errors
/// The stream takes no tracks.
pub async fn run(
    pattern: TestPattern,
    publication: Publication,
    environment: Arc<dyn Environment>,
) -> Result<(), PublishError> {
    let terminated = publication.terminated();
    let mut stage = Stage::new(pattern, publication, environment)?;
    let mut terminated = std::pin::pin!(terminated);
    loop {
        let pause = stage.environment.sleep(stage.pause());
        match futures_util::future::select(terminated.as_mut(), pause).await {
            futures_util::future::Either::Left((reason, _)) => {
                tracing::info!(reason, "the test stream ends");
                return Ok(());
            }
            futures_util::future::Either::Right(_) => stage.play(),
        }
    }
}

struct Stage {
    pattern: TestPattern,
    environment: Arc<dyn Environment>,
    /// Keeps the stream alive.
    _publication: Publication,
    pictures: LaneWriter<Frame>,
    sounds: LaneWriter<Frame>,
    /// When time zero of the pattern is.
    zero: Instant,
    /// The same on the time line of the stream.
    start: Duration,
    picture: u64,
    sound: u64,
    sound_rate: ClockRate,
    key_frame: Option<Instant>,
}

impl Stage {
    fn new(
        mut pattern: TestPattern,
        mut publication: Publication,
        environment: Arc<dyn Environment>,
    ) -> Result<Stage, PublishError> {
        let sound_parameters = pattern.audio_parameters();
        let sound_rate = sound_parameters.clock_rate;
        let pictures = publication.add_frames(pattern.video_parameters())?;
        let sounds = publication.add_frames(sound_parameters)?;
        publication.ready();
        let start = publication.start();
        let zero = publication.stream().epoch() + start;
        let since = environment.now().saturating_duration_since(zero);
        pattern.set_phase(wall_ms(environment.as_ref()).saturating_sub(since.as_millis() as u64));
        Ok(Stage {
            pattern,
            environment,
            _publication: publication,
            pictures,
            sounds,
            zero,
            start,
            picture: 0,
            sound: 0,
            sound_rate,
            key_frame: None,
        })
    }

    fn picture_due(&self) -> Instant {
        self.zero + ClockRate::VIDEO.duration(self.pattern.picture_ticks(self.picture))
    }

    fn sound_due(&self) -> Instant {
        self.zero + self.sound_rate.duration(self.pattern.sound_ticks(self.sound))
    }

    /// Time to the next thing to do.
    fn pause(&self) -> Duration {
        let next = self.picture_due().min(self.sound_due());
        next.saturating_duration_since(self.environment.now())
    }

    /// Does all that is due.
    fn play(&mut self) {
        let now = self.environment.now();
        self.catch_up(now);
        while self.sound_due() <= now {
            self.play_sound();
        }
        if self.picture_due() <= now {
            self.play_picture(now);
        }
    }

    /// Leaves out what is long past, as after a machine's sleep.
    fn catch_up(&mut self, now: Instant) {
        while now.saturating_duration_since(self.picture_due()) > BEHIND_MAX {
            self.picture += 1;
        }
        while now.saturating_duration_since(self.sound_due()) > BEHIND_MAX {
            self.sound += 1;
        }
    }

    fn play_picture(&mut self, now: Instant) {
        let key_frame = self.key_frame_wanted(now);
        let wall = wall_ms(self.environment.as_ref());
        match self.pattern.next_picture(self.picture, wall, key_frame) {
            Ok(Some(frame)) => {
                self.pictures.set_parameters(self.pattern.video_parameters());
                self.pictures.push(shift(frame, ClockRate::VIDEO.ticks(self.start)));
                self.pictures.ring();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a test picture is lost"),
        }
        self.picture += 1;
    }

    fn play_sound(&mut self) {
        match self.pattern.next_sound(self.sound) {
            Ok(Some(frame)) => {
                self.sounds.push(shift(frame, self.sound_rate.ticks(self.start)));
                self.sounds.ring();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a test sound is lost"),
        }
        self.sound += 1;
    }

    /// Whether a viewer wants a key frame, and the last one so made is not too recent.
    fn key_frame_wanted(&mut self, now: Instant) -> bool {
        let pause = limits::KEY_FRAME_INTERVAL_MS.get_duration();
        let recent = self.key_frame.is_some_and(|last| now.saturating_duration_since(last) < pause);
        if recent || !self.pictures.demand().take_key_frame_request() {
            return false;
        }
        self.key_frame = Some(now);
        true
    }
}

fn shift(frame: Frame, by: Ticks) -> Frame {
    Frame { dts: frame.dts.saturating_add(by), pts: frame.pts.saturating_add(by), ..frame }
}

fn wall_ms(environment: &dyn Environment) -> u64 {
    let since = environment.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

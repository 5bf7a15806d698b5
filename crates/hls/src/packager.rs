//! Lanes -> segments: the task that makes one rendition for all who watch it.

mod content;
mod reading;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use headwater_graph::{Bell, ConvertError, Environment, Join, Next, Stream, StreamState};
use headwater_media::{Codec, Frame, TrackKind};

pub(crate) use self::content::{Content, has_begun};
use self::{
    content::{Part, at},
    reading::{Reading, Turn, turn},
};
use crate::{
    container::{Container, ContainerError},
    rendition::Rendition,
    segmenter::{Grid, Segmenter},
    window::{Window, WindowOptions},
};

/// Frames read in a row before other tasks may run.
const FRAMES_IN_A_ROW: u32 = 256;
/// How often it is looked whether the stream still consists of what is read.
const LOOK: Duration = Duration::from_millis(250);
/// A rendition that a live stream has lacked for so long is over.
const MISSING_MAX: Duration = Duration::from_secs(5);
/// So many segments of what there is already are taken up at the beginning.
const SEGMENTS_BACK: u32 = 3;

/// How a rendition is made.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) stream: Arc<Stream>,
    pub(crate) content: Content,
    pub(crate) video: &'static [Codec],
    pub(crate) audio: &'static [Codec],
    pub(crate) options: WindowOptions,
    /// Where it is cut as other renditions are.
    pub(crate) grid: Option<Grid>,
    /// The wall clock at the beginning of the stream's time.
    pub(crate) epoch: SystemTime,
}

/// Reads lanes and writes one rendition.
pub(crate) struct Packager {
    plan: Plan,
    rendition: Arc<Rendition>,
    bell: Bell,
    environment: Arc<dyn Environment>,
    /// The first one leads.
    parts: Vec<Part>,
    readings: Vec<Reading>,
    container: Option<Container>,
    segmenter: Option<Segmenter>,
    /// What the segmenter has to be told before the next frame.
    has_changed: bool,
    has_asked: bool,
}

impl Packager {
    /// Joins the lanes.
    ///
    /// # Errors
    /// A track has not begun, or cannot be had in a codec that players know.
    pub(crate) fn new(
        plan: Plan,
        rendition: Arc<Rendition>,
        container: Container,
        environment: Arc<dyn Environment>,
    ) -> Result<Packager, ConvertError> {
        let mut packager = Packager {
            plan,
            rendition,
            bell: Bell::new(),
            environment,
            parts: Vec::new(),
            readings: Vec::new(),
            container: Some(container),
            segmenter: None,
            has_changed: false,
            has_asked: false,
        };
        packager.join()?;
        Ok(packager)
    }

    /// Reads what the stream consists of now.
    fn join(&mut self) -> Result<(), ConvertError> {
        let plan = &self.plan;
        let parts = plan.content.parts(&plan.stream);
        if parts.is_empty() {
            return Err(ConvertError::NotBegun { kind: TrackKind::Video });
        }
        let back = plan.options.segment * SEGMENTS_BACK;
        // What is converted begins now; the picture then begins with it.
        let is_converted = parts.iter().any(|part| {
            let accept = accepted(plan, part.kind());
            part.native().parameters().is_none_or(|parameters| !accept.contains(&parameters.codec))
        });
        let is_first = self.segmenter.is_none();
        let mut readings = Vec::new();
        for part in &parts {
            let join = match (is_converted, part.kind()) {
                (true, TrackKind::Video) if parts.len() > 1 => at(part.native(), &parts, Duration::ZERO),
                (false, _) if is_first => at(part.native(), &parts, back),
                _ => Join::NewestGroup,
            };
            let cursor = part.cursor(accepted(plan, part.kind()), &self.bell, join)?;
            // Its group may have begun before that, and the next one come late.
            cursor.demand().request_key_frame();
            readings.push(Reading::new(cursor));
        }
        self.readings = readings;
        self.parts = parts;
        Ok(())
    }

    /// Runs until the stream ends, or what this is made of is sent no more.
    pub(crate) async fn run(mut self) {
        let mut missing = Duration::ZERO;
        loop {
            while self.read() {
                tokio::task::yield_now().await;
            }
            if self.plan.stream.state() == StreamState::Ended || missing > MISSING_MAX {
                return self.end();
            }
            if self.plan.content.is_paused(&self.plan.stream) {
                self.pause();
            } else {
                self.outlast();
            }
            if self.is_out_of_date()
                && let Err(error) = self.join_again()
            {
                tracing::debug!(stream = %self.plan.stream.name(), %error, "HLS waits for a track");
                missing += LOOK;
            } else {
                missing = Duration::ZERO;
            }
            tokio::select! {
                () = self.bell.rung() => {}
                () = self.environment.sleep(LOOK) => {}
            }
        }
    }

    /// Whether the stream consists of other tracks than those that are read.
    fn is_out_of_date(&self) -> bool {
        if self.plan.stream.state() != StreamState::Live {
            return false;
        }
        let parts = self.plan.content.parts(&self.plan.stream);
        let same = parts.len() == self.parts.len() && parts.iter().zip(&self.parts).all(|(now, then)| now.is(then));
        !same || self.readings.iter().any(|reading| reading.has_ended)
    }

    fn join_again(&mut self) -> Result<(), ConvertError> {
        let segmenter = &mut self.segmenter;
        if let Some(segmenter) = segmenter {
            complain(self.rendition.change(|window| segmenter.flush(window)));
        }
        self.join()?;
        self.has_changed = true;
        Ok(())
    }

    /// Gives out what has come, and has players go elsewhere until there is more.
    fn pause(&mut self) {
        if self.rendition.read(Window::is_paused) {
            return;
        }
        let segmenter = &mut self.segmenter;
        self.rendition.change(|window| {
            if let Some(segmenter) = segmenter {
                complain(segmenter.flush(window));
            }
            window.pause();
        });
        tracing::info!(stream = %self.plan.stream.name(), rendition = %self.rendition.name(), "a size of the picture is not sent now");
    }

    /// A picture that stops is shown still for as long as the sound goes on.
    fn outlast(&mut self) {
        if let (Some(segmenter), Some(now)) = (&mut self.segmenter, self.plan.content.sound_beside(&self.plan.stream)) {
            complain(self.rendition.change(|window| segmenter.outlast(now, window)));
        }
    }

    fn end(&mut self) {
        let segmenter = &mut self.segmenter;
        self.rendition.change(|window| {
            if let Some(segmenter) = segmenter {
                complain(segmenter.flush(window));
            }
            window.end();
        });
    }

    /// Reads what there is; says whether there may be more.
    fn read(&mut self) -> bool {
        for _ in 0..FRAMES_IN_A_ROW {
            match turn(&mut self.readings) {
                Turn::Read(index) => self.read_one(index),
                Turn::Await(index) => {
                    self.read_one(index);
                    return false;
                }
                Turn::TakeEnds => {
                    self.take_ends();
                    return false;
                }
                Turn::Rest => return false,
            }
        }
        true
    }

    /// Learns which tracks have ended; something may have come in the meantime.
    fn take_ends(&mut self) {
        (0..self.readings.len()).for_each(|index| self.read_one(index));
    }

    fn read_one(&mut self, index: usize) {
        let Some(reading) = self.readings.get_mut(index) else { return };
        match reading.cursor.next() {
            Next::Parameters(parameters) => {
                let is_new =
                    reading.parameters.as_ref().is_none_or(|known| headwater_mp4::needs_new_init(known, parameters));
                reading.parameters = Some(parameters.clone());
                self.has_changed |= is_new;
            }
            Next::Item(frame) => {
                let frame = frame.clone();
                reading.last = reading.parameters.as_ref().map(|p| p.clock_rate.duration(frame.dts));
                self.take(index, frame);
            }
            Next::Discontinuity | Next::Lost { .. } => {
                if let Some(segmenter) = &mut self.segmenter {
                    complain(self.rendition.change(|window| segmenter.interrupt(index, window)));
                }
            }
            Next::Ended => reading.has_ended = true,
            Next::Empty => {}
        }
    }

    fn take(&mut self, index: usize, frame: Frame) {
        if !self.take_changes() {
            return;
        }
        let Some(segmenter) = &mut self.segmenter else { return };
        complain(self.rendition.change(|window| segmenter.push(index, frame, window)));
        let wants = segmenter.wants_key_frame();
        if wants
            && !self.has_asked
            && let Some(lead) = self.readings.first()
        {
            lead.cursor.demand().request_key_frame();
        }
        self.has_asked = wants;
    }

    /// Says whether frames can be taken: all tracks are known, and can be written.
    fn take_changes(&mut self) -> bool {
        if !self.has_changed {
            return self.segmenter.is_some();
        }
        let parameters: Vec<_> = self.readings.iter().filter_map(|reading| reading.parameters.clone()).collect();
        if parameters.len() < self.readings.len() {
            return false;
        }
        self.has_changed = false;
        let (plan, container) = (&self.plan, &mut self.container);
        let segmenter = &mut self.segmenter;
        let made = match (segmenter.as_mut(), container.take()) {
            (Some(segmenter), _) => self.rendition.change(|window| segmenter.change(parameters.clone(), window)),
            (None, Some(container)) => Segmenter::new(plan.options, container, parameters.clone(), plan.epoch)
                .map(|made| *segmenter = Some(made.on(plan.grid))),
            (None, None) => return false,
        };
        if let Err(error) = made {
            tracing::warn!(stream = %plan.stream.name(), %error, "no HLS can be made of a stream");
            self.rendition.change(|window| window.set_problem(Some(error.to_string())));
            return false;
        }
        self.rendition.change(|window| window.set_problem(None));
        self.rendition.set_parameters(parameters);
        true
    }
}

fn accepted(plan: &Plan, kind: TrackKind) -> &'static [Codec] {
    match kind {
        TrackKind::Video => plan.video,
        TrackKind::Audio => plan.audio,
    }
}

fn complain(written: Result<(), ContainerError>) {
    if let Err(error) = written {
        tracing::debug!(%error, "a part of HLS could not be written");
    }
}

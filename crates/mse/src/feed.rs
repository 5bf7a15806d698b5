//! A feed: reads a stream's tracks once and writes their fragments into a lane that all viewers read.

mod line;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use headwater_graph::{Bell, BoxFuture, Lane, LaneOptions, LaneWriter, Stream, lane};
use headwater_media::{ClockRate, Ticks};
use headwater_mp4::{InitTrack, Run, Sample, fragment, init};
use headwater_websocket::Trouble;

pub(crate) use self::line::Line;
use self::line::{Framed, Step};
use crate::{
    chunk::{Chunk, Init},
    feeds::{Feeds, Key},
    wire::{TrackObject, mime},
};

/// A source that begins no group for longer is asked to, so that browsers can give back what they have shown: they do so
/// group by group.
const GROUP_MAX: Duration = Duration::from_secs(10);
/// Frames taken before the task lets others run.
const FRAMES_PER_TURN: usize = 256;

/// A feed as its viewers see it.
#[derive(Debug)]
pub(crate) struct Feed {
    lane: Lane<Chunk>,
    bell: Bell,
    trouble: OnceLock<Trouble>,
}

impl Feed {
    /// What it writes. It ends when the stream does, and when another choice of tracks or codecs is due.
    pub(crate) fn lane(&self) -> &Lane<Chunk> {
        &self.lane
    }

    /// Why it has ended, if that is not to be mended by another one.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.get()
    }

    /// Wakes it.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }
}

/// A feed at work.
pub(crate) struct FeedTask {
    feeds: Feeds,
    key: Key,
    feed: Arc<Feed>,
    stream: Arc<Stream>,
    /// How many tracks the stream had that were to be had.
    tracks: usize,
    lines: Vec<Line>,
    writer: LaneWriter<Chunk>,
    /// The clock rate of the lane: that of the first line.
    rate: ClockRate,
    /// Counts fragments.
    sequence: u32,
    /// None while another one is due.
    init: Option<Arc<Init>>,
    /// When the newest group began, in ticks of the lane's clock rate.
    group: Ticks,
    /// Whether the lines have been waited for long enough.
    is_late: bool,
    has_started: bool,
}

enum Turn {
    Waiting,
    More,
    /// The stream has ended, or another feed is due.
    Over,
    /// There can be no feed of this.
    Failed(Trouble),
}

impl FeedTask {
    /// How long a track that brings nothing is waited for at the beginning.
    pub(crate) const START_TIME: Duration = Duration::from_secs(1);

    /// A feed of these tracks, pictures first.
    pub(crate) fn new(
        feeds: Feeds,
        key: Key,
        stream: Arc<Stream>,
        lines: Vec<Line>,
        bell: Bell,
    ) -> (Arc<Feed>, FeedTask) {
        let (mut writer, lane) = lane(LaneOptions::default());
        let lead = lines.first().map(|line| line.parameters().clone());
        let rate = lead.as_ref().map_or(ClockRate::VIDEO, |lead| lead.clock_rate);
        if let Some(lead) = lead {
            writer.share_parameters(&lead);
        }
        let feed = Arc::new(Feed { lane, bell, trouble: OnceLock::new() });
        let tracks = ready_tracks(&stream);
        let task = FeedTask {
            feeds,
            key,
            feed: feed.clone(),
            stream,
            tracks,
            lines,
            writer,
            rate,
            sequence: 0,
            init: None,
            group: 0,
            is_late: false,
            has_started: false,
        };
        (feed, task)
    }

    /// Feeds until the stream ends or nobody watches any more.
    pub(crate) async fn run(mut self, mut deadline: BoxFuture<'static, ()>) {
        loop {
            let turn = self.turn();
            self.writer.ring();
            match turn {
                Turn::Waiting => {
                    if self.writer.readers() == 0 && self.feeds.retire(&self.key, &self.feed, false) {
                        break;
                    }
                    let bell = self.feed.bell.clone();
                    tokio::select! {
                        () = bell.rung() => {}
                        () = &mut deadline, if !self.is_late => self.is_late = true,
                    }
                }
                Turn::More => tokio::task::yield_now().await,
                Turn::Over => break,
                Turn::Failed(trouble) => {
                    tracing::warn!(stream = %self.stream.name(), reason = trouble.sentence(), "an MSE feed fails");
                    let _ = self.feed.trouble.set(trouble);
                    break;
                }
            }
        }
        self.feeds.retire(&self.key, &self.feed, true);
        tracing::debug!(stream = %self.stream.name(), "an MSE feed ends");
        self.writer.end();
    }

    fn turn(&mut self) -> Turn {
        if self.writer.demand().take_key_frame_request() {
            self.lead().into_iter().for_each(|line| line.request_key_frame());
        }
        if ready_tracks(&self.stream) > self.tracks {
            return Turn::Over;
        }
        match self.begin() {
            Ok(true) => {}
            Ok(false) => return Turn::Waiting,
            Err(turn) => return turn,
        }
        for _ in 0..FRAMES_PER_TURN {
            let times = self.lines.iter_mut().enumerate();
            let next = times.filter_map(|(index, line)| Some((line.next_time()?, index))).min();
            let Some((_, index)) = next else { return self.look_for_end() };
            if let Some(turn) = self.step(index) {
                return turn;
            }
        }
        Turn::More
    }

    /// Waits until all lines have a frame, or long enough; says whether that is so.
    fn begin(&mut self) -> Result<bool, Turn> {
        if self.has_started {
            return Ok(true);
        }
        for index in 0..self.lines.len() {
            while self.lines.get_mut(index).and_then(Line::next_time) == Some(i64::MIN) {
                self.step(index).map_or(Ok(()), Err)?;
            }
        }
        let is_complete = self.lines.iter_mut().all(|line| line.next_time().is_some());
        if is_complete || self.is_late {
            self.has_started = true;
            self.lines.iter_mut().for_each(Line::begin);
        }
        Ok(self.has_started)
    }

    /// Where no line has anything. A cursor says that it has ended only when it is read.
    fn look_for_end(&mut self) -> Turn {
        (0..self.lines.len()).find_map(|index| self.step(index)).unwrap_or(Turn::Waiting)
    }

    /// Takes what is next in a line; says if that ends the turn.
    fn step(&mut self, index: usize) -> Option<Turn> {
        let step = self.lines.get_mut(index)?.step();
        match step {
            Step::Nothing => None,
            Step::Ended | Step::OtherCodec => Some(Turn::Over),
            Step::OtherParameters { last } => {
                let written = self.write(index, last);
                self.init = None;
                written.err().map(Turn::Failed)
            }
            Step::Frame(frame) => self.frame(index, frame).err().map(Turn::Failed),
        }
    }

    fn frame(&mut self, index: usize, frame: Framed) -> Result<(), Trouble> {
        self.write(index, frame.before)?;
        if frame.has_break {
            self.writer.discontinuity();
        }
        if frame.has_begun {
            self.init = None;
        }
        self.silence_the_late(index);
        self.write(index, frame.now)
    }

    /// Browsers play nothing while one of the tracks that they were told of brings nothing: such tracks are left out
    /// until they bring something again.
    fn silence_the_late(&mut self, index: usize) {
        let Some(time) = self.lines.get(index).and_then(Line::last_time) else { return };
        for line in &mut self.lines {
            if line.fall_silent(time) {
                self.init = None;
            }
        }
    }

    /// Writes a sample as a fragment, and has the init segment made anew where that is due.
    fn write(&mut self, index: usize, sample: Option<Sample>) -> Result<(), Trouble> {
        let (Some(sample), Some(line)) = (sample, self.lines.get(index)) else { return Ok(()) };
        let is_lead = self.lines.iter().position(|line| !line.is_silent()) == Some(index);
        let (id, rate) = (line.id(), line.parameters().clock_rate);
        let Some(init) = self.init_for(is_lead && sample.sync)? else { return Ok(()) };
        self.sequence = self.sequence.wrapping_add(1);
        let fragment = fragment(self.sequence, &[Run { track: id, samples: std::slice::from_ref(&sample) }]);
        let fragment = fragment.map_err(|error| Trouble::internal(error.to_string()))?;
        let ticks = rate.rescale(i64::try_from(sample.decode_time).unwrap_or(i64::MAX), self.rate);
        self.keep_groups_short(is_lead && sample.sync, ticks);
        self.writer.push(Chunk { init, fragment, ticks, starts_group: is_lead && sample.sync });
        Ok(())
    }

    fn keep_groups_short(&mut self, starts_group: bool, ticks: Ticks) {
        if starts_group {
            self.group = ticks;
        } else if self.rate.duration(ticks.saturating_sub(self.group)) > GROUP_MAX {
            self.lead().into_iter().for_each(Line::request_key_frame);
            // Not with every frame until it comes.
            self.group = ticks;
        }
    }

    /// The init segment in force; a new one begins only where a decoder can start, and until then there is nothing.
    fn init_for(&mut self, can_start: bool) -> Result<Option<Arc<Init>>, Trouble> {
        if let Some(init) = &self.init {
            return Ok(Some(init.clone()));
        }
        if !can_start {
            self.lead().into_iter().for_each(|line| line.request_key_frame());
            return Ok(None);
        }
        let present: Vec<&Line> = self.lines.iter().filter(|line| !line.is_silent()).collect();
        let tracks: Vec<InitTrack<'_>> =
            present.iter().map(|line| InitTrack { id: line.id(), parameters: line.parameters() }).collect();
        let objects =
            present.iter().filter_map(|line| TrackObject::new(line.id(), line.parameters())).collect::<Vec<_>>();
        let segment = match init(&tracks) {
            Ok(segment) => segment,
            // The source tells its parameters with the pictures.
            Err(headwater_mp4::Mp4Error::NoConfiguration { .. }) => return Ok(None),
            Err(error) => return Err(Trouble::no_codec(error.to_string())),
        };
        let init = Arc::new(Init { segment, mime: mime(&objects), tracks: objects });
        self.init = Some(init.clone());
        Ok(Some(init))
    }

    fn lead(&self) -> Option<&Line> {
        self.lines.iter().find(|line| !line.is_silent())
    }
}

/// How many tracks have begun.
fn ready_tracks(stream: &Stream) -> usize {
    stream.tracks().iter().filter(|track| track.native().parameters().is_some()).count()
}

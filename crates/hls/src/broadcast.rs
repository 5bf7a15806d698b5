//! One stream as it is packaged for all its players: its renditions, and the tasks that make them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use headwater_codec::codec_string;
use headwater_graph::{Environment, Stream, StreamState, Track};
use headwater_media::{Codec, TrackKind, limits};
use tokio_util::sync::CancellationToken;

use crate::{
    config::HlsConfig,
    container::{Container, Format},
    dash::{self, Anchor, Presentation},
    error::HlsError,
    names::{Names, RenditionName},
    packager::{Content, Packager, Plan, has_begun},
    playlist::{AudioGroup, Multivariant, Report, Variant},
    rendition::Rendition,
    segmenter::Grid,
    window::{Numbers, Target, Window},
};

/// What players can show, the first that a picture can be converted to first.
const VIDEO: &[Codec] = &[Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9];
const VIDEO_TS: &[Codec] = &[Codec::H264, Codec::H265];
/// The one codec that all players of HLS can play.
const AUDIO: &[Codec] = &[Codec::Aac];
/// What players of DASH can play.
const AUDIO_CMAF: &[Codec] = &[Codec::Aac, Codec::Opus];

/// So much is awaited before the first playlist of a stream that has just begun, in segments as long as they should be.
/// Of one segment alone, hlsdemux2 of GStreamer 1.22 never goes on.
const BEGIN_WITH: f64 = 2.0;
/// The same where no parts are listed: those who then play the newest stay three segments behind, and the player in
/// Chromium gives up if there are fewer.
const BEGIN_WITHOUT_PARTS: f64 = 3.0;
/// Segments may be so much shorter.
const SHORTEST: f64 = 0.9;

/// A stream as it is packaged.
#[derive(Debug)]
pub(crate) struct Broadcast {
    stream: Arc<Stream>,
    format: Format,
    renditions: Vec<Outlet>,
    presentation: Presentation,
    /// So much is awaited for the first playlist.
    begin_with: Duration,
    begun: Instant,
    /// When somebody last asked for something, in milliseconds from the beginning.
    used: AtomicU64,
    /// Requests that are being answered or held.
    attended: AtomicUsize,
    stopping: CancellationToken,
    over: AtomicBool,
}

/// A rendition, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    pub(crate) rendition: Arc<Rendition>,
    content: Content,
}

/// A request that is being answered or held.
pub(crate) struct Attendance<'a> {
    broadcast: &'a Broadcast,
    environment: &'a dyn Environment,
}

impl Outlet {
    /// What it holds where it holds one track.
    fn kind(&self) -> TrackKind {
        if self.content == Content::Sound { TrackKind::Audio } else { TrackKind::Video }
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.broadcast.touch(self.environment.now());
        self.broadcast.attended.fetch_sub(1, Relaxed);
    }
}

impl Broadcast {
    /// Begins to package a stream. Numbers go on where an earlier broadcast of the same name left off.
    pub(crate) fn begin(
        stream: Arc<Stream>,
        format: Format,
        config: &HlsConfig,
        environment: &Arc<dyn Environment>,
        numbers: impl Fn(&RenditionName) -> Numbers,
        anchor: impl FnOnce(Duration) -> Anchor,
    ) -> Result<Arc<Broadcast>, HlsError> {
        let stopping = CancellationToken::new();
        let epoch = wall_clock_at_zero(&stream, &**environment);
        let since_1970 = epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let options = config.window_options(format);
        let video = if format == Format::Ts { VIDEO_TS } else { VIDEO };
        let audio = if format == Format::Cmaf { AUDIO_CMAF } else { AUDIO };
        let mut renditions = Vec::new();
        let mut tasks = Vec::new();
        let contents = layout(&stream, format, video)?;
        let names: Vec<_> =
            contents.iter().enumerate().map(|(at, content)| rendition_name(content, format, at)).collect();
        // Numbers are the same in all of them.
        let known = names.iter().map(&numbers);
        let numbers = known.reduce(Numbers::later).ok_or(HlsError::Empty)?;
        let is_several = contents.len() > 1;
        let grid = is_several.then(|| Grid::new(options.segment, newest(&stream), numbers.sequence));
        let target = Target::new(options.segment);
        for (content, name) in contents.into_iter().zip(names) {
            let window = Window::new(options, numbers).sharing(&target);
            let window = if format == Format::Cmaf { window.keyed_by_init() } else { window };
            let rendition = Arc::new(Rendition::new(name, format == Format::Ts, window, environment.clone()));
            let (plan_stream, plan_content) = (stream.clone(), content.clone());
            let plan = Plan { stream: plan_stream, content: plan_content, video, audio, options, grid, epoch };
            let container = Container::new(format);
            tasks.push(Packager::new(plan, rendition.clone(), container, environment.clone())?);
            renditions.push(Outlet { rendition, content });
        }
        let segments = if options.part.is_some() { BEGIN_WITH } else { BEGIN_WITHOUT_PARTS };
        let broadcast = Arc::new(Broadcast {
            stream,
            format,
            renditions,
            presentation: Presentation::new(since_1970, anchor(since_1970), options.segment, options.keep),
            begin_with: options.segment.mul_f64(segments * SHORTEST),
            begun: environment.now(),
            used: AtomicU64::new(0),
            attended: AtomicUsize::new(0),
            stopping: stopping.clone(),
            over: AtomicBool::new(false),
        });
        for task in tasks {
            let (stopping, broadcast) = (stopping.clone(), broadcast.clone());
            environment.spawn(Box::pin(async move {
                stopping.run_until_cancelled(task.run()).await;
                broadcast.over.store(true, Relaxed);
            }));
        }
        tracing::info!(stream = %broadcast.stream.name(), ?format, renditions = broadcast.renditions.len(), "HLS of a stream begins");
        Ok(broadcast)
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn renditions(&self) -> impl Iterator<Item = &Arc<Rendition>> {
        self.renditions.iter().map(|outlet| &outlet.rendition)
    }

    pub(crate) fn rendition(&self, name: &RenditionName) -> Option<&Arc<Rendition>> {
        self.renditions().find(|rendition| rendition.name() == name)
    }

    /// Somebody has asked for something.
    pub(crate) fn touch(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun).as_millis();
        self.used.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// Somebody asks for something of it: until that is dropped it is in use, however long the answer takes.
    pub(crate) fn attend<'a>(&'a self, environment: &'a dyn Environment) -> Attendance<'a> {
        self.attended.fetch_add(1, Relaxed);
        Attendance { broadcast: self, environment }
    }

    /// How long nobody has asked for anything.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        if self.attended.load(Relaxed) > 0 {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.begun).saturating_sub(Duration::from_millis(self.used.load(Relaxed)))
    }

    /// Makes no more segments.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
        // Those who wait for more are told that there will be none.
        self.renditions().for_each(|rendition| rendition.change(Window::end));
        tracing::info!(stream = %self.stream.name(), format = ?self.format, "HLS of a stream ends");
    }

    /// Whether one of its tasks has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed) || self.stream.state() == StreamState::Ended
    }

    /// Whether a track has begun that is not among its renditions. One with sound and picture in it takes up what comes.
    pub(crate) fn lacks_a_track(&self) -> bool {
        let is_packaged = |kind| self.renditions.iter().any(|outlet| outlet.kind() == kind);
        let has_begun = |kind| self.stream.track(kind).is_some_and(|track| has_begun(track.native()));
        self.format == Format::Cmaf
            && [TrackKind::Video, TrackKind::Audio].into_iter().any(|kind| has_begun(kind) && !is_packaged(kind))
    }

    /// The segment that a description for players of DASH says begins then.
    pub(crate) fn sequence_at(&self, rendition: &Rendition, time: u64, key: u64) -> Option<u64> {
        rendition.read(|window| self.presentation.sequence_at(window, time, key))
    }

    /// The description of its renditions for players of DASH; nothing while nothing is listed.
    pub(crate) fn mpd(&self, style: dash::Style<'_>, now: SystemTime) -> Option<Bytes> {
        let renditions = self.renditions.iter().map(|outlet| (outlet.kind(), &outlet.rendition));
        self.presentation.text(renditions, style, now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// Waits until players have something to begin with.
    pub(crate) async fn ready(&self, environment: &dyn Environment) -> Result<(), HlsError> {
        let _attendance = self.attend(environment);
        let ready = async {
            for rendition in self.renditions() {
                let is_over = |window: &Window| window.has_ended() || window.is_paused() || window.problem().is_some();
                let listed = |window: &Window| window.segments().map(|segment| segment.duration).sum::<Duration>();
                rendition.until(|window| listed(window) >= self.begin_with || is_over(window)).await;
            }
        };
        tokio::select! {
            () = ready => self.check(),
            () = environment.sleep(limits::HLS_START_MS.get_duration()) => {
                let has_any = |window: &Window| window.bytes() > 0 || window.is_paused();
                let has_any = self.renditions().all(|rendition| rendition.read(has_any));
                if has_any { Ok(()) } else { Err(HlsError::Late(limits::HLS_START_MS.get())) }
            }
        }
    }

    /// Whether something can be made of what comes.
    fn check(&self) -> Result<(), HlsError> {
        let problem =
            self.renditions().find_map(|rendition| rendition.read(|window| window.problem().map(str::to_owned)));
        problem.map_or(Ok(()), |problem| Err(HlsError::Container(problem)))
    }

    /// Where the other renditions have come to.
    pub(crate) fn reports(&self, but: &RenditionName) -> Vec<Report> {
        self.renditions()
            .filter(|rendition| rendition.name() != but && !rendition.read(Window::is_paused))
            .filter_map(|rendition| rendition.report())
            .collect()
    }

    /// The playlist of its renditions, but of those that are not sent now. `base` goes before each address, `query` behind.
    pub(crate) fn multivariant(&self, base: &str, query: &str) -> Multivariant {
        let sound = self.renditions.iter().find(|outlet| outlet.content == Content::Sound);
        let address = |rendition: &Rendition| {
            let names = Names { rendition: rendition.name(), is_ts: rendition.is_ts(), query };
            format!("{base}{}", names.playlist())
        };
        let is_sent = |outlet: &&Outlet| !outlet.rendition.read(Window::is_paused);
        let pictures = self.renditions.iter().filter(|outlet| outlet.content != Content::Sound).filter(is_sent);
        let mut variants: Vec<Variant> =
            pictures.map(|outlet| variant(outlet, sound, address(&outlet.rendition))).collect();
        // The best first, which is what most players begin with.
        variants.sort_by_key(|variant| std::cmp::Reverse(variant.bandwidth));
        let audio = sound.map(|sound| {
            let formats = sound.rendition.parameters();
            let channels = formats.iter().find_map(|parameters| parameters.audio()).map(|audio| audio.channels);
            AudioGroup { address: address(&sound.rendition), channels }
        });
        let is_independent = self.renditions().all(|rendition| rendition.read(Window::is_independent));
        Multivariant { variants, audio, is_independent }
    }

    /// Where broadcasts that follow this one have to begin.
    pub(crate) fn numbers(&self) -> Vec<(RenditionName, Numbers)> {
        self.renditions().map(|rendition| (rendition.name().clone(), rendition.read(Window::numbers))).collect()
    }
}

/// One picture with the sound that goes with it.
fn variant(outlet: &Outlet, sound: Option<&Outlet>, address: String) -> Variant {
    let of_sound = sound.map(|sound| sound.rendition.parameters()).unwrap_or_default();
    let parameters = outlet.rendition.parameters();
    let (peak, average) = outlet.rendition.bandwidth().unwrap_or_default();
    let (more_peak, more_average) = sound.and_then(|sound| sound.rendition.bandwidth()).unwrap_or_default();
    let video = parameters.iter().find_map(|parameters| parameters.video());
    Variant {
        address,
        bandwidth: peak + more_peak,
        average_bandwidth: average + more_average,
        codecs: parameters.iter().chain(&of_sound).filter_map(|parameters| codec_string(parameters)).collect(),
        resolution: video.map(|video| (video.width, video.height)).filter(|(width, height)| width * height > 0),
        frame_rate: outlet.rendition.frame_rate(),
        has_audio_group: sound.is_some(),
    }
}

/// Which renditions a stream is packaged as: one with sound and picture; or, where its source sends the picture in
/// several sizes, each of these apart, and the sound apart.
fn layout(stream: &Stream, format: Format, video: &[Codec]) -> Result<Vec<Content>, HlsError> {
    let (picture, sound) = (stream.track(TrackKind::Video), stream.track(TrackKind::Audio));
    if picture.is_none() && sound.is_none() {
        return Err(HlsError::Empty);
    }
    let layers: Vec<_> = picture.iter().flat_map(|track| track.named_renditions()).collect();
    let playable = layers.iter().filter(|layer| layer.parameters().is_some_and(|found| video.contains(&found.codec)));
    let layers: Vec<_> =
        playable.filter_map(|layer| layer.label().map(|label| Content::Layer(label.to_owned()))).collect();
    if layers.len() < 2 && format == Format::Cmaf {
        let begun = |track: &Option<Arc<Track>>| track.as_ref().is_some_and(|track| has_begun(track.native()));
        let of_tracks = [(begun(&picture), Content::Picture), (begun(&sound), Content::Sound)];
        let of_tracks: Vec<_> = of_tracks.into_iter().filter(|(begun, _)| *begun).map(|(_, content)| content).collect();
        return if of_tracks.is_empty() { Err(HlsError::Empty) } else { Ok(of_tracks) };
    }
    if layers.len() < 2 {
        return Ok(vec![Content::Whole]);
    }
    Ok(layers.into_iter().chain(sound.map(|_| Content::Sound)).collect())
}

/// Stream time of the newest frame.
fn newest(stream: &Stream) -> Duration {
    stream.tracks().iter().filter_map(|track| track.native().newest()).max().unwrap_or_default()
}

fn rendition_name(content: &Content, format: Format, index: usize) -> RenditionName {
    let ending = match format {
        Format::Fmp4 => "",
        Format::Ts => ".ts",
        Format::Cmaf => ".dash",
    };
    let name = match content {
        Content::Whole => format!("main{ending}"),
        Content::Picture => format!("video{ending}"),
        Content::Sound => format!("audio{ending}"),
        Content::Layer(label) => format!("video.{label}{ending}"),
    };
    // Labels may hold what addresses may not; their number then stands for them.
    let numbered = || RenditionName::new(&format!("video.{index}{ending}"));
    RenditionName::new(&name).or_else(numbered).unwrap_or_else(RenditionName::main)
}

fn wall_clock_at_zero(stream: &Stream, environment: &dyn Environment) -> SystemTime {
    let since = environment.now().saturating_duration_since(stream.epoch());
    environment.wall_clock().checked_sub(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

//! One rendition of a stream, as the one task that makes it and all who watch it share it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_graph::Environment;
use headwater_media::TrackParameters;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::{
    gzip::gzip,
    names::{Names, RenditionName},
    playlist::{MediaPlaylist, Report},
    waiting::{Answer, Place, Waiting},
    window::{Ahead, Position, Window},
};

/// One rendition of a stream.
pub(crate) struct Rendition {
    name: RenditionName,
    is_ts: bool,
    window: Mutex<Window>,
    parameters: Mutex<Vec<Arc<TrackParameters>>>,
    /// Counts changes of the window; all who wait for one are woken together.
    bell: watch::Sender<u64>,
    /// Those who wait for a place in the playlist, and are woken when it is there.
    waiting: Waiting,
    environment: Arc<dyn Environment>,
    written: Mutex<Written>,
}

impl fmt::Debug for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendition").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Playlists as they were written last, for all who ask for the same.
#[derive(Debug, Default)]
struct Written {
    version: u64,
    texts: [Option<Bytes>; 4],
    /// The same with what goes before them in an answer, and how long they are without that.
    answers: [Option<(Bytes, usize)>; 4],
}

/// How a playlist is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    pub(crate) skip: bool,
    pub(crate) gzip: bool,
    /// What is carried into every address, with its question mark.
    pub(crate) query: &'a str,
}

impl Style<'_> {
    fn index(&self) -> usize {
        usize::from(self.skip) * 2 + usize::from(self.gzip)
    }
}

impl Written {
    fn text(&mut self, of: &Rendition, style: Style<'_>, reports: impl FnOnce() -> Vec<Report>) -> Bytes {
        let Some(text) = self.texts.get_mut(style.index()) else { return Bytes::new() };
        text.get_or_insert_with(|| of.write(style, &reports())).clone()
    }
}

impl Rendition {
    pub(crate) fn new(
        name: RenditionName,
        is_ts: bool,
        window: Window,
        environment: Arc<dyn Environment>,
    ) -> Rendition {
        Rendition {
            name,
            is_ts,
            window: Mutex::new(window),
            parameters: Mutex::default(),
            bell: watch::Sender::new(0),
            waiting: Waiting::default(),
            environment,
            written: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &RenditionName {
        &self.name
    }

    pub(crate) fn is_ts(&self) -> bool {
        self.is_ts
    }

    /// What its tracks are coded in, as far as it is known.
    pub(crate) fn parameters(&self) -> Vec<Arc<TrackParameters>> {
        self.parameters.lock().clone()
    }

    pub(crate) fn set_parameters(&self, parameters: Vec<Arc<TrackParameters>>) {
        *self.parameters.lock() = parameters;
    }

    /// Looks at what there is.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Window) -> T) -> T {
        read(&self.window.lock())
    }

    /// Changes what there is, and wakes all who wait if that made a difference to them.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = self.window.lock();
        let before = edge(&window);
        let result = change(&mut window);
        let has_changed = edge(&window) != before;
        drop(window);
        if has_changed {
            self.bell.send_modify(|version| *version = version.wrapping_add(1));
            self.waiting.let_go(|position| self.is_settled(position), &*self.environment);
        }
        result
    }

    /// Waits for a place in the playlist, if there is something to wait for; `answer` is for when it is there.
    pub(crate) fn enter(&self, position: Position, answer: Option<Answer>) -> Option<Place<'_>> {
        self.waiting.enter(position, || self.is_settled(position), answer)
    }

    /// Whether who asks for this place can be told something now.
    pub(crate) fn is_settled(&self, position: Position) -> bool {
        self.read(|window| window.is_paused() || window.ahead(position) == Ahead::Here)
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, condition: impl Fn(&Window) -> bool) {
        let mut bell = self.bell.subscribe();
        loop {
            bell.mark_unchanged();
            if self.read(&condition) {
                return;
            }
            if bell.changed().await.is_err() {
                return;
            }
        }
    }

    /// How a place lies to what there is.
    pub(crate) fn ahead(&self, position: Position) -> Ahead {
        self.read(|window| window.ahead(position))
    }

    /// Where it has come to, for the playlists of the others.
    pub(crate) fn report(&self) -> Option<Report> {
        self.read(|window| {
            let last = window.open().filter(|open| !open.parts.is_empty()).or(window.segments().next_back())?;
            let part = window.part_target().map(|_| (last.parts.len() as u64).saturating_sub(1));
            Some(Report { rendition: self.name.clone(), sequence: last.sequence, part })
        })
    }

    /// Its playlist. Those that bring nothing to carry share one text, written once for each change.
    pub(crate) fn playlist(&self, style: Style<'_>, reports: impl FnOnce() -> Vec<Report>) -> Bytes {
        if !style.query.is_empty() {
            return self.write(style, &reports());
        }
        self.written().text(self, style, reports)
    }

    /// An answer with the playlist, for those that bring nothing to carry, and the bytes of the playlist in it. `finish`
    /// makes it of the text, once for each change.
    pub(crate) fn answer(
        &self,
        style: Style<'_>,
        reports: impl FnOnce() -> Vec<Report>,
        finish: impl FnOnce(Bytes) -> Bytes,
    ) -> (Bytes, usize) {
        let mut written = self.written();
        if let Some(Some(known)) = written.answers.get(style.index()) {
            return known.clone();
        }
        let text = written.text(self, style, reports);
        let length = text.len();
        let answer = (finish(text), length);
        if let Some(place) = written.answers.get_mut(style.index()) {
            *place = Some(answer.clone());
        }
        answer
    }

    /// What has been written of the window as it is now.
    fn written(&self) -> MutexGuard<'_, Written> {
        let version = *self.bell.borrow();
        let mut written = self.written.lock();
        if written.version != version {
            *written = Written { version, ..Written::default() };
        }
        written
    }

    fn write(&self, style: Style<'_>, reports: &[Report]) -> Bytes {
        let names = Names { rendition: &self.name, is_ts: self.is_ts, query: style.query };
        let text = self.read(|window| MediaPlaylist { window, names, skip: style.skip, reports }.write());
        if style.gzip { gzip(text.as_bytes()) } else { text.into() }
    }

    /// Pictures in a second: as the source says, or as they have come.
    pub(crate) fn frame_rate(&self) -> Option<f64> {
        let parameters = self.parameters();
        let video = parameters.iter().find_map(|parameters| parameters.video())?;
        video.frame_rate.or_else(|| {
            self.read(|window| {
                let all = window.segments().chain(window.open());
                let (frames, time) =
                    all.fold((0, Duration::ZERO), |sum, next| (sum.0 + next.frames(), sum.1 + next.duration));
                // A source that says nothing of it sends pictures when it has them.
                (time >= MEASURED).then(|| (frames as f64 / time.as_secs_f64()).round().max(1.0))
            })
        })
    }

    /// The highest and the average bitrate of the segments that it lists, in bits per second.
    pub(crate) fn bandwidth(&self) -> Option<(u64, u64)> {
        self.read(|window| {
            let mut sum = (0, Duration::ZERO);
            let mut peak = 0;
            for segment in window.segments().chain(window.open()) {
                peak = peak.max(rate(segment.bytes(), segment.duration));
                sum = (sum.0 + segment.bytes(), sum.1 + segment.duration);
            }
            (!sum.1.is_zero()).then(|| (peak, rate(sum.0, sum.1)))
        })
    }
}

/// Pictures are counted for so long before it is said how many come in a second.
const MEASURED: Duration = Duration::from_secs(1);

/// What all that players are told depends on.
fn edge(window: &Window) -> (u64, usize, usize, [bool; 3]) {
    let parts = window.open().map_or(0, |open| open.parts.len());
    let states = [window.has_ended(), window.is_paused(), window.problem().is_some()];
    (window.next().0, window.segments().len(), parts, states)
}

fn rate(bytes: u64, time: Duration) -> u64 {
    (bytes as f64 * 8.0 / time.as_secs_f64().max(0.1)) as u64
}

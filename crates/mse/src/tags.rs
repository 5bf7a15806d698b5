//! Frames as the MSE provider of the WCS Web SDK wants them, for signalling that speaks its protocol.
//!
//! ```text
//!  8 or 9 (sound, picture) │ time in ms, 4 bytes │ length, 4 bytes │ body        any number in a message, big endian
//! ```
//!
//! Bodies are those of FLV tags (Adobe Flash Video File Format 10.1 §E.4.2, §E.4.3), of sound without the first byte.
//! The page makes the fragments itself. It knows H.264 and AAC, and one time for each frame, by which it also sorts
//! them: pictures that are shown before one that came earlier (B-frames) have no place there. See [`Order`].

use bytes::{BufMut, Bytes, BytesMut};
use headwater_codec::h264::{AvcConfig, is_disposable, without_reordering};
use headwater_graph::{Bell, ConvertError, Cursor, Join, Next, Subscription};
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackKind, TrackParameters, limits};

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
/// AVC, key or not; and whether a record or a picture follows.
const KEY_FRAME: u8 = 0x17;
const INTER_FRAME: u8 = 0x27;
const RECORD: u8 = 0;
const MEDIA: u8 = 1;
/// The time by which a picture is shown later than decoded; the page does not look at it.
const NO_OFFSET: [u8; 3] = [0; 3];
/// More pictures in a row are never shown before one that came earlier: the decoded picture buffer holds 16 (ITU-T
/// H.264 §A.3.1). Beyond that it is the time line that has jumped.
const REORDERED_MAX: u32 = 16;
/// As much is collected for one message.
const FULL_BYTES: usize = 64 << 10;

/// Reads a stream for one page.
pub struct Tags {
    bell: Bell,
    lines: Vec<Line>,
    /// Stream time that the page's clock counts from, in milliseconds.
    zero: Option<i64>,
}

struct Line {
    kind: TrackKind,
    cursor: Cursor<Frame>,
    rate: ClockRate,
    config: Bytes,
    /// Sound is told its record again only when that has changed.
    has_told: bool,
    /// How far behind it was when it began, in milliseconds.
    granted: Option<u64>,
    order: Order,
}

/// When pictures are shown, for a page that shows them in the order in which they come.
#[derive(Default)]
struct Order {
    /// In milliseconds.
    last: Option<i64>,
    /// Pictures that were shown before it.
    late: u32,
}

impl Order {
    /// The time for a picture that is shown at `time`, or nothing if it is left out.
    ///
    /// One that others refer to is sent all the same, a millisecond after the one before it: decoders that hold nothing
    /// back pass it over, and stop where it is missing.
    fn place(&mut self, frame: &Frame, time: i64) -> Option<i64> {
        let last = self.last.filter(|last| time <= *last && !frame.random_access && self.late < REORDERED_MAX);
        let Some(last) = last else {
            *self = Order { last: Some(time), late: 0 };
            return Some(time);
        };
        self.late = self.late.saturating_add(1);
        if is_disposable(&frame.data) {
            return None;
        }
        self.last = Some(last.saturating_add(1));
        self.last
    }
}

impl Tags {
    /// Joins a stream at its newest group.
    ///
    /// # Errors
    /// Neither its picture nor its sound can be sent to such a page, or none has begun; the reason is a sentence.
    pub fn open(subscription: &Subscription) -> Result<Tags, String> {
        let (bell, mut lines, mut problems) = (Bell::new(), Vec::<Line>::new(), Vec::new());
        for (kind, codec) in [(TrackKind::Video, Codec::H264), (TrackKind::Audio, Codec::Aac)] {
            let Some(track) = subscription.stream().track(kind) else { continue };
            let picture = lines.first_mut().and_then(|line| line.next_time());
            let join = match (picture, track.native().parameters()) {
                (Some(time), Some(native)) => Join::At(ClockRate::MILLISECONDS.rescale(time, native.clock_rate)),
                _ => Join::NewestGroup,
            };
            match subscription.frames(&track, &[codec], &bell, join) {
                Ok(cursor) => lines.push(Line::new(kind, cursor)),
                Err(ConvertError::NotBegun { .. }) => problems.push(format!("the {kind} has not begun yet")),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if lines.is_empty() {
            return Err(problems.join("; "));
        }
        Ok(Tags { bell, lines, zero: None })
    }

    /// Whether there is a picture, or sound.
    pub fn has(&self, kind: TrackKind) -> bool {
        self.lines.iter().any(|line| line.kind == kind)
    }

    /// The next message: all that is new, but not too much. None if the stream has ended, or goes on in codecs that
    /// such a page does not know.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let (message, is_over) = self.read();
            if !message.is_empty() {
                return Some(message);
            }
            if is_over {
                return None;
            }
            self.bell.rung().await;
        }
    }

    fn read(&mut self) -> (Bytes, bool) {
        self.spare_the_slow();
        let mut message = BytesMut::new();
        while message.len() < FULL_BYTES {
            let times = self.lines.iter_mut().enumerate();
            let next = times.filter_map(|(index, line)| Some((line.next_time()?, index))).min();
            // Where nothing is next, the end of a line shows only when that is read.
            let indices = next.map_or(0..self.lines.len(), |(_, index)| index..index.saturating_add(1));
            for line in self.lines.get_mut(indices).unwrap_or_default() {
                if !line.read(&mut self.zero, &mut message) {
                    return (message.freeze(), true);
                }
            }
            if next.is_none() {
                break;
            }
        }
        (message.freeze(), false)
    }

    /// Skips to the newest group where the page is too slow; the sound goes on where the picture does.
    fn spare_the_slow(&mut self) {
        if !self.lines.iter_mut().any(Line::is_late) {
            return;
        }
        limits::VIEWER_LAG_MS.hit();
        let mut picture = None;
        for line in &mut self.lines {
            match picture {
                Some(time) => line.drop_until(time),
                None => {
                    line.cursor.skip_to_newest_group();
                    picture = line.next_time().filter(|_| line.kind == TrackKind::Video);
                }
            }
            line.granted = None;
        }
    }
}

impl Line {
    fn new(kind: TrackKind, cursor: Cursor<Frame>) -> Line {
        let (rate, config, order) = (ClockRate::MILLISECONDS, Bytes::new(), Order::default());
        let mut line = Line { kind, cursor, rate, config, has_told: false, granted: None, order };
        line.read_changes();
        line
    }

    /// The time of what comes next in milliseconds, the earliest for a change; nothing if nothing is there.
    fn next_time(&mut self) -> Option<i64> {
        match self.cursor.next_ticks()? {
            Ticks::MIN => Some(i64::MIN),
            ticks => Some(self.rate.rescale(ticks, ClockRate::MILLISECONDS)),
        }
    }

    fn read_changes(&mut self) {
        while self.next_time() == Some(i64::MIN) {
            match self.cursor.next() {
                Next::Parameters(parameters) => {
                    let parameters = parameters.clone();
                    self.change(&parameters);
                }
                _ => self.order = Order::default(),
            }
        }
    }

    fn change(&mut self, parameters: &TrackParameters) {
        self.rate = parameters.clock_rate;
        self.order = Order::default();
        let is_picture = self.kind == TrackKind::Video;
        let config = if is_picture { in_order(&parameters.config) } else { parameters.config.clone() };
        self.has_told &= self.config == config;
        self.config = config;
    }

    fn drop_until(&mut self, time: i64) {
        while self.next_time().is_some_and(|next| next < time) {
            self.cursor.next();
        }
    }

    fn is_late(&mut self) -> bool {
        let lag = self.rate.duration(self.cursor.lag().ticks).as_millis();
        let lag = u64::try_from(lag).unwrap_or(u64::MAX);
        let granted = self.granted.get_or_insert(lag);
        *granted = lag.min(*granted);
        lag > granted.saturating_add(limits::VIEWER_LAG_MS.get())
    }

    /// Writes what is next; says whether there may be more.
    fn read(&mut self, zero: &mut Option<i64>, message: &mut BytesMut) -> bool {
        let wanted = if self.kind == TrackKind::Video { Codec::H264 } else { Codec::Aac };
        match self.cursor.next() {
            Next::Item(frame) => {
                let milliseconds = |ticks| self.rate.rescale(ticks, ClockRate::MILLISECONDS);
                let zero = *zero.get_or_insert(milliseconds(frame.dts));
                let time = match self.kind {
                    TrackKind::Video => self.order.place(frame, milliseconds(frame.pts)),
                    TrackKind::Audio => Some(milliseconds(frame.dts)),
                };
                let Some(time) = time else { return true };
                // The page takes a time of zero for none.
                let time = time.saturating_sub(zero).saturating_add(1).max(1);
                let time = u32::try_from(time & i64::from(i32::MAX)).unwrap_or(1);
                if !self.config.is_empty() {
                    let frame = frame.clone();
                    self.write(time, &frame, message);
                }
            }
            Next::Parameters(parameters) => {
                let parameters = parameters.clone();
                self.change(&parameters);
                return parameters.codec == wanted;
            }
            Next::Ended => return false,
            Next::Discontinuity | Next::Lost { .. } => self.order = Order::default(),
            Next::Empty => {}
        }
        true
    }

    fn write(&mut self, time: u32, frame: &Frame, message: &mut BytesMut) {
        match self.kind {
            TrackKind::Video => {
                // The page cuts its fragments where a record stands.
                if frame.random_access {
                    tag(message, VIDEO, time, &[&[KEY_FRAME, RECORD], &NO_OFFSET, &self.config]);
                }
                let first = if frame.random_access { KEY_FRAME } else { INTER_FRAME };
                tag(message, VIDEO, time, &[&[first, MEDIA], &NO_OFFSET, &frame.data]);
            }
            TrackKind::Audio => {
                if !std::mem::replace(&mut self.has_told, true) {
                    tag(message, AUDIO, time, &[&[RECORD], &self.config]);
                }
                tag(message, AUDIO, time, &[&[MEDIA], &frame.data]);
            }
        }
    }
}

/// The record as the page takes it: with the promise that nothing is reordered, so that decoders hold no picture back,
/// and without what follows the parameter sets in the High profiles, which the page takes for the next tag.
fn in_order(config: &Bytes) -> Bytes {
    let Ok(mut record) = AvcConfig::parse(config) else { return config.clone() };
    for set in &mut record.sps {
        if let Ok(promised) = without_reordering(set) {
            *set = promised;
        }
    }
    AvcConfig { extension: Bytes::new(), ..record }.write()
}

fn tag(message: &mut BytesMut, kind: u8, time: u32, parts: &[&[u8]]) {
    // Frames are bounded well below what 32 bits count.
    let Ok(length) = u32::try_from(parts.iter().map(|part| part.len()).sum::<usize>()) else { return };
    message.put_u8(kind);
    message.put_u32(time);
    message.put_u32(length);
    parts.iter().for_each(|part| message.put_slice(part));
}

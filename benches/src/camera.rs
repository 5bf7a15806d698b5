//! What a browser's encoder and packetizer yield: H.264 at 30 pictures a second and Opus, in RTP payloads.
//!
//! A picture is one slice in fragments of equal size (RFC 6184 §5.8), a key frame has its parameter sets before it in
//! a packet of their own (§5.7.1), and key frames come when they are asked for and every ten seconds. Parameter sets
//! and slice headers are true, the rest is noise. Each payload ends with the time at which it is sent.

use std::{collections::VecDeque, time::Duration};

use clap::Args;
use headwater_media::{ClockRate, TrackKind};

use crate::source::{self, MARK_BYTES};

const FRAME_RATE: u32 = 30;
/// Frames from one key frame to the next.
const GROUP: u64 = 300;
/// How many times a key frame is larger than the average frame.
const KEY_FRAME_FACTOR: usize = 5;
/// The longest payload: what Chromium leaves of a datagram of 1,200 bytes.
const PAYLOAD_BYTES: usize = 1_150;
/// Samples of a sound packet: 20 ms.
const SOUND_SAMPLES: i64 = 960;
/// A sound packet of 40 kbit/s.
const SOUND_BYTES: usize = 100;
/// Opus, one frame of 20 ms of full-band stereo (RFC 6716 §3.1).
const SOUND_HEADER: u8 = 0xfc;

/// The head of an aggregate, of fragments of a key frame and of those of another (RFC 6184 §5.7.1, §5.8).
pub(crate) const AGGREGATE: u8 = 0x78;
const FRAGMENT_KEY: [u8; 2] = [0x7c, 5];
const FRAGMENT: [u8; 2] = [0x5c, 1];
const FIRST: u8 = 0x80;
const LAST: u8 = 0x40;

/// How a publisher spreads the packets of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// As Chromium does: at once, but no more in 40 ms than two and a half times its bitrate would bring, which parts
    /// key frames.
    Browser,
    /// All at once.
    AtOnce,
    /// Evenly over this time.
    Spread(Duration),
}

impl Pacing {
    /// Over so many milliseconds; as Chromium does where none are given.
    pub(crate) fn of(spread_ms: Option<u64>) -> Pacing {
        match spread_ms {
            None => Pacing::Browser,
            Some(0) => Pacing::AtOnce,
            Some(milliseconds) => Pacing::Spread(Duration::from_millis(milliseconds)),
        }
    }
}

/// What a publisher of a bench sends.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Kilobits in a second of the video.
    #[arg(long, default_value_t = KILOBITS)]
    pub(crate) kilobits: usize,
    /// Milliseconds over which the publisher spreads the packets of a picture; 0 is all at once. Without it, packets
    /// come as from Chromium.
    #[arg(long)]
    pub(crate) spread_ms: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options { kilobits: KILOBITS, spread_ms: None }
    }
}

impl Options {
    /// A camera that begins at once.
    pub(crate) fn camera(&self) -> Camera {
        Camera::new(self.kilobits * 1_000, Duration::ZERO, Pacing::of(self.spread_ms))
    }
}

/// Of [`Options`].
const KILOBITS: usize = 2_000;
/// Of [`Pacing::Browser`].
const BURST: Duration = Duration::from_millis(40);
const BURST_FACTOR: f64 = 2.5;

/// A packet to be sent.
pub(crate) struct Packet {
    pub(crate) kind: TrackKind,
    /// Time in ticks of the track's clock.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
    /// The last of those that are due at once.
    pub(crate) ends_burst: bool,
    due: Duration,
}

/// Where in its frame a packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    First,
    Within,
    Last,
    /// A sound, or a frame of one packet.
    Whole,
}

/// An endless stream of packets.
pub(crate) struct Camera {
    bits_per_second: usize,
    pacing: Pacing,
    /// Before this nothing is due.
    phase: Duration,
    frames: u64,
    sounds: u64,
    next_key: u64,
    pictures: VecDeque<Packet>,
    is_silent: bool,
}

impl Camera {
    /// A camera whose pictures make up this many bits in a second, and which begins a little later than others.
    pub(crate) fn new(bits_per_second: usize, phase: Duration, pacing: Pacing) -> Camera {
        let pictures = VecDeque::new();
        Camera { bits_per_second, pacing, phase, frames: 0, sounds: 0, next_key: 0, pictures, is_silent: false }
    }

    /// The same without sound.
    pub(crate) fn silent(self) -> Camera {
        Camera { is_silent: true, ..self }
    }

    /// The next picture is a key frame.
    pub(crate) fn want_key_frame(&mut self) {
        self.next_key = self.frames;
    }

    /// When the next packet is due, after the start.
    pub(crate) fn next_due(&self) -> Duration {
        let picture = self.pictures.front().map_or_else(|| self.frame_due(), |packet| packet.due);
        picture.min(self.sound_due())
    }

    /// The next packet in time; its payload bears the time of this call.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        let mut packet = if self.sound_due() <= self.next_due() {
            self.sound()
        } else {
            if self.pictures.is_empty() {
                self.picture();
            }
            self.pictures.pop_front()?
        };
        source::stamp(&mut packet.payload);
        Some(packet)
    }

    /// How long after its picture a packet of it is sent.
    fn delay(&self, index: usize, count: usize) -> Duration {
        match self.pacing {
            Pacing::AtOnce => Duration::ZERO,
            Pacing::Spread(time) => time * index as u32 / count as u32,
            Pacing::Browser => {
                let bytes = self.bits_per_second as f64 / 8.0 * BURST_FACTOR * BURST.as_secs_f64();
                let packets = (bytes as usize / PAYLOAD_BYTES).max(1);
                BURST * (index / packets) as u32
            }
        }
    }

    fn frame_due(&self) -> Duration {
        self.phase + ClockRate::VIDEO.duration(self.frames as i64 * i64::from(90_000 / FRAME_RATE))
    }

    fn sound_due(&self) -> Duration {
        if self.is_silent {
            return Duration::MAX;
        }
        self.phase + ClockRate::OPUS.duration(self.sounds as i64 * SOUND_SAMPLES)
    }

    fn sound(&mut self) -> Packet {
        let (due, timestamp) = (self.sound_due(), (self.sounds as i64 * SOUND_SAMPLES) as u32);
        self.sounds += 1;
        let mut payload = vec![0x55; SOUND_BYTES];
        payload[0] = SOUND_HEADER;
        Packet { kind: TrackKind::Audio, timestamp, marker: false, payload, ends_burst: true, due }
    }

    fn picture(&mut self) {
        let due = self.frame_due();
        let is_key = self.frames >= self.next_key;
        let average = self.bits_per_second / 8 / FRAME_RATE as usize;
        let mut payloads = if is_key {
            self.next_key = self.frames + GROUP;
            let key_frame = fragments(KEY_FRAME_FACTOR * average, FRAGMENT_KEY, source::SLICE_KEY);
            [vec![parameter_sets()], key_frame].concat()
        } else {
            fragments(average, FRAGMENT, source::SLICE)
        };
        let (count, timestamp) = (payloads.len(), (self.frames * 90_000 / u64::from(FRAME_RATE)) as u32);
        let delays: Vec<Duration> = (0..count).map(|index| self.delay(index, count)).collect();
        self.pictures.extend(payloads.drain(..).zip(0..).map(|(payload, index)| Packet {
            kind: TrackKind::Video,
            timestamp,
            marker: index + 1 == count,
            payload,
            ends_burst: delays.get(index + 1) != delays.get(index),
            due: due + delays[index],
        }));
        self.frames += 1;
    }
}

/// A packet with both parameter sets and room for its mark, which is a third unit without meaning.
fn parameter_sets() -> Vec<u8> {
    let mut payload = vec![AGGREGATE];
    // Type 24 and above means nothing within a stream (ITU-T H.264 table 7-1); 12 is filler.
    let filler = [&[12][..], &[0xff; MARK_BYTES]].concat();
    for unit in [source::SPS, source::PPS, &filler] {
        payload.extend_from_slice(&(unit.len() as u16).to_be_bytes());
        payload.extend_from_slice(unit);
    }
    payload
}

/// A slice of this size in fragments of nearly equal size.
fn fragments(bytes: usize, [indicator, kind]: [u8; 2], slice: &[u8]) -> Vec<Vec<u8>> {
    let count = bytes.div_ceil(PAYLOAD_BYTES - 2).max(1);
    let each = bytes.div_ceil(count).max(slice.len() + MARK_BYTES);
    let fragment = |index: usize| {
        let first = if index == 0 { FIRST } else { 0 };
        let last = if index + 1 == count { LAST } else { 0 };
        let mut payload = vec![indicator, kind | first | last];
        if index == 0 {
            // The unit's own header is in the fragment's.
            payload.extend_from_slice(&slice[1..]);
        }
        payload.resize(2 + each, 0x5a);
        payload
    };
    (0..count).map(fragment).collect()
}

/// Whether a key frame of a camera begins with this payload.
pub(crate) fn begins_key_frame(payload: &[u8]) -> bool {
    payload.first() == Some(&AGGREGATE)
}

/// Where in its frame a payload stands that came from a camera.
pub(crate) fn position(payload: &[u8], marker: bool) -> Position {
    match (payload.first(), payload.get(1)) {
        (Some(&SOUND_HEADER), _) => Position::Whole,
        (Some(&AGGREGATE), _) => Position::First,
        // The parameter sets stand before the first fragment of a key frame.
        (_, Some(second)) if second & FIRST != 0 && second & 0x1f != FRAGMENT_KEY[1] => {
            if marker {
                Position::Whole
            } else {
                Position::First
            }
        }
        _ if marker => Position::Last,
        _ => Position::Within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_in_order_with_their_rate_their_marks_and_their_place() {
        let mut camera = Camera::new(1_000_000, Duration::from_millis(7), Pacing::Spread(Duration::from_millis(5)));
        let (mut last, mut bytes, mut places, mut sounds) = (Duration::ZERO, 0, Vec::new(), 0);
        while camera.next_due() < Duration::from_millis(10_007) {
            let due = camera.next_due();
            assert!(due >= last);
            last = due;
            let packet = camera.next().unwrap();
            assert_eq!(packet.due, due);
            assert!(packet.payload.len() <= PAYLOAD_BYTES);
            assert!(source::age(&packet.payload).is_some());
            match packet.kind {
                TrackKind::Video => {
                    bytes += packet.payload.len();
                    places.push(position(&packet.payload, packet.marker));
                }
                TrackKind::Audio => sounds += 1,
            }
        }
        assert_eq!(sounds, 500);
        assert!((990_000..1_040_000).contains(&(bytes * 8 / 10)), "{bytes}");
        let count = |place| places.iter().filter(|found| **found == place).count();
        assert_eq!((count(Position::First), count(Position::Last), count(Position::Whole)), (300, 300, 0));
    }

    #[test]
    fn a_key_frame_comes_when_it_is_asked_for() {
        let mut camera = Camera::new(300_000, Duration::ZERO, Pacing::AtOnce);
        let mut keys = Vec::new();
        while camera.frames < 100 {
            if camera.frames == 40 && camera.pictures.is_empty() {
                camera.want_key_frame();
            }
            let packet = camera.next().unwrap();
            if packet.payload[0] == AGGREGATE {
                keys.push(packet.timestamp / 3_000);
            }
        }
        assert_eq!(keys, [0, 40]);
    }

    #[test]
    fn without_sound_there_are_pictures_only() {
        let mut camera = Camera::new(1_000_000, Duration::ZERO, Pacing::AtOnce).silent();
        let mut pictures = 0;
        while camera.next_due() < Duration::from_secs(1) {
            let packet = camera.next().unwrap();
            assert_eq!(packet.kind, TrackKind::Video);
            pictures += u32::from(packet.marker);
        }
        assert_eq!(pictures, FRAME_RATE);
    }

    #[test]
    fn a_browser_parts_key_frames_only() {
        let mut camera = Camera::new(2_000_000, Duration::ZERO, Pacing::Browser);
        let mut spans = std::collections::BTreeMap::<u32, Vec<Duration>>::new();
        while camera.next_due() < Duration::from_secs(1) {
            let packet = camera.next().unwrap();
            if packet.kind == TrackKind::Video {
                spans.entry(packet.timestamp).or_default().push(packet.due);
            }
        }
        let mut spans = spans.values().map(|due| due[due.len() - 1] - due[0]);
        // 25,000 bytes may leave in 40 ms.
        assert!(spans.next().is_some_and(|key| key >= BURST && key <= BURST * 3));
        assert!(spans.all(|delta| delta.is_zero()));
    }
}

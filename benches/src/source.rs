//! A stream as an encoder would send it: H.264 of 2 Mbit/s at 30 frames a second, and AAC or Opus.
//!
//! The pictures have true parameter sets and slice headers; behind these is noise, for nobody decodes them. Each
//! carries the time at which it was sent, at its beginning and at its end. The sound is real.

mod sound;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes, BytesMut};
use headwater_codec::h264::AvcConfig;
use headwater_flv::{
    MediaWriter,
    amf::{Value, write_amf0},
    write_metadata,
};
use headwater_media::{ClockRate, Codec, Format, TrackKind, TrackParameters, VideoFormat};

use self::sound::Frames;
pub(crate) use self::sound::Sound;

const FRAME_RATE: u32 = 30;
/// Frames from one key frame to the next: two seconds.
const GROUP: u64 = 60;
const BITS_PER_SECOND: usize = 2_000_000;
/// How many times a key frame is larger than the average frame.
const KEY_FRAME_FACTOR: usize = 5;

/// Constrained Baseline, level 3.1, 1280 x 720, without reordering (ITU-T H.264 §7.3.2.1).
pub(crate) const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
pub(crate) const PPS: &[u8] = &[0x68, 0xce, 0x38, 0x80];
/// The first bytes of a slice of an IDR picture and of another one, NAL unit header included.
pub(crate) const SLICE_KEY: &[u8] = &[0x65, 0x88, 0x84, 0x21, 0xa0, 0x5b, 0x7f, 0x11];
pub(crate) const SLICE: &[u8] = &[0x41, 0x9a, 0x24, 0x6c, 0x43, 0x5d, 0x71, 0x93];

/// What stands before a time stamp in a picture.
const MARK: &[u8] = b"<HWB>";
pub(crate) const MARK_BYTES: usize = MARK.len() + 16;

/// One message of the stream: what it is, when it is due, and its FLV tag body.
pub(crate) struct Message {
    pub(crate) kind: TrackKind,
    pub(crate) due: Duration,
    pub(crate) body: Bytes,
}

/// The endless stream.
pub(crate) struct Source {
    video: (TrackParameters, MediaWriter),
    audio: Option<(Frames, MediaWriter)>,
    noise: Bytes,
    /// Bytes of the average picture.
    average: usize,
    frames: u64,
    sounds: u64,
}

impl Source {
    /// With AAC.
    pub(crate) fn new() -> Result<Source> {
        Source::with(Sound::Aac)
    }

    /// With this sound.
    pub(crate) fn with(sound: Sound) -> Result<Source> {
        let sets = (vec![Bytes::from_static(SPS)], vec![Bytes::from_static(PPS)]);
        let video = TrackParameters {
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            format: Format::Video(VideoFormat { width: 1_280, height: 720, frame_rate: Some(FRAME_RATE.into()) }),
            config: AvcConfig::from_parameter_sets(sets.0, sets.1)?.write(),
        };
        let writer = |track: &TrackParameters| MediaWriter::new(track).context("FLV has no such codec");
        let audio = match sound.encode()? {
            Some(frames) => {
                let writer = writer(&frames.track)?;
                Some((frames, writer))
            }
            None => None,
        };
        Ok(Source {
            video: (video.clone(), writer(&video)?),
            audio,
            noise: noise(KEY_FRAME_FACTOR * average_bytes(BITS_PER_SECOND)),
            average: average_bytes(BITS_PER_SECOND),
            frames: 0,
            sounds: 0,
        })
    }

    /// The same with pictures of so many bits per second.
    pub(crate) fn of_rate(bits_per_second: usize) -> Result<Source> {
        let average = average_bytes(bits_per_second);
        Ok(Source { average, noise: noise(KEY_FRAME_FACTOR * average), ..Source::new()? })
    }

    /// The same without sound.
    pub(crate) fn silent() -> Result<Source> {
        Source::with(Sound::None)
    }

    /// The data message that announces the stream.
    pub(crate) fn metadata(&self) -> Bytes {
        let mut body = BytesMut::new();
        write_amf0(&Value::from("@setDataFrame"), &mut body);
        let tracks = self.tracks().into_iter().map(|(_, track, _)| track);
        body.put(write_metadata(tracks, "headwater-benches"));
        body.freeze()
    }

    /// The messages that come before all others: how to decode what follows.
    pub(crate) fn configuration(&self) -> Vec<Message> {
        self.tracks()
            .into_iter()
            .filter_map(|(kind, _, writer)| {
                let (prefix, record) = writer.config()?;
                Some(Message { kind, due: Duration::ZERO, body: joined(&[&prefix, &record]) })
            })
            .collect()
    }

    fn tracks(&self) -> Vec<(TrackKind, &TrackParameters, &MediaWriter)> {
        let (track, writer) = &self.video;
        let sound = self.audio.as_ref().map(|(sound, writer)| (TrackKind::Audio, &sound.track, writer));
        [(TrackKind::Video, track, writer)].into_iter().chain(sound).collect()
    }

    /// When the next message is due.
    pub(crate) fn next_due(&self) -> Duration {
        self.frame_due().min(self.sound_due())
    }

    /// The next message in time; a picture bears the time of this call.
    pub(crate) fn next(&mut self) -> Message {
        let (frame_due, sound_due) = (self.frame_due(), self.sound_due());
        if let Some((sound, writer)) = self.audio.as_ref().filter(|_| sound_due < frame_due) {
            let index = self.sounds as usize % sound.frames.len();
            self.sounds += 1;
            let body = joined(&[&writer.frame(true, 0), &sound.frames[index]]);
            return Message { kind: TrackKind::Audio, due: sound_due, body };
        }
        let body = self.picture();
        self.frames += 1;
        Message { kind: TrackKind::Video, due: frame_due, body }
    }

    fn frame_due(&self) -> Duration {
        ClockRate::VIDEO.duration(self.frames as i64 * i64::from(90_000 / FRAME_RATE))
    }

    fn sound_due(&self) -> Duration {
        let Some((sound, _)) = &self.audio else { return Duration::MAX };
        sound.track.clock_rate.duration(self.sounds as i64 * sound.samples as i64)
    }

    fn picture(&self) -> Bytes {
        let key = self.frames.is_multiple_of(GROUP);
        let slice = if key { SLICE_KEY } else { SLICE };
        let size = if key { KEY_FRAME_FACTOR * self.average } else { other_bytes(self.average) };
        let filling = size - slice.len() - 2 * MARK_BYTES;
        let mark = mark();
        let length = u32::try_from(size).unwrap_or(0).to_be_bytes();
        joined(&[&self.video.1.frame(key, 0), &length, slice, &mark, &self.noise[..filling], &mark])
    }
}

fn average_bytes(bits_per_second: usize) -> usize {
    bits_per_second / 8 / FRAME_RATE as usize
}

/// What is left for each of the others when the key frame has had its share.
fn other_bytes(average: usize) -> usize {
    let group = average * GROUP as usize;
    (group - KEY_FRAME_FACTOR * average) / (GROUP as usize - 1)
}

fn joined(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

/// Bytes of no meaning and without a zero, so that nothing in them looks like a start code.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8 | 0x40
        })
        .collect()
}

/// Time since this process first asked.
fn time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn mark() -> Vec<u8> {
    [MARK, format!("{:016x}", time().as_nanos()).as_bytes()].concat()
}

/// Writes the time of this call to the end of a payload, which has to be long enough.
pub(crate) fn stamp(payload: &mut [u8]) {
    if let Some(at) = payload.len().checked_sub(MARK_BYTES) {
        payload[at..].copy_from_slice(&mark());
    }
}

/// How long ago a picture was sent of which this is the payload of the last packet.
pub(crate) fn age(payload: &[u8]) -> Option<Duration> {
    time().checked_sub(sent(payload)?)
}

/// What [`stamp`] has written: no two payloads of a process have the same.
pub(crate) fn sent(payload: &[u8]) -> Option<Duration> {
    let mark = payload.get(payload.len().checked_sub(MARK_BYTES)?..)?;
    let digits = std::str::from_utf8(mark.strip_prefix(MARK)?).ok()?;
    Some(Duration::from_nanos(u64::from_str_radix(digits, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_its_bitrate_its_order_and_its_marks() {
        check_stream(Source::new().unwrap(), 2_000_000);
        check_stream(Source::with(Sound::Opus).unwrap(), 2_000_000);
        check_stream(Source::of_rate(4_000_000).unwrap(), 4_000_000);
    }

    fn check_stream(mut source: Source, rate: usize) {
        assert_eq!(source.configuration().len(), 2);
        let (mut bytes, mut last) = (0, Duration::ZERO);
        loop {
            let message = source.next();
            if message.due >= Duration::from_secs(10) {
                break;
            }
            assert!(message.due >= last);
            last = message.due;
            if message.kind == TrackKind::Video {
                bytes += message.body.len();
                let age = age(&message.body).unwrap();
                assert!(age < Duration::from_secs(60), "{age:?}");
            }
        }
        let bitrate = bytes * 8 / 10;
        assert!(bitrate.abs_diff(rate) < rate / 40, "{bitrate} bit/s");
    }

    #[test]
    fn what_carries_no_mark_has_no_age() {
        for payload in [&b""[..], b"<HWB>", b"<HWB>000000000000000g", &[0; 100]] {
            assert_eq!(age(payload), None);
        }
    }
}

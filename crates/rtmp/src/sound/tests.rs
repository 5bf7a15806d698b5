use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use headwater_codec::aac::AudioSpecificConfig;
use headwater_flv::{MediaWriter, Prefix};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackKind, TrackParameters, VideoFormat};

use super::{CodedSound, SoundSwitch, Substitute, track::g711};
use crate::from_stream::Sink;

const OWN: &[u8] = b"own";
const PICTURE: &[u8] = b"picture";
const PLAYED: &[u8] = b"played";

/// Frames with the same contents, so many of them.
struct Tune {
    frame_length: usize,
    left: Arc<AtomicUsize>,
}

impl Substitute for Tune {
    fn begin(&self, track: &TrackParameters) -> Option<Box<dyn CodedSound>> {
        let tune = Tune { frame_length: self.frame_length, left: self.left.clone() };
        (track.codec != Codec::Mp3).then(|| Box::new(tune) as Box<dyn CodedSound>)
    }
}

impl CodedSound for Tune {
    fn frame_length(&self) -> usize {
        self.frame_length
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        let left = self.left.load(Relaxed).checked_sub(1)?;
        self.left.store(left, Relaxed);
        Some(Bytes::from_static(PLAYED))
    }
}

fn tune(frame_length: usize, left: usize) -> (Option<Arc<dyn Substitute>>, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(left));
    (Some(Arc::new(Tune { frame_length, left: left.clone() })), left)
}

/// What came out, in order.
#[derive(Default)]
struct Sent(Vec<(TrackKind, u32, Vec<u8>, Bytes)>);

impl Sink for Sent {
    fn metadata(&mut self, _body: Bytes) {}

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        self.0.push((kind, timestamp, prefix.to_vec(), payload.clone()));
    }

    fn is_full(&self) -> bool {
        false
    }
}

impl Sent {
    /// Times and contents of the frames of sound.
    fn sound(&self) -> Vec<(u32, &[u8])> {
        let is_frame = |prefix: &[u8]| prefix != [0xaf, 0];
        let sound = self.0.iter().filter(|(kind, _, prefix, _)| *kind == TrackKind::Audio && is_frame(prefix));
        sound.map(|(_, time, _, payload)| (*time, &payload[..])).collect()
    }

    fn count(&self, contents: &[u8]) -> usize {
        self.sound().iter().filter(|(_, payload)| *payload == contents).count()
    }
}

/// A stream that is sent on: sound of some codec, 25 pictures a second.
struct Stream {
    switch: SoundSwitch,
    sent: Sent,
    picture: MediaWriter,
    sound: Option<(TrackParameters, MediaWriter, usize)>,
    /// Samples and pictures so far.
    samples: u64,
    pictures: u32,
    /// What time stamps begin with.
    start: u32,
}

impl Stream {
    fn new(sound: Option<(TrackParameters, usize)>) -> Stream {
        let format = Format::Video(VideoFormat { width: 640, height: 360, ..VideoFormat::default() });
        let picture = TrackParameters {
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            format,
            config: Bytes::from_static(&[1]),
        };
        let mut stream = Stream {
            switch: SoundSwitch::default(),
            sent: Sent::default(),
            picture: MediaWriter::new(&picture).unwrap(),
            sound: sound
                .map(|(parameters, length)| (parameters.clone(), MediaWriter::new(&parameters).unwrap(), length)),
            samples: 0,
            pictures: 0,
            start: 0,
        };
        stream.switch.set_own(stream.sound.is_some());
        if let Some((prefix, config)) = stream.sound.as_ref().and_then(|(_, writer, _)| writer.config()) {
            stream.switch.sink(&mut stream.sent).media(TrackKind::Audio, 0, &prefix, &config);
        }
        stream
    }

    fn aac() -> Stream {
        Stream::new(Some((aac(48_000), 1_024)))
    }

    fn play(&mut self, is_muted: bool, substitute: &Option<Arc<dyn Substitute>>, pictures: u32) {
        self.switch.set(is_muted, substitute.clone());
        for _ in 0..pictures {
            let time = self.pictures * 40;
            while let Some((prefix, payload, at)) = self.next_sound(time) {
                let at = self.start.wrapping_add(at);
                self.switch.sink(&mut self.sent).media(TrackKind::Audio, at, &prefix, &payload);
            }
            let (prefix, payload) = (self.picture.frame(true, 0), Bytes::from_static(PICTURE));
            let time = self.start.wrapping_add(time);
            self.switch.sink(&mut self.sent).media(TrackKind::Video, time, &prefix, &payload);
            self.pictures += 1;
        }
    }

    fn next_sound(&mut self, until: u32) -> Option<(Prefix, Bytes, u32)> {
        let (parameters, writer, length) = self.sound.as_ref()?;
        let time = (self.samples * 1_000 / u64::from(parameters.clock_rate.hertz())) as u32;
        if time > until {
            return None;
        }
        self.samples += *length as u64;
        let payload = if parameters.config.is_empty() { vec![7; *length].into() } else { Bytes::from_static(OWN) };
        Some((writer.frame(true, 0), payload, time))
    }

    /// Asserts that sound has neither gaps nor frames that overlap, but for what milliseconds cannot say.
    fn assert_even(&self, frame_ms: f64) {
        for pair in self.sent.sound().windows(2) {
            let step = f64::from(pair[1].0.wrapping_sub(pair[0].0));
            assert!((step - frame_ms).abs() < 2.0, "{pair:?} are {step} ms apart, not {frame_ms}");
        }
    }
}

fn aac(sample_rate: u32) -> TrackParameters {
    let config = AudioSpecificConfig::low_complexity(sample_rate, 2).write();
    let format = Format::Audio(AudioFormat { sample_rate, channels: 2 });
    TrackParameters { codec: Codec::Aac, clock_rate: ClockRate::new(sample_rate).unwrap(), format, config }
}

#[test]
fn a_substitute_takes_the_place_of_own_sound_without_a_gap_and_gives_it_back() {
    for start in [0, u32::MAX - 3_000] {
        let mut stream = Stream { start, ..Stream::aac() };
        let (substitute, left) = tune(1_024, 10_000);
        stream.play(false, &None, 50);
        stream.play(false, &substitute, 50);
        stream.play(false, &None, 50);
        stream.assert_even(1_024.0 / 48.0);
        let (own, played) = (stream.sent.count(OWN), stream.sent.count(PLAYED));
        assert!((92..=95).contains(&played) && own + played == stream.sent.sound().len(), "{own} and {played}");
        assert_eq!(10_000 - left.load(Relaxed), played);
        let order: Vec<_> = stream.sent.sound().into_iter().map(|(_, payload)| payload == PLAYED).collect();
        assert_eq!(order.chunk_by(|a, b| a == b).count(), 3, "own, played, own");
        let pictures = stream.sent.0.iter().filter(|(kind, ..)| *kind == TrackKind::Video).count();
        assert_eq!(pictures, 150);
    }
}

#[test]
fn sound_comes_before_the_picture_of_its_time_and_no_more_than_a_frame_behind() {
    let mut stream = Stream::aac();
    let (substitute, _) = tune(1_024, 10_000);
    stream.play(false, &None, 10);
    stream.play(false, &substitute, 100);
    let mut sound = 0;
    for (kind, time, ..) in &stream.sent.0 {
        match kind {
            TrackKind::Audio => sound = *time,
            TrackKind::Video => assert!(sound + 22 >= *time && sound <= *time, "sound {sound}, picture {time}"),
        }
    }
}

#[test]
fn a_substitute_goes_on_where_own_sound_stops_coming() {
    let mut stream = Stream::aac();
    let (substitute, _) = tune(1_024, 10_000);
    stream.play(false, &None, 10);
    stream.sound = None;
    stream.play(false, &substitute, 100);
    stream.assert_even(1_024.0 / 48.0);
    assert!(stream.sent.count(PLAYED) > 180, "{}", stream.sent.count(PLAYED));
}

#[test]
fn a_stream_without_sound_gets_a_track_and_keeps_it() {
    let mut stream = Stream::new(None);
    stream.play(false, &None, 10);
    assert!(stream.sent.sound().is_empty() && stream.switch.made_track().is_none());
    let (substitute, _) = tune(1_024, 10_000);
    stream.play(false, &substitute, 50);
    let header = stream.sent.0.iter().find(|(kind, ..)| *kind == TrackKind::Audio).unwrap();
    assert_eq!((&header.2[..], &header.3[..]), (&[0xaf, 0][..], &[0x11, 0x90][..]), "AAC-LC, 48 kHz, stereo");
    assert_eq!(stream.switch.made_track(), Some(aac(48_000)));
    let played = stream.sent.count(PLAYED);
    assert!((92..=95).contains(&played), "{played}");
    stream.play(false, &None, 50);
    assert_eq!(stream.sent.count(PLAYED), played);
    assert!(stream.sent.sound().len() >= 2 * played - 2, "silence follows");
    stream.assert_even(1_024.0 / 48.0);

    // Its own sound, once there is some, takes the place.
    stream.switch.set_own(true);
    let (parameters, writer) = (aac(44_100), MediaWriter::new(&aac(44_100)).unwrap());
    let (prefix, config) = writer.config().unwrap();
    stream.switch.sink(&mut stream.sent).media(TrackKind::Audio, 4_400, &prefix, &config);
    (stream.samples, stream.sound) = (44_100 * 4_368 / 1_000, Some((parameters, writer, 1_024)));
    stream.play(false, &None, 50);
    assert!(stream.sent.count(OWN) > 80 && stream.switch.made_track().is_none());
    stream.assert_even(22.4);
}

#[test]
fn mute_goes_before_a_substitute_which_goes_on_unheard() {
    let mut stream = Stream::aac();
    let (substitute, left) = tune(1_024, 10_000);
    stream.play(false, &substitute, 25);
    let heard = stream.sent.count(PLAYED);
    stream.play(true, &substitute, 25);
    assert_eq!((stream.sent.count(PLAYED), stream.sent.count(OWN)), (heard, 0));
    assert!(10_000 - left.load(Relaxed) >= 2 * heard - 2);
    stream.play(false, &substitute, 25);
    assert!(stream.sent.count(PLAYED) >= 2 * heard - 2);
    stream.assert_even(1_024.0 / 48.0);
}

#[test]
fn silence_follows_a_substitute_that_is_over() {
    let mut stream = Stream::aac();
    let (substitute, _) = tune(1_024, 20);
    stream.play(false, &substitute, 100);
    assert_eq!((stream.sent.count(PLAYED), stream.sent.count(OWN)), (20, 0));
    stream.assert_even(1_024.0 / 48.0);
}

#[test]
fn g711_is_replaced_by_frames_of_another_length() {
    let mut stream = Stream::new(Some((g711(Codec::Pcma), 320)));
    let (substitute, _) = tune(160, 10_000);
    stream.play(false, &None, 25);
    stream.play(false, &substitute, 25);
    stream.play(true, &None, 25);
    let sound = stream.sent.sound();
    let (played, silent) = (stream.sent.count(PLAYED), stream.sent.count(&[0xd5; 320]));
    assert!((48..=52).contains(&played) && (23..=25).contains(&silent), "{played}, {silent}: {sound:?}");
    assert!(sound.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 40 && pair[1].0 > pair[0].0), "{sound:?}");
}

#[test]
fn own_sound_that_cannot_be_replaced_is_left_out() {
    let format = Format::Audio(AudioFormat { sample_rate: 44_100, channels: 2 });
    let mp3 = TrackParameters {
        codec: Codec::Mp3,
        clock_rate: ClockRate::new(44_100).unwrap(),
        format,
        config: Bytes::new(),
    };
    let mut stream = Stream::new(Some((mp3, 1_152)));
    stream.play(false, &None, 25);
    let own = stream.sent.sound().len();
    assert!(own > 30);
    stream.play(false, &tune(1_024, 10_000).0, 25);
    assert_eq!(stream.sent.sound().len(), own);
    stream.play(false, &None, 25);
    assert!(stream.sent.sound().len() > own + 30);
}

#[test]
fn a_jump_of_the_streams_time_is_not_filled() {
    let mut stream = Stream::aac();
    let (substitute, left) = tune(1_024, 10_000);
    stream.play(false, &substitute, 25);
    stream.pictures += 25 * 60;
    stream.samples += 48_000 * 60;
    stream.play(false, &substitute, 25);
    assert!((92..=98).contains(&(10_000 - left.load(Relaxed))), "{}", left.load(Relaxed));
    let times: Vec<_> = stream.sent.sound().into_iter().map(|(time, _)| time).collect();
    assert!(times.is_sorted() && times.last().is_some_and(|last| *last > 61_900), "{times:?}");
}

use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, h264::AvcConfig, parameters::from_config};
use headwater_media::Codec;

use super::*;
use crate::{
    container::Format,
    window::{Numbers, Target},
};

fn video() -> Arc<TrackParameters> {
    let sps = Bytes::from_static(&[
        0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
        0x03, 0x00, 0xc8, 0x3c, 0x58, 0xba, 0x80,
    ]);
    let pps = Bytes::from_static(&[0x68, 0xce, 0x0f, 0xc8]);
    let record = AvcConfig::from_parameter_sets(vec![sps], vec![pps]).unwrap().write();
    Arc::new(TrackParameters { config: record, ..from_config(Codec::H264, Bytes::new()).unwrap() })
}

fn audio() -> Arc<TrackParameters> {
    Arc::new(from_config(Codec::Aac, AudioSpecificConfig::low_complexity(48_000, 2).write()).unwrap())
}

fn options() -> WindowOptions {
    WindowOptions {
        segment: Duration::from_secs(2),
        part: Some(Duration::from_millis(200)),
        keep: Duration::from_secs(3_600),
        bytes_max: 1 << 30,
    }
}

/// A segmenter of picture and sound, and what comes of it.
struct Scene {
    segmenter: Segmenter,
    window: Window,
}

impl Scene {
    fn new(tracks: Vec<Arc<TrackParameters>>) -> Scene {
        Scene::of(Format::Fmp4, tracks)
    }

    fn of(format: Format, tracks: Vec<Arc<TrackParameters>>) -> Scene {
        let window = Window::new(options(), Numbers { sequence: 0, discontinuity: 0 });
        let segmenter = Segmenter::new(options(), Container::new(format), tracks, SystemTime::UNIX_EPOCH).unwrap();
        Scene { segmenter, window }
    }

    fn frame(&mut self, track: usize, ticks: i64, random_access: bool) {
        let data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0x9a]);
        let frame = Frame { dts: ticks, pts: ticks, random_access, data };
        self.segmenter.push(track, frame, &mut self.window).unwrap();
    }

    /// Picture at 25 Hz and sound, from one millisecond to before another, with a key frame every so many.
    fn play(&mut self, from: i64, to: i64, group: i64) {
        self.pictures(from, to, group, true);
    }

    fn pictures(&mut self, from: i64, to: i64, group: i64, sound: bool) {
        let mut sounds = (from * 48 / 1_024..).map(|at| at * 1_024).filter(|ticks| *ticks >= from * 48).peekable();
        for ms in (from..to).step_by(40) {
            while let Some(ticks) = sounds.next_if(|ticks| *ticks < ms * 48) {
                if sound {
                    self.frame(1, ticks, true);
                }
            }
            self.frame(0, ms * 90, (ms - from) % group == 0);
        }
    }

    /// Each segment, the open one included: its length in milliseconds, its parts, and whether it is a discontinuity.
    fn segments(&self) -> Vec<(u128, usize, bool)> {
        let all = self.window.segments().chain(self.window.open());
        all.map(|segment| (segment.duration.as_millis(), segment.parts.len(), segment.is_discontinuous)).collect()
    }
}

#[test]
fn segments_begin_with_the_first_key_frame_after_their_time_and_parts_are_even() {
    for format in [Format::Fmp4, Format::Ts] {
        let mut scene = Scene::of(format, vec![video(), audio()]);
        scene.play(0, 6_120, 1_000);
        assert_eq!(scene.segments(), [(2_000, 10, false), (2_000, 10, false), (2_000, 10, false), (0, 0, false)]);
        for segment in scene.window.segments() {
            assert!(segment.parts.iter().all(|part| part.duration.as_millis() == 200));
            let independent = segment.parts.iter().map(|part| part.is_independent);
            assert_eq!(independent.filter(|independent| *independent).count(), 2, "a key frame each second");
        }
        assert!(scene.window.is_independent());
    }
}

#[test]
fn a_group_longer_than_the_longest_segment_is_cut_where_no_decoder_can_start() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 22_500, 60_000);
    let lengths: Vec<_> = scene.segments().iter().map(|(length, ..)| *length).collect();
    assert_eq!(lengths[..2], [10_000, 10_000]);
    assert!(!scene.window.is_independent());
    assert!(scene.segmenter.wants_key_frame());
    assert_eq!(scene.window.target(), Duration::from_secs(10));
}

#[test]
fn silence_takes_the_place_of_sound_that_stops_until_it_is_back() {
    for format in [Format::Fmp4, Format::Ts] {
        let mut scene = Scene::of(format, vec![video(), audio()]);
        let sound = |scene: &Scene| scene.segmenter.tracks[1].next().as_millis();
        scene.pictures(0, 3_000, 1_000, true);
        scene.pictures(3_000, 7_000, 1_000, false);
        assert!((6_300..6_800).contains(&sound(&scene)), "{}", sound(&scene));
        scene.pictures(7_000, 9_000, 1_000, true);
        assert!((8_900..9_000).contains(&sound(&scene)), "{}", sound(&scene));
        assert!(scene.segments().iter().all(|(.., is_discontinuous)| !is_discontinuous), "{:?}", scene.segments());
    }
}

#[test]
fn nothing_is_lost_or_twice_in_the_order_of_time() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 10_000, 2_000);
    scene.segmenter.flush(&mut scene.window).unwrap();
    let total: Duration = scene.window.segments().map(|segment| segment.duration).sum();
    assert_eq!(total.as_millis(), 10_000);
    // Each frame has six bytes, and each picture and sound is in the media of one part.
    let media: usize = scene.window.segments().flat_map(|segment| &segment.parts).map(|part| mdat(&part.data)).sum();
    assert_eq!(media, 6 * (250 + sounds(10_000 - 40)));
}

/// Packets of sound that begin before a time.
fn sounds(ms: usize) -> usize {
    (ms * 48).div_ceil(1_024)
}

/// Bytes of media in a fragment.
fn mdat(data: &[u8]) -> usize {
    let at = data.windows(4).position(|window| window == b"mdat").unwrap();
    let length: [u8; 4] = data[at - 4..at].try_into().unwrap();
    u32::from_be_bytes(length) as usize - 8
}

#[test]
fn nothing_is_taken_before_a_key_frame_nor_sound_from_before_it() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.frame(1, 0, true);
    scene.frame(0, 0, false);
    assert!(scene.segmenter.wants_key_frame(), "none has come");
    assert_eq!(scene.segments(), []);
    scene.frame(0, 90_000, true);
    scene.frame(1, 47_000, true);
    scene.segmenter.flush(&mut scene.window).unwrap();
    let [segment] = &scene.window.segments().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(mdat(&segment.parts[0].data), 6);
    assert_eq!(segment.time, SystemTime::UNIX_EPOCH + Duration::from_secs(1));
}

#[test]
fn what_is_not_continued_begins_a_discontinuity_with_a_key_frame() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 1_000, 2_000);
    scene.segmenter.interrupt(0, &mut scene.window).unwrap();
    scene.frame(0, 1_100 * 90, false);
    scene.play(1_200, 3_400, 2_000);
    assert_eq!(scene.segments(), [(1_000, 5, false), (2_000, 10, true), (0, 0, false)]);
}

#[test]
fn an_hour_without_media_and_time_that_runs_back_are_discontinuities() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 1_000, 500);
    scene.play(3_600_000, 3_601_000, 500);
    scene.play(1_000_000, 1_001_000, 500);
    scene.segmenter.flush(&mut scene.window).unwrap();
    assert_eq!(scene.segments(), [(1_000, 5, false), (1_000, 5, true), (1_000, 5, true)]);
}

#[test]
fn other_parameters_need_another_init_segment_and_a_discontinuity() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 1_000, 500);
    scene.segmenter.change(vec![video()], &mut scene.window).unwrap();
    scene.pictures(1_000, 2_000, 500, false);
    scene.segmenter.flush(&mut scene.window).unwrap();
    assert_eq!(scene.segments(), [(1_000, 5, false), (1_000, 5, true)]);
    let keys: Vec<_> = scene.window.segments().map(|segment| segment.init.as_ref().unwrap().key).collect();
    assert_ne!(keys[0], keys[1]);
}

/// Sound without a picture, from one millisecond to before another.
fn sound_alone(scene: &mut Scene, from: i64, to: i64) {
    for at in (from * 48 / 1_024)..(to * 48 / 1_024) {
        scene.frame(1, at * 1_024, true);
    }
}

#[test]
fn a_picture_that_stops_is_shown_still_in_every_part_until_a_key_frame_comes() {
    for format in [Format::Fmp4, Format::Ts] {
        let mut scene = Scene::of(format, vec![video(), audio()]);
        scene.play(0, 3_000, 1_000);
        sound_alone(&mut scene, 3_000, 9_000);
        assert!(scene.segmenter.wants_key_frame());
        assert!((8_400..9_000).contains(&scene.segmenter.tracks[0].next().as_millis()));
        let before = scene.segmenter.tracks[0].next();
        scene.frame(0, 9_000 * 90, false);
        assert_eq!(scene.segmenter.tracks[0].next(), before, "no decoder can start at it");
        scene.play(9_100, 12_500, 1_000);
        let segments = scene.segments();
        assert!(segments.iter().rev().skip(1).all(|(length, ..)| (1_800..2_900).contains(length)), "{segments:?}");
        assert!(segments.iter().all(|(.., is_discontinuous)| !is_discontinuous), "{segments:?}");
        let parts: Vec<_> = scene.window.segments().flat_map(|segment| &segment.parts).collect();
        let inner = scene.window.segments().flat_map(|segment| segment.parts.iter().rev().skip(1));
        let lengths: Vec<_> = inner.map(|part| part.duration.as_millis()).collect();
        assert!(lengths.iter().all(|length| (187..=220).contains(length)), "{lengths:?}");
        assert!(parts.iter().all(|part| part.frames > 0), "a part without a picture");
        assert!(scene.window.is_independent());
    }
}

#[test]
fn pictures_that_come_seldom_are_waited_for_and_all_are_given_out() {
    let mut scene = Scene::new(vec![video(), audio()]);
    for second in (0..20).step_by(2) {
        scene.frame(0, second * 90_000, second == 0);
        sound_alone(&mut scene, second * 1_000, second * 1_000 + 1_960);
    }
    scene.frame(0, 20 * 90_000, false);
    scene.segmenter.flush(&mut scene.window).unwrap();
    let media: usize = scene.window.segments().flat_map(|segment| &segment.parts).map(|part| mdat(&part.data)).sum();
    let sounds: i64 = (0..20).step_by(2).map(|s| (s * 1_000 + 1_960) * 48 / 1_024 - s * 48_000 / 1_024).sum();
    assert_eq!(media / 6 - sounds as usize, 11, "pictures");
}

#[test]
fn a_picture_that_stopped_long_ago_is_shown_still_after_a_discontinuity() {
    let mut scene = Scene::new(vec![video(), audio()]);
    scene.play(0, 200, 1_000);
    sound_alone(&mut scene, 3_600_000, 3_606_000);
    let segments = scene.segments();
    assert_eq!(segments[..2], [(200, 1, false), (2_000, 10, true)], "{segments:?}");
    assert!(scene.window.segments().flat_map(|segment| &segment.parts).all(|part| part.frames > 0));
    assert_eq!(scene.window.target(), options().segment);
}

#[test]
fn sound_alone_is_cut_in_time() {
    let mut scene = Scene::new(vec![audio()]);
    for at in 0..(5_000 * 48 / 1_024) {
        scene.frame(0, at * 1_024, true);
    }
    let segments = scene.segments();
    assert!(segments[..2].iter().all(|(length, ..)| (1_780..2_020).contains(length)), "{segments:?}");
    assert!(scene.window.is_independent());
}

/// Two sizes of a picture whose key frames come when they are asked for, and not at once.
#[test]
fn renditions_on_a_grid_are_cut_alike_and_number_alike() {
    let target = Target::new(options().segment);
    let grid = Grid::new(options().segment, Duration::from_millis(20_500), 1_000);
    let play = |first: i64, delay: i64| {
        let mut window = Window::new(options(), Numbers { sequence: 1_000, discontinuity: 0 }).sharing(&target);
        let container = Container::new(Format::Fmp4);
        let segmenter = Segmenter::new(options(), container, vec![video()], SystemTime::UNIX_EPOCH).unwrap();
        let mut segmenter = segmenter.on(Some(grid));
        let mut asked = Some(first);
        for ms in (first..40_000).step_by(40) {
            let random_access = asked.is_some_and(|asked| ms >= asked + delay);
            asked = asked.filter(|_| !random_access);
            let data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0x9a]);
            segmenter.push(0, Frame { dts: ms * 90, pts: ms * 90, random_access, data }, &mut window).unwrap();
            if segmenter.wants_key_frame() && asked.is_none() {
                asked = Some(ms);
            }
        }
        let starts = window.segments().map(|segment| {
            let start = segment.time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            (segment.sequence, start.as_millis())
        });
        starts.collect::<Vec<_>>()
    };
    let (large, small) = (play(13_000, 0), play(15_280, 160));
    assert!(large.len() > 10 && small.len() > 9, "{large:?} {small:?}");
    // The first one is half a slot long at least, and the second one may so begin later in its slot.
    assert!(small[1].1.abs_diff(large.iter().find(|(other, _)| *other == small[1].0).unwrap().1) < 1_000, "{small:?}");
    for (sequence, start) in &small[2..] {
        let other = large.iter().find(|(other, _)| other == sequence).unwrap();
        assert!(start.abs_diff(other.1) < 300, "{sequence}: {start} and {}", other.1);
    }
    assert!(large.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{large:?}");
    assert_eq!(target.get(), Duration::from_secs(2));
}

/// On a grid: whenever the encoder begins, its groups of two seconds are a segment each, and sound that begins at any
/// time has no first segment of less than half a slot.
#[test]
fn groups_as_long_as_a_slot_are_a_segment_each_wherever_they_begin() {
    for first in (10_000..14_000).step_by(70) {
        let grid = Grid::new(options().segment, Duration::from_millis(20_500), 1_000);
        for (group, shortest, longest) in [(2_000, 2_000, 2_000), (10, 1_000, 2_000)] {
            let mut window = Window::new(options(), Numbers { sequence: 1_000, discontinuity: 0 });
            let container = Container::new(Format::Fmp4);
            let segmenter = Segmenter::new(options(), container, vec![video()], SystemTime::UNIX_EPOCH).unwrap();
            let mut segmenter = segmenter.on(Some(grid));
            for ms in (first..first + 20_000).step_by(10) {
                let data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0x9a]);
                let random_access = (ms - first) % group == 0;
                segmenter.push(0, Frame { dts: ms * 90, pts: ms * 90, random_access, data }, &mut window).unwrap();
            }
            let lengths: Vec<_> = window.segments().map(|segment| segment.duration.as_millis()).collect();
            let is_right = lengths.iter().all(|length| (shortest..=longest).contains(length));
            assert!(is_right && lengths.len() >= 8, "groups of {group} from {first}: {lengths:?}");
        }
    }
}

/// An hour of a stream stays within what the window says, however the source sends it.
#[test]
fn an_hour_of_a_stream_is_kept_in_its_window_and_no_more() {
    let bytes_max = 4 << 20;
    for (keep, group, size) in [(30, 2_000, 1_000), (30, 60_000, 1_000), (600, 2_000, 20_000)] {
        let options = WindowOptions { keep: Duration::from_secs(keep), bytes_max, ..options() };
        let numbers = Numbers { sequence: 5, discontinuity: 0 };
        let mut window = Window::new(options, numbers);
        let container = Container::new(Format::Fmp4);
        let mut segmenter = Segmenter::new(options, container, vec![video()], SystemTime::UNIX_EPOCH).unwrap();
        let data = Bytes::from(vec![7; size]);
        let (mut most, mut first) = (0, 5);
        for ms in (0..3_600_000).step_by(100) {
            let frame = Frame { dts: ms * 90, pts: ms * 90, random_access: ms % group == 0, data: data.clone() };
            segmenter.push(0, frame, &mut window).unwrap();
            most = most.max(window.bytes());
            let now = window.segments().next().map_or(first, |segment| segment.sequence);
            assert!(now >= first, "numbers run back");
            first = now;
        }
        let listed: Duration = window.segments().map(|segment| segment.duration).sum();
        // At 10 pictures in a second; headers of parts besides.
        let longest = window.target().as_secs() + 1;
        let of_time = (keep + 4 * longest) * 10 * (size as u64 + 300);
        assert!(most <= of_time.min(bytes_max + longest * 10 * size as u64), "{most} bytes for {keep} s of {size}");
        assert!(listed.as_secs() <= keep + longest, "{listed:?} in a window of {keep} s");
        assert!(window.bytes() >= of_time.min(bytes_max) / 2, "{} bytes: hardly any is kept", window.bytes());
    }
}

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use quick_m3u8::{
    HlsLine, Reader,
    config::ParsingOptionsBuilder,
    tag::{KnownTag, hls::Tag},
};

use super::*;
use crate::{
    names::{Names, RenditionName},
    window::{Begin, Init, Numbers, Part, Window, WindowOptions},
};

fn window(part: Option<Duration>, segments: usize) -> Window {
    let keep = Duration::from_secs(60);
    let options = WindowOptions { segment: Duration::from_secs(2), part, keep, bytes_max: 1 << 20 };
    let mut window = Window::new(options, Numbers { sequence: 7, discontinuity: 1 });
    for segment in 0..segments {
        begin(&mut window, segment as u64);
        (0..10).for_each(|index| push(&mut window, index == 0));
    }
    window.close();
    window
}

/// Another init segment for every other segment, with a discontinuity each time.
fn begin(window: &mut Window, segment: u64) {
    let init = Some(Arc::new(Init { key: segment / 2, data: Bytes::new(), parameters: Vec::new() }));
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250 + segment * 2_000);
    window.begin(Begin { init, is_discontinuous: segment.is_multiple_of(2), time });
}

fn push(window: &mut Window, is_independent: bool) {
    window.push(Part {
        duration: Duration::from_millis(200),
        is_independent,
        frames: 6,
        data: Bytes::from_static(b"data"),
    });
}

fn write(window: &Window, skip: bool, query: &str, reports: &[Report]) -> String {
    let rendition = RenditionName::new("main").unwrap();
    let names = Names { rendition: &rendition, is_ts: false, query };
    MediaPlaylist { window, names, skip, reports }.write()
}

/// The tags of a playlist as another implementation reads it, which must know all of them.
fn tags(text: &str) -> Vec<String> {
    let options = ParsingOptionsBuilder::new().with_parsing_for_all_tags().build();
    let mut reader = Reader::from_str(text, options);
    let mut tags = Vec::new();
    while let Some(line) = reader.read_line().unwrap_or_else(|error| panic!("{error:?} in\n{text}")) {
        match line {
            HlsLine::KnownTag(KnownTag::Hls(tag)) => tags.push(name(&tag)),
            HlsLine::Uri(uri) => tags.push(format!("uri {uri}")),
            other => panic!("{other:?} in\n{text}"),
        }
    }
    tags
}

fn name(tag: &Tag<'_>) -> String {
    match tag {
        Tag::Part(part) => format!("part {} {} {}", part.duration(), part.independent(), part.uri()),
        Tag::PreloadHint(hint) => format!("hint {}", hint.uri()),
        Tag::Skip(skip) => format!("skip {}", skip.skipped_segments()),
        Tag::Inf(inf) => format!("inf {}", inf.duration()),
        Tag::Map(map) => format!("map {}", map.uri()),
        Tag::RenditionReport(report) => {
            format!("report {} {} {:?}", report.uri(), report.last_msn(), report.last_part())
        }
        Tag::Discontinuity(_) => "discontinuity".to_owned(),
        Tag::Endlist(_) => "end".to_owned(),
        Tag::ServerControl(control) => format!(
            "control {} {:?} {:?} {:?}",
            control.can_block_reload(),
            control.hold_back(),
            control.part_hold_back(),
            control.can_skip_until()
        ),
        _ => "other".to_owned(),
    }
}

fn count(tags: &[String], prefix: &str) -> usize {
    tags.iter().filter(|tag| tag.starts_with(prefix)).count()
}

#[test]
fn a_low_latency_playlist_lists_the_parts_at_its_end_and_hints_at_the_next() {
    let mut window = window(Some(Duration::from_millis(200)), 10);
    begin(&mut window, 11);
    push(&mut window, true);
    push(&mut window, false);
    let audio = RenditionName::new("audio").unwrap();
    let reports = [Report { rendition: audio, sequence: 17, part: Some(1) }];
    let text = write(&window, false, "", &reports);
    let tags = tags(&text);
    assert_eq!(count(&tags, "inf 2"), 10, "{text}");
    assert_eq!(count(&tags, "part 0.2"), 2 * 10 + 2, "of what lies within three target durations of the end");
    assert_eq!(count(&tags, "discontinuity"), 4, "but for the first of all");
    assert_eq!(count(&tags, "map"), 6 - 1 + 1);
    assert_eq!(count(&tags, "control true Some(6.0) Some(0.66) Some(12.0)"), 1, "{text}");
    let key = window.open().unwrap().key;
    assert!(tags.contains(&format!("hint _main-17.2-{key:016x}.m4s")), "{text}");
    assert!(tags.contains(&"report _audio.m3u8 17 Some(1)".to_owned()), "{text}");
    assert!(text.contains("\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.250Z\n"), "{text}");
    assert!(text.contains("\n#EXT-X-PART-INF:PART-TARGET=0.22000\n"), "{text}");
}

#[test]
fn a_delta_update_leaves_out_what_is_older_than_six_target_durations() {
    let window = window(Some(Duration::from_millis(200)), 10);
    let text = write(&window, true, "", &[]);
    let tags = tags(&text);
    assert_eq!((count(&tags, "skip 4"), count(&tags, "inf")), (1, 6), "{text}");
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:7\n"), "{text}");
    let young = super::tests::window(Some(Duration::from_millis(200)), 6);
    assert!(!write(&young, true, "", &[]).contains("SKIP:"), "nothing to leave out");
}

#[test]
fn a_playlist_without_parts_is_what_older_players_know() {
    let mut window = window(None, 5);
    begin(&mut window, 6);
    push(&mut window, true);
    let text = write(&window, true, "", &[]);
    assert_eq!(count(&tags(&text), "part") + count(&tags(&text), "hint") + count(&tags(&text), "skip"), 0, "{text}");
    window.end();
    let text = write(&window, false, "", &[]);
    let (rest, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty() && playlist.end_list && playlist.independent_segments, "{text}");
    assert_eq!((playlist.media_sequence, playlist.discontinuity_sequence, playlist.target_duration), (7, 1, 2));
    assert_eq!(playlist.segments.len(), 6);
    let maps: Vec<bool> = playlist.segments.iter().map(|segment| segment.map.is_some()).collect();
    assert_eq!(maps, [true, false, true, false, true, true]);
    let first = playlist.segments.first().unwrap();
    let time = first.program_date_time.unwrap().timestamp_millis();
    assert_eq!((first.duration, time), (2.0, 1_700_000_000_250));
}

#[test]
fn what_a_viewer_brought_is_carried_into_every_address() {
    let mut window = window(Some(Duration::from_millis(200)), 3);
    begin(&mut window, 4);
    push(&mut window, true);
    let audio = RenditionName::new("audio").unwrap();
    let text = write(&window, false, "?token=a%2Fb", &[Report { rendition: audio, sequence: 9, part: None }]);
    let addresses: Vec<&str> = text.lines().filter(|line| line.contains("_main-") || line.contains("_audio")).collect();
    assert!(addresses.len() > 25 && addresses.iter().all(|line| line.contains("?token=a%2Fb")), "{text}");
}

#[test]
fn a_multivariant_playlist_says_what_players_choose_by() {
    let variant = |name: &str, bandwidth, resolution| Variant {
        address: format!("_{name}.m3u8?viewer=1"),
        bandwidth,
        average_bandwidth: bandwidth / 2,
        codecs: vec!["avc1.42c01f".into(), "mp4a.40.2".into()],
        resolution: Some(resolution),
        frame_rate: Some(29.97),
        has_audio_group: true,
    };
    let variants = vec![variant("video.h", 2_500_000, (1280, 720)), variant("video.l", 300_000, (320, 180))];
    let audio = Some(AudioGroup { address: "_audio.m3u8?viewer=1".into(), channels: Some(2) });
    let text = Multivariant { variants, audio, is_independent: true }.write();
    tags(&text);
    let (_, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    let [high, low] = &playlist.variants[..] else { panic!("{text}") };
    assert_eq!((high.bandwidth, high.average_bandwidth, high.frame_rate), (2_500_000, Some(1_250_000), Some(29.97)));
    assert_eq!(low.resolution.map(|size| (size.width, size.height)), Some((320, 180)));
    assert_eq!((low.codecs.as_deref(), low.audio.as_deref()), (Some("avc1.42c01f,mp4a.40.2"), Some("audio")));
    let [group] = &playlist.alternatives[..] else { panic!("{text}") };
    assert_eq!(
        (group.uri.as_deref(), group.group_id.as_str(), group.default),
        (Some("_audio.m3u8?viewer=1"), "audio", true)
    );
}

use super::*;

fn media(text: &str) -> Media {
    match Playlist::parse(text).unwrap() {
        Playlist::Media(media) => *media,
        other => panic!("{other:?}"),
    }
}

fn uri(resource: &Option<Resource>) -> &str {
    &resource.as_ref().unwrap().uri
}

#[test]
fn a_low_latency_playlist_is_read_with_its_parts_and_its_hint() {
    let media = media(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,HOLD-BACK=6.0\n#EXT-X-PART-INF:PART-TARGET=0.2\n\
         #EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2.0,\n7.m4s\n#EXT-X-DISCONTINUITY\n\
         #EXT-X-MAP:URI=\"other.mp4\",BYTERANGE=\"100@20\"\n\
         #EXT-X-PART:DURATION=1.0,URI=\"8.1.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1.0,URI=\"8.2.m4s\",GAP=YES\n\
         #EXTINF:2.0,\n8.m4s\n#EXT-X-PART:DURATION=0.2,URI=\"9.1.m4s\",INDEPENDENT=YES\n\
         #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.2.m4s\"\n#EXT-X-UNKNOWN:1\n",
    );
    assert_eq!((media.first, media.target, media.blocks), (7, Duration::from_secs(2), true));
    assert_eq!(media.part_hold_back, Some(Duration::from_millis(600)));
    let [seven, eight] = &media.segments[..] else { panic!("{media:?}") };
    assert_eq!((uri(&seven.media), uri(&seven.map), seven.has_break), ("7.m4s", "init.mp4", false));
    assert_eq!((uri(&eight.media), uri(&eight.map), eight.has_break), ("8.m4s", "other.mp4", true));
    assert_eq!(eight.map.as_ref().unwrap().range, Some(20..120));
    assert_eq!((uri(&eight.parts[0].media), eight.parts[0].is_independent), ("8.1.m4s", true));
    assert_eq!((&eight.parts[1].media, eight.parts.len()), (&None, 2));
    assert_eq!(
        (uri(&media.open.parts[0].media), uri(&media.hint), uri(&media.open.map)),
        ("9.1.m4s", "9.2.m4s", "other.mp4")
    );
    assert!(!media.has_ended);
}

#[test]
fn ranges_go_on_where_the_one_before_ends_and_gaps_are_missing() {
    let media = media(
        "#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:4,\r\n#EXT-X-BYTERANGE:100@50\r\nall.ts\r\n#EXTINF:4,\r\n\
         #EXT-X-BYTERANGE:70\r\nall.ts\r\n#EXT-X-GAP\r\n#EXTINF:4,\r\nnone.ts\r\n#EXT-X-ENDLIST\r\n",
    );
    let ranges: Vec<_> = media.segments.iter().map(|it| it.media.as_ref().map(|media| media.range.clone())).collect();
    assert_eq!(ranges, [Some(Some(50..150)), Some(Some(150..220)), None]);
    assert!(media.has_ended && !media.blocks && media.part_hold_back.is_none());
}

#[test]
fn a_rendition_is_chosen_with_its_sound() {
    let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"x.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"y\",DEFAULT=YES,URI=\"y.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO=\"a\"\nmiddle.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlow.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=3000,AUDIO=\"b\"\nhigh.m3u8\n";
    let Playlist::Multivariant(list) = Playlist::parse(text).unwrap() else { panic!("{text}") };
    assert_eq!(list.choose(Choice::First), (Some("middle.m3u8"), Some("y.m3u8")));
    assert_eq!(list.choose(Choice::Lowest), (Some("low.m3u8"), None));
    assert_eq!(list.choose(Choice::Highest), (Some("high.m3u8"), None));
}

#[test]
fn what_is_no_playlist_is_refused() {
    let cases = ["", "<html>", "#EXTM3U\n", "#EXTM3U\n#EXTINF:4,\nx.ts\n", "#EXTM3U\n#EXT-X-TARGETDURATION:0\n"];
    for text in cases {
        let failure = Playlist::parse(text).unwrap_err();
        assert_eq!(failure.reason, Reason::Protocol, "{text}");
    }
    // Numbers that make no sense are none.
    let odd = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:-4,\n#EXT-X-BYTERANGE:18446744073709551615@9\nx.ts\n";
    assert_eq!(media(odd).segments[0].duration, Duration::ZERO);
}

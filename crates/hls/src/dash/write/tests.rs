use super::*;
use crate::names::RenditionName;

fn mpd() -> Mpd {
    let picture = Representation {
        name: RenditionName::new("video.dash").unwrap(),
        codec: Some("avc1.42c01e".to_owned()),
        bandwidth: 206_512,
        resolution: Some((640, 360)),
        frame_rate: Some(29.97),
        sound: None,
        timescale: 90_000,
        key: 0xab,
        segments: vec![(541_890, 180_000), (721_890, 180_000), (901_890, 171_000)],
    };
    let sound = Representation {
        name: RenditionName::new("audio.dash").unwrap(),
        codec: Some("opus".to_owned()),
        bandwidth: 74_553,
        resolution: None,
        frame_rate: None,
        sound: Some((48_000, 2)),
        timescale: 48_000,
        key: 0xcd,
        segments: vec![(288_000, 96_000), (390_000, 96_000)],
    };
    let set = |kind, one| AdaptationSet { kind, is_independent: true, representations: vec![one] };
    let sets = vec![set(TrackKind::Video, picture), set(TrackKind::Audio, sound)];
    let start = Duration::from_micros(6_021_000);
    Mpd {
        anchor: Duration::from_secs(1_700_000_000),
        published: Duration::from_millis(1_700_000_012_345),
        update: Duration::from_secs(2),
        window: Duration::from_secs(30),
        longest: Duration::from_millis(2_100),
        end: None,
        periods: vec![PeriodElement { start, offset: start, sets }],
    }
}

#[test]
fn a_description_of_a_known_window() {
    let expected = r#"<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" availabilityStartTime="2023-11-14T22:13:20.000Z" publishTime="2023-11-14T22:13:32.345Z" minimumUpdatePeriod="PT2S" minBufferTime="PT2S" timeShiftBufferDepth="PT30S" suggestedPresentationDelay="PT6.300000S" maxSegmentDuration="PT2.100000S">
 <Period id="6021" start="PT6.021000S">
  <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
   <Representation id="video.dash" bandwidth="206512" codecs="avc1.42c01e" width="640" height="360" frameRate="30000/1001">
    <SegmentTemplate timescale="90000" presentationTimeOffset="541890" initialization="_video.dash-init-00000000000000ab.mp4?token=a&amp;x=1" media="_video.dash-t$Time$-00000000000000ab.m4s?token=a&amp;x=1">
     <SegmentTimeline>
      <S t="541890" d="180000" r="1"/>
      <S d="171000"/>
     </SegmentTimeline>
    </SegmentTemplate>
   </Representation>
  </AdaptationSet>
  <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
   <Representation id="audio.dash" bandwidth="74553" codecs="opus" audioSamplingRate="48000">
    <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
    <SegmentTemplate timescale="48000" presentationTimeOffset="289008" initialization="_audio.dash-init-00000000000000cd.mp4?token=a&amp;x=1" media="_audio.dash-t$Time$-00000000000000cd.m4s?token=a&amp;x=1">
     <SegmentTimeline>
      <S t="288000" d="96000"/>
      <S t="390000" d="96000"/>
     </SegmentTimeline>
    </SegmentTemplate>
   </Representation>
  </AdaptationSet>
 </Period>
 <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="_time.txt"/>
</MPD>"#;
    assert_eq!(mpd().write("", "?token=a&x=1", None), expected);
}

#[test]
fn the_end_of_a_stream_is_told_and_another_stream_is_led_to() {
    let text = Mpd { end: Some(Duration::from_secs(60)), ..mpd() }.write("/live/other/", "", None);
    assert!(text.contains(" mediaPresentationDuration=\"PT60S\"") && !text.contains("minimumUpdatePeriod"), "{text}");
    for address in ["_video.dash-init-00000000000000ab.mp4", "_audio.dash-t$Time$-00000000000000cd.m4s", "_time.txt"] {
        assert!(text.contains(&format!("=\"/live/other/{address}\"")), "{address} in {text}");
    }
}

#[test]
fn what_is_carried_cannot_leave_its_attribute() {
    let text = mpd().write("", "?x=\"><Period>&'", Some("?x=\"><Period>&'"));
    assert_eq!(text.matches("<Period").count(), 1, "{text}");
}

#[test]
fn where_it_is_read_again_stands_before_all_that_is_played() {
    let text = mpd().write("../~0a1b2c3d4e5f/room/", "", Some("../~0a1b2c3d4e5f/room/manifest.mpd?token=a&viewer=1"));
    let location = "<Location>../~0a1b2c3d4e5f/room/manifest.mpd?token=a&amp;viewer=1</Location>";
    let place = text.find(location).unwrap_or(usize::MAX);
    assert!(text.find("<Period").is_some_and(|period| place < period), "{text}");
    assert!(text.contains("value=\"../~0a1b2c3d4e5f/room/_time.txt\""), "{text}");
}

#[test]
fn frame_rates_are_numbers_or_fractions() {
    for (rate, expected) in [(25.0, "25"), (29.97, "30000/1001"), (23.976_024, "24000/1001"), (12.5, "12500/1000")] {
        assert_eq!(fraction(rate), expected);
    }
}

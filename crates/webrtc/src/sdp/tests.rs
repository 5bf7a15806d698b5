use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::{AudioFormat, ClockRate, Codec, Format as TrackFormat, TrackParameters, VideoFormat};
use str0m::crypto::Fingerprint;

use super::*;

/// What Chromium 156 offers for `recvonly` audio and video.
pub(crate) const CHROMIUM: &str = include_str!("chromium.sdp");

/// An offer as GStreamer's webrtcbin writes it: video first, the second section bundle-only, names in upper case.
const GSTREAMER: &str = "v=0\r
o=- 1 0 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=ice-options:trickle\r
a=group:BUNDLE video0 audio1\r
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r
c=IN IP4 0.0.0.0\r
a=setup:actpass\r
a=ice-ufrag:abcdefgh\r
a=ice-pwd:abcdefghijklmnopqrstuvwxyz012345\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=recvonly\r
a=rtpmap:96 H264/90000\r
a=rtcp-fb:96 nack\r
a=rtcp-fb:96 nack pli\r
a=fmtp:96 packetization-mode=1;profile-level-id=42c01f\r
a=rtpmap:97 rtx/90000\r
a=fmtp:97 apt=96\r
a=mid:video0\r
a=fingerprint:sha-256 F8:A1:15:E5:66:01:7F:ED:61:5C:5B:67:74:6A:62:A9:C5:42:7B:96:D8:B5:D3:34:2E:7B:D5:5B:53:52:13:BA\r
m=audio 0 UDP/TLS/RTP/SAVPF 98\r
c=IN IP4 0.0.0.0\r
a=setup:actpass\r
a=bundle-only\r
a=rtcp-mux\r
a=recvonly\r
a=rtpmap:98 OPUS/48000/2\r
a=mid:audio1\r
";

fn video(profile: u8, constraints: u8) -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: TrackFormat::Video(VideoFormat::default()),
        config: Bytes::copy_from_slice(&[1, profile, constraints, 0x28, 0xff]),
    }
}

fn audio(channels: u8) -> TrackParameters {
    TrackParameters {
        codec: Codec::Opus,
        clock_rate: ClockRate::OPUS,
        format: TrackFormat::Audio(AudioFormat { sample_rate: 48_000, channels }),
        config: Bytes::new(),
    }
}

fn section(offer: &Offer, kind: Kind) -> &MediaSection {
    offer.media.iter().find(|section| section.kind == kind).unwrap()
}

/// The video section of an offer with these H.264 payload types, numbered from 96.
fn h264_offer(parameters: &[&str]) -> Offer {
    let numbers: Vec<String> = (0..parameters.len()).map(|index| (96 + index).to_string()).collect();
    let mut text = GSTREAMER.split("m=video").next().unwrap().to_owned();
    text.push_str(&format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:video0\r\n", numbers.join(" ")));
    text.push_str("a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n");
    let fingerprint = GSTREAMER.lines().find(|line| line.starts_with("a=fingerprint")).unwrap();
    text.push_str(&format!("{fingerprint}\r\n"));
    for (number, parameters) in numbers.iter().zip(parameters) {
        text.push_str(&format!("a=rtpmap:{number} H264/90000\r\na=fmtp:{number} {parameters}\r\n"));
    }
    Offer::parse(&text).unwrap()
}

#[test]
fn an_h264_source_finds_a_label_that_the_peer_takes() {
    const BASELINE: &str = "packetization-mode=1;profile-level-id=42001f";
    const CONSTRAINED: &str = "packetization-mode=1;profile-level-id=42e01f";
    const MAIN: &str = "packetization-mode=1;profile-level-id=4d001f";
    const HIGH: &str = "packetization-mode=1;profile-level-id=64001f";
    let [base, constrained, main, high] = [(66, 0), (66, 0xc0), (77, 0x40), (100, 0)];
    type Case<'a> = (&'a str, (u8, u8), &'a [&'a str], Option<u8>);
    let cases: [Case<'_>; 10] = [
        ("its own profile", main, &[BASELINE, CONSTRAINED, MAIN], Some(98)),
        ("its own profile, if High is offered", high, &[CONSTRAINED, HIGH], Some(97)),
        ("Constrained Baseline for High", high, &[BASELINE, CONSTRAINED, MAIN], Some(97)),
        ("Baseline if there is nothing better", high, &[MAIN, BASELINE], Some(97)),
        ("its own", base, &[CONSTRAINED, BASELINE], Some(97)),
        ("its own", constrained, &[BASELINE, CONSTRAINED], Some(97)),
        ("a higher one can decode a lower one", base, &[HIGH], Some(96)),
        ("no parameters mean packetization mode 0", high, &["level-asymmetry-allowed=1"], None),
        ("mode 0 cannot carry fragments", high, &["packetization-mode=0;profile-level-id=42e01f"], None),
        ("no profile means Baseline", base, &["packetization-mode=1"], Some(96)),
    ];
    for (what, (profile, constraints), offered, expected) in cases {
        let offer = h264_offer(offered);
        let formats = choose(&offer.media[0], Some(&video(profile, constraints)));
        let chosen = formats.first().map(|format| format.payload_type);
        assert_eq!(chosen, expected, "{what}: {profile} of {offered:?}");
    }
}

#[test]
fn chromium_gets_every_codec_once_with_its_retransmission() {
    let offer = Offer::parse(CHROMIUM).unwrap();
    let formats = choose(section(&offer, Kind::Video), Some(&video(100, 0)));
    let h264 = formats.iter().find(|format| format.codec == Codec::H264).unwrap();
    assert_eq!((h264.payload_type, h264.retransmission), (108, Some(109)));
    assert_eq!(h264.feedback, ["goog-remb", "transport-cc", "nack", "nack pli", "ccm fir"]);
    let codecs: Vec<Codec> = formats.iter().map(|format| format.codec).collect();
    assert_eq!(codecs, [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1]);
    let sound = choose(section(&offer, Kind::Audio), Some(&audio(2)));
    let codecs: Vec<Codec> = sound.iter().map(|format| format.codec).collect();
    assert_eq!(codecs, [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]);
    assert!(sound[0].parameters.as_ref().unwrap().ends_with(";stereo=1;sprop-stereo=1"));
    let mono = choose(section(&offer, Kind::Audio), Some(&audio(1)));
    assert!(!mono[0].parameters.as_ref().unwrap().contains("stereo"));
}

#[test]
fn gstreamers_second_section_is_in_use_though_its_port_is_0() {
    let offer = Offer::parse(GSTREAMER).unwrap();
    assert!(offer.media.iter().all(|section| !section.disabled && section.bundled));
    assert_eq!(choose(&offer.media[1], None)[0].codec, Codec::Opus);
    assert_eq!(offer.ice.fragment, "abcdefgh");
    assert_eq!(offer.role, Role::Passive);
}

fn answer(offer: &Offer, decisions: &[Decision]) -> String {
    let ice = IceCredentials { fragment: "server12".into(), password: "p".repeat(32) };
    let fingerprint = Fingerprint { hash_func: "sha-256".into(), bytes: vec![0xab; 32] };
    let addresses = vec!["192.0.2.1:8189".parse().unwrap(), "[2001:db8::1]:8189".parse().unwrap()];
    let candidates = Candidates { udp: addresses.clone(), tcp: addresses };
    let local = Local {
        session: 7,
        ice: &ice,
        fingerprint: &fingerprint,
        candidates: &candidates,
        cname: "cname",
        mid_extension: Some(4),
    };
    write(offer, decisions, &local)
}

fn send(offer: &Offer, kind: Kind) -> Decision {
    Decision::Send {
        formats: choose(section(offer, kind), None),
        source: 11,
        retransmissions: Some(12),
        transport_extension: None,
        orientation_extension: None,
        label: None,
    }
}

#[test]
fn the_answer_has_udp_before_tcp_and_one_transport() {
    let offer = Offer::parse(CHROMIUM).unwrap();
    let text = answer(&offer, &[send(&offer, Kind::Audio), send(&offer, Kind::Video)]);
    let candidates: Vec<&str> = text.lines().filter(|line| line.starts_with("a=candidate")).collect();
    let carriers: Vec<&str> = candidates.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(carriers, ["udp", "udp", "tcp", "tcp"]);
    let priorities: Vec<u32> = candidates.iter().map(|line| line.split(' ').nth(3).unwrap().parse().unwrap()).collect();
    assert!(priorities.windows(2).all(|pair| pair[0] > pair[1]), "{priorities:?}");
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
    assert_eq!(text.matches("a=setup:passive\r\n").count(), 2);
    assert_eq!(text.matches("a=sendonly\r\n").count(), 2);
    assert!(text.contains("a=ssrc-group:FID 11 12\r\n"));
    let parsed = str0m::change::SdpAnswer::from_sdp_string(&text);
    assert!(parsed.is_ok(), "{parsed:?}\n{text}");
}

#[test]
fn refused_sections_keep_their_place_and_leave_the_bundle() {
    let offer = Offer::parse(CHROMIUM).unwrap();
    let text = answer(&offer, &[Decision::Refuse, send(&offer, Kind::Video)]);
    assert!(text.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9"));
    assert!(text.contains("a=group:BUNDLE 1\r\n"));
    let first_candidate = text.find("a=candidate").unwrap();
    assert!(first_candidate > text.find("m=video").unwrap(), "candidates stand in the first section in use");
}

#[test]
fn a_section_with_nothing_to_send_stays_idle_in_the_bundle() {
    let offer = Offer::parse(CHROMIUM).unwrap();
    let idle = Decision::Idle(choose(section(&offer, Kind::Audio), None).remove(0));
    let text = answer(&offer, &[idle, send(&offer, Kind::Video)]);
    assert!(text.contains("a=group:BUNDLE 0 1\r\n"));
    assert!(text.contains("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
    assert_eq!(text.matches("a=inactive\r\n").count(), 1);
}

#[test]
fn both_handshake_roles_are_answered() {
    let cases = [("actpass", "passive"), ("active", "passive"), ("passive", "active")];
    for (offered, expected) in cases {
        let text = CHROMIUM.replace("a=setup:actpass", &format!("a=setup:{offered}"));
        let offer = Offer::parse(&text).unwrap();
        let answer = answer(&offer, &[send(&offer, Kind::Audio), send(&offer, Kind::Video)]);
        assert!(answer.contains(&format!("a=setup:{expected}\r\n")), "{offered}");
    }
}

#[test]
fn offers_that_cannot_be_used_are_refused_with_the_reason() {
    let without = |prefix: &str| {
        let kept = CHROMIUM.lines().filter(|line| !line.starts_with(prefix));
        kept.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let cases = [
        ("".to_owned(), "not a valid SDP"),
        ("hello".to_owned(), "not a valid SDP"),
        (CHROMIUM.split("m=audio").next().unwrap().to_owned(), "no media section"),
        (without("a=ice-pwd"), "a=ice-pwd is missing"),
        (without("a=fingerprint"), "a=fingerprint is missing"),
        (without("a=group"), "a=group:BUNDLE"),
        (CHROMIUM.replace("a=fingerprint:sha-256", "a=fingerprint:md5"), "no valid sha-256"),
        (CHROMIUM.replace("a=ice-ufrag:BdVP", "a=ice-ufrag:B"), "4 to 256 characters"),
        (CHROMIUM.replace("a=ice-ufrag:BdVP", "a=ice-ufrag:<script>"), "characters"),
        (CHROMIUM.replace("a=setup:actpass", "a=setup:holdconn"), "a=setup"),
    ];
    for (text, expected) in cases {
        let error = Offer::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn with_lines(prefix: &str, count: usize) -> String {
    let mut text = CHROMIUM.to_owned();
    for index in 0..count {
        text.push_str(&format!("{prefix}{index} 1 udp 1 192.0.2.1 9 typ host\r\n"));
    }
    text
}

#[test]
fn attack_w11_session_description_bombs_are_refused_and_counted() {
    let many_types: Vec<String> = (0..129).map(|number| number.to_string()).collect();
    let section = format!("m=audio 9 UDP/TLS/RTP/SAVPF {}\r\n", many_types.join(" "));
    let fingerprint = CHROMIUM.lines().find(|line| line.starts_with("a=fingerprint")).unwrap();
    let many_prints = CHROMIUM.replace(fingerprint, &[fingerprint; 5].join("\r\n"));
    let cases = [
        ("a megabyte in a line", format!("{CHROMIUM}a=x:{}\r\n", "y".repeat(1 << 20)), "bytes"),
        ("a hundred thousand lines", "\n".repeat(60_000), "lines"),
        ("three thousand sections", format!("{CHROMIUM}{}", "m=audio 9 X 0\r\n".repeat(3_000)), "m-lines"),
        ("129 payload types", format!("{CHROMIUM}{section}"), "payload types"),
        ("65 candidates", with_lines("a=candidate:", 65), "candidates"),
        ("5 fingerprints", many_prints, "fingerprints"),
        ("a payload type of 128", CHROMIUM.replace("SAVPF 111 63", "SAVPF 128 63"), "0 to 127"),
        ("a payload type that is none", CHROMIUM.replace("SAVPF 111 63", "SAVPF x 63"), "0 to 127"),
        ("a payload type twice", CHROMIUM.replace("SAVPF 111 63", "SAVPF 111 111"), "twice"),
        ("an endless name", CHROMIUM.replace("a=mid:0", &format!("a=mid:{}", "0".repeat(65))), "a=mid"),
    ];
    for (what, text, expected) in cases {
        let error = Offer::parse(&text).expect_err(what).to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn attack_w11_the_largest_accepted_description_is_read_quickly() {
    let mut text = CHROMIUM.to_owned();
    while text.len() < headwater_media::limits::SDP_BYTES.get_usize() - 100 {
        text.push_str("a=rtcp-fb:96 nack pli\r\n");
    }
    let begin = Instant::now();
    let offer = Offer::parse(&text).unwrap();
    choose(section(&offer, Kind::Video), None);
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
}

#[test]
fn no_prefix_of_an_offer_and_no_missing_line_does_harm() {
    for length in 0..CHROMIUM.len() {
        let _ = Offer::parse(&CHROMIUM[..length]);
    }
    let lines: Vec<&str> = CHROMIUM.lines().collect();
    for missing in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != missing);
        let text: String = kept.map(|(_, line)| format!("{line}\n")).collect();
        if let Ok(offer) = Offer::parse(&text) {
            for section in &offer.media {
                choose(section, Some(&video(100, 0)));
            }
        }
    }
}

#[test]
fn fragments_are_read_and_written() {
    let text = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
                a=candidate:1 1 udp 2 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let fragment = Fragment::parse(text).unwrap();
    assert_eq!((fragment.ice_fragment(), fragment.candidates()), ("EsAw", 1));
    for length in 0..text.len() {
        let _ = Fragment::parse(&text[..length]);
    }
    assert!(Fragment::parse("a=ice-ufrag:EsAw\r\n").is_err());
    let many = format!("{text}{}", "a=candidate:1 1 udp 2 192.0.2.1 61764 typ host\r\n".repeat(64));
    assert!(Fragment::parse(&many).is_err());
    let candidates = Candidates { udp: vec!["192.0.2.1:8189".parse().unwrap()], tcp: Vec::new() };
    let written = write_fragment(&fragment.ice, &candidates, Some(("audio", "0")));
    assert_eq!(Fragment::parse(&written).unwrap(), fragment);
}

//! Which offered payload types can carry which codec, and which of them suits a source best.

use headwater_media::{Codec, TrackKind, TrackParameters};

use super::section::{Kind, MediaSection, Payload};

/// A payload type that the answer takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// The payload type of its retransmissions (RFC 4588).
    pub(crate) retransmission: Option<u8>,
    /// The rest of its `a=rtpmap`.
    pub(crate) map: String,
    pub(crate) parameters: Option<String>,
    pub(crate) feedback: Vec<&'static str>,
}

/// Feedback that is answered: retransmission, key-frame requests in both forms (RFC 4585 §6, RFC 5104 §4.3.1), and what
/// the network carries, in both forms.
const VIDEO_FEEDBACK: [&str; 5] = ["goog-remb", "transport-cc", "nack", "nack pli", "ccm fir"];

/// The formats of a section that can carry a track, one for each codec, in the order of the offer.
///
/// The source's parameters, where given, decide between several forms of its codec.
pub(crate) fn choose(section: &MediaSection, source: Option<&TrackParameters>) -> Vec<Format> {
    let mut chosen: Vec<(u8, &Payload, Codec)> = Vec::new();
    for payload in &section.payloads {
        let Some((codec, rank)) = carries(payload, source) else {
            continue;
        };
        if matches!(codec.kind(), TrackKind::Video) != (section.kind == Kind::Video) {
            continue;
        }
        match chosen.iter_mut().find(|(_, _, known)| *known == codec) {
            Some(known) if rank < known.0 => *known = (rank, payload, codec),
            Some(_) => {}
            None => chosen.push((rank, payload, codec)),
        }
    }
    chosen.into_iter().map(|(_, payload, codec)| format(section, payload, codec, source)).collect()
}

/// Feedback that a publisher is answered for: what asks for packets again, for key frames, and for a bitrate.
const PUBLISHER_FEEDBACK: [&str; 5] = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

/// All formats of a section that can be received, in the order of the offer, which is that of the peer's preference.
///
/// H.264 in packetization mode 0 is taken only where there is no mode 1: it cannot carry large slices.
pub(crate) fn receivable(section: &MediaSection, strip: &[Codec], bitrate: &BitrateRange) -> Vec<Format> {
    let is_video = section.kind == Kind::Video;
    let is_mode_1 = |payload: &Payload| parameter(payload, "packetization-mode") == Some("1");
    let has_mode_1 = section.payloads.iter().any(|payload| is_h264(payload) && is_mode_1(payload));
    let carried = section.payloads.iter().filter_map(|payload| {
        let codec = match is_h264(payload) {
            true => (is_mode_1(payload) || !has_mode_1).then_some(Codec::H264)?,
            false => carries(payload, None)?.0,
        };
        let fits = (codec.kind() == TrackKind::Video) == is_video && !strip.contains(&codec);
        fits.then_some((payload, codec))
    });
    let format = |(payload, codec): (&Payload, Codec)| {
        let offered = |kind: &&str| payload.feedback.iter().any(|feedback| feedback == *kind);
        Format {
            parameters: received_parameters(payload, codec, bitrate),
            feedback: PUBLISHER_FEEDBACK.iter().copied().filter(offered).collect(),
            ..format(section, payload, codec, None)
        }
    };
    carried.map(format).collect()
}

/// The bitrate that a publisher is asked to keep to, in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BitrateRange {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

fn is_h264(payload: &Payload) -> bool {
    payload.name.eq_ignore_ascii_case("H264") && payload.clock_rate == 90_000
}

/// What the publisher offered, and for video the words by which Chromium's encoder takes a floor and a ceiling.
fn received_parameters(payload: &Payload, codec: Codec, bitrate: &BitrateRange) -> Option<String> {
    let mut words: Vec<String> = payload.parameters.iter().cloned().collect();
    if codec == Codec::Opus && !payload.parameters.as_deref().unwrap_or_default().contains("stereo=1") {
        words.push("stereo=1".to_owned());
    }
    if codec.kind() == TrackKind::Video {
        let kilobits = |bits: u64| bits.div_ceil(1_000);
        words.extend(bitrate.min.map(|bits| format!("x-google-min-bitrate={}", kilobits(bits))));
        words.extend(bitrate.max.map(|bits| format!("x-google-max-bitrate={}", kilobits(bits))));
    }
    (!words.is_empty()).then(|| words.join(";"))
}

fn format(section: &MediaSection, payload: &Payload, codec: Codec, source: Option<&TrackParameters>) -> Format {
    let channels = if payload.channels > 1 { format!("/{}", payload.channels) } else { String::new() };
    let is_video = codec.kind() == TrackKind::Video;
    let offered = |kind: &&str| is_video && payload.feedback.iter().any(|feedback| feedback == *kind);
    Format {
        codec,
        payload_type: payload.number,
        retransmission: retransmission(section, payload.number),
        map: format!("{}/{}{channels}", payload.name, payload.clock_rate),
        parameters: parameters(payload, codec, source),
        feedback: VIDEO_FEEDBACK.iter().copied().filter(|kind| offered(kind)).collect(),
    }
}

fn retransmission(section: &MediaSection, of: u8) -> Option<u8> {
    let is_for = |payload: &&Payload| {
        payload.name.eq_ignore_ascii_case("rtx")
            && parameter(payload, "apt").and_then(|apt| apt.parse().ok()) == Some(of)
    };
    section.payloads.iter().find(is_for).map(|payload| payload.number)
}

/// The codec that a payload type carries, and how well its form suits the source: 0 is best.
fn carries(payload: &Payload, source: Option<&TrackParameters>) -> Option<(Codec, u8)> {
    let is = |name: &str, rate: u32| payload.name.eq_ignore_ascii_case(name) && payload.clock_rate == rate;
    let first_profile = |name: &str| u8::from(parameter(payload, name).is_some_and(|id| id != "0"));
    match () {
        () if is("H264", 90_000) => h264_rank(payload, source).map(|rank| (Codec::H264, rank)),
        () if is("H265", 90_000) => Some((Codec::H265, 0)),
        () if is("VP8", 90_000) => Some((Codec::Vp8, 0)),
        () if is("VP9", 90_000) => Some((Codec::Vp9, first_profile("profile-id"))),
        () if is("AV1", 90_000) => Some((Codec::Av1, first_profile("profile"))),
        () if is("opus", 48_000) => Some((Codec::Opus, 0)),
        () if is("PCMU", 8_000) && payload.channels == 1 => Some((Codec::Pcmu, 0)),
        () if is("PCMA", 8_000) && payload.channels == 1 => Some((Codec::Pcma, 0)),
        () if is("G722", 8_000) && payload.channels == 1 => Some((Codec::G722, 0)),
        () => None,
    }
}

/// The rank of an H.264 payload type; `None` where packets cannot be fragmented in it.
///
/// A decoder finds the profile in the stream itself, so a stream is sent under a label that browsers accept: its own
/// profile if that is offered, else Constrained Baseline, which all of them offer.
///
/// Source: RFC 6184 §8.1, where absent `packetization-mode` is 0 and absent `profile-level-id` is Baseline.
fn h264_rank(payload: &Payload, source: Option<&TrackParameters>) -> Option<u8> {
    if parameter(payload, "packetization-mode") != Some("1") {
        return None;
    }
    let offered = parameter(payload, "profile-level-id").and_then(h264_profile).unwrap_or(BASELINE);
    let own = source.filter(|source| source.codec == Codec::H264).and_then(|source| {
        let record = source.config.get(1..3)?;
        Some(H264Profile::new(*record.first()?, *record.get(1)?))
    });
    Some(match offered {
        profile if own == Some(profile) => 0,
        CONSTRAINED_BASELINE => 1,
        BASELINE => 2,
        H264Profile { idc: 77, .. } => 3,
        H264Profile { idc: 100, .. } => 4,
        _ => 5,
    })
}

/// `profile_idc`, and for Baseline whether `constraint_set1_flag` makes it Constrained Baseline.
#[derive(Clone, Copy, PartialEq, Eq)]
struct H264Profile {
    idc: u8,
    constrained: bool,
}

const BASELINE: H264Profile = H264Profile { idc: 66, constrained: false };
const CONSTRAINED_BASELINE: H264Profile = H264Profile { idc: 66, constrained: true };

impl H264Profile {
    fn new(idc: u8, constraints: u8) -> H264Profile {
        H264Profile { idc, constrained: idc == 66 && constraints & 0x40 != 0 }
    }
}

fn h264_profile(text: &str) -> Option<H264Profile> {
    let [_, idc, constraints, _] = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
    Some(H264Profile::new(idc, constraints))
}

fn parameters(payload: &Payload, codec: Codec, source: Option<&TrackParameters>) -> Option<String> {
    let offered = payload.parameters.as_deref();
    match codec {
        Codec::H264 => {
            let profile = parameter(payload, "profile-level-id").unwrap_or("42e01f");
            Some(format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"))
        }
        Codec::Opus => {
            let stereo = source.and_then(TrackParameters::audio).is_none_or(|audio| audio.channels > 1);
            let mut text = offered.unwrap_or("minptime=10;useinbandfec=1").to_owned();
            for word in ["stereo=1", "sprop-stereo=1"].into_iter().filter(|_| stereo) {
                if !text.split(';').any(|known| known.trim() == word) {
                    text = format!("{text};{word}");
                }
            }
            Some(text)
        }
        _ => offered.map(str::to_owned),
    }
}

fn parameter<'a>(payload: &'a Payload, name: &str) -> Option<&'a str> {
    let pairs = payload.parameters.as_deref()?.split(';').filter_map(|pair| pair.split_once('='));
    let mut of_name = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    of_name.next().map(|(_, value)| value.trim())
}

//! Writes an offer that asks another server for a stream, or brings it one.
//!
//! What is asked for may come in every codec that lanes can carry, so that the other server sends what it has and
//! transcodes nothing. What is brought is offered in the codecs that the stream has.

use headwater_media::{Codec, TrackKind};
use str0m::crypto::Fingerprint;

use super::{
    extension,
    offer::IceCredentials,
    section::{OfferedSource, RENDITION, RENDITION_OF},
};

/// H.264 profiles: the server sends under the one that fits its source best, or under Constrained Baseline.
const H264_PROFILES: [&str; 4] = ["42e01f", "42001f", "4d001f", "64001f"];
/// What lost packets, lost pictures and the state of the network are told by (RFC 4585 §6, RFC 5104 §4.3.1).
const FEEDBACK: [&str; 5] = ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"];
/// The first payload type of the dynamic range (RFC 3551 §6) that is used for pictures.
const FIRST_VIDEO: u8 = 96;
/// Behind those of the pictures and of their retransmissions: in a bundle each stands for one thing (RFC 8843 §10.1.1).
const OPUS: u8 = 112;

/// Numbers of the header extensions (RFC 8285): the same in both sections, as they are in one bundle.
const EXTENSIONS: [(u8, &str); 5] = [
    (1, extension::MID),
    (2, extension::TRANSPORT_SEQUENCE),
    (3, extension::ORIENTATION),
    (4, extension::CAPTURE_TIME),
    (5, extension::AUDIO_LEVEL),
];
/// How many of them, from the first on, are written by this side.
const EXTENSIONS_SENT: usize = 3;

/// One media section of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProposedSection {
    pub(crate) kind: TrackKind,
    /// The best first.
    pub(crate) codecs: Vec<Codec>,
    /// Of what this side sends; `None` where it receives.
    pub(crate) sources: Option<OfferedSource>,
    /// The number of the section whose picture it takes or holds another rendition of.
    pub(crate) rendition_of: Option<usize>,
    /// The rendition that it holds or is to hold, where each has a section of its own.
    pub(crate) label: Option<String>,
}

impl ProposedSection {
    /// Sections for everything that can be received.
    pub(crate) fn receiving() -> Vec<ProposedSection> {
        ProposedSection::receiving_renditions(vec![None])
    }

    /// The same with the picture in a section for each of these: one of that label, or whichever there is.
    pub(crate) fn receiving_renditions(labels: Vec<Option<String>>) -> Vec<ProposedSection> {
        let audio = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        let video = vec![Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H265];
        let section =
            |kind, codecs, rendition_of, label| ProposedSection { kind, codecs, sources: None, rendition_of, label };
        let mut sections = vec![section(TrackKind::Audio, audio, None, None)];
        for (index, label) in labels.into_iter().enumerate() {
            let rendition_of = (index > 0).then_some(1);
            sections.push(section(TrackKind::Video, video.clone(), rendition_of, label));
        }
        sections
    }
}

/// This side of an offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposer<'a> {
    pub(crate) ice: &'a IceCredentials,
    pub(crate) fingerprint: &'a Fingerprint,
    /// The canonical name of the sources (RFC 7022).
    pub(crate) cname: &'a str,
}

/// An offer with these sections, each either to send or to receive (RFC 8829 §5.2).
///
/// It names no candidates: the other server learns this side's address from its checks (RFC 8445 §7.3.1.3).
pub(crate) fn propose(proposer: Proposer<'_>, sections: &[ProposedSection]) -> String {
    let mut sdp = String::with_capacity(4_096);
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut line = |text: &str| {
        sdp.push_str(text);
        sdp.push_str("\r\n");
    };
    line("v=0");
    line(&format!("o=- {} 1 IN IP4 0.0.0.0", rand::random::<u64>() >> 2));
    line("s=-");
    line("t=0 0");
    line(&format!("a=group:BUNDLE {}", mids.join(" ")));
    line("a=ice-options:trickle ice2");
    line("a=msid-semantic: WMS *");
    for (section, mid) in sections.iter().zip(&mids) {
        let payloads = payloads(section);
        let numbers: Vec<String> =
            payloads.iter().flat_map(Payload::numbers).map(|number| number.to_string()).collect();
        line(&format!("m={} 9 UDP/TLS/RTP/SAVPF {}", section.kind, numbers.join(" ")));
        transport(&mut line, proposer, section, mid);
        if let Some(first) = section.rendition_of.and_then(|first| mids.get(first)) {
            line(&format!("a={RENDITION_OF}:{first}"));
        }
        if let Some(label) = &section.label {
            let attribute = if section.sources.is_some() { "label" } else { RENDITION };
            line(&format!("a={attribute}:{label}"));
        }
        payloads.iter().for_each(|payload| payload.write(&mut line));
        if let Some(sources) = &section.sources {
            write_sources(&mut line, section.kind, sources, proposer.cname);
        }
    }
    sdp
}

fn transport(line: &mut dyn FnMut(&str), proposer: Proposer<'_>, section: &ProposedSection, mid: &str) {
    let Proposer { ice, fingerprint, .. } = proposer;
    line("c=IN IP4 0.0.0.0");
    line(&format!("a=mid:{mid}"));
    line(&format!("a=ice-ufrag:{}", ice.fragment));
    line(&format!("a=ice-pwd:{}", ice.password));
    let digits: Vec<String> = fingerprint.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    line(&format!("a=fingerprint:{} {}", fingerprint.hash_func, digits.join(":")));
    line("a=setup:actpass");
    line(if section.sources.is_some() { "a=sendonly" } else { "a=recvonly" });
    line("a=rtcp-mux");
    line("a=rtcp-rsize");
    let written = if section.sources.is_some() { EXTENSIONS_SENT } else { EXTENSIONS.len() };
    let of_kind = |uri: &str| match section.kind {
        TrackKind::Audio => uri != extension::ORIENTATION,
        TrackKind::Video => uri != extension::AUDIO_LEVEL,
    };
    for (number, uri) in EXTENSIONS.iter().take(written).filter(|(_, uri)| of_kind(uri)) {
        line(&format!("a=extmap:{number} {uri}"));
    }
}

/// One payload type, with that of its retransmissions.
struct Payload {
    number: u8,
    retransmission: Option<u8>,
    map: &'static str,
    parameters: Option<String>,
}

impl Payload {
    fn numbers(&self) -> impl Iterator<Item = u8> {
        [Some(self.number), self.retransmission].into_iter().flatten()
    }

    fn write(&self, line: &mut dyn FnMut(&str)) {
        let number = self.number;
        line(&format!("a=rtpmap:{number} {}", self.map));
        if let Some(retransmission) = self.retransmission {
            FEEDBACK.iter().for_each(|kind| line(&format!("a=rtcp-fb:{number} {kind}")));
            line(&format!("a=rtpmap:{retransmission} rtx/90000"));
            line(&format!("a=fmtp:{retransmission} apt={number}"));
        } else if number == OPUS {
            line(&format!("a=rtcp-fb:{number} transport-cc"));
        }
        if let Some(parameters) = &self.parameters {
            line(&format!("a=fmtp:{number} {parameters}"));
        }
    }
}

/// The payload types of a section. A codec has the same number in every offer.
fn payloads(section: &ProposedSection) -> Vec<Payload> {
    let mut all = Vec::new();
    for codec in &section.codecs {
        let audio = |number, map, parameters: Option<&str>| Payload {
            number,
            retransmission: None,
            map,
            parameters: parameters.map(str::to_owned),
        };
        let video = |place: u8, map, parameters: Option<String>| {
            let number = FIRST_VIDEO + 2 * place;
            Payload { number, retransmission: Some(number + 1), map, parameters }
        };
        match codec {
            Codec::Opus => all.push(audio(OPUS, "opus/48000/2", Some("minptime=10;useinbandfec=1;stereo=1"))),
            Codec::G722 => all.push(audio(9, "G722/8000", None)),
            Codec::Pcma => all.push(audio(8, "PCMA/8000", None)),
            Codec::Pcmu => all.push(audio(0, "PCMU/8000", None)),
            Codec::H264 => all.extend((0..).zip(H264_PROFILES).map(|(place, profile)| {
                let words = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=";
                video(place, "H264/90000", Some(format!("{words}{profile}")))
            })),
            Codec::Vp8 => all.push(video(4, "VP8/90000", None)),
            Codec::Vp9 => all.push(video(5, "VP9/90000", Some("profile-id=0".into()))),
            Codec::Av1 => all.push(video(6, "AV1/90000", None)),
            Codec::H265 => all.push(video(7, "H265/90000", None)),
            _ => {}
        }
    }
    all
}

/// Source: RFC 5576 §4.1, RFC 4588 §8.3, RFC 8830.
fn write_sources(line: &mut dyn FnMut(&str), kind: TrackKind, sources: &OfferedSource, cname: &str) {
    line(&format!("a=msid:{cname} {cname}-{kind}"));
    if let Some(retransmissions) = sources.retransmissions {
        line(&format!("a=ssrc-group:FID {} {retransmissions}", sources.main));
    }
    for number in [Some(sources.main), sources.retransmissions].into_iter().flatten() {
        line(&format!("a=ssrc:{number} cname:{cname}"));
        line(&format!("a=ssrc:{number} msid:{cname} {cname}-{kind}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Kind, Offer, sdp::choose};

    fn read(sections: &[ProposedSection]) -> Offer {
        let ice = IceCredentials { fragment: "abcdefgh".into(), password: "p".repeat(32) };
        let fingerprint = Fingerprint { hash_func: "sha-256".into(), bytes: vec![0xab; 32] };
        let proposer = Proposer { ice: &ice, fingerprint: &fingerprint, cname: "here" };
        let offer = Offer::parse(&propose(proposer, sections)).unwrap();
        assert_eq!((&offer.ice, &offer.fingerprint), (&ice, &fingerprint));
        offer
    }

    fn codecs(offer: &Offer, index: usize) -> Vec<(Codec, bool)> {
        let formats = choose(&offer.media[index], None);
        formats.iter().map(|format| (format.codec, format.retransmission.is_some())).collect()
    }

    #[test]
    fn a_proposal_is_an_offer_that_takes_every_codec_with_retransmission() {
        let offer = read(&ProposedSection::receiving());
        let directions: Vec<_> = offer.media.iter().map(|section| (section.direction, section.bundled)).collect();
        assert_eq!(directions, [(Direction::ReceiveOnly, true); 2]);
        let sound = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        assert_eq!(codecs(&offer, 0), sound.map(|codec| (codec, false)));
        let picture = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H265];
        assert_eq!(codecs(&offer, 1), picture.map(|codec| (codec, true)));
    }

    #[test]
    fn further_sections_say_whose_renditions_they_take() {
        let offer = read(&ProposedSection::receiving_renditions(vec![None; 4]));
        let further: Vec<_> = offer.media.iter().map(|section| section.rendition_of.as_deref()).collect();
        assert_eq!(further, [None, None, Some("1"), Some("1"), Some("1")]);
        assert_eq!(offer.media[1].mid.as_deref(), Some("1"));
        assert_eq!(codecs(&offer, 4), codecs(&offer, 1));
        assert!(offer.media.iter().all(|section| section.direction == Direction::ReceiveOnly && section.bundled));
    }

    #[test]
    fn sections_say_which_renditions_they_are_to_hold_where_that_is_asked_for() {
        let offer = read(&ProposedSection::receiving_renditions(["f", "q"].map(|label| Some(label.to_owned())).into()));
        let told: Vec<_> = offer.media.iter().map(|one| (one.wanted.as_deref(), one.rendition_of.as_deref())).collect();
        assert_eq!(told, [(None, None), (Some("f"), None), (Some("q"), Some("1"))]);
        assert!(offer.media.iter().all(|section| section.label.is_none()));
        assert!(read(&ProposedSection::receiving()).media.iter().all(|section| section.wanted.is_none()));
    }

    #[test]
    fn what_is_brought_is_offered_in_its_own_codecs_with_its_sources() {
        let sources = OfferedSource { main: 7, retransmissions: Some(8) };
        let offer = read(&[
            ProposedSection {
                kind: TrackKind::Video,
                codecs: vec![Codec::Vp9],
                sources: Some(sources),
                rendition_of: None,
                label: None,
            },
            ProposedSection {
                kind: TrackKind::Audio,
                codecs: vec![Codec::Pcma, Codec::Opus],
                sources: Some(OfferedSource { main: 9, retransmissions: None }),
                rendition_of: None,
                label: None,
            },
        ]);
        let seen: Vec<_> = offer.media.iter().map(|section| (section.kind, section.direction)).collect();
        assert_eq!(seen, [(Kind::Video, Direction::SendOnly), (Kind::Audio, Direction::SendOnly)]);
        assert_eq!(codecs(&offer, 0), [(Codec::Vp9, true)]);
        assert_eq!(codecs(&offer, 1), [(Codec::Pcma, false), (Codec::Opus, false)]);
        assert_eq!(offer.media[0].sources, [sources]);
        assert_eq!(offer.media[1].sources[0].main, 9);
        let extensions: Vec<_> = offer.media[0].extensions.iter().map(|(_, uri)| uri.as_str()).collect();
        assert_eq!(extensions, [extension::MID, extension::TRANSPORT_SEQUENCE, extension::ORIENTATION]);
        let of_sound: Vec<_> = offer.media[1].extensions.iter().map(|(_, uri)| uri.as_str()).collect();
        assert_eq!(of_sound, [extension::MID, extension::TRANSPORT_SEQUENCE]);
    }

    #[test]
    fn renditions_that_are_brought_say_their_names_and_whose_they_are() {
        let section = |main, rendition_of, label: &str| ProposedSection {
            kind: TrackKind::Video,
            codecs: vec![Codec::Vp8],
            sources: Some(OfferedSource { main, retransmissions: Some(main + 1) }),
            rendition_of,
            label: Some(label.to_owned()),
        };
        let offer = read(&[section(1, None, "q"), section(3, Some(0), "h"), section(5, Some(0), "f")]);
        let told = offer.media.iter().map(|section| (section.label.as_deref(), section.rendition_of.as_deref()));
        assert_eq!(told.collect::<Vec<_>>(), [(Some("q"), None), (Some("h"), Some("0")), (Some("f"), Some("0"))]);
        let sources: Vec<_> = offer.media.iter().map(|section| section.sources[0].main).collect();
        assert_eq!(sources, [1, 3, 5]);
    }
}

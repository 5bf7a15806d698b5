//! Writes an offer that asks another server for a stream.
//!
//! It takes every codec that lanes can carry, so that the other server sends what it has and transcodes nothing.

use str0m::crypto::Fingerprint;

use super::{extension, offer::IceCredentials};

/// H.264 profiles: the server sends under the one that fits its source best, or under Constrained Baseline.
const H264_PROFILES: [&str; 4] = ["42e01f", "42001f", "4d001f", "64001f"];
/// What lost packets, lost pictures and the state of the network are told by (RFC 4585 §6, RFC 5104 §4.3.1).
const FEEDBACK: [&str; 5] = ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"];
/// The first payload type of the dynamic range (RFC 3551 §6) that is used for pictures.
const FIRST_VIDEO: u8 = 96;

/// Numbers of the header extensions (RFC 8285): the same in both sections, as they are in one bundle.
const EXTENSIONS: [(u8, &str); 4] = [
    (1, extension::MID),
    (2, extension::TRANSPORT_SEQUENCE),
    (3, extension::CAPTURE_TIME),
    (4, extension::AUDIO_LEVEL),
];

/// An offer with one section for sound and one for picture, both only to receive (RFC 8829 §5.2).
///
/// It names no candidates: the other server learns this side's address from its checks (RFC 8445 §7.3.1.3).
pub(crate) fn propose(ice: &IceCredentials, fingerprint: &Fingerprint) -> String {
    let mut sdp = String::with_capacity(4_096);
    let mut line = |text: &str| {
        sdp.push_str(text);
        sdp.push_str("\r\n");
    };
    line("v=0");
    line(&format!("o=- {} 1 IN IP4 0.0.0.0", rand::random::<u64>() >> 2));
    line("s=-");
    line("t=0 0");
    line("a=group:BUNDLE 0 1");
    line("a=ice-options:trickle ice2");
    let digits: Vec<String> = fingerprint.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let transport = |line: &mut dyn FnMut(&str), mid: &str| {
        line("c=IN IP4 0.0.0.0");
        line(&format!("a=mid:{mid}"));
        line(&format!("a=ice-ufrag:{}", ice.fragment));
        line(&format!("a=ice-pwd:{}", ice.password));
        line(&format!("a=fingerprint:{} {}", fingerprint.hash_func, digits.join(":")));
        line("a=setup:actpass");
        line("a=recvonly");
        line("a=rtcp-mux");
        line("a=rtcp-rsize");
        for (number, uri) in EXTENSIONS.iter().filter(|(_, uri)| mid == "0" || *uri != extension::AUDIO_LEVEL) {
            line(&format!("a=extmap:{number} {uri}"));
        }
    };

    line("m=audio 9 UDP/TLS/RTP/SAVPF 111 9 8 0");
    transport(&mut line, "0");
    line("a=rtpmap:111 opus/48000/2");
    line("a=fmtp:111 minptime=10;useinbandfec=1;stereo=1");
    line("a=rtcp-fb:111 transport-cc");
    line("a=rtpmap:9 G722/8000");
    line("a=rtpmap:8 PCMA/8000");
    line("a=rtpmap:0 PCMU/8000");

    let h264 = H264_PROFILES
        .map(|profile| ("H264", format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}")));
    let others =
        [("VP8", String::new()), ("VP9", "profile-id=0".into()), ("AV1", String::new()), ("H265", String::new())];
    let codecs: Vec<(u8, (&str, String))> = (FIRST_VIDEO..).step_by(2).zip(h264.into_iter().chain(others)).collect();
    let numbers: Vec<String> = codecs.iter().map(|(number, _)| format!("{number} {}", number + 1)).collect();
    line(&format!("m=video 9 UDP/TLS/RTP/SAVPF {}", numbers.join(" ")));
    transport(&mut line, "1");
    for (number, (name, parameters)) in &codecs {
        line(&format!("a=rtpmap:{number} {name}/90000"));
        FEEDBACK.iter().for_each(|kind| line(&format!("a=rtcp-fb:{number} {kind}")));
        if !parameters.is_empty() {
            line(&format!("a=fmtp:{number} {parameters}"));
        }
        line(&format!("a=rtpmap:{} rtx/90000", number + 1));
        line(&format!("a=fmtp:{} apt={number}", number + 1));
    }
    sdp
}

#[cfg(test)]
mod tests {
    use headwater_media::Codec;

    use super::*;
    use crate::{Direction, Offer, sdp::choose};

    #[test]
    fn a_proposal_is_an_offer_that_takes_every_codec_with_retransmission() {
        let ice = IceCredentials { fragment: "abcdefgh".into(), password: "p".repeat(32) };
        let fingerprint = Fingerprint { hash_func: "sha-256".into(), bytes: vec![0xab; 32] };
        let offer = Offer::parse(&propose(&ice, &fingerprint)).unwrap();
        assert_eq!((&offer.ice, &offer.fingerprint), (&ice, &fingerprint));
        let directions: Vec<_> = offer.media.iter().map(|section| (section.direction, section.bundled)).collect();
        assert_eq!(directions, [(Direction::ReceiveOnly, true); 2]);
        let codecs = |index: usize| -> Vec<_> {
            let formats = choose(&offer.media[index], None);
            formats.iter().map(|format| (format.codec, format.retransmission.is_some())).collect()
        };
        let sound = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        assert_eq!(codecs(0), sound.map(|codec| (codec, false)));
        let picture = [Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H265];
        assert_eq!(codecs(1), picture.map(|codec| (codec, true)));
    }
}

//! Random access points, seen in packets.

use headwater_media::Codec;
use headwater_rtp::{EntryFinder, PacketizerOptions};

use crate::fixtures::{audio_tracks, packets_of, video_tracks};

#[test]
fn entries_are_found_where_the_packetizer_says_they_are() {
    let sound = audio_tracks().into_iter().filter(|track| track.parameters.codec != Codec::Aac);
    for track in video_tracks().into_iter().chain(sound) {
        let mut finder = EntryFinder::new(track.parameters.codec);
        let packets: Vec<_> = packets_of(&track, PacketizerOptions::default()).into_iter().flatten().collect();
        assert!(packets.iter().any(|packet| packet.random_access), "{}", track.name);
        for packet in &packets {
            let found = finder.is_entry(packet.timestamp, &packet.payload);
            assert_eq!(found, packet.random_access, "{} at {}", track.name, packet.timestamp);
        }
    }
}

#[test]
fn no_payload_does_harm() {
    for track in video_tracks() {
        let mut finder = EntryFinder::new(track.parameters.codec);
        for length in 0..40 {
            for byte in 0..=255 {
                finder.is_entry(0, &vec![byte; length]);
                finder.parameters(&vec![byte; length]);
            }
        }
    }
}

#[test]
fn parameters_in_band_are_told_once() {
    for track in video_tracks().into_iter().filter(|track| matches!(track.parameters.codec, Codec::H264 | Codec::Vp8)) {
        let mut finder = EntryFinder::new(track.parameters.codec);
        let packets = packets_of(&track, PacketizerOptions::default()).into_iter().flatten();
        let mut found: Vec<_> = packets.filter_map(|packet| finder.parameters(&packet.payload)).collect();
        found.dedup();
        assert_eq!(found.len(), 1, "{}", track.name);
        assert_eq!(found[0].video().map(|video| (video.width, video.height)).unwrap(), (66, 50), "{}", track.name);
    }
}

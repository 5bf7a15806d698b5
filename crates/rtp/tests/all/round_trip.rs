//! What is packetized and depacketized comes back byte by byte, whatever the network does to the order.

use headwater_media::{Codec, Frame, Packet};
use headwater_rtp::{PacketizerOptions, Reorder, SequenceExtender, TimestampExtender, depacketizer};
use rstest::rstest;

use crate::fixtures::{
    Track, audio_tracks, drain, enlarge, frames_of, h264_frame, h265_frame, packets_of, video_tracks,
};

fn tracks() -> impl Iterator<Item = Track> {
    video_tracks().into_iter().chain(audio_tracks())
}

fn flat(track: &Track, options: PacketizerOptions) -> Vec<Packet> {
    packets_of(track, options).into_iter().flatten().collect()
}

/// What comes out behind a reorder window.
fn through_window<'a>(track: &Track, packets: impl IntoIterator<Item = &'a Packet>) -> Vec<Frame> {
    let mut window = Reorder::new(track.parameters.clock_rate);
    let mut depacketizer = depacketizer(&track.parameters).unwrap();
    for packet in packets {
        window.push(packet, |packet| depacketizer.push(packet));
    }
    drain(&mut *depacketizer).0
}

#[rstest]
#[case(128)]
#[case(500)]
#[case(1_172)]
#[case(8_000)]
fn every_frame_comes_back(#[case] payload_bytes_max: usize) {
    let options = PacketizerOptions { payload_bytes_max, ..PacketizerOptions::default() };
    for track in tracks() {
        // Sampled audio is cut into frames of its own where it does not fit.
        let is_cut =
            matches!(track.parameters.codec, Codec::Pcmu | Codec::Pcma | Codec::G722) && payload_bytes_max < 240;
        let packets = flat(&track, options);
        let longest = packets.iter().map(|packet| packet.payload.len()).max().unwrap();
        assert!(longest <= payload_bytes_max || track.parameters.codec == Codec::Opus, "{}", track.name);
        let frames = frames_of(&track.parameters, &packets);
        if !is_cut {
            assert_eq!(frames, track.frames, "{}", track.name);
        }
    }
}

#[test]
fn numbers_count_up_and_the_flags_stand_where_they_belong() {
    for track in tracks() {
        let frames = packets_of(&track, PacketizerOptions::default());
        let mut next = 0;
        for (packets, frame) in frames.iter().zip(&track.frames) {
            for (index, packet) in packets.iter().enumerate() {
                assert_eq!(packet.sequence, next);
                assert_eq!(packet.timestamp, frame.pts);
                assert_eq!(packet.random_access, frame.random_access && index == 0, "{}", track.name);
                if track.parameters.codec.kind() == headwater_media::TrackKind::Video {
                    assert_eq!(packet.marker, index + 1 == packets.len());
                }
                next += 1;
            }
        }
    }
}

#[test]
fn packets_that_overtake_each_other_are_put_in_order() {
    for track in tracks() {
        let mut packets = flat(&track, PacketizerOptions::default());
        packets[1..].chunks_mut(5).for_each(<[Packet]>::reverse);
        assert_eq!(through_window(&track, &packets), track.frames, "{}", track.name);
    }
}

#[test]
fn packets_that_come_twice_count_once() {
    for track in tracks() {
        let packets = flat(&track, PacketizerOptions::default());
        let twice = packets.iter().flat_map(|packet| [packet, packet]);
        assert_eq!(frames_of(&track.parameters, twice.clone()), track.frames, "{}", track.name);
        assert_eq!(through_window(&track, twice), track.frames, "{}", track.name);
    }
}

#[test]
fn wrapping_numbers_and_times_change_nothing() {
    for track in tracks() {
        let (mut sequences, mut times) = (SequenceExtender::default(), TimestampExtender::default());
        let (first_sequence, first_time) = (65_530u16, u32::MAX - 5_000);
        let received: Vec<Packet> = flat(&track, PacketizerOptions::default())
            .into_iter()
            .map(|packet| {
                let sequence = first_sequence.wrapping_add(packet.sequence as u16);
                let time = first_time.wrapping_add(packet.timestamp as u32);
                let timestamp = times.extend(time) - i64::from(first_time);
                Packet { sequence: sequences.extend(sequence), timestamp, ..packet }
            })
            .collect();
        assert_eq!(through_window(&track, &received), track.frames, "{}", track.name);
    }
}

#[test]
fn after_a_loss_video_goes_on_at_the_next_random_access_point() {
    for track in video_tracks() {
        let frames = packets_of(&track, PacketizerOptions::default());
        let packets: Vec<&Packet> = frames.iter().flatten().collect();
        // Lose each packet of the first group in turn: what comes out is decodable and nothing else.
        let group: usize = frames.iter().take(4).map(Vec::len).sum();
        for lost in 0..group {
            let rest = packets.iter().enumerate().filter(|(index, _)| *index != lost).map(|(_, packet)| *packet);
            let received = frames_of(&track.parameters, rest);
            let complete = frames.iter().position(|frame| frame.iter().any(|p| p.sequence == lost as u64)).unwrap();
            let kept = &received[..complete.min(received.len())];
            assert_eq!(kept, &track.frames[..kept.len()], "{}", track.name);
            let rest = &received[kept.len()..];
            assert!(rest.first().is_none_or(|frame| frame.random_access), "{}", track.name);
            assert!(rest.is_empty() || track.frames.ends_with(rest), "{} packet {lost}", track.name);
        }
    }
}

#[test]
fn a_key_frame_whose_beginning_is_lost_is_not_put_out() {
    for mut track in video_tracks() {
        let time = track.frames.last().unwrap().pts + 9_000;
        let codec = track.parameters.codec;
        let data = match codec {
            Codec::H264 => h264_frame(true, &[3_000, 3_000]),
            Codec::H265 => h265_frame(true, &[3_000, 3_000]),
            _ => enlarge(codec, &track.frames[0].data, 6_000),
        };
        track.frames.push(Frame { dts: time, pts: time, random_access: true, data });
        let frames = packets_of(&track, PacketizerOptions::default());
        let (key, before) = frames.split_last().unwrap();
        // Parameter sets in a packet of their own are known from the record; without them the frame is whole.
        let needed = if matches!(codec, Codec::H264 | Codec::H265) { 1 } else { 0 };
        for lost in needed + 1..key.len() {
            let packets = before.iter().flatten().chain(&key[lost..]);
            assert_eq!(frames_of(&track.parameters, packets).len(), before.len(), "{} without {lost}", track.name);
        }
    }
}

#[test]
fn lost_audio_packets_leave_the_others_alone() {
    for track in audio_tracks() {
        let frames = packets_of(&track, PacketizerOptions::default());
        let packets = frames.iter().enumerate().filter(|(index, _)| *index != 1).flat_map(|(_, packets)| packets);
        let mut expected = track.frames.clone();
        expected.remove(1);
        assert_eq!(frames_of(&track.parameters, packets), expected, "{}", track.name);
    }
}

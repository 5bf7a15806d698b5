//! What stands on the wire, format by format.

use bytes::Bytes;
use headwater_codec::{nal, parameters};
use headwater_media::{Codec, Format, Frame, Packet};
use headwater_rtp::{Depacketized, PacketizerOptions, Vp8Descriptor, Vp9Descriptor, depacketizer, packetizer};

use crate::fixtures::{
    Track, av1, baseline, drain, frames_of, h264_frame, hevc, high_b, packetize, packets_of, unit_types, vp8, vp9,
};

fn payloads(track: &Track) -> Vec<Vec<Packet>> {
    packets_of(track, PacketizerOptions { promise_no_reordering: false, ..PacketizerOptions::default() })
}

fn received(sequence: u64, timestamp: i64, marker: bool, payload: &[u8]) -> Packet {
    Packet {
        sequence,
        timestamp,
        marker,
        random_access: false,
        orientation: Default::default(),
        payload: payload.into(),
    }
}

#[test]
fn h264_parameter_sets_go_before_every_key_frame() {
    let track = baseline();
    let frames = payloads(&track);
    for (index, packets) in frames.iter().enumerate() {
        let kind = packets[0].payload[0] & 0x1f;
        assert_eq!(kind, if index % 5 == 0 { 24 } else { 1 });
    }
    // STAP-A: importance 3, then SPS, PPS and the slice, each behind its length.
    let first = &frames[0][0].payload;
    assert_eq!((first[0], first[3] & 0x1f), (0x78, 7));
    assert!(frames[0][0].random_access && frames[0][0].marker);
}

#[test]
fn h264_parameter_sets_that_a_frame_brings_are_not_doubled() {
    let track = baseline();
    let mut data = Vec::new();
    nal::push(&[0x09, 0xf0], &mut data);
    nal::push(&[0x67, 1, 2, 3], &mut data);
    nal::push(&[0x68, 4], &mut data);
    nal::push(&[0x65, 0x88, 5], &mut data);
    nal::push(&[0x0c, 0xff, 0x80], &mut data);
    let mut packetizer = packetizer(&track.parameters, PacketizerOptions::default()).unwrap();
    let frame = Frame { dts: 0, pts: 0, random_access: true, data: data.into() };
    let packets = packetize(&mut *packetizer, &frame);
    // The delimiter and the filler stay behind.
    assert_eq!(packets.len(), 1);
    assert_eq!(packets[0].payload[..], [0x78, 0, 4, 0x67, 1, 2, 3, 0, 2, 0x68, 4, 0, 3, 0x65, 0x88, 5]);
}

#[test]
fn h264_fragments_tell_their_first_and_their_last() {
    let parameters = parameters::from_config(Codec::H264, Bytes::new()).unwrap();
    let options = PacketizerOptions { payload_bytes_max: 128, ..PacketizerOptions::default() };
    let mut packetizer = packetizer(&parameters, options).unwrap();
    let frame = Frame { dts: 0, pts: 0, random_access: true, data: h264_frame(true, &[301]) };
    let heads: Vec<_> =
        packetize(&mut *packetizer, &frame).iter().map(|p| (p.payload[0], p.payload[1], p.payload.len())).collect();
    assert_eq!(heads, [(0x7c, 0x85, 102), (0x7c, 0x05, 102), (0x7c, 0x45, 102)]);
}

#[test]
fn h264_fragments_that_do_not_belong_together_make_no_frame() {
    let (start, middle, end) = (&[0x7c, 0x85, 0x88, 1][..], &[0x7c, 0x05, 2][..], &[0x7c, 0x45, 3][..]);
    let whole = &[0x65, 0x88, 4][..];
    let cases: [(&[&[u8]], bool); 7] = [
        (&[start, middle, end], true),
        (&[start, start, end], false),
        (&[middle, end], false),
        (&[end], false),
        (&[start, middle], false),
        (&[start, whole, end], false),
        (&[start, end, whole], true),
    ];
    for (payloads, is_whole) in cases {
        let packets: Vec<Packet> = (0..)
            .zip(payloads)
            .map(|(sequence, payload)| received(sequence, 0, sequence as usize + 1 == payloads.len(), payload))
            .collect();
        assert_eq!(frames_of(&baseline().parameters, &packets).len(), usize::from(is_whole), "{payloads:x?}");
    }
}

#[test]
fn h264_single_units_with_parameter_sets_on_their_own_are_read() {
    // As cameras and packetization mode 0 send them, here with their own time and marker.
    let track = baseline();
    let record = headwater_codec::h264::AvcConfig::parse(&track.parameters.config).unwrap();
    let slice = &track.frames[0].data[4..];
    let packets =
        [received(1, 0, true, &record.sps[0]), received(2, 0, true, &record.pps[0]), received(3, 90, true, slice)];
    let empty = parameters::from_config(Codec::H264, Bytes::new()).unwrap();
    let mut depacketizer = depacketizer(&empty).unwrap();
    packets.iter().for_each(|packet| depacketizer.push(packet));
    assert_eq!(depacketizer.pull(), Some(Depacketized::Parameters(track.parameters.clone())));
    let (frames, _) = drain(&mut *depacketizer);
    assert_eq!(frames, [Frame { dts: 90, pts: 90, ..track.frames[0].clone() }]);
}

#[test]
fn parameters_in_band_are_found_once() {
    for track in [baseline(), hevc(), av1(), vp8(), vp9()] {
        let empty = parameters::from_config(track.parameters.codec, Bytes::new()).unwrap();
        let mut depacketizer = depacketizer(&empty).unwrap();
        payloads(&track).iter().flatten().for_each(|packet| depacketizer.push(packet));
        let (frames, found) = drain(&mut *depacketizer);
        assert_eq!(frames, track.frames, "{}", track.name);
        assert_eq!(found.len(), 1, "{}", track.name);
        let Format::Video(video) = found[0].format else { panic!("not video") };
        assert_eq!((video.width, video.height), (66, 50));
        if matches!(track.parameters.codec, Codec::H264 | Codec::H265) {
            assert_eq!(found[0], track.parameters);
        }
    }
}

#[test]
fn a_new_picture_size_comes_before_its_first_frame() {
    let (small, mut large) = (baseline(), high_b());
    large.frames.truncate(1);
    large.frames[0].pts = 900_000;
    let mut depacketizer = depacketizer(&small.parameters).unwrap();
    let packets = payloads(&small).into_iter().chain(payloads(&large)).flatten();
    for (sequence, packet) in (0..).zip(packets) {
        depacketizer.push(&Packet { sequence, ..packet });
    }
    let mut items = Vec::new();
    while let Some(item) = depacketizer.pull() {
        items.push(item);
    }
    assert_eq!(items[9], Depacketized::Parameters(large.parameters));
    assert!(matches!(&items[10], Depacketized::Frame(frame) if unit_types(&frame.data) == [6, 5]));
}

#[test]
fn an_oversized_parameter_set_lets_nothing_through() {
    // 65,536 macroblocks a side.
    let bits = "0110011101000010110000000001111011111000000000000000010000000000000000\
        000000000000000010000000000000000110010";
    let digits: Vec<u8> = bits.bytes().map(|c| c - b'0').collect();
    let sps: Vec<u8> =
        digits.chunks(8).map(|byte| (0..8).fold(0, |sum, i| (sum << 1) | byte.get(i).unwrap_or(&0))).collect();
    let empty = parameters::from_config(Codec::H264, Bytes::new()).unwrap();
    let mut depacketizer = depacketizer(&empty).unwrap();
    for index in 0..5 {
        let time = index as i64 * 3_000;
        depacketizer.push(&received(3 * index, time, false, &sps));
        depacketizer.push(&received(3 * index + 1, time, false, &[0x68, 0xce, 0x38, 0x80]));
        depacketizer.push(&received(3 * index + 2, time, true, &[0x65, 0x88, 0x80, 1, 2, 3]));
    }
    assert_eq!(depacketizer.pull(), None);
    assert_eq!(depacketizer.losses().frames_dropped, 5);
}

#[test]
fn vp8_picture_ids_count_frames_and_wrap_at_15_bits() {
    let track = vp8();
    let mut packetizer = packetizer(&track.parameters, PacketizerOptions::default()).unwrap();
    for index in 0..0x8001u32 {
        let packet = &packetize(&mut *packetizer, &track.frames[1])[0];
        let head = Vp8Descriptor::parse(&packet.payload).unwrap();
        let id = head.picture_id.unwrap();
        assert_eq!((u32::from(id.value), id.is_long, id.at), (index & 0x7fff, true, 2));
        assert!(head.starts_partition && head.bytes == 4);
    }
}

#[test]
fn vp8_descriptors_of_all_shapes_are_read() {
    let cases: [(&[u8], usize, Option<u16>); 6] = [
        (&[0x10, 9], 1, None),
        (&[0x90, 0x80, 0x7f, 9], 3, Some(127)),
        (&[0x90, 0x80, 0x81, 0x02, 9], 4, Some(258)),
        (&[0x90, 0x40, 5, 9], 3, None),
        (&[0x90, 0xf0, 0x81, 0x02, 7, 0x40, 9], 6, Some(258)),
        (&[0x90, 0x10, 0x1f, 9], 3, None),
    ];
    for (payload, bytes, id) in cases {
        let head = Vp8Descriptor::parse(payload).unwrap();
        assert_eq!((head.bytes, head.picture_id.map(|id| id.value)), (bytes, id));
        assert!((0..bytes).all(|cut| Vp8Descriptor::parse(&payload[..cut]).is_err()));
    }
}

#[test]
fn vp9_key_frames_tell_their_size() {
    let frames = payloads(&vp9());
    let key = &frames[0][0].payload;
    // Picture id, begins and ends a frame, structure; then one layer of 66x50.
    assert_eq!(key[..8], [0x8e, 0x80, 0x00, 0x10, 0, 66, 0, 50]);
    let delta = Vp9Descriptor::parse(&frames[1][0].payload).unwrap();
    assert!(delta.is_predicted && delta.begins_frame && delta.ends_frame && delta.bytes == 3);
}

#[test]
fn vp9_descriptors_of_all_shapes_are_read() {
    let cases: [(&[u8], usize); 6] = [
        (&[0x0c, 9], 1),
        (&[0x8c, 0x05, 9], 2),
        (&[0xac, 0x85, 0x01, 0x22, 0x07, 9], 5),
        (&[0xfc, 0x05, 0x22, 0x03, 0x02, 9], 5),
        (&[0x0e, 0x38, 0, 66, 0, 50, 0, 66, 0, 50, 1, 0x04, 1, 9], 13),
        (&[0x0e, 0x08, 2, 0x00, 0x08, 1, 2, 9], 7),
    ];
    for (payload, bytes) in cases {
        assert_eq!(Vp9Descriptor::parse(payload).unwrap().bytes, bytes, "{payload:x?}");
        assert!((0..bytes).all(|cut| Vp9Descriptor::parse(&payload[..cut]).is_err()));
    }
    assert!(Vp9Descriptor::parse(&[0x50, 3, 3, 3, 0]).is_err());
}

#[test]
fn av1_sends_obus_without_sizes() {
    let track = av1();
    let frames = payloads(&track);
    // One sequence header of 10 bytes behind its length, then the frame; a new sequence.
    let key = &frames[0][0].payload;
    assert_eq!((key[0], key[1], key[2]), (0x28, 11, 0x08));
    assert_eq!(frames[1][0].payload[0], 0x10);
}

#[test]
fn av1_adds_the_sequence_header_that_a_key_frame_lacks() {
    let track = av1();
    let header = headwater_codec::av1::Obus::new(&track.frames[0].data).next().unwrap().unwrap();
    let record = headwater_codec::av1::Av1Config::from_sequence_header(&header).unwrap();
    let parameters = parameters::from_config(Codec::Av1, record.write()).unwrap();
    let bare = Frame { data: track.frames[0].data.slice(12..), ..track.frames[0].clone() };
    let mut packetizer = packetizer(&parameters, PacketizerOptions::default()).unwrap();
    let packets = packetize(&mut *packetizer, &bare);
    assert_eq!(frames_of(&parameters, &packets), track.frames[..1]);
}

#[test]
fn aac_packets_of_several_frames_are_read() {
    let parameters = parameters::from_config(Codec::Aac, Bytes::from_static(&[0x12, 0x10])).unwrap();
    let payload = [0, 32, 0, 3 << 3, 0, 2 << 3, 1, 2, 3, 4, 5];
    let frames = frames_of(&parameters, [&received(1, 100, true, &payload)]);
    let expected = [(100, &[1, 2, 3][..]), (1_124, &[4, 5][..])];
    assert_eq!(frames.iter().map(|f| (f.pts, &f.data[..])).collect::<Vec<_>>(), expected);
}

#[test]
fn aac_fragments_of_different_frames_are_not_mixed() {
    let parameters = parameters::from_config(Codec::Aac, Bytes::from_static(&[0x12, 0x10])).unwrap();
    let packets = [
        received(1, 0, false, &[0, 16, 0, 4 << 3, 1, 2]),
        received(2, 1_024, false, &[0, 16, 0, 4 << 3, 5, 6]),
        received(3, 1_024, true, &[0, 16, 0, 4 << 3, 7, 8]),
    ];
    let frames = frames_of(&parameters, &packets);
    assert_eq!(frames.iter().map(|f| (f.pts, &f.data[..])).collect::<Vec<_>>(), [(1_024, &[5, 6, 7, 8][..])]);
}

#[test]
fn sampled_audio_that_is_too_long_is_cut_in_time() {
    let parameters = parameters::from_config(Codec::Pcmu, Bytes::new()).unwrap();
    let mut packetizer = packetizer(&parameters, PacketizerOptions::default()).unwrap();
    let frame = Frame { dts: 5, pts: 5, random_access: true, data: vec![7; 2_000].into() };
    let packets = packetize(&mut *packetizer, &frame);
    let facts: Vec<_> = packets.iter().map(|p| (p.timestamp, p.payload.len(), p.marker, p.random_access)).collect();
    assert_eq!(facts, [(5, 1_000, true, true), (1_005, 1_000, false, true)]);
}

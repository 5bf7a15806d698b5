//! The packets of a frame have one size, so that they leave a socket in one call.

use bytes::Bytes;
use headwater_codec::{av1, parameters};
use headwater_media::{Codec, Frame, Packet};
use headwater_rtp::{PacketizerOptions, packetizer};
use proptest::prelude::*;

use crate::fixtures::{self, h264_frame, h265_frame, noise, packetize};

/// In how many calls packets leave: a call takes packets of one size, the last of which may be shorter.
fn runs(packets: &[Packet]) -> usize {
    let sizes: Vec<usize> = packets.iter().map(|packet| packet.payload.len()).collect();
    let mut rest = &sizes[..];
    let mut runs = 0;
    while let [first, tail @ ..] = rest {
        let equal = tail.iter().take_while(|size| *size == first).count();
        let shorter = tail.get(equal).is_some_and(|size| size < first);
        rest = &tail[equal + usize::from(shorter)..];
        runs += 1;
    }
    runs
}

fn packets(codec: Codec, config: Bytes, data: Bytes, random_access: bool, max: usize) -> Vec<Packet> {
    let options = PacketizerOptions { payload_bytes_max: max, ..PacketizerOptions::default() };
    let parameters = parameters::from_config(codec, config).unwrap();
    let mut packetizer = packetizer(&parameters, options).unwrap();
    packetize(&mut *packetizer, &Frame { dts: 0, pts: 0, random_access, data })
}

/// A temporal unit with OBUs of these payload sizes.
fn av1_unit(sizes: &[usize]) -> Bytes {
    let mut unit = Vec::new();
    for size in sizes {
        av1::write_sized(&av1::Obu { header: &[6 << 3], payload: &noise(*size, 3) }, &mut unit);
    }
    unit.into()
}

fn expect(runs_max: usize, packets: &[Packet], max: usize, total: usize) {
    assert!(packets.iter().all(|packet| packet.payload.len() <= max));
    assert!(runs(packets) <= runs_max, "{:?}", packets.iter().map(|p| p.payload.len()).collect::<Vec<_>>());
    // No more packets than the bytes need, but for headers.
    assert!(packets.len() <= total.div_ceil(max - 16) + runs_max, "{} packets for {total} bytes", packets.len());
}

proptest! {
    #[test]
    fn one_slice_leaves_in_one_call(size in 20usize..200_000, max in 128usize..1_400) {
        let h264 = packets(Codec::H264, Bytes::new(), h264_frame(false, &[size]), false, max);
        expect(1, &h264, max, size);
        let h265 = packets(Codec::H265, Bytes::new(), h265_frame(false, &[size]), false, max);
        expect(1, &h265, max, size);
    }

    #[test]
    fn a_key_frame_leaves_in_two_calls_for_its_parameter_sets_are_apart(size in 20usize..200_000, max in 300usize..1_400) {
        let track = fixtures::baseline();
        let config = track.parameters.config;
        let h264 = packets(Codec::H264, config, h264_frame(true, &[size]), true, max);
        expect(2, &h264, max, size + 40);
    }

    #[test]
    fn several_slices_need_one_call_each_at_most(sizes in proptest::collection::vec(20usize..20_000, 1..8), max in 128usize..1_400) {
        let total = sizes.iter().sum();
        expect(sizes.len(), &packets(Codec::H264, Bytes::new(), h264_frame(false, &sizes), false, max), max, total);
        expect(sizes.len(), &packets(Codec::H265, Bytes::new(), h265_frame(false, &sizes), false, max), max, total);
    }

    #[test]
    fn small_slices_travel_together(sizes in proptest::collection::vec(20usize..200, 1..5)) {
        let h264 = packets(Codec::H264, Bytes::new(), h264_frame(false, &sizes), false, 1_172);
        prop_assert_eq!(h264.len(), 1);
    }

    #[test]
    fn frames_of_the_vp_codecs_leave_in_one_call(size in 20usize..200_000, max in 128usize..1_400, is_key: bool) {
        for track in [fixtures::vp8(), fixtures::vp9()] {
            let head = &track.frames[usize::from(!is_key)].data;
            let data: Bytes = [&head[..], &noise(size, 5)].concat().into();
            let total = data.len();
            expect(1, &packets(track.parameters.codec, Bytes::new(), data, is_key, max), max, total);
        }
    }

    #[test]
    fn temporal_units_of_av1_leave_in_one_call(sizes in proptest::collection::vec(prop_oneof![1usize..300, 1usize..30_000], 1..9), max in 128usize..1_400) {
        let unit = av1_unit(&sizes);
        let total = unit.len();
        expect(1, &packets(Codec::Av1, Bytes::new(), unit, false, max), max, total);
    }

    #[test]
    fn temporal_units_of_av1_come_back(sizes in proptest::collection::vec(prop_oneof![1usize..300, 1usize..30_000], 1..9), max in 128usize..1_400) {
        let track = fixtures::av1();
        let mut data = track.frames[0].data.to_vec();
        data.extend_from_slice(&av1_unit(&sizes));
        let data = Bytes::from(data);
        let sent = packets(Codec::Av1, Bytes::new(), data.clone(), true, max);
        let received = fixtures::frames_of(&track.parameters, &sent);
        prop_assert_eq!(&received[0].data, &data);
    }

    #[test]
    fn aac_frames_leave_in_one_call(size in 1usize..8_191, max in 128usize..1_400) {
        let config = Bytes::from_static(&[0x12, 0x10]);
        expect(1, &packets(Codec::Aac, config, noise(size, 1).into(), true, max), max, size);
    }
}

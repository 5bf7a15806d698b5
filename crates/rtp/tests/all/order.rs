//! Frames that are shown in another order than they are coded in (B-frames).

use headwater_codec::h264::{self, Sps};
use headwater_codec::nal::Nals;
use headwater_media::{Frame, Packet, Ticks};
use headwater_rtp::{PacketizerOptions, Reordering, packetizer};
use rstest::rstest;

use crate::fixtures::{baseline, frames_of, high_b, packetize};

/// The time of each frame's packets in frame durations and ticks above; `None` where it was left out.
fn times(reordering: Reordering) -> (Vec<Option<(Ticks, Ticks)>>, bool) {
    let track = high_b();
    let options = PacketizerOptions { reordering, ..PacketizerOptions::default() };
    let mut packetizer = packetizer(&track.parameters, options).unwrap();
    let time = |frame: &Frame| {
        let packets = packetize(&mut *packetizer, frame);
        packets.first().map(|packet| (packet.timestamp / 9_000, packet.timestamp % 9_000))
    };
    let times = track.frames.iter().map(time).collect();
    (times, packetizer.has_reordered())
}

#[rstest]
// Coded: I P B b b, I B b b, where capitals are referred to by others.
#[case(Reordering::Keep, &[Some((2, 0)), Some((6, 0)), Some((4, 0)), Some((3, 0)), Some((5, 0)),
    Some((10, 0)), Some((8, 0)), Some((7, 0)), Some((9, 0))])]
#[case(Reordering::Drop, &[Some((2, 0)), Some((6, 0)), None, None, None, Some((10, 0)), None, None, None])]
#[case(Reordering::DecodeOrder, &[Some((2, 0)), Some((3, 0)), Some((4, 0)), Some((5, 0)), Some((6, 0)),
    Some((10, 0)), Some((11, 0)), Some((12, 0)), Some((13, 0))])]
fn each_policy_times_frames_its_way(#[case] reordering: Reordering, #[case] expected: &[Option<(Ticks, Ticks)>]) {
    assert_eq!(times(reordering), (expected.to_vec(), true));
}

#[test]
fn frames_in_order_are_never_touched() {
    let track = baseline();
    for reordering in [Reordering::Keep, Reordering::Drop, Reordering::DecodeOrder] {
        let options = PacketizerOptions { reordering, ..PacketizerOptions::default() };
        let mut packetizer = packetizer(&track.parameters, options).unwrap();
        let packets: Vec<Packet> = track.frames.iter().flat_map(|f| packetize(&mut *packetizer, f)).collect();
        assert!(!packetizer.has_reordered());
        assert_eq!(frames_of(&track.parameters, &packets), track.frames);
        assert_eq!(packetizer.frames_dropped(), 0);
    }
}

#[test]
fn a_time_line_may_begin_anew_after_a_discontinuity() {
    let track = baseline();
    let mut packetizer = packetizer(&track.parameters, PacketizerOptions::default()).unwrap();
    let late = Frame { pts: 900_000, ..track.frames[0].clone() };
    assert_eq!(packetize(&mut *packetizer, &late)[0].timestamp, 900_000);
    packetizer.discontinuity();
    assert_eq!(packetize(&mut *packetizer, &track.frames[0])[0].timestamp, 0);
}

#[test]
fn a_time_line_that_jumps_back_is_not_taken_for_reordering_for_ever() {
    let track = baseline();
    let mut packetizer = packetizer(&track.parameters, PacketizerOptions::default()).unwrap();
    let at = |pts| Frame { pts, random_access: false, ..track.frames[0].clone() };
    packetize(&mut *packetizer, &at(90_000_000));
    let sent = (0..40).filter(|n| !packetize(&mut *packetizer, &at(n * 3_000)).is_empty()).count();
    assert_eq!(sent, 40 - 16);
}

#[test]
fn the_promise_of_no_reordering_stands_in_what_is_sent() {
    let track = high_b();
    let options = PacketizerOptions { promise_no_reordering: true, ..PacketizerOptions::default() };
    let mut packetizer = packetizer(&track.parameters, options).unwrap();
    let packets = packetize(&mut *packetizer, &track.frames[0]);
    let set = packets.iter().find_map(|packet| sps_in(&packet.payload)).unwrap();
    assert_eq!(Sps::parse(&set).unwrap().max_num_reorder_frames, Some(0));

    // The same where the frame brings the parameter sets itself.
    let record = h264::AvcConfig::parse(&track.parameters.config).unwrap();
    let mut data = Vec::new();
    for nal in
        record.sps.iter().chain(&record.pps).map(|set| &set[..]).chain(Nals::new(&track.frames[0].data).flatten())
    {
        headwater_codec::nal::push(nal, &mut data);
    }
    let frame = Frame { data: data.into(), pts: 90_000, ..track.frames[0].clone() };
    let packets = packetize(&mut *packetizer, &frame);
    let set = packets.iter().find_map(|packet| sps_in(&packet.payload)).unwrap();
    assert_eq!(Sps::parse(&set).unwrap().max_num_reorder_frames, Some(0));
}

/// The first unit of a STAP-A.
fn sps_in(payload: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = payload.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    (head & 0x1f == 24).then(|| rest[..usize::from(u16::from_be_bytes(*length))].to_vec())
}

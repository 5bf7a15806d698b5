//! Packets that a reader has passed and wants again.

use std::time::Duration;

use headwater_graph::{Bell, Join, LaneOptions, LaneWriter, lane};
use headwater_media::{Codec, Packet};

use crate::support::video;

fn push(writer: &mut LaneWriter<Packet>, sequence: u64) {
    writer.push(Packet {
        sequence,
        timestamp: sequence as i64 * 300,
        marker: true,
        random_access: sequence.is_multiple_of(100),
        orientation: Default::default(),
        payload: sequence.to_be_bytes().into(),
    });
}

#[test]
fn a_packet_is_found_by_its_number_while_the_window_holds_it() {
    let (mut writer, lane) = lane::<Packet>(LaneOptions { window_bytes: 1 << 20, window: Duration::from_secs(1) });
    let cursor = lane.cursor(&Bell::new(), Join::Live);
    assert_eq!(cursor.recall(0), None);
    writer.set_parameters(video(Codec::H264));
    for sequence in 0..10_000 {
        // Now and then one is lost, and one is late.
        match sequence % 50 {
            7 => {}
            20 => push(&mut writer, sequence + 1),
            21 => push(&mut writer, sequence - 1),
            _ => push(&mut writer, sequence),
        }
    }
    for sequence in 9_750..10_000u64 {
        let found = cursor.recall(sequence);
        match sequence % 50 {
            7 => assert_eq!(found, None),
            _ => assert_eq!(&*found.unwrap().payload, sequence.to_be_bytes()),
        }
    }
    assert_eq!(cursor.recall(10_000), None, "it has not come yet");
    assert_eq!(cursor.recall(100), None, "it has left the window");
    assert_eq!(cursor.recall(u64::MAX), None);
}

#[test]
fn where_a_new_source_counts_anew_its_own_packet_is_found() {
    let (mut writer, lane) = lane::<Packet>(LaneOptions::default());
    writer.set_parameters(video(Codec::H264));
    let cursor = lane.cursor(&Bell::new(), Join::Live);
    (1_000..1_200).for_each(|sequence| push(&mut writer, sequence));
    writer.discontinuity();
    for sequence in 1_100..1_300u64 {
        writer.push(Packet {
            sequence,
            timestamp: 0,
            marker: false,
            random_access: false,
            orientation: Default::default(),
            payload: [9].into(),
        });
    }
    assert_eq!(*cursor.recall(1_150).unwrap().payload, [9]);
}

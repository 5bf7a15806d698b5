//! The lock-free parts under every interleaving that loom finds. Segments have two slots here.

use headwater_media::{ClockRate, Codec, Format, Frame, Packet, TrackParameters, VideoFormat};
use loom::thread;

use super::{Bell, Join, LaneOptions, Next, lane};

fn frame(number: i64) -> Frame {
    Frame { dts: number, pts: number, random_access: number == 0, data: Default::default() }
}

fn options() -> LaneOptions {
    LaneOptions { window_bytes: 1 << 20, window: std::time::Duration::from_secs(3_600) }
}

fn parameters() -> TrackParameters {
    TrackParameters {
        codec: Codec::Vp8,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat::default()),
        config: Default::default(),
    }
}

fn bounded(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_reader_sees_items_in_order_across_segments() {
    bounded(|| {
        let (mut writer, lane) = lane(options());
        writer.push(frame(0));
        let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
        let writing = thread::spawn(move || {
            writer.push(frame(1));
            writer.push(frame(2));
        });
        let mut expected = 0;
        for _ in 0..3 {
            match cursor.next() {
                Next::Item(item) => {
                    assert_eq!(item.dts, expected);
                    expected += 1;
                }
                Next::Empty => thread::yield_now(),
                other => panic!("{other:?}"),
            }
        }
        writing.join().unwrap();
        while let Next::Item(item) = cursor.next() {
            assert_eq!(item.dts, expected);
            expected += 1;
        }
        assert_eq!(expected, 3);
    });
}

#[test]
fn a_late_joiner_finds_a_group_with_its_parameters() {
    bounded(|| {
        let (mut writer, lane) = lane(options());
        let writing = thread::spawn(move || {
            writer.set_parameters(parameters());
            writer.push(frame(0));
            writer.push(frame(1));
        });
        let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
        match cursor.next() {
            Next::Parameters(found) => assert_eq!(**found, parameters()),
            Next::Empty => {}
            other => panic!("{other:?}"),
        }
        writing.join().unwrap();
    });
}

#[test]
fn no_ring_is_lost() {
    loom::model(|| {
        let bell = Bell::new();
        let ringing = bell.clone();
        let thread = thread::spawn(move || ringing.ring());
        loom::future::block_on(async { bell.rung().await });
        thread.join().unwrap();
        assert!(!bell.take());
    });
}

#[test]
fn the_end_comes_after_the_last_item() {
    bounded(|| {
        let (mut writer, lane) = lane(options());
        writer.push(frame(0));
        let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
        let writing = thread::spawn(move || {
            writer.push(frame(1));
            writer.end();
        });
        let mut seen = 0;
        loop {
            match cursor.next() {
                Next::Item(_) => seen += 1,
                Next::Empty => thread::yield_now(),
                Next::Ended => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, 2);
        writing.join().unwrap();
    });
}

#[test]
fn a_fork_goes_on_where_its_origin_stands_while_the_lane_grows() {
    bounded(|| {
        let (mut writer, lane) = lane(options());
        writer.push(frame(0));
        let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
        let writing = thread::spawn(move || {
            writer.push(frame(1));
            writer.push(frame(2));
        });
        let mut seen = 0;
        while let Next::Item(item) = cursor.next() {
            assert_eq!(item.dts, seen);
            seen += 1;
        }
        let mut fork = cursor.fork(&Bell::new());
        writing.join().unwrap();
        for reader in [&mut cursor, &mut fork] {
            let mut expected = seen;
            while let Next::Item(item) = reader.next() {
                assert_eq!(item.dts, expected);
                expected += 1;
            }
            assert_eq!(expected, 3);
        }
        assert_eq!(lane.readers(), 2);
    });
}

#[test]
fn a_packet_is_recalled_whole_or_not_at_all() {
    fn packet(sequence: u64) -> Packet {
        let payload = sequence.to_be_bytes().into();
        Packet {
            sequence,
            timestamp: 0,
            marker: true,
            random_access: sequence == 0,
            orientation: Default::default(),
            payload,
        }
    }
    bounded(|| {
        let (mut writer, lane) = lane(options());
        writer.push(packet(0));
        let cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
        let writing = thread::spawn(move || {
            writer.push(packet(1));
            writer.push(packet(2));
        });
        for sequence in [0, 2] {
            match cursor.recall(sequence) {
                Some(found) => assert_eq!(*found.payload, sequence.to_be_bytes()),
                None => assert_ne!(sequence, 0, "it was there before"),
            }
        }
        writing.join().unwrap();
        assert_eq!(*cursor.recall(2).unwrap().payload, 2u64.to_be_bytes());
    });
}

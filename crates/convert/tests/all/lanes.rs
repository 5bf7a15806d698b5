//! One conversion between two lanes.

use bytes::Bytes;
use headwater_codec::parameters;
use headwater_convert::{PacketizerOptions, Registry, Reordering, statistics};
use headwater_graph::{Bell, Conversion, Converters, Cursor, Join, LaneItem, LaneOptions, LaneWriter, lane};
use headwater_media::{Codec, Frame, Packet, TrackParameters};

use crate::support::{FRAME_TICKS, Seen, drain, h264_frames, items, shared};

/// A conversion whose output is read at once.
struct Bench<In, Out: LaneItem> {
    conversion: Box<dyn Conversion<In, Out>>,
    writer: LaneWriter<Out>,
    cursor: Cursor<Out>,
}

impl<In, Out: LaneItem + Clone> Bench<In, Out> {
    fn new(conversion: Box<dyn Conversion<In, Out>>, parameters: &TrackParameters) -> Bench<In, Out> {
        let (writer, lane) = lane(LaneOptions::default());
        let cursor = lane.cursor(&Bell::new(), Join::At(0));
        let mut bench = Bench { conversion, writer, cursor };
        bench.conversion.parameters(&shared(parameters), &mut bench.writer);
        bench
    }

    fn take(&mut self, input: &[In]) -> Vec<Seen<Out>> {
        for item in input {
            self.conversion.item(item, &mut self.writer);
        }
        drain(&mut self.cursor)
    }
}

/// Without the promise, so that parameter sets come out as they went in.
fn packetize(parameters: &TrackParameters) -> Bench<Frame, Packet> {
    let options = PacketizerOptions { promise_no_reordering: false, ..PacketizerOptions::default() };
    let registry = Registry::new().with_packetizer_options(options);
    Bench::new(registry.packetizer(parameters).unwrap(), parameters)
}

fn depacketize(parameters: &TrackParameters) -> Bench<Packet, Frame> {
    Bench::new(Registry::new().depacketizer(parameters).unwrap(), parameters)
}

#[test]
fn frames_become_packets_and_the_same_frames_again() {
    let (parameters, frames) = h264_frames(40);
    let mut seen = packetize(&parameters).take(&frames);
    assert_eq!(seen.remove(0), Seen::Parameters(parameters.clone()));
    let packets = items(seen);
    let mut seen = depacketize(&parameters).take(&packets);
    assert_eq!(seen.remove(0), Seen::Parameters(parameters));
    assert_eq!(items(seen), frames);
}

#[test]
fn parameters_in_band_come_before_the_first_frame() {
    let (parameters, frames) = h264_frames(3);
    let packets = items(packetize(&parameters).take(&frames));
    let unknown = parameters::from_config(Codec::H264, Bytes::new()).unwrap();
    let mut bench = depacketize(&unknown);
    assert_eq!(bench.take(&[]), []);
    let mut seen = bench.take(&packets);
    assert_eq!(seen.remove(0), Seen::Parameters(parameters));
    assert_eq!(items(seen), frames);
}

#[test]
fn packets_in_order_of_arrival_become_frames_in_order_of_time() {
    let (parameters, frames) = h264_frames(40);
    let mut packets = items(packetize(&parameters).take(&frames));
    packets[1..].chunks_mut(4).for_each(<[Packet]>::reverse);
    assert_eq!(items(depacketize(&parameters).take(&packets)), frames);
}

#[test]
fn a_lost_packet_costs_the_frames_up_to_the_next_key_frame_and_asks_for_one() {
    let (parameters, frames) = h264_frames(100);
    let mut packets = items(packetize(&parameters).take(&frames));
    let lost = packets.iter().position(|packet| packet.timestamp == 2 * FRAME_TICKS).unwrap();
    packets.remove(lost);
    let before = statistics::PACKETS_LOST.get();
    let mut bench = depacketize(&parameters);
    let received = items(bench.take(&packets));
    let expected = [&frames[..2], &frames[5..]].concat();
    assert_eq!(received, expected);
    assert!(bench.writer.demand().take_key_frame_request());
    assert!(statistics::PACKETS_LOST.get() > before);
}

#[test]
fn a_discontinuity_begins_a_new_time_line() {
    let (parameters, frames) = h264_frames(5);
    let mut packetizer = packetize(&parameters);
    let mut depacketizer = depacketize(&parameters);
    let first = items(packetizer.take(&frames));
    assert_eq!(items(depacketizer.take(&first)), frames);

    packetizer.conversion.discontinuity(&mut packetizer.writer);
    let mut seen = packetizer.take(&frames);
    assert_eq!(seen.remove(0), Seen::Break);
    depacketizer.conversion.discontinuity(&mut depacketizer.writer);
    // The new source counts its packets from anywhere.
    let second: Vec<Packet> = items(seen).into_iter().map(|p| Packet { sequence: p.sequence % 3, ..p }).collect();
    let renumbered: Vec<Packet> = (0..).zip(second).map(|(sequence, packet)| Packet { sequence, ..packet }).collect();
    let mut seen = depacketizer.take(&renumbered);
    assert_eq!(seen.remove(0), Seen::Break);
    assert_eq!(items(seen), frames);
}

#[test]
fn new_parameters_pass_in_their_place() {
    let (parameters, frames) = h264_frames(2);
    let mut other = parameters.clone();
    other.config = Bytes::from([&parameters.config[..3], &[31], &parameters.config[4..]].concat());
    let mut packetizer = packetize(&parameters);
    packetizer.take(&frames[..1]);
    packetizer.conversion.parameters(&shared(&other), &mut packetizer.writer);
    let mut seen = packetizer.take(&frames[1..]);
    assert_eq!(seen.remove(0), Seen::Parameters(other));
    assert!(matches!(seen[..], [Seen::Item(_)]));
}

#[test]
fn times_in_a_packet_lane_only_go_forward_unless_told_otherwise() {
    let (parameters, mut frames) = h264_frames(4);
    for (frame, shown) in frames.iter_mut().zip([0, 3, 1, 2]) {
        frame.pts = shown * FRAME_TICKS;
    }
    let times = |reordering| -> Vec<i64> {
        let options = PacketizerOptions { reordering, ..PacketizerOptions::default() };
        let registry = Registry::new().with_packetizer_options(options);
        let mut bench = Bench::new(registry.packetizer(&parameters).unwrap(), &parameters);
        items(bench.take(&frames)).iter().map(|packet| packet.timestamp).collect()
    };
    assert_eq!(times(Reordering::Keep), [0, 27_000, 9_000, 18_000]);
    assert_eq!(times(Reordering::Drop), [0, 27_000]);
    assert_eq!(times(Reordering::DecodeOrder), [0, 9_000, 18_000, 27_000]);
}

#[test]
fn a_registry_knows_what_it_can_do() {
    let registry = Registry::new();
    let mp3 = TrackParameters { codec: Codec::Mp3, ..parameters::from_config(Codec::Opus, Bytes::new()).unwrap() };
    assert!(registry.packetizer(&mp3).is_none() && registry.depacketizer(&mp3).is_none());
    assert!(registry.transcoder(&mp3, Codec::Opus).is_none());
    let registry = registry.with_transcoder(|input, to| {
        (to == Codec::Opus).then(|| (input.clone(), Box::new(Pass) as Box<dyn Conversion<Frame, Frame>>))
    });
    assert!(registry.transcoder(&mp3, Codec::Opus).is_some());
    assert!(registry.transcoder(&mp3, Codec::Aac).is_none());
}

/// Changes nothing.
struct Pass;

impl Conversion<Frame, Frame> for Pass {
    fn parameters(&mut self, parameters: &std::sync::Arc<TrackParameters>, out: &mut LaneWriter<Frame>) {
        out.share_parameters(parameters);
    }

    fn item(&mut self, frame: &Frame, out: &mut LaneWriter<Frame>) {
        out.push(frame.clone());
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Frame>) {
        out.discontinuity();
    }
}

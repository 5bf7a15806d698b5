//! Any bytes for the conversions between packet lanes and frame lanes.

use std::sync::Arc;

use bytes::Bytes;
use headwater_codec::parameters;
use headwater_convert::Registry;
use headwater_graph::{Bell, Converters, Join, LaneItem, LaneOptions, Next, lane};
use headwater_media::{Codec, Frame, Packet};

use super::codec::split_codec;
use super::rtp::packets;

/// A packet lane in order of arrival, read as frames, whose packets are read as frames again. A viewer of either
/// lane begins where a decoder can start.
pub fn lane_conversions(data: &[u8]) {
    let Some((codec, rest)) = split_codec(data) else { return };
    let config = if codec == Codec::Aac { Bytes::from_static(&[0x12, 0x10]) } else { Bytes::new() };
    let Ok(parameters) = parameters::from_config(codec, config) else { return };
    let parameters = Arc::new(parameters);
    let registry = Registry::new();
    let (Some(mut to_frames), Some(mut to_packets)) =
        (registry.depacketizer(&parameters), registry.packetizer(&parameters))
    else {
        return;
    };
    let (mut frame_writer, frames) = lane::<Frame>(LaneOptions::default());
    let (mut packet_writer, derived) = lane::<Packet>(LaneOptions::default());
    let bell = Bell::new();
    let mut cursor = frames.cursor(&bell, Join::At(0));
    to_frames.parameters(&parameters, &mut frame_writer);
    for (index, packet) in packets(rest).iter().enumerate() {
        if index % 50 == 49 {
            to_frames.discontinuity(&mut frame_writer);
        }
        to_frames.item(packet, &mut frame_writer);
        loop {
            match cursor.next() {
                Next::Parameters(parameters) => to_packets.parameters(parameters, &mut packet_writer),
                Next::Item(frame) => to_packets.item(frame, &mut packet_writer),
                Next::Discontinuity | Next::Lost { .. } => to_packets.discontinuity(&mut packet_writer),
                Next::Empty | Next::Ended => break,
            }
        }
    }
    begins_where_a_decoder_can(&mut derived.cursor(&bell, Join::NewestGroup));
}

fn begins_where_a_decoder_can<T: LaneItem>(cursor: &mut headwater_graph::Cursor<T>) {
    loop {
        match cursor.next() {
            Next::Item(item) => return assert!(item.starts_group()),
            Next::Empty | Next::Ended => return,
            _ => {}
        }
    }
}

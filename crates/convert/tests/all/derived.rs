//! Lanes that the graph derives: made once when the first reader asks, gone when the last leaves.

use std::sync::Arc;
use std::time::Duration;

use headwater_convert::Registry;
use headwater_graph::{Bell, Cursor, Hub, HubOptions, Join, LaneItem, Peer};
use headwater_media::{Codec, StreamName, TrackKind};

use crate::support::{Seen, Tokio, drain, h264_frames, items};

fn hub() -> Hub {
    let hub = Hub::new(Arc::new(Tokio), HubOptions::default());
    hub.set_converters(Box::new(Registry::new()));
    hub
}

/// Reads until so many items have come.
async fn read<T: LaneItem + Clone>(cursor: &mut Cursor<T>, bell: &Bell, count: usize) -> Vec<T> {
    let mut received = Vec::new();
    let all = async {
        loop {
            received.extend(items(drain(cursor)));
            if received.len() >= count {
                return;
            }
            bell.rung().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
    received
}

#[tokio::test]
async fn packets_and_frames_of_a_stream_are_derived_while_they_are_read() {
    let hub = hub();
    let (parameters, frames) = h264_frames(5);
    let name = StreamName::new("test").unwrap();
    let mut publication = hub.publish(name.clone(), Peer::new("RTMP", "publisher")).unwrap();
    let mut writer = publication.add_frames(parameters.clone()).unwrap();
    publication.ready();
    for frame in &frames {
        writer.push(frame.clone());
    }
    writer.ring();

    let viewer = hub.subscribe(&name, Peer::new("WebRTC", "viewer")).await.unwrap();
    let track = viewer.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let mut packets = viewer.packets(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    let received = read(&mut packets, &bell, 5).await;
    assert_eq!(received.iter().map(|packet| packet.timestamp).collect::<Vec<_>>(), [0, 9_000, 18_000, 27_000, 36_000]);
    assert!(track.native().derives());

    drop(packets);
    for _ in 0..100 {
        if !track.native().derives() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!track.native().derives());
}

#[tokio::test]
async fn a_source_of_packets_is_read_as_frames() {
    let hub = hub();
    let (parameters, frames) = h264_frames(5);
    let mut packetizer = headwater_rtp::packetizer(&parameters, Default::default()).unwrap();
    let mut packets = Vec::new();
    frames.iter().for_each(|frame| packetizer.packetize(frame, &mut packets));

    let name = StreamName::new("test").unwrap();
    let mut publication = hub.publish(name.clone(), Peer::new("WebRTC", "publisher")).unwrap();
    let mut writer = publication.add_packets(parameters.clone()).unwrap();
    publication.ready();
    packets.into_iter().for_each(|packet| writer.push(packet));
    writer.ring();

    let viewer = hub.subscribe(&name, Peer::new("RTMP", "viewer")).await.unwrap();
    let track = viewer.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let mut cursor = viewer.frames(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    assert_eq!(read(&mut cursor, &bell, 5).await, frames);
    drop(writer);
    publication.end("test");
    let all = async {
        loop {
            if drain(&mut cursor).contains(&Seen::End) {
                return;
            }
            bell.rung().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
}

//! A stream of numbered packets.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{
    AudioFormat, ClockRate, Codec, Format, Orientation, Packet, StreamName, TrackParameters, VideoFormat,
};
use headwater_net::TokioEnvironment;

pub(crate) fn hub() -> Hub {
    Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default())
}

pub(crate) fn name() -> StreamName {
    StreamName::new("test").unwrap()
}

pub(crate) fn h264() -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat::default()),
        config: Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]),
    }
}

pub(crate) fn opus() -> TrackParameters {
    TrackParameters {
        codec: Codec::Opus,
        clock_rate: ClockRate::OPUS,
        format: Format::Audio(AudioFormat { sample_rate: 48_000, channels: 2 }),
        config: Bytes::new(),
    }
}

/// A publisher that writes packets itself: H.264 at 50 frames per second, Opus at 50 packets per second.
pub(crate) struct Publisher {
    publication: Publication,
    pub(crate) video: LaneWriter<Packet>,
    pub(crate) audio: LaneWriter<Packet>,
    /// The number of the next frame.
    pub(crate) frame: i64,
    sequence: u64,
    /// How a frame is to be turned.
    pub(crate) turns: fn(i64) -> Orientation,
}

pub(crate) const PACKETS_PER_FRAME: u8 = 5;
pub(crate) const FRAMES_PER_GROUP: i64 = 50;
pub(crate) const FRAME_TICKS: i64 = 1_800;

impl Publisher {
    pub(crate) fn new(hub: &Hub) -> Publisher {
        let mut publication = hub.publish(name(), Peer::new("TEST", "publisher")).unwrap();
        let video = publication.add_packets(h264()).unwrap();
        let audio = publication.add_packets(opus()).unwrap();
        publication.ready();
        Publisher { publication, video, audio, frame: 0, sequence: 70_000, turns: |_| Orientation::default() }
    }

    /// Writes a frame of video and the sound that goes with it. Each payload begins with the frame's number.
    pub(crate) fn write_frame(&mut self) {
        let random_access = self.frame % FRAMES_PER_GROUP == 0;
        for part in 0..PACKETS_PER_FRAME {
            let last = part + 1 == PACKETS_PER_FRAME;
            let mut payload = vec![part; if last { 400 } else { 1_100 }];
            payload[..8].copy_from_slice(&self.frame.to_be_bytes());
            self.video.push(Packet {
                sequence: self.sequence,
                timestamp: self.frame * FRAME_TICKS,
                marker: last,
                random_access: random_access && part == 0,
                orientation: (self.turns)(self.frame),
                payload: payload.into(),
            });
            self.sequence += 1;
        }
        self.video.ring();
        let mut payload = vec![0; 100];
        payload[..8].copy_from_slice(&self.frame.to_be_bytes());
        self.audio.push(Packet {
            sequence: self.frame as u64,
            timestamp: self.frame * 960,
            marker: false,
            random_access: true,
            orientation: Default::default(),
            payload: payload.into(),
        });
        self.audio.ring();
        self.frame += 1;
    }

    /// Writes a packet of video with any payload.
    pub(crate) fn write_packet(&mut self, payload: Arc<[u8]>) {
        let timestamp = self.frame * FRAME_TICKS;
        let sequence = self.sequence;
        self.video.push(Packet {
            sequence,
            timestamp,
            marker: true,
            random_access: true,
            orientation: Default::default(),
            payload,
        });
        self.sequence += 1;
        self.frame += 1;
    }

    /// Ends the stream.
    pub(crate) fn end(self, reason: &str) {
        self.publication.end(reason);
    }

    /// Writes frames in real time until dropped.
    pub(crate) async fn run(mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            self.write_frame();
        }
    }
}

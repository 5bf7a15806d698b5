//! Frames, parameters and an environment for the tests.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use headwater_graph::{BoxFuture, Cursor, Environment, Hub, HubOptions, LaneItem, Next, Peer, Publication};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, Frame, StreamName, TrackParameters, VideoFormat};

pub(crate) fn video(codec: Codec) -> TrackParameters {
    TrackParameters {
        codec,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat { width: 640, height: 360, frame_rate: None }),
        config: Bytes::new(),
    }
}

pub(crate) fn audio(codec: Codec) -> TrackParameters {
    TrackParameters {
        codec,
        clock_rate: ClockRate::OPUS,
        format: Format::Audio(AudioFormat { sample_rate: 48_000, channels: 2 }),
        config: Bytes::new(),
    }
}

/// A frame whose number can be read back from its time.
pub(crate) fn frame(number: i64, random_access: bool) -> Frame {
    Frame { dts: number * 3_000, pts: number * 3_000, random_access, data: Bytes::from(vec![number as u8; 100]) }
}

/// Everything that a cursor has to say now, one letter or number each.
pub(crate) fn drain<T: LaneItem>(cursor: &mut Cursor<T>) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        seen.push(match cursor.next() {
            Next::Item(item) => (item.ticks() / 3_000).to_string(),
            Next::Parameters(parameters) => parameters.codec.to_string(),
            Next::Discontinuity => "break".to_owned(),
            Next::Lost { items } => format!("lost {items}"),
            Next::Empty => return seen,
            Next::Ended => {
                seen.push("end".to_owned());
                return seen;
            }
        });
    }
}

/// Tokio as the graph's environment.
pub(crate) struct Tokio;

impl Environment for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

pub(crate) fn hub() -> Hub {
    Hub::new(Arc::new(Tokio), HubOptions::default())
}

pub(crate) fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

pub(crate) fn publish(hub: &Hub, text: &str) -> Publication {
    hub.publish(name(text), Peer::new("RTMP", "publisher")).unwrap()
}

//! A real stream, lanes and an environment.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use headwater_codec::nal::{self, AnnexB};
use headwater_codec::{h264, parameters};
use headwater_graph::{BoxFuture, Cursor, Environment, LaneItem, Next};
use headwater_media::{Codec, Frame, Ticks, TrackParameters};

pub(crate) const FRAME_TICKS: Ticks = 9_000;

/// Nine frames of H.264 with key frames at the first and the sixth, repeated; parameter sets in the record.
pub(crate) fn h264_frames(count: usize) -> (TrackParameters, Vec<Frame>) {
    let stream = include_bytes!("../../../codec/fixtures/baseline.h264");
    let set = |kind| AnnexB::new(stream).find(|nal| h264::unit_type(nal) == kind).map(Bytes::copy_from_slice).unwrap();
    let record = h264::AvcConfig::from_parameter_sets(vec![set(7)], vec![set(8)]).unwrap();
    let frames = AnnexB::new(stream).filter(|nal| h264::is_slice(nal)).cycle().enumerate().map(|(index, nal)| {
        let mut data = Vec::new();
        nal::push(nal, &mut data);
        let time = index as Ticks * FRAME_TICKS;
        Frame { dts: time, pts: time, random_access: h264::unit_type(nal) == 5, data: data.into() }
    });
    (parameters::from_config(Codec::H264, record.write()).unwrap(), frames.take(count).collect())
}

/// What a cursor has to say now.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen<T> {
    Parameters(TrackParameters),
    Item(T),
    Break,
    Lost,
    End,
}

pub(crate) fn drain<T: LaneItem + Clone>(cursor: &mut Cursor<T>) -> Vec<Seen<T>> {
    let mut seen = Vec::new();
    loop {
        seen.push(match cursor.next() {
            Next::Parameters(parameters) => Seen::Parameters((**parameters).clone()),
            Next::Item(item) => Seen::Item(item.clone()),
            Next::Discontinuity => Seen::Break,
            Next::Lost { .. } => Seen::Lost,
            Next::Empty => return seen,
            Next::Ended => {
                seen.push(Seen::End);
                return seen;
            }
        });
    }
}

pub(crate) fn items<T>(seen: Vec<Seen<T>>) -> Vec<T> {
    let item = |seen| match seen {
        Seen::Item(item) => Some(item),
        _ => None,
    };
    seen.into_iter().filter_map(item).collect()
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

pub(crate) fn shared(parameters: &TrackParameters) -> Arc<TrackParameters> {
    Arc::new(parameters.clone())
}

//! Streams and viewers in figures.

use std::{collections::BTreeMap, sync::Arc};

use headwater_graph::{Hub, StreamState};

use super::{Metric, Record, RecordTimes, Source};
use crate::accounts::Accounts;

/// The hub, with what its sessions have carried.
pub(crate) struct GraphSource {
    pub(crate) hub: Hub,
    pub(crate) accounts: Arc<Accounts>,
}

const MEDIA_BYTES: &str = "Bytes that publishers have sent (in) and that viewers have been sent (out), \
                           brought up to date every two seconds.";
const FIRST_MEDIA: &str = "Time from the moment that a viewer joins a stream until its first media is sent; \
                           for WebRTC with ICE and DTLS.";

impl Source for GraphSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("streams", "Streams now, by what their publishers speak.").by("protocol"),
            Metric::gauge("streams_paused", "Streams that wait for their publisher to come back."),
            Metric::gauge("viewers", "Viewers now, by what they speak.").by("protocol"),
            Metric::gauge("conversions", "Codec conversions at work, each made once for all who need it.").by("codec"),
            Metric::counter("publishers_opened", "Publishers that have begun or resumed a stream.").by("protocol"),
            Metric::counter("streams_ended", "Streams that have ended."),
            Metric::counter("viewers_opened", "Viewers that have come.").by("protocol"),
            Metric::counter("viewers_closed", "Viewers that have left.").by("protocol"),
            Metric::counter("media_bytes", MEDIA_BYTES).by("protocol").by("direction"),
            Metric::counter("media_items", "Frames, or packets, that publishers have sent.")
                .by("protocol")
                .by("direction"),
            Metric::histogram("first_media_seconds", FIRST_MEDIA).by("protocol"),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        self.accounts.sample(&self.hub);
        let (mut streams, mut viewers, mut conversions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut paused = 0;
        for stream in self.hub.streams() {
            *streams.entry(stream.source().protocol).or_insert(0_u64) += 1;
            paused += u64::from(stream.state() == StreamState::Paused);
            for viewer in stream.viewers() {
                *viewers.entry(viewer.peer().protocol).or_insert(0) += 1;
            }
            for rendition in stream.tracks().iter().flat_map(|track| track.renditions()) {
                if let (Some(_), Some(parameters)) = (rendition.converted_from(), rendition.parameters()) {
                    *conversions.entry(parameters.codec.name()).or_insert(0) += 1;
                }
            }
        }
        record("streams_paused", "", paused as f64);
        for (name, counts) in [("streams", streams), ("viewers", viewers), ("conversions", conversions)] {
            for (label, count) in counts {
                record(name, label, count as f64);
            }
        }
        self.accounts.read(record);
    }

    fn read_times(&self, record: &mut RecordTimes<'_>) {
        for (protocol, times) in self.hub.first_media() {
            record("first_media_seconds", protocol, &times);
        }
    }
}

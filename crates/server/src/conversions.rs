//! The conversions that this server knows, and what they count.

use headwater_control::{Metric, Record, Source};
use headwater_convert::Registry;

/// Packets from frames and back for every codec, and audio from one codec to another.
pub(crate) fn registry() -> Registry {
    Registry::new().with_transcoder(headwater_transcode::transcoder)
}

/// What conversions have lost, left out or concealed, over all streams.
pub(crate) struct ConversionSource;

impl Source for ConversionSource {
    fn metrics(&self) -> Vec<Metric> {
        let convert = headwater_convert::statistics::TABLE.iter();
        let convert = convert.map(|counter| Metric::counter(convert_name(counter.name), counter.what));
        let transcode = headwater_transcode::statistics::TABLE.iter();
        convert.chain(transcode.map(|counter| Metric::counter(transcode_name(counter.name), counter.what))).collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        for counter in headwater_convert::statistics::TABLE {
            record(&convert_name(counter.name), "", counter.get() as f64);
        }
        for counter in headwater_transcode::statistics::TABLE {
            record(&transcode_name(counter.name), "", counter.get() as f64);
        }
    }
}

fn convert_name(name: &str) -> String {
    format!("convert_{name}")
}

fn transcode_name(name: &str) -> String {
    format!("transcode_{name}")
}

//! HLS and Low-Latency HLS, and DASH of the same windows, on the ports of the web server.

use std::{net::IpAddr, sync::Arc, time::Duration};

use headwater_control::{Metric, Record, Source};
use headwater_hls::{Format, Hls, HlsConfig, is_dash, is_hls, is_in_stream, is_media};

use super::{Context, Protocol};
use crate::{
    config::{
        Listener, Section, Value,
        section::section,
        setting::{Setting, quote},
    },
    error::StartError,
};

section! {
    /// HLS and Low-Latency HLS: http://HOST:8080/NAME/index.m3u8, or as WCS has it http://HOST:8082/NAME/NAME.m3u8, on the ports of the web server.
    pub(crate) struct HlsSection, "hls" {
        /// Whether HLS is served.
        enabled: bool = true;
        /// What segments are made of where the address does not say container=fmp4 or container=ts: "fmp4" for fragmented MP4, "ts" for MPEG transport streams, which know no low latency.
        container: Container = Container(Format::Fmp4);
        /// The least length of a segment, in milliseconds; it ends with the group of pictures that passes it.
        segment_ms: u64 = 2_000, in 1_000..=10_000;
        /// The length of the parts of a segment, in milliseconds; 0 lists none, and so makes no low latency.
        part_ms: u64 = 200, in 0..=2_000;
        /// How far back in time players can go, in milliseconds.
        window_ms: u64 = 30_000, in 3_000..=86_400_000;
        /// Whether segments of a stream are made from its beginning, and not from the first request for it.
        always: bool = false;
    }
}

section! {
    /// MPEG-DASH: http://HOST:8080/NAME/manifest.mpd, on the ports of the web server. How long segments are, and how far back players can go, is said in [hls].
    pub(crate) struct DashSection, "dash" {
        /// Whether DASH is served.
        enabled: bool = true;
    }
}

/// A container as the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Container(Format);

impl Setting for Container {
    fn read(value: &Value) -> Option<Container> {
        match value {
            Value::Text(name) => Format::named(name).map(Container),
            _ => None,
        }
    }

    fn expects() -> String {
        "\"fmp4\" or \"ts\"".into()
    }

    fn write(&self) -> String {
        quote(self.0.name())
    }
}

/// The `hls` crate in the server.
#[derive(Default)]
pub(super) struct OverHttp {
    section: HlsSection,
    dash: DashSection,
}

impl Protocol for OverHttp {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.section, &self.dash]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.section, &mut self.dash]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let section = &self.section;
        if !section.enabled && !self.dash.enabled {
            return Ok(());
        }
        let config = HlsConfig {
            segment: Duration::from_millis(section.segment_ms),
            part: (section.part_ms > 0).then_some(Duration::from_millis(section.part_ms)),
            window: Duration::from_millis(section.window_ms),
            format: section.container.0,
            always: section.always && section.enabled,
        };
        let hls = Hls::new(context.hub.clone(), config, context.gates.clone());
        let only_dash: [Matches; 2] = [is_media, is_media];
        let [is_way_in, is_in_stream] = if section.enabled { [is_hls, is_in_stream] } else { only_dash };
        context.routes.add(is_way_in, hls.router());
        if self.dash.enabled {
            context.routes.add(is_dash, hls.router());
        }
        let direct = hls.clone();
        context.routes.add_direct(
            is_in_stream,
            Arc::new(move |remote, head, shortcut| Box::pin(direct.answer(remote, head, shortcut))),
        );
        context.add_source(Arc::new(HlsSource(hls.clone())));
        context.spawn(hls.run());
        Ok(())
    }
}

/// Whether a path is one of a kind.
type Matches = fn(&str) -> bool;

/// What the crate counts.
struct HlsSource(Hls);

/// Counts of what there is now; all others only grow.
const NOW: [&str; 4] = ["viewers", "streams", "held", "window_bytes"];

impl Source for HlsSource {
    fn metrics(&self) -> Vec<Metric> {
        let figures = self.0.figures().into_iter().map(|(name, what, _)| {
            let metric = if NOW.contains(&name) { Metric::gauge } else { Metric::counter };
            metric(format!("hls_{name}"), what)
        });
        figures.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        for (name, _, value) in self.0.figures() {
            record(&format!("hls_{name}"), "", value as f64);
        }
    }
}

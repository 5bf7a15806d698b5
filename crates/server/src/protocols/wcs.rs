//! The session protocol of WCS over WebSocket, for pages made with its Web SDK.

use std::{net::IpAddr, sync::Arc};

use headwater_control::{Metric, Record, Source};
use headwater_signalling::wcs::{self, Origins, Statistics, is_upgrade};

use super::{Context, Protocol};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
};

section! {
    /// The session protocol of WCS: WebSocket on the ports of the web server, for pages made with the WCS Web SDK. Its media is [webrtc]'s.
    pub(crate) struct WcsSection, "wcs" {
        /// Whether the session protocol is served; it needs WebRTC.
        enabled: bool = true;
        /// The origins of the web pages that may open a session, such as "https://example.org"; "*" is every page. Where none is given, every page may, but over loopback only pages of this machine.
        origins: Vec<String> = Vec::new();
    }
}

/// The session protocol of the `signalling` crate in the server.
#[derive(Default)]
pub(super) struct Wcs {
    wcs: WcsSection,
}

impl Protocol for Wcs {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.wcs]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.wcs]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let webrtc = context.offered.get::<headwater_webrtc::WebRtc>().cloned();
        let Some(webrtc) = webrtc.filter(|_| self.wcs.enabled) else {
            return Ok(());
        };
        let wcs = wcs::Wcs::new(context.hub.clone(), webrtc, Origins::new(&self.wcs.origins));
        context.routes.add_ahead(is_upgrade, wcs.router());
        context.add_source(Arc::new(WcsSource(wcs.clone())));
        context.at_stop.push(Box::pin(async move { wcs.stop().await }));
        Ok(())
    }
}

/// What the session protocol counts.
struct WcsSource(wcs::Wcs);

impl Source for WcsSource {
    fn metrics(&self) -> Vec<Metric> {
        let figures = FIGURES.into_iter().map(|(name, what, _)| {
            let comes_and_goes = ["sessions", "streams"].contains(&name);
            let metric = if comes_and_goes { Metric::gauge } else { Metric::counter };
            metric(format!("wcs_{name}"), what)
        });
        figures.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        let statistics = self.0.statistics();
        for (name, _, figure) in FIGURES {
            record(&format!("wcs_{name}"), "", figure(&statistics) as f64);
        }
    }
}

type Figure = (&'static str, &'static str, fn(&Statistics) -> u64);

const FIGURES: [Figure; 7] = [
    ("sessions", "Clients connected by the session protocol now.", |wcs| wcs.connections),
    ("streams", "Streams that those clients publish and play now.", |wcs| wcs.streams),
    ("messages", "Messages received by the session protocol.", |wcs| wcs.messages),
    ("messages_unknown", "Messages received that this server does not know.", |wcs| wcs.unknown),
    ("messages_malformed", "Messages received that were no messages of the session protocol.", |wcs| wcs.malformed),
    ("pages_refused", "Sessions refused because of the web page that asked.", |wcs| wcs.foreign),
    ("events_dropped", "Events that a viewer was too slow to be told.", |wcs| wcs.events_dropped),
];

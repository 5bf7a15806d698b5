//! WSPlayer: coded frames over WebSocket, for pages that decode with WebCodecs.

use std::{net::IpAddr, sync::Arc};

use headwater_control::{Metric, Record, Source};
use headwater_wsplayer::{Statistics, WsPlayer, is_wsplayer};

use super::{Context, Protocol, pages};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
};

section! {
    /// WSPlayer: coded frames over WebSocket at ws://HOST:8080/ws/NAME on the ports of the web server, for pages that decode with WebCodecs.
    pub(crate) struct WsPlayerSection, "wsplayer" {
        /// Whether it is served.
        enabled: bool = true;
    }
}

/// The `wsplayer` crate in the server. It stands ahead of the session protocol, which takes all other WebSockets.
#[derive(Default)]
pub(super) struct OverWebSocket {
    section: WsPlayerSection,
}

impl Protocol for OverWebSocket {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.section]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.section]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        if !self.section.enabled {
            return Ok(());
        }
        let wsplayer = WsPlayer::new(context.hub.clone(), context.gates.clone());
        let router = pages::guard(wsplayer.router(), context);
        context.routes.add_ahead(is_wsplayer, router);
        context.add_source(Arc::new(WsPlayerSource(wsplayer.clone())));
        context.at_stop.push(Box::pin(async move { wsplayer.stop().await }));
        Ok(())
    }
}

/// What the crate counts.
struct WsPlayerSource(WsPlayer);

impl Source for WsPlayerSource {
    fn metrics(&self) -> Vec<Metric> {
        let figures = FIGURES.into_iter().map(|(name, what, _)| {
            let metric = if name == "viewers" { Metric::gauge } else { Metric::counter };
            metric(format!("wsplayer_{name}"), what)
        });
        figures.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        let statistics = self.0.statistics();
        for (name, _, figure) in FIGURES {
            record(&format!("wsplayer_{name}"), "", figure(&statistics) as f64);
        }
    }
}

type Figure = (&'static str, &'static str, fn(&Statistics) -> u64);

const FIGURES: [Figure; 5] = [
    ("viewers", "WSPlayer viewers that watch now.", |all| all.viewers),
    ("viewers_opened", "WSPlayer viewers that have begun to watch.", |all| all.viewers_opened),
    ("frames_sent", "Frames sent to WSPlayer viewers.", |all| all.sent),
    ("frames_skipped", "Frames left out for WSPlayer viewers that were too slow.", |all| all.skipped),
    ("bytes_sent", "Bytes sent to WSPlayer viewers.", |all| all.bytes_sent),
];

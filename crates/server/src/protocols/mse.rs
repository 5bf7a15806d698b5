//! MSE over WebSocket: fragmented MP4 for pages that play with Media Source Extensions.

use std::{net::IpAddr, sync::Arc};

use headwater_control::{Metric, Record, Source};
use headwater_mse::{Mse, is_mse};

use super::{Context, Protocol, pages};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
};

section! {
    /// MSE: fragmented MP4 over WebSocket at ws://HOST:8080/mse/NAME on the ports of the web server, for pages that play with Media Source Extensions.
    pub(crate) struct MseSection, "mse" {
        /// Whether it is served.
        enabled: bool = true;
    }
}

/// The `mse` crate in the server. It stands ahead of the session protocol, which takes all other WebSockets.
#[derive(Default)]
pub(super) struct MseOverWebSocket {
    section: MseSection,
}

impl Protocol for MseOverWebSocket {
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
        let mse = Mse::new(context.hub.clone(), context.gates.clone());
        let router = pages::guard(mse.router(), context);
        context.routes.add_ahead(is_mse, router);
        context.add_source(Arc::new(MseSource(mse.clone())));
        context.at_stop.push(Box::pin(async move { mse.stop().await }));
        Ok(())
    }
}

/// What the crate counts.
struct MseSource(Mse);

impl Source for MseSource {
    fn metrics(&self) -> Vec<Metric> {
        let figures = FIGURES.into_iter().map(|(name, what, _)| {
            let metric = if ["viewers", "feeds"].contains(&name) { Metric::gauge } else { Metric::counter };
            metric(format!("mse_{name}"), what)
        });
        figures.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        for (name, _, figure) in FIGURES {
            record(&format!("mse_{name}"), "", figure(&self.0) as f64);
        }
    }
}

type Figure = (&'static str, &'static str, fn(&Mse) -> u64);

const FIGURES: [Figure; 6] = [
    ("viewers", "MSE viewers that watch now.", |mse| mse.statistics().viewers),
    ("feeds", "Streams whose fragments are made now for MSE viewers, once for each choice of codecs.", Mse::feeds),
    ("viewers_opened", "MSE viewers that have begun to watch.", |mse| mse.statistics().viewers_opened),
    ("fragments_sent", "Fragments sent to MSE viewers.", |mse| mse.statistics().sent),
    ("fragments_skipped", "Fragments left out for MSE viewers that were too slow.", |mse| mse.statistics().skipped),
    ("bytes_sent", "Bytes sent to MSE viewers.", |mse| mse.statistics().bytes_sent),
];

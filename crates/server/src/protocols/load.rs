//! Load agents, for the REST API: what another server holds is tried from here.

mod rows;
mod runs;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use headwater_control::{Loads, Metric, Record, Source};
use headwater_net::{Dialer, Reach};

use self::runs::Runs;
use super::{Context, Protocol};
use crate::{
    config::{Listener, Section, section::section},
    error::StartError,
};

section! {
    /// Load agents: clients that publish to another server and play from it to find out what it holds, as the REST API asks for.
    pub(crate) struct LoadSection, "load" {
        /// Hosts, addresses and networks, such as "edge.lan" or "10.0.0.0/8", that load may be sent to. It may go nowhere else, not even to the public internet; while nothing stands here, no load is started.
        allowed: Vec<String> = Vec::new();
        /// A file with certificates of authorities in PEM that wss:// and https:// trust besides those that browsers do.
        authorities: Option<PathBuf> = None;
    }
}

/// The `load` crate in the server.
#[derive(Default)]
pub(super) struct LoadAgents(LoadSection);

impl Protocol for LoadAgents {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.0]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.0]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let failed = |reason: String, key| StartError::Protocol {
            what: "load agents",
            reason,
            section: "load",
            place: context.place("load", key),
        };
        let reach = Reach::only(self.0.allowed.iter().map(String::as_str))
            .map_err(|entry| failed(format!("{entry:?} in allowed is no host, address or network"), "allowed"))?;
        let dialer = Dialer::new(reach, self.0.authorities.as_deref())
            .map_err(|error| failed(error.to_string(), "authorities"))?;
        let runs = Runs::new(self.0.allowed.clone(), self.0.authorities.clone(), dialer);
        context.add_source(Arc::new(LoadSource(runs.clone())));
        context.offered.insert::<Arc<dyn Loads>>(Arc::new(runs.clone()));
        context.at_stop.push(Box::pin(async move { runs.stop().await }));
        Ok(())
    }
}

/// How many agents there are.
struct LoadSource(Runs);

impl Source for LoadSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("load_runs", "Runs of load agents that go on."),
            Metric::gauge("load_agents", "Load agents that those runs have at once when all have come."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        let (runs, agents) = self.0.going_on();
        record("load_runs", "", runs as f64);
        record("load_agents", "", agents as f64);
    }
}

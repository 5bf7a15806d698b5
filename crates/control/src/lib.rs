//! The control plane: REST API, metrics, health.
//!
//! | address | what it is |
//! |---|---|
//! | `/rest-api/...` | streams, clients, pushes and pulls, as in WCS 5.2; described by `/rest-api/openapi.json` |
//! | `/rest-api/events` | what happens, as it happens: server-sent events |
//! | `/?action=stat` | the statistics page of WCS, in text, JSON or as `/metrics` |
//! | `/metrics` | OpenMetrics 1.0, as Prometheus reads it |
//! | `/healthz`, `/readyz` | whether the process lives, whether it wants work |
//!
//! It reads the hub and the counters that others keep; it opens no socket.

mod access_lists;
mod accounts;
mod authorisation;
mod cdn;
mod clients;
mod drain;
mod error;
mod events;
mod filter;
mod guard;
mod health;
mod load;
mod metrics;
mod reference;
mod rest;
mod settings;
mod sight;
mod statistics;
mod stream_object;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use axum::{Router, middleware};
use headwater_access::{Access, Refusals};
use headwater_graph::Hub;
use headwater_relay::Relays;

pub use access_lists::{AccessListing, KeyChange, NoKeys};
pub use authorisation::is_call;
pub use cdn::{Cdn, Hop, HopObject, NodeObject, NotRemoved};
pub use clients::{ClientObject, Clients, Untold};
pub use drain::{Drain, DrainObject};
pub use events::{Journal, Party, Passage, ServerEvent, Use};
pub use guard::{Hosts, LocalAddress, guard_host};
pub use health::Readiness;
pub use load::{LoadAbilitiesObject, LoadKindObject, LoadObject, LoadOrder, LoadRefused, LoadResultsObject, Loads};
pub use metrics::{Metric, MetricKind, Metrics, Node, Record, RecordTimes, Source, cpu_seconds};
pub use reference::rest as rest_reference;
pub use settings::{ReloadedObject, SettingChange, SettingObject, Settings};

use accounts::Accounts;

/// The control plane of one server.
#[derive(Clone)]
pub struct Control {
    hub: Hub,
    accounts: Arc<Accounts>,
    metrics: Metrics,
    readiness: Readiness,
    clients: Arc<dyn Clients>,
    loads: Option<Arc<dyn Loads>>,
    relays: Option<Relays>,
    journal: Journal,
    access: Option<Access>,
    refusals: Refusals,
    settings: Option<Arc<dyn Settings>>,
    cdn: Option<Arc<dyn Cdn>>,
    access_lists: Option<Arc<dyn AccessListing>>,
    drain: Option<Arc<dyn Drain>>,
    node: Node,
    started: Instant,
}

impl Control {
    /// The control plane of the streams of a hub, with further sources of figures.
    pub fn new(hub: Hub, readiness: Readiness, node: Node, sources: Vec<Arc<dyn Source>>) -> Control {
        let accounts = Arc::new(Accounts::default());
        let graph = metrics::GraphSource { hub: hub.clone(), accounts: accounts.clone() };
        let mut all: Vec<Arc<dyn Source>> = vec![
            Arc::new(metrics::InfoSource(node.clone())),
            Arc::new(graph),
            Arc::new(metrics::LimitsSource),
            Arc::new(metrics::ProcessSource),
        ];
        all.extend(sources);
        let started = hub.environment().now();
        Control {
            hub,
            accounts,
            metrics: Metrics::new(all),
            readiness,
            clients: Arc::new(clients::NoClients),
            loads: None,
            relays: None,
            journal: Journal::new(),
            access: None,
            refusals: Refusals::default(),
            settings: None,
            cdn: None,
            access_lists: None,
            drain: None,
            node,
            started,
        }
    }

    /// The same with clients that stay connected.
    pub fn with_clients(self, clients: Arc<dyn Clients>) -> Control {
        Control { clients, ..self }
    }

    /// The same with a configuration that can be changed.
    pub fn with_settings(self, settings: Arc<dyn Settings>) -> Control {
        Control { settings: Some(settings), ..self }
    }

    /// The same as one of several servers.
    pub fn with_cdn(self, cdn: Arc<dyn Cdn>) -> Control {
        Control { cdn: Some(cdn), ..self }
    }

    /// The same with keys that viewers of streams need.
    pub fn with_access_lists(self, access_lists: Arc<dyn AccessListing>) -> Control {
        Control { access_lists: Some(access_lists), ..self }
    }

    /// The same as a server that can be emptied.
    pub fn with_drain(self, drain: Arc<dyn Drain>) -> Control {
        Control { drain: Some(drain), ..self }
    }

    /// The same with load agents.
    pub fn with_loads(self, loads: Arc<dyn Loads>) -> Control {
        Control { loads: Some(loads), ..self }
    }

    /// The same with streams pushed to other servers and pulled from them.
    pub fn with_relays(self, relays: Relays) -> Control {
        Control { relays: Some(relays), ..self }
    }

    /// The same with a journal that others write to as well.
    pub fn with_journal(self, journal: Journal) -> Control {
        Control { journal, ..self }
    }

    /// The same for those only who have a role, as far as the server knows any users, tokens or keys.
    pub fn with_access(self, access: Access) -> Control {
        Control { access: Some(access), ..self }
    }

    /// The same with those counted who are not let in, where others are as well.
    pub fn with_refusals(self, refusals: Refusals) -> Control {
        Control { refusals, ..self }
    }

    /// Keeps totals, rates and the journal of events up to date; runs until it is dropped.
    pub async fn run(&self) {
        let follow = events::follow(&self.journal, &self.hub, self.relays.as_ref());
        futures_util::future::join(self.accounts.keep(&self.hub), follow).await;
    }

    /// What has happened. Closing it ends those who read it, so that they do not hold up the end of the server.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// All that is measured.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A router that answers `/?action=stat`, as WCS does, ahead of all others.
    pub fn put_statistics_ahead(&self, of: Router) -> Router {
        statistics::put_ahead(of, self.router())
    }

    /// The routes of REST, metrics and health.
    pub fn router(&self) -> Router {
        let api = rest::Api {
            hub: self.hub.clone(),
            accounts: self.accounts.clone(),
            clients: self.clients.clone(),
            loads: self.loads.clone(),
            relays: self.relays.clone(),
            journal: self.journal.clone(),
            metrics: self.metrics.clone(),
            settings: self.settings.clone(),
            cdn: self.cdn.clone(),
            access_lists: self.access_lists.clone(),
            drain: self.drain.clone(),
            node: self.node.clone(),
            started: self.started,
        };
        let guarded = rest::router(api).merge(metrics::router(self.metrics.clone()));
        let door = authorisation::Door { access: self.access.clone(), refusals: self.refusals.clone() };
        let authorise = middleware::from_fn_with_state(door, authorisation::authorise);
        guarded.layer(authorise).merge(health::router(self.readiness.clone()))
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

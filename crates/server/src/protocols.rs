//! The one list of protocols, and what the server wants of each and gives to it.

mod balancer;
mod cluster;
mod hls;
mod load;
mod mse;
mod pages;
mod relay;
mod rtmp;
mod wcs;
mod webrtc;
mod wsplayer;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::Extensions;
use headwater_access::{Access, AccessLists, Gates};
use headwater_control::{Journal, Source};
use headwater_graph::{BoxFuture, Hub};
use headwater_hooks::Hooks;
use headwater_net::{Listener, Quota, TlsAcceptor, TlsError};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use cluster::pass::{self, Passing};

use crate::{
    certificates::Certificates,
    config::{self, Complaint, Config, Places, Section},
    conversions::ConversionSource,
    error::StartError,
    figures,
    gates::{self, Doors, Lists, Roles},
    reload::{Prepare, Switch},
    routes::Routes,
    server::ServerSource,
    traces::{self, Exporter, Traces},
};

/// Every protocol that this server speaks. Adding one is a line here and a file beside.
pub(crate) fn all() -> Vec<Box<dyn Protocol>> {
    vec![
        Box::new(rtmp::Rtmp::default()),
        Box::new(webrtc::WebRtc::default()),
        // It receives by what WebRTC offers.
        Box::new(relay::Relay::default()),
        Box::new(cluster::Clustered::default()),
        Box::new(mse::MseOverWebSocket::default()),
        Box::new(hls::OverHttp::default()),
        Box::new(wsplayer::OverWebSocket::default()),
        Box::new(wcs::Wcs::default()),
        Box::new(balancer::Balancing::default()),
        Box::new(load::LoadAgents::default()),
    ]
}

/// A protocol crate, fitted to the server: its configuration, what it listens on, how it starts.
pub(crate) trait Protocol: Send + Sync {
    /// Its sections of the configuration.
    fn sections(&self) -> Vec<&dyn Section>;

    /// The same, to be set.
    fn sections_mut(&mut self) -> Vec<&mut dyn Section>;

    /// What it will listen on where its sections name no address of their own.
    fn listeners(&self, address: IpAddr) -> Vec<config::Listener>;

    /// Keys that do not fit each other.
    fn complaints(&self) -> Vec<Complaint> {
        Vec::new()
    }

    /// Opens its listeners, adds its routes and starts its tasks.
    fn start(&self, context: &mut Context) -> Result<(), StartError>;

    /// What puts its keys that are marked as live in force where an earlier configuration started it. `running` is
    /// what protocols left in [`Context::offered`] then.
    fn switch(&self, _running: &Extensions) -> Option<Switch> {
        None
    }
}

/// An address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listening {
    /// What is spoken there, such as `HTTP`, `RTMP` or `WebRTC`.
    pub what: &'static str,
    /// The address, with the port that the system chose where the configuration says 0.
    pub address: SocketAddr,
}

/// What protocols start with, and what they leave for the server to run and to stop.
pub(crate) struct Context {
    pub(crate) hub: Hub,
    /// Who is asked before somebody publishes or plays.
    pub(crate) gates: Gates,
    /// The users, tokens and keys of this server.
    pub(crate) access: Access,
    /// The applications behind this server.
    pub(crate) hooks: Hooks,
    /// What operators are told of.
    pub(crate) journal: Journal,
    /// What sessions and calls did when.
    pub(crate) traces: Traces,
    /// What sends it away, until it is started.
    pub(crate) exporter: Option<Exporter>,
    /// What clients may do here as this server is what it is.
    pub(crate) roles: Roles,
    /// Who stays while the server is emptied.
    pub(crate) doors: Doors,
    /// Who may watch which stream.
    pub(crate) lists: Lists,
    /// The role of the program: `origin`, `edge` or `transcoder`.
    pub(crate) role: &'static str,
    /// The name of this server.
    pub(crate) node: String,
    /// The address of listeners whose section names none.
    pub(crate) address: IpAddr,
    /// Cancelled when the server stops.
    pub(crate) stopping: CancellationToken,
    /// Counts tasks, so that stopping can wait for them.
    pub(crate) tasks: TaskTracker,
    /// Counts TCP connections over all listeners.
    pub(crate) quota: Quota,
    pub(crate) routes: Routes,
    pub(crate) listening: Vec<Listening>,
    pub(crate) at_stop: Vec<BoxFuture<'static, ()>>,
    /// What a protocol leaves for those after it in the list, by its type: media that others signal.
    pub(crate) offered: Extensions,
    /// What takes up changes of the configuration.
    pub(crate) live: Vec<Prepare>,
    sources: Vec<Arc<dyn Source>>,
    places: Places,
    certificates: Certificates,
}

impl Context {
    pub(crate) fn new(hub: Hub, config: &Config) -> Result<Context, StartError> {
        let (quota, journal) = (Quota::connections(), Journal::new());
        let (access, hooks) = (gates::open_access(config)?, gates::open_hooks(config)?);
        let (traces, exporter) = traces::open(config)?;
        let (roles, doors, keys) = (Roles::default(), Doors::default(), AccessLists::default());
        keys.set_parameter(&config.access.list_parameter);
        Ok(Context {
            gates: gates::open(&traces, &doors, &roles, &access, &hooks, &keys, &journal),
            lists: Lists::new(keys, hub.clone()),
            hub,
            roles,
            doors,
            role: config.role(),
            node: figures::node(&config.process.name).name,
            access,
            hooks,
            journal,
            traces,
            exporter,
            address: config.listen.address,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sources: vec![Arc::new(ServerSource { quota: quota.clone() }), Arc::new(ConversionSource)],
            quota,
            routes: Routes::default(),
            listening: Vec::new(),
            at_stop: Vec::new(),
            offered: Extensions::new(),
            live: Vec::new(),
            places: config.places.clone(),
            certificates: Certificates::new(config),
        })
    }

    /// Opens a TCP listener.
    pub(crate) fn listen(&mut self, listener: &config::Listener) -> Result<Listener, StartError> {
        let failed = |error| StartError::listen(listener, self.places.find(listener.section, listener.key), error);
        let opened = Listener::bind(listener.address, &self.quota).map_err(failed)?;
        let address = opened.local_address().map_err(failed)?;
        self.listening.push(Listening { what: listener.what, address });
        Ok(opened)
    }

    /// What shows the certificate of `[tls]` to clients of `what`, and takes up changes of it.
    pub(crate) fn tls(&self, what: &'static str, protocols: &[&[u8]]) -> Result<TlsAcceptor, StartError> {
        let failed = |error: TlsError| StartError::Protocol {
            what,
            reason: error.to_string(),
            section: "tls",
            place: self.place("tls", "certificate"),
        };
        let acceptor = self.certificates.acceptor(protocols).map_err(failed)?;
        self.spawn(acceptor.clone().keep_fresh());
        Ok(acceptor)
    }

    /// Runs a task until it ends or the server stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner().spawn(task);
    }

    /// What runs tasks later, from any thread.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner { runtime: Handle::current(), stopping: self.stopping.clone(), tasks: self.tasks.clone() }
    }

    /// Who set a key, for errors.
    pub(crate) fn place(&self, section: &str, key: &str) -> config::Place {
        self.places.find(section, key)
    }

    /// Has a part of each later configuration put in force while the server runs. It looks at keys alone that are
    /// marked as live.
    pub(crate) fn take_up(
        &mut self,
        prepare: impl Fn(&Config) -> Result<Switch, config::Problem> + Send + Sync + 'static,
    ) {
        self.live.push(Box::new(prepare));
    }

    pub(crate) fn add_source(&mut self, source: Arc<dyn Source>) {
        self.sources.push(source);
    }

    pub(crate) fn sources(&self) -> Vec<Arc<dyn Source>> {
        self.sources.clone()
    }
}

/// Runs tasks until they end or the server stops. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Spawner {
    runtime: Handle,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Spawner {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        let until_stopped = async move {
            stopping.run_until_cancelled(task).await;
        };
        self.tasks.spawn_on(until_stopped, &self.runtime);
    }
}

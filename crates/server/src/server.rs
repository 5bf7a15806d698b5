//! One server from start to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use headwater_cluster::Cluster;
use headwater_control::{Cdn, Clients, Control, Hosts, Loads, Metric, Readiness, Record, Source, guard_host};
use headwater_graph::{Hub, HubOptions};
use headwater_net::{Listener, Quota, TlsAcceptor, TokioEnvironment};
use headwater_relay::Relays;

use crate::{
    config::{Config, ConfigError},
    conversions, demo,
    drain::Drainer,
    error::StartError,
    figures::{RefusalSource, UdpSource, node},
    gates,
    http::{self, Front},
    log,
    protocols::{Context, Listening, Passing},
    reload::{self, Reloaded, Reloader},
    traces,
};

/// A server that runs.
pub struct Server {
    context: Context,
    control: Control,
    readiness: Readiness,
    reloader: Reloader,
    drainer: Drainer,
    stop_time: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listening", &self.context.listening).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens all listeners. Has to be called on a tokio runtime with all its drivers.
    ///
    /// # Errors
    /// Says which listener or protocol cannot start, and what to do; nothing is left running then.
    pub fn start(config: &Config) -> Result<Server, StartError> {
        config.limits.apply();
        let hub = hub(config);
        let mut context = Context::new(hub.clone(), config)?;
        let started = start_all(config, &mut context);
        let Started { control, readiness, reloader, drainer } = started.inspect_err(|_| context.stopping.cancel())?;
        let running = control.clone();
        context.spawn(async move { running.run().await });
        if let Some(telling) = log::tell_rest() {
            context.spawn(telling);
        }
        if config.process.watch_config && reloader.file().is_some() {
            context.spawn(reload::watch(reloader.clone()));
        }
        readiness.set_ready();
        let stop_time = Duration::from_millis(config.process.stop_ms);
        Ok(Server { context, control, readiness, reloader, drainer, stop_time })
    }

    /// What is listened on, in the order of the configuration.
    pub fn listening(&self) -> &[Listening] {
        &self.context.listening
    }

    /// The address of the first listener of this kind, such as `HTTP` or `RTMP`.
    pub fn address(&self, what: &str) -> Option<SocketAddr> {
        self.listening().iter().find(|listening| listening.what == what).map(|listening| listening.address)
    }

    /// The streams.
    pub fn hub(&self) -> &Hub {
        &self.context.hub
    }

    /// REST, metrics and health.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Reads the configuration again, from where it came, and puts in force what can be while sessions go on.
    ///
    /// # Errors
    /// Lists all that is wrong; nothing has changed then.
    pub fn reload(&self) -> Result<Reloaded, ConfigError> {
        self.reloader.reload()
    }

    /// Tasks and connections that live now, for tests that they come back to where they were.
    pub fn load(&self) -> Load {
        Load { tasks: self.context.tasks.len(), connections: self.context.quota.open() }
    }

    /// Sends viewers and publishers to the other servers, where there are any, within the time of the configuration.
    /// Without others it returns at once.
    pub async fn drain(&self) {
        if self.drainer.is_wanted() {
            self.drainer.begin();
            self.drainer.over().await;
        }
    }

    /// Waits until the server has been emptied by order of somebody who wants it to stop then.
    pub async fn drained_to_stop(&self) {
        self.drainer.over_to_exit().await;
    }

    /// Takes nothing new, ends every session, and waits for them as long as the configuration says.
    ///
    /// Says whether all have ended in that time.
    pub async fn stop(self) -> bool {
        self.readiness.set_stopping();
        let Context { hub, stopping, tasks, at_stop, .. } = self.context;
        for stream in hub.streams() {
            stream.terminate("the server is stopping");
        }
        stopping.cancel();
        self.control.journal().close();
        let ended = async {
            for stop in at_stop {
                stop.await;
            }
            tasks.close();
            tasks.wait().await;
        };
        let in_time = tokio::time::timeout(self.stop_time, ended).await.is_ok();
        if !in_time {
            tracing::warn!(tasks = tasks.len(), "the time to stop is over; what has not ended is cut off");
        }
        in_time
    }
}

/// How busy a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Tasks of sessions and listeners.
    pub tasks: usize,
    /// TCP connections.
    pub connections: u64,
}

fn hub(config: &Config) -> Hub {
    let grace = Duration::from_millis(config.streams.grace_ms);
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions { grace, ..HubOptions::default() });
    hub.set_converters(Box::new(conversions::registry()));
    hub
}

/// What runs once all listeners are open.
struct Started {
    control: Control,
    readiness: Readiness,
    reloader: Reloader,
    drainer: Drainer,
}

fn start_all(config: &Config, context: &mut Context) -> Result<Started, StartError> {
    // First of all, since what others put in force takes its share of them.
    context.take_up(|config| {
        let limits = config.limits.clone();
        Ok(Box::new(move || limits.apply()))
    });
    let web = listen_http(config, context)?;
    for protocol in &config.protocols.0 {
        protocol.start(context)?;
    }
    if config.demo.enabled {
        demo::start(&config.demo, context)?;
    }
    gates::start_hooks(config, context);
    traces::start(context);
    let readiness = Readiness::new();
    let is_udp = |listening: &&Listening| listening.what == "WebRTC";
    let sockets = context.listening.iter().filter(is_udp).map(|listening| listening.address).collect();
    context.add_source(Arc::new(UdpSource(sockets)));
    context.add_source(Arc::new(RefusalSource(context.gates.refusals().clone())));
    let node = node(&config.process.name);
    let mut control = Control::new(context.hub.clone(), readiness.clone(), node, context.sources());
    control = control.with_journal(context.journal.clone()).with_access(context.access.clone());
    control = control.with_refusals(context.gates.refusals().clone());
    gates::begin_access(&context.access, &context.spawner());
    gates::take_up_access(context);
    if let Some(loads) = context.offered.get::<Arc<dyn Loads>>() {
        control = control.with_loads(loads.clone());
    }
    if let Some(relays) = context.offered.get::<Relays>() {
        control = control.with_relays(relays.clone());
    }
    if let Some(clients) = context.offered.get::<Arc<dyn Clients>>() {
        control = control.with_clients(clients.clone());
    }
    let drainer = Drainer::new(
        context.doors.clone(),
        readiness.clone(),
        context.offered.get::<Cluster>().cloned(),
        context.offered.get::<Arc<dyn Clients>>().cloned(),
        context.spawner(),
        Duration::from_millis(config.process.drain_ms),
    );
    control = control.with_drain(Arc::new(drainer.clone())).with_access_lists(Arc::new(context.lists.clone()));
    context.spawn(context.lists.clone().follow());
    if let Some(cdn) = context.offered.get::<Arc<dyn Cdn>>() {
        control = control.with_cdn(cdn.clone());
    }
    let hosts = Hosts::new(&config.http.hosts);
    take_up(context, hosts.clone());
    context.take_up(log::prepare);
    let reloader = Reloader::new(config, std::mem::take(&mut context.live), context.journal.clone());
    control = control.with_settings(Arc::new(reloader.clone()));
    let front = front(context, &control, hosts);
    for (listener, acceptor) in web {
        let (stopping, tasks) = (context.stopping.clone(), context.tasks.clone());
        context.tasks.spawn(http::serve(listener, acceptor, front.clone(), stopping, tasks));
    }
    Ok(Started { control, readiness, reloader, drainer })
}

/// Has later configurations put in force, as far as that is left to nobody else.
fn take_up(context: &mut Context, hosts: Hosts) {
    let (hub, running) = (context.hub.clone(), context.offered.clone());
    context.take_up(move |config| {
        let (hub, grace) = (hub.clone(), Duration::from_millis(config.streams.grace_ms));
        let (hosts, names) = (hosts.clone(), config.http.hosts.clone());
        let protocols: Vec<_> = config.protocols.0.iter().filter_map(|protocol| protocol.switch(&running)).collect();
        Ok(Box::new(move || {
            hub.set_grace(grace);
            hosts.replace(&names);
            protocols.into_iter().for_each(|switch| switch());
        }))
    });
}

/// The listeners of the web server, those for HTTPS with what does their handshakes.
fn listen_http(config: &Config, context: &mut Context) -> Result<Vec<(Listener, Option<TlsAcceptor>)>, StartError> {
    let mut opened = Vec::new();
    let mut shared = None;
    for listener in config.listeners() {
        let acceptor = match listener.section {
            "http" => None,
            "https" => match &shared {
                Some(acceptor) => Some(TlsAcceptor::clone(acceptor)),
                None => Some(shared.insert(context.tls("HTTPS", &[b"http/1.1"])?).clone()),
            },
            _ => continue,
        };
        opened.push((context.listen(&listener)?, acceptor));
    }
    Ok(opened)
}

fn front(context: &mut Context, control: &Control, hosts: Hosts) -> Arc<Front> {
    let mut routes = std::mem::take(&mut context.routes);
    let router = routes.clone().into_router().merge(control.router()).merge(headwater_web::router());
    let router = guard_host(control.put_statistics_ahead(routes.put_ahead(router)), hosts.clone());
    let passing = context.offered.get::<Passing>().cloned();
    Front::passing(traces::trace_calls(&context.traces, router), routes.take_direct(), hosts, passing)
}

/// The figures of the process that only the server knows.
pub(crate) struct ServerSource {
    pub(crate) quota: Quota,
}

impl Source for ServerSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("tcp_connections", "TCP connections open now, over all listeners."),
            Metric::counter("panics", "Panics; each is a bug and ends only the session that it happens in."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        record("tcp_connections", "", self.quota.open() as f64);
        record("panics", "", log::panics() as f64);
    }
}

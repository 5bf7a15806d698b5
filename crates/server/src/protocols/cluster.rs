//! This server as a node of a content delivery network: origins, edges and transcoders that find each other.

mod check;
mod mutual;
mod nodes;
pub(crate) mod pass;
mod tell;
mod way;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use headwater_access::Secret;
use headwater_agent::{Agent, Transport as Media};
use headwater_cluster::{Cluster, ClusterError, NodeId, Role, Settings};
use headwater_control::Cdn;
use headwater_net::{Dialer, Reach, TlsError};
use headwater_relay::Relays;

use super::{Context, Protocol};
use crate::{
    config::{
        Complaint, Listener, Section, Transport,
        section::section,
        setting::{Setting, quote},
    },
    error::StartError,
    gates::Duty,
};

use nodes::Nodes;
use pass::Passing;

section! {
    /// Servers that work together: streams are published to origins, viewers come to edges, and edges fetch what their viewers ask for. One address of any of them is enough to join; docs/guide/cdn.md leads through it.
    pub(crate) struct ClusterSection, "cluster" {
        /// Whether this server is one of several.
        enabled: bool = false;
        /// What it is for: "origin", "edge" or "transcoder"; as its program is called where this is not said.
        role: Option<RoleSetting> = None;
        /// Its name among the servers: letters, digits, and . - : _. The name of the machine, where none is given.
        node: String = String::new();
        /// Where the other servers reach it: wss://HOST:8084.
        url: String = String::new();
        /// Where they fetch its streams: wss://HOST:8443, the session protocol. The host of `url` with the port of HTTPS, or of HTTP where that is off, if nothing is given.
        media: String = String::new();
        /// Addresses of servers that are already there, each as `url` of that server. One that lives is enough, and none is needed on the first of all.
        entry: Vec<String> = Vec::new();
        /// What all these servers know and nobody else: at least 16 letters. Whoever knows it can join, announce streams and fetch all of them.
        @secret secret: String = String::new();
        /// The groups that it belongs to, such as "EU": streams are rather fetched from servers of an own group, the first the most.
        groups: Vec<String> = Vec::new();
        /// Addresses and networks, such as "10.0.0.0/8", whose servers may connect; all may if there are none.
        allow: Vec<String> = Vec::new();
        /// The address to listen on for other servers; that of [listen] where none is given.
        address: Option<IpAddr> = None;
        /// The port to listen on for other servers.
        port: u16 = 8084;
        /// Whether the others reach it within TLS, with the certificate of [tls].
        tls: bool = true;
        /// A file with certificates of authorities in PEM that the other servers' certificates may come from, besides those that browsers trust.
        authorities: Option<PathBuf> = None;
        /// Whether servers show each other certificates: this one shows that of [tls] to the others as well, and takes and trusts those alone that come from `authorities` and are for the host of the `url` of who shows them. The same on all servers.
        mutual_tls: bool = false;
        /// What the media of streams that this server fetches from others comes over: "udp", or "tcp" for networks that let no UDP through. Where datagrams of a server do not arrive, "udp" becomes TCP by itself after some seconds. The others take either.
        transport: MediaSetting = MediaSetting(Media::Udp);
        /// Whether servers may talk without TLS beyond this machine: for networks that are protected otherwise.
        plain: bool = false;
        /// Whether clients may publish on origins only. Otherwise they may on edges too, where such a stream stays.
        role_strict: bool = false;
        /// Whether an origin fetches streams of other origins for viewers of its own.
        between_origins: bool = false;
        /// Whether streams that this server has fetched are passed on to other servers: those of its groups then come here rather than to an origin of other groups.
        pass_on: bool = false;
        /// Seconds after which a server that is gone leaves the list of servers; 0 is never.
        forget_s: u64 = 0;
    }
}

/// A role, as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoleSetting(Role);

impl Setting for RoleSetting {
    fn read(value: &crate::config::Value) -> Option<RoleSetting> {
        String::read(value)?.parse().ok().map(RoleSetting)
    }

    fn expects() -> String {
        "\"origin\", \"edge\" or \"transcoder\"".into()
    }

    fn write(&self) -> String {
        quote(&self.0.to_string())
    }
}

/// What media between servers goes over, as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaSetting(pub(crate) Media);

impl Setting for MediaSetting {
    fn read(value: &crate::config::Value) -> Option<MediaSetting> {
        String::read(value)?.parse().ok().map(MediaSetting)
    }

    fn expects() -> String {
        "\"udp\" or \"tcp\"".into()
    }

    fn write(&self) -> String {
        quote(&self.0.to_string().to_lowercase())
    }
}

/// The `cluster` crate in the server. It stands behind what fetches streams.
#[derive(Default)]
pub(super) struct Clustered(ClusterSection);

impl Protocol for Clustered {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.0]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.0]
    }

    fn listeners(&self, address: IpAddr) -> Vec<Listener> {
        if !self.0.enabled {
            return Vec::new();
        }
        vec![self.listener(address)]
    }

    fn complaints(&self) -> Vec<Complaint> {
        if !self.0.enabled {
            return Vec::new();
        }
        self.check()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        if !self.0.enabled {
            return Ok(());
        }
        let (role, dialer) = (self.role(context), self.dialer(context)?);
        let settings = self.settings(context, role)?;
        let acceptor = self.acceptor(context)?;
        let links = self.links(context, &dialer, acceptor.as_ref())?;
        let wrong = |error: ClusterError| self.failed(context, key_of(&error), error.to_string());
        let node = settings.node.clone();
        let cluster = Cluster::start(settings, links).map_err(wrong)?;
        self.listen(context, &cluster, acceptor)?;
        tracing::info!(%node, %role, groups = ?self.0.groups, "this server is a node of a cluster");

        context.gates.set_servers(Arc::new(pass::Known::new(cluster.clone(), &node)));
        let passing = Passing::new(cluster.clone(), &node, dialer.clone());
        context.add_source(Arc::new(pass::PassSource(passing.clone())));
        context.offered.insert(passing.clone());
        context.roles.set(Duty { role, is_strict: self.0.role_strict });
        let fetches = role == Role::Edge || (role == Role::Origin && self.0.between_origins);
        let blocked = Arc::new(AtomicU64::new(0));
        let relays = context.offered.get::<Relays>().filter(|_| fetches);
        if let (Some(relays), Some(webrtc)) = (relays, context.offered.get::<headwater_webrtc::WebRtc>()) {
            let agent = Agent::new(webrtc.clone(), dialer);
            let (journal, blocked) = (context.journal.clone(), blocked.clone());
            let nodes = Nodes { cluster: cluster.clone(), journal, blocked };
            relays.add_routes(Arc::new(nodes), agent, self.0.transport.0);
        }
        if self.0.pass_on {
            context.hub.pass_on();
        }
        tell::start(context, &cluster, self.0.pass_on);
        let relays = context.offered.get::<Relays>().cloned();
        let cdn: Arc<dyn Cdn> = Arc::new(nodes::ClusterCdn { cluster: cluster.clone(), node, role, relays, passing });
        context.offered.insert(cdn);
        context.add_source(Arc::new(nodes::ClusterSource { cluster: cluster.clone(), blocked }));
        context.lists.set_cluster(cluster.clone());
        context.offered.insert(cluster.clone());
        context.at_stop.push(Box::pin(async move { cluster.stop().await }));
        Ok(())
    }
}

impl Clustered {
    fn listener(&self, address: IpAddr) -> Listener {
        Listener {
            what: "cluster",
            section: "cluster",
            key: "port",
            address: SocketAddr::new(self.0.address.unwrap_or(address), self.0.port),
            transport: Transport::Tcp,
        }
    }

    fn role(&self, context: &Context) -> Role {
        let of_program = || context.role.parse().unwrap_or(Role::Origin);
        self.0.role.map_or_else(of_program, |role| role.0)
    }

    fn failed(&self, context: &Context, key: &'static str, reason: String) -> StartError {
        StartError::Protocol { what: "the cluster", reason, section: "cluster", place: context.place("cluster", key) }
    }

    /// Connects to all that other servers say of themselves: they have proved to know the secret.
    fn dialer(&self, context: &Context) -> Result<Dialer, StartError> {
        let everywhere = ["0.0.0.0/0", "::/0"].map(str::to_owned);
        let allowed = if self.0.allow.is_empty() { &everywhere[..] } else { &self.0.allow };
        let reach = Reach::new(allowed.iter().map(String::as_str)).map_err(|entry| {
            self.failed(context, "allow", format!("{entry:?} in allow is neither an address nor a network"))
        })?;
        let failed = |error: TlsError| self.failed(context, "authorities", error.to_string());
        Dialer::new(reach, self.0.authorities.as_deref()).map_err(failed)
    }

    fn settings(&self, context: &Context, role: Role) -> Result<Settings, StartError> {
        let name = if self.0.node.is_empty() { context.node.clone() } else { self.0.node.clone() };
        let node = NodeId::new(&name).map_err(|error| self.failed(context, "node", format!("{name:?}: {error}")))?;
        let media = if self.0.media.is_empty() { self.own_media(context) } else { self.0.media.clone() };
        Ok(self.settings_of(node, media, role))
    }

    fn settings_of(&self, node: NodeId, media: String, role: Role) -> Settings {
        Settings {
            node,
            url: self.0.url.clone(),
            media,
            role,
            groups: self.0.groups.clone(),
            entry: self.0.entry.clone(),
            secret: Secret::new(&self.0.secret),
            allow: self.0.allow.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            forget_after: (self.0.forget_s > 0).then(|| Duration::from_secs(self.0.forget_s)),
            plain: self.0.plain,
            mutual: self.0.mutual_tls,
        }
    }

    /// The session protocol at the host of `url`.
    fn own_media(&self, context: &Context) -> String {
        let host =
            url::Url::parse(&self.0.url).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        let port = |what| context.listening.iter().find(|found| found.what == what).map(|found| found.address.port());
        match port("HTTPS").filter(|_| self.0.tls) {
            Some(port) => format!("wss://{host}:{port}"),
            None => format!("ws://{host}:{}", port("HTTP").unwrap_or(8080)),
        }
    }
}

fn key_of(error: &ClusterError) -> &'static str {
    match error {
        ClusterError::WeakSecret => "secret",
        ClusterError::BadGroup(_) | ClusterError::TooManyGroups => "groups",
        ClusterError::BadNetwork(_) => "allow",
        _ => "url",
    }
}

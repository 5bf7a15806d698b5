//! Servers of a cluster, each on a host of its own.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_tests::{
    hosts::Host,
    http,
    origin::Origin,
    program::{Ended, Program, until},
    scratch, tools,
};
use serde_json::Value;

const SECRET: &str = "a secret of these tests";

/// A server and the machine that it runs on.
pub(crate) struct Node {
    // The server is ended before its host.
    server: Origin,
    pub(crate) host: Host,
}

impl Deref for Node {
    type Target = Origin;

    fn deref(&self) -> &Origin {
        &self.server
    }
}

/// Keys of the configuration, as the names of environment variables have them.
pub(crate) type Keys = Vec<(&'static str, String)>;

/// What a server finds on its machine.
#[derive(Clone, Copy, Default)]
pub(crate) struct Surroundings<'a> {
    /// Variables of its environment.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// What names stand for (hosts(5)), in place of what they do on this machine.
    pub(crate) names: Option<&'a Path>,
}

/// Where other servers reach a host without TLS.
pub(crate) fn plain(host: &Host) -> String {
    format!("ws://{}:8084", host.address())
}

/// The same with TLS.
pub(crate) fn secure(host: &Host) -> String {
    format!("wss://{}:8084", host.address())
}

impl Node {
    /// Starts a server without TLS and waits until it is ready.
    pub(crate) fn start(host: Host, role: &str, entry: &[&str], more: Keys) -> Result<Node> {
        Node::start_in(&Surroundings::default(), host, role, entry, more)
    }

    /// The same with a clock or names of its own.
    pub(crate) fn start_in(
        around: &Surroundings<'_>,
        host: Host,
        role: &str,
        entry: &[&str],
        more: Keys,
    ) -> Result<Node> {
        let mut keys = vec![
            ("CLUSTER__TLS", "false".to_owned()),
            ("CLUSTER__PLAIN", "true".to_owned()),
            ("CLUSTER__URL", plain(&host)),
            ("CLUSTER__MEDIA", format!("ws://{}:8080", host.address())),
        ];
        keys.extend(more);
        Node::with(around, host, role, entry, keys)
    }

    /// Starts a server with TLS, whose certificate comes from an authority of the cluster's own.
    pub(crate) fn trusted(host: Host, role: &str, entry: &[&str], by: &Authority, more: Keys) -> Result<Node> {
        let (certificate, key) = by.certify(&host)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut keys = vec![
            ("CLUSTER__URL", secure(&host)),
            ("CLUSTER__AUTHORITIES", text(&by.certificate)),
            ("TLS__CERTIFICATE", text(&certificate)),
            ("TLS__KEY", text(&key)),
        ];
        keys.extend(more);
        Node::with(&Surroundings::default(), host, role, entry, keys)
    }

    fn with(around: &Surroundings<'_>, host: Host, role: &str, entry: &[&str], more: Keys) -> Result<Node> {
        let entry = entry.join(",");
        let mut keys = vec![
            ("LISTEN__INSECURE", "true"),
            ("CLUSTER__ENABLED", "true"),
            ("CLUSTER__SECRET", SECRET),
            ("CLUSTER__ROLE", role),
            ("CLUSTER__NODE", host.name()),
            ("CLUSTER__ENTRY", &entry),
            ("LIMITS__RELAY_IDLE_MS", "1500"),
        ];
        keys.extend(more.iter().map(|(key, value)| (*key, value.as_str())));
        let start = || Origin::under(around.variables, host.address(), &keys, &[]);
        let server = match around.names {
            Some(names) => host.inside_with_names(names, start)?,
            None => host.inside(start)?,
        };
        Ok(Node { server, host })
    }

    /// Kills the server, as `kill -9` does, and gives the machine back.
    pub(crate) fn kill(self) -> Host {
        self.server.kill();
        self.host
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(self) -> Result<(Host, Ended)> {
        let Node { server, host } = self;
        Ok((host, server.stop()?))
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(self, within: Duration) -> Result<(Host, Ended)> {
        let Node { server, host } = self;
        Ok((host, server.wait(within)?))
    }

    /// Waits until a metric is right.
    pub(crate) fn wait_metric(&self, name: &str, is_right: impl Fn(f64) -> bool) -> Result<()> {
        let mut last = None;
        until(&format!("{name} of {} is right", self.host.name()), Duration::from_secs(30), || {
            last = self.metric(name).ok().flatten();
            last.is_some_and(&is_right)
        })
        .with_context(|| format!("{name} is {last:?}; {} said:\n{}", self.host.name(), self.log()))
    }

    /// Waits until it knows so many others that live.
    pub(crate) fn wait_nodes(&self, count: usize) -> Result<()> {
        self.wait_metric("headwater_cluster_nodes", |nodes| nodes == count as f64)
    }

    /// How many sessions of WebRTC it has.
    pub(crate) fn sessions(&self) -> Result<f64> {
        Ok(self.metric("headwater_webrtc_sessions")?.unwrap_or_default())
    }

    /// Asks a call of REST below `/rest-api/cdn/`.
    pub(crate) fn cdn(&self, call: &str, body: &str) -> Result<Value> {
        let answer = http::post_json(&self.http(), &format!("/rest-api/cdn/{call}"), body)?;
        serde_json::from_str(&answer.body).with_context(|| format!("{call}: {answer:?}"))
    }
}

/// Who certifies the servers of a cluster.
pub(crate) struct Authority {
    pub(crate) certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Result<Authority> {
        let authority = Authority { certificate: scratch("authority.pem")?, key: scratch("authority.key")? };
        let mut request = request(&authority.certificate, &authority.key, "authority")?;
        request.args(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]);
        Program::start("openssl", &mut request)?.succeed(Duration::from_secs(20))?;
        Ok(authority)
    }

    /// The certificate of a host, good for its address alone, and the key of it.
    fn certify(&self, host: &Host) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (scratch("host.pem")?, scratch("host.key")?);
        let mut request = request(&certificate, &key, host.name())?;
        request.arg("-CA").arg(&self.certificate).arg("-CAkey").arg(&self.key);
        request.args(["-addext", &format!("subjectAltName=IP:{}", host.address())]);
        request.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        Program::start("openssl", &mut request)?.succeed(Duration::from_secs(20))?;
        Ok((certificate, key))
    }
}

fn request(certificate: &Path, key: &Path, name: &str) -> Result<Command> {
    let mut command = Command::new(tools::on_path("openssl")?);
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command.arg("-keyout").arg(key).arg("-out").arg(certificate).args(["-subj", &format!("/CN={name}")]);
    Ok(command)
}

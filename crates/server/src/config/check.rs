//! Checks that look at more than one key.

use std::{net::SocketAddr, path::PathBuf};

use tracing_subscriber::EnvFilter;

use super::{Config, Place, Problem};
use headwater_media::StreamName;

/// What a listener speaks on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// An address that the server will take, and the key that says so.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) what: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
}

/// A key whose value does not fit its neighbours.
pub(crate) struct Complaint {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Config {
    /// Every address that the server will listen on.
    pub(crate) fn listeners(&self) -> Vec<Listener> {
        let http = self.http.ports.iter().map(|port| Listener {
            what: "HTTP",
            address: SocketAddr::new(self.http_address(), *port),
            transport: Transport::Tcp,
            section: "http",
            key: "ports",
        });
        let address = self.https.address.unwrap_or(self.listen.address);
        let ports = if self.https.enabled { self.https.ports.as_slice() } else { &[] };
        let https = ports.iter().map(move |port| Listener {
            what: "HTTPS",
            address: SocketAddr::new(address, *port),
            transport: Transport::Tcp,
            section: "https",
            key: "ports",
        });
        let others = self.protocols.0.iter().flat_map(|protocol| protocol.listeners(self.listen.address));
        http.chain(https).chain(others).collect()
    }

    pub(super) fn check(&self) -> Vec<Problem> {
        let protocols = self.protocols.0.iter().flat_map(|protocol| protocol.complaints());
        let complaints = self.check_general().into_iter().chain(protocols);
        let mut problems: Vec<_> = complaints.map(|complaint| self.locate(complaint)).collect();
        problems.extend(self.check_reach());
        if problems.is_empty() {
            problems = self.check_clashes();
        }
        problems
    }

    fn locate(&self, complaint: Complaint) -> Problem {
        let Complaint { section, key, message, remedy } = complaint;
        Problem { place: self.place(section, key), message: format!("{key} in [{section}] {message}"), remedy }
    }

    fn check_general(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.http.ports.is_empty() {
            complaints.push(Complaint {
                section: "http",
                key: "ports",
                message: "is empty".into(),
                remedy: "Write at least one port, such as [8080].".into(),
            });
        }
        if let Err(error) = StreamName::new(&self.demo.name) {
            complaints.push(Complaint {
                section: "demo",
                key: "name",
                message: format!("is no stream name: {error}"),
                remedy: "Write a name such as \"demo\".".into(),
            });
        }
        if let Err(error) = self.log.level.parse::<EnvFilter>() {
            complaints.push(Complaint {
                section: "log",
                key: "level",
                message: format!("is no log level: {}", error.to_string().escape_debug()),
                remedy: "Write \"error\", \"warn\", \"info\", \"debug\" or \"trace\".".into(),
            });
        }
        complaints.extend(self.access.complaints());
        complaints.extend(self.hooks.complaints());
        complaints.extend(self.traces.complaints());
        complaints.extend(half_identity("tls", &self.tls.certificate, &self.tls.key));
        for host in self.http.hosts.iter().filter(|host| !is_host_name(host)) {
            complaints.push(Complaint {
                section: "http",
                key: "hosts",
                message: format!("holds {host:?}, which is no host name"),
                remedy: "Write names without scheme and port, such as \"media.example.org\".".into(),
            });
        }
        complaints
    }

    /// Without credentials, only loopback is safe unless the operator says otherwise.
    fn check_reach(&self) -> Option<Problem> {
        if self.listen.insecure || self.access.has_credentials() {
            return None;
        }
        let open = self.listeners().into_iter().find(|listener| !listener.address.ip().is_loopback())?;
        let own = self.place(open.section, "address");
        let undecided = match self.hooks.applications.is_empty() {
            true => "publish, watch and stop streams",
            false => {
                "stop streams and change this configuration, about which the applications in [hooks] are not asked"
            }
        };
        let place = if own == Place::Default { self.place("listen", "address") } else { own };
        Some(Problem {
            place,
            message: format!(
                "{} would listen on {}, where everybody who reaches it may {undecided}",
                open.what,
                open.address.ip()
            ),
            remedy:
                "Below [access], write `stream_keys = [\"publish:**:SECRET\"]` for those who publish, and a user that \
                     `origin --hash-password` makes for REST. If everybody is meant to, write `insecure = true` below \
                     [listen] or set HEADWATER__LISTEN__INSECURE=true; otherwise listen on 127.0.0.1."
                    .into(),
        })
    }

    fn check_clashes(&self) -> Vec<Problem> {
        let listeners = self.listeners();
        let mut problems = Vec::new();
        for (index, later) in listeners.iter().enumerate() {
            let clash = listeners.iter().take(index).find(|earlier| clashes(earlier, later));
            problems.extend(clash.map(|earlier| Problem {
                place: self.place(later.section, later.key),
                message: format!(
                    "{} in [{}] and {} in [{}] both take port {}",
                    earlier.key,
                    earlier.section,
                    later.key,
                    later.section,
                    later.address.port()
                ),
                remedy: "Give one of them another port.".into(),
            }));
        }
        problems
    }
}

/// A certificate without its key, or the other way round.
pub(crate) fn half_identity(
    section: &'static str,
    certificate: &Option<PathBuf>,
    private: &Option<PathBuf>,
) -> Option<Complaint> {
    let (key, missing) = match (certificate, private) {
        (Some(_), None) => ("certificate", "key"),
        (None, Some(_)) => ("key", "certificate"),
        _ => return None,
    };
    Some(Complaint {
        section,
        key,
        message: format!("is set, but {missing} is not"),
        remedy: "Set both, or neither for a self-signed certificate.".into(),
    })
}

fn clashes(one: &Listener, other: &Listener) -> bool {
    let (a, b) = (one.address, other.address);
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && one.transport == other.transport && same_address
}

fn is_host_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

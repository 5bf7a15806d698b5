//! Several hosts on one machine: network namespaces of the kernel, each with an address of its own, on one switch.
//!
//! ```text
//!   eu1 (eth0) ──┐
//!   us1 (eth0) ──┼── switch (bridge) ── the test itself
//!  edge (eth0) ──┘
//! ```
//!
//! What is run [inside](Host::inside) a host sees that host's network and nothing else of the machine.
//! A namespace lives as long as a file of this process that names it, so nothing stays behind, however a test ends.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::program::Program;

mod filter;
mod namespace;

use filter::Filter;
use namespace::Namespace;

/// How long a command that changes the network may take.
const SOON: Duration = Duration::from_secs(20);
/// The address of the test itself at the switch; the last number of a host's is its own.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 71, 0, 254);

/// The switch that hosts are plugged into; dropping it, and the hosts, ends the network.
#[derive(Debug)]
pub struct Network {
    switch: Namespace,
    hosts: AtomicU8,
}

/// One host. What runs there is to be ended before it is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: Namespace,
    /// Its end of the cable at the switch, which is `port` there.
    switch: File,
    port: String,
    filter: Filter,
}

impl Network {
    /// A switch without hosts.
    ///
    /// # Errors
    /// When this user may make no network namespaces, or `ip` of iproute2 is missing.
    pub fn new() -> Result<Network> {
        let switch = Namespace::new()?;
        let here = format!("{HERE}/24");
        switch.inside(|| {
            ip(&["link", "add", "name", "switch", "type", "bridge"])?;
            ip(&["addr", "add", &here, "dev", "switch"])?;
            ip(&["link", "set", "lo", "up"])?;
            ip(&["link", "set", "switch", "up"])?;
            // Who asks for something beyond is told at once that there is no way, in place of waiting.
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
            ip(&["route", "add", "unreachable", "default"])
        })?;
        Ok(Network { switch, hosts: AtomicU8::new(0) })
    }

    /// Plugs a new host in.
    ///
    /// # Errors
    /// When the kernel refuses; there is room for 253.
    pub fn host(&self, name: &str) -> Result<Host> {
        let number = self.hosts.fetch_add(1, Relaxed) + 1;
        ensure!(number < 254, "the network is full");
        let namespace = Namespace::new()?;
        let [a, b, c, _] = HERE.octets();
        let address = Ipv4Addr::new(a, b, c, number);
        let (port, end) = (format!("port{number}"), namespace.path());
        self.switch.inside(|| {
            ip(&["link", "add", "name", &port, "type", "veth", "peer", "name", "eth0", "netns", &end])?;
            ip(&["link", "set", &port, "master", "switch", "up"])
        })?;
        let (own, here) = (format!("{address}/24"), HERE.to_string());
        namespace.inside(|| {
            ip(&["link", "set", "lo", "up"])?;
            ip(&["addr", "add", &own, "dev", "eth0"])?;
            ip(&["link", "set", "eth0", "up"])?;
            // It leads nowhere, but programs that look for the way to the Internet take this address for theirs.
            ip(&["route", "add", "default", "via", &here])
        })?;
        let switch = self.switch.file()?;
        Ok(Host { name: name.to_owned(), address, namespace, switch, port, filter: Filter::default() })
    }

    /// Runs something that reaches all hosts which are plugged in, such as the test itself.
    ///
    /// # Errors
    /// What that returns, or when the namespace cannot be entered.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.switch.inside(act)
    }

    /// Parts the network in two: nothing passes between the ones and the others.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn part(ones: &[&Host], others: &[&Host]) -> Result<()> {
        for one in ones {
            for other in others {
                one.hear_nothing_of(other)?;
                other.hear_nothing_of(one)?;
            }
        }
        Ok(())
    }

    /// Makes the network whole again, whatever was done to these hosts.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn heal(hosts: &[&Host]) -> Result<()> {
        hosts.iter().try_for_each(|host| host.hear_all())
    }
}

impl Host {
    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the other hosts reach it.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs something there: its connections, and the programs that it starts, are this host's.
    ///
    /// # Errors
    /// What that returns, or when the namespace cannot be entered.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.namespace.inside(act).with_context(|| format!("at {}", self.name))
    }

    /// The same where names are found in a file (hosts(5)) in place of the machine's. Who changes that file, in place,
    /// changes what names stand for.
    ///
    /// # Errors
    /// What that returns, or when the namespaces cannot be made.
    pub fn inside_with_names<T: Send>(&self, names: &Path, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.inside(|| {
            namespace::own_mounts()?;
            run("mount", &["--make-rprivate", "/"])?;
            run("mount", &["--bind", &names.to_string_lossy(), "/etc/hosts"])?;
            act()
        })
    }

    /// Pulls its cable: nothing comes and nothing goes.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unplug(&self) -> Result<()> {
        namespace::inside(&self.switch, || ip(&["link", "set", &self.port, "down"]))
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn plug(&self) -> Result<()> {
        namespace::inside(&self.switch, || ip(&["link", "set", &self.port, "up"]))
    }

    /// What the other sends is lost from now on; the other still hears this one.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn hear_nothing_of(&self, other: &Host) -> Result<()> {
        self.drop_also(format!("ip saddr {} drop", other.address))
    }

    /// What the other sends by UDP is lost from now on: media goes by UDP, all else by TCP.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn hear_no_udp_of(&self, other: &Host) -> Result<()> {
        self.drop_also(format!("ip saddr {} meta l4proto udp drop", other.address))
    }

    /// Loses so many of a thousand packets that come, by chance; at most 999.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn lose(&self, per_mille: u16) -> Result<()> {
        self.drop_also(format!("numgen random mod 1000 < {per_mille} drop"))
    }

    /// Loses so many of a thousand packets that come from the other, by chance; at most 999.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn lose_of(&self, other: &Host, per_mille: u16) -> Result<()> {
        self.drop_also(format!("ip saddr {} numgen random mod 1000 < {per_mille} drop", other.address))
    }

    /// From now on, until it hears all again, counts the connections that the other asks for, with each time that it asks
    /// anew because nobody answers.
    ///
    /// # Errors
    /// When `nft` is missing or the kernel refuses.
    pub fn count_calls_of(&self, other: &Host) -> Result<()> {
        self.drop_also(format!("ip saddr {} tcp flags & (syn | ack) == syn counter", other.address))
    }

    /// How many were counted since it was last told to lose something.
    ///
    /// # Errors
    /// When `nft` is missing.
    pub fn calls(&self) -> Result<u64> {
        self.inside(filter::counted)
    }

    /// Sends each packet by itself from now on, as a network card does: the kernel passes several at once between
    /// hosts of one machine, and these would be lost together.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn send_singly(&self) -> Result<()> {
        self.inside(|| ip(&["link", "set", "eth0", "gso_max_segs", "1"]))
    }

    /// Sends no more than so many kilobits in a second from now on; what waits for longer than 200 ms is lost. `None`
    /// ends that.
    ///
    /// # Errors
    /// When `tc` of iproute2 is missing or the kernel refuses.
    pub fn send_at_most(&self, kilobits: Option<u64>) -> Result<()> {
        let rate = kilobits.map(|kilobits| format!("{kilobits}kbit"));
        self.inside(|| match rate.as_deref() {
            Some(rate) => {
                let bucket = ["tbf", "rate", rate, "burst", "2kb", "latency", "200ms"];
                run("tc", &[["qdisc", "replace", "dev", "eth0", "root"].as_slice(), &bucket].concat())
            }
            None => run("tc", &["qdisc", "del", "dev", "eth0", "root"]),
        })
    }

    /// Ends all that was to be lost.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hear_all(&self) -> Result<()> {
        self.filter.clear();
        self.inside(|| self.filter.apply())
    }

    fn drop_also(&self, rule: String) -> Result<()> {
        self.filter.add(rule);
        self.inside(|| self.filter.apply())
    }
}

/// Runs `ip` of iproute2 where the thread is.
fn ip(arguments: &[&str]) -> Result<()> {
    run("ip", arguments)
}

fn run(name: &str, arguments: &[&str]) -> Result<()> {
    let words = || format!("{name} {}", arguments.join(" "));
    let mut command = Command::new(filter::administration(name)?);
    Program::start(name, command.args(arguments))?.succeed(SOON).with_context(words).map(drop)
}

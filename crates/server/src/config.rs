//! The configuration: sections with typed keys, read from a TOML file, the environment and the command line.
//!
//! Every key is declared once, in the section that it belongs to; its doc comment is what
//! `--print-default-config` and the reference page show. A protocol brings its own sections.

mod check;
mod general;
mod limits;
mod load;
mod print;
mod problem;
pub(crate) mod section;
pub(crate) mod setting;
#[cfg(test)]
mod tests;
mod value;

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    gates::{AccessSection, HooksSection},
    protocols::{self, Protocol},
    traces::TracesSection,
};

pub(crate) use check::{Complaint, Listener, Transport, half_identity};
pub use general::{Demo, Http, Https, Listen, Log, LogFormat, Process, Streams, Tls};
pub use limits::Limits;
pub(crate) use load::variable;
pub use load::{Set, Sources};
pub use problem::{ConfigError, Place, Problem};
pub use section::{Key, RawValue, Section};
pub(crate) use value::Value;

/// All that the server can be told before it starts.
#[derive(Default)]
#[non_exhaustive]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[process]`
    pub process: Process,
    /// `[http]`
    pub http: Http,
    /// `[https]`
    pub https: Https,
    /// `[tls]`
    pub tls: Tls,
    /// `[streams]`
    pub streams: Streams,
    /// `[demo]`
    pub demo: Demo,
    /// `[log]`
    pub log: Log,
    /// `[limits]`
    pub limits: Limits,
    pub(crate) access: AccessSection,
    pub(crate) hooks: HooksSection,
    pub(crate) traces: TracesSection,
    pub(crate) protocols: Protocols,
    pub(crate) places: Places,
    /// What it was loaded from, if from something that can be read again.
    pub(crate) sources: Option<Sources>,
}

/// Who set which key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(BTreeMap<(&'static str, &'static str), Place>);

impl Places {
    /// Who set `[section] key`.
    pub(crate) fn find(&self, section: &str, key: &str) -> Place {
        let set = self.0.iter().find(|((s, k), _)| *s == section && *k == key);
        set.map_or(Place::Default, |(_, place)| place.clone())
    }

    fn set(&mut self, section: &'static str, key: &'static str, place: Place) {
        self.0.insert((section, key), place);
    }
}

/// The protocols with their sections; a type of its own only for its default.
pub(crate) struct Protocols(pub(crate) Vec<Box<dyn Protocol>>);

impl Default for Protocols {
    fn default() -> Protocols {
        Protocols(protocols::all())
    }
}

impl Config {
    /// All sections in the order in which they are shown.
    pub fn sections(&self) -> Vec<&dyn Section> {
        let mut sections: Vec<&dyn Section> =
            vec![&self.listen, &self.http, &self.https, &self.tls, &self.access, &self.hooks];
        sections.extend(self.protocols.0.iter().flat_map(|protocol| protocol.sections()));
        sections.extend([&self.streams, &self.demo, &self.process, &self.log, &self.traces] as [&dyn Section; 5]);
        sections.push(&self.limits);
        sections
    }

    /// The role of the program that it is for.
    pub(crate) fn role(&self) -> &'static str {
        self.sources.as_ref().map(|sources| sources.role).filter(|role| !role.is_empty()).unwrap_or("origin")
    }

    /// The value in force of `[section] key`, as TOML.
    pub fn get(&self, section: &str, key: &str) -> Option<String> {
        self.sections().into_iter().find(|found| found.name() == section)?.get(key)
    }

    /// Who set `[section] key`.
    pub fn place(&self, section: &str, key: &str) -> Place {
        self.places.find(section, key)
    }

    /// The address of the web server.
    pub fn http_address(&self) -> IpAddr {
        self.http.address.unwrap_or(self.listen.address)
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        let mut sections: Vec<&mut dyn Section> =
            vec![&mut self.listen, &mut self.http, &mut self.https, &mut self.tls, &mut self.access, &mut self.hooks];
        sections.extend(self.protocols.0.iter_mut().flat_map(|protocol| protocol.sections_mut()));
        sections.extend([
            &mut self.streams as &mut dyn Section,
            &mut self.demo,
            &mut self.process,
            &mut self.log,
            &mut self.traces,
            &mut self.limits,
        ]);
        sections
    }
}

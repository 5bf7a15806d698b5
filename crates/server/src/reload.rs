//! Taking up another configuration while sessions go on.
//!
//! ```text
//!  file, SIGHUP, REST ──► load and check all ──► prepare every part that takes changes ──► put all in force
//!                               │ wrong                      │ cannot                      
//!                               ▼                            ▼
//!                       nothing has changed, and it is said why
//! ```

mod persist;
mod rest;
mod watch;

use std::{collections::BTreeMap, sync::Arc};

use headwater_control::{Journal, ServerEvent};
use parking_lot::Mutex;

use crate::config::{Config, ConfigError, Place, Problem, Section, Set, Sources};

pub(crate) use watch::watch;

/// What puts a part of a configuration in force, once all parts can be.
pub(crate) type Switch = Box<dyn FnOnce() + Send>;

/// Prepares a part of a configuration. It must look at keys alone that are marked as live.
///
/// # Errors
/// It cannot be put in force.
pub(crate) type Prepare = Box<dyn Fn(&Config) -> Result<Switch, Problem> + Send + Sync>;

/// Takes up configurations. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Reloader(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    parts: Vec<Prepare>,
    journal: Journal,
}

struct State {
    sources: Option<Sources>,
    /// The value of each key that the server goes by.
    in_force: Values,
}

type Values = BTreeMap<(&'static str, &'static str), String>;

/// What a configuration that was taken up has changed. Keys as `section.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub applied: Vec<String>,
    /// Keys whose new value waits until the server is started anew.
    pub waiting: Vec<String>,
}

impl Reloader {
    pub(crate) fn new(config: &Config, parts: Vec<Prepare>, journal: Journal) -> Reloader {
        let state = State { sources: config.sources.clone(), in_force: values(config) };
        Reloader(Arc::new(Inner { state: Mutex::new(state), parts, journal }))
    }

    /// The file that is read, if there is one.
    pub(crate) fn file(&self) -> Option<std::path::PathBuf> {
        self.0.state.lock().sources.as_ref()?.file.clone()
    }

    /// Reads all sources again.
    ///
    /// # Errors
    /// All that is wrong; nothing has changed then.
    pub(crate) fn reload(&self) -> Result<Reloaded, ConfigError> {
        let reloaded = self.read_again();
        self.0.tell(&reloaded);
        reloaded
    }

    fn read_again(&self) -> Result<Reloaded, ConfigError> {
        let state = &mut *self.0.state.lock();
        let config = Config::load(state.sources.as_ref().ok_or_else(no_sources)?)?;
        let switches = self.0.prepare(&config)?;
        Ok(state.take_up(&config, switches))
    }

    /// Sets one key, over whatever the sources say; `persist` also writes it into the file.
    ///
    /// # Errors
    /// All that is wrong; nothing has changed then.
    pub(crate) fn set(&self, set: Set, persist: bool) -> Result<Reloaded, ConfigError> {
        let reloaded = self.change(set, persist);
        self.0.tell(&reloaded);
        reloaded
    }

    fn change(&self, set: Set, persist: bool) -> Result<Reloaded, ConfigError> {
        let state = &mut *self.0.state.lock();
        let mut sources = state.sources.clone().ok_or_else(no_sources)?;
        sources.set.retain(|other| (&other.section, &other.key) != (&set.section, &set.key));
        let without = sources.clone();
        sources.set.push(set.clone());
        let config = Config::load(&sources)?;
        let switches = self.0.prepare(&config)?;
        if persist {
            let file = sources.file.as_deref().ok_or_else(no_file)?;
            persist::write(file, &set)?;
            // What stands in the file needs no second place, unless the environment or an option would win over it.
            if Config::load(&without).is_ok_and(|from_file| values(&from_file) == values(&config)) {
                sources = without;
            }
        }
        state.sources = Some(sources);
        Ok(state.take_up(&config, switches))
    }
}

impl Inner {
    /// Tells operators who follow the events.
    fn tell(&self, reloaded: &Result<Reloaded, ConfigError>) {
        match reloaded {
            Ok(reloaded) if reloaded.applied.is_empty() => {}
            Ok(reloaded) => {
                self.journal.tell(&ServerEvent::ConfigurationReloaded { changed: reloaded.applied.clone() });
            }
            Err(error) => self.journal.tell(&ServerEvent::ConfigurationRefused { reason: error.to_string() }),
        }
    }

    fn prepare(&self, config: &Config) -> Result<Vec<Switch>, ConfigError> {
        let prepared = self.parts.iter().map(|prepare| prepare(config));
        prepared.collect::<Result<_, _>>().map_err(|problem| ConfigError { problems: vec![problem] })
    }
}

impl State {
    fn take_up(&mut self, config: &Config, switches: Vec<Switch>) -> Reloaded {
        for switch in switches {
            switch();
        }
        let mut reloaded = Reloaded::default();
        for section in config.sections() {
            for key in section.keys() {
                let Some(value) = section.get(key.name) else { continue };
                let known = self.in_force.entry((section.name(), key.name)).or_default();
                if *known == value {
                    continue;
                }
                let name = format!("{}.{}", section.name(), key.name);
                if key.is_live {
                    *known = value;
                    reloaded.applied.push(name);
                } else {
                    reloaded.waiting.push(name);
                }
            }
        }
        reloaded.tell();
        reloaded
    }
}

impl Reloaded {
    fn tell(&self) {
        if !self.applied.is_empty() {
            tracing::info!(keys = self.applied.join(", "), "the configuration has changed");
        }
        if !self.waiting.is_empty() {
            tracing::warn!(keys = self.waiting.join(", "), "these keys have changed and take effect at the next start");
        }
    }
}

fn values(config: &Config) -> Values {
    let of = |section: &dyn Section| {
        let name = section.name();
        let keys = section.keys().into_iter();
        keys.filter_map(|key| Some(((name, key.name), section.get(key.name)?))).collect::<Vec<_>>()
    };
    config.sections().into_iter().flat_map(of).collect()
}

fn no_sources() -> ConfigError {
    problem("the configuration was made by a program and not read from anywhere", "Ask those who made the program.")
}

fn no_file() -> ConfigError {
    problem(
        "there is no configuration file to keep it in",
        "Start the server with --config FILE, or leave out persist.",
    )
}

fn problem(message: impl Into<String>, remedy: &str) -> ConfigError {
    ConfigError { problems: vec![Problem { place: Place::Call, message: message.into(), remedy: remedy.into() }] }
}

#[cfg(test)]
mod tests;

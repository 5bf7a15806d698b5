//! `[hooks]`: the applications behind the server.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use headwater_access::Secret;
use headwater_control::{Metric, Record, RecordTimes, Source};
use headwater_hooks::{
    Hooks, Method, Mode, OnError, Outcome, Policy, Settings, SettingsError, Successor, read_application,
};
use headwater_media::limits;
use headwater_net::TlsError;

use crate::{
    config::{
        Complaint, Config, Problem, Value,
        section::section,
        setting::{Setting, quote},
    },
    error::StartError,
    figures::node,
    protocols::Context,
};

section! {
    /// The applications behind the server: asked by HTTP before somebody connects, publishes or plays, and told what came of it, as in WCS. docs/guide/authorise-with-hooks.md leads through it.
    pub(crate) struct HooksSection, "hooks" {
        /// Applications, each "KEY=ADDRESS": the key that clients name as `appKey`, "defaultApp" for those that name none, and the http:// or https:// address that its hooks stand below. Without any nobody is asked.
        @live applications: Vec<String> = Vec::new();
        /// The time that a hook has in all, in milliseconds. An application that has not answered by then has not agreed.
        @live timeout_ms: u64 = 3_000, in 100..=15_000;
        /// The time that a connection to an application has, with TLS, in milliseconds.
        @live connect_timeout_ms: u64 = 2_000, in 100..=15_000;
        /// The key that hooks are signed with in the header `Headwater-Signature`. Better set in the environment than in a file that many read.
        @live @secret secret_key: String = String::new();
        /// Whether hooks are also signed as WCS does it, by HMAC-MD5 in the header `Authorization`.
        @live send_wcs_hash: bool = false;
        /// What becomes of a wish that an application did not agree to: "fail" refuses it, "log" lets it go on. An application says so for each hook by `restOnError`; this holds where it does not. `connect` is always refused.
        on_error: Otherwise = Otherwise(OnError::Fail);
        /// Fields that an answer to publishStream and playStream may change, such as "name", where the application has not said so by `restClientConfig`.
        overwrite: Vec<String> = Vec::new();
        /// The hooks that are sent, such as "publishStream"; all of them, if empty.
        methods: Vec<String> = Vec::new();
        /// Whether applications are asked again and again by StreamKeepAliveEvent whether a stream may go on.
        keep_alive: bool = false;
        /// How often, in milliseconds.
        keep_alive_interval_ms: u64 = 10_000, in 1_000..=3_600_000;
        /// Whether http:// addresses may lead to other machines. What clients show of themselves is then sent unencrypted.
        plain_http: bool = false;
        /// A file with certificates of authorities in PEM that https:// trusts besides those that browsers do.
        authorities: Option<PathBuf> = None;
    }
}

/// What becomes of a wish that an application was asked about in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Otherwise(pub(crate) OnError);

impl Setting for Otherwise {
    fn read(value: &Value) -> Option<Otherwise> {
        match String::read(value)?.as_str() {
            "fail" => Some(Otherwise(OnError::Fail)),
            "log" => Some(Otherwise(OnError::Log)),
            _ => None,
        }
    }

    fn expects() -> String {
        "\"fail\" or \"log\"".into()
    }

    fn write(&self) -> String {
        quote(match self.0 {
            OnError::Fail => "fail",
            OnError::Log => "log",
        })
    }
}

impl HooksSection {
    /// What is wrong with it.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut keys = BTreeSet::new();
        for entry in &self.applications {
            match read_application(entry, self.plain_http) {
                Err(error) => complaints.push(wrong_application(entry, &error)),
                Ok((key, _)) if !keys.insert(key.clone()) => {
                    let message = format!("names {key:?} twice");
                    complaints.push(complaint("applications", message, "Write each application once."));
                }
                Ok(_) => {}
            }
        }
        if self.applications.len() > limits::HOOK_APPLICATIONS.get_usize() {
            let message = format!("has more than {} entries", limits::HOOK_APPLICATIONS.get());
            complaints.push(complaint("applications", message, "Raise hook_applications in [limits] to have more."));
        }
        for name in self.methods.iter().filter(|name| Method::find(name).is_none()) {
            let names: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
            let message = format!("holds {name:?}, which is no hook");
            complaints.push(complaint("methods", message, &format!("Hooks are {}.", names.join(", "))));
        }
        if self.send_wcs_hash && self.secret_key.is_empty() {
            let remedy = "Write a `secret_key` beside it, the same that the application has.";
            complaints.push(complaint("send_wcs_hash", "has no key to sign with".into(), remedy));
        }
        complaints
    }

    fn settings(&self, node: String) -> Settings {
        let mode = if self.overwrite.is_empty() { Mode::Notify } else { Mode::Overwrite };
        let applications = self.applications.iter().filter_map(|entry| read_application(entry, self.plain_http).ok());
        Settings {
            node,
            applications: applications.collect(),
            timeout: Duration::from_millis(self.timeout_ms),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            secret_key: Some(&self.secret_key).filter(|key| !key.is_empty()).map(Secret::new),
            with_wcs_hash: self.send_wcs_hash,
            policy: Policy {
                on_error: self.on_error.0,
                mode,
                overwritten: self.overwrite.clone(),
                ..Policy::default()
            },
            methods: self.methods.iter().filter_map(|name| Method::find(name)).collect(),
            keep_alive: self.keep_alive.then(|| Duration::from_millis(self.keep_alive_interval_ms)),
            authorities: self.authorities.clone(),
        }
    }
}

fn complaint(key: &'static str, message: String, remedy: &str) -> Complaint {
    Complaint { section: "hooks", key, message, remedy: remedy.into() }
}

fn wrong_application(entry: &str, error: &SettingsError) -> Complaint {
    let remedy = match error {
        SettingsError::Plain => {
            "Write an https:// address, or `plain_http = true` if the network between is yours alone."
        }
        _ => "Write entries such as \"defaultApp=https://example.org/hooks\".",
    };
    // An address may hold a password where none belongs.
    let key = entry.split_once('=').map_or("an entry", |(key, _)| key.trim());
    complaint("applications", format!("holds {key:?}, {error}"), remedy)
}

/// The applications of the configuration.
pub(crate) fn open(config: &Config) -> Result<Hooks, StartError> {
    let failed = |error: TlsError| StartError::Protocol {
        what: "hooks",
        reason: error.to_string(),
        section: "hooks",
        place: config.place("hooks", "authorities"),
    };
    Hooks::new(config.hooks.settings(name(config))).map_err(failed)
}

/// What this server calls itself.
fn name(config: &Config) -> String {
    format!("{}@{}", node(&config.process.name).name, config.listen.address)
}

/// Has events delivered until the server stops, later configurations put in force, and what is counted shown.
pub(crate) fn start(config: &Config, context: &mut Context) {
    let (hooks, name) = (context.hooks.clone(), name(config));
    context.add_source(Arc::new(HooksSource(hooks.clone())));
    let held = hooks.clone();
    context.take_up(move |config| {
        let (hooks, settings) = (held.clone(), config.hooks.settings(name.clone()));
        let successor = Successor::new(settings).map_err(|error| Problem {
            place: config.place("hooks", "authorities"),
            message: error.to_string(),
            remedy: "Correct authorities below [hooks].".into(),
        })?;
        Ok(Box::new(move || hooks.replace(successor)))
    });
    context.tasks.spawn(hooks.clone().run());
    context.at_stop.push(Box::pin(async move { hooks.stop().await }));
}

/// The figures of hooks.
struct HooksSource(Hooks);

impl HooksSource {
    /// Whether there is anything to tell. Most servers have no applications and never have had any.
    fn is_used(&self) -> bool {
        let figures = self.0.figures();
        let all = || Method::ALL.iter().flat_map(|method| Outcome::ALL.iter().map(|outcome| (*method, *outcome)));
        self.0.has_applications() || all().any(|(method, outcome)| figures.get(method, outcome) > 0)
    }
}

impl Source for HooksSource {
    fn metrics(&self) -> Vec<Metric> {
        let hooks = "Hooks sent to applications, by what they came to; an event that is sent again counts each time, and one that is given up as dropped.";
        vec![
            Metric::counter("hooks", hooks).by("hook").by("outcome"),
            Metric::histogram("hook_seconds", "Time from sending a hook to its answer.").by("hook"),
            Metric::gauge("hook_events_waiting", "Events that wait for an application to take them."),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        let hooks = &self.0;
        if !self.is_used() {
            return;
        }
        for method in Method::ALL {
            for outcome in Outcome::ALL {
                let count = hooks.figures().get(*method, *outcome);
                record("hooks", &format!("{},{}", method.name(), outcome.name()), count as f64);
            }
        }
        record("hook_events_waiting", "", hooks.waiting() as f64);
    }

    fn read_times(&self, record: &mut RecordTimes<'_>) {
        for method in Method::ALL.iter().filter(|_| self.is_used()) {
            record("hook_seconds", method.name(), &self.0.figures().times(*method));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_without_passwords() {
        let section = |applications: &[&str]| HooksSection {
            applications: applications.iter().map(|entry| (*entry).to_owned()).collect(),
            ..HooksSection::default()
        };
        for (section, key, expected) in [
            (section(&["shop"]), "applications", "no key and address"),
            (section(&["shop=https://a:canary@example.org"]), "applications", "form"),
            (section(&["shop=http://example.org"]), "applications", "unencrypted"),
            (section(&["a=https://example.org", "a=https://example.org"]), "applications", "twice"),
            (HooksSection { methods: vec!["play".into()], ..section(&[]) }, "methods", "no hook"),
            (HooksSection { send_wcs_hash: true, ..section(&[]) }, "send_wcs_hash", "no key"),
        ] {
            let complaints = section.complaints();
            let complaint = complaints.first().unwrap();
            assert_eq!((complaints.len(), complaint.key), (1, key));
            assert!(complaint.message.contains(expected), "{}", complaint.message);
            assert!(!complaint.message.contains("canary"), "{}", complaint.message);
        }
        let good = section(&["defaultApp=https://example.org/hooks", "shop=http://127.0.0.1:3000"]);
        assert!(good.complaints().is_empty());
    }
}

//! The configuration as the REST API shows and changes it.

use headwater_control::{ReloadedObject, SettingChange, SettingObject, Settings};
use headwater_graph::BoxFuture;
use serde_json::Value;
use toml_edit::Array;

use super::{Reloaded, Reloader};
use crate::config::{Config, ConfigError, Set};

impl Settings for Reloader {
    fn list(&self) -> Vec<SettingObject> {
        let state = self.0.state.lock();
        // A file that is broken now still leaves names and values to tell.
        let config = state.sources.as_ref().and_then(|sources| Config::load(sources).ok()).unwrap_or_default();
        let mut list = Vec::new();
        for section in config.sections() {
            for key in section.keys() {
                list.push(SettingObject {
                    section: section.name().to_owned(),
                    key: key.name.to_owned(),
                    value: state.in_force.get(&(section.name(), key.name)).filter(|_| !key.is_secret).cloned(),
                    default: key.default,
                    about: key.about,
                    place: config.place(section.name(), key.name).to_string(),
                    live: key.is_live,
                });
            }
        }
        list
    }

    fn reload(&self) -> BoxFuture<'static, Result<ReloadedObject, Vec<String>>> {
        let reloader = self.clone();
        Box::pin(run(move || reloader.reload().map_err(sentences)))
    }

    fn set(&self, change: SettingChange) -> BoxFuture<'static, Result<ReloadedObject, Vec<String>>> {
        let reloader = self.clone();
        Box::pin(run(move || {
            let SettingChange { section, key, value, persist } = change;
            let bad_value = || vec!["A value is a number, a text, true or false, or a list.".to_owned()];
            let value = toml(&value).ok_or_else(bad_value)?.to_string();
            let set = Set { section, key, value: value.trim().to_owned() };
            reloader.set(set, persist).map_err(sentences)
        }))
    }
}

/// Files are read and written where nobody waits for it.
async fn run(
    work: impl FnOnce() -> Result<Reloaded, Vec<String>> + Send + 'static,
) -> Result<ReloadedObject, Vec<String>> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(vec![format!("This is a bug in Headwater: {error}.")])).map(object)
}

fn object(reloaded: Reloaded) -> ReloadedObject {
    ReloadedObject { applied: reloaded.applied, waiting: reloaded.waiting }
}

fn sentences(error: ConfigError) -> Vec<String> {
    error.problems.iter().map(ToString::to_string).collect()
}

fn toml(value: &Value) -> Option<toml_edit::Value> {
    match value {
        Value::Bool(flag) => Some((*flag).into()),
        Value::Number(number) => number.as_i64().map(Into::into),
        Value::String(text) => Some(text.as_str().into()),
        Value::Array(items) => Some(items.iter().map(toml).collect::<Option<Array>>()?.into()),
        Value::Null | Value::Object(_) => None,
    }
}

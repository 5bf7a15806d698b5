//! What an application wants of each hook: the `restClientConfig` of its answer to `connect`.

use std::{collections::BTreeMap, sync::Arc};

use headwater_access::Facts;
use headwater_media::limits;
use serde_json::Value;

use crate::method::Method;

/// What becomes of a wish that an application was asked about in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is refused.
    #[default]
    Fail,
    /// It goes on as if the application had agreed; the error is logged.
    Log,
}

/// Whether a hook is sent, and what its answer may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sent; what the answer says besides its status is not looked at.
    #[default]
    Notify,
    /// Sent; fields of the answer take the place of what was asked for.
    Overwrite,
    /// Not sent.
    Disable,
}

/// What holds for one hook of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of an error.
    pub on_error: OnError,
    /// Whether it is sent.
    pub mode: Mode,
    /// Fields that it is sent without.
    pub excluded: Vec<String>,
    /// Fields that the answer may change.
    pub overwritten: Vec<String>,
}

/// What holds for each hook of one session.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    rest: Arc<Policy>,
    named: BTreeMap<Method, Policy>,
}

impl Policies {
    /// The same for every hook.
    pub(crate) fn new(rest: Arc<Policy>) -> Policies {
        Policies { rest, named: BTreeMap::new() }
    }

    /// What an answer to `connect` asks for; what it does not name stays as it is in `rest`.
    pub(crate) fn read(answer: &Facts, rest: Arc<Policy>) -> Policies {
        let named = match answer.get("restClientConfig") {
            Some(Value::Object(config)) => {
                let known = config.iter().filter_map(|(name, wanted)| Some((Method::find(name)?, wanted)));
                known.map(|(method, wanted)| (method, Policy::read(wanted, &rest))).collect()
            }
            _ => BTreeMap::new(),
        };
        Policies { rest, named }
    }

    /// What holds for this hook.
    pub(crate) fn of(&self, method: Method) -> &Policy {
        self.named.get(&method).unwrap_or(&self.rest)
    }
}

impl Policy {
    fn read(wanted: &Value, rest: &Policy) -> Policy {
        let word = |key: &str| wanted.get(key).and_then(Value::as_str).map(str::to_ascii_uppercase);
        let on_error = match word("restOnError").as_deref() {
            Some("LOG") => OnError::Log,
            None | Some("") => rest.on_error,
            Some(_) => OnError::Fail,
        };
        let overwritten = wanted.get("restOverwrite").map(fields).unwrap_or_default();
        let mode = match word("restPolicy").as_deref() {
            Some("DISABLE") => Mode::Disable,
            Some("OVERWRITE") => Mode::Overwrite,
            _ => Mode::Notify,
        };
        let excluded = wanted.get("restExclude").map(fields).unwrap_or_default();
        Policy { on_error, mode, excluded, overwritten }
    }
}

/// Names of fields: a list, or a text with commas between them.
fn fields(value: &Value) -> Vec<String> {
    let max = limits::HOOK_FIELDS.get_usize();
    let names: Vec<&str> = match value {
        Value::String(text) => text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if names.len() > max {
        limits::HOOK_FIELDS.hit();
    }
    names.into_iter().take(max).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: Value) -> Policies {
        let answer = Facts::from_iter([("restClientConfig".to_owned(), config)]);
        Policies::read(&answer, Arc::default())
    }

    #[test]
    fn words_and_lists_of_a_policy() {
        let plain = Policy::default();
        let log = Policy { on_error: OnError::Log, ..plain.clone() };
        let name = vec!["name".to_owned()];
        for (wanted, expected) in [
            (json!({}), plain.clone()),
            (
                json!({ "restOnError": "FAIL", "restPolicy": "NOTIFY", "restExclude": "", "restOverwrite": "" }),
                plain.clone(),
            ),
            (json!({ "restOnError": "LOG" }), log.clone()),
            (json!({ "restOnError": "log" }), log),
            (json!({ "restOnError": "perhaps" }), plain.clone()),
            (json!({ "restPolicy": "DISABLE" }), Policy { mode: Mode::Disable, ..plain.clone() }),
            (
                json!({ "restPolicy": "OVERWRITE", "restOverwrite": "name" }),
                Policy { mode: Mode::Overwrite, overwritten: name.clone(), ..plain.clone() },
            ),
            (
                json!({ "restPolicy": "OVERWRITE", "restOverwrite": ["name"], "restExclude": "sdp, custom" }),
                Policy {
                    mode: Mode::Overwrite,
                    overwritten: name,
                    excluded: vec!["sdp".into(), "custom".into()],
                    ..plain.clone()
                },
            ),
            (json!("OVERWRITE"), plain.clone()),
            (json!(null), plain),
        ] {
            assert_eq!(read(json!({ "playStream": wanted })).of(Method::PlayStream), &expected, "{wanted}");
        }
    }

    #[test]
    fn a_hook_that_is_not_named_is_as_configured() {
        let rest = Arc::new(Policy { on_error: OnError::Log, ..Policy::default() });
        let config = json!({ "publishStream": { "restOnError": "FAIL" }, "playStream": {}, "unheard": {} });
        let answer = Facts::from_iter([("restClientConfig".to_owned(), config)]);
        let policies = Policies::read(&answer, rest);
        let on_error = |method| policies.of(method).on_error;
        assert_eq!(on_error(Method::PublishStream), OnError::Fail);
        assert_eq!(on_error(Method::PlayStream), OnError::Log);
        assert_eq!(on_error(Method::OnDataEvent), OnError::Log);
    }

    #[test]
    fn lists_of_fields_are_bounded() {
        let many = vec!["x"; 10_000].join(",");
        let policies = read(json!({ "playStream": { "restExclude": many } }));
        assert_eq!(policies.of(Method::PlayStream).excluded.len(), limits::HOOK_FIELDS.get_usize());
    }
}

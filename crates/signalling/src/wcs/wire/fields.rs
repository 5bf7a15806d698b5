//! Reads the members of an object as pages send them: missing, null, or a number written as text.

use serde_json::{Map, Value};

/// The members of an object; what is not there reads as empty.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(value: Value) -> Fields {
        match value {
            Value::Object(members) => Fields(members),
            _ => Fields(Map::new()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(Value::Number(number)) => {
                number.as_u64().or_else(|| number.as_f64().map(|number| number as u64)).unwrap_or(0)
            }
            Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
            _ => 0,
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }
}

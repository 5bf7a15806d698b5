//! A value as it stands in a configuration file or an environment variable, before its key says what it must be.

use std::fmt;

use toml::de::{DeInteger, DeTable, DeValue};

/// A TOML value without its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i128),
    Text(String),
    List(Vec<Value>),
    /// Anything that no key takes, with TOML's word for it.
    Other(&'static str),
}

impl Value {
    /// The value that the file holds.
    pub(crate) fn from_toml(value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => read_integer(integer),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Array(items) => Value::List(items.iter().map(|item| Value::from_toml(item.get_ref())).collect()),
            other => Value::Other(other.type_str()),
        }
    }

    /// The value that an environment variable holds: TOML if it reads as such, else the text itself.
    pub(crate) fn from_environment(text: &str) -> Value {
        let line = format!("v = {text}");
        let table = match DeTable::parse(&line) {
            Ok(table) => table.into_inner(),
            Err(_) => return Value::Text(text.to_owned()),
        };
        match table.get("v") {
            Some(value) if table.len() == 1 => Value::from_toml(value.get_ref()),
            _ => Value::Text(text.to_owned()),
        }
    }
}

fn read_integer(integer: &DeInteger<'_>) -> Value {
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) => Value::Integer(number),
        Err(_) => Value::Other("number that is far too large"),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "the text {:?}", shorten(text)),
            Value::List(items) => write!(f, "a list of {}", items.len()),
            Value::Other(what) => write!(f, "a {what}"),
        }
    }
}

/// So that an error stays one readable line whatever stands in the file.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

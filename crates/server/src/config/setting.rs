//! The types that a key can have: how each is read, written and described.

use std::{net::IpAddr, path::PathBuf};

use super::value::Value;

/// A type of a configuration key.
pub(crate) trait Setting: Sized {
    /// The setting in this value, or `None` if it is of another kind.
    fn read(value: &Value) -> Option<Self>;

    /// What a value must be, to end the sentence "must be …".
    fn expects() -> String;

    /// The setting as TOML.
    fn write(&self) -> String;

    /// The setting as a number, for keys with a range.
    fn number(&self) -> Option<u64> {
        None
    }
}

impl Setting for bool {
    fn read(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    fn expects() -> String {
        "true or false".into()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_numbers {
    ($($type:ty, $expects:literal;)*) => {$(
        impl Setting for $type {
            fn read(value: &Value) -> Option<$type> {
                match value {
                    Value::Integer(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }

            fn expects() -> String {
                $expects.into()
            }

            fn write(&self) -> String {
                self.to_string()
            }

            fn number(&self) -> Option<u64> {
                (*self).try_into().ok()
            }
        }
    )*};
}

whole_numbers! {
    u16, "a whole number from 0 to 65535";
    u32, "a whole number";
    u64, "a whole number";
    usize, "a whole number";
}

impl Setting for String {
    fn read(value: &Value) -> Option<String> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn expects() -> String {
        "text in quotes".into()
    }

    fn write(&self) -> String {
        quote(self)
    }
}

impl Setting for IpAddr {
    fn read(value: &Value) -> Option<IpAddr> {
        match value {
            Value::Text(text) => text.trim_matches(['[', ']']).parse().ok(),
            _ => None,
        }
    }

    fn expects() -> String {
        "an IP address in quotes, such as \"127.0.0.1\" or \"::1\"".into()
    }

    fn write(&self) -> String {
        quote(&self.to_string())
    }
}

impl Setting for PathBuf {
    fn read(value: &Value) -> Option<PathBuf> {
        String::read(value).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    fn expects() -> String {
        "the path of a file in quotes".into()
    }

    fn write(&self) -> String {
        quote(&self.to_string_lossy())
    }
}

/// Empty text stands for "not set".
impl<T: Setting> Setting for Option<T> {
    fn read(value: &Value) -> Option<Option<T>> {
        match value {
            Value::Text(text) if text.is_empty() => Some(None),
            value => T::read(value).map(Some),
        }
    }

    fn expects() -> String {
        format!("{}, or \"\" for none", T::expects())
    }

    fn write(&self) -> String {
        self.as_ref().map_or_else(|| quote(""), T::write)
    }
}

/// One value alone, or several in a text with commas between them, count as a list: environment variables are easier so.
impl<T: Setting> Setting for Vec<T> {
    fn read(value: &Value) -> Option<Vec<T>> {
        match value {
            Value::List(items) => items.iter().map(T::read).collect(),
            Value::Text(text) if text.trim().is_empty() => Some(Vec::new()),
            Value::Text(text) => text.split(',').map(|part| read_part::<T>(part.trim())).collect(),
            one => T::read(one).map(|item| vec![item]),
        }
    }

    fn expects() -> String {
        format!("a list, each {}", T::expects())
    }

    fn write(&self) -> String {
        let items: Vec<String> = self.iter().map(T::write).collect();
        format!("[{}]", items.join(", "))
    }
}

fn read_part<T: Setting>(part: &str) -> Option<T> {
    T::read(&Value::Text(part.to_owned())).or_else(|| T::read(&Value::from_environment(part)))
}

/// Text as a TOML basic string.
pub(crate) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

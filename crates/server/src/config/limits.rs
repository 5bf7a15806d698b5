//! The section that sets other values for the table of limits.

use headwater_media::limits::{self, TABLE};

use super::{Key, RawValue, Section, section};

/// Values for limits that the configuration names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    set: Vec<(&'static str, u64)>,
}

impl Limits {
    /// Puts the values in force, for the whole process.
    pub fn apply(&self) {
        for limit in TABLE {
            limit.set(self.value(limit));
        }
    }

    fn value(&self, limit: &limits::Limit) -> u64 {
        let set = self.set.iter().find(|(name, _)| *name == limit.name);
        set.map_or(limit.default, |(_, value)| *value)
    }
}

impl Section for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn about(&self) -> String {
        "What one peer, or all together, may make the server do. Each limit is counted when it is hit.".into()
    }

    fn keys(&self) -> Vec<Key> {
        TABLE.iter().map(|limit| describe(limit)).collect()
    }

    fn get(&self, key: &str) -> Option<String> {
        limits::find(key).map(|limit| self.value(limit).to_string())
    }

    fn set(&mut self, key: &str, value: &RawValue) -> Result<(), String> {
        if let Some(limit) = limits::find(key) {
            let number = section::read::<u64>(value, Some(0..=VALUE_MAX))?;
            self.set.retain(|(name, _)| *name != limit.name);
            self.set.push((limit.name, number));
        }
        Ok(())
    }
}

/// TOML integers are signed and have 64 bits.
const VALUE_MAX: u64 = i64::MAX as u64;

fn describe(limit: &'static limits::Limit) -> Key {
    Key {
        name: lower_case_name(limit.name),
        about: format!("{} In {}.", limit.what, limit.unit),
        default: limit.default.to_string(),
        expects: "a whole number, not negative".into(),
        is_live: true,
        is_secret: false,
    }
}

/// The configuration writes names in lower case; there are few and they live as long as the process.
fn lower_case_name(name: &'static str) -> &'static str {
    use std::sync::LazyLock;
    static NAMES: LazyLock<Vec<String>> =
        LazyLock::new(|| TABLE.iter().map(|limit| limit.name.to_lowercase()).collect());
    TABLE.iter().position(|limit| limit.name == name).and_then(|at| NAMES.get(at)).map_or(name, String::as_str)
}

//! How a section of the configuration is declared: once, with its keys, their meaning, defaults and ranges.

use super::value::Value;

/// One key as the printed configuration and the reference page show it.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name within the section; the unit comes last in it.
    pub name: &'static str,
    /// What it does, in sentences.
    pub about: String,
    /// The value where nothing else is said, as TOML.
    pub default: String,
    /// What a value must be, to end the sentence "must be …".
    pub expects: String,
    /// Whether another value takes effect while the server runs.
    pub is_live: bool,
    /// Whether the value is nobody's business who may ask for the configuration.
    pub is_secret: bool,
}

/// A section of the configuration.
pub trait Section {
    /// Its name in brackets.
    fn name(&self) -> &'static str;

    /// What it is about, in sentences.
    fn about(&self) -> String;

    /// Its keys in the order in which they are shown.
    fn keys(&self) -> Vec<Key>;

    /// The value in force of one key, as TOML.
    fn get(&self, key: &str) -> Option<String>;

    /// Sets one of [`Section::keys`].
    ///
    /// # Errors
    /// Gives back what the value must be.
    fn set(&mut self, key: &str, value: &RawValue) -> Result<(), String>;
}

/// A value not yet fitted to its key.
#[derive(Debug)]
pub struct RawValue(pub(crate) Value);

/// Declares a section: the struct, its defaults and its [`Section`]. The doc comments are what users read.
///
/// A key marked `@live` takes effect while the server runs: whoever uses it takes up changes. One marked `@secret` is
/// told to nobody.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $section:ident, $name:literal {
            $(
                $(#[doc = $doc:literal])+
                $(@$mark:ident)* $key:ident: $type:ty = $default:expr $(, in $range:expr)?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $section {
            $($(#[doc = $doc])+ $vis $key: $type,)*
        }

        impl Default for $section {
            fn default() -> $section {
                $section { $($key: $default,)* }
            }
        }

        impl $crate::config::Section for $section {
            fn name(&self) -> &'static str {
                $name
            }

            fn about(&self) -> String {
                $crate::config::section::join(&[$($about),+])
            }

            fn keys(&self) -> Vec<$crate::config::Key> {
                let default = $section::default();
                vec![$($crate::config::Key {
                    name: stringify!($key),
                    about: $crate::config::section::join(&[$($doc),+]),
                    default: $crate::config::setting::Setting::write(&default.$key),
                    expects: $crate::config::section::expects::<$type>(None $(.or(Some($range)))?),
                    is_live: [$(stringify!($mark)),*].iter().any(|mark: &&str| *mark == "live"),
                    is_secret: [$(stringify!($mark)),*].iter().any(|mark: &&str| *mark == "secret"),
                },)*]
            }

            fn get(&self, key: &str) -> Option<String> {
                $(if key == stringify!($key) {
                    return Some($crate::config::setting::Setting::write(&self.$key));
                })*
                None
            }

            fn set(&mut self, key: &str, value: &$crate::config::RawValue) -> Result<(), String> {
                $(if key == stringify!($key) {
                    self.$key = $crate::config::section::read::<$type>(value, None $(.or(Some($range)))?)?;
                })*
                let _ = (key, value);
                Ok(())
            }
        }
    };
}
pub(crate) use section;

use super::setting::Setting;
use std::ops::RangeInclusive;

/// Doc comment lines as sentences in one line.
pub(crate) fn join(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What a value of this type and range must be.
pub(crate) fn expects<T: Setting>(range: Option<RangeInclusive<u64>>) -> String {
    match range {
        Some(range) => format!("a whole number from {} to {}", range.start(), range.end()),
        None => T::expects(),
    }
}

/// Reads a value of this type and range.
pub(crate) fn read<T: Setting>(value: &RawValue, range: Option<RangeInclusive<u64>>) -> Result<T, String> {
    T::read(&value.0)
        .filter(|setting| match (&range, setting.number()) {
            (Some(range), Some(number)) => range.contains(&number),
            _ => true,
        })
        .ok_or_else(|| expects::<T>(range))
}

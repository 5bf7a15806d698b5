//! Reads the file, then the environment, then the command line; the later wins.

use std::{fs, net::IpAddr, ops::Range, path::PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError, Place, Problem, RawValue, problem::nearest, value::Value, value::shorten};

/// What the configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if one is named.
    pub file: Option<PathBuf>,
    /// All environment variables, whatever their names.
    pub environment: Vec<(String, String)>,
    /// The address of all listeners.
    pub listen: Option<IpAddr>,
    /// Whether to publish the test picture.
    pub demo: bool,
    /// The role of the program: `origin`, `edge` or `transcoder`; `origin` where it is empty.
    pub role: &'static str,
    /// What has been set while the server runs; it wins over all that stands above.
    pub set: Vec<Set>,
}

/// One key that has been set while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The section.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value, as TOML.
    pub value: String,
}

const PREFIX: &str = "HEADWATER__";
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Config {
    /// The configuration from all its sources.
    ///
    /// # Errors
    /// Lists everything that is wrong, each with its place and a remedy.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut loader = Loader::default();
        if let Some(file) = &sources.file {
            loader.file(file);
        }
        loader.environment(&sources.environment);
        loader.options(sources);
        for set in &sources.set {
            let entry = Entry { section: &set.section, key: &set.key, place: Place::Call };
            loader.set(entry, &[Value::from_environment(&set.value)]);
        }
        loader.config.sources = Some(sources.clone());
        loader.finish()
    }

    /// The configuration in a text; `path` stands in errors.
    ///
    /// # Errors
    /// Lists everything that is wrong, each with its line and a remedy.
    pub fn parse(text: &str, path: &str) -> Result<Config, ConfigError> {
        let mut loader = Loader::default();
        loader.text(text, path);
        loader.finish()
    }
}

#[derive(Default)]
struct Loader {
    config: Config,
    problems: Vec<Problem>,
}

/// A section, a key and where they stand.
struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    place: Place,
}

impl Loader {
    fn finish(mut self) -> Result<Config, ConfigError> {
        if self.problems.is_empty() {
            self.problems = self.config.check();
        }
        if self.problems.is_empty() { Ok(self.config) } else { Err(ConfigError { problems: self.problems }) }
    }

    fn file(&mut self, file: &PathBuf) {
        let path = file.to_string_lossy();
        let size = fs::metadata(file).map(|metadata| metadata.len());
        if size.is_ok_and(|size| size > FILE_BYTES_MAX) {
            let place = Place::File { path: path.into_owned(), line: 1 };
            let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
            return self.problem(place, message, "Name a configuration file with --config.");
        }
        match fs::read_to_string(file) {
            Ok(text) => self.text(&text, &path),
            Err(error) => self.problem(
                Place::Option("--config"),
                format!("cannot read {path}: {error}"),
                "Check the path and the permissions, or leave the option out to use the defaults.",
            ),
        }
    }

    fn text(&mut self, text: &str, path: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let place = |span: Range<usize>| {
            let before = text.as_bytes().get(..span.start).unwrap_or_default();
            Place::File { path: path.to_owned(), line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
        };
        for error in &errors {
            let message = error.message().replace('\n', ", ");
            self.problem(place(error.span().unwrap_or_default()), message, "Correct the TOML of this line.");
        }
        if !errors.is_empty() {
            return;
        }
        for (name, value) in table.get_ref() {
            let section = name.get_ref().as_ref();
            let DeValue::Table(keys) = value.get_ref() else {
                self.key_outside_sections(section, place(name.span()));
                continue;
            };
            if !self.has_section(section) {
                self.unknown_section(section, place(name.span()));
                continue;
            }
            for (key, value) in keys {
                let entry = Entry { section, key: key.get_ref().as_ref(), place: place(key.span()) };
                self.set(entry, &[Value::from_toml(value.get_ref())]);
            }
        }
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        let mut ours: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, text) in ours {
            let place = Place::Environment(shorten(name));
            match self.find_variable(name) {
                // Text that happens to read as TOML, such as a host named 10, is still text for a key that wants text.
                Some((section, key)) => {
                    let values = [Value::from_environment(text), Value::Text(text.clone())];
                    self.set(Entry { section, key, place }, &values);
                }
                None => self.unknown_variable(name, place),
            }
        }
    }

    fn options(&mut self, sources: &Sources) {
        if let Some(address) = sources.listen {
            // The option moves all listeners, so it also wins over addresses of single sections.
            let own: Vec<_> = self.names().filter(|(_, key)| *key == "address").map(|(section, _)| section).collect();
            for section in own {
                let text = if section == "listen" { address.to_string() } else { String::new() };
                let entry = Entry { section, key: "address", place: Place::Option("--listen") };
                self.set(entry, &[Value::Text(text)]);
            }
        }
        if sources.demo {
            let entry = Entry { section: "demo", key: "enabled", place: Place::Option("--demo") };
            self.set(entry, &[Value::Bool(true)]);
        }
    }

    /// Sets a key to the first of the values that fits it.
    fn set(&mut self, entry: Entry<'_>, values: &[Value]) {
        let Entry { section, key, place } = entry;
        let Some((section_name, key_name)) = self.names().find(|(s, k)| *s == section && *k == key) else {
            return self.unknown_key(section, key, place);
        };
        let mut sections = self.config.sections_mut();
        let Some(found) = sections.iter_mut().find(|found| found.name() == section) else {
            return;
        };
        let is_secret = found.keys().iter().any(|known| known.name == key && known.is_secret);
        let mut refused = None;
        for value in values {
            match found.set(key, &RawValue(value.clone())) {
                Ok(()) => {
                    self.config.places.set(section_name, key_name, place);
                    return;
                }
                Err(expects) => refused = refused.or(Some((expects, value))),
            }
        }
        if let Some((expects, value)) = refused {
            let message = if is_secret {
                format!("{key} in [{section}] must be {expects}")
            } else {
                format!("{key} in [{section}] must be {expects}, but is {value}")
            };
            self.problem(place, message, "Write another value or remove the key to use its default.");
        }
    }

    fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let sections = self.config.sections().into_iter();
        let names = sections.flat_map(|section| {
            let name = section.name();
            section.keys().into_iter().map(move |key| (name, key.name))
        });
        names.collect::<Vec<_>>().into_iter()
    }

    fn has_section(&self, name: &str) -> bool {
        self.config.sections().iter().any(|section| section.name() == name)
    }

    fn find_variable(&self, name: &str) -> Option<(&'static str, &'static str)> {
        self.names().find(|(section, key)| variable(section, key) == name)
    }

    fn problem(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        // The parser may quote what stands in the file.
        let message = message.into().replace(char::is_control, " ");
        self.problems.push(Problem { place, message, remedy: remedy.into() });
    }

    fn key_outside_sections(&mut self, key: &str, place: Place) {
        if self.has_section(key) {
            let message = format!("{key} is the name of a section and cannot have a value");
            return self.problem(place, message, format!("Write [{key}] on a line of its own and its keys below."));
        }
        let home = self.names().find(|(_, name)| *name == key);
        let remedy = match home {
            Some((section, _)) => format!("Did you mean it below a line [{section}]?"),
            None => "Put each key below the [section] that it belongs to; --print-default-config shows all.".into(),
        };
        self.problem(place, format!("the key {} stands outside any section", quoted(key)), remedy);
    }

    fn unknown_section(&mut self, section: &str, place: Place) {
        let names: Vec<_> = self.config.sections().iter().map(|section| section.name()).collect();
        let remedy = suggest(nearest(section, names).map(|name| format!("[{name}]")));
        self.problem(place, format!("there is no section {}", quoted(section)), remedy);
    }

    fn unknown_key(&mut self, section: &str, key: &str, place: Place) {
        let names: Vec<_> = self.names().collect();
        let here = nearest(key, names.iter().filter(|(s, _)| *s == section).map(|(_, k)| *k)).map(str::to_owned);
        let elsewhere = || names.iter().find(|(_, k)| *k == key).map(|(s, k)| format!("{k} in [{s}]"));
        self.problem(
            place,
            format!("there is no key {} in [{section}]", quoted(key)),
            suggest(here.or_else(elsewhere)),
        );
    }

    fn unknown_variable(&mut self, name: &str, place: Place) {
        let names: Vec<_> = self.names().map(|(section, key)| variable(section, key)).collect();
        let remedy = suggest(nearest_variable(name, &names));
        self.problem(place, "there is no setting of this name", remedy);
    }
}

/// The environment variable that sets `[section] key`.
pub(crate) fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_uppercase(), key.to_uppercase())
}

/// The common prefix would make all names alike, so it is left out of the comparison.
fn nearest_variable(name: &str, names: &[String]) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?;
    let found = nearest(rest, names.iter().filter_map(|name| name.strip_prefix(PREFIX)))?;
    Some(format!("{PREFIX}{found}"))
}

fn suggest(nearest: Option<String>) -> String {
    match nearest {
        Some(name) => format!("Did you mean {name}?"),
        None => "Run with --print-default-config to see all that there is.".into(),
    }
}

/// A name from the file, made harmless for a terminal and short.
fn quoted(name: &str) -> String {
    format!("{:?}", shorten(name))
}

//! The configuration: any file, and any environment.

use headwater_server::{Config, Sources};

/// A configuration file of any bytes: it is read, or refused with errors of one line each that name a place.
///
/// What is accepted is written and read again, and must then be the same.
pub fn config_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Config::parse(&text, "fuzz.toml") {
        Ok(config) => {
            let written = config.to_toml();
            let again = Config::parse(&written, "again.toml");
            let again = again.unwrap_or_else(|error| panic!("what was written is refused: {error}"));
            assert_eq!(again.to_toml(), written);
        }
        Err(error) => check(&error.to_string(), error.problems.len()),
    }
    environment(&text);
}

/// The same bytes as environment: a name and a value in each line.
fn environment(text: &str) {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let environment = pairs.map(|(name, value)| (format!("HEADWATER__{}", name.trim()), value.to_owned())).collect();
    if let Err(error) = Config::load(&Sources { environment, ..Sources::default() }) {
        check(&error.to_string(), error.problems.len());
    }
}

fn check(error: &str, problems: usize) {
    assert_eq!(error.lines().count(), problems, "{error:?}");
    assert!(problems > 0 && !error.contains('\u{1b}') && !error.contains('\r'), "{error:?}");
}
